/*
 * tcp - connections to messages.
 *
 * A connection that is idle between messages holds no buffer: what it has read
 * goes through one buffer that all share, and only an unfinished frame is kept
 * for it.
 */
#ifndef SEPMLOGD_TCP_H
#define SEPMLOGD_TCP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit.h"
#include "config.h"
#include "counters.h"
#include "endpoint.h"
#include "fdstore.h"
#include "pipeline.h"

struct tcp;

/* NULL: no memory. */
struct tcp *tcp_new(
    struct event_base *base, struct counters *counters, struct audit *audit);
/* Closes what is open. */
void tcp_free(struct tcp *tcp);

/* Makes room for messages of this configuration. False: no memory, and the
 * old one still holds. */
bool tcp_prepare(struct tcp *tcp, const struct config *config);
/*
 * From now on this configuration and pipeline hold; both are borrowed. At most
 * `descriptors` connections are taken whatever it says. Connections stay, but
 * for those from senders that are no longer allowed.
 */
void tcp_configure(struct tcp *tcp, const struct config *config,
    struct pipeline *pipeline, unsigned descriptors);

/* Starts to accept at the socket, if that is not so already. */
void tcp_attach(struct tcp *tcp, struct endpoint *endpoint);
/* Accepts what waits in its backlog. */
void tcp_empty(struct tcp *tcp, struct endpoint *endpoint);
/* Stops accepting. Its connections live on. */
void tcp_detach(struct tcp *tcp, struct endpoint *endpoint);

/* There is room again: reads where reading stopped. */
void tcp_resume(struct tcp *tcp);
/* Accepts again at a socket that had stopped. */
void tcp_resume_endpoint(struct tcp *tcp, struct endpoint *endpoint);

/* Once a second: ends frames that are overdue. */
void tcp_tick(struct tcp *tcp);

/* Reads every connection that has something to read, once. */
void tcp_read_all(struct tcp *tcp);
/* What goes over to the next process. */
struct tcp_stored {
	unsigned connections, unfinished; /* those inside a message */
	uint64_t bytes;                   /* kept of it */
};
/* Adds the connections to the store. Reading one afterwards makes its place in
 * there wrong. */
struct tcp_stored tcp_store(struct tcp *tcp, struct fdstore *store);
/* Those that were added have another owner: closes them without a word. */
void tcp_release(struct tcp *tcp);
/*
 * A connection of an earlier process, and where it stood, which is copied;
 * NULL: not known, its stream begins anew. Takes over `fd`, and closes it if
 * its peer is not allowed any more. Answers whether it is open.
 */
bool tcp_take_over(struct tcp *tcp, int fd, const struct handover_conn *state);

/* Tells all peers, or those of TLS sessions, that we are going. */
void tcp_say_goodbye(struct tcp *tcp, bool sessions_only);
/* Takes what is left of every connection and closes it. Answers the bytes
 * that there was no room for. */
uint64_t tcp_finish(struct tcp *tcp);

unsigned tcp_connections(const struct tcp *tcp);
/* Those of them that are TLS sessions, done or not with their handshake. */
unsigned tcp_sessions(const struct tcp *tcp);
/* When something was last read, from all or from TLS sessions (monotonic ms).
 */
uint64_t tcp_last_read(const struct tcp *tcp, bool sessions_only);

#endif
