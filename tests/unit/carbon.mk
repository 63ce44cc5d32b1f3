# carbon: from energy, hardware and factors to grams
carbon_unit_tests = \
	tests/unit/test_tres \
	tests/unit/test_grid \
	tests/unit/test_embodied \
	tests/unit/test_golden_method
check_PROGRAMS += $(carbon_unit_tests)
TESTS += $(carbon_unit_tests)
carbon_unit_ldadd = libcarbon-carbon.la $(unit_ldadd)
hardware_sources = tests/unit/hardware.c tests/unit/hardware.h
tests_unit_test_grid_CPPFLAGS = $(unit_cppflags)
tests_unit_test_grid_CFLAGS = $(unit_cflags)
tests_unit_test_grid_LDADD = $(carbon_unit_ldadd)
tests_unit_test_embodied_SOURCES = tests/unit/test_embodied.c $(hardware_sources)
tests_unit_test_embodied_CPPFLAGS = $(unit_cppflags)
tests_unit_test_embodied_CFLAGS = $(unit_cflags)
tests_unit_test_embodied_LDADD = $(carbon_unit_ldadd)
tests_unit_test_golden_method_SOURCES = tests/unit/test_golden_method.c $(hardware_sources)
tests_unit_test_golden_method_CPPFLAGS = $(unit_cppflags)
tests_unit_test_golden_method_CFLAGS = $(unit_cflags)
tests_unit_test_golden_method_LDADD = $(carbon_unit_ldadd)
tests_unit_test_tres_CPPFLAGS = $(unit_cppflags)
tests_unit_test_tres_CFLAGS = $(unit_cflags)
tests_unit_test_tres_LDADD = $(carbon_unit_ldadd)
