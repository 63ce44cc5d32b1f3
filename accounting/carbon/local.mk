# carbon: pure arithmetic from energy and factors to grams
noinst_LTLIBRARIES += libcarbon-carbon.la
libcarbon_carbon_la_SOURCES = \
	accounting/carbon/conf_sections.c accounting/carbon/conf_sections.h \
	accounting/carbon/csv_rows.c accounting/carbon/csv_rows.h \
	accounting/carbon/factor_table.c accounting/carbon/factor_table.h \
	accounting/carbon/grid.c accounting/carbon/grid.h \
	accounting/carbon/inventory.c accounting/carbon/inventory.h \
	accounting/carbon/intensity.c accounting/carbon/intensity.h \
	accounting/carbon/operational.c accounting/carbon/operational.h
libcarbon_carbon_la_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS)
libcarbon_carbon_la_LIBADD = libcarbon-core.la $(CSV_LIBS) $(CONFUSE_LIBS)
dist_pkgdata_DATA += accounting/carbon/grid_intensity.csv accounting/carbon/embodied_factors.csv \
	accounting/carbon/equivalences.csv
