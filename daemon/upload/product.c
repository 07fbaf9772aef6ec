#include "product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bulk.h"
#include "timestamp.h"

bool
product_name(const char *text, const char *stream, char *out, size_t size)
{
	static const char place[] = "%stream";
	const char *at = strstr(text, place);
	int n = at == NULL ? snprintf(out, size, "%s", text)
			   : snprintf(out, size, "%.*s%s%s", (int)(at - text),
				 text, stream, at + sizeof place - 1);

	return n >= 0 && (size_t)n < size;
}

/* --- of a record --- */

static bool
is_json(const struct records_name *name)
{
	return name->format != ENCODE_FORMAT_COUNT &&
	       encode_is_json(name->format);
}

size_t
product_size(const struct records_name *name, struct span text)
{
	return is_json(name) ? text.n : body_json_size(text);
}

/* A JSON object as it is, any other line as a string. */
static void
put_line(const struct shipment *s, const struct item *item, struct body *body)
{
	if (is_json(s->name))
		body_put(body, item->text);
	else
		body_put_json(body, item->text);
}

/* UTC nanoseconds. Records of the same microsecond differ by their number, so
 * that they stay in order, and one that comes again is the same. */
static int64_t
time_of(const struct shipment *s, const struct item *item)
{
	int64_t us;

	if (!record_time(s->name->format, item->text, &us))
		us = s->written;
	return us * 1000 + (int64_t)(item->number % 1000);
}

/* RFC 3339 */
static void
put_time(struct body *body, int64_t ns)
{
	struct civil c;
	char text[64];

	civil_of(ns / 1000000000, &c);
	snprintf(text, sizeof text, "\"%04d-%02d-%02dT%02d:%02d:%02d.%09dZ\"",
	    c.year, c.month, c.day, c.hour, c.minute, c.second,
	    (int)(ns % 1000000000));
	body_put_str(body, text);
}

static void
put_member(struct body *body, const char *key, struct span value)
{
	body_put_str(body, key);
	body_put_json(body, value);
}

/* --- answers --- */

/* Behind the first `mark`; NULL: it is not there. */
static const char *
behind(const struct answer *a, const char *mark)
{
	const char *at = memmem(a->text.p, a->text.n, mark, strlen(mark));

	return at != NULL ? at + strlen(mark) : NULL;
}

static bool
is_good(const struct answer *a)
{
	return a->status >= 200 && a->status < 300;
}

/* 400 is about the records. */
static void
judge_plainly(const struct answer *a, struct shipment *s, struct judgement *j)
{
	(void)s;
	j->verdict = is_good(a)         ? VERDICT_TAKEN
		     : a->status == 400 ? VERDICT_BAD
					: VERDICT_DOWN;
}

/* --- Splunk: HTTP Event Collector --- */

static bool
splunk_path(const struct shipment *s, char *path, size_t size)
{
	(void)s;
	return snprintf(path, size, "/services/collector/event") < (int)size;
}

static void
splunk_wrap(const struct shipment *s, struct body *body)
{
	const struct batch_options *o = s->options;
	struct span source;
	char index[256], time[48];
	int64_t us;

	for (size_t i = 0; i < s->count; i++) {
		const struct item *item = &s->item[i];

		body_put_str(body, "{\"event\":");
		put_line(s, item, body);
		if (record_time(s->name->format, item->text, &us) && us >= 0) {
			snprintf(time, sizeof time, ",\"time\":%lld.%06d",
			    (long long)(us / 1000000), (int)(us % 1000000));
			body_put_str(body, time);
		}
		source = record_source(s->name->format, item->text);
		if (source.n > 0)
			put_member(body, ",\"host\":", source);
		put_member(body, ",\"source\":", span_str(s->name->stream));
		if (o->sourcetype != NULL)
			put_member(
			    body, ",\"sourcetype\":", span_str(o->sourcetype));
		if (o->index != NULL && product_name(o->index, s->name->stream,
					    index, sizeof index))
			put_member(body, ",\"index\":", span_str(index));
		put_member(
		    body, ",\"fields\":{\"record_id\":", span_str(item->id));
		body_put_str(body, "}}\n");
	}
}

static void
splunk_judge(const struct answer *a, struct shipment *s, struct judgement *j)
{
	const char *code = behind(a, "\"code\":");
	const char *at = behind(a, "\"invalid-event-number\":");

	j->verdict = VERDICT_DOWN;
	j->hint = "check `url`: it does not answer as an HTTP Event Collector";
	if (code == NULL)
		return;
	j->hint = NULL;
	switch (strtol(code, NULL, 10)) {
	case 0:
		j->verdict = is_good(a) ? VERDICT_TAKEN : VERDICT_AGAIN;
		break;
	case 6:  /* Invalid data format */
	case 12: /* Event field is required */
	case 13: /* Event field cannot be blank */
	case 15: /* Error in handling indexed fields */
		j->verdict = VERDICT_BAD;
		if (at != NULL)
			j->at = strtoul(at, NULL, 10);
		break;
	case 7: /* Incorrect index */
		j->hint = "check `index`, and what the token allows";
		break;
	case 10: /* Data channel is missing */
	case 11:
	case 14: /* ACK is disabled */
		j->hint = "take indexer acknowledgement off the token";
		break;
	default:
		break;
	}
	(void)s;
}

/* --- Elasticsearch, OpenSearch: _bulk --- */

static bool
elastic_path(const struct shipment *s, char *path, size_t size)
{
	char index[256];
	int n;

	if (!product_name(
		s->options->index, s->name->stream, index, sizeof index))
		return false;
	n = snprintf(path, size,
	    "/%s/_bulk?filter_path=errors,items.*.status,"
	    "items.*.error.type,items.*.error.reason",
	    index);
	return n >= 0 && (size_t)n < size;
}

static void
elastic_wrap(const struct shipment *s, struct body *body)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct item *item = &s->item[i];

		/* `create`: what is there under this id stays. */
		put_member(body, "{\"create\":{\"_id\":", span_str(item->id));
		body_put_str(body, "}}\n");
		if (!is_json(s->name)) {
			body_put_str(body, "{\"@timestamp\":");
			put_time(body, time_of(s, item));
			body_put_str(body, ",\"message\":");
		}
		put_line(s, item, body);
		body_put_str(body, is_json(s->name) ? "\n" : "}\n");
	}
}

struct bulk_verdicts {
	struct shipment *s;
	struct judgement *j;
	bool again, down;
};

static void
bulk_cb(void *arg, size_t i, const struct bulk_item *got)
{
	struct bulk_verdicts *v = arg;
	struct item *item = &v->s->item[i];

	if (i >= v->s->count)
		return;
	if ((got->status >= 200 && got->status < 300) || got->status == 409) {
		item->state = ITEM_TAKEN;
		return;
	}
	item->state = ITEM_AGAIN;
	snprintf(item->reason, sizeof item->reason, "%ld %.*s: %.*s",
	    got->status, (int)(got->type.n < 60 ? got->type.n : 60),
	    got->type.p, (int)(got->reason.n < 90 ? got->reason.n : 90),
	    got->reason.p);
	if (got->status == 401 || got->status == 403 || got->status == 404)
		v->down = true;
	else if (got->status < 400 || got->status == 408 ||
		 got->status == 429 || got->status >= 500)
		v->again = true;
	else
		item->state = ITEM_BAD;
}

static void
elastic_judge(const struct answer *a, struct shipment *s, struct judgement *j)
{
	struct bulk_verdicts v = {.s = s, .j = j};
	bool whole;
	size_t n;

	j->verdict = VERDICT_DOWN;
	j->hint = "check `url` and `index`";
	if (!is_good(a))
		return;
	/* Of fewer records the answer has room; they are known by their ids. */
	if (!a->whole) {
		j->verdict = VERDICT_SMALLER;
		return;
	}
	n = bulk_read(a->text, bulk_cb, &v, &whole);
	if (!whole || n != s->count) {
		j->hint = "check `url`: it does not answer to each item of "
			  "_bulk";
		return;
	}
	j->verdict = v.down    ? VERDICT_DOWN
		     : v.again ? VERDICT_AGAIN
			       : VERDICT_ITEMS;
	j->hint = v.down ? "check `index`, and what the login may do" : NULL;
}

/* --- Loki --- */

static bool
loki_path(const struct shipment *s, char *path, size_t size)
{
	(void)s;
	return snprintf(path, size, "/loki/api/v1/push") < (int)size;
}

/* One stream of few labels: more of them, or values that senders choose, are
 * what Loki cannot take. */
static void
loki_wrap(const struct shipment *s, struct body *body)
{
	put_member(body,
	    "{\"streams\":[{\"stream\":{\"job\":\"sepmlogd\",\"stream\":",
	    span_str(s->name->stream));
	body_put_str(body, "},\"values\":[");
	for (size_t i = 0; i < s->count; i++) {
		body_put_str(body, i > 0 ? ",[\"" : "[\"");
		body_put_number(body, time_of(s, &s->item[i]));
		put_member(body, "\",", s->item[i].text);
		body_put_str(body, "]");
	}
	body_put_str(body, "]}]}");
}

/* --- VictoriaLogs --- */

static bool
victoria_path(const struct shipment *s, char *path, size_t size)
{
	(void)s;
	return snprintf(path, size,
		   "/insert/jsonline?_stream_fields=stream"
		   "&_time_field=_time&_msg_field=_msg") < (int)size;
}

static void
victoria_wrap(const struct shipment *s, struct body *body)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct item *item = &s->item[i];

		body_put_str(body, "{\"_time\":");
		put_time(body, time_of(s, item));
		put_member(body, ",\"stream\":", span_str(s->name->stream));
		put_member(body, ",\"record_id\":", span_str(item->id));
		if (is_json(s->name) && item->text.n > 2) {
			/* Its members are fields; the text is its name. */
			put_member(body, ",\"_msg\":", span_str(item->id));
			body_put_str(body, ",");
			body_put(body, span_skip(item->text, 1));
			body_put_str(body, "\n");
		} else {
			put_member(body, ",\"_msg\":", item->text);
			body_put_str(body, "}\n");
		}
	}
}

/* --- ClickHouse --- */

/* The block's token is of the records in it: the same when it comes again. */
static bool
clickhouse_path(const struct shipment *s, char *path, size_t size)
{
	char table[256];
	int n;

	if (!product_name(
		s->options->table, s->name->stream, table, sizeof table))
		return false;
	n = snprintf(path, size,
	    "/?query=INSERT%%20INTO%%20%s%%20FORMAT%%20JSONEachRow"
	    "&date_time_input_format=best_effort"
	    "&input_format_skip_unknown_fields=1",
	    table);
	if (n < 0 || (size_t)n >= size || !s->options->deduplicate)
		return n >= 0 && (size_t)n < size;
	path += n;
	size -= (size_t)n;
	n = snprintf(path, size, "&insert_deduplication_token=%s-%llu",
	    s->item[0].id, (unsigned long long)s->count);
	return n >= 0 && (size_t)n < size;
}

static void
clickhouse_wrap(const struct shipment *s, struct body *body)
{
	for (size_t i = 0; i < s->count; i++) {
		if (!is_json(s->name)) {
			put_member(body, "{\"id\":", span_str(s->item[i].id));
			body_put_str(body, ",\"message\":");
		}
		put_line(s, &s->item[i], body);
		body_put_str(body, is_json(s->name) ? "\n" : "}\n");
	}
}

/* Is it about what stands in the rows? (ClickHouse's ErrorCodes) */
static bool
is_of_rows(long code)
{
	static const long codes[] = {
	    6,   /* CANNOT_PARSE_TEXT */
	    26,  /* CANNOT_PARSE_QUOTED_STRING */
	    27,  /* CANNOT_PARSE_INPUT_ASSERTION_FAILED */
	    38,  /* CANNOT_PARSE_DATE */
	    41,  /* CANNOT_PARSE_DATETIME */
	    53,  /* TYPE_MISMATCH */
	    69,  /* ARGUMENT_OUT_OF_BOUND */
	    72,  /* CANNOT_PARSE_NUMBER */
	    117, /* INCORRECT_DATA */
	    130, /* CANNOT_READ_ARRAY_FROM_TEXT */
	    131, /* TOO_LARGE_STRING_SIZE */
	    349, /* CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN */
	    441, /* CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING */
	    469, /* VIOLATED_CONSTRAINT */
	    675, /* CANNOT_PARSE_IPV4 */
	    676, /* CANNOT_PARSE_IPV6 */
	};

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (code == codes[i])
			return true;
	return false;
}

static void
clickhouse_judge(
    const struct answer *a, struct shipment *s, struct judgement *j)
{
	const char *text =
	    a->exception != NULL ? a->exception : behind(a, "Code: ");
	long code = text != NULL ? strtol(text, NULL, 10) : 0;

	(void)s;
	if (code == 0) {
		if (is_good(a))
			j->verdict = VERDICT_TAKEN;
		return;
	}
	j->hint = NULL;
	j->verdict = is_of_rows(code) ? VERDICT_BAD : VERDICT_DOWN;
	if (code == 60 || code == 81) /* UNKNOWN_TABLE, UNKNOWN_DATABASE */
		j->hint = "check `table`, and make it if it is not there";
	if (code == 115) /* UNKNOWN_SETTING */
		j->hint = "an older server: say `deduplicate: no`";
	if (code == 192 || code == 193 || code == 497 || code == 516)
		j->hint = "check `user` and its password, and what it may do";
}

const struct product products[] = {
    {
	.name = "splunk",
	.content_type = "application/json",
	.scheme = "Splunk",
	.may = PRODUCT_INDEX | PRODUCT_SOURCETYPE,
	.path = splunk_path,
	.wrap = splunk_wrap,
	.judge = splunk_judge,
    },
    {
	.name = "elastic",
	.content_type = "application/x-ndjson",
	.scheme = "ApiKey",
	.may = PRODUCT_INDEX,
	.must = PRODUCT_INDEX,
	.path = elastic_path,
	.wrap = elastic_wrap,
	.judge = elastic_judge,
    },
    {
	.name = "loki",
	.content_type = "application/json",
	.scheme = "Bearer",
	.may = PRODUCT_TENANT,
	.path = loki_path,
	.wrap = loki_wrap,
	.judge = judge_plainly,
    },
    {
	.name = "victorialogs",
	.content_type = "application/stream+json",
	.scheme = "Bearer",
	/* -insert.maxLineSizeBytes, less the ids and what is around them. */
	.longest = 256 * 1024 - 1024,
	.path = victoria_path,
	.wrap = victoria_wrap,
	.judge = judge_plainly,
    },
    {
	.name = "clickhouse",
	.content_type = "application/x-ndjson",
	.scheme = "Bearer",
	.may = PRODUCT_TABLE | PRODUCT_DEDUPLICATE,
	.must = PRODUCT_TABLE,
	.has_codes = true,
	.path = clickhouse_path,
	.wrap = clickhouse_wrap,
	.judge = clickhouse_judge,
    },
};

const size_t products_count = sizeof products / sizeof products[0];
