# fuzz targets: fuzzers with --enable-fuzzing (scripts/fuzz), else each replays its corpus
fuzz_targets = \
	tests/fuzz/fuzz_batch \
	tests/fuzz/fuzz_capture \
	tests/fuzz/fuzz_cgroup \
	tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_gpu_metrics \
	tests/fuzz/fuzz_grid \
	tests/fuzz/fuzz_ids \
	tests/fuzz/fuzz_inventory \
	tests/fuzz/fuzz_mark \
	tests/fuzz/fuzz_sacct \
	tests/fuzz/fuzz_sensors \
	tests/fuzz/fuzz_status \
	tests/fuzz/fuzz_tables \
	tests/fuzz/fuzz_time \
	tests/fuzz/fuzz_topology
if WITH_CARBOND
fuzz_targets += tests/fuzz/fuzz_carbond
endif
check_PROGRAMS += $(fuzz_targets)
EXTRA_DIST += tests/fuzz/corpus
if FUZZING
fuzz_main =
else
fuzz_main = tests/fuzz/replay.c
TESTS += $(fuzz_targets)
endif
fuzz_sources = tests/fuzz/fuzz.c tests/fuzz/fuzz.h $(fuzz_main)
fuzz_tree = tests/unit/tree.c tests/unit/tree.h
fuzz_core = $(FUZZER_LIBS) libcarbon-core.la
fuzz_carbon = $(FUZZER_LIBS) libcarbon-carbon.la libcarbon-core.la
fuzz_sensors = $(FUZZER_LIBS) libcarbon-sensors.la libcarbon-core.la
fuzz_unit_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit

tests_fuzz_fuzz_batch_SOURCES = tests/fuzz/fuzz_batch.c $(fuzz_sources)
tests_fuzz_fuzz_batch_LDADD = $(fuzz_core) $(ZLIB_LIBS)
tests_fuzz_fuzz_capture_SOURCES = tests/fuzz/fuzz_capture.c $(fuzz_sources)
tests_fuzz_fuzz_capture_LDADD = $(fuzz_sensors)
tests_fuzz_fuzz_carbond_SOURCES = tests/fuzz/fuzz_carbond.c $(fuzz_sources)
tests_fuzz_fuzz_carbond_LDADD = $(FUZZER_LIBS) $(carbond_libraries) $(MUNGE_LIBS)
tests_fuzz_fuzz_cgroup_SOURCES = tests/fuzz/fuzz_cgroup.c $(fuzz_sources) $(fuzz_tree) \
	plugin/spank/step_cgroup.c plugin/spank/step_cgroup.h
tests_fuzz_fuzz_cgroup_CPPFLAGS = $(fuzz_unit_cppflags)
tests_fuzz_fuzz_cgroup_LDADD = $(fuzz_sensors)
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(fuzz_sources) \
	plugin/spank/settings.c plugin/spank/settings.h
tests_fuzz_fuzz_conf_CPPFLAGS = $(AM_CPPFLAGS)
tests_fuzz_fuzz_conf_LDADD = $(fuzz_core)
tests_fuzz_fuzz_gpu_metrics_SOURCES = tests/fuzz/fuzz_gpu_metrics.c $(fuzz_sources)
tests_fuzz_fuzz_gpu_metrics_LDADD = $(fuzz_sensors)
tests_fuzz_fuzz_grid_SOURCES = tests/fuzz/fuzz_grid.c $(fuzz_sources)
tests_fuzz_fuzz_grid_LDADD = $(fuzz_carbon)
tests_fuzz_fuzz_ids_SOURCES = tests/fuzz/fuzz_ids.c $(fuzz_sources)
tests_fuzz_fuzz_ids_LDADD = $(FUZZER_LIBS) libcarbon-cli.la libcarbon-store.la \
	libcarbon-core.la
tests_fuzz_fuzz_inventory_SOURCES = tests/fuzz/fuzz_inventory.c $(fuzz_sources)
tests_fuzz_fuzz_inventory_LDADD = $(fuzz_carbon)
tests_fuzz_fuzz_mark_SOURCES = tests/fuzz/fuzz_mark.c $(fuzz_sources)
tests_fuzz_fuzz_mark_LDADD = $(fuzz_core)
tests_fuzz_fuzz_sacct_SOURCES = tests/fuzz/fuzz_sacct.c $(fuzz_sources)
tests_fuzz_fuzz_sacct_LDADD = $(FUZZER_LIBS) libcarbon-cli.la libcarbon-core.la
tests_fuzz_fuzz_sensors_SOURCES = tests/fuzz/fuzz_sensors.c $(fuzz_sources) $(fuzz_tree)
tests_fuzz_fuzz_sensors_CPPFLAGS = $(fuzz_unit_cppflags)
tests_fuzz_fuzz_sensors_LDADD = $(fuzz_sensors)
tests_fuzz_fuzz_status_SOURCES = tests/fuzz/fuzz_status.c $(fuzz_sources) \
	accounting/cli/meter_status.c accounting/cli/meter_status.h
tests_fuzz_fuzz_status_CPPFLAGS = $(AM_CPPFLAGS)
tests_fuzz_fuzz_status_LDADD = $(FUZZER_LIBS) libcarbon-ledger.la libcarbon-core.la
tests_fuzz_fuzz_tables_SOURCES = tests/fuzz/fuzz_tables.c $(fuzz_sources)
tests_fuzz_fuzz_tables_LDADD = $(fuzz_carbon)
tests_fuzz_fuzz_time_SOURCES = tests/fuzz/fuzz_time.c $(fuzz_sources)
tests_fuzz_fuzz_time_LDADD = $(fuzz_core)
tests_fuzz_fuzz_topology_SOURCES = tests/fuzz/fuzz_topology.c $(fuzz_sources) $(fuzz_tree)
tests_fuzz_fuzz_topology_CPPFLAGS = $(fuzz_unit_cppflags)
tests_fuzz_fuzz_topology_LDADD = $(fuzz_sensors)
