/*
 * show_put - text of anybody into HTML, JSON and labels of Prometheus.
 *
 * See escaped.h for what becomes of it.
 */
#ifndef SEPMLOGD_SHOW_PUT_H
#define SEPMLOGD_SHOW_PUT_H

#include <event2/buffer.h>

#include "span.h"

void show_put_html(struct evbuffer *out, struct span text);
/* With its quotes; good for JSON and for a label of Prometheus. */
void show_put_quoted(struct evbuffer *out, struct span text);

#endif
