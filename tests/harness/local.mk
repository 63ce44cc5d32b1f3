# a fake slurmstepd, slurmd and srun: each process of Slurm's that loads the plugin, hook by hook
if WITH_SLURM
harness_sources = $(plugin_world_sources) tests/harness/faults.c tests/harness/faults.h \
	tests/harness/walk.c tests/harness/walk.h
harness_cppflags = $(unit_cppflags) -I$(top_srcdir)/tests/harness $(SLURM_CPPFLAGS)
harness_tests = tests/harness/spank_walks tests/harness/spank_faults
check_PROGRAMS += $(harness_tests)
TESTS += $(harness_tests)
tests_harness_spank_walks_SOURCES = tests/harness/spank_walks.c $(harness_sources)
tests_harness_spank_walks_CPPFLAGS = $(harness_cppflags)
tests_harness_spank_walks_CFLAGS = $(unit_cflags)
tests_harness_spank_walks_LDADD = $(unit_ldadd) -ldl
# what it defines comes before libc for the plugin that it loads
tests_harness_spank_walks_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
tests_harness_spank_faults_SOURCES = tests/harness/spank_faults.c $(harness_sources)
tests_harness_spank_faults_CPPFLAGS = $(harness_cppflags)
tests_harness_spank_faults_CFLAGS = $(unit_cflags)
tests_harness_spank_faults_LDADD = $(unit_ldadd) -ldl
tests_harness_spank_faults_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
endif
