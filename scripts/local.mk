# scripts
EXTRA_DIST += \
	scripts/bench-meter \
	scripts/bench-query scripts/bench-report \
	scripts/bench-step \
	scripts/check \
	scripts/check-style \
	scripts/cluster \
	scripts/demo scripts/demo-year \
	scripts/deps \
	scripts/fuzz \
	scripts/site

# units of systemd, and the user and directories that they need
units = scripts/systemd/carbon-meterd.service scripts/systemd/carbon-ingest.service
EXTRA_DIST += scripts/systemd/carbon-meterd.service.in scripts/systemd/carbon-ingest.service.in \
	scripts/systemd/sysusers.d/slurm-carbon.conf scripts/systemd/tmpfiles.d/slurm-carbon.conf
check_DATA = $(units)
CLEANFILES += $(units)
if WITH_SYSTEMD
systemdsystemunit_DATA = $(units)
sysusers_DATA = scripts/systemd/sysusers.d/slurm-carbon.conf
tmpfiles_DATA = scripts/systemd/tmpfiles.d/slurm-carbon.conf
endif
$(units): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(SED) -e 's,[@]sbindir@,$(sbindir),' -e 's,[@]docdir@,$(docdir),' $< >$@
