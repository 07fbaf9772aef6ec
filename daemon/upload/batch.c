#include "batch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "product.h"

enum {
	URL = TARGET_REMOTE,
	WRAP = 1024,        /* bytes around a record, its id included */
	ANSWER_ITEM = 512,  /* bytes of an answer for each record */
	ANSWER = 64 * 1024, /* and at least */
	REJECT = 600,       /* around a record that was rejected */
	HOPELESS = 100,     /* records of a file rejected, and none taken */
};

struct batch {
	const struct batch_options *options;
	struct web web;
};

/* One delivery. */
struct work {
	const struct batch_options *options;
	struct web_work web;
	struct records_name name;
	int64_t written;
	struct records *records;
	struct body *body, *rejects;
	char *answer;
	size_t answer_size;

	struct item *item; /* of the batch that is being put together */
	char *text;        /* their texts */
	size_t count, used;
	bool held; /* the next record found no room in it */
	struct record_line line;

	size_t most; /* records in a request; the server may have wanted less */
	/* As journalled. */
	uint64_t offset, taken, rejected;
	char first[PRODUCT_REASON]; /* why one was rejected */
};

/* --- opening --- */

static void *
batch_open(const void *options, char *why, size_t size)
{
	struct batch *b = calloc(1, sizeof *b);

	if (b == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	b->options = options;
	if (web_open(&b->web, &b->options->access, why, size))
		return b;
	free(b);
	return NULL;
}

static void
batch_close(void *target)
{
	struct batch *b = target;

	web_close(&b->web);
	free(b);
}

/* --- a request --- */

static bool
set_headers(struct work *w)
{
	const struct batch_options *o = w->options;
	bool ok;

	ok = web_add_header(
		 &w->web, "Content-Type: %s", o->product->content_type) &&
	     /* The answer to it would be waited for, for a second. */
	     web_add_header(&w->web, "Expect:");
	if (ok && o->gzip)
		ok = web_add_header(&w->web, "Content-Encoding: gzip");
	if (ok && o->tenant != NULL)
		ok = web_add_header(&w->web, "X-Scope-OrgID: %s", o->tenant);
	if (o->access.token_file == NULL)
		web_set_login(&w->web);
	else if (ok)
		ok = web_add_header(&w->web, "Authorization: %s %s",
		    o->product->scheme, w->web.secret.text);
	WEB_SET(&w->web, CURLOPT_HTTPHEADER, w->web.headers);
	return ok;
}

static bool
url_of(const struct work *w, const struct shipment *s, char url[URL])
{
	const char *base = w->options->url;
	size_t n = strlen(base);

	while (n > 0 && base[n - 1] == '/')
		n--;
	snprintf(url, URL, "%.*s", (int)n, base);
	return w->options->product->path(s, url + n, URL - n);
}

/* Sends them; false: the result says why not. */
static bool
post(struct work *w, const struct shipment *s)
{
	const struct batch_options *o = w->options;
	struct target_watch *watch = w->web.watch;
	struct span content;
	char url[URL];
	CURLcode code;

	body_begin(w->body);
	o->product->wrap(s, w->body);
	if (!body_end(w->body, &content) || !url_of(w, s, url)) {
		web_again(&w->web, true,
		    "the request is larger than it should be: set a smaller "
		    "`batch: size`");
		return false;
	}
	if (watch->pace != NULL)
		watch->pace(watch->context, content.n);
	web_begin(&w->web, url);
	if (!set_headers(w)) {
		web_again(&w->web, false, "no memory");
		return false;
	}
	WEB_SET(&w->web, CURLOPT_POST, 1L);
	WEB_SET(&w->web, CURLOPT_POSTFIELDS, content.p);
	WEB_SET(&w->web, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)content.n);
	code = curl_easy_perform(w->web.web->curl);
	if (code == CURLE_OK)
		return true;
	web_no_answer(&w->web, code, true, NULL,
	    "; check `url`, `ca`, `proxy`, and whether the server runs");
	return false;
}

/* --- answers --- */

/* What a status means whoever says it; false: ask the product. */
static bool
judge_status(long status, struct judgement *j)
{
	j->verdict = VERDICT_DOWN;
	switch (status) {
	case 401:
	case 403:
		j->hint = "check the credentials, and what they may do";
		return true;
	case 405:
		j->hint = "check `url` and `product`";
		return true;
	case 407:
		j->hint = "the proxy wants a login, which is not supported";
		return true;
	case 413:
		j->verdict = VERDICT_SMALLER;
		return true;
	case 408:
	case 425:
		j->verdict = VERDICT_AGAIN;
		return true;
	case 429:
		return true;
	default:
		break;
	}
	if (status >= 500)
		return true;
	if (status < 300 || status >= 400)
		return false;
	j->hint = "redirects are not followed; set `url` to where it leads";
	return true;
}

static void
judge(struct work *w, struct shipment *s, struct judgement *j)
{
	struct answer a = {
	    .status = web_status(&w->web),
	    .text = span_of(w->answer, w->web.body_n),
	    .whole = !w->web.body_cut,
	    .exception = web_header(&w->web, "X-ClickHouse-Exception-Code"),
	};

	*j = (struct judgement){.at = s->count};
	if (!judge_status(a.status, j) || w->options->product->has_codes)
		w->options->product->judge(&a, s, j);
	if (j->verdict == VERDICT_DOWN && a.status == 404 && j->hint == NULL)
		j->hint = "check `url`";
}

static bool
fail_answer(struct work *w, const struct judgement *j, const struct shipment *s)
{
	const char *detail = w->web.answer;

	for (size_t i = 0; i < s->count; i++)
		if (s->item[i].state == ITEM_AGAIN) {
			detail = s->item[i].reason;
			break;
		}
	web_again(&w->web, j->verdict == VERDICT_DOWN, "answer %ld%s%s%s%s",
	    web_status(&w->web), j->hint != NULL ? ": " : "",
	    j->hint != NULL ? j->hint : "", detail[0] != '\0' ? ": " : "",
	    detail);
	return false;
}

/* --- what was taken, and what was not --- */

static void
mark_bad(struct item *item, const char *reason)
{
	item->state = ITEM_BAD;
	snprintf(item->reason, sizeof item->reason, "%s", reason);
}

static void
mark_refused(struct work *w, struct item *item)
{
	char reason[PRODUCT_REASON];

	snprintf(reason, sizeof reason, "answer %ld: %.*s", web_status(&w->web),
	    PRODUCT_REASON - 32, w->web.answer);
	mark_bad(item, reason);
}

static void
put_reject(struct work *w, const struct item *item)
{
	body_put_str(w->rejects, "{\"record\":");
	body_put_number(w->rejects, (int64_t)item->number);
	body_put_str(w->rejects, ",\"id\":");
	body_put_json(w->rejects, span_str(item->id));
	body_put_str(w->rejects, ",\"reason\":");
	body_put_json(w->rejects, span_str(item->reason));
	body_put_str(w->rejects, ",\"text\":");
	body_put_json(w->rejects, item->text);
	body_put_str(w->rejects, "}\n");
}

static bool
fail_disk(struct work *w)
{
	web_again(&w->web, false,
	    "cannot note how far it is: %s: make room, or check the disk",
	    strerrordesc_np(errno));
	return false;
}

/* Of no record, out of enough: it is no matter of records. */
static bool
is_hopeless(struct work *w)
{
	struct target_result *r = w->web.result;

	if (w->taken > 0 || w->rejected == 0)
		return false;
	snprintf(r->reason, sizeof r->reason,
	    "none of %" PRIu64
	    " records was taken: %s: see FILE@TARGET.rejects "
	    "in upload/quarantine/, then move the file back to ready/",
	    w->rejected, w->first);
	r->outcome = TARGET_REFUSED;
	return true;
}

/* The items are done with, each taken or bad. */
static bool
note(struct work *w, const struct item *item, size_t count)
{
	struct target_watch *watch = w->web.watch;
	struct span text;

	if (count == 0)
		return true;
	body_begin(w->rejects);
	for (size_t i = 0; i < count; i++) {
		w->taken += item[i].state == ITEM_TAKEN;
		if (item[i].state != ITEM_BAD)
			continue;
		if (w->rejected++ == 0)
			memcpy(w->first, item[i].reason, sizeof w->first);
		put_reject(w, &item[i]);
	}
	(void)body_end(w->rejects, &text); /* it has room for all */
	if (text.n > 0 && !watch->keep_rejects(watch, text))
		return fail_disk(w);
	if (w->rejected >= HOPELESS && is_hopeless(w))
		return false;
	w->offset = item[count - 1].end;
	snprintf(watch->journal, sizeof watch->journal,
	    "batch %" PRIu64 " %" PRIu64 " %" PRIu64, w->offset, w->taken,
	    w->rejected);
	return watch->keep_journal(watch) || fail_disk(w);
}

/* --- a batch --- */

/* The first `n` of these; *done is with how many it is done, *n how many to
 * try next. False: the result says why. */
static bool
ship(struct work *w, struct item *item, size_t *n, size_t *done)
{
	struct shipment s = {
	    .options = w->options,
	    .name = &w->name,
	    .written = w->written,
	    .item = item,
	    .count = *n,
	};
	struct judgement j;

	*done = 0;
	if (!post(w, &s))
		return false;
	judge(w, &s, &j);
	switch (j.verdict) {
	case VERDICT_TAKEN:
		for (size_t i = 0; i < s.count; i++)
			item[i].state = ITEM_TAKEN;
		*done = s.count;
		*n = 2 * s.count;
		return true;
	case VERDICT_ITEMS:
		*done = s.count;
		*n = 2 * s.count;
		return true;
	case VERDICT_SMALLER:
		w->most = s.count > 1 ? s.count / 2 : 1;
		*n = w->most;
		break;
	case VERDICT_BAD:
		*n = j.at > 0 && j.at < s.count ? j.at : s.count / 2;
		if (j.at == 0 || s.count == 1)
			*n = 0;
		break;
	case VERDICT_AGAIN:
	case VERDICT_DOWN:
		return fail_answer(w, &j, &s);
	}
	/* It is the first one of them. */
	if (s.count == 1 || *n == 0) {
		mark_refused(w, item);
		*done = 1;
		*n = s.count;
	}
	return true;
}

static bool
send_batch(struct work *w)
{
	size_t at = 0, n = w->count, done;

	while (at < w->count) {
		if (n > w->most)
			n = w->most;
		if (n > w->count - at)
			n = w->count - at;
		/* Too long to be sent: seen when it was read. */
		if (w->item[at].state == ITEM_BAD)
			done = 1;
		else if (!ship(w, w->item + at, &n, &done))
			return false;
		if (!note(w, w->item + at, done))
			return false;
		at += done;
	}
	w->count = 0;
	w->used = 0;
	return true;
}

/* The line that was read: why it cannot be sent. NULL: it can. */
static const char *
too_long(const struct work *w)
{
	const struct record_line *line = &w->line;
	size_t longest = w->options->product->longest;

	if (line->length > line->text.n)
		return "the record is longer than `batch: size`: its start";
	/* A byte becomes six at most. */
	if (longest > 0 && line->text.n > longest / 6 &&
	    product_size(&w->name, line->text) > longest)
		return "the record is longer than the server takes: "
		       "`max_message` of sepmlogd.yaml makes them shorter";
	return NULL;
}

/* `why` it cannot be sent, or NULL. False: the batch has no room for it. */
static bool
add(struct work *w, const char *why)
{
	const struct record_line *line = &w->line;
	struct item *item = &w->item[w->count];

	if (w->count == w->options->batch_records ||
	    line->text.n > w->options->batch_size - w->used)
		return false;
	*item = (struct item){
	    .text = span_of(w->text + w->used, line->text.n),
	    .number = line->number,
	    .end = line->end,
	};
	memcpy(w->text + w->used, line->text.p, line->text.n);
	w->used += line->text.n;
	record_id(&w->name, line, item->id);
	if (why != NULL)
		mark_bad(item, why);
	w->count++;
	return true;
}

/* A record that is too long goes alone: its neighbours are sent without it. */
static bool
is_full(const struct work *w, const char *why)
{
	return w->count > 0 &&
	       (why != NULL || w->item[w->count - 1].state == ITEM_BAD);
}

static bool
put(struct work *w)
{
	const char *why;

	if (w->line.end <= w->offset)
		return true;
	why = too_long(w);
	if ((is_full(w, why) || !add(w, why)) && !send_batch(w))
		return false;
	/* It was added, or there is room now. */
	if (w->count == 0 || w->item[w->count - 1].end != w->line.end)
		(void)add(w, why);
	return true;
}

static bool
send_records(struct work *w)
{
	enum records_status status;

	while ((status = records_next(w->records, &w->line)) == RECORDS_LINE) {
		if (!put(w))
			return false;
		atomic_store(&w->web.watch->sent, records_done(w->records));
	}
	if (status == RECORDS_END)
		return send_batch(w);
	web_again(&w->web, false, "cannot read it: %s%s",
	    records_why(w->records),
	    status == RECORDS_BROKEN ? ": look at it in quarantine" : "");
	if (status == RECORDS_BROKEN &&
	    w->web.result->outcome != TARGET_STOPPED)
		w->web.result->outcome = TARGET_REFUSED;
	return false;
}

/* --- a delivery --- */

static bool
open_work(struct work *w)
{
	const struct batch_options *o = w->options;
	size_t records = o->batch_records, size = o->batch_size;
	size_t wrapped = 2 * size + WRAP * (records + 4);

	w->most = records;
	w->answer_size = ANSWER + ANSWER_ITEM * records;
	w->records = records_new(w->web.file->fd, &w->name, size);
	w->body = body_new(wrapped, o->gzip);
	w->rejects = body_new(6 * size + REJECT * records, false);
	w->item = calloc(records, sizeof *w->item);
	w->text = malloc(size);
	w->answer = malloc(w->answer_size);
	w->web.body = w->answer;
	w->web.body_size = w->answer_size;
	return w->records != NULL && w->body != NULL && w->rejects != NULL &&
	       w->item != NULL && w->text != NULL && w->answer != NULL;
}

static void
close_work(struct work *w)
{
	records_free(w->records);
	body_free(w->body);
	body_free(w->rejects);
	free(w->item);
	free(w->text);
	free(w->answer);
	web_end(&w->web);
}

static void
begin(struct work *w)
{
	struct stat st;

	if (sscanf(w->web.watch->journal,
		"batch %" SCNu64 " %" SCNu64 " %" SCNu64, &w->offset, &w->taken,
		&w->rejected) != 3)
		w->offset = w->taken = w->rejected = 0;
	if (fstat(w->web.file->fd, &st) == 0)
		w->written = (int64_t)st.st_mtim.tv_sec * 1000000 +
			     st.st_mtim.tv_nsec / 1000;
	snprintf(w->web.result->remote, sizeof w->web.result->remote, "%s",
	    w->options->url);
}

static void
deliver(struct work *w)
{
	struct target_result *r = w->web.result;

	begin(w);
	if (!records_name(w->web.file->name, &w->name)) {
		web_again(
		    &w->web, false, "it is not named as a file of the spool");
		r->outcome = TARGET_REFUSED;
		return;
	}
	if (!open_work(w)) {
		web_again(&w->web, false, "no memory");
		return;
	}
	if (!send_records(w) || is_hopeless(w))
		return;
	r->outcome = TARGET_DELIVERED;
	r->rejected = w->rejected;
	snprintf(r->check, sizeof r->check,
	    "records:%" PRIu64 " rejected:%" PRIu64, w->taken, w->rejected);
}

static void
batch_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct batch *b = target;
	struct work w = {
	    .options = b->options,
	    .web = {.web = &b->web,
		.file = file,
		.watch = watch,
		.result = result},
	};

	if (!web_read_secret(&w.web))
		return;
	deliver(&w);
	close_work(&w);
}

const struct target_kind target_batch = {
    .name = "http-batch",
    .open = batch_open,
    .deliver = batch_deliver,
    .close = batch_close,
};
