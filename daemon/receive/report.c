#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "notify.h"

enum {
	LOSSES_MS = 60 * 1000,
	STATUS_MS = 5 * 1000,
	REFUSED_MS = 60 * 1000,
	PRESSURE_MS = 1000, /* a full buffer is worth a line after that */
	TEXT = 512,
	DAY = 24 * 60 * 60, /* s */
	EXPIRY_NEAR = 30 * DAY,
};

void
report_summary(const struct report_view *view)
{
	char counts[TEXT], streams[TEXT];

	counters_text(view->counters, counts, sizeof counts);
	pipeline_text(view->pipeline, streams, sizeof streams);
	log_info("%s; by stream: %s", counts, streams);
}

/* As a sum, and only when there are new ones. */
static void
tell_losses(struct report *r, const struct report_view *view, uint64_t now)
{
	uint64_t losses = counters_losses(view->counters);
	char counts[TEXT];

	if (losses == r->losses ||
	    (r->losses_at != 0 && now < r->losses_at + LOSSES_MS))
		return;
	counters_text(view->counters, counts, sizeof counts);
	log_warnx("losses since start: %s", counts);
	r->losses = losses;
	r->losses_at = now;
}

/* Answers whether anything has changed. */
static bool
tell_pressure(struct report *r, const struct report_view *view, uint64_t now)
{
	uint64_t since = pipeline_full_since(view->pipeline);

	if (!r->pressure && since != 0 && now >= since + PRESSURE_MS) {
		log_warnx("spool: buffers are full, reading has stopped: tcp "
			  "senders wait, udp waits in the kernel's queue");
		return r->pressure = true;
	}
	if (r->pressure && since == 0) {
		log_info("spool: there is room again, reading goes on");
		r->pressure = false;
		return true;
	}
	return false;
}

static const char *
state_words(enum spool_state state)
{
	static const char *const words[] = {
	    [SPOOL_OK] = "",
	    [SPOOL_FULL] = "; disk full",
	    [SPOOL_DISK_ERROR] = "; disk error",
	};

	return words[state];
}

/* `; certificate expires in 12 days`, when that is near. */
static void
expiry_words(int64_t expires, char *out, size_t size)
{
	int64_t left = expires == INT64_MAX ? INT64_MAX : expires - time(NULL);

	out[0] = '\0';
	if (left <= 0)
		snprintf(out, size, "; certificate expired");
	else if (left <= EXPIRY_NEAR)
		snprintf(out, size, "; certificate expires in %lld days",
		    (long long)(left / DAY));
}

static void
tell_status(struct report *r, const struct report_view *view, uint64_t now)
{
	char counts[TEXT], expiry[64], text[sizeof r->status];
	struct spool_status spool;

	spool_status(view->spool, &spool);
	counters_text(view->counters, counts, sizeof counts);
	expiry_words(view->expires, expiry, sizeof expiry);
	snprintf(text, sizeof text,
	    "%u connections; %s; committed %" PRIu64 "%s%s%s%s%s%s",
	    tcp_connections(view->tcp), counts, spool.committed,
	    state_words(spool.state), spool.error != 0 ? ": " : "",
	    spool.error != 0 ? strerrordesc_np(spool.error) : "",
	    r->pressure ? "; reading has stopped" : "", expiry,
	    view->stale ? "; changed TLS files are not used, the log says why"
			: "");
	r->status_at = now + STATUS_MS;
	if (strcmp(text, r->status) == 0)
		return;
	memcpy(r->status, text, sizeof text);
	notify_status("%s", text);
}

/* Not left to the next round of the status: who watches it has to act. */
static bool
is_other_state(struct report *r, const struct report_view *view)
{
	struct spool_status spool;
	bool other;

	spool_status(view->spool, &spool);
	other = spool.state != r->state;
	r->state = spool.state;
	return other;
}

void
report_tick(struct report *r, const struct report_view *view, uint64_t now)
{
	bool pressure = tell_pressure(r, view, now);
	bool state = is_other_state(r, view);

	tell_losses(r, view, now);
	if (pressure || state || now >= r->status_at)
		tell_status(r, view, now);
}

void
report_running(struct report *r, const struct report_view *view, uint64_t now)
{
	r->status[0] = '\0';
	tell_status(r, view, now);
}

void
report_refused(struct report *r, uint64_t now)
{
	snprintf(r->status, sizeof r->status,
	    "reload refused, the configuration before it is in force; the log "
	    "says why");
	notify_status("%s", r->status);
	r->status_at = now + REFUSED_MS;
}
