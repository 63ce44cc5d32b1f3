# what figures rest on
check_PROGRAMS += tests/unit/test_basis
TESTS += tests/unit/test_basis
tests_unit_test_basis_SOURCES = tests/unit/test_basis.c $(books_sources)
tests_unit_test_basis_CPPFLAGS = $(books_cppflags)
tests_unit_test_basis_CFLAGS = $(books_cflags)
tests_unit_test_basis_LDADD = libcarbon-report.la libcarbon-carbon.la $(books_ldadd) -lm
