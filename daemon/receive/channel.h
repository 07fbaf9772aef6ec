/*
 * channel - the bytes of a connection, as they come or out of TLS.
 *
 * Never waits: a call says for what the caller has to.
 */
#ifndef SEPMLOGD_CHANNEL_H
#define SEPMLOGD_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "tls.h"

struct channel {
	int fd;
	struct tls *tls; /* NULL: plain */
	SSL *session;
	bool shaken; /* the handshake is done */
	bool ended;  /* the peer has, and that is still to be said */
	bool more; /* the session may have, as nothing stopped the last read */
	bool broken; /* no close_notify can be sent */
	int reads;   /* of the socket that this call may still do */
};

enum channel_status {
	CHANNEL_DONE,
	CHANNEL_READ,    /* wait until it can be read */
	CHANNEL_WRITE,   /* wait until it can be written */
	CHANNEL_REFUSED, /* a peer that is not permitted; `why` says why */
	CHANNEL_END,     /* there is no more to come */
	CHANNEL_FAILED,  /* `why` says why */
};

enum { CHANNEL_WHY = 256 };

/* Takes over the descriptor and holds `tls` (NULL: plain). False: no memory,
 * and the descriptor is the caller's still. A channel stays where it is. */
bool channel_open(struct channel *channel, int fd, struct tls *tls);
/* Says goodbye as far as that goes at once. */
void channel_close(struct channel *channel);

/* Until it answers CHANNEL_DONE there is nothing to read; plain ones do at
 * once. */
enum channel_status channel_shake(
    struct channel *channel, char why[CHANNEL_WHY]);

/*
 * Reads *n bytes, at most `size`, one or more with CHANNEL_DONE; none while
 * the handshake is not done. `why` is empty unless the session has failed,
 * which it can have done behind the bytes that are read.
 */
enum channel_status channel_read(struct channel *channel, char *buffer,
    size_t size, size_t *n, char why[CHANNEL_WHY]);

/* Is there more to be read that no event will tell of? */
bool channel_is_pending(const struct channel *channel);

/* Has all been read but for the beginning of a record of TLS? */
bool channel_is_inside(const struct channel *channel);

/* We send nothing more, and the peer is told. */
void channel_shut(struct channel *channel);

#endif
