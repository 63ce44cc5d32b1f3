# sensors of boards and registers: grace, cray, perf
board_rig_sources = tests/unit/board_rig.c tests/unit/board_rig.h \
	tests/unit/machine.c tests/unit/machine.h $(tree_sources)
board_ldadd = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
board_unit_tests = tests/unit/test_grace tests/unit/test_cray tests/unit/test_perf
check_PROGRAMS += $(board_unit_tests)
TESTS += $(board_unit_tests)
tests_unit_test_grace_SOURCES = tests/unit/test_grace.c $(board_rig_sources)
tests_unit_test_grace_CPPFLAGS = $(unit_cppflags)
tests_unit_test_grace_CFLAGS = $(unit_cflags)
tests_unit_test_grace_LDADD = $(board_ldadd)
tests_unit_test_cray_SOURCES = tests/unit/test_cray.c $(board_rig_sources)
tests_unit_test_cray_CPPFLAGS = $(unit_cppflags)
tests_unit_test_cray_CFLAGS = $(unit_cflags)
tests_unit_test_cray_LDADD = $(board_ldadd)
tests_unit_test_perf_SOURCES = tests/unit/test_perf.c $(board_rig_sources)
tests_unit_test_perf_CPPFLAGS = $(unit_cppflags)
tests_unit_test_perf_CFLAGS = $(unit_cflags)
tests_unit_test_perf_LDADD = $(board_ldadd)
