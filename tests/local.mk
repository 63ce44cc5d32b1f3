# tests
if HAVE_CMOCKA
include tests/unit/local.mk
include tests/unit/carbon.mk
include tests/unit/meter.mk
include tests/unit/sensors.mk
include tests/unit/sacct.mk
include tests/unit/inventory.mk
include tests/unit/grid.mk
include tests/unit/factors.mk
include tests/unit/web.mk
include tests/harness/local.mk
include tests/property/local.mk
endif
include tests/cli/local.mk
include tests/slurm/local.mk
include tests/fake/local.mk
include tests/fuzz/local.mk
