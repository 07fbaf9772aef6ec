/*
 * endpoint - the sockets that we listen on, handed over by the service manager
 * or bound by ourselves.
 */
#ifndef SEPMLOGD_ENDPOINT_H
#define SEPMLOGD_ENDPOINT_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config.h"
#include "fdstore.h"
#include "fill.h"
#include "tls.h"

struct endpoint {
	enum config_transport transport;
	int fd;
	bool passed; /* handed over: its queue lives on without us */
	struct sockaddr_storage address; /* as it is bound */
	char name[64];                   /* `udp [::]:514` */
	struct tls *tls;                 /* of CONFIG_TLS; held */

	/* Of the module that reads it: udp or tcp. */
	struct event event;
	void *owner;        /* NULL: not read yet */
	bool resting;       /* event not added; to be tried again */
	uint32_t drops;     /* udp: the kernel's counter when last read */
	uint64_t dropped;   /* udp: the sum, since this process reads it */
	int buffer, wanted; /* udp: bytes of its receive buffer */
	struct fill fill;   /* udp */
};

/* Endpoints are shared by the lists that name them; a list owns only itself. */
struct endpoints {
	struct endpoint **list;
	size_t count;
};

/*
 * The sockets that the service manager handed over (LISTEN_FDS); none is fine.
 * What it kept of an earlier process goes to `kept`, and the one that is named
 * `status` (FileDescriptorName= of its unit) to *status, else -1; the caller
 * closes it. False: one is of no use to us; `why` (of `size` bytes) says which.
 */
bool endpoints_passed(struct endpoints *passed, struct fdstore_kept *kept,
    int *status, char *why, size_t size);

/*
 * One for each `listen` entry, in that order: the one of `have` that is bound
 * to the same address, else a new one. What the entry says besides the address
 * is for endpoint_apply. False: one cannot be had, `why` says
 * why and what to do, and nothing is open that was not before.
 */
bool endpoints_open(struct endpoints *open, const struct config *config,
    const struct endpoints *have, char *why, size_t size);

/* From now on it is the listener of this entry, which has its address; holds
 * `tls` (NULL for others than CONFIG_TLS). */
void endpoint_apply(struct endpoint *endpoint,
    const struct config_listen *entry, struct tls *tls);

bool endpoints_hold(const struct endpoints *set, const struct endpoint *one);

/* Closes and frees those that `keep` (may be NULL) does not hold, and frees
 * the list. Their events must be gone. */
void endpoints_close(struct endpoints *set, const struct endpoints *keep);

/* The same IP address, and port? */
bool endpoint_same_address(
    const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* Can anyone but this machine reach it? */
bool endpoint_is_public(const struct endpoint *endpoint);

/* Are all of them in the network of this process? One that was handed over may
 * be in another. True if the kernel does not tell. */
bool endpoints_are_here(const struct endpoints *set);

#endif
