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

check_PROGRAMS += tests/unit/test_rules
TESTS += tests/unit/test_rules
tests_unit_test_rules_SOURCES = tests/unit/test_rules.c
tests_unit_test_rules_CFLAGS = $(unit_cflags)
tests_unit_test_rules_LDADD = $(sensor_unit_ldadd)
