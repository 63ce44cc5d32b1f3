# what sources of energy readings share: their processes, gauges, the table of what counts
sensor_unit_ldadd = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_helper tests/unit/test_gauge
TESTS += tests/unit/test_helper tests/unit/test_gauge
tests_unit_test_helper_SOURCES = tests/unit/test_helper.c $(tree_sources)
tests_unit_test_helper_CFLAGS = $(unit_cflags)
tests_unit_test_helper_LDADD = $(sensor_unit_ldadd)
tests_unit_test_gauge_SOURCES = tests/unit/test_gauge.c
tests_unit_test_gauge_CFLAGS = $(unit_cflags)
tests_unit_test_gauge_LDADD = $(sensor_unit_ldadd)

# unit tests of the kinds of sensor
check_PROGRAMS += tests/unit/test_nvml
TESTS += tests/unit/test_nvml
tests_unit_test_nvml_SOURCES = tests/unit/test_nvml.c \
	tests/unit/machine.c tests/unit/machine.h $(tree_sources)
tests_unit_test_nvml_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_nvml_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
EXTRA_tests_unit_test_nvml_DEPENDENCIES = \
	tests/fake/nvml/libnvidia-ml.la tests/fake/nvml_old/libnvidia-ml.la
