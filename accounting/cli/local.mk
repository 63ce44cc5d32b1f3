# cli: one file per command
sbin_PROGRAMS += carbonctl
carbonctl_SOURCES = \
	accounting/cli/carbonctl.c accounting/cli/carbonctl.h \
	accounting/cli/ctl_audit.c \
	accounting/cli/ctl_backfill.c \
	accounting/cli/ctl_backup.c \
	accounting/cli/ctl_compare.c \
	accounting/cli/ctl_config.c \
	accounting/cli/ctl_doctor.c \
	accounting/cli/ctl_estimate.c \
	accounting/cli/ctl_export.c \
	accounting/cli/ctl_factors.c \
	accounting/cli/ctl_grid.c accounting/cli/ctl_grid.h \
	accounting/cli/ctl_grid_import.c \
	accounting/cli/ctl_grid_list.c \
	accounting/cli/ctl_help.c \
	accounting/cli/ctl_ingest.c \
	accounting/cli/ctl_init.c \
	accounting/cli/ctl_inventory.c accounting/cli/ctl_inventory.h \
	accounting/cli/ctl_inventory_check.c \
	accounting/cli/ctl_inventory_discover.c \
	accounting/cli/ctl_migrate.c \
	accounting/cli/ctl_prune.c \
	accounting/cli/ctl_quarantine.c \
	accounting/cli/ctl_reconcile.c \
	accounting/cli/ctl_repair.c \
	accounting/cli/discover.c accounting/cli/discover.h \
	accounting/cli/ctl_sensors.c \
	accounting/cli/ctl_status.c \
	accounting/cli/meter_status.c accounting/cli/meter_status.h \
	accounting/cli/factors_update.c accounting/cli/factors_update.h \
	accounting/cli/linediff.c accounting/cli/linediff.h \
	accounting/cli/sensors_show.c accounting/cli/sensors_show.h \
	accounting/cli/sensors_watch.c accounting/cli/sensors_watch.h \
	accounting/cli/table.c accounting/cli/table.h
carbonctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS) $(HWLOC_CFLAGS)
carbonctl_LDADD = libcarbon-cli.la libcarbon-spool.la libcarbon-report.la libcarbon-carbon.la libcarbon-store.la \
	libcarbon-sensors.la libcarbon-core.la \
	$(JANSSON_LIBS) $(SMARTCOLS_LIBS) $(HWLOC_LIBS)

noinst_LTLIBRARIES += libcarbon-cli.la
libcarbon_cli_la_SOURCES = \
	accounting/cli/ask.c accounting/cli/ask.h \
	accounting/cli/dbd.c accounting/cli/dbd.h \
	accounting/cli/run.c accounting/cli/run.h \
	accounting/cli/jobid.c accounting/cli/jobid.h \
	accounting/cli/options.c accounting/cli/options.h \
	accounting/cli/output.c accounting/cli/output.h \
	accounting/cli/plainf.c accounting/cli/plainf.h \
	accounting/cli/roles.c accounting/cli/roles.h \
	accounting/cli/sacct_options.c accounting/cli/sacct_options.h \
	accounting/cli/screen.c accounting/cli/screen.h \
	accounting/cli/sreport_options.c accounting/cli/sreport_options.h
libcarbon_cli_la_CFLAGS = $(AM_CFLAGS) -pthread
libcarbon_cli_la_LIBADD = -lpthread

bin_PROGRAMS += sacct-carbon
sacct_carbon_SOURCES = accounting/cli/sacct_carbon.c \
	accounting/cli/sacct_profile.c accounting/cli/sacct_profile.h \
	accounting/cli/sacct_budgets.c accounting/cli/sacct_budgets.h \
	accounting/cli/sacct_rows.c accounting/cli/sacct_rows.h
sacct_carbon_CFLAGS = $(AM_CFLAGS)
sacct_carbon_LDADD = libcarbon-cli.la libcarbon-report.la libcarbon-carbon.la libcarbon-store.la \
	libcarbon-core.la

bin_PROGRAMS += sreport-carbon
sreport_carbon_SOURCES = accounting/cli/sreport_carbon.c
sreport_carbon_CFLAGS = $(AM_CFLAGS)
sreport_carbon_LDADD = libcarbon-cli.la libcarbon-report.la libcarbon-store.la libcarbon-carbon.la \
	libcarbon-core.la
