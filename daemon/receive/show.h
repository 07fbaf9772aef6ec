/*
 * show - the figures in the shapes that status.h names.
 *
 * Text of senders, names and reasons come from the network: in HTML and JSON
 * whatever could be more than text is written as an escape.
 */
#ifndef SEPMLOGD_SHOW_H
#define SEPMLOGD_SHOW_H

#include <event2/buffer.h>
#include <stdio.h>

#include "deliveries.h"
#include "status.h"

struct show {
	const struct status_view *view;
	const struct history *history;
	const struct status_flows *flows;
	struct audit_sum sum;
	int64_t now;        /* UTC us */
	uint64_t monotonic; /* ms */
	uint64_t uptime;    /* s */
	struct spool_status spool;
	bool has_uploads; /* an uploader is, or was, here: */
	struct deliveries uploads;
	struct vaulter_status vault; /* where the view has a vaulter */
};

/* Each writes to `out` and answers it: `1,234,567`; bytes as `1.2 GiB`; seconds
 * as `5 min`, `2 h 10 min`, `4 d 3 h`. */
enum { SHOW_NUMBER = 32 };
const char *show_grouped(uint64_t n, char out[SHOW_NUMBER]);
const char *show_sized(uint64_t n, char out[SHOW_NUMBER]);
const char *show_lasted(uint64_t s, char out[SHOW_NUMBER]);
/* From then to now (UTC us); 0 if the clock was put back since. */
const char *show_since(int64_t then, int64_t now, char out[SHOW_NUMBER]);

/* Microseconds as `0.4 ms`, `12 ms`, `1.3 s`. */
const char *show_brief(uint64_t us, char out[SHOW_NUMBER]);

/* Messages or bytes a second, over the last ten whole seconds. */
double show_rate(const struct history *history, bool bytes);

/* By enum vault_cause. */
extern const char *const show_vault_causes[VAULT_CAUSES];
/* Times that a value was not sealed, for all causes. */
uint64_t show_unsealed(const struct show *show);

/* Why nothing is taken or stored right now, in words; NULL: all is well. */
const char *show_trouble(const struct show *show);

/* Those of the last minute, and of the last hour. */
struct latency_counts show_commits_minute(const struct show *show);
struct latency_counts show_commits_hour(const struct show *show);

/* What the uploader says, written by `put`. */
void show_uploads(const struct show *show,
    void (*put)(const struct deliveries *uploads, FILE *out),
    struct evbuffer *out);

/* `192.0.2.7`, or `others`. Writes to `out` and answers it. */
const char *show_source(
    const struct audit_source *source, char out[INET6_ADDRSTRLEN]);

/* By enum busiest_table. */
struct show_busiest {
	const char *key; /* in JSON */
	const char *title;
};
extern const struct show_busiest show_busiest[BUSIEST_TABLES];

void show_page(const struct show *show, struct evbuffer *out);
void show_live(const struct show *show, struct evbuffer *out);
void show_history(const struct show *show, struct evbuffer *out);
void show_json(const struct show *show, struct evbuffer *out);
void show_metrics(const struct show *show, struct evbuffer *out);
void show_text(const struct show *show, struct evbuffer *out);
/* Only what is wrong and what to do, two lines for each; none: nothing. */
void show_troubles(const struct show *show, struct evbuffer *out);

/* page.js, as it is. */
extern const char show_script[];

#endif
