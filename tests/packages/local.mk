# tests/packages: of built packages, as root; scripts/check runs them, make check does not
EXTRA_DIST += tests/packages/boot tests/packages/booted.sh \
	tests/packages/debian.bats tests/packages/rpm.bats
