# report: rows, columns and formats
noinst_LTLIBRARIES += libcarbon-report.la
libcarbon_report_la_SOURCES = \
	accounting/report/basis.c accounting/report/basis.h \
	accounting/report/basis_months.c \
	accounting/report/budgets.c accounting/report/budgets.h \
	accounting/report/budgets_write.c \
	accounting/report/card.c accounting/report/card.h \
	accounting/report/cells.c accounting/report/cells.h \
	accounting/report/columns.c accounting/report/columns.h \
	accounting/report/compare.c accounting/report/compare.h \
	accounting/report/format.c accounting/report/format.h \
	accounting/report/html.c accounting/report/html.h \
	accounting/report/csv.c accounting/report/csv.h \
	accounting/report/explain.c accounting/report/explain.h \
	accounting/report/export.c accounting/report/export.h \
	accounting/report/job_carbon.c accounting/report/job_carbon.h \
	accounting/report/job_rows.c accounting/report/job_rows.h \
	accounting/report/json.c accounting/report/json.h \
	accounting/report/profile.c accounting/report/profile.h \
	accounting/report/profile_plot.c accounting/report/profile_plot.h \
	accounting/report/profile_svg.c accounting/report/profile_text.c \
	accounting/report/json_doc.c accounting/report/json_doc.h \
	accounting/report/month.c accounting/report/month.h \
	accounting/report/method.c accounting/report/method.h \
	accounting/report/parts.c accounting/report/parts.h \
	accounting/report/period_fields.c accounting/report/period_fields.h \
	accounting/report/period_groups.c \
	accounting/report/period_json.c \
	accounting/report/period_keys.c \
	accounting/report/period_mass.c \
	accounting/report/period_read.c \
	accounting/report/period_report.c accounting/report/period_report.h \
	accounting/report/period_sections.c \
	accounting/report/period_tables.c \
	accounting/report/period_text.c accounting/report/period_text.h \
	accounting/report/period_trend.c accounting/report/period_work.h \
	accounting/report/web.c accounting/report/web.h \
	accounting/report/web_books.c accounting/report/web_budgets.c \
	accounting/report/web_figures.c \
	accounting/report/web_notes.c accounting/report/web_plots.c \
	accounting/report/web_style.c accounting/report/web_tables.c \
	accounting/report/web_times.c \
	accounting/report/plot.c accounting/report/plot.h \
	accounting/report/row.c accounting/report/row.h \
	accounting/report/shown.c accounting/report/shown.h \
	accounting/report/svg.c accounting/report/svg.h \
	accounting/report/table.c accounting/report/table.h
libcarbon_report_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS)
libcarbon_report_la_LIBADD = $(JANSSON_LIBS) $(SMARTCOLS_LIBS) -lm
