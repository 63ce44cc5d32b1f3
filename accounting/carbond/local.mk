# carbond: the only door to the books that is on a network, and what asks it or delivers to it
if WITH_CARBOND
carbondlibexecdir = $(libexecdir)/slurm-carbon
carbondlibexec_PROGRAMS = carbon-ask carbon-deliver
sbin_PROGRAMS += carbond
noinst_LTLIBRARIES += libcarbon-carbond.la
endif

libcarbon_carbond_la_SOURCES = \
	accounting/carbond/piece.c accounting/carbond/piece.h \
	accounting/carbond/question.c accounting/carbond/question.h \
	accounting/carbond/seal.c accounting/carbond/seal.h
libcarbon_carbond_la_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS) $(CURL_CFLAGS) $(MUNGE_CFLAGS) \
	$(JANSSON_CFLAGS) -pthread
carbond_libraries = libcarbon-carbond.la libcarbon-cli.la libcarbon-report.la libcarbon-carbon.la \
	libcarbon-store.la libcarbon-core.la $(JANSSON_LIBS) -lpthread

carbond_SOURCES = accounting/carbond/carbond.c \
	accounting/carbond/door.c accounting/carbond/door.h \
	accounting/carbond/intake.c accounting/carbond/intake.h \
	accounting/carbond/queries.c accounting/carbond/queries.h
carbond_CFLAGS = $(libcarbon_carbond_la_CFLAGS)
carbond_LDADD = $(carbond_libraries) $(MICROHTTPD_LIBS) $(MUNGE_LIBS)

carbon_ask_SOURCES = accounting/carbond/carbon_ask.c \
	accounting/carbond/post.c accounting/carbond/post.h
carbon_ask_CFLAGS = $(libcarbon_carbond_la_CFLAGS)
carbon_ask_LDADD = $(carbond_libraries) $(CURL_LIBS) $(MUNGE_LIBS)

carbon_deliver_SOURCES = accounting/carbond/carbon_deliver.c \
	accounting/carbond/post.c accounting/carbond/post.h
carbon_deliver_CFLAGS = $(libcarbon_carbond_la_CFLAGS)
carbon_deliver_LDADD = $(carbond_libraries) $(CURL_LIBS) $(MUNGE_LIBS)
