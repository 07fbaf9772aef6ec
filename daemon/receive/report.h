/*
 * report - what people and the service manager are told while all goes on:
 * sums of losses, buffers that are full, and one line of status.
 */
#ifndef SEPMLOGD_REPORT_H
#define SEPMLOGD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "counters.h"
#include "pipeline.h"
#include "spool/spool.h"
#include "tcp.h"

/* What a report is made from. */
struct report_view {
	const struct counters *counters;
	const struct pipeline *pipeline;
	const struct tcp *tcp;
	const struct spool *spool;
	int64_t
	    expires; /* the first certificate, UTC seconds; INT64_MAX: none */
	bool stale;  /* TLS files have changed, and are of no use */
};

/* What has been told already. Zero it before first use. */
struct report {
	bool pressure;
	enum spool_state state;
	uint64_t losses, losses_at;
	uint64_t status_at; /* when it may be told next */
	char status[1024];
};

/* One line with all sums. */
void report_summary(const struct report_view *view);

/* Once a second; `now` is monotonic ms. */
void report_tick(
    struct report *report, const struct report_view *view, uint64_t now);

/* The status at once: everything is in order (again). */
void report_running(
    struct report *report, const struct report_view *view, uint64_t now);
/* In its place, for a minute: the reload was refused. */
void report_refused(struct report *report, uint64_t now);

#endif
