# tests/packages: of built packages, as root; scripts/check runs them, make check does not
EXTRA_DIST += tests/packages/boot tests/packages/booted.sh tests/packages/helper.bash \
	tests/packages/quickstart.bats tests/packages/quickstart.sh \
	tests/packages/debian.bats tests/packages/rpm.bats
