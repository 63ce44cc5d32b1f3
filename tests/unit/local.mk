# tests/unit

check_PROGRAMS += tests/unit/test_conf
TESTS += tests/unit/test_conf
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c
tests_unit_test_conf_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_LDADD = libcarbon-core.la $(CMOCKA_LIBS)

tree_sources = tests/unit/tree.c tests/unit/tree.h

check_PROGRAMS += tests/unit/test_powercap
TESTS += tests/unit/test_powercap
tests_unit_test_powercap_SOURCES = tests/unit/test_powercap.c $(tree_sources)
tests_unit_test_powercap_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -pthread
tests_unit_test_powercap_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
