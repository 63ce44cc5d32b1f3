# machines that are replayed from captures, and captures themselves
check_PROGRAMS += tests/machines/test_machines
TESTS += tests/machines/test_machines
EXTRA_DIST += $(machines:=.capture) $(machines:=.expect)
tests_machines_test_machines_SOURCES = tests/machines/test_machines.c $(tree_sources)
tests_machines_test_machines_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_machines_test_machines_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -pthread
tests_machines_test_machines_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_capture
TESTS += tests/unit/test_capture
tests_unit_test_capture_SOURCES = tests/unit/test_capture.c $(tree_sources)
tests_unit_test_capture_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_capture_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
machines = \
	tests/machines/a100-mig \
	tests/machines/a100x8 \
	tests/machines/cray-ex \
	tests/machines/epyc-7003 \
	tests/machines/epyc-9004 \
	tests/machines/epyc-mirrored-dies \
	tests/machines/gh200 \
	tests/machines/granite-rapids-tpmi \
	tests/machines/h100x8 \
	tests/machines/hybrid-laptop \
	tests/machines/icelake \
	tests/machines/mi250x \
	tests/machines/mi300x \
	tests/machines/pvc \
	tests/machines/sapphire-rapids-old-kernel \
	tests/machines/skylake \
	tests/machines/vm
