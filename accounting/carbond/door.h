/*
 * door.h - where questions and batches come in: HTTP on the network or on a socket
 *
 * A thread serves each connection, which has one request and a deadline for each part of it. On the
 * network every message is sealed by MUNGE (seal.h); on the socket the kernel says who is there.
 * Nothing of a request is kept beyond the bounds of piece.h before it is known whose it is.
 */
#ifndef CARBON_CARBOND_DOOR_H
#define CARBON_CARBOND_DOOR_H

#include <stdbool.h>

#include "carbond/queries.h"
#include "cli/roles.h"
#include "core/conf.h"

#define DOOR_CONNECTIONS_MAX 512
#define DOOR_PER_ADDRESS_MAX 256   /* of one address of the network; of one user on the socket */
#define DOOR_IDLE_S 10             /* without a byte */
#define DOOR_ASK_S 15              /* until it is known who asks, and what */
#define DOOR_BATCH_S 60            /* until a batch is whole */
#define DOOR_ANSWER_S 120          /* until an answer is taken */

/* What all doors share; const while there is one. */
struct house {
    const struct conf *conf;
    struct queries *queries;
    struct roles *roles;
};

struct door;

/* listen_fd is the door's from then on. NULL: no thread or no memory. */
struct door *door_open(const struct house *house, int listen_fd, bool is_socket);

/* End connections whose time is over; to be called each second. */
void door_sweep(struct door *door);

/* End all that is under way: its questions first, by their stop_fd. Takes NULL. */
void door_close(struct door *door);

#endif
