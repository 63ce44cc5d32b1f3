#include "spank/edge.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "spank/mark_dir.h"

int edge_open(struct edge *edge, enum mark_edge which, const char *node,
              const struct settings *settings, struct gather_zones *zones, struct error *err)
{
    int dir_fd = mark_dir_open(settings->mark_dir, err);

    if (dir_fd < 0)
        return dir_fd;
    edge->dir_fd = dir_fd;
    edge->mark.edge = which;
    edge->count = gather_readings(settings->sensor_root, zones, &edge->mark, edge->readings);
    memcpy(edge->mark.node, node, strlen(node) + 1);
    if (!*edge->mark.boot_id) /* an end has its begin's */
        clock_boot_id(edge->mark.boot_id);
    return 0;
}

static int write_mark(const struct edge *edge)
{
    char text[MARK_SIZE_MAX], name[MARK_NAME_SIZE];
    struct buf buf;

    buf_init_fixed(&buf, text, sizeof(text));
    mark_write(&buf, &edge->mark, edge->readings, edge->count);
    if (buf_failed(&buf))
        return -EMSGSIZE;
    mark_file_name(&edge->mark, name);
    return file_write_atomic(edge->dir_fd, name, buf.data, buf.len, 0600, 0);
}

int edge_close(struct edge *edge, struct error *err)
{
    int rc = write_mark(edge);

    edge_drop(edge);
    return rc < 0 ? error_set_errno(err, rc, "cannot write into MarkDir") : 0;
}

void edge_drop(struct edge *edge)
{
    close(edge->dir_fd);
}
