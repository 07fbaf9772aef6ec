/*
 * fdstore - connections that the service manager keeps while we are away
 * (FDSTORE=1 of sd_notify(3), FileDescriptorStoreMax= of systemd.service(5)).
 *
 * Leaving, each connection and one file with where they stand (lib/handover)
 * are given to the manager, which hands them to the next process together with
 * the sockets of the socket units. The kernel receives for them meanwhile. If
 * there is no next process, the manager closes them.
 */
#ifndef SEPMLOGD_FDSTORE_H
#define SEPMLOGD_FDSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handover.h"

/* --- leaving --- */

/*
 * Does a manager keep descriptors for us? No variable tells that before
 * systemd 254, so one is given to it and looked after: waits for its answer,
 * two seconds at most.
 */
bool fdstore_offered(void);

/* What is to be given. */
struct fdstore;

/* NULL and errno. */
struct fdstore *fdstore_new(void);
/*
 * Adds a connection and where it stands; sets state->cookie. Borrows `fd`
 * until fdstore_give. False: this one cannot go over.
 */
bool fdstore_add(struct fdstore *store, int fd, struct handover_conn *state);
/*
 * Gives all of it to the manager and waits until it has it, ten seconds at
 * most. False: it did not keep all, and has been told to drop the rest.
 */
bool fdstore_give(struct fdstore *store);
void fdstore_free(struct fdstore *store);

/* --- arriving --- */

/* What the process before us left with the manager. Zero it first. */
struct fdstore_kept {
	int *sockets; /* with connections and states waiting in them */
	size_t socket_count;
	int *conns;
	size_t conn_count;
	int *files; /* with states; more than one cannot be told apart */
	size_t file_count;
	size_t unknown; /* what another version left; closed */
	bool cut;       /* some could not be received */

	void *map;
	size_t map_size;
	struct handover_conn *states;
	size_t state_count;
};

/* Of the descriptors that are handed over at start: takes this one if its name
 * says that it is of ours. False: it is not. Out of memory it is closed. */
bool fdstore_collect(struct fdstore_kept *kept, int fd, const char *name);

/*
 * Takes the connections: if this process ends now, they do. Reads where they
 * stand, and points `state` of fdstore_state into it. NULL,
 * or what is wrong with it, to be logged; what could be read is there even so.
 */
const char *fdstore_read(struct fdstore_kept *kept);

/* The state of the connection; NULL: not known. */
const struct handover_conn *fdstore_state(
    const struct fdstore_kept *kept, int fd);

/* All are ours now: the manager closes what it kept. */
void fdstore_forget(void);

/* Frees it and closes the files; connections must have been taken. */
void fdstore_clear(struct fdstore_kept *kept);

#endif
