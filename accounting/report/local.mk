# report: rows, columns and formats
noinst_LTLIBRARIES += libcarbon-report.la
libcarbon_report_la_SOURCES = \
	accounting/report/basis.c accounting/report/basis.h \
	accounting/report/card.c accounting/report/card.h \
	accounting/report/columns.c accounting/report/columns.h \
	accounting/report/format.c accounting/report/format.h \
	accounting/report/json.c accounting/report/json.h \
	accounting/report/row.c accounting/report/row.h \
	accounting/report/table.c accounting/report/table.h
libcarbon_report_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS)
libcarbon_report_la_LIBADD = $(JANSSON_LIBS) $(SMARTCOLS_LIBS) -lm
