# unit tests of the sensors of real machines

# AMD and Intel GPUs
check_PROGRAMS += tests/unit/test_gpu_metrics
TESTS += tests/unit/test_gpu_metrics
tests_unit_test_gpu_metrics_SOURCES = tests/unit/test_gpu_metrics.c tests/unit/metrics.c \
	tests/unit/metrics.h
tests_unit_test_gpu_metrics_CPPFLAGS = $(unit_cppflags)
tests_unit_test_gpu_metrics_CFLAGS = $(unit_cflags)
tests_unit_test_gpu_metrics_LDADD = libcarbon-sensors.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_gpu_sysfs
TESTS += tests/unit/test_gpu_sysfs
tests_unit_test_gpu_sysfs_SOURCES = tests/unit/test_gpu_sysfs.c tests/unit/metrics.c \
	tests/unit/metrics.h $(tree_sources)
tests_unit_test_gpu_sysfs_CPPFLAGS = $(unit_cppflags)
tests_unit_test_gpu_sysfs_CFLAGS = $(unit_cflags)
tests_unit_test_gpu_sysfs_LDADD = libcarbon-sensors.la $(CMOCKA_LIBS)
