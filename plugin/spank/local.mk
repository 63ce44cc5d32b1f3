# plugin/spank: the SPANK plugin. Libc alone, only SPANK's symbols exported.
spank_sources = \
	plugin/spank/edge.c plugin/spank/edge.h \
	plugin/spank/gather.c plugin/spank/gather.h \
	plugin/spank/job_script.c plugin/spank/job_script.h \
	plugin/spank/mark_dir.c plugin/spank/mark_dir.h \
	plugin/spank/settings.c plugin/spank/settings.h \
	plugin/spank/spank_carbon.c \
	plugin/spank/step_cgroup.c plugin/spank/step_cgroup.h \
	plugin/spank/stepd.c plugin/spank/stepd.h \
	plugin/sensors/powercap.c plugin/sensors/powercap.h
if WITH_SLURM
spank_LTLIBRARIES = plugin/spank/spank_carbon.la
plugin_spank_spank_carbon_la_SOURCES = $(spank_sources) $(core_plugin_sources)
plugin_spank_spank_carbon_la_CPPFLAGS = $(AM_CPPFLAGS) $(SLURM_CPPFLAGS)
# Slurm's own daemons load it: no sanitizer in it
plugin_spank_spank_carbon_la_CFLAGS = $(CARBON_CFLAGS) -fvisibility=hidden
plugin_spank_spank_carbon_la_LDFLAGS = -module -avoid-version -shared
endif
