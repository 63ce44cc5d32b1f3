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

check_PROGRAMS += tests/unit/test_mark_format
TESTS += tests/unit/test_mark_format
EXTRA_DIST += tests/golden/mark-1-job-end.mark tests/golden/mark-1-step-end.mark
tests_unit_test_mark_format_CPPFLAGS = $(unit_cppflags)
tests_unit_test_mark_format_CFLAGS = $(unit_cflags)
tests_unit_test_mark_format_LDADD = $(unit_ldadd)

# the SPANK plugin: its parts, and (where Slurm's headers are) the .so as it is loaded
check_PROGRAMS += tests/unit/test_spank_settings tests/unit/test_spank_step_cgroup
TESTS += tests/unit/test_spank_settings tests/unit/test_spank_step_cgroup
tests_unit_test_spank_settings_SOURCES = tests/unit/test_spank_settings.c $(tree_sources) \
	plugin/spank/settings.c plugin/spank/settings.h
tests_unit_test_spank_settings_CPPFLAGS = $(unit_cppflags)
tests_unit_test_spank_settings_CFLAGS = $(unit_cflags)
tests_unit_test_spank_settings_LDADD = $(unit_ldadd)
tests_unit_test_spank_step_cgroup_SOURCES = tests/unit/test_spank_step_cgroup.c $(tree_sources) \
	plugin/spank/step_cgroup.c plugin/spank/step_cgroup.h
tests_unit_test_spank_step_cgroup_CPPFLAGS = $(unit_cppflags)
tests_unit_test_spank_step_cgroup_CFLAGS = $(unit_cflags)
tests_unit_test_spank_step_cgroup_LDADD = $(unit_ldadd)
if WITH_SLURM
plugin_world_sources = tests/unit/plugin_world.c tests/unit/plugin_world.h $(tree_sources) \
	tests/unit/fake_slurm.c tests/unit/fake_slurm.h
check_PROGRAMS += tests/unit/test_spank_hooks
TESTS += tests/unit/test_spank_hooks
tests_unit_test_spank_hooks_SOURCES = tests/unit/test_spank_hooks.c $(plugin_world_sources)
tests_unit_test_spank_hooks_CPPFLAGS = $(unit_cppflags) $(SLURM_CPPFLAGS)
tests_unit_test_spank_hooks_CFLAGS = $(unit_cflags)
tests_unit_test_spank_hooks_LDADD = $(unit_ldadd) -ldl
# the plugin finds its spank_get_item() and so on in the program
tests_unit_test_spank_hooks_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
endif

check_PROGRAMS += tests/unit/test_sensors
TESTS += tests/unit/test_sensors
tests_unit_test_sensors_SOURCES = tests/unit/test_sensors.c \
	tests/unit/machine.c tests/unit/machine.h $(tree_sources)
tests_unit_test_sensors_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sensors_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_cputime
TESTS += tests/unit/test_cputime
tests_unit_test_cputime_SOURCES = tests/unit/test_cputime.c $(tree_sources)
tests_unit_test_cputime_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cputime_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)

# the books: store and spool, fed by a fake meter
books_sources = tests/unit/books.c tests/unit/books.h $(tree_sources) $(fake_meter_sources)
books_cppflags = $(unit_cppflags) -I$(top_srcdir)/tests/fake
books_cflags = $(unit_cflags) $(SQLITE_CFLAGS)
books_ldadd = libcarbon-spool.la libcarbon-store.la libcarbon-core.la $(SQLITE_LIBS) $(CMOCKA_LIBS)
books_tests = tests/unit/test_prune tests/unit/test_roll tests/unit/test_profile tests/unit/test_store tests/unit/test_millijoule tests/unit/test_load \
	tests/unit/test_audit tests/unit/test_ingest tests/unit/test_factors \
	tests/unit/test_upgrade tests/unit/test_period tests/unit/test_loss tests/unit/test_fold \
	tests/unit/test_ask
check_PROGRAMS += $(books_tests)
TESTS += $(books_tests)
tests_unit_test_store_SOURCES = tests/unit/test_store.c $(books_sources)
tests_unit_test_store_CPPFLAGS = $(books_cppflags)
tests_unit_test_store_CFLAGS = $(books_cflags)
tests_unit_test_store_LDADD = $(books_ldadd)
tests_unit_test_period_SOURCES = tests/unit/test_period.c $(books_sources)
tests_unit_test_period_CPPFLAGS = $(books_cppflags)
tests_unit_test_period_CFLAGS = $(books_cflags)
tests_unit_test_period_LDADD = $(books_ldadd)
tests_unit_test_upgrade_SOURCES = tests/unit/test_upgrade.c $(books_sources)
tests_unit_test_upgrade_CPPFLAGS = $(books_cppflags)
tests_unit_test_upgrade_CFLAGS = $(books_cflags)
tests_unit_test_upgrade_LDADD = $(books_ldadd)
EXTRA_DIST += tests/fake/to_schema_1.sql
tests_unit_test_millijoule_SOURCES = tests/unit/test_millijoule.c $(fake_meter_sources)
tests_unit_test_millijoule_CPPFLAGS = $(books_cppflags)
tests_unit_test_millijoule_CFLAGS = $(books_cflags)
tests_unit_test_millijoule_LDADD = $(books_ldadd)
tests_unit_test_load_SOURCES = tests/unit/test_load.c $(books_sources)
tests_unit_test_load_CPPFLAGS = $(books_cppflags)
tests_unit_test_load_CFLAGS = $(books_cflags)
tests_unit_test_load_LDADD = $(books_ldadd)
tests_unit_test_prune_SOURCES = tests/unit/test_prune.c $(books_sources)
tests_unit_test_prune_CPPFLAGS = $(books_cppflags)
tests_unit_test_prune_CFLAGS = $(books_cflags)
tests_unit_test_prune_LDADD = $(books_ldadd)
tests_unit_test_roll_SOURCES = tests/unit/test_roll.c $(books_sources)
tests_unit_test_roll_CPPFLAGS = $(books_cppflags)
tests_unit_test_roll_CFLAGS = $(books_cflags)
tests_unit_test_roll_LDADD = $(books_ldadd)
tests_unit_test_ask_SOURCES = tests/unit/test_ask.c $(books_sources)
tests_unit_test_ask_CPPFLAGS = $(books_cppflags)
tests_unit_test_ask_CFLAGS = $(books_cflags)
tests_unit_test_ask_LDADD = $(books_ldadd)
tests_unit_test_profile_SOURCES = tests/unit/test_profile.c $(books_sources)
tests_unit_test_profile_CPPFLAGS = $(books_cppflags)
tests_unit_test_profile_CFLAGS = $(books_cflags)
tests_unit_test_profile_LDADD = libcarbon-report.la libcarbon-carbon.la $(books_ldadd)
tests_unit_test_factors_SOURCES = tests/unit/test_factors.c $(books_sources)
tests_unit_test_factors_CPPFLAGS = $(books_cppflags)
tests_unit_test_factors_CFLAGS = $(books_cflags)
tests_unit_test_factors_LDADD = $(books_ldadd)
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c $(books_sources)
tests_unit_test_audit_CPPFLAGS = $(books_cppflags)
tests_unit_test_audit_CFLAGS = $(books_cflags)
tests_unit_test_audit_LDADD = $(books_ldadd)
tests_unit_test_loss_SOURCES = tests/unit/test_loss.c $(books_sources)
tests_unit_test_loss_CPPFLAGS = $(books_cppflags)
tests_unit_test_loss_CFLAGS = $(books_cflags)
tests_unit_test_loss_LDADD = $(books_ldadd)
tests_unit_test_fold_SOURCES = tests/unit/test_fold.c $(books_sources)
tests_unit_test_fold_CPPFLAGS = $(books_cppflags)
tests_unit_test_fold_CFLAGS = $(books_cflags)
tests_unit_test_fold_LDADD = $(books_ldadd)
tests_unit_test_ingest_SOURCES = tests/unit/test_ingest.c $(books_sources)
tests_unit_test_ingest_CPPFLAGS = $(books_cppflags)
tests_unit_test_ingest_CFLAGS = $(books_cflags)
tests_unit_test_ingest_LDADD = $(books_ldadd)

check_PROGRAMS += tests/unit/test_ledger
TESTS += tests/unit/test_ledger
tests_unit_test_ledger_CPPFLAGS = $(unit_cppflags)
tests_unit_test_ledger_CFLAGS = $(unit_cflags)
tests_unit_test_ledger_LDADD = libcarbon-ledger.la $(unit_ldadd)
