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

# a BMC behind a FreeIPMI of our own, found by LD_LIBRARY_PATH
check_LTLIBRARIES += tests/fake/ipmi/libfreeipmi.la
tests_fake_ipmi_libfreeipmi_la_SOURCES = tests/fake/fake_freeipmi.c
tests_fake_ipmi_libfreeipmi_la_CFLAGS = $(AM_CFLAGS)
tests_fake_ipmi_libfreeipmi_la_LDFLAGS = $(AM_LDFLAGS) -shared -version-info 17:0:0 -rpath /nowhere
check_PROGRAMS += tests/unit/test_ipmi
TESTS += tests/unit/test_ipmi
tests_unit_test_ipmi_SOURCES = tests/unit/test_ipmi.c tests/unit/machine.c tests/unit/machine.h \
	$(tree_sources)
tests_unit_test_ipmi_CPPFLAGS = $(unit_cppflags) \
	-DFAKE_IPMI_LIBRARIES='"$(abs_builddir)/tests/fake/ipmi/.libs"'
tests_unit_test_ipmi_CFLAGS = $(unit_cflags) $(HWLOC_CFLAGS)
tests_unit_test_ipmi_LDADD = $(sensor_unit_ldadd)
EXTRA_tests_unit_test_ipmi_DEPENDENCIES = tests/fake/ipmi/libfreeipmi.la

check_PROGRAMS += tests/unit/test_power_models
TESTS += tests/unit/test_power_models
tests_unit_test_power_models_SOURCES = tests/unit/test_power_models.c tests/unit/machine.c \
	tests/unit/machine.h $(tree_sources)
tests_unit_test_power_models_CPPFLAGS = $(unit_cppflags)
tests_unit_test_power_models_CFLAGS = $(unit_cflags) $(HWLOC_CFLAGS)
tests_unit_test_power_models_LDADD = $(sensor_unit_ldadd)
