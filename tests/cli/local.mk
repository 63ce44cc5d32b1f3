# tests/cli
TESTS += tests/cli/spank_symbols.bats
EXTRA_DIST += tests/cli/spank_symbols.bats
TESTS += tests/cli/carbonctl.bats tests/cli/ingest_kill.bats
EXTRA_DIST += tests/cli/carbonctl.bats tests/cli/ingest_kill.bats
