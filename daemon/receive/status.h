/*
 * status - what goes on, over HTTP, for people and for those who watch.
 *
 *   /             a page; live with script, plain tables without
 *   /live         its middle part, /history.json what its charts show
 *   /status.json  the same figures for programs
 *   /status.txt   and for terminals, /warnings.txt its warnings alone
 *   /metrics      for Prometheus (text format 0.0.4)
 *   /healthz      200 while the loop turns
 *   /readyz       200 while messages are taken and stored, else 503 and why
 *
 * Read-only, on a unix socket or a loopback address; nothing is loaded from
 * elsewhere, and no page may run or send anything (Content-Security-Policy).
 */
#ifndef SEPMLOGD_STATUS_H
#define SEPMLOGD_STATUS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit.h"
#include "busiest.h"
#include "config.h"
#include "counters.h"
#include "endpoint.h"
#include "flow.h"
#include "history.h"
#include "pipeline.h"
#include "recent.h"
#include "spool/spool.h"
#include "vaulter.h"

/* What it is made from; borrowed. */
struct status_view {
	const char *name; /* of the configuration */
	const struct config *config;
	const struct counters *counters;
	const struct endpoints *endpoints;
	const struct pipeline *pipeline;
	const struct spool *spool;
	const struct vaulter *vaulter; /* NULL: there is no vault */
	const struct recent *recent;
	struct busiest *busiest; /* NULL: not wanted */
	struct audit *audit;
	struct latency_counts latency; /* of commits */
	uint64_t no_ports; /* datagrams to nobody, since the start */
	unsigned connections, sessions;
	int64_t expires; /* the first certificate, UTC s; INT64_MAX: none */
	bool stale;      /* TLS files have changed, and are of no use */
	bool refused;    /* the last reload */
	bool stopping;
};

/* What comes, by type, and what goes to the streams of the configuration. */
struct status_flow {
	struct flow messages, bytes; /* of a stream: records */
};
struct status_flows {
	struct status_flow type[RECORD_TYPE_COUNT], stream[CONFIG_STREAMS];
};

typedef void status_look_cb(void *arg, struct status_view *view);

struct status;

/*
 * Listens where the configuration says, at `passed` if the service manager
 * handed a socket over (else -1; taken over); with nothing said it only keeps
 * the history. NULL: `why` (of `size` bytes) says why it cannot.
 */
struct status *status_new(struct event_base *base, const struct config *config,
    int passed, status_look_cb *look, void *arg, char *why, size_t size);
void status_free(struct status *status);

/* Once a second; `now` is monotonic ms. */
void status_tick(struct status *status, uint64_t now);

/* Why the new configuration cannot be had without a restart, or NULL. */
const char *status_objection(
    const struct status *status, const struct config *config);

#endif
