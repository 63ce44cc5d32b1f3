# importers of grid intensity
check_PROGRAMS += tests/unit/test_grid_import
TESTS += tests/unit/test_grid_import
tests_unit_test_grid_import_CPPFLAGS = $(unit_cppflags)
tests_unit_test_grid_import_CFLAGS = $(unit_cflags)
tests_unit_test_grid_import_LDADD = libcarbon-carbon.la $(unit_ldadd) -lm
