# tests/fake: simulators that stand in for hardware.
if HAVE_FUSE3
check_PROGRAMS += tests/fake/fakesys
tests_fake_fakesys_SOURCES = \
	tests/fake/fakesys.c \
	tests/fake/fakesys.h \
	tests/fake/fakesys_ctl.c \
	tests/fake/fakesys_fuse.c \
	tests/fake/fakesys_model.c \
	tests/fake/fakesys_tree.c \
	tests/fake/fakesys_truth.c
tests_fake_fakesys_CFLAGS = $(AM_CFLAGS) $(FUSE3_CFLAGS) -pthread
tests_fake_fakesys_LDADD = $(FUSE3_LIBS) -lpthread

if HAVE_CMOCKA
check_PROGRAMS += tests/fake/fakesys_test
TESTS += tests/fake/fakesys_test
tests_fake_fakesys_test_SOURCES = tests/fake/fakesys_test.c
tests_fake_fakesys_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(HWLOC_CFLAGS)
tests_fake_fakesys_test_LDADD = $(CMOCKA_LIBS) $(HWLOC_LIBS)
endif
endif

# For scripts/bench-step.
check_PROGRAMS += tests/fake/stopwatch
tests_fake_stopwatch_SOURCES = tests/fake/stopwatch.c
if WITH_SLURM
check_LTLIBRARIES += tests/fake/empty_spank.la
tests_fake_empty_spank_la_SOURCES = tests/fake/empty_spank.c
tests_fake_empty_spank_la_CPPFLAGS = $(AM_CPPFLAGS) $(SLURM_CPPFLAGS)
tests_fake_empty_spank_la_CFLAGS = $(CARBON_CFLAGS)
# libtool makes a shared module only of what has an -rpath, though this one is never installed
tests_fake_empty_spank_la_LDFLAGS = -module -avoid-version -shared -rpath $(abs_builddir)
endif

# a meter that makes batches without a node, and a preload that kills a program at its Nth write
fake_meter_sources = tests/fake/fake_meter.c tests/fake/fake_meter.h
check_PROGRAMS += tests/fake/mkbatches
tests_fake_mkbatches_SOURCES = tests/fake/mkbatches.c $(fake_meter_sources)
tests_fake_mkbatches_CFLAGS = $(AM_CFLAGS)
tests_fake_mkbatches_LDADD = libcarbon-core.la
# months of a cluster at once, from a description
check_PROGRAMS += tests/fake/mkmonth
tests_fake_mkmonth_SOURCES = tests/fake/mkmonth.c $(fake_meter_sources)
tests_fake_mkmonth_CFLAGS = $(AM_CFLAGS)
tests_fake_mkmonth_LDADD = libcarbon-core.la
# batches of a whole site, for scripts/bench-scale
check_PROGRAMS += tests/fake/mksite
tests_fake_mksite_SOURCES = tests/fake/mksite.c $(fake_meter_sources)
tests_fake_mksite_CFLAGS = $(AM_CFLAGS)
tests_fake_mksite_LDADD = libcarbon-ledger.la libcarbon-core.la
# what they carry, inserted without a thought: its yardstick
check_PROGRAMS += tests/fake/bulk
tests_fake_bulk_SOURCES = tests/fake/bulk.c
tests_fake_bulk_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(LIBPQ_CFLAGS)
tests_fake_bulk_LDADD = libcarbon-core.la $(SQLITE_LIBS) $(LIBPQ_LIBS)
# … and delivered as time goes by
check_PROGRAMS += tests/fake/deliver
tests_fake_deliver_SOURCES = tests/fake/deliver.c
tests_fake_deliver_CFLAGS = $(AM_CFLAGS)
tests_fake_deliver_LDADD = libcarbon-core.la
faults_sources = tests/fake/faults.c tests/fake/faults.h
check_LTLIBRARIES += libfaults.la
libfaults_la_SOURCES = $(faults_sources)
libfaults_la_CFLAGS = $(AM_CFLAGS)
libfaults_la_LIBADD = libcarbon-core.la
libfaults_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere

# NVIDIA's library, and as it was in old drivers: in folders of their own for LD_LIBRARY_PATH, which
# are those where libtool puts the file of that name, .libs
check_LTLIBRARIES += tests/fake/nvml/libnvidia-ml.la tests/fake/nvml_old/libnvidia-ml.la
tests_fake_nvml_libnvidia_ml_la_SOURCES = tests/fake/fake_nvml.c
tests_fake_nvml_libnvidia_ml_la_CFLAGS = $(AM_CFLAGS)
tests_fake_nvml_libnvidia_ml_la_LDFLAGS = $(AM_LDFLAGS) -shared -version-info 1:0:0 -rpath /nowhere
tests_fake_nvml_old_libnvidia_ml_la_SOURCES = tests/fake/fake_nvml.c
tests_fake_nvml_old_libnvidia_ml_la_CPPFLAGS = $(AM_CPPFLAGS) -DOLD_DRIVER
tests_fake_nvml_old_libnvidia_ml_la_CFLAGS = $(AM_CFLAGS)
tests_fake_nvml_old_libnvidia_ml_la_LDFLAGS = $(tests_fake_nvml_libnvidia_ml_la_LDFLAGS)

# who sees what, by a real slurmdbd
check_PROGRAMS += tests/fake/viewer_of
tests_fake_viewer_of_SOURCES = tests/fake/viewer_of.c
tests_fake_viewer_of_CFLAGS = $(AM_CFLAGS)
tests_fake_viewer_of_LDADD = libcarbon-cli.la libcarbon-report.la libcarbon-carbon.la libcarbon-store.la \
	libcarbon-core.la -lpthread
