# tests/cli
TESTS += tests/cli/spank_symbols.bats
EXTRA_DIST += tests/cli/spank_symbols.bats
TESTS += tests/cli/carbonctl.bats tests/cli/ingest_kill.bats
EXTRA_DIST += tests/cli/carbonctl.bats tests/cli/ingest_kill.bats
TESTS += tests/cli/inventory.bats
EXTRA_DIST += tests/cli/inventory.bats tests/data/hwloc/epyc-8xa100.xml \
	tests/data/hwloc/gh200.xml tests/data/hwloc/vm.xml tests/data/hwloc/xeon-cpu.xml
TESTS += tests/cli/sacct_carbon.bats
EXTRA_DIST += tests/cli/sacct_carbon.bats tests/cli/sacct_fixture.sh \
	tests/golden/sacct-carbon-card.txt tests/golden/sacct-carbon-card-gap.txt \
	tests/golden/sacct-carbon-card-running.txt tests/golden/sacct-carbon-table.txt \
	tests/golden/sacct-carbon.json
TESTS += tests/cli/factors.bats
EXTRA_DIST += tests/cli/factors.bats
TESTS += tests/cli/grid.bats
EXTRA_DIST += tests/cli/grid.bats
TESTS += tests/cli/docs.bats
EXTRA_DIST += tests/cli/docs.bats tests/data/bloom/bloom.spec tests/data/bloom/carbon.conf \
	tests/data/bloom/inventory.conf
TESTS += tests/cli/sacct_profile.bats tests/cli/sacct_footprint.bats
EXTRA_DIST += tests/cli/sacct_profile.bats tests/cli/sacct_footprint.bats tests/cli/profile_fixture.sh \
	tests/golden/profile-200.txt tests/golden/profile-200-n1.txt tests/golden/profile-201.txt \
	tests/golden/profile-202.txt tests/golden/profile-200.svg
TESTS += tests/cli/sreport_carbon.bats
EXTRA_DIST += tests/cli/sreport_carbon.bats tests/cli/sreport_fixture.sh \
	tests/golden/sreport-carbon.txt
TESTS += tests/cli/report_html.bats
EXTRA_DIST += tests/cli/report_html.bats tests/cli/page_probe.html
TESTS += tests/cli/sensors.bats
EXTRA_DIST += tests/cli/sensors.bats
TESTS += tests/cli/rights.bats
EXTRA_DIST += tests/cli/rights.bats
TESTS += tests/cli/repair.bats tests/cli/clusters.bats
EXTRA_DIST += tests/cli/repair.bats tests/cli/clusters.bats
TESTS += tests/cli/hostile_names.bats
EXTRA_DIST += tests/cli/hostile_names.bats tests/cli/hostile_names.py
TESTS += tests/cli/manual.bats
EXTRA_DIST += tests/cli/manual.bats tests/cli/complete.zsh
TESTS += tests/cli/reconcile.bats
EXTRA_DIST += tests/cli/reconcile.bats
TESTS += tests/cli/doctor.bats
EXTRA_DIST += tests/cli/doctor.bats
TESTS += tests/cli/backfill.bats
EXTRA_DIST += tests/cli/backfill.bats
TESTS += tests/cli/metrics.bats
EXTRA_DIST += tests/cli/metrics.bats
TESTS += tests/cli/dashboard.bats
EXTRA_DIST += tests/cli/dashboard.bats tests/cli/dashboard.py tests/cli/postgresql.sh
TESTS += tests/cli/budgets.bats
EXTRA_DIST += tests/cli/budgets.bats tests/golden/sreport-carbon-budget.txt \
	tests/golden/sacct-carbon-budgets.txt
TESTS += tests/cli/export.bats
EXTRA_DIST += tests/cli/export.bats tests/golden/export.csv tests/golden/export.jsonl
TESTS += tests/cli/compare.bats
EXTRA_DIST += tests/cli/compare.bats tests/golden/compare.txt
EXTRA_DIST += tests/cli/docs_elsewhere.txt tests/cli/users_fixture.sh
TESTS += tests/cli/visibility.bats
EXTRA_DIST += tests/cli/visibility.bats
TESTS += tests/cli/postgres.bats tests/cli/retention.bats
EXTRA_DIST += tests/cli/postgres.bats tests/cli/retention.bats
TESTS += tests/cli/scale.bats
EXTRA_DIST += tests/cli/scale.bats
TESTS += tests/cli/migrate.bats
EXTRA_DIST += tests/cli/migrate.bats
TESTS += tests/cli/carbond.bats tests/cli/carbond_deliver.bats
EXTRA_DIST += tests/cli/carbond.bats tests/cli/carbond_deliver.bats tests/cli/carbond_fixture.sh \
	tests/cli/carbond_slow.py
