#include <arpa/inet.h>
#include <inttypes.h>

#include "show.h"
#include "show_put.h"
#include "timestamp.h"
#include "trouble.h"
#include "uploads.h"

enum { SOURCES = 256 };

static void
put_text(struct evbuffer *out, const char *text)
{
	show_put_quoted(out, span_str(text));
}

static void
put_time(struct evbuffer *out, int64_t us)
{
	char text[TIMESTAMP_RFC3339_US + 1] = "";
	struct timestamp_days days = {0};

	timestamp_format_us(us, &days, text);
	evbuffer_add_printf(out, "\"%.*s\"", TIMESTAMP_RFC3339_US, text);
}

/* --- /history.json --- */

/* Microseconds, by point; 0 where nothing was committed. */
static void
put_quantiles(struct evbuffer *out, const char *name, double share,
    const struct history_series *series)
{
	size_t count = history_count(series);

	evbuffer_add_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		struct latency_counts c =
		    history_commits(history_get(series, i));

		evbuffer_add_printf(out, "%s%" PRIu64, i == 0 ? "" : ",",
		    latency_quantile(&c, share));
	}
	evbuffer_add_printf(out, "]");
}

static void
put_series(
    struct evbuffer *out, const char *name, const struct history_series *series)
{
	size_t count = history_count(series);

	evbuffer_add_printf(out, "\"%s\":{\"step\":%u", name, series->step);
#define ROW(member)                                                            \
	evbuffer_add_printf(out, ",\"" #member "\":[");                        \
	for (size_t i = 0; i < count; i++)                                     \
		evbuffer_add_printf(out, "%s%" PRIu64, i == 0 ? "" : ",",      \
		    history_get(series, i)->member);                           \
	evbuffer_add_printf(out, "]");
	HISTORY_TABLE(ROW)
#undef ROW
	put_quantiles(out, "commit_median", 0.5, series);
	put_quantiles(out, "commit_99", 0.99, series);
	evbuffer_add_printf(out, "}");
}

void
show_history(const struct show *show, struct evbuffer *out)
{
	evbuffer_add_printf(out, "{\"now\":");
	put_time(out, show->now);
	evbuffer_add_printf(out, ",");
	put_series(out, "fine", &show->history->fine);
	evbuffer_add_printf(out, ",");
	put_series(out, "coarse", &show->history->coarse);
	evbuffer_add_printf(out, "}\n");
}

/* --- /status.json --- */

static void
put_troubles(const struct show *show, struct evbuffer *out)
{
	struct troubles found;

	trouble_find(show, &found);
	evbuffer_add_printf(out, ",\"warnings\":[");
	for (size_t i = 0; i < found.count; i++) {
		evbuffer_add_printf(out, "%s{\"what\":", i == 0 ? "" : ",");
		put_text(out, found.list[i].what);
		evbuffer_add_printf(out, ",\"cure\":");
		put_text(out, found.list[i].cure);
		evbuffer_add_printf(out, ",\"stops\":%s}",
		    found.list[i].stops ? "true" : "false");
	}
	evbuffer_add_printf(out, "]");
}

static void
put_counters(const struct show *show, struct evbuffer *out)
{
	struct counters_row row;

	evbuffer_add_printf(out, ",\"counters\":{");
	for (size_t i = 0; counters_row(show->view->counters, i, &row); i++)
		evbuffer_add_printf(out, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",",
		    row.name, row.value);
	evbuffer_add_printf(out, "},\"losses\":{");
	for (size_t i = 0, n = 0; counters_row(show->view->counters, i, &row);
	     i++)
		if (row.loss)
			evbuffer_add_printf(out, "%s\"%s\":%" PRIu64,
			    n++ == 0 ? "" : ",", row.name, row.value);
	evbuffer_add_printf(out, "}");
}

static void
put_flow(struct evbuffer *out, size_t index, const char *name,
    const struct status_flow *flow)
{
	evbuffer_add_printf(out, "%s", index == 0 ? "" : ",");
	put_text(out, name);
	evbuffer_add_printf(out,
	    ":{\"messages\":%" PRIu64 ",\"messages_per_second\":%.2f"
	    ",\"bytes\":%" PRIu64 ",\"bytes_per_second\":%.0f}",
	    flow->messages.sum, flow->messages.rate, flow->bytes.sum,
	    flow->bytes.rate);
}

static void
put_streams(const struct show *show, struct evbuffer *out)
{
	const struct config *config = show->view->config;

	evbuffer_add_printf(out, ",\"streams\":{");
	for (size_t i = 0; i < config->stream_count; i++) {
		evbuffer_add_printf(out, "%s", i == 0 ? "" : ",");
		put_text(out, config->streams[i].name);
		evbuffer_add_printf(
		    out, ":%" PRIu64, pipeline_stored(show->view->pipeline, i));
	}
	evbuffer_add_printf(out, "},\"stream_flows\":{");
	for (size_t i = 0; i < config->stream_count; i++)
		put_flow(
		    out, i, config->streams[i].name, &show->flows->stream[i]);
	evbuffer_add_printf(out, "},\"types\":{");
	for (size_t i = 0; i < RECORD_TYPE_COUNT; i++)
		put_flow(out, i, record_type_name[i].p, &show->flows->type[i]);
	evbuffer_add_printf(out, "}");
}

static void
put_spool(const struct show *show, struct evbuffer *out)
{
	static const char *const states[] = {
	    [SPOOL_OK] = "ok",
	    [SPOOL_FULL] = "full",
	    [SPOOL_DISK_ERROR] = "disk_error",
	};
	const struct spool_status *spool = &show->spool;

	evbuffer_add_printf(out,
	    ",\"spool\":{\"state\":\"%s\",\"written\":%" PRIu64
	    ",\"committed\":%" PRIu64 ",\"published\":%" PRIu64
	    ",\"files_published\":%" PRIu64 ",\"files_dropped\":%" PRIu64
	    ",\"bytes\":%" PRIu64 ",\"quota\":%" PRIu64
	    ",\"buffer_percent\":%u}",
	    states[spool->state], spool->accepted, spool->committed,
	    spool->published, spool->files_published, spool->files_dropped,
	    spool->bytes_used, show->view->config->spool.quota,
	    spool_fill(show->view->spool));
}

static void
put_commits(
    struct evbuffer *out, const char *name, const struct latency_counts *counts)
{
	evbuffer_add_printf(out,
	    "\"%s\":{\"commits\":%" PRIu64 ",\"median_us\":%" PRIu64
	    ",\"p99_us\":%" PRIu64 "}",
	    name, latency_total(counts), latency_quantile(counts, 0.5),
	    latency_quantile(counts, 0.99));
}

static void
put_latency(const struct show *show, struct evbuffer *out)
{
	struct latency_counts minute = show_commits_minute(show);
	struct latency_counts hour = show_commits_hour(show);

	evbuffer_add_printf(out, ",\"commit_latency\":{");
	put_commits(out, "minute", &minute);
	evbuffer_add_printf(out, ",");
	put_commits(out, "hour", &hour);
	evbuffer_add_printf(out, "}");
}

static void
put_fill(
    const struct show *show, struct evbuffer *out, const struct endpoint *e)
{
	struct fill_mark high = fill_highest(&e->fill, show->monotonic);

	evbuffer_add_printf(out,
	    ",\"receive_buffer\":%d,\"dropped\":%" PRIu64
	    ",\"bursts\":%" PRIu64,
	    e->buffer, e->dropped, e->fill.bursts);
	if (high.size == 0)
		return;
	evbuffer_add_printf(
	    out, ",\"highest\":{\"percent\":%u,\"time\":", fill_percent(&high));
	put_time(out, show->now - (int64_t)(show->monotonic - high.at) * 1000);
	evbuffer_add_printf(out, "}");
}

static void
put_listeners(const struct show *show, struct evbuffer *out)
{
	const struct endpoints *all = show->view->endpoints;

	evbuffer_add_printf(out, ",\"listeners\":[");
	for (size_t i = 0; i < all->count; i++) {
		evbuffer_add_printf(out, "%s{\"name\":", i == 0 ? "" : ",");
		put_text(out, all->list[i]->name);
		evbuffer_add_printf(out, ",\"passed\":%s",
		    all->list[i]->passed ? "true" : "false");
		if (all->list[i]->transport == CONFIG_UDP)
			put_fill(show, out, all->list[i]);
		evbuffer_add_printf(out, "}");
	}
	evbuffer_add_printf(out, "]");
}

static void
put_release(struct evbuffer *out, enum record_release release)
{
	const struct record_release_info *info = &record_release_info[release];

	if (release == RECORD_RELEASE_UNTOLD)
		return;
	evbuffer_add_printf(out, ",\"lines\":");
	put_text(out, info->release);
	evbuffer_add_printf(out, ",\"told_by\":");
	put_text(out, info->why);
}

static void
put_vault(const struct show *show, struct evbuffer *out)
{
	const struct vaulter_status *vault = &show->vault;

	if (show->view->vaulter == NULL)
		return;
	evbuffer_add_printf(out,
	    ",\"vault\":{\"state\":\"%s\",\"sealed\":%" PRIu64
	    ",\"unsealed\":{",
	    vault->cause == VAULT_BUSY ? "ok" : show_vault_causes[vault->cause],
	    vault->sealed);
	for (size_t i = 0; i < VAULT_CAUSES; i++)
		evbuffer_add_printf(out, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",",
		    show_vault_causes[i], vault->unsealed[i]);
	evbuffer_add_printf(out, "}}");
}

static void
put_sources(const struct show *show, struct evbuffer *out)
{
	static struct audit_source list[SOURCES];
	size_t count = audit_sources(show->view->audit, list, SOURCES);
	char text[INET6_ADDRSTRLEN];

	evbuffer_add_printf(out, ",\"sources\":[");
	for (size_t i = 0; i < count; i++) {
		const struct audit_source *s = &list[i];

		evbuffer_add_printf(out, "%s{\"address\":\"%s\"",
		    i == 0 ? "" : ",", show_source(s, text));
		evbuffer_add_printf(out,
		    ",\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64
		    ",\"unparsed\":%" PRIu64 ",\"refused\":%" PRIu64
		    ",\"rate\":%.2f",
		    s->messages, s->bytes, s->unparsed, s->refused, s->rate);
		if (s->timed)
			evbuffer_add_printf(out, ",\"lag\":%" PRId64, s->lag);
		if (s->seen != 0) {
			evbuffer_add_printf(out, ",\"seen\":");
			put_time(out, s->seen);
		}
		put_release(out, s->release);
		evbuffer_add_printf(out, "}");
	}
	evbuffer_add_printf(out, "]");
}

static void
put_busiest(const struct show *show, struct evbuffer *out)
{
	const struct top_entry *list[BUSIEST_ROWS];
	struct busiest *busiest = show->view->busiest;
	double named;

	if (busiest == NULL)
		return;
	evbuffer_add_printf(out, ",\"busiest\":{\"sampled\":%s",
	    busiest_sampled(busiest) ? "true" : "false");
	named = busiest_named(busiest, show->monotonic);
	if (named >= 0)
		evbuffer_add_printf(out, ",\"named_percent\":%.1f", named);
	for (size_t i = 0; i < BUSIEST_TABLES; i++) {
		size_t n = busiest_list(
		    busiest, (enum busiest_table)i, show->monotonic, list);

		evbuffer_add_printf(out, ",\"%s\":[", show_busiest[i].key);
		for (size_t k = 0; k < n; k++) {
			evbuffer_add_printf(
			    out, "%s{\"name\":", k > 0 ? "," : "");
			show_put_quoted(out, top_key(list[k]));
			evbuffer_add_printf(out,
			    ",\"occurrences\":%" PRIu64 ",\"error\":%" PRIu64
			    ",\"blocked\":%" PRIu64 "}",
			    list[k]->count, list[k]->error, list[k]->sum[0]);
		}
		evbuffer_add_printf(out, "]");
	}
	evbuffer_add_printf(out, "}");
}

void
show_json(const struct show *show, struct evbuffer *out)
{
	const char *trouble = show_trouble(show);

	evbuffer_add_printf(out, "{\"program\":\"sepmlogd\",\"version\":"
				 "\"" SEPMLOG_VERSION "\",\"time\":");
	put_time(out, show->now);
	evbuffer_add_printf(out,
	    ",\"uptime\":%" PRIu64 ",\"ready\":%s,\"connections\":%u,"
	    "\"tls_sessions\":%u,\"bytes\":%" PRIu64,
	    show->uptime, trouble == NULL ? "true" : "false",
	    show->view->connections, show->view->sessions, show->sum.bytes);
	put_troubles(show, out);
	put_counters(show, out);
	put_streams(show, out);
	put_spool(show, out);
	put_latency(show, out);
	put_listeners(show, out);
	put_vault(show, out);
	put_sources(show, out);
	put_busiest(show, out);
	if (show->view->expires != INT64_MAX)
		evbuffer_add_printf(out, ",\"certificate_expires\":%" PRId64,
		    show->view->expires);
	if (show->has_uploads)
		evbuffer_add_printf(out, ",");
	show_uploads(show, uploads_json, out);
	evbuffer_add_printf(out, "}\n");
}
