#include "unit.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "fake_slurm.h"

enum spank_context fake_context;
struct fake_step fake_step;
int fake_task_status;
unsigned fake_errors, fake_infos, fake_debugs;
char fake_last_line[1024];

static void *plugin;

static spank_err_t give_text(char **ret_text, const char *text)
{
    *ret_text = (char *)text; /* Slurm gives NULL with success where it has none */
    return ESPANK_SUCCESS;
}

static spank_err_t give_u32(uint32_t *ret_number, uint32_t number)
{
    *ret_number = number;
    return ESPANK_SUCCESS;
}

spank_err_t spank_get_item(spank_t spank, spank_item_t item, ...)
{
    spank_err_t rc = ESPANK_BAD_ARG;
    va_list ap;
    void *ret;

    (void)spank;
    va_start(ap, item);
    ret = va_arg(ap, void *);
    va_end(ap);
    if (fake_step.refuse_all)
        return ESPANK_ERROR;
    if (item == S_JOB_ID)
        rc = give_u32(ret, fake_step.job_id);
    else if (item == S_JOB_STEPID)
        rc = give_u32(ret, fake_step.step_id);
    else if (item == S_JOB_UID)
        rc = give_u32(ret, fake_step.uid); /* uid_t and gid_t are 32 bits wide */
    else if (item == S_JOB_GID)
        rc = give_u32(ret, fake_step.gid);
    else if (item == S_JOB_ARRAY_ID)
        rc = give_u32(ret, fake_step.array_job_id);
    else if (item == S_JOB_ARRAY_TASK_ID)
        rc = give_u32(ret, fake_step.array_task_id);
    else if (item == S_JOB_ALLOC_CORES)
        rc = give_text(ret, fake_step.job_cores);
    else if (item == S_STEP_ALLOC_CORES)
        rc = give_text(ret, fake_step.step_cores);
    else if (item == S_TASK_EXIT_STATUS)
        rc = give_u32(ret, (uint32_t)fake_task_status);
    if (item == S_JOB_ALLOC_MEM) {
        *(uint64_t *)ret = fake_step.memory_mb;
        rc = ESPANK_SUCCESS;
    }
    return rc;
}

spank_err_t spank_getenv(spank_t spank, const char *var, char *buf, int len)
{
    const char *text = NULL;

    (void)spank;
    if (strcmp(var, "SLURM_STEP_GPUS") == 0)
        text = fake_step.step_gpus_env;
    else if (strcmp(var, "SLURM_JOB_GPUS") == 0)
        text = fake_step.job_gpus_env;
    if (fake_step.refuse_all || !text)
        return ESPANK_ENV_NOEXIST;
    return snprintf(buf, (size_t)len, "%s", text) >= len ? ESPANK_NOSPACE : ESPANK_SUCCESS;
}

spank_context_t spank_context(void)
{
    return fake_context;
}

static void take_line(unsigned *count, const char *format, va_list ap)
{
    (*count)++;
    vsnprintf(fake_last_line, sizeof(fake_last_line), format, ap);
}

#define FAKE_LOG(name, count)               \
    void name(const char *format, ...)      \
    {                                       \
        va_list ap;                         \
                                            \
        va_start(ap, format);               \
        take_line(&(count), format, ap);    \
        va_end(ap);                         \
    }

FAKE_LOG(slurm_error, fake_errors)
FAKE_LOG(slurm_info, fake_infos)
FAKE_LOG(slurm_debug, fake_debugs)

void fake_load(void)
{
    const char *top = getenv("top_builddir");
    char path[4096];

    snprintf(path, sizeof(path), "%s/plugin/spank/.libs/spank_carbon.so", top ? top : ".");
    plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin)
        fail_msg("%s", dlerror());
    fake_errors = fake_infos = fake_debugs = 0;
    fake_last_line[0] = '\0';
}

void fake_unload(void)
{
    assert_int_equal(dlclose(plugin), 0);
}

int fake_call(const char *hook, const char *const argv[])
{
    char symbol[64];
    spank_f *function;
    int ac = 0;

    snprintf(symbol, sizeof(symbol), "slurm_spank_%s", hook);
    *(void **)&function = dlsym(plugin, symbol);
    if (!function)
        return 0; /* a hook that is not there does nothing */
    while (argv[ac])
        ac++;
    return function(NULL, ac, (char **)argv);
}
