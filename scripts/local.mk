# scripts
EXTRA_DIST += scripts/check scripts/check-style scripts/cluster scripts/deps
