# accounting/spool
noinst_LTLIBRARIES += libcarbon-spool.la
libcarbon_spool_la_SOURCES = \
	accounting/spool/ingest.c accounting/spool/ingest.h \
	accounting/spool/quarantine.c accounting/spool/quarantine.h \
	accounting/spool/watch.c accounting/spool/watch.h
libcarbon_spool_la_CFLAGS = $(AM_CFLAGS)
libcarbon_spool_la_LIBADD = libcarbon-store.la
