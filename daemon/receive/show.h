/*
 * show - the figures in the shapes that status.h names.
 *
 * Text of senders, names and reasons come from the network: in HTML and JSON
 * whatever could be more than text is written as an escape.
 */
#ifndef SEPMLOGD_SHOW_H
#define SEPMLOGD_SHOW_H

#include <event2/buffer.h>

#include "status.h"

struct show {
	const struct status_view *view;
	const struct history *history;
	struct audit_sum sum;
	int64_t now;       /* UTC us */
	uint64_t uptime;   /* s */
	struct spool_status spool;
};

/* Why nothing is taken or stored right now, in words; NULL: all is well. */
const char *show_trouble(const struct show *show);

/* `192.0.2.7`, or `others`. Writes to `out` and answers it. */
const char *show_source(
    const struct audit_source *source, char out[INET6_ADDRSTRLEN]);

void show_page(const struct show *show, struct evbuffer *out);
void show_live(const struct show *show, struct evbuffer *out);
void show_history(const struct show *show, struct evbuffer *out);
void show_json(const struct show *show, struct evbuffer *out);
void show_metrics(const struct show *show, struct evbuffer *out);

/* page.css and page.js, as they are. */
extern const char show_style[], show_script[];

#endif
