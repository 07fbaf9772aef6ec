#include "defender.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3_sign.h"
#include "span.h"
#include "web.h"

/* By its documentation. */
static const uint64_t put_most = 64ULL << 20, file_most = 5ULL << 30;
static const uint64_t block_size = 16ULL << 20;

enum {
	URL = 4096,
	BODY = 3 * URL,
	NAME = 3 * 256, /* encoded */
	BLOCKS = 320,
	BLOCK_ID = 8, /* base64 of six digits */
	MD5 = 16,
	MD5_BASE64 = 4 * ((MD5 + 2) / 3),
	XML = BLOCKS * (BLOCK_ID + 32) + 128,
};

struct defender {
	const struct defender_options *options;
	struct web web;
	EVP_MD_CTX *md5;
	bool has_md5; /* FIPS forbids it */
};

/* How far it got. */
enum step { STEP_NONE, STEP_URL, STEP_SENT };

/* One delivery. */
struct work {
	struct web_work web; /* first: see sees_cb */
	struct defender *defender;
	enum step step;
	size_t blocks; /* of it that are there */
	char url[URL]; /* where the file goes; it is a secret as well */
	char body[BODY];
	char xml[XML];
};

/* --- opening --- */

static void
defender_close(void *target)
{
	struct defender *d = target;

	web_close(&d->web);
	EVP_MD_CTX_free(d->md5);
	free(d);
}

static void *
defender_open(const void *options, char *why, size_t size)
{
	struct defender *d = calloc(1, sizeof *d);

	if (d == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	d->options = options;
	d->md5 = EVP_MD_CTX_new();
	if (d->md5 == NULL)
		snprintf(why, size, "no memory");
	else if (web_open(&d->web, &d->options->access, why, size))
		return d;
	EVP_MD_CTX_free(d->md5);
	free(d);
	return NULL;
}

/* --- the journal --- */

static bool
write_journal(struct work *w)
{
	struct target_watch *watch = w->web.watch;

	if (w->step == STEP_NONE)
		watch->journal[0] = '\0';
	else
		snprintf(watch->journal, sizeof watch->journal,
		    "defender %d %zu %s", w->step, w->blocks, w->url);
	if (watch->keep_journal(watch))
		return true;
	web_again(&w->web, false,
	    "upload/state: %s; make room, or check the disk",
	    strerrordesc_np(errno));
	return false;
}

static void
read_journal(struct work *w)
{
	int step, at = 0;
	size_t blocks;

	if (sscanf(w->web.watch->journal, "defender %d %zu %n", &step, &blocks,
		&at) < 2 ||
	    at == 0 || step < STEP_URL || step > STEP_SENT)
		return;
	if (snprintf(w->url, sizeof w->url, "%s", w->web.watch->journal + at) >=
	    (int)sizeof w->url)
		return;
	w->step = (enum step)step;
	w->blocks = blocks;
}

/* The URL is not taken: from the start, the next time. */
static void
forget(struct work *w)
{
	w->step = STEP_NONE;
	w->blocks = 0;
	(void)write_journal(w);
}

/* --- requests --- */

static void
begin(struct work *w, const char *url)
{
	const char *query = strchr(w->url, '?');

	/* whoever has it may write there */
	w->web.hidden = query != NULL ? query + 1 : NULL;
	web_begin(&w->web, url);
}

/* 0: no answer, and the result says why. */
static long
perform(struct work *w)
{
	CURLcode code;

	WEB_SET(&w->web, CURLOPT_HTTPHEADER, w->web.headers);
	code = curl_easy_perform(w->defender->web.curl);
	if (code == CURLE_OK)
		return web_status(&w->web);
	web_no_answer(&w->web, code, true, NULL,
	    "; check `url`, `ca`, `proxy`, and whether the server can be "
	    "reached");
	return 0;
}

static bool
no_memory(struct work *w)
{
	web_again(&w->web, false, "no memory, or `token_file` is too long");
	return false;
}

static bool
is_good(long status)
{
	return status >= 200 && status < 300;
}

static void
failed(struct work *w, const char *what, long status, const char *hint)
{
	web_again(&w->web, true, "%s: answer %ld%s%s%s", what, status, hint,
	    w->web.n > 0 ? ": " : "", w->web.answer);
}

static const char *
hint_of_api(long status)
{
	switch (status) {
	case 400:
		return ": check `source` and `input_stream`";
	case 401:
	case 403:
		return ": check `token_file`, and what the token may do";
	case 404:
		return ": check `url`, the API URL in the portal's "
		       "Settings, Cloud apps, About";
	default:
		return "";
	}
}

static void
url_of(const struct work *w, const char *path, char *url, size_t size)
{
	const char *base = w->defender->options->url;
	size_t n = strlen(base);

	if (n > 0 && base[n - 1] == '/')
		n--;
	snprintf(url, size, "%.*s/api/v1/discovery/%s", (int)n, base, path);
}

/* --- the first: where to --- */

static bool
take_escape(const char **at, char *c)
{
	unsigned code;

	switch (**at) {
	case '"':
	case '\\':
	case '/':
		*c = *(*at)++;
		return true;
	case 'u':
		if (sscanf(*at + 1, "%4x", &code) != 1 || code < ' ' ||
		    code > '~' || strnlen(*at, 5) < 5)
			return false;
		*c = (char)code;
		*at += 5;
		return true;
	default:
		return false;
	}
}

/* The text of `"url": "..."`, unless it is no URL. */
static bool
find_url(struct work *w)
{
	const char *at = strstr(w->body, "\"url\"");
	size_t n = 0;

	if (at == NULL)
		return false;
	at += strlen("\"url\"");
	at += strspn(at, " \t\r\n:");
	if (*at++ != '"')
		return false;
	while (*at != '"' && n < sizeof w->url - 1) {
		w->url[n] = *at++;
		if (w->url[n] == '\\' && !take_escape(&at, &w->url[n]))
			return false;
		if (w->url[n] <= ' ' || w->url[n] >= 0x7f)
			return false;
		n++;
	}
	w->url[n] = '\0';
	return *at == '"' && strncmp(w->url, "https://", 8) == 0;
}

static bool
ask_for_url(struct work *w)
{
	const struct defender_options *o = w->defender->options;
	char path[64 + 2 * NAME], url[URL], name[NAME], source[NAME];
	long status;

	if (!s3_encode(w->web.file->name, false, name, sizeof name) ||
	    !s3_encode(o->source, false, source, sizeof source))
		return no_memory(w);
	snprintf(path, sizeof path, "upload_url/?filename=%s&source=%s", name,
	    source);
	url_of(w, path, url, sizeof url);
	begin(w, url);
	if (!web_add_header(
		&w->web, "Authorization: Token %s", w->web.secret.text))
		return no_memory(w);
	status = perform(w);
	if (status == 0)
		return false;
	if (!is_good(status)) {
		failed(w, "GET upload_url", status, hint_of_api(status));
		return false;
	}
	if (!find_url(w)) {
		web_again(&w->web, true,
		    "GET upload_url: the answer has no URL; check `url`");
		return false;
	}
	w->step = STEP_URL;
	w->blocks = 0;
	return write_journal(w);
}

/* --- the second: the file --- */

static void
sees_cb(struct web_work *web, const char *bytes, size_t n)
{
	struct defender *d = ((struct work *)(void *)web)->defender;

	if (bytes == NULL)
		d->has_md5 = EVP_DigestInit_ex(d->md5, EVP_md5(), NULL) == 1;
	else if (d->has_md5)
		EVP_DigestUpdate(d->md5, bytes, n);
}

/* If the server says what it has: is it what was sent? */
static bool
content_is_same(struct work *w)
{
	const char *there = web_header(&w->web, "Content-MD5");
	unsigned char md5[EVP_MAX_MD_SIZE];
	char text[MD5_BASE64 + 1];
	unsigned n;

	if (there == NULL || !w->defender->has_md5 ||
	    EVP_DigestFinal_ex(w->defender->md5, md5, &n) != 1 || n != MD5)
		return true;
	EVP_EncodeBlock((unsigned char *)text, md5, MD5);
	if (strcmp(there, text) == 0) {
		snprintf(w->web.result->check, sizeof w->web.result->check,
		    "md5:%s", text);
		return true;
	}
	web_again(&w->web, false,
	    "PUT: the server has another content than was sent; if it stays "
	    "so, see what is in between");
	return false;
}

static bool
judge_put(struct work *w, long status)
{
	if (is_good(status))
		return true;
	if (status == 0)
		return false;
	failed(w, "PUT", status, "");
	if (w->web.result->outcome != TARGET_RETRY)
		return false;
	if (status == 413) {
		w->web.result->outcome = TARGET_REFUSED;
	} else if (status >= 400 && status < 500 && status != 408 &&
		   status != 429) {
		/* Run out, or used: another one, and that soon. */
		w->web.result->target_down = false;
		forget(w);
	}
	return false;
}

static bool
put_range(struct work *w, const char *url, uint64_t from, uint64_t to)
{
	begin(w, url);
	if (!web_add_header(&w->web, "Content-Type: application/octet-stream"))
		return no_memory(w);
	if (url == w->url &&
	    !web_add_header(&w->web, "x-ms-blob-type: BlockBlob"))
		return no_memory(w);
	WEB_SET(&w->web, CURLOPT_UPLOAD, 1L);
	WEB_SET(&w->web, CURLOPT_INFILESIZE_LARGE, (curl_off_t)(to - from));
	web_set_part(&w->web, from, to);
	return judge_put(w, perform(w)) && content_is_same(w);
}

static void
block_id(size_t i, char id[BLOCK_ID + 1])
{
	char digits[32];

	snprintf(digits, sizeof digits, "%06zu", i);
	EVP_EncodeBlock((unsigned char *)id, (unsigned char *)digits, 6);
}

static bool
put_block(struct work *w, size_t i)
{
	uint64_t from = i * block_size, to = from + block_size;
	char url[URL + 64], id[BLOCK_ID + 1];

	if (to > w->web.file->size)
		to = w->web.file->size;
	block_id(i, id);
	snprintf(url, sizeof url, "%s%ccomp=block&blockid=%s", w->url,
	    strchr(w->url, '?') != NULL ? '&' : '?', id);
	if (!put_range(w, url, from, to))
		return false;
	w->blocks = i + 1;
	return write_journal(w);
}

static bool
put_list(struct work *w, size_t count)
{
	char url[URL + 64], id[BLOCK_ID + 1];
	size_t n = (size_t)snprintf(w->xml, XML, "<BlockList>");

	for (size_t i = 0; i < count; i++) {
		block_id(i, id);
		n += (size_t)snprintf(
		    w->xml + n, XML - n, "<Latest>%s</Latest>", id);
	}
	n += (size_t)snprintf(w->xml + n, XML - n, "</BlockList>");
	snprintf(url, sizeof url, "%s%ccomp=blocklist", w->url,
	    strchr(w->url, '?') != NULL ? '&' : '?');
	begin(w, url);
	if (!web_add_header(&w->web, "Content-Type: application/xml"))
		return no_memory(w);
	WEB_SET(&w->web, CURLOPT_CUSTOMREQUEST, "PUT");
	WEB_SET(&w->web, CURLOPT_POSTFIELDSIZE, (long)n);
	WEB_SET(&w->web, CURLOPT_POSTFIELDS, w->xml);
	return judge_put(w, perform(w));
}

static bool
put_file(struct work *w)
{
	uint64_t size = w->web.file->size;
	size_t count = (size_t)((size + block_size - 1) / block_size);
	bool good = true;

	if (size <= put_most) {
		good = put_range(w, w->url, 0, size);
	} else {
		for (size_t i = w->blocks; good && i < count; i++)
			good = put_block(w, i);
		good = good && put_list(w, count);
	}
	if (!good)
		return false;
	w->step = STEP_SENT;
	return write_journal(w);
}

/* --- the third: process it --- */

static bool
add_json(char *out, size_t size, size_t *n, const char *text)
{
	for (; *text != '\0' && *n + 8 < size; text++) {
		if (*text == '"' || *text == '\\')
			out[(*n)++] = '\\';
		if ((unsigned char)*text >= ' ')
			out[(*n)++] = *text;
		else
			*n += (size_t)snprintf(
			    out + *n, size - *n, "\\u%04x", *text);
	}
	out[*n] = '\0';
	return *text == '\0';
}

/* {"uploadUrl":"...","inputStreamName":"..."} */
static bool
make_json(struct work *w, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "{\"uploadUrl\":\"");

	if (!add_json(out, size, &n, w->url))
		return false;
	n += (size_t)snprintf(out + n, size - n, "\",\"inputStreamName\":\"");
	if (n >= size ||
	    !add_json(out, size, &n, w->defender->options->input_stream))
		return false;
	n += (size_t)snprintf(out + n, size - n, "\"}");
	return n < size;
}

static void
judge_done(struct work *w, long status)
{
	struct target_result *r = w->web.result;
	bool refused = strstr(w->body, "\"success\":false") != NULL ||
		       strstr(w->body, "\"success\": false") != NULL;

	if (is_good(status) && !refused) {
		if (r->check[0] == '\0')
			snprintf(
			    r->check, sizeof r->check, "status:%ld", status);
		r->outcome = TARGET_DELIVERED;
		return;
	}
	failed(w, "POST done_upload", status, hint_of_api(status));
	/* It does not take this URL: the file has to go again. */
	if (refused || status == 400 || status == 404 || status == 409 ||
	    status == 410)
		forget(w);
}

static void
finish(struct work *w)
{
	char url[URL], json[2 * URL + 1024];
	long status;

	url_of(w, "done_upload/", url, sizeof url);
	if (!make_json(w, json, sizeof json)) {
		no_memory(w);
		return;
	}
	begin(w, url);
	if (!web_add_header(
		&w->web, "Authorization: Token %s", w->web.secret.text) ||
	    !web_add_header(&w->web, "Content-Type: application/json")) {
		no_memory(w);
		return;
	}
	WEB_SET(&w->web, CURLOPT_POST, 1L);
	WEB_SET(&w->web, CURLOPT_POSTFIELDSIZE, (long)strlen(json));
	WEB_SET(&w->web, CURLOPT_POSTFIELDS, json);
	status = perform(w);
	if (status != 0)
		judge_done(w, status);
}

/* --- a delivery --- */

static void
deliver(struct work *w)
{
	if (w->web.file->size > file_most) {
		web_again(&w->web, false,
		    "more than 5 GiB are not taken; rotate earlier");
		w->web.result->outcome = TARGET_REFUSED;
		return;
	}
	read_journal(w);
	if (w->step < STEP_URL && !ask_for_url(w))
		return;
	if (w->step < STEP_SENT && !put_file(w))
		return;
	finish(w);
}

static void
defender_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct defender *d = target;
	struct work *w = calloc(1, sizeof *w);

	*result = (struct target_result){.outcome = TARGET_RETRY};
	if (w == NULL) {
		snprintf(result->reason, sizeof result->reason, "no memory");
		return;
	}
	w->defender = d;
	w->web = (struct web_work){.web = &d->web,
	    .file = file,
	    .watch = watch,
	    .result = result,
	    .body = w->body,
	    .body_size = sizeof w->body,
	    .sees = sees_cb};
	snprintf(result->remote, sizeof result->remote, "%s#%.255s",
	    d->options->url, file->name);
	if (web_read_secret(&w->web))
		deliver(w);
	web_end(&w->web);
	explicit_bzero(w, sizeof *w);
	free(w);
}

const struct target_kind target_defender = {
    .name = "defender",
    .open = defender_open,
    .deliver = defender_deliver,
    .close = defender_close,
};
