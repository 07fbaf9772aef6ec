#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "show.h"
#include "show_put.h"
#include "timestamp.h"
#include "trouble.h"
#include "uploads.h"

enum { SOURCES = 50 };

/* --- pieces --- */

static void
put(struct evbuffer *out, const char *html)
{
	evbuffer_add(out, html, strlen(html));
}

static void
put_text(struct evbuffer *out, const char *text)
{
	show_put_html(out, span_str(text));
}

static void
put_number(struct evbuffer *out, uint64_t n)
{
	char text[SHOW_NUMBER];

	evbuffer_add_printf(out, "<td class=n>%s</td>", show_grouped(n, text));
}

static void
put_size(struct evbuffer *out, uint64_t n)
{
	char text[SHOW_NUMBER];

	evbuffer_add_printf(out, "<td class=n>%s</td>", show_sized(n, text));
}

static void
begin_table(struct evbuffer *out, const char *title, const char *head)
{
	evbuffer_add_printf(out,
	    "<section><h2>%s</h2><div class=wide><table><thead><tr>%s</tr>"
	    "</thead><tbody>",
	    title, head);
}

static void
end_table(struct evbuffer *out)
{
	put(out, "</tbody></table></div></section>\n");
}

/* --- sections --- */

static void
put_warnings(const struct show *show, struct evbuffer *out)
{
	struct troubles found;

	trouble_find(show, &found);
	if (found.count == 0) {
		put(out, "<p class=good>All is well: messages are taken, "
			 "parsed and stored.</p>\n");
		return;
	}
	put(out, "<ul class=warnings>");
	for (size_t i = 0; i < found.count; i++) {
		evbuffer_add_printf(out, "<li class=%s><strong>",
		    found.list[i].stops ? "bad" : "warn");
		put_text(out, found.list[i].what);
		put(out, "</strong> ");
		put_text(out, found.list[i].cure);
		put(out, "</li>");
	}
	put(out, "</ul>\n");
}

static void
put_tile(struct evbuffer *out, const char *name, const char *value,
    const char *more, bool bad)
{
	evbuffer_add_printf(out,
	    "<div class=\"tile%s\"><span>%s</span><b>%s</b><small>%s</small>"
	    "</div>",
	    bad ? " bad" : "", name, value, more);
}

static void
put_latency_tile(const struct show *show, struct evbuffer *out)
{
	struct latency_counts minute = show_commits_minute(show);
	char value[SHOW_NUMBER], most[SHOW_NUMBER], more[SHOW_NUMBER + 16];

	if (latency_total(&minute) == 0) {
		put_tile(out, "Durable after", "–", "none in a minute", false);
		return;
	}
	snprintf(more, sizeof more, "99th: %s",
	    show_brief(latency_quantile(&minute, 0.99), most));
	put_tile(out, "Durable after",
	    show_brief(latency_quantile(&minute, 0.5), value), more, false);
}

static void
put_delivery_tile(const struct show *show, struct evbuffer *out)
{
	char value[SHOW_NUMBER], more[SHOW_NUMBER + 16];
	uint64_t waiting = 0;
	unsigned fail = 0;

	if (!show->has_uploads)
		return;
	for (size_t i = 0; i < show->uploads.count; i++) {
		waiting += show->uploads.target[i].waiting;
		fail += show->uploads.target[i].fails;
	}
	snprintf(
	    more, sizeof more, "%u of %zu fail", fail, show->uploads.count);
	put_tile(out, "Files to deliver", show_grouped(waiting, value),
	    !uploads_is_fresh(&show->uploads) ? "no uploader runs"
	    : fail > 0                        ? more
					      : "all work",
	    fail > 0 || !uploads_is_fresh(&show->uploads));
}

static void
put_tiles(const struct show *show, struct evbuffer *out)
{
	const struct counters *c = show->view->counters;
	uint64_t quota = show->view->config->spool.quota;
	uint64_t losses = counters_losses(c);
	char value[SHOW_NUMBER], more[2 * SHOW_NUMBER + 16], part[SHOW_NUMBER];

	put(out, "<div class=tiles>");
	snprintf(value, sizeof value, "%.0f", show_rate(show->history, false));
	snprintf(more, sizeof more, "%s/s",
	    show_sized((uint64_t)show_rate(show->history, true), part));
	put_tile(out, "Messages/s", value, more, false);
	snprintf(more, sizeof more, "%s", "since the start");
	put_tile(out, "Received", show_grouped(c->udp + c->tcp + c->tls, value),
	    more, false);
	snprintf(more, sizeof more, "%s not yet",
	    show_grouped(show->spool.accepted - show->spool.committed, part));
	put_tile(out, "Durable records",
	    show_grouped(show->spool.committed, value), more, false);
	put_latency_tile(show, out);
	put_tile(out, "Losses", show_grouped(losses, value),
	    losses == 0 ? "none of any cause" : "by cause below", losses > 0);
	if (quota > 0)
		snprintf(more, sizeof more, "%.1f %% of %s",
		    100.0 * (double)show->spool.bytes_used / (double)quota,
		    show_sized(quota, part));
	else
		snprintf(more, sizeof more, "no quota");
	put_tile(out, "Spool", show_sized(show->spool.bytes_used, value), more,
	    show->spool.state != SPOOL_OK);
	snprintf(
	    more, sizeof more, "of %u", show->view->config->max_connections);
	snprintf(value, sizeof value, "%u", show->view->connections);
	put_tile(out, "Connections", value, more, false);
	put_delivery_tile(show, out);
	put(out, "</div>\n");
}

/* Which release its last lines look like, and by what. */
static void
put_release(struct evbuffer *out, enum record_release release)
{
	const struct record_release_info *info = &record_release_info[release];

	put(out, "<td>");
	if (release == RECORD_RELEASE_UNTOLD) {
		put(out, "–</td>");
		return;
	}
	put_text(out, info->release);
	put(out, "<small>: ");
	put_text(out, info->why);
	put(out, "</small></td>");
}

static void
put_source(
    const struct show *show, struct evbuffer *out, const struct audit_source *s)
{
	char text[INET6_ADDRSTRLEN], ago[SHOW_NUMBER];
	double parsed = s->messages > 0
			    ? 100.0 * (double)(s->messages - s->unparsed) /
				  (double)s->messages
			    : 0;

	evbuffer_add_printf(out, "<tr><td>%s</td>", show_source(s, text));
	if (s->seen != 0)
		evbuffer_add_printf(out, "<td>%s ago</td>",
		    show_since(s->seen, show->now, ago));
	else
		put(out, "<td>–</td>");
	evbuffer_add_printf(out, "<td class=n>%.1f</td>", s->rate);
	put_number(out, s->messages);
	put_size(out, s->bytes);
	evbuffer_add_printf(out, "<td class=n>%.2f %%</td>", parsed);
	put_number(out, s->refused);
	if (s->timed)
		evbuffer_add_printf(out, "<td class=n>%s %s</td>",
		    show_lasted((uint64_t)(s->lag < 0 ? -s->lag : s->lag), ago),
		    s->lag < 0 ? "ahead" : "behind");
	else
		put(out, "<td class=n>–</td>");
	put_release(out, s->release);
	put(out, "</tr>");
}

static void
put_sources(const struct show *show, struct evbuffer *out)
{
	static struct audit_source list[SOURCES];
	size_t count = audit_sources(show->view->audit, list, SOURCES);

	begin_table(out, "Senders",
	    "<th>Address<th>Last message<th class=n>Messages a second"
	    "<th class=n>Messages<th class=n>Bytes<th class=n>Parsed"
	    "<th class=n>Refused<th class=n>Clock<th>Lines like those of");
	for (size_t i = 0; i < count; i++)
		put_source(show, out, &list[i]);
	if (count == 0)
		put(out, "<tr><td colspan=9>none yet</td></tr>");
	end_table(out);
	if (show->sum.sources > SOURCES)
		evbuffer_add_printf(out, "<p>The busiest %d of %zu.</p>\n",
		    SOURCES, show->sum.sources);
}

static void
put_flow(struct evbuffer *out, const char *name, const struct status_flow *flow)
{
	char size[SHOW_NUMBER];

	put(out, "<tr><td>");
	put_text(out, name);
	put(out, "</td>");
	put_number(out, flow->messages.sum);
	evbuffer_add_printf(out,
	    "<td class=n>%.1f</td><td class=n>%s</td></tr>",
	    flow->messages.rate, show_sized((uint64_t)flow->bytes.rate, size));
}

static void
put_streams(const struct show *show, struct evbuffer *out)
{
	const struct config *config = show->view->config;

	begin_table(out, "Streams",
	    "<th>Stream<th class=n>Records<th class=n>Records a second"
	    "<th class=n>Bytes a second");
	for (size_t i = 0; i < config->stream_count; i++)
		put_flow(out, config->streams[i].name, &show->flows->stream[i]);
	end_table(out);
}

static void
put_types(const struct show *show, struct evbuffer *out)
{
	const struct status_flow *flow = show->flows->type;
	unsigned n = 0;

	begin_table(out, "Types",
	    "<th>Log<th class=n>Messages<th class=n>Messages a second"
	    "<th class=n>Bytes a second");
	for (size_t i = 0; i < RECORD_TYPE_COUNT; i++) {
		if (flow[i].messages.sum == 0)
			continue;
		put_flow(out, record_type_name[i].p, &flow[i]);
		n++;
	}
	if (n == 0)
		put(out, "<tr><td colspan=4>none yet</td></tr>");
	end_table(out);
}

static void
put_counters(
    const struct show *show, struct evbuffer *out, const char *title, bool loss)
{
	struct counters_row row;

	begin_table(out, title, "<th>Since the start<th class=n>");
	for (size_t i = 0; counters_row(show->view->counters, i, &row); i++) {
		if (row.loss != loss)
			continue;
		evbuffer_add_printf(out, "<tr%s><td>%s</td>",
		    loss && row.value > 0 ? " class=bad" : "", row.words);
		put_number(out, row.value);
		put(out, "</tr>");
	}
	end_table(out);
}

static void
put_listener(
    const struct show *show, struct evbuffer *out, const struct endpoint *e)
{
	struct fill_mark high = fill_highest(&e->fill, show->monotonic);
	char ago[SHOW_NUMBER];

	put(out, "<tr><td>");
	put_text(out, e->name);
	evbuffer_add_printf(out, "</td><td>%s</td>",
	    e->passed ? "the service manager" : "sepmlogd");
	if (e->transport != CONFIG_UDP) {
		put(out, "<td class=n>–<td class=n>–<td class=n>–<td class=n>–"
			 "<td class=n>–</tr>");
		return;
	}
	put_size(out, (uint64_t)e->buffer);
	if (high.size > 0)
		evbuffer_add_printf(out,
		    "<td class=n>%u %%</td><td class=n>%s ago</td>",
		    fill_percent(&high),
		    show_lasted((show->monotonic - high.at) / 1000, ago));
	else
		put(out, "<td class=n>–</td><td class=n>–</td>");
	put_number(out, e->fill.bursts);
	put_number(out, e->dropped);
	put(out, "</tr>");
}

static void
put_listeners(const struct show *show, struct evbuffer *out)
{
	begin_table(out, "Listeners",
	    "<th>Socket<th>Of<th class=n>Receive buffer"
	    "<th class=n>Fullest in the last hour<th class=n>When"
	    "<th class=n>Bursts<th class=n>Dropped");
	for (size_t i = 0; i < show->view->endpoints->count; i++)
		put_listener(show, out, show->view->endpoints->list[i]);
	end_table(out);
}

/* Seconds since 1970. */
static void
put_age(const struct show *show, struct evbuffer *out, int64_t then)
{
	char ago[SHOW_NUMBER];

	if (then == 0)
		put(out, "<td class=n>–</td>");
	else
		evbuffer_add_printf(out, "<td class=n>%s</td>",
		    show_since(then * 1000000, show->now, ago));
}

static void
put_target(
    const struct show *show, struct evbuffer *out, const struct delivery *t)
{
	char ago[SHOW_NUMBER];

	put(out, t->fails ? "<tr class=bad><td>" : "<tr><td>");
	put_text(out, t->name);
	put(out, t->fails ? "</td><td>fails</td>" : "</td><td>works</td>");
	put_number(out, t->waiting);
	put_size(out, t->bytes);
	put_age(show, out, t->oldest);
	put_number(out, t->delivered);
	put_number(out, t->refused);
	put_age(show, out, t->last);
	put(out, "</tr>");
	if (!t->fails)
		return;
	evbuffer_add_printf(out, "<tr class=bad><td colspan=8>fails for %s: ",
	    show_since(t->since * 1000000, show->now, ago));
	put_text(out, t->reason);
	put(out, "</td></tr>");
}

static void
put_uploads(const struct show *show, struct evbuffer *out)
{
	const struct deliveries *d = &show->uploads;
	char ago[SHOW_NUMBER];

	if (!show->has_uploads)
		return;
	begin_table(out, "Deliveries",
	    "<th>Target<th>State<th class=n>Files waiting<th class=n>Bytes"
	    "<th class=n>The oldest for<th class=n>Delivered"
	    "<th class=n>Quarantined<th class=n>Last, ago");
	for (size_t i = 0; i < d->count; i++)
		put_target(show, out, &d->target[i]);
	if (d->count == 0)
		put(out, "<tr><td colspan=8>no targets</td></tr>");
	end_table(out);
	if (!uploads_is_fresh(d))
		evbuffer_add_printf(out,
		    "<p>As sepmlog-upload said %s ago: it does not run.</p>\n",
		    show_since(d->written * 1000000, show->now, ago));
}

static void
put_latency_row(
    struct evbuffer *out, const char *name, const struct latency_counts *counts)
{
	char median[SHOW_NUMBER], most[SHOW_NUMBER];

	if (latency_total(counts) == 0)
		return;
	evbuffer_add_printf(out,
	    "<tr><td>median until durable, last %s</td><td class=n>%s</td>"
	    "</tr><tr><td>99 of 100 of them</td><td class=n>%s</td></tr>",
	    name, show_brief(latency_quantile(counts, 0.5), median),
	    show_brief(latency_quantile(counts, 0.99), most));
}

static void
put_latency(const struct show *show, struct evbuffer *out)
{
	struct latency_counts minute = show_commits_minute(show);
	struct latency_counts hour = show_commits_hour(show);

	put_latency_row(out, "minute", &minute);
	put_latency_row(out, "hour", &hour);
}

static void
put_spool(const struct show *show, struct evbuffer *out)
{
	const struct spool_status *spool = &show->spool;

	begin_table(out, "Spool", "<th>What<th class=n>");
	put(out, "<tr><td>files published</td>");
	put_number(out, spool->files_published);
	put(out, "</tr><tr><td>records in them</td>");
	put_number(out, spool->published);
	put(out, "</tr><tr><td>files deleted to make room</td>");
	put_number(out, spool->files_dropped);
	put(out, "</tr><tr><td>bytes in live/ and ready/</td>");
	put_size(out, spool->bytes_used);
	evbuffer_add_printf(out,
	    "</tr><tr><td>fullest buffer</td><td class=n>%u %%</td></tr>",
	    spool_fill(show->view->spool));
	put_latency(show, out);
	if (show->view->vaulter != NULL) {
		put(out, "<tr><td>values sealed in vault/</td>");
		put_number(out, show->vault.sealed);
		put(out, "</tr><tr><td>times one was not</td>");
		put_number(out, show_unsealed(show));
		put(out, "</tr>");
	}
	end_table(out);
}

static void
put_recent(const struct show *show, struct evbuffer *out)
{
	const struct recent_message *m;
	char ago[SHOW_NUMBER];

	begin_table(out, "Last messages that could not be parsed",
	    "<th>When<th>From<th>Why<th>Message");
	for (size_t i = 0; (m = recent_get(show->view->recent, i)) != NULL;
	     i++) {
		evbuffer_add_printf(out, "<tr><td>%s ago</td><td>",
		    show_since(m->received_us, show->now, ago));
		put_text(out, m->peer);
		put(out, "</td><td>");
		put_text(out, m->reason);
		put(out, "</td><td><code>");
		show_put_html(out, span_of(m->bytes, m->n));
		put(out, m->length > m->n ? "</code> …</td></tr>"
					  : "</code></td></tr>");
	}
	if (show->view->recent->count == 0)
		put(out, "<tr><td colspan=4>none</td></tr>");
	end_table(out);
}

static void
put_busiest_row(struct evbuffer *out, const struct top_entry *e)
{
	put(out, "<tr><td>");
	show_put_html(out, top_key(e));
	put(out, e->length > TOP_KEY ? "…</td>" : "</td>");
	put_number(out, e->count);
	put_number(out, e->sum[0]);
	put(out, "</tr>");
}

static void
put_busiest(const struct show *show, struct evbuffer *out)
{
	const struct top_entry *list[BUSIEST_ROWS];
	struct busiest *busiest = show->view->busiest;
	double named;

	if (busiest == NULL)
		return;
	put(out, "<div class=\"columns few\">");
	for (size_t i = 0; i < BUSIEST_TABLES; i++) {
		size_t n = busiest_list(
		    busiest, (enum busiest_table)i, show->monotonic, list);

		begin_table(out, show_busiest[i].title,
		    "<th>In the last hour<th class=n>Occurrences"
		    "<th class=n>Blocked");
		for (size_t k = 0; k < n; k++)
			put_busiest_row(out, list[k]);
		if (n == 0)
			put(out, "<tr><td colspan=3>none</td></tr>");
		end_table(out);
	}
	put(out, "</div>\n");
	named = busiest_named(busiest, show->monotonic);
	if (named >= 0)
		evbuffer_add_printf(out,
		    "<p>%.1f %% of the traffic of the last hour has a remote "
		    "name.</p>\n",
		    named);
	if (busiest_sampled(busiest))
		put(out, "<p>So much came that these figures are estimated "
			 "from samples.</p>\n");
}

/* What is most wanted, then the charts, if there is script, then all else. */
static void
put_top(const struct show *show, struct evbuffer *out)
{
	put(out, "<div id=top>\n");
	put_warnings(show, out);
	put_tiles(show, out);
	put(out, "</div>\n");
}

static void
put_rest(const struct show *show, struct evbuffer *out)
{
	put(out, "<div id=rest>\n");
	put_sources(show, out);
	put_uploads(show, out);
	put_listeners(show, out);
	put_busiest(show, out);
	put(out, "<div class=\"columns few\">");
	put_types(show, out);
	put_streams(show, out);
	put(out, "</div>\n<div class=columns>");
	put_counters(show, out, "Lost, by cause", true);
	put_counters(show, out, "Received", false);
	put_spool(show, out);
	put(out, "</div>\n");
	put_recent(show, out);
	put(out, "</div>\n");
}

void
show_live(const struct show *show, struct evbuffer *out)
{
	put_top(show, out);
	put_rest(show, out);
}

void
show_page(const struct show *show, struct evbuffer *out)
{
	char text[SHOW_NUMBER];

	put(out, "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n"
		 "<meta name=viewport content=\"width=device-width, "
		 "initial-scale=1\">\n<meta name=color-scheme "
		 "content=\"light dark\">\n<title>sepmlogd</title>\n"
		 "<link rel=stylesheet href=\"/page.css\">\n"
		 "<script src=\"/page.js\" defer></script></head>\n<body>\n"
		 "<header><h1>sepmlogd</h1><p>" SEPMLOG_VERSION ", ");
	put_text(out, show->view->name);
	evbuffer_add_printf(out,
	    ", up for <span id=uptime>%s</span><span id=state></span></p>"
	    "</header>\n",
	    show_lasted(show->uptime, text));
	put(out, "<main>\n");
	put_top(show, out);
	put(out, "<div id=charts></div>\n");
	put_rest(show, out);
	put(out, "</main>\n<footer><a href=\"/status.json\">status.json</a> "
		 "<a href=\"/metrics\">metrics</a> "
		 "<a href=\"/healthz\">healthz</a> "
		 "<a href=\"/readyz\">readyz</a></footer>\n</body></html>\n");
}
