# unit tests of plugin/meter
meter_world = tests/unit/meter_world.c tests/unit/meter_world.h $(tree_sources)
meter_unit_ldadd = libcarbon-meter.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_meter
TESTS += tests/unit/test_meter
tests_unit_test_meter_SOURCES = tests/unit/test_meter.c $(meter_world)
tests_unit_test_meter_CPPFLAGS = $(unit_cppflags)
tests_unit_test_meter_CFLAGS = $(unit_cflags)
tests_unit_test_meter_LDADD = $(meter_unit_ldadd)

check_PROGRAMS += tests/unit/test_spool
TESTS += tests/unit/test_spool
tests_unit_test_spool_SOURCES = tests/unit/test_spool.c $(meter_world)
tests_unit_test_spool_CPPFLAGS = $(unit_cppflags)
tests_unit_test_spool_CFLAGS = $(unit_cflags)
tests_unit_test_spool_LDADD = $(meter_unit_ldadd)

# the program itself
check_PROGRAMS += tests/unit/test_meterd
TESTS += tests/unit/test_meterd
tests_unit_test_meterd_SOURCES = tests/unit/test_meterd.c $(meter_world) \
	tests/unit/machine.c tests/unit/machine.h
tests_unit_test_meterd_CPPFLAGS = $(unit_cppflags)
tests_unit_test_meterd_CFLAGS = $(unit_cflags)
tests_unit_test_meterd_LDADD = $(meter_unit_ldadd)
EXTRA_tests_unit_test_meterd_DEPENDENCIES = carbon-meterd$(EXEEXT)

check_PROGRAMS += tests/unit/test_floors
TESTS += tests/unit/test_floors
tests_unit_test_floors_CPPFLAGS = $(unit_cppflags)
tests_unit_test_floors_CFLAGS = $(unit_cflags)
tests_unit_test_floors_LDADD = $(meter_unit_ldadd)

# what the meter writes
check_PROGRAMS += tests/unit/test_batch_format
TESTS += tests/unit/test_batch_format
EXTRA_DIST += tests/golden/batch-1.batch tests/golden/batch-1-component.batch
tests_unit_test_batch_format_CPPFLAGS = $(unit_cppflags)
tests_unit_test_batch_format_CFLAGS = $(unit_cflags)
tests_unit_test_batch_format_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/test_deliver
TESTS += tests/unit/test_deliver
tests_unit_test_deliver_SOURCES = tests/unit/test_deliver.c $(tree_sources)
tests_unit_test_deliver_CPPFLAGS = $(unit_cppflags)
tests_unit_test_deliver_CFLAGS = $(unit_cflags)
tests_unit_test_deliver_LDADD = $(meter_unit_ldadd)

check_PROGRAMS += tests/unit/test_metrics
TESTS += tests/unit/test_metrics
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c $(meter_world)
tests_unit_test_metrics_CPPFLAGS = $(unit_cppflags)
tests_unit_test_metrics_CFLAGS = $(unit_cflags)
tests_unit_test_metrics_LDADD = $(meter_unit_ldadd)

# … and what becomes of it in the books
check_PROGRAMS += tests/unit/test_time
TESTS += tests/unit/test_time
tests_unit_test_time_SOURCES = tests/unit/test_time.c $(books_sources) \
	tests/unit/meter_world.c tests/unit/meter_world.h
tests_unit_test_time_CPPFLAGS = $(books_cppflags)
tests_unit_test_time_CFLAGS = $(books_cflags)
tests_unit_test_time_LDADD = libcarbon-spool.la libcarbon-store.la $(meter_unit_ldadd) \
	libcarbon-core.la $(SQLITE_LIBS)
