# accounting/store
noinst_LTLIBRARIES += libcarbon-store.la
libcarbon_store_la_SOURCES = \
	accounting/store/audit.c accounting/store/audit.h \
	accounting/store/factors.c accounting/store/factors.h \
	accounting/store/identity.c accounting/store/identity.h \
	accounting/store/load.c \
	accounting/store/millijoule.c accounting/store/millijoule.h \
	accounting/store/nodes.c accounting/store/nodes.h \
	accounting/store/query.c accounting/store/query.h \
	accounting/store/schema.c \
	accounting/store/store.c accounting/store/store.h \
	accounting/store/store_sqlite.h
libcarbon_store_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/accounting
libcarbon_store_la_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
libcarbon_store_la_LIBADD = libcarbon-core.la $(SQLITE_LIBS)

# the schema's text as a C string
EXTRA_DIST += accounting/store/schema-1.sql
CLEANFILES += accounting/store/schema-1.inc
$(libcarbon_store_la_OBJECTS): accounting/store/schema-1.inc
accounting/store/schema-1.inc: accounting/store/schema-1.sql
	$(AM_V_GEN)$(MKDIR_P) accounting/store && \
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' \
	    $(srcdir)/accounting/store/schema-1.sql > $@.tmp && mv $@.tmp $@
