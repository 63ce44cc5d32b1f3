# core: the only ground that plugin/ and accounting/ share
noinst_LTLIBRARIES += libcarbon-core.la
# what the plugin may use of it: libc alone
core_plugin_sources = \
	accounting/core/buf.c accounting/core/buf.h \
	accounting/core/built_for.h \
	accounting/core/clock.c accounting/core/clock.h \
	accounting/core/error.c accounting/core/error.h \
	accounting/core/file.c accounting/core/file.h \
	accounting/core/idset.c accounting/core/idset.h \
	accounting/core/mark.c accounting/core/mark.h \
	accounting/core/parse.c accounting/core/parse.h \
	accounting/core/record.c accounting/core/record.h \
	accounting/core/utf8.c accounting/core/utf8.h
libcarbon_core_la_SOURCES = $(core_plugin_sources) \
	accounting/core/address.c accounting/core/address.h \
	accounting/core/apportion.c accounting/core/apportion.h \
	accounting/core/batch.c accounting/core/batch.h \
	accounting/core/conf.c accounting/core/conf.h \
	accounting/core/conf_value.c accounting/core/conf_value.h \
	accounting/core/hostlist.c accounting/core/hostlist.h \
	accounting/core/nearest.c accounting/core/nearest.h \
	accounting/core/timespec.c accounting/core/timespec.h \
	accounting/core/tres.c accounting/core/tres.h
libcarbon_core_la_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS) $(CONFUSE_CFLAGS)
libcarbon_core_la_LIBADD = $(ZLIB_LIBS) $(CONFUSE_LIBS)
