# tests/cli
TESTS += tests/cli/spank_symbols.bats
EXTRA_DIST += tests/cli/spank_symbols.bats
