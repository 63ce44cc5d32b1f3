# plugin/spank: the SPANK plugin. Libc alone, only SPANK's symbols exported.
if WITH_SLURM
spank_LTLIBRARIES = plugin/spank/spank_carbon.la
plugin_spank_spank_carbon_la_SOURCES = plugin/spank/spank_carbon.c
plugin_spank_spank_carbon_la_CPPFLAGS = $(AM_CPPFLAGS) $(SLURM_CPPFLAGS)
# no sanitizer: Slurm's own daemons load it
plugin_spank_spank_carbon_la_CFLAGS = $(CARBON_CFLAGS) -fvisibility=hidden
plugin_spank_spank_carbon_la_LDFLAGS = -module -avoid-version -shared
endif
