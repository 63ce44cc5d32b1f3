/* Where a step's CPU time is counted, from /proc/self/cgroup as slurmstepd shows it */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "spank/step_cgroup.h"
#include "tree.h"

static void the_steps_cgroup_is_found_from_slurmstepds(void **state)
{
    static const struct {
        const char *text;
        uint32_t step_id;
        const char *expected; /* NULL: -ENOENT */
    } rows[] = {
        /* 22.05, v1, at init_post_opt: only freezer knows the job */
        { "6:freezer:/slurm_n1/uid_0/job_7\n2:cpuacct:/\n1:name=systemd:/\n0::/\n", 0,
          "cpuacct:/slurm_n1/uid_0/job_7/step_0" },
        { "6:freezer:/slurm/uid_0/job_7\n2:cpu,cpuacct:/\n", STEP_BATCH,
          "cpuacct:/slurm/uid_0/job_7/step_batch" },
        { "2:cpuacct,cpu:/system.slice/slurmd.service\n6:freezer:/slurm/uid_0/job_7\n", STEP_EXTERN,
          "cpuacct:/slurm/uid_0/job_7/step_extern" },
        { "6:freezer:/slurm/uid_0/job_7\n2:cpuacct:/\n", STEP_INTERACTIVE,
          "cpuacct:/slurm/uid_0/job_7/step_interactive" },
        /* a slurmstepd that is in its step's own directory */
        { "6:freezer:/slurm/uid_0/job_7/step_3\n2:cpuacct:/\n", 3,
          "cpuacct:/slurm/uid_0/job_7/step_3" },
        { "2:cpuacct:/slurm/uid_0/job_7/step_3/task_0\n6:freezer:/other\n", 3,
          "cpuacct:/slurm/uid_0/job_7/step_3" },
        /* v2, with job ids and with the SLUIDs of 26.05 */
        { "0::/system.slice/slurmstepd.scope/job_7/step_0/slurm\n", 0,
          "unified:/system.slice/slurmstepd.scope/job_7/step_0" },
        { "0::/system.slice/n1_slurmstepd.scope/s0ABCDEFGHJKMN/step_batch/slurm\n", STEP_BATCH,
          "unified:/system.slice/n1_slurmstepd.scope/s0ABCDEFGHJKMN/step_batch" },
        { "0::/system.slice/slurmstepd.scope/job_7/step_extern", STEP_EXTERN,
          "unified:/system.slice/slurmstepd.scope/job_7/step_extern" },
        /* no proctrack/cgroup */
        { "6:freezer:/\n2:cpuacct:/\n0::/\n", 0, NULL },
        { "0::/system.slice/slurmd.service\n", 0, NULL },
        /* v2 is not where CPU time is counted while cpuacct is mounted */
        { "2:cpuacct:/\n0::/x/job_7/step_0\n", 0, NULL },
        { "6:freezer:/slurm/uid_0/job_7\n", 0, NULL },
        { "", 0, NULL },
        { "nonsense\n::\n", 0, NULL },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char text[512], cgroup[CGROUP_PATH_SIZE] = "untouched";
        int rc;

        snprintf(text, sizeof(text), "%s", rows[i].text);
        rc = step_cgroup_find(text, rows[i].step_id, cgroup);
        ROW_HOLDS(i, rc == (rows[i].expected ? 0 : -ENOENT));
        ROW_HOLDS(i, strcmp(cgroup, rows[i].expected ? rows[i].expected : "untouched") == 0);
    }
}

static void a_path_too_long_for_a_mark_is_refused(void **state)
{
    char text[2 * CGROUP_PATH_SIZE], cgroup[CGROUP_PATH_SIZE] = "untouched";

    (void)state;
    snprintf(text, sizeof(text), "0::/%0*d/job_7/step_0/slurm\n", CGROUP_PATH_SIZE, 0);
    assert_int_equal(step_cgroup_find(text, 0, cgroup), -ENAMETOOLONG);
    assert_string_equal(cgroup, "untouched");
}

static void cpu_time_is_read_from_either_version(void **state)
{
    struct tree tree;
    uint64_t cpu_ns = 0;

    (void)state;
    tree_make(&tree);
    tree_write(&tree, "cpuacct/slurm/job_7/step_0/cpuacct.usage", "126788831\n");
    tree_write(&tree, "scope/job_7/step_0/cpu.stat",
               "usage_usec 4100210\nuser_usec 4000000\nsystem_usec 100210\n");
    tree_write(&tree, "scope/odd/cpu.stat", "user_usec 1\n");
    assert_int_equal(step_cgroup_cpu_ns(tree.path, "cpuacct:/slurm/job_7/step_0", &cpu_ns), 0);
    assert_int_equal(cpu_ns, 126788831);
    assert_int_equal(step_cgroup_cpu_ns(tree.path, "unified:/scope/job_7/step_0", &cpu_ns), 0);
    assert_int_equal(cpu_ns, UINT64_C(4100210000));
    assert_int_equal(step_cgroup_cpu_ns(tree.path, "unified:/scope/gone", &cpu_ns), -ENOENT);
    assert_int_equal(step_cgroup_cpu_ns(tree.path, "unified:/scope/odd", &cpu_ns), -EBADMSG);
    assert_int_equal(step_cgroup_cpu_ns(tree.path, "memory:/scope", &cpu_ns), -EINVAL);
    assert_int_equal(cpu_ns, UINT64_C(4100210000));
    tree_free(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_steps_cgroup_is_found_from_slurmstepds),
        cmocka_unit_test(a_path_too_long_for_a_mark_is_refused),
        cmocka_unit_test(cpu_time_is_read_from_either_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
