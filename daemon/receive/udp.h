/*
 * udp - datagrams to messages.
 */
#ifndef SEPMLOGD_UDP_H
#define SEPMLOGD_UDP_H

#include <event2/event.h>

#include "audit.h"
#include "config.h"
#include "counters.h"
#include "endpoint.h"
#include "pipeline.h"

struct udp;

/* NULL: no memory. */
struct udp *udp_new(
    struct event_base *base, struct counters *counters, struct audit *audit);
void udp_free(struct udp *udp);

/* From now on this configuration and pipeline hold; both are borrowed. */
void udp_configure(
    struct udp *udp, const struct config *config, struct pipeline *pipeline);

/* Starts to read the socket, or only applies what has changed. */
void udp_attach(struct udp *udp, struct endpoint *endpoint);
/* Stops reading it. */
void udp_detach(struct udp *udp, struct endpoint *endpoint);
/* Reads what waits in its queue, for a second at most. */
void udp_empty(struct udp *udp, struct endpoint *endpoint);

/* For a queue that ends with us and that there is no room for: drops what
 * waits in it, counts it as not stored, and answers how much that was. */
unsigned udp_give_up(struct udp *udp, struct endpoint *endpoint);

/* There is room again: goes on where reading stopped. False: it stopped. */
bool udp_resume(struct udp *udp);
/* The same for one socket. */
void udp_resume_endpoint(struct udp *udp, struct endpoint *endpoint);

/* Adds what the kernel has dropped since last asked. */
void udp_count_drops(struct udp *udp, struct endpoint *endpoint);

/* Rows of the audit may go: asks for them anew. */
void udp_forget_rows(struct udp *udp);

/* Datagrams that were read and not yet taken. */
unsigned udp_pending(const struct udp *udp);

#endif
