/*
 * tree.h - small directory trees for tests: a fake root with sys/ and proc/ in a temporary folder;
 * and the descriptors that this process has open
 */
#ifndef CARBON_TESTS_TREE_H
#define CARBON_TESTS_TREE_H

#include <limits.h>
#include <stddef.h>

struct tree {
    char path[PATH_MAX];
    int fd; /* of the directory */
};

/* A new empty directory, mode 0755, below TMPDIR or /tmp. Any failure ends the test program. */
void tree_make(struct tree *tree);
/* Write a file (or replace what it holds), with the directories above it. */
void tree_write(struct tree *tree, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for bytes. */
void tree_write_bytes(struct tree *tree, const char *file, const void *bytes, size_t size);
void tree_mkdir(struct tree *tree, const char *dir); /* with those above it */
void tree_link(struct tree *tree, const char *name, const char *target);
/* Remove a file, or a directory with all below it. */
void tree_remove(struct tree *tree, const char *name);
void tree_free(struct tree *tree); /* removes everything */

/* cmocka's setup and teardown of a test whose state is a tree. */
int tree_setup(void **state);
int tree_teardown(void **state);

/* Open descriptors, and those of them that a program started from here would inherit. */
struct fd_count {
    int all, inherited;
};
struct fd_count count_fds(void);

#endif
