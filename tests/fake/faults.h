/*
 * faults.h - the Nth call to the kernel or for memory fails, kills, or takes the power away; or the
 * Nth to a server
 *
 * faults.c stands in the place of libc's calls that change or open files, and of malloc() where no
 * sanitizer has it. A unit test links it and arms it in a child; libfaults.so is preloaded into a
 * program and takes the same from its environment:
 *
 *   FAULT=kill|short|EIO|ENOSPC|EDQUOT|EINTR|EACCES|ENOMEM   FAULT_AT=N (1, 2, …)
 *   FAULT_FOR=TIMES (1; 0: for ever)   FAULT_BELOW=DIR   FAULT_HIT=FILE (made when it strikes)
 *
 * Counted are calls on files below DIR: openat, write, fsync, ftruncate, rename, unlink, mkdir;
 * with ENOMEM all calls for memory instead, and with `sockets` send and recv, of which one that
 * fails breaks the connection for both its ends.
 *
 * Power loss: with a mirror (FAULT_MIRROR=DIR, an empty directory on another path of the same file
 * system) the mirror's tree/ holds what the disk would have if the power went now: a file as of its
 * last fsync(), and of a directory the names of its last fsync(). With FAULT_NAMES=1 names are
 * there at once and only contents wait, as journals of metadata have it: a file that was renamed
 * without being synced is then empty.
 */
#ifndef CARBON_TESTS_FAULTS_H
#define CARBON_TESTS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_KILL (-1)  /* SIGKILL before the call */
#define FAULT_SHORT (-2) /* a write takes half of what it is given; other calls are not counted */
#define FAULT_STOP (-3)  /* SIGSTOP before the call, which does what it is to do after SIGCONT */

struct faults {
    int fault;          /* an errno, or one of those above; 0: none, calls are counted */
    uint64_t at;        /* from this call on … */
    uint64_t times;     /* … so many; 0: for ever */
    const char *below;  /* a directory's real path, "" for all; must live on */
    const char *mirror; /* or NULL */
    bool names;         /* in the mirror names are there at once */
    bool sockets;       /* calls on sockets instead; `below` is NULL */
};

/* Calls are counted from here on, those of children that are forked with them. */
void faults_arm(const struct faults *faults);
void faults_disarm(void);
void faults_pause(bool pause);   /* what the test itself does is neither counted nor failed */
bool faults_hit(void);           /* since it was armed */
uint64_t faults_calls(void);     /* that were counted since then */
bool faults_have_memory(void);   /* whether ENOMEM can be had in this build */

/* A fault, of the first call, with a name; of tables that end with a name of NULL. */
struct faults_row {
    const char *name;
    struct faults faults;
};
extern const struct faults_row faults_of_files[];  /* errnos, short writes, kill -9 */
extern const struct faults_row faults_of_power[];  /* its mirror is "": a test has one of its own */
extern const struct faults_row faults_of_memory[];

/*
 * Each fault of a table at call 1, 1 + stride, … until it does not strike, which try_once() says.
 * Aborts unless that is beyond call `at_least`, or `writes_at_least` for what only writes can have.
 */
void faults_loop(const struct faults_row *rows, uint64_t stride, uint64_t at_least,
                 uint64_t writes_at_least,
                 bool (*try_once)(const struct faults_row *row, uint64_t at));

/* Trees of this test are to be in memory: it has thousands of syncs. */
void faults_use_memory(void);

/* Take what is below `dir` now as what the disk has, into an empty mirror. */
void faults_mirror(const char *dir, const char *mirror);

#endif
