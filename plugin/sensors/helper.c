#include "config.h"

#include "sensors/helper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/parse.h"

/* More counters than any node has: 16 GPUs of 8 slices, 16 dies, and room. */
#define COUNTERS_MAX 256

enum message_type { FOUND, LEFT_OUT, END, USE, READ, READINGS };

struct answer {
    uint32_t index;
    int32_t code;
    uint64_t raw_uj, at_ns, cost_ns;
};

/* One packet. Only as much of the union as its type needs is sent. */
struct message {
    uint32_t type;
    uint32_t count; /* of answers or used */
    union {
        struct sensor_slot slot;          /* FOUND */
        struct sensor_left_out left_out;  /* LEFT_OUT */
        struct {
            int32_t rc;
            struct error err;
        } end;                            /* END: of finding */
        uint8_t used[COUNTERS_MAX];       /* USE: which are to be read */
        struct answer answers[COUNTERS_MAX]; /* READINGS */
    };
};

enum life { FINDING, READY, KILLED, DEAD };

struct helper {
    const struct sensor_source *source;
    const struct sensor_options *options;
    pid_t pid;
    int fd;
    enum life life;
    uint64_t since_ns;      /* FINDING: began; DEAD: not to be started anew before */
    uint64_t pause_ns;
    bool asked, late;       /* a question is open; one was when the last should have been asked */
    uint64_t asked_ns;
    struct sensors found;   /* while FINDING, and until adopted */
    int found_rc;
    struct error found_err;
    int down_code;          /* of readings while it is not READY */
    bool misses;            /* READY, and not all that it is to read was found again … */
    uint64_t again_ns;      /* … so it is started anew after this; 0: not set yet */
    int32_t *map;           /* [n_map]: slot of its counter, or -1 */
    size_t n_map;
};

static size_t head_size(void)
{
    return offsetof(struct message, slot);
}

/* --- in the helper --------------------------------------------------------------------------- */

static bool put(int fd, const struct message *message, size_t size)
{
    ssize_t sent;

    do {
        sent = send(fd, message, head_size() + size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)(head_size() + size);
}

/* Locks, the spool and the like are the meter's: a helper that hangs must not keep them. */
static void close_others(int keep_a, int keep_b)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    uint32_t fd;

    while (dir && (entry = readdir(dir)))
        if (parse_u32(entry->d_name, 3, INT32_MAX, &fd) == 0 && (int)fd != keep_a &&
            (int)fd != keep_b && (int)fd != dirfd(dir))
            close((int)fd);
    if (dir)
        closedir(dir);
}

static void become_helper(const struct sensor_source *source, pid_t parent, int fd, int root_fd)
{
    /* what a terminal or systemd sends to all of a service: the parent says when it ends */
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char name[16];
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    snprintf(name, sizeof(name), "carbon-%s", source->name);
    prctl(PR_SET_NAME, name);
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
    close_others(fd, root_fd);
}

static bool tell_found(int fd, const struct sensors *list, int rc, const struct error *err)
{
    static struct message message;

    for (size_t i = 0; i < list->n_slots && i < COUNTERS_MAX; i++) {
        message = (struct message){ .type = FOUND, .slot = list->slots[i] };
        if (!put(fd, &message, sizeof(message.slot)))
            return false;
    }
    for (size_t i = 0; i < list->n_left_out; i++) {
        message = (struct message){ .type = LEFT_OUT, .left_out = list->left_out[i] };
        if (!put(fd, &message, sizeof(message.left_out)))
            return false;
    }
    message = (struct message){ .type = END, .end = { rc, *err } };
    return put(fd, &message, sizeof(message.end));
}

/* Whether to begin anew, which only another process can. */
static bool read_one(struct sensors *list, uint32_t index, struct answer *ret_answer)
{
    struct sensor_slot *slot = &list->slots[index];
    uint64_t before_ns = clock_boottime_ns();

    *ret_answer = (struct answer){ .index = index };
    ret_answer->code = slot->source->read(list, slot, &ret_answer->raw_uj);
    ret_answer->cost_ns = clock_boottime_ns() - before_ns;
    ret_answer->at_ns = before_ns + ret_answer->cost_ns / 2;
    if (ret_answer->code != -ERESTART)
        return false;
    ret_answer->code = -ENODEV;
    return true;
}

static void __attribute__((noreturn)) run_helper(const struct helper *helper, pid_t parent, int fd)
{
    static struct message question, answer;
    struct sensors list = { .options = *helper->options, .raw_list = true };
    struct error err = { "" };
    uint8_t used[COUNTERS_MAX] = { 0 };
    bool anew = false;
    int rc;

    become_helper(helper->source, parent, fd, list.options.root_fd);
    rc = helper->source->find(&list, &err);
    if (!tell_found(fd, &list, rc, &err))
        _exit(1);
    while (recv(fd, &question, sizeof(question), 0) > 0) {
        if (question.type == USE) {
            memcpy(used, question.used, sizeof(used));
            continue;
        }
        answer.type = READINGS;
        answer.count = 0;
        for (uint32_t i = 0; i < list.n_slots && i < COUNTERS_MAX; i++)
            if (used[i])
                anew |= read_one(&list, i, &answer.answers[answer.count++]);
        if (!put(fd, &answer, answer.count * sizeof(answer.answers[0])) || anew)
            break;
    }
    _exit(0);
}

/* --- starting and ending --------------------------------------------------------------------- */

static int start(struct helper *helper, uint64_t now_ns)
{
    pid_t parent = getpid();
    int fds[2], rc = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    helper->pid = fork();
    if (helper->pid == 0)
        run_helper(helper, parent, fds[1]);
    if (helper->pid < 0) {
        rc = -errno;
        close(fds[0]);
        helper->pid = 0;
    } else {
        helper->fd = fds[0];
        helper->life = FINDING;
        helper->since_ns = now_ns;
        helper->asked = helper->late = false;
        sensors_clear(&helper->found);
        helper->found.raw_list = true;
    }
    close(fds[1]);
    return rc;
}

int helper_start(const struct sensor_source *source, const struct sensor_options *options,
                 struct helper **ret_helper)
{
    struct helper *helper = calloc(1, sizeof(*helper));
    int rc;

    if (!helper)
        return -ENOMEM;
    helper->source = source;
    helper->options = options;
    helper->pause_ns = HELPER_PAUSE_NS;
    helper->down_code = -ECHILD;
    helper->fd = -1;
    rc = start(helper, clock_boottime_ns());
    if (rc < 0)
        free(helper);
    else
        *ret_helper = helper;
    return rc;
}

/* Once it is gone it is started anew, after a pause. One in the kernel's hands may take long. */
static void kill_for(struct helper *helper, int down_code)
{
    kill(helper->pid, SIGKILL);
    if (helper->fd >= 0)
        close(helper->fd);
    helper->fd = -1;
    helper->life = KILLED;
    helper->asked = false;
    helper->down_code = down_code;
}

static void kill_it(struct helper *helper)
{
    kill_for(helper, -ECHILD);
}

static void reap(struct helper *helper, uint64_t now_ns)
{
    if (helper->life != KILLED || waitpid(helper->pid, NULL, WNOHANG) == 0)
        return;
    helper->pid = 0;
    helper->life = DEAD;
    helper->since_ns = now_ns + helper->pause_ns;
    helper->pause_ns *= 2;
    if (helper->pause_ns > HELPER_PAUSE_MAX_NS)
        helper->pause_ns = HELPER_PAUSE_MAX_NS;
}

struct helper *helper_stop(struct helper *helper)
{
    if (!helper)
        return NULL;
    if (helper->life == FINDING || helper->life == READY)
        kill_it(helper);
    for (int i = 0; i < 100 && helper->life == KILLED; i++) {
        reap(helper, 0);
        if (helper->life == KILLED)
            poll(NULL, 0, 1);
    }
    sensors_clear(&helper->found);
    free(helper->map);
    free(helper);
    return NULL;
}

const struct sensor_source *helper_source(const struct helper *helper)
{
    return helper->source;
}

/* --- what it says ---------------------------------------------------------------------------- */

static int note_found(struct helper *helper, const struct message *message)
{
    struct sensor_slot slot;

    if (message->type == LEFT_OUT)
        return sensors_leave_out(&helper->found, message->left_out.source,
                                 message->left_out.reason);
    if (message->type == FOUND) {
        slot = message->slot;
        slot.fd = -1; /* the helper's, as all that its source has opened */
        slot.elsewhere = true;
        return sensors_offer(&helper->found, &slot);
    }
    helper->found_rc = message->end.rc;
    helper->found_err = message->end.err;
    helper->life = READY;
    return 0;
}

/* Take one packet, if there is one: 1, 0 or a negative errno; -ECHILD when it died. */
static int take_packet(struct helper *helper, struct message *ret_message)
{
    ssize_t got;
    int rc;

    if (helper->fd < 0)
        return -ECHILD;
    do {
        got = recv(helper->fd, ret_message, sizeof(*ret_message), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (got < (ssize_t)head_size()) {
        kill_it(helper);
        return -ECHILD;
    }
    if (helper->life == FINDING) {
        rc = note_found(helper, ret_message);
        return rc < 0 ? rc : 1;
    }
    return 1;
}

static void wait_until(const struct helper *helper, uint64_t until_ns)
{
    struct pollfd fd = { helper->fd, POLLIN, 0 };
    uint64_t now_ns = clock_boottime_ns();
    struct timespec span = { 0 };

    if (until_ns > now_ns) {
        span.tv_sec = (time_t)((until_ns - now_ns) / NS_PER_S);
        span.tv_nsec = (long)((until_ns - now_ns) % NS_PER_S);
    }
    (void)ppoll(&fd, 1, &span, NULL);
}

int helper_find(struct helper *helper, struct sensors *sensors, uint64_t until_ns,
                struct error *err)
{
    static struct message message;
    int rc = 0;

    while (helper->life == FINDING && rc >= 0) {
        wait_until(helper, until_ns);
        rc = take_packet(helper, &message);
        if (rc == 0 && clock_boottime_ns() >= until_ns)
            return error_set(err, -ETIMEDOUT, "it did not answer within %u s",
                             (unsigned)(HELPER_FIND_NS / NS_PER_S));
    }
    if (rc == -ECHILD)
        return error_set(err, rc, "the process that looked for it died");
    if (rc == -ENOMEM)
        return rc;
    for (size_t i = 0; i < helper->found.n_left_out; i++)
        if (sensors_leave_out(sensors, helper->found.left_out[i].source,
                              helper->found.left_out[i].reason) < 0)
            return -ENOMEM;
    for (size_t i = 0; i < helper->found.n_slots; i++)
        if (sensors_offer(sensors, &helper->found.slots[i]) < 0)
            return -ENOMEM;
    if (helper->found_rc < 0)
        return error_set(err, helper->found_rc, "%s", helper->found_err.text);
    return helper->found_rc;
}

/*
 * The same thing as before. What is numbered, as RAPL's zones are, may be another package's after
 * its driver was loaded anew; a device's name is its own, and its place may move when one is gone.
 */
static bool is_same(const struct sensor_slot *slot, const struct sensor_slot *found)
{
    bool is_package = found->part == PART_PACKAGE || found->part == PART_DRAM;

    return slot->source == found->source && slot->part == found->part &&
           strcmp(slot->counter.source, found->counter.source) == 0 &&
           slot->counter.range_uj == found->counter.range_uj &&
           (!is_package || slot->counter.domain == found->counter.domain);
}

static int find_slot(const struct sensors *sensors, const struct sensor_slot *found)
{
    for (size_t i = 0; i < sensors->n_slots; i++)
        if (is_same(&sensors->slots[i], found))
            return (int)i;
    return -1;
}

int helper_adopt(struct helper *helper, struct sensors *sensors)
{
    static struct message message;
    size_t count = helper->found.n_slots;
    int32_t *map = calloc(count + 1, sizeof(*map));
    bool any = false;

    if (!map)
        return -ENOMEM;
    for (size_t i = 0; i < sensors->n_slots; i++)
        if (sensors->states[i].helper == helper)
            sensors->states[i].gone = true;
    message = (struct message){ .type = USE, .count = (uint32_t)count };
    for (size_t i = 0; i < count && i < COUNTERS_MAX; i++) {
        map[i] = find_slot(sensors, &helper->found.slots[i]);
        message.used[i] = map[i] >= 0;
        if (map[i] >= 0) {
            sensors->states[map[i]].helper = helper;
            sensors->states[map[i]].gone = false;
            any = true;
        }
    }
    helper->misses = false;
    for (size_t i = 0; i < sensors->n_slots; i++)
        helper->misses |= sensors->states[i].helper == helper && sensors->states[i].gone;
    helper->again_ns = 0;
    free(helper->map);
    helper->map = map;
    helper->n_map = count;
    sensors_clear(&helper->found);
    if (!any)
        kill_for(helper, -ENODEV); /* the next one looks again */
    else if (send(helper->fd, &message, head_size() + sizeof(message.used),
                  MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        kill_it(helper);
    return 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* Whether it is time to look for what was not found again, by another one. */
static bool is_to_look_again(struct helper *helper, uint64_t now_ns)
{
    if (!helper->misses || helper->asked)
        return false;
    if (!helper->again_ns)
        helper->again_ns = now_ns + HELPER_PAUSE_MAX_NS;
    return now_ns >= helper->again_ns;
}

void helper_ask(struct helper *helper, uint64_t now_ns)
{
    const struct message question = { .type = READ };

    reap(helper, now_ns);
    if (helper->life == DEAD && now_ns >= helper->since_ns && start(helper, now_ns) < 0)
        helper->since_ns = now_ns + helper->pause_ns;
    if (helper->life == FINDING && now_ns > helper->since_ns + HELPER_FIND_NS)
        kill_it(helper);
    if (helper->life != READY)
        return;
    helper->late = helper->asked;
    if ((helper->asked && now_ns > helper->asked_ns + HELPER_DEADLINE_NS) ||
        is_to_look_again(helper, now_ns)) {
        kill_it(helper);
    } else if (!helper->asked) {
        helper->asked = true;
        helper->asked_ns = now_ns;
        if (send(helper->fd, &question, head_size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            kill_it(helper);
    }
}

static void note_readings(struct helper *helper, struct sensors *sensors,
                          const struct message *message)
{
    for (uint32_t i = 0; i < message->count && i < COUNTERS_MAX; i++) {
        const struct answer *answer = &message->answers[i];
        int32_t slot = answer->index < helper->n_map ? helper->map[answer->index] : -1;

        if (slot >= 0)
            sensors->states[slot].own = (struct sensor_reading){
                answer->code, answer->raw_uj, answer->at_ns, answer->cost_ns };
    }
    helper->asked = false;
    helper->pause_ns = HELPER_PAUSE_NS;
}

static void forget_readings(const struct helper *helper, struct sensors *sensors)
{
    int code = helper->life == READY ? -ETIMEDOUT : helper->down_code;

    for (size_t i = 0; i < sensors->n_slots; i++)
        if (sensors->states[i].helper == helper)
            sensors->states[i].own.code = sensors->states[i].gone ? -ENODEV : code;
}

void helper_take(struct helper *helper, struct sensors *sensors, uint64_t until_ns)
{
    static struct message message;
    bool may_wait = helper->asked && !helper->late;
    int rc;

    forget_readings(helper, sensors);
    do {
        rc = take_packet(helper, &message);
        if (rc == 0 && may_wait && helper->asked) {
            wait_until(helper, until_ns);
            rc = take_packet(helper, &message);
        }
        if (rc == 1 && message.type == READINGS)
            note_readings(helper, sensors, &message);
        else if (rc == 1 && message.type == END)
            rc = helper_adopt(helper, sensors) < 0 ? -ENOMEM : 1;
    } while (rc == 1 && (helper->asked || helper->life != READY)); /* else that was all it has */
}
