# what sources of energy readings share: their processes, gauges, the table of what counts
sensor_unit_ldadd = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_helper tests/unit/test_gauge
TESTS += tests/unit/test_helper tests/unit/test_gauge
tests_unit_test_helper_SOURCES = tests/unit/test_helper.c $(tree_sources)
tests_unit_test_helper_CFLAGS = $(unit_cflags)
tests_unit_test_helper_LDADD = $(sensor_unit_ldadd)
tests_unit_test_gauge_SOURCES = tests/unit/test_gauge.c
tests_unit_test_gauge_CFLAGS = $(unit_cflags)
tests_unit_test_gauge_LDADD = $(sensor_unit_ldadd)

# unit tests of the kinds of sensor
check_PROGRAMS += tests/unit/test_nvml
TESTS += tests/unit/test_nvml
tests_unit_test_nvml_SOURCES = tests/unit/test_nvml.c \
	tests/unit/machine.c tests/unit/machine.h $(tree_sources)
tests_unit_test_nvml_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_nvml_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
EXTRA_tests_unit_test_nvml_DEPENDENCIES = \
	tests/fake/nvml/libnvidia-ml.la tests/fake/nvml_old/libnvidia-ml.la

# sensors of boards and registers: grace, cray, perf
board_rig_sources = tests/unit/board_rig.c tests/unit/board_rig.h \
	tests/unit/machine.c tests/unit/machine.h $(tree_sources)
board_ldadd = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
board_unit_tests = tests/unit/test_grace tests/unit/test_cray tests/unit/test_perf
check_PROGRAMS += $(board_unit_tests)
TESTS += $(board_unit_tests)
tests_unit_test_grace_SOURCES = tests/unit/test_grace.c $(board_rig_sources)
tests_unit_test_grace_CPPFLAGS = $(unit_cppflags)
tests_unit_test_grace_CFLAGS = $(unit_cflags)
tests_unit_test_grace_LDADD = $(board_ldadd)
tests_unit_test_cray_SOURCES = tests/unit/test_cray.c $(board_rig_sources)
tests_unit_test_cray_CPPFLAGS = $(unit_cppflags)
tests_unit_test_cray_CFLAGS = $(unit_cflags)
tests_unit_test_cray_LDADD = $(board_ldadd)
perf_kernel_sources = tests/unit/perf_kernel.c tests/unit/perf_kernel.h
tests_unit_test_perf_SOURCES = tests/unit/test_perf.c $(perf_kernel_sources) $(board_rig_sources)
tests_unit_test_perf_CPPFLAGS = $(unit_cppflags)
tests_unit_test_perf_CFLAGS = $(unit_cflags)
tests_unit_test_perf_LDADD = $(board_ldadd)

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

check_PROGRAMS += tests/unit/test_rules
TESTS += tests/unit/test_rules
tests_unit_test_rules_SOURCES = tests/unit/test_rules.c
tests_unit_test_rules_CFLAGS = $(unit_cflags)
tests_unit_test_rules_LDADD = $(sensor_unit_ldadd)

# a BMC behind a FreeIPMI of our own, found by LD_LIBRARY_PATH
check_LTLIBRARIES += tests/fake/ipmi/libfreeipmi.la
tests_fake_ipmi_libfreeipmi_la_SOURCES = tests/fake/fake_freeipmi.c
tests_fake_ipmi_libfreeipmi_la_CFLAGS = $(AM_CFLAGS)
tests_fake_ipmi_libfreeipmi_la_LDFLAGS = $(AM_LDFLAGS) -shared -version-info 17:0:0 -rpath /nowhere
check_PROGRAMS += tests/unit/test_ipmi
TESTS += tests/unit/test_ipmi
tests_unit_test_ipmi_SOURCES = tests/unit/test_ipmi.c tests/unit/machine.c tests/unit/machine.h \
	$(tree_sources)
tests_unit_test_ipmi_CPPFLAGS = $(unit_cppflags) \
	-DFAKE_IPMI_LIBRARIES='"$(abs_builddir)/tests/fake/ipmi/.libs"'
tests_unit_test_ipmi_CFLAGS = $(unit_cflags) $(HWLOC_CFLAGS)
tests_unit_test_ipmi_LDADD = $(sensor_unit_ldadd)
EXTRA_tests_unit_test_ipmi_DEPENDENCIES = tests/fake/ipmi/libfreeipmi.la

# every kind of sensor and every fault, through the ledger
check_PROGRAMS += tests/unit/test_faults
TESTS += tests/unit/test_faults
tests_unit_test_faults_SOURCES = tests/unit/test_faults.c $(perf_kernel_sources) \
	$(board_rig_sources) tests/unit/metrics.c tests/unit/metrics.h
tests_unit_test_faults_CPPFLAGS = $(unit_cppflags) \
	-DFAKE_NVML_LIBRARY='"$(abs_builddir)/tests/fake/nvml/.libs/libnvidia-ml.so.1"' \
	-DFAKE_IPMI_LIBRARY='"$(abs_builddir)/tests/fake/ipmi/.libs/libfreeipmi.so.17"'
tests_unit_test_faults_CFLAGS = $(unit_cflags)
tests_unit_test_faults_LDADD = libcarbon-ledger.la $(board_ldadd)
EXTRA_tests_unit_test_faults_DEPENDENCIES = tests/fake/nvml/libnvidia-ml.la \
	tests/fake/ipmi/libfreeipmi.la

check_PROGRAMS += tests/unit/test_power_models
TESTS += tests/unit/test_power_models
tests_unit_test_power_models_SOURCES = tests/unit/test_power_models.c tests/unit/machine.c \
	tests/unit/machine.h $(tree_sources)
tests_unit_test_power_models_CPPFLAGS = $(unit_cppflags)
tests_unit_test_power_models_CFLAGS = $(unit_cflags) $(HWLOC_CFLAGS)
tests_unit_test_power_models_LDADD = $(sensor_unit_ldadd)

# machines that are replayed from captures, and captures themselves
check_PROGRAMS += tests/machines/test_machines
TESTS += tests/machines/test_machines
EXTRA_DIST += $(machines:=.capture) $(machines:=.expect)
tests_machines_test_machines_SOURCES = tests/machines/test_machines.c $(tree_sources)
tests_machines_test_machines_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_machines_test_machines_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -pthread
tests_machines_test_machines_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
EXTRA_tests_machines_test_machines_DEPENDENCIES = tests/fake/nvml/libnvidia-ml.la \
	tests/fake/ipmi/libfreeipmi.la
check_PROGRAMS += tests/unit/test_capture
TESTS += tests/unit/test_capture
tests_unit_test_capture_SOURCES = tests/unit/test_capture.c $(tree_sources)
tests_unit_test_capture_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_capture_LDADD = libcarbon-sensors.la libcarbon-core.la $(CMOCKA_LIBS)
machines = \
	tests/machines/a100-mig \
	tests/machines/a100-no-driver \
	tests/machines/a100x8 \
	tests/machines/cray-ex \
	tests/machines/epyc-7003 \
	tests/machines/epyc-9004 \
	tests/machines/epyc-mirrored-dies \
	tests/machines/gh200 \
	tests/machines/granite-rapids-tpmi \
	tests/machines/h100x8 \
	tests/machines/hybrid-laptop \
	tests/machines/icelake \
	tests/machines/mi250x \
	tests/machines/mi300x \
	tests/machines/pvc \
	tests/machines/sapphire-rapids-old-kernel \
	tests/machines/skylake \
	tests/machines/vm
