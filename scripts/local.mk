# scripts
EXTRA_DIST += scripts/cluster scripts/deps
