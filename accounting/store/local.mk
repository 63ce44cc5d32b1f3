# accounting/store
noinst_LTLIBRARIES += libcarbon-store.la
libcarbon_store_la_SOURCES = \
	accounting/store/audit.c accounting/store/audit.h \
	accounting/store/audit_factors.c accounting/store/audit_rules.h \
	accounting/store/audit_sums.c \
	accounting/store/backfill.c accounting/store/backfill.h \
	accounting/store/backup.c accounting/store/backup.h \
	accounting/store/copy.c accounting/store/copy.h \
	accounting/store/db.h \
	accounting/store/factors.c accounting/store/factors.h \
	accounting/store/fold.c accounting/store/fold.h \
	accounting/store/identity.c accounting/store/identity.h \
	accounting/store/known.c accounting/store/known.h \
	accounting/store/load.c \
	accounting/store/lock.c accounting/store/lock.h \
	accounting/store/loss.c accounting/store/loss.h \
	accounting/store/migrate.c accounting/store/migrate.h \
	accounting/store/millijoule.c accounting/store/millijoule.h \
	accounting/store/nodes.c accounting/store/nodes.h \
	accounting/store/peak.h \
	accounting/store/pending.c accounting/store/pending.h \
	accounting/store/period.c accounting/store/period.h \
	accounting/store/profile.c accounting/store/profile.h \
	accounting/store/prune.c accounting/store/prune.h \
	accounting/store/query.c accounting/store/query.h \
	accounting/store/reconcile.c accounting/store/reconcile.h \
	accounting/store/roll.c accounting/store/roll.h \
	accounting/store/rows.c accounting/store/rows.h \
	accounting/store/schema.c \
	accounting/store/sqlite.c accounting/store/sqlite.h \
	accounting/store/store.c accounting/store/store.h \
	accounting/store/sums.c accounting/store/sums.h \
	accounting/store/upgrade.c \
	accounting/store/viewer.c accounting/store/viewer.h
libcarbon_store_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/accounting
if WITH_LIBPQ
libcarbon_store_la_SOURCES += accounting/store/postgres.c
endif
libcarbon_store_la_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(LIBPQ_CFLAGS)
libcarbon_store_la_LIBADD = libcarbon-core.la $(SQLITE_LIBS) -ldl

# SQL as C strings
store_sql = accounting/store/schema-1.sql accounting/store/schema-2.sql \
	accounting/store/schema-3.sql accounting/store/schema-4.sql \
	accounting/store/schema-5.sql accounting/store/schema-6.sql \
	accounting/store/sums.sql
store_inc = $(store_sql:.sql=.inc)
SUFFIXES = .sql .inc
EXTRA_DIST += $(store_sql)
CLEANFILES += $(store_inc)
$(libcarbon_store_la_OBJECTS): $(store_inc)
.sql.inc:
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@.tmp && mv $@.tmp $@
