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
volatile bool fake_in_hook;
bool (*fake_fails)(const char *callee);

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

static bool fails(const char *callee)
{
    return fake_fails && fake_fails(callee);
}

static spank_err_t get_item(spank_item_t item, void *ret)
{
    switch (item) {
    case S_JOB_ID:
        return give_u32(ret, fake_step.job_id);
    case S_JOB_STEPID:
        return give_u32(ret, fake_step.step_id);
    case S_JOB_UID: /* uid_t and gid_t are 32 bits wide */
        return give_u32(ret, fake_step.uid);
    case S_JOB_GID:
        return give_u32(ret, fake_step.gid);
    case S_JOB_ARRAY_ID:
        return give_u32(ret, fake_step.array_job_id);
    case S_JOB_ARRAY_TASK_ID:
        return give_u32(ret, fake_step.array_task_id);
    case S_JOB_ALLOC_CORES:
        return give_text(ret, fake_step.job_cores);
    case S_STEP_ALLOC_CORES:
        return give_text(ret, fake_step.step_cores);
    case S_TASK_EXIT_STATUS:
        return give_u32(ret, (uint32_t)fake_task_status);
    case S_JOB_ALLOC_MEM:
        *(uint64_t *)ret = fake_step.memory_mb;
        return ESPANK_SUCCESS;
    default:
        return ESPANK_BAD_ARG;
    }
}

/* Slurm answers in the job's context only, and of the step only slurmstepd knows. */
spank_err_t spank_get_item(spank_t spank, spank_item_t item, ...)
{
    va_list ap;
    void *ret;

    (void)spank;
    va_start(ap, item);
    ret = va_arg(ap, void *);
    va_end(ap);
    if (fails("spank_get_item") || fake_step.refuse_all)
        return ESPANK_ERROR;
    return fake_context == S_CTX_REMOTE ? get_item(item, ret) : ESPANK_NOT_REMOTE;
}

spank_err_t spank_getenv(spank_t spank, const char *var, char *buf, int len)
{
    size_t var_len = strlen(var);

    (void)spank;
    if (fails("spank_getenv") || fake_step.refuse_all || !fake_step.environment)
        return ESPANK_ENV_NOEXIST;
    if (fake_context != S_CTX_REMOTE)
        return ESPANK_NOT_REMOTE;
    for (const char *const *entry = fake_step.environment; *entry; entry++)
        if (strncmp(*entry, var, var_len) == 0 && (*entry)[var_len] == '=')
            return snprintf(buf, (size_t)len, "%s", *entry + var_len + 1) >= len ? ESPANK_NOSPACE
                                                                                 : ESPANK_SUCCESS;
    return ESPANK_ENV_NOEXIST;
}

spank_context_t spank_context(void)
{
    return fails("spank_context") ? S_CTX_ERROR : fake_context;
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
    int ac = 0, rc;

    snprintf(symbol, sizeof(symbol), "slurm_spank_%s", hook);
    *(void **)&function = dlsym(plugin, symbol);
    if (!function)
        return 0; /* a hook that is not there does nothing */
    while (argv[ac])
        ac++;
    fake_in_hook = true;
    rc = function(NULL, ac, (char **)argv);
    fake_in_hook = false;
    return rc;
}
