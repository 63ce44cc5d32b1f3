# carbon: pure arithmetic from energy and factors to grams
noinst_LTLIBRARIES += libcarbon-carbon.la
libcarbon_carbon_la_SOURCES = \
	accounting/carbon/bom.c accounting/carbon/bom.h \
	accounting/carbon/conf_sections.c accounting/carbon/conf_sections.h \
	accounting/carbon/csv_rows.c accounting/carbon/csv_rows.h \
	accounting/carbon/factor_table.c accounting/carbon/factor_table.h \
	accounting/carbon/embodied.c accounting/carbon/embodied.h \
	accounting/carbon/emissions.c accounting/carbon/emissions.h \
	accounting/carbon/estimate.c accounting/carbon/estimate.h \
	accounting/carbon/grid.c accounting/carbon/grid.h \
	accounting/carbon/grid_import.c accounting/carbon/grid_import.h \
	accounting/carbon/grid_import_csv.c \
	accounting/carbon/grid_import_eco2mix.c \
	accounting/carbon/grid_import_electricitymaps.c \
	accounting/carbon/grid_import_end.c \
	accounting/carbon/grid_import_file.h \
	accounting/carbon/grid_import_series.c \
	accounting/carbon/grid_import_table.c \
	accounting/carbon/grid_import_uk.c \
	accounting/carbon/grid_import_value.c \
	accounting/carbon/inventory.c accounting/carbon/inventory.h \
	accounting/carbon/intensity.c accounting/carbon/intensity.h \
	accounting/carbon/operational.c accounting/carbon/operational.h \
	accounting/carbon/tres_model.c accounting/carbon/tres_model.h
libcarbon_carbon_la_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS) $(JANSSON_CFLAGS)
libcarbon_carbon_la_LIBADD = libcarbon-core.la $(CSV_LIBS) $(CONFUSE_LIBS) \
	$(JANSSON_LIBS)
dist_pkgdata_DATA += accounting/carbon/grid_intensity.csv accounting/carbon/embodied_factors.csv \
	accounting/carbon/equivalences.csv
