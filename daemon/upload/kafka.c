#include "kafka.h"

#include <errno.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "records.h"
#include "secret.h"
#include "spool/disk.h"
#include "web.h"

enum {
	POLL = 200,           /* ms between looks at *stop */
	JOURNAL_EVERY = 1000, /* ms */
	PARTITIONS = 64,      /* whose last offset a receipt can name */
	TOPIC = 249,          /* the longest name Kafka allows */
	OVERHEAD = 1024,      /* of a message: its key, headers and lengths */
	SCRAM_IS_RIGHT = 0x020601ff, /* librdkafka that speaks it as RFC 5802 */
};

/* A record that was sent, in order, until it is journalled. */
struct sent {
	uint64_t end; /* of the content, behind it */
	bool acked;
};

struct kafka {
	const struct kafka_options *options;
	rd_kafka_t *producer; /* NULL: before the first file, after a failure */
	char last_error[256]; /* of the connections */
	bool no_login;        /* that was it */
	struct sent *sent;    /* a ring of options->unacknowledged */
	/* The ones from `kept` to `acked` are acknowledged and not journalled;
	 * from there to `next` they are under way. */
	uint64_t kept, acked, next;
	rd_kafka_resp_err_t failed; /* the first one of this file */
	char topic[TOPIC + 1];
	int64_t last[PARTITIONS]; /* offset; -1: none of this file */
};

/* One delivery. */
struct work {
	struct kafka *kafka;
	const struct target_file *file;
	struct target_watch *watch;
	struct target_result *result;
	struct records_name name;
	uint64_t offset, count; /* as journalled: content, and records */
	uint64_t kept_at;       /* ms, monotonic */
};

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- the producer --- */

static bool
set(rd_kafka_conf_t *conf, const char *name, const char *value, char *why,
    size_t size)
{
	char error[256];

	if (value == NULL || rd_kafka_conf_set(conf, name, value, error,
				 sizeof error) == RD_KAFKA_CONF_OK)
		return true;
	snprintf(why, size, "librdkafka: %s: %s", name, error);
	return false;
}

static bool
set_number(rd_kafka_conf_t *conf, const char *name, uint64_t value, char *why,
    size_t size)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, value);
	return set(conf, name, text, why, size);
}

static bool
set_limits(rd_kafka_conf_t *conf, const struct kafka_options *o, char *why,
    size_t size)
{
	uint64_t kib = o->buffer / 1024;

	return set(conf, "enable.idempotence", "true", why, size) &&
	       set(conf, "acks", "all", why, size) &&
	       set(conf, "compression.codec", o->compression, why, size) &&
	       set_number(
		   conf, "message.max.bytes", o->message_size, why, size) &&
	       set_number(conf, "queue.buffering.max.messages",
		   o->unacknowledged, why, size) &&
	       set_number(conf, "queue.buffering.max.kbytes", kib, why, size) &&
	       set_number(conf, "linger.ms", 20, why, size) &&
	       set_number(conf, "message.timeout.ms", o->timeout, why, size) &&
	       set_number(conf, "topic.metadata.propagation.max.ms",
		   o->timeout / 2, why, size) &&
	       set_number(conf, "reconnect.backoff.max.ms", 2000, why, size);
}

static bool
set_login(rd_kafka_conf_t *conf, const struct kafka_options *o, char *why,
    size_t size)
{
	static const char *const mechanisms[] = {
	    [KAFKA_PLAIN] = "PLAIN",
	    [KAFKA_SCRAM_256] = "SCRAM-SHA-256",
	    [KAFKA_SCRAM_512] = "SCRAM-SHA-512",
	};
	struct secret secret;
	bool ok;

	if (o->sasl == KAFKA_NONE)
		return true;
	if (!secret_read(o->password_file, &secret, why, size))
		return false;
	ok = set(conf, "sasl.mechanism", mechanisms[o->sasl], why, size) &&
	     set(conf, "sasl.username", o->user, why, size) &&
	     set(conf, "sasl.password", secret.text, why, size);
	secret_clear(&secret);
	return ok;
}

static bool
set_security(rd_kafka_conf_t *conf, const struct kafka_options *o, char *why,
    size_t size)
{
	static const char *const protocols[2][2] = {
	    {"plaintext", "sasl_plaintext"}, {"ssl", "sasl_ssl"}};

	return set(conf, "ssl.endpoint.identification.algorithm", "https", why,
		   size) &&
	       set(conf, "security.protocol",
		   protocols[o->tls][o->sasl != KAFKA_NONE], why, size) &&
	       set(conf, "ssl.ca.location", o->ca, why, size) &&
	       set(conf, "ssl.certificate.location", o->certificate, why,
		   size) &&
	       set(conf, "ssl.key.location", o->key, why, size) &&
	       set_login(conf, o, why, size);
}

static void
error_cb(rd_kafka_t *producer, int code, const char *reason, void *opaque)
{
	struct kafka *k = opaque;

	(void)producer;
	/* That all are down says less than why the last of them is. */
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN &&
	    k->last_error[0] != '\0')
		return;
	snprintf(k->last_error, sizeof k->last_error, "%s", reason);
	k->no_login = code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
}

static void
log_cb(const rd_kafka_t *producer, int level, const char *facility,
    const char *text)
{
	(void)producer;
	(void)level;
	(void)facility;
	(void)text;
}

static void
note_offset(struct kafka *k, int32_t partition, int64_t offset)
{
	if (partition >= 0 && partition < PARTITIONS &&
	    offset > k->last[partition])
		k->last[partition] = offset;
}

static void
delivered_cb(rd_kafka_t *producer, const rd_kafka_message_t *m, void *opaque)
{
	struct kafka *k = opaque;
	uint64_t number = (uint64_t)(uintptr_t)m->_private;

	(void)producer;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (k->failed == RD_KAFKA_RESP_ERR_NO_ERROR)
			k->failed = m->err;
		return;
	}
	note_offset(k, m->partition, m->offset);
	k->sent[number % k->options->unacknowledged].acked = true;
	while (k->acked < k->next &&
	       k->sent[k->acked % k->options->unacknowledged].acked)
		k->acked++;
}

/* What a producer is made of. NULL: `why`. */
static rd_kafka_conf_t *
make_conf(const struct kafka_options *o, char *why, size_t size)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	if (set(conf, "bootstrap.servers", o->brokers, why, size) &&
	    set(conf, "client.id", "sepmlog-upload", why, size) &&
	    set_limits(conf, o, why, size) && set_security(conf, o, why, size))
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

static bool
connect_to(struct kafka *k, char *why, size_t size)
{
	rd_kafka_conf_t *conf;
	char error[256];

	if (k->producer != NULL)
		return true;
	conf = make_conf(k->options, why, size);
	if (conf == NULL)
		return false;
	k->last_error[0] = '\0';
	k->no_login = false;
	rd_kafka_conf_set_opaque(conf, k);
	rd_kafka_conf_set_error_cb(conf, error_cb);
	rd_kafka_conf_set_log_cb(conf, log_cb);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered_cb);
	k->producer =
	    rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
	if (k->producer != NULL)
		return true;
	rd_kafka_conf_destroy(conf);
	snprintf(why, size, "librdkafka: %s", error);
	return false;
}

/* With all that is under way: it is sent again, or given up. */
static void
disconnect(struct kafka *k)
{
	if (k->producer == NULL)
		return;
	rd_kafka_purge(
	    k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_poll(k->producer, 0);
	rd_kafka_destroy(k->producer);
	k->producer = NULL;
}

static void *
kafka_open(const void *options, char *why, size_t size)
{
	const struct kafka_options *o = options;
	const char *const files[] = {o->ca, o->certificate};
	const char *const secrets[] = {o->key};
	rd_kafka_conf_t *conf;
	struct kafka *k;

	if (!web_can_read(files, 2, why, size) ||
	    !secret_can_read(secrets, 1, why, size))
		return NULL;
	conf = make_conf(o, why, size);
	if (conf == NULL)
		return NULL;
	rd_kafka_conf_destroy(conf);
	k = calloc(1, sizeof *k);
	if (k != NULL)
		k->sent = calloc(o->unacknowledged, sizeof *k->sent);
	if (k == NULL || k->sent == NULL) {
		free(k);
		snprintf(why, size, "no memory");
		return NULL;
	}
	k->options = o;
	return k;
}

static void
kafka_close(void *target)
{
	struct kafka *k = target;

	disconnect(k);
	free(k->sent);
	free(k);
}

/* --- how it went --- */

static bool fail(struct work *w, enum target_outcome outcome, bool down,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

static bool
fail(struct work *w, enum target_outcome outcome, bool down, const char *format,
    ...)
{
	struct target_result *r = w->result;
	va_list args;

	va_start(args, format);
	vsnprintf(r->reason, sizeof r->reason, format, args);
	va_end(args);
	r->outcome = atomic_load(w->watch->stop) ? TARGET_STOPPED : outcome;
	r->target_down = down;
	return false;
}

/* Older ones put their part of the nonce twice into the client's last message
 * (RFC 5802, 5.1: `r`). Kafka minds from 4.0 on. */
static const char *
hint_of_login(const struct kafka_options *o)
{
	bool scram = o->sasl == KAFKA_SCRAM_256 || o->sasl == KAFKA_SCRAM_512;

	if (scram && rd_kafka_version() < SCRAM_IS_RIGHT)
		return "; check `user` and `password_file`; this librdkafka "
		       "is older than 2.6.1, and can log in with SCRAM up to "
		       "Kafka 3.9 only: take `sasl: plain` for Kafka 4";
	return "; check `sasl`, `user` and `password_file`";
}

static const char *
hint_of(const struct kafka *k, rd_kafka_resp_err_t error)
{
	switch (error) {
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		return "; check `topic`, and make it if it is not there";
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		return "; the login needs to WRITE to the topic";
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
		if (k->no_login)
			return hint_of_login(k->options);
		return "; check `brokers`, `tls`, `ca`, the login, and "
		       "whether the topic's replicas are there";
	default:
		return "";
	}
}

/* A record was not taken. */
static bool
fail_delivery(struct work *w, rd_kafka_resp_err_t error)
{
	const struct kafka *k = w->kafka;
	bool told = k->last_error[0] != '\0';

	if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
		return fail(w, TARGET_REFUSED, false,
		    "%s: a record is larger than the topic takes: raise its "
		    "max.message.bytes, then move the file back to ready/",
		    k->topic);
	return fail(w, TARGET_RETRY, true, "%s: %s%s%s%s", k->topic,
	    rd_kafka_err2str(error), hint_of(k, error), told ? ": " : "",
	    k->last_error);
}

static bool
fail_reading(struct work *w, enum records_status status, const char *why)
{
	if (status == RECORDS_BROKEN)
		return fail(w, TARGET_REFUSED, false,
		    "it is broken: %s: look at it in quarantine", why);
	return fail(w, TARGET_RETRY, false, "cannot read it: %s", why);
}

/* --- how far it is --- */

static bool
keep_journal(struct work *w)
{
	struct kafka *k = w->kafka;

	w->kept_at = now_ms();
	if (k->acked == k->kept)
		return true;
	w->offset = k->sent[(k->acked - 1) % k->options->unacknowledged].end;
	w->count += k->acked - k->kept;
	k->kept = k->acked;
	snprintf(w->watch->journal, sizeof w->watch->journal,
	    "records %" PRIu64 " %" PRIu64, w->offset, w->count);
	return w->watch->keep_journal(w->watch) ||
	       fail(w, TARGET_RETRY, false,
		   "cannot note how far it is: %s: make room, or check the "
		   "disk",
		   strerrordesc_np(errno));
}

static bool
look(struct work *w, int wait)
{
	struct kafka *k = w->kafka;

	rd_kafka_poll(k->producer, wait);
	if (atomic_load(w->watch->stop))
		return fail(w, TARGET_STOPPED, false, "stopped");
	if (k->failed != RD_KAFKA_RESP_ERR_NO_ERROR)
		return fail_delivery(w, k->failed);
	return now_ms() - w->kept_at < JOURNAL_EVERY || keep_journal(w);
}

/* Room for one more in the window. */
static bool
make_room(struct work *w)
{
	struct kafka *k = w->kafka;

	while (k->next - k->kept >= k->options->unacknowledged) {
		if (!look(w, POLL) ||
		    (k->acked - k->kept >=
			    (k->options->unacknowledged + 1) / 2 &&
			!keep_journal(w)))
			return false;
	}
	return true;
}

/* All that were sent are there. */
static bool
settle(struct work *w)
{
	struct kafka *k = w->kafka;

	while (k->acked < k->next)
		if (!look(w, POLL))
			return false;
	return keep_journal(w);
}

/* --- sending --- */

struct letter {
	struct span key, value, id;
	uint64_t end;
};

static rd_kafka_resp_err_t
produce(struct work *w, const struct letter *l)
{
	struct kafka *k = w->kafka;
	const char *stream = w->name.stream;
	const void *key = l->key.n > 0 ? l->key.p : NULL;

	return rd_kafka_producev(k->producer, RD_KAFKA_V_TOPIC(k->topic),
	    RD_KAFKA_V_KEY(key, l->key.n),
	    RD_KAFKA_V_VALUE((void *)(uintptr_t)l->value.p, l->value.n),
	    RD_KAFKA_V_HEADER("id", l->id.p, (ssize_t)l->id.n),
	    RD_KAFKA_V_HEADER("stream", stream, (ssize_t)strlen(stream)),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
	    RD_KAFKA_V_OPAQUE((void *)(uintptr_t)k->next), RD_KAFKA_V_END);
}

static bool
send_letter(struct work *w, const struct letter *l)
{
	struct kafka *k = w->kafka;
	struct target_watch *watch = w->watch;
	rd_kafka_resp_err_t error;

	if (!make_room(w))
		return false;
	if (watch->pace != NULL)
		watch->pace(watch->context, l->value.n);
	k->sent[k->next % k->options->unacknowledged] =
	    (struct sent){.end = l->end};
	while ((error = produce(w, l)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		if (!look(w, POLL))
			return false;
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		return fail_delivery(w, error);
	k->next++;
	return look(w, 0);
}

static bool
send_records(struct work *w, struct records *records)
{
	uint64_t from = w->offset; /* w->offset grows with what is acked */
	enum records_status status;
	struct record_line line;
	char id[RECORDS_ID + 1];
	struct letter l;

	while ((status = records_next(records, &line)) == RECORDS_LINE) {
		if (line.end <= from)
			continue;
		l.id = span_of(id, record_id(&w->name, &line, id));
		l.key = record_source(w->name.format, line.text);
		l.value = line.text;
		l.end = line.end;
		if (!send_letter(w, &l))
			return false;
		atomic_store(&w->watch->sent, records_done(records));
	}
	return status == RECORDS_END ||
	       fail_reading(w, status, records_why(records));
}

static bool
send_by_record(struct work *w)
{
	struct records *records =
	    records_new(w->file->fd, &w->name, w->kafka->options->message_size);
	bool ok;

	if (records == NULL)
		return fail(w, TARGET_RETRY, false, "no memory");
	ok = send_records(w, records) && settle(w);
	records_free(records);
	return ok;
}

/* Is there nothing in it that could not be sent? */
static bool
read_through(struct work *w)
{
	uint64_t most = w->kafka->options->message_size;
	struct records *records = records_new(w->file->fd, &w->name, most);
	enum records_status status = RECORDS_LINE;
	struct record_line line;
	bool ok = true;

	if (records == NULL)
		return fail(w, TARGET_RETRY, false, "no memory");
	while (ok && !atomic_load(w->watch->stop) &&
	       (status = records_next(records, &line)) == RECORDS_LINE)
		/* Its key and headers count, too. */
		if (line.length + OVERHEAD > most)
			ok = fail(w, TARGET_REFUSED, false,
			    "record %" PRIu64 " has %" PRIu64
			    " bytes, which is too much for "
			    "`message_size`: raise it, here and for the "
			    "topic, then move the file back to ready/",
			    line.number, line.length);
	if (ok && status == RECORDS_LINE)
		ok = fail(w, TARGET_STOPPED, false, "stopped");
	else if (ok && status != RECORDS_END)
		ok = fail_reading(w, status, records_why(records));
	records_free(records);
	return ok;
}

static bool
send_whole(struct work *w)
{
	const struct target_file *file = w->file;
	struct letter l = {
	    .key = span_str(w->name.stream),
	    .id = span_str(file->name),
	    .end = file->size,
	};
	char *bytes;
	size_t n = 0;
	bool ok;

	if (file->size + OVERHEAD > w->kafka->options->message_size)
		return fail(w, TARGET_REFUSED, false,
		    "it has %" PRIu64
		    " bytes, which is too much for `message_size`: let "
		    "`spool.rotate` make smaller files, or raise it, here and "
		    "for the topic, and move the file back to ready/",
		    file->size);
	bytes = malloc(file->size + 1);
	if (bytes == NULL)
		return fail(w, TARGET_RETRY, false, "no memory");
	if (!disk_read(file->fd, 0, bytes, file->size, &n) || n < file->size) {
		ok = fail_reading(w, RECORDS_FAILED,
		    n < file->size ? "it is shorter than it was"
				   : strerrordesc_np(errno));
	} else {
		l.value = span_of(bytes, n);
		ok = send_letter(w, &l) && settle(w);
	}
	free(bytes);
	return ok;
}

/* --- a delivery --- */

static bool
set_topic(struct work *w)
{
	static const char place[] = "%stream";
	const struct kafka_options *o = w->kafka->options;
	const char *at = strstr(o->topic, place);
	char topic[512];
	int n;

	n = at == NULL ? snprintf(topic, sizeof topic, "%s", o->topic)
		       : snprintf(topic, sizeof topic, "%.*s%s%s",
			     (int)(at - o->topic), o->topic, w->name.stream,
			     at + sizeof place - 1);
	if (n < 0 || n > TOPIC)
		return fail(w, TARGET_RETRY, true,
		    "`topic` is longer than Kafka allows (249)");
	memcpy(w->kafka->topic, topic, (size_t)n + 1);
	snprintf(w->result->remote, sizeof w->result->remote,
	    "kafka://%.700s/%.249s", o->brokers, topic);
	return true;
}

static void
note_check(struct work *w)
{
	const struct kafka *k = w->kafka;
	struct target_result *r = w->result;
	size_t n;

	n = (size_t)snprintf(r->check, sizeof r->check,
	    "records:%" PRIu64 " offsets:", w->count);
	for (int i = 0; i < PARTITIONS; i++) {
		if (k->last[i] < 0)
			continue;
		if (n + 40 > sizeof r->check)
			break;
		n += (size_t)snprintf(r->check + n, sizeof r->check - n,
		    "%d@%" PRId64 ",", i, k->last[i]);
	}
	if (r->check[n - 1] == ',' || r->check[n - 1] == ':')
		r->check[n - 1] = '\0';
}

static void
begin(struct kafka *k)
{
	k->kept = k->acked = k->next = 0;
	k->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
	for (int i = 0; i < PARTITIONS; i++)
		k->last[i] = -1;
}

static bool
deliver(struct work *w)
{
	bool whole = w->kafka->options->send == KAFKA_FILES;
	char why[TARGET_REASON];

	begin(w->kafka);
	w->kept_at = now_ms();
	if (!records_name(w->file->name, &w->name))
		return fail(w, TARGET_REFUSED, false,
		    "it is not named as a file of the spool");
	if (!set_topic(w))
		return false;
	if (sscanf(w->watch->journal, "records %" SCNu64 " %" SCNu64,
		&w->offset, &w->count) != 2)
		w->offset = w->count = 0;
	if (!whole && !read_through(w))
		return false;
	if (!connect_to(w->kafka, why, sizeof why))
		return fail(w, TARGET_RETRY, true, "%s", why);
	return whole ? send_whole(w) : send_by_record(w);
}

static void
kafka_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct work w = {
	    .kafka = target,
	    .file = file,
	    .watch = watch,
	    .result = result,
	};

	if (deliver(&w)) {
		note_check(&w);
		result->outcome = TARGET_DELIVERED;
		return;
	}
	/* What was acknowledged is not to be sent again. */
	if (w.kafka->acked > w.kafka->kept) {
		struct target_result kept = *result;

		(void)keep_journal(&w);
		*result = kept;
	}
	disconnect(w.kafka);
}

const struct target_kind target_kafka = {
    .name = "kafka",
    .open = kafka_open,
    .deliver = kafka_deliver,
    .close = kafka_close,
};
