# what figures rest on
basis_unit_tests = tests/unit/test_basis tests/unit/test_basis_months
check_PROGRAMS += $(basis_unit_tests)
TESTS += $(basis_unit_tests)
basis_ldadd = libcarbon-report.la libcarbon-carbon.la $(books_ldadd) -lm
tests_unit_test_basis_SOURCES = tests/unit/test_basis.c $(books_sources)
tests_unit_test_basis_CPPFLAGS = $(books_cppflags)
tests_unit_test_basis_CFLAGS = $(books_cflags)
tests_unit_test_basis_LDADD = $(basis_ldadd)
tests_unit_test_basis_months_SOURCES = tests/unit/test_basis_months.c $(books_sources)
tests_unit_test_basis_months_CPPFLAGS = $(books_cppflags)
tests_unit_test_basis_months_CFLAGS = $(books_cflags)
tests_unit_test_basis_months_LDADD = $(basis_ldadd)
