# unit tests of the kinds of sensor
check_PROGRAMS += tests/unit/test_nvml
TESTS += tests/unit/test_nvml
tests_unit_test_nvml_SOURCES = tests/unit/test_nvml.c \
	tests/unit/machine.c tests/unit/machine.h $(tree_sources)
tests_unit_test_nvml_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_nvml_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
EXTRA_tests_unit_test_nvml_DEPENDENCIES = \
	tests/fake/nvml/libnvidia-ml.la tests/fake/nvml_old/libnvidia-ml.la
