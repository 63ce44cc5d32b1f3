# carbon: from energy and factors to grams
carbon_unit_tests = tests/unit/test_grid
check_PROGRAMS += $(carbon_unit_tests)
TESTS += $(carbon_unit_tests)
carbon_unit_ldadd = libcarbon-carbon.la $(unit_ldadd)
tests_unit_test_grid_CPPFLAGS = $(unit_cppflags)
tests_unit_test_grid_CFLAGS = $(unit_cflags)
tests_unit_test_grid_LDADD = $(carbon_unit_ldadd)
