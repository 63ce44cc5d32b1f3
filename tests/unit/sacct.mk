# sacct-carbon and what it is made of
sacct_unit_tests = \
	tests/unit/test_hostlist \
	tests/unit/test_timespec \
	tests/unit/test_intensity \
	tests/unit/test_estimate \
	tests/unit/test_operational \
	tests/unit/test_format \
	tests/unit/test_columns \
	tests/unit/test_jobid
check_PROGRAMS += $(sacct_unit_tests)
TESTS += $(sacct_unit_tests)
sacct_unit_ldadd = libcarbon-cli.la libcarbon-report.la libcarbon-carbon.la libcarbon-store.la \
	libcarbon-core.la $(CMOCKA_LIBS)
tests_unit_test_hostlist_CPPFLAGS = $(unit_cppflags)
tests_unit_test_hostlist_CFLAGS = $(unit_cflags)
tests_unit_test_hostlist_LDADD = $(unit_ldadd)
tests_unit_test_timespec_CPPFLAGS = $(unit_cppflags)
tests_unit_test_timespec_CFLAGS = $(unit_cflags)
tests_unit_test_timespec_LDADD = $(unit_ldadd)
tests_unit_test_intensity_CPPFLAGS = $(unit_cppflags)
tests_unit_test_intensity_CFLAGS = $(unit_cflags)
tests_unit_test_intensity_LDADD = libcarbon-carbon.la $(unit_ldadd) -lm
tests_unit_test_operational_CPPFLAGS = $(unit_cppflags)
tests_unit_test_operational_CFLAGS = $(unit_cflags)
tests_unit_test_operational_LDADD = libcarbon-carbon.la $(unit_ldadd) -lm
tests_unit_test_format_CPPFLAGS = $(unit_cppflags)
tests_unit_test_format_CFLAGS = $(unit_cflags)
tests_unit_test_format_LDADD = $(sacct_unit_ldadd)
tests_unit_test_columns_CPPFLAGS = $(unit_cppflags)
tests_unit_test_columns_CFLAGS = $(unit_cflags)
tests_unit_test_columns_LDADD = $(sacct_unit_ldadd)
tests_unit_test_jobid_CPPFLAGS = $(unit_cppflags)
tests_unit_test_jobid_CFLAGS = $(unit_cflags)
tests_unit_test_jobid_LDADD = $(sacct_unit_ldadd)
tests_unit_test_estimate_CPPFLAGS = $(unit_cppflags)
tests_unit_test_estimate_CFLAGS = $(unit_cflags)
tests_unit_test_estimate_LDADD = libcarbon-carbon.la $(unit_ldadd) -lm

# the report of a period, on a database
check_PROGRAMS += tests/unit/test_period_report
TESTS += tests/unit/test_period_report
tests_unit_test_period_report_SOURCES = tests/unit/test_period_report.c $(books_sources)
tests_unit_test_period_report_CPPFLAGS = $(books_cppflags)
tests_unit_test_period_report_CFLAGS = $(books_cflags)
tests_unit_test_period_report_LDADD = libcarbon-report.la libcarbon-carbon.la $(books_ldadd)

# whom it is shown to
check_PROGRAMS += tests/unit/test_viewer tests/unit/test_roles
TESTS += tests/unit/test_viewer tests/unit/test_roles
tests_unit_test_viewer_CPPFLAGS = $(unit_cppflags)
tests_unit_test_viewer_CFLAGS = $(unit_cflags)
tests_unit_test_viewer_LDADD = libcarbon-store.la $(unit_ldadd)
tests_unit_test_roles_SOURCES = tests/unit/test_roles.c tests/unit/tree.c tests/unit/tree.h
tests_unit_test_roles_CPPFLAGS = $(unit_cppflags)
tests_unit_test_roles_CFLAGS = $(unit_cflags) -pthread
tests_unit_test_roles_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_boottime_ns
tests_unit_test_roles_LDADD = $(sacct_unit_ldadd) -lpthread
