# unit tests: one program per module
unit_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
unit_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
unit_ldadd = libcarbon-core.la $(CMOCKA_LIBS)
EXTRA_DIST += tests/unit/unit.h

core_unit_tests = \
	tests/unit/test_error \
	tests/unit/test_parse \
	tests/unit/test_idset \
	tests/unit/test_apportion \
	tests/unit/test_buf \
	tests/unit/test_record \
	tests/unit/test_mark \
	tests/unit/test_batch \
	tests/unit/test_file \
	tests/unit/test_clock
check_PROGRAMS += $(core_unit_tests)
TESTS += $(core_unit_tests)
tests_unit_test_error_CPPFLAGS = $(unit_cppflags)
tests_unit_test_error_CFLAGS = $(unit_cflags)
tests_unit_test_error_LDADD = $(unit_ldadd)
tests_unit_test_parse_CPPFLAGS = $(unit_cppflags)
tests_unit_test_parse_CFLAGS = $(unit_cflags)
tests_unit_test_parse_LDADD = $(unit_ldadd)
tests_unit_test_idset_CPPFLAGS = $(unit_cppflags)
tests_unit_test_idset_CFLAGS = $(unit_cflags)
tests_unit_test_idset_LDADD = $(unit_ldadd)
tests_unit_test_apportion_CPPFLAGS = $(unit_cppflags)
tests_unit_test_apportion_CFLAGS = $(unit_cflags)
tests_unit_test_apportion_LDADD = $(unit_ldadd)
tests_unit_test_buf_CPPFLAGS = $(unit_cppflags)
tests_unit_test_buf_CFLAGS = $(unit_cflags)
tests_unit_test_buf_LDADD = $(unit_ldadd)
tests_unit_test_record_CPPFLAGS = $(unit_cppflags)
tests_unit_test_record_CFLAGS = $(unit_cflags)
tests_unit_test_record_LDADD = $(unit_ldadd)
tests_unit_test_mark_CPPFLAGS = $(unit_cppflags)
tests_unit_test_mark_CFLAGS = $(unit_cflags)
tests_unit_test_mark_LDADD = $(unit_ldadd)
tests_unit_test_batch_CPPFLAGS = $(unit_cppflags)
tests_unit_test_batch_CFLAGS = $(unit_cflags)
tests_unit_test_batch_LDADD = $(unit_ldadd)
tests_unit_test_file_CPPFLAGS = $(unit_cppflags)
tests_unit_test_file_CFLAGS = $(unit_cflags)
tests_unit_test_file_LDADD = $(unit_ldadd)
tests_unit_test_clock_CPPFLAGS = $(unit_cppflags)
tests_unit_test_clock_CFLAGS = $(unit_cflags)
tests_unit_test_clock_LDADD = $(unit_ldadd)

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

check_PROGRAMS += tests/unit/test_floor
TESTS += tests/unit/test_floor
tests_unit_test_floor_SOURCES = tests/unit/test_floor.c
tests_unit_test_floor_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_floor_LDADD = libcarbon-ledger.la libcarbon-core.la $(CMOCKA_LIBS)
