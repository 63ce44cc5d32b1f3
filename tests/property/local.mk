# property tests: random histories against what the ledger promises
check_PROGRAMS += tests/property/ledger_histories
TESTS += tests/property/ledger_histories
tests_property_ledger_histories_SOURCES = \
	tests/property/history.c tests/property/history.h \
	tests/property/ledger_histories.c \
	tests/property/reference.c tests/property/reference.h
# about 25 s of one core; more by hand: tests/property/ledger_histories --seed 100000 --count 100000
tests_property_ledger_histories_CPPFLAGS = $(AM_CPPFLAGS) -DDEFAULT_COUNT=3000
tests_property_ledger_histories_CFLAGS = $(AM_CFLAGS)
tests_property_ledger_histories_LDADD = libcarbon-ledger.la libcarbon-core.la

# the arithmetic of emissions, on random clusters; about 2 s
check_PROGRAMS += tests/property/apportionment
TESTS += tests/property/apportionment
tests_property_apportionment_SOURCES = tests/property/apportionment.c $(hardware_sources)
tests_property_apportionment_CPPFLAGS = $(unit_cppflags) -DDEFAULT_COUNT=3000
tests_property_apportionment_CFLAGS = $(AM_CFLAGS)
tests_property_apportionment_LDADD = libcarbon-carbon.la libcarbon-core.la

# each call of the meter failing in turn
check_PROGRAMS += tests/property/meter_faults
TESTS += tests/property/meter_faults
tests_property_meter_faults_SOURCES = tests/property/meter_faults.c $(meter_world) $(faults_sources)
tests_property_meter_faults_CPPFLAGS = $(unit_cppflags) -I$(top_srcdir)/tests/fake
tests_property_meter_faults_CFLAGS = $(unit_cflags)
tests_property_meter_faults_LDADD = $(meter_unit_ldadd)

# … and of ingest, with its database
check_PROGRAMS += tests/property/ingest_faults
TESTS += tests/property/ingest_faults
tests_property_ingest_faults_SOURCES = tests/property/ingest_faults.c $(books_sources) \
	$(faults_sources)
tests_property_ingest_faults_CPPFLAGS = $(books_cppflags) -I$(top_srcdir)/tests/fake
tests_property_ingest_faults_CFLAGS = $(books_cflags)
tests_property_ingest_faults_LDADD = $(books_ldadd)

# a crowd of files where marks and batches are; before a release: tests/property/crowd 1000000
check_PROGRAMS += tests/property/crowd
TESTS += tests/property/crowd
tests_property_crowd_SOURCES = tests/property/crowd.c $(books_sources) \
	tests/unit/meter_world.c tests/unit/meter_world.h
tests_property_crowd_CPPFLAGS = $(books_cppflags)
tests_property_crowd_CFLAGS = $(books_cflags)
tests_property_crowd_LDADD = libcarbon-spool.la libcarbon-store.la $(meter_unit_ldadd) $(SQLITE_LIBS)
