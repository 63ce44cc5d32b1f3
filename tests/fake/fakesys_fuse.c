/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakesys_fuse.c - the tree as a file system.
 *
 * 1. Nothing is cached: attributes and names live 0 s, files are DIRECT_IO.
 * 2. As in sysfs and proc, a read at offset 0 makes the content anew and a read
 *    further on continues that content; so pread(fd, ., ., 0) on a descriptor
 *    kept open is always a fresh reading, and read() to the end sees one.
 * 3. A slow domain keeps only its own readers waiting: the delay is slept
 *    without the lock, in a thread of its own.
 */
#define FUSE_USE_VERSION 32     /* EL8 has libfuse 3.3 */

#include "fakesys.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOISE_PERIOD_NS (50 * 1000 * 1000)
#define NAP_NS (5 * 1000 * 1000)
#define SYSFS_FILE_SIZE 4096    /* what stat() says of every sysfs file */

/* An open file: the content that its last read at offset 0 made. */
struct handle {
    pthread_mutex_t lock;
    char *text;
    size_t size;
    struct handle *next;
    struct handle *previous;
};

struct served {
    struct machine *machine;
    struct fuse_session *session;
    pthread_t main_thread;
    atomic_bool has_left_loop;
    pthread_mutex_t handles_lock;
    struct handle *handles;     /* those still open at the end are freed there */
};

static void nap(long ns)
{
    struct timespec pause = { .tv_nsec = ns };

    nanosleep(&pause, NULL);
}

static struct machine *machine_of(fuse_req_t request)
{
    const struct served *served = fuse_req_userdata(request);

    return served->machine;
}

static int node_of(fuse_ino_t inode)
{
    return (int)(inode - FUSE_ROOT_ID);
}

/* --- names and attributes ------------------------------------------------- */

static void fill_stat(const struct machine *machine, int index, struct stat *ret_status)
{
    const struct node *node = &machine->nodes[index];

    *ret_status = (struct stat){
        .st_ino = (ino_t)index + FUSE_ROOT_ID,
        .st_mode = node->mode,
        .st_nlink = 1,
        .st_uid = node->uid,
        .st_gid = node->gid,
        .st_blksize = SYSFS_FILE_SIZE,
    };
    if (S_ISREG(node->mode))
        ret_status->st_size = SYSFS_FILE_SIZE;
    if (S_ISLNK(node->mode))
        ret_status->st_size = (off_t)strlen(node->text);
}

static int find_child(const struct machine *machine, int parent, const char *name)
{
    for (int i = machine->nodes[parent].first_child; i >= 0; i = machine->nodes[i].next_sibling) {
        if (strcmp(machine->nodes[i].name, name) == 0)
            return node_is_visible(machine, i) ? i : -1;
    }
    return -1;
}

static void do_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct machine *machine = machine_of(request);
    struct fuse_entry_param entry = { 0 };
    int index;

    pthread_mutex_lock(&machine->lock);
    index = find_child(machine, node_of(parent), name);
    if (index >= 0)
        fill_stat(machine, index, &entry.attr);
    pthread_mutex_unlock(&machine->lock);
    if (index < 0) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    entry.ino = entry.attr.st_ino;
    fuse_reply_entry(request, &entry);
}

static void do_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct machine *machine = machine_of(request);
    struct stat status;

    (void)info;
    pthread_mutex_lock(&machine->lock);
    fill_stat(machine, node_of(inode), &status);
    pthread_mutex_unlock(&machine->lock);
    fuse_reply_attr(request, &status, 0);
}

/* chmod and chown work, so that a test can open energy_uj to a service user
 * as a site does; truncation is what a shell's > does to ctl first. */
static void do_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *attributes, int set,
                       struct fuse_file_info *info)
{
    struct machine *machine = machine_of(request);
    struct node *node = &machine->nodes[node_of(inode)];

    pthread_mutex_lock(&machine->lock);
    if (set & FUSE_SET_ATTR_MODE)
        node->mode = (node->mode & S_IFMT) | (attributes->st_mode & 07777);
    if (set & FUSE_SET_ATTR_UID)
        node->uid = attributes->st_uid;
    if (set & FUSE_SET_ATTR_GID)
        node->gid = attributes->st_gid;
    pthread_mutex_unlock(&machine->lock);
    do_getattr(request, inode, info);
}

static void do_readlink(fuse_req_t request, fuse_ino_t inode)
{
    fuse_reply_readlink(request, machine_of(request)->nodes[node_of(inode)].text);
}

/* Adds an entry where it fits; a listing that goes on after it starts at `next`. */
static bool add_entry(fuse_req_t request, char *buffer, size_t room, size_t *used,
                      const char *name, int index, off_t next)
{
    struct stat status;
    size_t size;

    fill_stat(machine_of(request), index, &status);
    size = fuse_add_direntry(request, buffer + *used, room - *used, name, &status, next);
    if (size > room - *used)
        return false;
    *used += size;
    return true;
}

static size_t list_directory(fuse_req_t request, int directory, char *buffer, size_t room,
                             off_t offset)
{
    const struct machine *machine = machine_of(request);
    int parent = directory > 0 ? machine->nodes[directory].parent : 0;
    size_t used = 0;
    off_t position = 2;

    if (offset < 1 && !add_entry(request, buffer, room, &used, ".", directory, 1))
        return used;
    if (offset < 2 && !add_entry(request, buffer, room, &used, "..", parent, 2))
        return used;
    for (int i = machine->nodes[directory].first_child; i >= 0;
         i = machine->nodes[i].next_sibling, position++) {
        if (position < offset || !node_is_visible(machine, i))
            continue;
        if (!add_entry(request, buffer, room, &used, machine->nodes[i].name, i, position + 1))
            break;
    }
    return used;
}

static void do_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                       struct fuse_file_info *info)
{
    struct machine *machine = machine_of(request);
    char *buffer = malloc(size);
    size_t used;

    (void)info;
    if (!buffer) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    pthread_mutex_lock(&machine->lock);
    used = list_directory(request, node_of(inode), buffer, size, offset);
    pthread_mutex_unlock(&machine->lock);
    fuse_reply_buf(request, buffer, used);
    free(buffer);
}

/* --- reading -------------------------------------------------------------- */

static struct handle *handle_new(struct served *served)
{
    struct handle *handle = calloc(1, sizeof(*handle));

    if (!handle)
        return NULL;
    pthread_mutex_init(&handle->lock, NULL);
    pthread_mutex_lock(&served->handles_lock);
    handle->next = served->handles;
    if (handle->next)
        handle->next->previous = handle;
    served->handles = handle;
    pthread_mutex_unlock(&served->handles_lock);
    return handle;
}

static void handle_free(struct served *served, struct handle *handle)
{
    pthread_mutex_lock(&served->handles_lock);
    if (handle->next)
        handle->next->previous = handle->previous;
    if (handle->previous)
        handle->previous->next = handle->next;
    else
        served->handles = handle->next;
    pthread_mutex_unlock(&served->handles_lock);
    pthread_mutex_destroy(&handle->lock);
    free(handle->text);
    free(handle);
}

static struct handle *handle_of(const struct fuse_file_info *info)
{
    return (struct handle *)(uintptr_t)info->fh;
}

static void do_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    const struct node *node = &machine_of(request)->nodes[node_of(inode)];
    struct served *served = fuse_req_userdata(request);
    struct handle *handle;

    if ((info->flags & O_ACCMODE) != O_RDONLY && !node->is_control) {
        fuse_reply_err(request, EACCES);
        return;
    }
    handle = handle_new(served);
    if (!handle) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    info->fh = (uint64_t)(uintptr_t)handle;
    info->direct_io = 1;
    if (fuse_reply_open(request, info) < 0)     /* the opener is gone: no release follows */
        handle_free(served, handle);
}

static void do_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    (void)inode;
    handle_free(fuse_req_userdata(request), handle_of(info));
    fuse_reply_err(request, 0);
}

/* Waits as long as the node's domain is told to be slow. Returns -EINTR when
 * the reader was killed or the simulation ends. */
static int wait_delay(fuse_req_t request, const struct node *node)
{
    struct served *served = fuse_req_userdata(request);
    struct machine *machine = served->machine;
    uint64_t begin_ns = boottime_ns();
    uint64_t delay_us;

    if (!node->is_reading)
        return 0;
    for (;;) {
        pthread_mutex_lock(&machine->lock);
        delay_us = machine->domains[node->arg].delay_us;
        pthread_mutex_unlock(&machine->lock);
        if (boottime_ns() - begin_ns >= delay_us * 1000)
            return 0;
        if (fuse_req_interrupted(request) || fuse_session_exited(served->session))
            return -EINTR;
        nap(NAP_NS);
    }
}

/* The content as of now; the caller frees *ret_text. 0 or a negative errno. */
static int make_content(struct machine *machine, const struct node *node, char **ret_text,
                        size_t *ret_size)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int rc = 0;

    if (!out)
        return -ENOMEM;
    pthread_mutex_lock(&machine->lock);
    if (node->show)
        rc = node->show(machine, node->arg, boottime_ns(), out);
    else if (!node_is_visible(machine, (int)(node - machine->nodes)))
        rc = -ENODEV;
    else
        fputs(node->text, out);
    pthread_mutex_unlock(&machine->lock);
    if (fclose(out) != 0 && rc == 0)
        rc = -ENOMEM;
    if (rc < 0) {
        free(text);
        return rc;
    }
    *ret_text = text;
    *ret_size = size;
    return 0;
}

static bool has_content(struct handle *handle)
{
    bool has;

    pthread_mutex_lock(&handle->lock);
    has = handle->text != NULL;
    pthread_mutex_unlock(&handle->lock);
    return has;
}

static int refresh(fuse_req_t request, const struct node *node, struct handle *handle)
{
    char *text, *old;
    size_t size;
    int rc = wait_delay(request, node);

    if (rc == 0)
        rc = make_content(machine_of(request), node, &text, &size);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&handle->lock);
    old = handle->text;
    handle->text = text;
    handle->size = size;
    pthread_mutex_unlock(&handle->lock);
    free(old);
    return 0;
}

/* A copy of what lies at offset; the caller frees *ret_copy. */
static int copy_content(struct handle *handle, off_t offset, size_t size, char **ret_copy,
                        size_t *ret_size)
{
    size_t from = (size_t)offset;
    char *copy = malloc(size > 0 ? size : 1);

    if (!copy)
        return -ENOMEM;
    pthread_mutex_lock(&handle->lock);
    if (from >= handle->size)
        size = 0;
    else if (size > handle->size - from)
        size = handle->size - from;
    if (size > 0)
        memcpy(copy, handle->text + from, size);
    pthread_mutex_unlock(&handle->lock);
    *ret_copy = copy;
    *ret_size = size;
    return 0;
}

static void do_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    const struct node *node = &machine_of(request)->nodes[node_of(inode)];
    struct handle *handle = handle_of(info);
    char *copy;
    int rc = 0;

    if (offset == 0 || !has_content(handle))
        rc = refresh(request, node, handle);
    if (rc == 0)
        rc = copy_content(handle, offset, size, &copy, &size);
    if (rc < 0) {
        fuse_reply_err(request, -rc);
        return;
    }
    /* The reader may close as soon as it is answered: the handle is not ours from here on. */
    fuse_reply_buf(request, copy, size);
    free(copy);
}

static void do_write(fuse_req_t request, fuse_ino_t inode, const char *text, size_t size,
                     off_t offset, struct fuse_file_info *info)
{
    struct machine *machine = machine_of(request);
    int rc;

    (void)inode, (void)offset, (void)info;      /* only ctl opens for writing */
    rc = control_run(machine, text, size);
    if (rc < 0)
        fuse_reply_err(request, -rc);
    else
        fuse_reply_write(request, size);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = do_lookup,
    .getattr = do_getattr,
    .setattr = do_setattr,
    .readlink = do_readlink,
    .readdir = do_readdir,
    .open = do_open,
    .release = do_release,
    .read = do_read,
    .write = do_write,
};

/* --- serving -------------------------------------------------------------- */

static void ignore_signal(int number)
{
    (void)number;
}

static void make_noise(struct machine *machine)
{
    uint64_t now_ns = change_begin(machine);

    model_noise_step(machine, now_ns);
    change_end(machine);
}

/*
 * Noise, and the end: libfuse waits for its threads in a call that misses a
 * signal which comes just before it, so the main thread is woken until it leaves.
 */
static void *attend(void *data)
{
    struct served *served = data;
    struct machine *machine = served->machine;

    while (!fuse_session_exited(served->session)) {
        if (machine->options.noise_ppm > 0 && machine->domain_count > 0)
            make_noise(machine);
        nap(NOISE_PERIOD_NS);
    }
    while (!atomic_load(&served->has_left_loop)) {
        pthread_kill(served->main_thread, SIGUSR1);
        nap(NAP_NS);
    }
    return NULL;
}

/* Signals go to the main thread only: others are started with all blocked. */
static int start_attendant(struct served *served, pthread_t *ret_thread)
{
    struct sigaction action = { .sa_handler = ignore_signal };
    sigset_t all, before;
    int rc;

    sigaction(SIGUSR1, &action, NULL);
    served->main_thread = pthread_self();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(ret_thread, NULL, attend, served);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

static int serve(struct served *served)
{
    struct fuse_loop_config config = { .clone_fd = 0, .max_idle_threads = 10 };
    pthread_t attendant;
    int rc = start_attendant(served, &attendant);

    if (rc < 0)
        return rc;
    rc = fuse_session_loop_mt(served->session, &config);
    fuse_session_exit(served->session);
    atomic_store(&served->has_left_loop, true);
    pthread_join(attendant, NULL);
    return rc < 0 ? rc : 0;
}

static int write_pid(const struct machine *machine, pid_t pid)
{
    FILE *file = fopen(machine->pid_path, "we");
    int rc = 0;

    if (!file || fprintf(file, "%d\n", (int)pid) < 0)
        rc = -errno;
    if (file && fclose(file) != 0 && rc == 0)
        rc = -errno;
    if (rc < 0)
        fprintf(stderr, "fakesys: writing %s: %s\n", machine->pid_path, strerror(-rc));
    return rc;
}

/* The parent leaves once the mount is there (it answers as soon as the child
 * serves; until then callers wait in the kernel). Returns in the child. */
static int go_to_background(const struct machine *machine)
{
    pid_t pid = fork();
    int null;

    if (pid < 0)
        return -errno;
    if (pid > 0)
        _exit(write_pid(machine, pid) < 0 ? 1 : 0);
    setsid();
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
        return -errno;
    return 0;
}

/* Between start and stop lines in the log. */
static int serve_mounted(struct served *served)
{
    struct machine *machine = served->machine;
    int rc = machine->options.daemonize ? go_to_background(machine)
                                        : write_pid(machine, getpid());
    uint64_t now_ns;

    if (rc < 0)
        return rc;
    rc = serve(served);
    now_ns = change_begin(machine);
    for (int i = 0; i < machine->domain_count; i++)
        integral_set_rate(&machine->domains[i].true_fj, 0, now_ns);
    for (int i = 0; i < machine->cpu_count; i++)
        integral_set_rate(&machine->cpus[i].busy_ppm_ns, 0, now_ns);
    truth_log_all(machine, "stop", now_ns);
    change_end(machine);
    return rc;
}

int filesystem_serve(struct machine *machine)
{
    char name[] = "fakesys", flag[] = "-o";
    char for_root[] = "fsname=fakesys,default_permissions,allow_other";
    char for_user[] = "fsname=fakesys,default_permissions";
    char *argv[] = { name, flag, geteuid() == 0 ? for_root : for_user };
    struct fuse_args arguments = FUSE_ARGS_INIT(3, argv);
    struct served served = {
        .machine = machine,
        .handles_lock = PTHREAD_MUTEX_INITIALIZER,
    };
    int rc = -EIO;

    unlink(machine->pid_path);      /* of an earlier run that was killed */
    served.session = fuse_session_new(&arguments, &operations, sizeof(operations), &served);
    if (!served.session)
        goto out;
    if (fuse_set_signal_handlers(served.session) != 0)
        goto out;
    if (fuse_session_mount(served.session, machine->options.mountpoint) == 0) {
        rc = serve_mounted(&served);
        fuse_session_unmount(served.session);
    }
    fuse_remove_signal_handlers(served.session);
out:
    if (served.session)
        fuse_session_destroy(served.session);
    while (served.handles)
        handle_free(&served, served.handles);
    unlink(machine->pid_path);
    fuse_opt_free_args(&arguments);
    return rc;
}
