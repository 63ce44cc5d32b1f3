/*
 * What is linked with a fuzz target instead of libFuzzer: every file of its corpus goes through it.
 * `fuzz_NAME FILE...` replays these files alone.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "fuzz.h"

#define SIZE_MAX_BYTES ((size_t)1 << 20)

/* The log's last line names the file at which the program ended. */
static void replay(int dir_fd, const char *file)
{
    struct error err = { "" };
    char *data;
    size_t size;

    printf("# %s\n", file);
    fflush(stdout);
    if (file_read(dir_fd, file, SIZE_MAX_BYTES, &data, &size, &err) < 0) {
        printf("not ok 1 %s\n", err.text);
        exit(1);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)data, size);
    free(data);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_all(const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, is_input, alphasort);
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < count; i++) {
        replay(dir_fd, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    if (dir_fd >= 0)
        close(dir_fd);
    return count;
}

int main(int argc, char **argv)
{
    const char *top = getenv("top_srcdir"), *name = argv[0];
    char dir[PATH_MAX];
    int count;

    for (int i = 1; i < argc; i++)
        replay(AT_FDCWD, argv[i]);
    if (argc > 1)
        return 0;
    for (const char *at = name; (at = strstr(at, "fuzz_")) != NULL; name = at)
        at += strlen("fuzz_");
    snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
    count = replay_all(dir);
    if (count > 0)
        printf("ok 1 %s: %d inputs\n", name, count);
    else
        printf("not ok 1 %s: no inputs in %s\n", name, dir);
    return count > 0 ? 0 : 1;
}
