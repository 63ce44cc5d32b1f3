# the HTML page of a report; with a folder as argument the test writes sample pages there
check_PROGRAMS += tests/unit/test_web
TESTS += tests/unit/test_web
tests_unit_test_web_SOURCES = tests/unit/test_web.c tests/unit/report_samples.c \
	tests/unit/report_samples.h
tests_unit_test_web_CPPFLAGS = $(unit_cppflags)
tests_unit_test_web_CFLAGS = $(unit_cflags)
tests_unit_test_web_LDADD = $(sacct_unit_ldadd)
