# ledger: the pure attribution
noinst_LTLIBRARIES += libcarbon-ledger.la
libcarbon_ledger_la_SOURCES = \
	plugin/ledger/counter.c plugin/ledger/counter.h \
	plugin/ledger/floor.c plugin/ledger/floor.h \
	plugin/ledger/internal.h \
	plugin/ledger/ledger.c plugin/ledger/ledger.h \
	plugin/ledger/rows.c plugin/ledger/rows.h \
	plugin/ledger/series.c plugin/ledger/series.h \
	plugin/ledger/split.c
