/*
 * faults.h - the Nth call that a hook makes of libc or of Slurm fails, or is its process's last
 *
 * A program that links faults.c defines the functions of libc that the plugin calls and that can
 * fail. It exports them, so they come before libc's for the plugin that it loads; outside of a hook
 * they only pass on. The clocks stand still, so that marks have names that a test can foresee.
 */
#ifndef CARBON_TESTS_FAULTS_H
#define CARBON_TESTS_FAULTS_H

#include <stdbool.h>

#define FAULTS_BOOTTIME_S 1000
#define FAULTS_WALL_S 1795409519

/* Instead of an errno. */
enum {
    FAULT_KILL = -1,  /* SIGKILL before the call */
    FAULT_SHORT = -2, /* read() and write() do a part; others do as they are told */
};

/* In memory that forked processes share. All 0: nothing fails. */
struct faults {
    unsigned long at; /* the call that fails, from 1; 0: none */
    bool lasting;     /* and all after it */
    int kind;         /* an errno, or of the above */
    unsigned long calls, mallocs; /* so far, by hooks */
    bool struck;
    char callee[32]; /* the first that was to fail */
};
extern struct faults *faults;

/* Before any process is forked. */
void faults_open(void);

#endif
