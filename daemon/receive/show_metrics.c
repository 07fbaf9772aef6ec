#include <inttypes.h>

#include "show.h"
#include "show_put.h"
#include "trouble.h"

/* Names that are in use elsewhere for the same thing are used here, too. */
static void
head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(
	    out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
put_one(struct evbuffer *out, const char *name, const char *type,
    const char *help, uint64_t value)
{
	head(out, name, type, help);
	evbuffer_add_printf(out, "%s %" PRIu64 "\n", name, value);
}

static void
put_labelled(struct evbuffer *out, const char *name, const char *label,
    const char *text, uint64_t value)
{
	evbuffer_add_printf(out, "%s{%s=", name, label);
	show_put_quoted(out, span_str(text));
	evbuffer_add_printf(out, "} %" PRIu64 "\n", value);
}

static void
put_input(const struct show *show, struct evbuffer *out)
{
	const struct counters *c = show->view->counters;

	head(out, "input_events_total", "counter",
	    "Messages received, by transport.");
	put_labelled(out, "input_events_total", "transport", "udp", c->udp);
	put_labelled(out, "input_events_total", "transport", "tcp", c->tcp);
	put_labelled(out, "input_events_total", "transport", "tls", c->tls);
	put_one(out, "input_event_bytes_total", "counter",
	    "Bytes of the messages received.", show->sum.bytes);
	put_one(out, "parsed_events_total", "counter",
	    "Messages that were understood.",
	    c->udp + c->tcp + c->tls - c->unparsed);
	put_one(out, "filtered_events_total", "counter",
	    "Messages that no stream wants.", c->filtered);
	put_one(out, "socket_connections", "gauge",
	    "Connections of senders that are open.", show->view->connections);
	put_one(out, "socket_max_connections", "gauge",
	    "Connections that may be open.",
	    show->view->config->max_connections);
	put_one(out, "socket_rejected_connections_total", "counter",
	    "Connections refused or turned away, for all causes.",
	    c->tcp_refused + c->over_limit + c->over_source +
		c->over_handshakes + c->handshake_failures + c->not_permitted +
		c->handshake_timeouts);
	put_one(out, "socket_receive_dropped_packets_total", "counter",
	    "Datagrams that the kernel dropped.", c->kernel_drops);
	put_one(out, "sepmlogd_sources", "gauge",
	    "Sender addresses that are known.", show->sum.sources);
}

static void
put_events(const struct show *show, struct evbuffer *out)
{
	struct counters_row row;

	head(out, "sepmlogd_events_total", "counter",
	    "What became of messages and connections, by kind.");
	for (size_t i = 0; counters_row(show->view->counters, i, &row); i++)
		put_labelled(
		    out, "sepmlogd_events_total", "kind", row.name, row.value);
	head(out, "sepmlogd_lost_total", "counter",
	    "Messages, or connections with messages, lost, by cause.");
	for (size_t i = 0; counters_row(show->view->counters, i, &row); i++)
		if (row.loss)
			put_labelled(out, "sepmlogd_lost_total", "cause",
			    row.name, row.value);
}

static void
put_types(const struct show *show, struct evbuffer *out)
{
	const struct counters_type *types = show->view->counters->types;

	head(out, "sepmlogd_messages_total", "counter",
	    "Messages received, by the log that they are of.");
	for (size_t i = 0; i < RECORD_TYPE_COUNT; i++)
		put_labelled(out, "sepmlogd_messages_total", "type",
		    record_type_name[i].p, types[i].messages);
	head(out, "sepmlogd_message_bytes_total", "counter", "Their bytes.");
	for (size_t i = 0; i < RECORD_TYPE_COUNT; i++)
		put_labelled(out, "sepmlogd_message_bytes_total", "type",
		    record_type_name[i].p, types[i].bytes);
}

/* A counter of each stream. */
static void
put_streams(const struct show *show, struct evbuffer *out, const char *name,
    const char *help,
    uint64_t (*value)(const struct pipeline *pipeline, size_t index))
{
	const struct config *config = show->view->config;

	head(out, name, "counter", help);
	for (size_t i = 0; i < config->stream_count; i++)
		put_labelled(out, name, "stream", config->streams[i].name,
		    value(show->view->pipeline, i));
}

static void
put_output(const struct show *show, struct evbuffer *out)
{
	const struct config *config = show->view->config;
	const struct spool_status *spool = &show->spool;

	put_streams(show, out, "output_events_total",
	    "Records, by stream that they went to.", pipeline_stored);
	put_streams(show, out, "output_event_bytes_total",
	    "Their bytes, before they are compressed.", pipeline_written);
	put_one(out, "sepmlogd_records_written_total", "counter",
	    "Records that the disk has, not all of them durably.",
	    spool->accepted);
	put_one(out, "sepmlogd_records_committed_total", "counter",
	    "Records that are durable.", spool->committed);
	put_one(out, "sepmlogd_records_published_total", "counter",
	    "Records in files that were published in ready/.",
	    spool->published);
	put_one(out, "sepmlogd_files_published_total", "counter",
	    "Files published in ready/.", spool->files_published);
	put_one(out, "sepmlogd_files_dropped_total", "counter",
	    "Files deleted in ready/ to make room (on_full: drop_oldest).",
	    spool->files_dropped);
	put_one(out, "sepmlogd_spool_bytes", "gauge",
	    "Bytes in live/ and ready/.", spool->bytes_used);
	put_one(out, "sepmlogd_spool_quota_bytes", "gauge",
	    "Bytes that they may take; 0: no limit.", config->spool.quota);
	put_one(out, "sepmlogd_spool_buffer_percent", "gauge",
	    "Use of the fullest buffer between the sockets and the disk.",
	    spool_fill(show->view->spool));
	put_one(out, "sepmlogd_spool_ok", "gauge",
	    "1: records are stored; 0: the disk is full or refuses.",
	    spool->state == SPOOL_OK);
}

static void
put_latency(const struct show *show, struct evbuffer *out)
{
	const struct latency_counts *c = &show->view->latency;
	static const char name[] = "sepmlogd_commit_latency_seconds";
	uint64_t sum = 0;

	head(out, name, "histogram",
	    "What the record that waited longest of each commit had waited, "
	    "from the buffer to the disk.");
	for (unsigned i = 0; i < LATENCY_BUCKETS - 1; i++) {
		sum += c->count[i];
		evbuffer_add_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n",
		    name, (double)latency_bound[i] / 1e6, sum);
	}
	sum += c->count[LATENCY_BUCKETS - 1];
	evbuffer_add_printf(out,
	    "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64
	    "\n",
	    name, sum, name, (double)c->sum / 1e6, name, sum);
}

/* A gauge or counter of each UDP listener. */
static void
put_listeners(const struct show *show, struct evbuffer *out, const char *name,
    const char *type, const char *help,
    uint64_t (*value)(const struct show *show, const struct endpoint *e))
{
	const struct endpoints *all = show->view->endpoints;

	head(out, name, type, help);
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i]->transport == CONFIG_UDP)
			put_labelled(out, name, "listener", all->list[i]->name,
			    value(show, all->list[i]));
}

static uint64_t
buffer_of(const struct show *show, const struct endpoint *e)
{
	(void)show;
	return (uint64_t)e->buffer;
}

static uint64_t
highest_of(const struct show *show, const struct endpoint *e)
{
	struct fill_mark high = fill_highest(&e->fill, show->monotonic);

	return fill_percent(&high);
}

static uint64_t
bursts_of(const struct show *show, const struct endpoint *e)
{
	(void)show;
	return e->fill.bursts;
}

static void
put_buffers(const struct show *show, struct evbuffer *out)
{
	put_listeners(show, out, "sepmlogd_receive_buffer_bytes", "gauge",
	    "Receive buffer of a UDP listener.", buffer_of);
	put_listeners(show, out, "sepmlogd_receive_buffer_highest_percent",
	    "gauge", "What a burst of the last hour took of it at most.",
	    highest_of);
	put_listeners(show, out, "sepmlogd_receive_bursts_total", "counter",
	    "Bursts: more datagrams at once than are read in one go.",
	    bursts_of);
	put_one(out, "sepmlogd_stray_datagrams_total", "counter",
	    "Datagrams of the network that came to ports where nobody "
	    "listens.",
	    show->view->no_ports);
}

static uint64_t
age(int64_t then, int64_t now_us)
{
	int64_t now = now_us / 1000000;

	return then != 0 && then < now ? (uint64_t)(now - then) : 0;
}

/* One number of each target of the uploader. */
static void
put_targets(const struct show *show, struct evbuffer *out, const char *name,
    const char *type, const char *help,
    uint64_t (*value)(const struct show *show, const struct delivery *t))
{
	head(out, name, type, help);
	for (size_t i = 0; i < show->uploads.count; i++)
		put_labelled(out, name, "target", show->uploads.target[i].name,
		    value(show, &show->uploads.target[i]));
}

#define VALUE(name, expression)                                                \
	static uint64_t name(                                                  \
	    const struct show *show, const struct delivery *t)                 \
	{                                                                      \
		(void)show;                                                    \
		return expression;                                             \
	}
VALUE(waiting_of, t->waiting)
VALUE(bytes_of, t->bytes)
VALUE(delivered_of, t->delivered)
VALUE(refused_of, t->refused)
VALUE(works_of, !t->fails)
VALUE(oldest_of, age(t->oldest, show->now))
#undef VALUE

static void
put_uploads(const struct show *show, struct evbuffer *out)
{
	if (!show->has_uploads)
		return;
	put_one(out, "sepmlogd_upload_status_age_seconds", "gauge",
	    "Since sepmlog-upload last said what follows.",
	    age(show->uploads.written, show->now));
	put_targets(show, out, "sepmlogd_upload_ok", "gauge",
	    "1: its last delivery worked.", works_of);
	put_targets(show, out, "sepmlogd_upload_pending_files", "gauge",
	    "Files that wait for the target.", waiting_of);
	put_targets(show, out, "sepmlogd_upload_pending_bytes", "gauge",
	    "Their bytes.", bytes_of);
	put_targets(show, out, "sepmlogd_upload_oldest_pending_seconds",
	    "gauge", "Age of the oldest of them; 0: none waits.", oldest_of);
	put_targets(show, out, "sepmlogd_upload_delivered_files_total",
	    "counter", "Files delivered since the uploader's start.",
	    delivered_of);
	put_targets(show, out, "sepmlogd_upload_quarantined_files_total",
	    "counter", "Files that the target refused since then.", refused_of);
}

static void
put_vault(const struct show *show, struct evbuffer *out)
{
	const struct vaulter_status *vault = &show->vault;

	if (show->view->vaulter == NULL)
		return;
	put_one(out, "sepmlogd_vault_sealed_total", "counter",
	    "Values behind tokens that were sealed.", vault->sealed);
	head(out, "sepmlogd_vault_unsealed_total", "counter",
	    "Times that a token was stored and its value not sealed, by "
	    "cause.");
	for (size_t i = 0; i < VAULT_CAUSES; i++)
		put_labelled(out, "sepmlogd_vault_unsealed_total", "cause",
		    show_vault_causes[i], vault->unsealed[i]);
	put_one(out, "sepmlogd_vault_ok", "gauge",
	    "1: values are sealed; 0: the disk is full or refuses.",
	    vault->cause == VAULT_BUSY);
}

static void
put_process(const struct show *show, struct evbuffer *out)
{
	head(out, "sepmlogd_info", "gauge", "The program.");
	evbuffer_add_printf(
	    out, "sepmlogd_info{version=\"" SEPMLOG_VERSION "\"} 1\n");
	put_one(out, "sepmlogd_uptime_seconds", "gauge", "Since the start.",
	    show->uptime);
	put_one(out, "sepmlogd_ready", "gauge",
	    "1: messages are taken and stored, as /readyz says.",
	    show_trouble(show) == NULL);
	put_one(out, "sepmlogd_last_reload_successful", "gauge",
	    "0: the last reload was refused.", !show->view->refused);
	if (show->view->expires == INT64_MAX)
		return;
	head(out, "sepmlogd_certificate_expiry_timestamp_seconds", "gauge",
	    "When the first TLS certificate ends.");
	evbuffer_add_printf(out,
	    "sepmlogd_certificate_expiry_timestamp_seconds %" PRId64 "\n",
	    show->view->expires);
}

void
show_metrics(const struct show *show, struct evbuffer *out)
{
	put_process(show, out);
	put_input(show, out);
	put_events(show, out);
	put_types(show, out);
	put_output(show, out);
	put_latency(show, out);
	put_buffers(show, out);
	put_uploads(show, out);
	put_vault(show, out);
}
