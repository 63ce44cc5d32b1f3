/*
 * fake_freeipmi.c - FreeIPMI's library with a BMC made of files, for tests
 *
 * The folder FAKE_IPMI_DIR is looked at in each call: watts (none: 0), error (an error number that
 * commands fail with), gone (opening fails), inactive (it measures nothing), delay_ms, hang (no
 * answer while it is there).
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ctx {
    int errnum;
};

struct obj {
    uint64_t watts, active;
};

char tmpl_cmd_dcmi_get_power_reading_rs[64];
void *ipmi_ctx_create(void);
int ipmi_ctx_open_inband(void *ctx, int driver, int disable_auto_probe, uint16_t address,
                         uint8_t register_spacing, const char *device, unsigned workarounds,
                         unsigned flags);
int ipmi_ctx_errnum(void *ctx);
char *ipmi_ctx_errormsg(void *ctx);
void ipmi_ctx_destroy(void *ctx);
void *fiid_obj_create(void *template);
void fiid_obj_destroy(void *obj);
int fiid_obj_get(void *obj, const char *field, uint64_t *ret_value);
int ipmi_cmd_dcmi_get_power_reading(void *ctx, uint8_t mode, uint8_t attributes, void *answer);

static int look(const char *name, unsigned long *ret_value)
{
    const char *dir = getenv("FAKE_IPMI_DIR");
    char path[PATH_MAX], text[32] = "";
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir ? dir : ".", name);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (!fgets(text, sizeof(text), file))
        text[0] = '\0';
    fclose(file);
    *ret_value = strtoul(text, NULL, 10);
    return 1;
}

static void pause_ms(unsigned long ms)
{
    const struct timespec span = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

    nanosleep(&span, NULL);
}

void *ipmi_ctx_create(void)
{
    return calloc(1, sizeof(struct ctx));
}

int ipmi_ctx_open_inband(void *ctx, int driver, int disable_auto_probe, uint16_t address,
                         uint8_t register_spacing, const char *device, unsigned workarounds,
                         unsigned flags)
{
    unsigned long value;

    if (driver != 7 || disable_auto_probe || address || register_spacing || device || workarounds ||
        flags)
        ((struct ctx *)ctx)->errnum = 30;
    else if (look("gone", &value))
        ((struct ctx *)ctx)->errnum = 18;
    else
        return 0;
    return -1;
}

int ipmi_ctx_errnum(void *ctx)
{
    return ((struct ctx *)ctx)->errnum;
}

char *ipmi_ctx_errormsg(void *ctx)
{
    static char text[32];

    snprintf(text, sizeof(text), "fake error %d", ((struct ctx *)ctx)->errnum);
    return text;
}

void ipmi_ctx_destroy(void *ctx)
{
    free(ctx);
}

void *fiid_obj_create(void *template)
{
    return template == tmpl_cmd_dcmi_get_power_reading_rs ? calloc(1, sizeof(struct obj)) : NULL;
}

void fiid_obj_destroy(void *obj)
{
    free(obj);
}

int fiid_obj_get(void *obj, const char *field, uint64_t *ret_value)
{
    const struct obj *answer = obj;

    if (strcmp(field, "current_power") == 0)
        *ret_value = answer->watts;
    else if (strcmp(field, "power_reading_state.power_measurement") == 0)
        *ret_value = answer->active;
    else
        return -1;
    return 1;
}

int ipmi_cmd_dcmi_get_power_reading(void *ctx, uint8_t mode, uint8_t attributes, void *answer)
{
    struct obj *obj = answer;
    unsigned long value;

    while (look("hang", &value))
        pause_ms(5);
    if (look("delay_ms", &value))
        pause_ms(value);
    ((struct ctx *)ctx)->errnum = mode != 1 || attributes != 0 ? 30 : 0;
    if (look("error", &value))
        ((struct ctx *)ctx)->errnum = (int)value;
    if (((struct ctx *)ctx)->errnum)
        return -1;
    obj->watts = look("watts", &value) ? value : 0;
    obj->active = !look("inactive", &value);
    return 0;
}
