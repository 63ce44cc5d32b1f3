# scripts
EXTRA_DIST += \
	scripts/bench-meter \
	scripts/bench-query scripts/bench-report scripts/bench-scale \
	scripts/bench-step \
	scripts/check \
	scripts/check-style \
	scripts/cluster \
	scripts/demo scripts/demo-year \
	scripts/deps \
	scripts/fuzz \
	scripts/site

# units of systemd, what their timers run, and the user and directories that they need
units = scripts/systemd/carbon-meterd.service scripts/systemd/carbon-ingest.service \
	scripts/systemd/carbon-report.service scripts/systemd/carbon-backup.service \
	scripts/systemd/carbon-reconcile.service
if WITH_CARBOND
units += scripts/systemd/carbond.service
endif
timers = scripts/systemd/carbon-report.timer scripts/systemd/carbon-backup.timer \
	scripts/systemd/carbon-reconcile.timer
chores = scripts/systemd/monthly-report scripts/systemd/daily-backup
sysusers = scripts/systemd/sysusers.d/slurm-carbon.conf
tmpfiles = scripts/systemd/tmpfiles.d/slurm-carbon-node.conf \
	scripts/systemd/tmpfiles.d/slurm-carbon-server.conf
EXTRA_DIST += scripts/systemd/carbon-meterd.service.in scripts/systemd/carbon-ingest.service.in \
	scripts/systemd/carbon-report.service.in scripts/systemd/carbon-backup.service.in \
	scripts/systemd/carbon-reconcile.service.in scripts/systemd/carbond.service.in \
	$(timers) $(chores) $(sysusers) $(tmpfiles)
check_DATA = $(units)
CLEANFILES += $(units)
choredir = $(libexecdir)/slurm-carbon
if WITH_SYSTEMD
systemdsystemunit_DATA = $(units) $(timers)
chore_SCRIPTS = $(chores)
sysusers_DATA = $(sysusers)
tmpfiles_DATA = $(tmpfiles)
endif
# for slurm.conf
epilogdir = $(choredir)
nodist_epilog_SCRIPTS = scripts/task-epilog
EXTRA_DIST += scripts/task-epilog.in
CLEANFILES += scripts/task-epilog
scripts/task-epilog $(units): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(SED) -e 's,[@]bindir@,$(bindir),' -e 's,[@]sbindir@,$(sbindir),' \
		-e 's,[@]libexecdir@,$(libexecdir),' -e 's,[@]docdir@,$(docdir),' $< >$@

# for Grafana, whose two kinds of data source take the same SQL told in two ways, and Prometheus
grafanadir = $(pkgdatadir)/grafana
dist_grafana_DATA = scripts/grafana/slurm-carbon.json
nodist_grafana_DATA = scripts/grafana/slurm-carbon-postgresql.json
CLEANFILES += $(nodist_grafana_DATA)
prometheusdir = $(pkgdatadir)/prometheus
dist_prometheus_DATA = scripts/prometheus/slurm-carbon.rules.yml
$(nodist_grafana_DATA): scripts/grafana/slurm-carbon.json Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(SED) -e 's/frser-sqlite-datasource/grafana-postgresql-datasource/g' \
		-e '/"queryText": /d' -e 's/"rawQueryText": /"rawSql": /' \
		-e 's/"queryType": "table"/"editorMode": "code", "rawQuery": true/' \
		-e 's/"timeColumns": \[\]/"format": "table"/' \
		-e 's/"timeColumns": \["time"\]/"format": "time_series"/' \
		$(top_srcdir)/scripts/grafana/slurm-carbon.json >$@

# packages of distributions
EXTRA_DIST += scripts/packages/build scripts/packages/rpm-macros scripts/packages/slurm-carbon.spec \
	scripts/packages/plugstack.conf.d/carbon.conf scripts/packages/debian/control.in \
	scripts/packages/debian/copyright scripts/packages/debian/rules \
	scripts/packages/debian/slurm-carbon-carbond.install \
	scripts/packages/debian/slurm-carbon-carbond.prerm \
	scripts/packages/debian/slurm-carbon-doc.install \
	scripts/packages/debian/slurm-carbon-node.install \
	scripts/packages/debian/slurm-carbon-node.postrm \
	scripts/packages/debian/slurm-carbon-node.prerm \
	scripts/packages/debian/slurm-carbon-server.install \
	scripts/packages/debian/slurm-carbon-server.postrm \
	scripts/packages/debian/slurm-carbon-server.prerm \
	scripts/packages/debian/slurm-carbon-spank.examples \
	scripts/packages/debian/slurm-carbon-spank.install \
	scripts/packages/debian/slurm-carbon-tools.install \
	scripts/packages/spack/repo.yaml scripts/packages/spack/packages/libcsv/package.py \
	scripts/packages/spack/packages/slurm-carbon/package.py

# completions: bash finds them by the name of the command, so one file has four names
bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions
fishcompletiondir = $(datadir)/fish/vendor_completions.d
dist_bashcompletion_DATA = scripts/completion/bash/sacct-carbon
dist_zshcompletion_DATA = scripts/completion/zsh/_sacct-carbon \
	scripts/completion/zsh/_sreport-carbon scripts/completion/zsh/_carbonctl \
	scripts/completion/zsh/_carbon-meterd scripts/completion/zsh/_carbond
dist_fishcompletion_DATA = scripts/completion/fish/sacct-carbon.fish \
	scripts/completion/fish/sreport-carbon.fish scripts/completion/fish/carbonctl.fish \
	scripts/completion/fish/carbon-meterd.fish scripts/completion/fish/carbond.fish
bash_links = sreport-carbon carbonctl carbon-meterd carbond
install-data-hook:
	cd $(DESTDIR)$(bashcompletiondir) && for name in $(bash_links); do \
		rm -f $$name && $(LN_S) sacct-carbon $$name || exit 1; done
uninstall-hook:
	cd $(DESTDIR)$(bashcompletiondir) 2>/dev/null && rm -f $(bash_links) || :
