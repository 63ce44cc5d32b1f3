# carbon: pure arithmetic from energy and factors to grams
noinst_LTLIBRARIES += libcarbon-carbon.la
libcarbon_carbon_la_SOURCES = \
	accounting/carbon/grid.c accounting/carbon/grid.h \
	accounting/carbon/intensity.c accounting/carbon/intensity.h \
	accounting/carbon/operational.c accounting/carbon/operational.h
libcarbon_carbon_la_CFLAGS = $(AM_CFLAGS)
libcarbon_carbon_la_LIBADD = $(CSV_LIBS)
dist_pkgdata_DATA += accounting/carbon/grid_intensity.csv accounting/carbon/embodied_factors.csv
