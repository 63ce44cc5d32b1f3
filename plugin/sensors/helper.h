/*
 * helper.h - a process of its own for a source whose readings may hang, crash or bring a library
 *
 * The helper finds its source's counters and then reads all that are in use each time it is asked.
 * Its parent never waits for it beyond what it chooses to. One that leaves a question unanswered
 * for HELPER_DEADLINE_NS is killed and started anew, after a pause that doubles up to
 * HELPER_PAUSE_MAX_NS while that does not help; so is one that died, and one that says itself that
 * a fresh one is needed (sensor_source.read()'s -ERESTART). It ends with its parent, and no earlier
 * for a signal that asks for it: systemd sends those to all of a service at once, and the meter
 * reads once more before it ends.
 *
 * One that was started anew takes up the counters that it finds again; what it finds besides is
 * not used. For those that are gone it is started anew every HELPER_PAUSE_MAX_NS; when all of them
 * are, after the same pause as one that died.
 *
 * What a helper holds: its end of a socket, the root directory, standard error. No lock, no spool.
 */
#ifndef CARBON_SENSORS_HELPER_H
#define CARBON_SENSORS_HELPER_H

#include "sensors/source.h"

#define HELPER_FIND_NS (30 * NS_PER_S)     /* a driver may have to start eight GPUs first */
#define HELPER_DEADLINE_NS (15 * NS_PER_S) /* three times what the slowest controllers take */
#define HELPER_PAUSE_NS (5 * NS_PER_S)
#define HELPER_PAUSE_MAX_NS (300 * NS_PER_S)

struct helper;

/* Start finding. options must live on. 0, -ENOMEM or fork()'s errno. */
MUST_CHECK int helper_start(const struct sensor_source *source,
                            const struct sensor_options *options, struct helper **ret_helper);

/*
 * Wait for what it finds until until_ns (CLOCK_BOOTTIME; fair is HELPER_FIND_NS from its start),
 * and offer that to `sensors`: as sensor_source.find(), with -ETIMEDOUT and -ECHILD (died) besides.
 */
MUST_CHECK int helper_find(struct helper *helper, struct sensors *sensors, uint64_t until_ns,
                           struct error *err);

/* Which slots of `sensors` are its: sets their states' helper. 0 or -ENOMEM. */
MUST_CHECK int helper_adopt(struct helper *helper, struct sensors *sensors);

/* Ask for a reading of every counter in use, unless it has not answered the last time. */
void helper_ask(struct helper *helper, uint64_t now_ns);

/*
 * Take what it has answered by until_ns (CLOCK_BOOTTIME) into the states' `own`. A counter that it
 * said nothing of since the last call has -ETIMEDOUT there, or -ECHILD while there is no helper;
 * one that was not found again -ENODEV.
 * One that was late already is not waited for.
 */
void helper_take(struct helper *helper, struct sensors *sensors, uint64_t until_ns);

/* Stop and reap it; one that cannot be killed is left to init. Takes NULL, returns NULL. */
struct helper *helper_stop(struct helper *helper);

const struct sensor_source *helper_source(const struct helper *helper);

#endif
