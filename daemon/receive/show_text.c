#include <arpa/inet.h>
#include <inttypes.h>

#include "show.h"
#include "show_put.h"
#include "trouble.h"
#include "uploads.h"

enum { SOURCES = 20 };

static void
put_head(const struct show *show, struct evbuffer *out)
{
	const struct counters *c = show->view->counters;
	const char *trouble = show_trouble(show);
	char text[SHOW_NUMBER], more[SHOW_NUMBER];

	evbuffer_add_printf(out,
	    "sepmlogd " SEPMLOG_VERSION ", up for %s: %s\n",
	    show_lasted(show->uptime, text),
	    trouble != NULL ? trouble : "ready");
	evbuffer_add_printf(out, "  now         %.0f messages/s, %s/s\n",
	    show_rate(show->history, false),
	    show_sized((uint64_t)show_rate(show->history, true), text));
	evbuffer_add_printf(out, "  received    %s messages, %s\n",
	    show_grouped(c->udp + c->tcp + c->tls, text),
	    show_sized(show->sum.bytes, more));
	evbuffer_add_printf(out, "  durable     %s records\n",
	    show_grouped(show->spool.committed, text));
	evbuffer_add_printf(out,
	    "  published   %s records in %" PRIu64 " files\n",
	    show_grouped(show->spool.published, text),
	    show->spool.files_published);
	evbuffer_add_printf(out, "  spool       %s of %s\n",
	    show_sized(show->spool.bytes_used, text),
	    show->view->config->spool.quota > 0
		? show_sized(show->view->config->spool.quota, more)
		: "any");
	if (show->view->vaulter != NULL)
		evbuffer_add_printf(out,
		    "  vault       %s values sealed, %s times not\n",
		    show_grouped(show->vault.sealed, text),
		    show_grouped(show_unsealed(show), more));
	evbuffer_add_printf(out, "  connections %u of %u\n",
	    show->view->connections, show->view->config->max_connections);
}

static void
put_latency(const struct show *show, struct evbuffer *out)
{
	struct latency_counts minute = show_commits_minute(show);
	struct latency_counts hour = show_commits_hour(show);
	const struct {
		const char *name;
		const struct latency_counts *counts;
	} rows[] = {{"minute", &minute}, {"hour", &hour}};
	char median[SHOW_NUMBER], most[SHOW_NUMBER];

	for (size_t i = 0; i < 2; i++)
		if (latency_total(rows[i].counts) > 0)
			evbuffer_add_printf(out,
			    "  %-11s after %s, 99 of 100 after %s (the last "
			    "%s)\n",
			    i == 0 ? "committed" : "",
			    show_brief(
				latency_quantile(rows[i].counts, 0.5), median),
			    show_brief(
				latency_quantile(rows[i].counts, 0.99), most),
			    rows[i].name);
}

static void
put_listeners(const struct show *show, struct evbuffer *out)
{
	const struct endpoints *all = show->view->endpoints;
	char size[SHOW_NUMBER], ago[SHOW_NUMBER];

	evbuffer_add_printf(out, "\n%-40s %12s %10s %12s %10s\n", "LISTENER",
	    "BUFFER", "FULLEST", "AGO", "DROPPED");
	for (size_t i = 0; i < all->count; i++) {
		const struct endpoint *e = all->list[i];
		struct fill_mark high = fill_highest(&e->fill, show->monotonic);
		uint64_t age = (show->monotonic - high.at) / 1000;

		if (e->transport != CONFIG_UDP)
			continue;
		evbuffer_add_printf(out,
		    "%-40s %12s %8u %% %12s %10" PRIu64 "\n", e->name,
		    show_sized((uint64_t)e->buffer, size), fill_percent(&high),
		    high.size > 0 ? show_lasted(age, ago) : "-", e->dropped);
	}
}

static void
put_losses(const struct show *show, struct evbuffer *out)
{
	struct counters_row row;
	char text[SHOW_NUMBER];

	evbuffer_add_printf(out, "  losses      %s\n",
	    show_grouped(counters_losses(show->view->counters), text));
	for (size_t i = 0; counters_row(show->view->counters, i, &row); i++)
		if (row.loss && row.value > 0)
			evbuffer_add_printf(out, "              %s %s\n",
			    show_grouped(row.value, text), row.words);
}

void
show_troubles(const struct show *show, struct evbuffer *out)
{
	struct troubles found;

	trouble_find(show, &found);
	for (size_t i = 0; i < found.count; i++)
		evbuffer_add_printf(out, "%s %s\n   %s\n",
		    found.list[i].stops ? "!!" : "! ", found.list[i].what,
		    found.list[i].cure);
}

static void
put_streams(const struct show *show, struct evbuffer *out)
{
	const struct config *config = show->view->config;
	char text[SHOW_NUMBER];

	evbuffer_add_printf(
	    out, "\n%-40s %15s %10s\n", "STREAM", "RECORDS", "A SECOND");
	for (size_t i = 0; i < config->stream_count; i++)
		evbuffer_add_printf(out, "%-40s %15s %10.1f\n",
		    config->streams[i].name,
		    show_grouped(
			pipeline_stored(show->view->pipeline, i), text),
		    show->flows->stream[i].messages.rate);
}

static void
put_sources(const struct show *show, struct evbuffer *out)
{
	static struct audit_source list[SOURCES];
	size_t count = audit_sources(show->view->audit, list, SOURCES);
	char name[INET6_ADDRSTRLEN], text[SHOW_NUMBER], ago[SHOW_NUMBER];

	evbuffer_add_printf(out, "\n%-40s %15s %10s %12s %10s %10s  %s\n",
	    "SENDER", "MESSAGES", "A SECOND", "LAST", "UNPARSED", "REFUSED",
	    "LINES");
	for (size_t i = 0; i < count; i++) {
		const struct audit_source *s = &list[i];

		evbuffer_add_printf(out,
		    "%-40s %15s %10.1f %12s %10" PRIu64 " %10" PRIu64 "  %s\n",
		    show_source(s, name), show_grouped(s->messages, text),
		    s->rate,
		    s->seen != 0 ? show_since(s->seen, show->now, ago) : "-",
		    s->unparsed, s->refused,
		    s->release != RECORD_RELEASE_UNTOLD
			? record_release_info[s->release].release
			: "-");
	}
	if (show->sum.sources > SOURCES)
		evbuffer_add_printf(
		    out, "the busiest %d of %zu\n", SOURCES, show->sum.sources);
}

static void
put_recent(const struct show *show, struct evbuffer *out)
{
	const struct recent_message *m = recent_get(show->view->recent, 0);
	char ago[SHOW_NUMBER];

	if (m == NULL)
		return;
	evbuffer_add_printf(out,
	    "\nThe last message that could not be parsed, %s ago, from ",
	    show_since(m->received_us, show->now, ago));
	show_put_quoted(out, span_str(m->peer));
	evbuffer_add_printf(out, ":\n  ");
	show_put_quoted(out, span_str(m->reason));
	evbuffer_add_printf(out, "\n  ");
	show_put_quoted(out, span_of(m->bytes, m->n));
	evbuffer_add_printf(out, "\n");
}

void
show_text(const struct show *show, struct evbuffer *out)
{
	put_head(show, out);
	put_latency(show, out);
	put_losses(show, out);
	evbuffer_add_printf(out, "\n");
	show_troubles(show, out);
	put_streams(show, out);
	put_sources(show, out);
	put_listeners(show, out);
	show_uploads(show, uploads_text, out);
	put_recent(show, out);
}
