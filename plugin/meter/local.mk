# plugin/meter: carbon-meterd
noinst_LTLIBRARIES += libcarbon-meter.la
libcarbon_meter_la_SOURCES = \
	plugin/meter/child.c plugin/meter/child.h \
	plugin/meter/deliver.c plugin/meter/deliver.h \
	plugin/meter/floors.c plugin/meter/floors.h \
	plugin/meter/log.c plugin/meter/log.h \
	plugin/meter/marks.c plugin/meter/marks.h \
	plugin/meter/meter.c plugin/meter/meter.h \
	plugin/meter/metrics.c plugin/meter/metrics.h \
	plugin/meter/roster.c plugin/meter/roster.h \
	plugin/meter/spool.c plugin/meter/spool.h \
	plugin/meter/status.c plugin/meter/status.h \
	plugin/meter/tally.c plugin/meter/tally.h
libcarbon_meter_la_LIBADD = libcarbon-ledger.la libcarbon-sensors.la libcarbon-core.la

sbin_PROGRAMS += carbon-meterd
carbon_meterd_SOURCES = plugin/meter/meterd.c
carbon_meterd_LDADD = libcarbon-meter.la
