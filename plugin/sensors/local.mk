# plugin/sensors: every source of energy readings of a node
# what the plugin may use of it: libc alone
sensors_plugin_sources = plugin/sensors/powercap.c plugin/sensors/powercap.h

noinst_LTLIBRARIES += libcarbon-sensors.la
libcarbon_sensors_la_SOURCES = $(sensors_plugin_sources) \
	plugin/sensors/busy.c plugin/sensors/busy.h \
	plugin/sensors/capture.c plugin/sensors/capture.h plugin/sensors/capture_cpus.c \
	plugin/sensors/capture_scan.c plugin/sensors/capture_text.c \
	plugin/sensors/cputime.c plugin/sensors/cputime.h \
	plugin/sensors/cpuinfo.c plugin/sensors/cpuinfo.h \
	plugin/sensors/gauge.c plugin/sensors/gauge.h \
	plugin/sensors/gpu_metrics.c plugin/sensors/gpu_metrics.h \
	plugin/sensors/helper.c plugin/sensors/helper.h \
	plugin/sensors/modelled.c plugin/sensors/modelled.h \
	plugin/sensors/nvml_api.h \
	plugin/sensors/pci.c plugin/sensors/pci.h \
	plugin/sensors/power_models.c plugin/sensors/power_models.h \
	plugin/sensors/rules.c plugin/sensors/rules.h \
	plugin/sensors/sensors.c plugin/sensors/sensors.h \
	plugin/sensors/source.h plugin/sensors/source_amdgpu.c \
	plugin/sensors/source_cray.c plugin/sensors/source_grace.c \
	plugin/sensors/source_intelgpu.c plugin/sensors/source_ipmi.c \
	plugin/sensors/source_nvml.c \
	plugin/sensors/source_perf.c plugin/sensors/source_powercap.c \
	plugin/sensors/topology.c plugin/sensors/topology.h
libcarbon_sensors_la_CFLAGS = $(AM_CFLAGS) $(HWLOC_CFLAGS)
libcarbon_sensors_la_LIBADD = libcarbon-core.la $(HWLOC_LIBS) -ldl
