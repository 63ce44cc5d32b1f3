# plugin/sensors: every source of energy readings of a node
# what the plugin may use of it: libc alone
sensors_plugin_sources = plugin/sensors/powercap.c plugin/sensors/powercap.h

noinst_LTLIBRARIES += libcarbon-sensors.la
libcarbon_sensors_la_SOURCES = $(sensors_plugin_sources)
libcarbon_sensors_la_CFLAGS = $(AM_CFLAGS) $(HWLOC_CFLAGS)
libcarbon_sensors_la_LIBADD = libcarbon-core.la $(HWLOC_LIBS)
