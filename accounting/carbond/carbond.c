/*
 * carbond - the door to the books: answers sacct-carbon and sreport-carbon on machines that cannot
 * read the database, and takes batches of nodes that share no file system with it
 *
 * Options, sockets, signals. What comes in is door.c's. It stays in the foreground and logs to
 * stderr, as carbon-meterd does.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "carbond/door.h"
#include "carbond/intake.h"
#include "cli/options.h"
#include "cli/plainf.h"
#include "core/address.h"
#include "core/parse.h"

#define BACKLOG 512

enum { OPT_LISTEN = 256, OPT_SOCKET, OPT_TOOLS, OPT_DEADLINE };

static const struct cli_option option_table[] = {
    { 'c', "config", "FILE", "instead of carbon.conf" },
    { OPT_LISTEN, "listen", "ADDRESS", "on the network, at this address alone, ADDRESS:PORT; else, "
      "where Carbond names a host, at its port on all addresses" },
    { OPT_SOCKET, "socket", "PATH", "for this machine, here; else Carbond, where it is a path, or "
      CARBOND_SOCKET },
    { OPT_DEADLINE, "deadline", "SECONDS", "a question may take so long, 1 to 60; else 60" },
    { OPT_TOOLS, "tools", "DIR", "where sacct-carbon and sreport-carbon are; else where they were "
      "installed" },
    { 'V', "version", NULL, "print the version" },
    { 'h', "help", NULL, "print this" },
    { 0, NULL, NULL, NULL },
};

struct carbond {
    const char *config, *listen, *socket;
    struct queries_options queries;
    struct conf conf;
    char conf_path[PATH_MAX];
    char socket_path[sizeof(((struct address *)0)->path)];
    struct house house;
    struct door *network, *local;
    int stop[2]; /* a pipe whose writer is closed when all is to end */
};

/* --- options ---------------------------------------------------------------------------------- */

static int print_help(void)
{
    struct buf buf;

    buf_init(&buf);
    buf_printf(&buf, "Usage: carbond [OPTION]...\n\n"
                     "Answers sacct-carbon and sreport-carbon for machines that cannot read the "
                     "database, and takes\nbatches of nodes. It stays in the foreground.\n\n");
    cli_options_help(option_table, &buf);
    buf_printf(&buf, "\nEnvironment: SLURM_CARBON_CONF.\n");
    plainf("%s", buf.data ? buf.data : "");
    buf_free(&buf);
    return 1;
}

static int take_option(void *context, const struct cli_option *option, const char *value,
                       struct error *err)
{
    struct carbond *d = context;
    uint32_t seconds;

    if (!option)
        return error_set(err, -EINVAL, "unexpected argument \"%.40s\"; see --help", value);
    switch (option->code) {
    case 'c':
        d->config = value;
        return 0;
    case OPT_LISTEN:
        d->listen = value;
        return 0;
    case OPT_SOCKET:
        d->socket = value;
        return 0;
    case OPT_TOOLS:
        d->queries.tools_dir = value;
        return 0;
    case OPT_DEADLINE:
        if (parse_u32(value, 1, QUERY_DEADLINE_S, &seconds) < 0)
            return error_set(err, -EINVAL, "--deadline: \"%.20s\": write 1 to %d", value,
                             QUERY_DEADLINE_S);
        d->queries.deadline_s = seconds;
        return 0;
    case 'V':
        plainf("carbond (slurm-carbon) " PACKAGE_VERSION "\n");
        return 1;
    default:
        return print_help();
    }
}

/* --- sockets ---------------------------------------------------------------------------------- */

static int listen_on(int family, const struct sockaddr *address, socklen_t size)
{
    int off = 0, on = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, address, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    off = -errno;
    close(fd);
    return off;
}

static void tell_port(int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0 &&
        getnameinfo((const struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        fplainf(stderr, "carbond: listening on %s port %s\n", host, port);
}

/* The first address that can be bound; all of IPv6 are all of IPv4, too, where both are there. */
static int open_network(const char *host, const char *port, struct error *err)
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found), fd = -EADDRNOTAVAIL;

    if (code != 0)
        return error_set(err, -EINVAL, "cannot listen on %s: %s", host ? host : "any address",
                         gai_strerror(code));
    for (int family = AF_INET6; fd < 0 && family; family = family == AF_INET6 ? AF_INET : 0)
        for (const struct addrinfo *at = found; fd < 0 && at; at = at->ai_next)
            if (at->ai_family == family)
                fd = listen_on(family, at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    if (fd < 0)
        return error_set_errno(err, fd, "cannot listen on %s port %s", host ? host : "any address",
                               port);
    tell_port(fd);
    return fd;
}

/* One that nobody listens on is of a carbond that was killed. */
static int remove_stale(const struct sockaddr_un *address, struct error *err)
{
    struct stat st;
    int fd;

    if (lstat(address->sun_path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, -EEXIST, "%s is there, and no socket", address->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
        close(fd);
        return error_set(err, -EADDRINUSE, "another carbond listens on %s", address->sun_path);
    }
    if (fd >= 0)
        close(fd);
    unlink(address->sun_path);
    return 0;
}

static int open_socket(const char *path, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd, rc;

    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(err, -EINVAL, "--socket: %.40s... is longer than a socket's path can be",
                         path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    rc = remove_stale(&address, err);
    if (rc < 0)
        return rc;
    fd = listen_on(AF_UNIX, (const struct sockaddr *)&address, sizeof(address));
    if (fd < 0 || chmod(path, 0666) < 0) /* who may ask what is decided by who asks */
        return error_set_errno(err, fd < 0 ? fd : -errno, "cannot listen on the socket %s", path);
    fplainf(stderr, "carbond: listening on %s\n", path);
    return fd;
}

static int open_doors(struct carbond *d, struct error *err)
{
    struct address address = { .port = CARBOND_PORT };
    const char *named = d->listen ? d->listen : d->conf.carbond, *host = NULL;
    const char *path = d->socket ? d->socket : CARBOND_SOCKET;
    int fd, rc = named[0] ? address_parse(named, &address, err) : 0;

    if (rc < 0)
        return error_prefix(err, rc, d->listen ? "--listen" : "Carbond");
    if (!d->socket && !d->listen && address.path[0])
        path = address.path;
    if (d->listen && address.path[0])
        return error_set(err, -EINVAL, "--listen is of the network: write --socket=%s", d->listen);
    fd = open_socket(path, err);
    if (fd < 0)
        return fd;
    snprintf(d->socket_path, sizeof(d->socket_path), "%s", path);
    d->local = door_open(&d->house, fd, true);
    if (d->listen)
        host = address.host;
    if (d->local && !address.host[0])
        return 0;
    fd = open_network(host, address.port, err);
    if (fd < 0)
        return fd;
    d->network = door_open(&d->house, fd, false);
    return d->network && d->local ? 0 : error_set(err, -ENOMEM, "cannot start libmicrohttpd");
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Each connection has a descriptor, and each answer two files or more. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* if not, the supervisor's limit is what there is */
    }
}

static int start(struct carbond *d, struct error *err)
{
    int rc;

    conf_find(d->config, d->conf_path);
    rc = conf_load(d->conf_path, "", &d->conf, NULL, err);
    if (rc < 0)
        return rc;
    d->queries.conf_path = d->conf_path;
    if (pipe2(d->stop, O_CLOEXEC) < 0)
        return error_set_errno(err, -errno, "cannot make a pipe");
    d->queries.stop_fd = d->stop[0];
    d->house = (struct house){ &d->conf, queries_new(&d->queries), roles_new() };
    if (!d->house.queries || !d->house.roles)
        return error_set(err, -ENOMEM, "no memory");
    intake_clean(d->conf.deliver_dir);
    return open_doors(d, err);
}

/* Until SIGTERM; connections whose time is over are ended meanwhile. */
static void serve(const struct carbond *d, const sigset_t *signals)
{
    const struct timespec second = { .tv_sec = 1 };

    while (sigtimedwait(signals, NULL, &second) < 0) {
        door_sweep(d->local);
        if (d->network)
            door_sweep(d->network);
    }
}

static void end(struct carbond *d)
{
    close(d->stop[1]);
    if (d->socket_path[0])
        unlink(d->socket_path);
    door_close(d->network);
    door_close(d->local);
    queries_free(d->house.queries);
    roles_free(d->house.roles);
    close(d->stop[0]);
}

int main(int argc, char **argv)
{
    static struct carbond d = { .stop = { -1, -1 } };
    struct error err = { "" };
    sigset_t signals;
    int rc;

    d.queries = (struct queries_options){ .tools_dir = BINDIR, .deadline_s = QUERY_DEADLINE_S };
    rc = cli_options_walk(option_table, argc, argv, take_option, &d, &err);
    if (rc > 0)
        return EXIT_SUCCESS;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before there are threads */
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stderr, NULL, _IOLBF, 0);
    raise_file_limit();
    if (rc == 0)
        rc = start(&d, &err);
    if (rc < 0)
        fplainf(stderr, "carbond: error: %s\n", err.text);
    else
        serve(&d, &signals);
    end(&d);
    return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
