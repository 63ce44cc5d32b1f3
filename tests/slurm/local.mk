# tests/slurm: on a real Slurm, as root; scripts/check runs them, make check does not
EXTRA_DIST += \
	tests/slurm/array.bats \
	tests/slurm/bench.bats \
	tests/slurm/dbd.bats \
	tests/slurm/energy.bats \
	tests/slurm/faults.bats \
	tests/slurm/gpu.bats \
	tests/slurm/helper.bash \
	tests/slurm/life.bats \
	tests/slurm/marks.bats \
	tests/slurm/task_epilog.bats
