# accounting/cli
sbin_PROGRAMS += carbonctl
carbonctl_SOURCES = \
	accounting/cli/carbonctl.c accounting/cli/carbonctl.h \
	accounting/cli/ctl_audit.c \
	accounting/cli/ctl_config.c \
	accounting/cli/ctl_help.c \
	accounting/cli/ctl_ingest.c \
	accounting/cli/ctl_init.c \
	accounting/cli/ctl_status.c \
	accounting/cli/table.c accounting/cli/table.h
carbonctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS)
carbonctl_LDADD = libcarbon-spool.la libcarbon-store.la libcarbon-core.la \
	$(JANSSON_LIBS) $(SMARTCOLS_LIBS)
