#include "https.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	URL = TARGET_REMOTE,
	SHA256_BASE64 = 4 * ((SHA256_SIZE + 2) / 3),
};

struct https {
	const struct https_options *options;
	struct web web;
	uint64_t taken; /* largest since one failed: like ones will do */
};

/* One delivery. */
struct work {
	const struct https_options *options;
	bool asks; /* whether the server wants the file, before it is sent */
	struct web_work web;
};

/* --- opening --- */

static void *
https_open(const void *options, char *why, size_t size)
{
	struct https *h = calloc(1, sizeof *h);

	if (h == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	h->options = options;
	if (web_open(&h->web, &h->options->access, why, size))
		return h;
	free(h);
	return NULL;
}

static void
https_close(void *target)
{
	struct https *h = target;

	web_close(&h->web);
	free(h);
}

/* --- a request --- */

static void
begin(struct work *w, const char *url)
{
	web_begin(&w->web, url);
	web_set_login(&w->web);
}

static bool
set_upload(struct work *w)
{
	const struct https_options *o = w->options;
	curl_off_t size = (curl_off_t)w->web.file->size;
	char sum[SHA256_BASE64 + 1];

	EVP_EncodeBlock(
	    (unsigned char *)sum, w->web.file->digest.sum, SHA256_SIZE);
	if (!web_add_header(&w->web, "Content-Type: %s", o->content_type) ||
	    !web_add_header(&w->web, "Content-Digest: sha-256=:%s:", sum))
		return false;
	/* Else libcurl asks (RFC 9110, 10.1.1), which is a round trip. */
	if (!w->asks && !web_add_header(&w->web, "Expect:"))
		return false;
	web_set_content(&w->web);
	if (o->method == HTTPS_PUT) {
		WEB_SET(&w->web, CURLOPT_UPLOAD, 1L);
		WEB_SET(&w->web, CURLOPT_INFILESIZE_LARGE, size);
	} else {
		if (!web_add_header(&w->web,
			"Content-Disposition: attachment; filename=\"%s\"",
			w->web.file->name))
			return false;
		WEB_SET(&w->web, CURLOPT_POST, 1L);
		WEB_SET(&w->web, CURLOPT_POSTFIELDSIZE_LARGE, size);
	}
	WEB_SET(&w->web, CURLOPT_HTTPHEADER, w->web.headers);
	return true;
}

/* --- answers --- */

static const char *
hint_of_code(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return "; check `ca`, the server's certificate and this "
		       "machine's time";
	case CURLE_SSL_CERTPROBLEM:
		return "; check `certificate` and `key`";
	case CURLE_SSL_CACERT_BADFILE:
		return "; check `ca`";
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return "; check `url`, `proxy`, and whether the server runs";
	default:
		return "";
	}
}

/* What may be one file's fault: the server took the request, then broke. */
static bool
is_of_one_file(CURLcode code)
{
	return code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
	       code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE ||
	       code == CURLE_OPERATION_TIMEDOUT;
}

enum verdict { VERDICT_GOOD, VERDICT_AGAIN, VERDICT_DOWN, VERDICT_REFUSED };

static enum verdict
verdict_of(long status)
{
	switch (status) {
	case 401:
	case 403:
	case 404:
	case 405:
	case 407:
	case 409:
	case 423:
	case 429:
		return VERDICT_DOWN;
	case 400: /* some say so of a certificate that they miss */
	case 408:
	case 425:
		return VERDICT_AGAIN;
	default:
		break;
	}
	if (status >= 200 && status < 300)
		return VERDICT_GOOD;
	return status >= 400 && status < 500 ? VERDICT_REFUSED : VERDICT_DOWN;
}

static const char *
hint_of_status(long status)
{
	switch (status) {
	case 400:
		return ": check `url`, and whether it wants `certificate`";
	case 401:
		return ": check the credentials";
	case 403:
		return ": check the credentials, and what they may do there";
	case 404:
	case 409:
		return ": check `url`; is the directory there?";
	case 405:
		return ": check `url` and `method`";
	case 407:
		return ": the proxy wants a login, which is not supported";
	case 413:
		return ": raise the server's limit, then move the file back "
		       "to ready/";
	default:
		return status >= 300 && status < 400
			   ? ": redirects are not followed; set `url` to where "
			     "it leads"
			   : "";
	}
}

/* Good? Else the result says what it is. */
static bool
judge(struct work *w, const char *request)
{
	long status = web_status(&w->web);
	enum verdict verdict = verdict_of(status);

	if (verdict == VERDICT_GOOD)
		return true;
	web_again(&w->web, verdict == VERDICT_DOWN, "%s: answer %ld%s%s%s",
	    request, status, hint_of_status(status), w->web.n > 0 ? ": " : "",
	    w->web.answer);
	if (verdict == VERDICT_REFUSED &&
	    w->web.result->outcome != TARGET_STOPPED)
		w->web.result->outcome = TARGET_REFUSED;
	return false;
}

static bool
perform(struct work *w, const char *request)
{
	CURLcode code = curl_easy_perform(w->web.web->curl);

	if (code == CURLE_OK)
		return judge(w, request);
	web_no_answer(
	    &w->web, code, !is_of_one_file(code), NULL, hint_of_code(code));
	return false;
}

/* --- a delivery --- */

/* The server's tag of it, or its answer. */
static void
note_check(struct work *w)
{
	struct target_result *r = w->web.result;
	const char *etag = web_header(&w->web, "ETag");
	bool is_quoted = etag != NULL && etag[0] == '"';

	/* Without its quotes; a weak one stays `W/"..."` but for them. */
	if (etag != NULL && strncmp(etag, "W/\"", 3) == 0)
		snprintf(r->check, sizeof r->check, "etag:W/%.*s",
		    (int)strcspn(etag + 3, "\""), etag + 3);
	else if (etag != NULL)
		snprintf(r->check, sizeof r->check, "etag:%.*s",
		    (int)strcspn(etag + is_quoted, "\""), etag + is_quoted);
	else if (r->check[0] == '\0')
		snprintf(r->check, sizeof r->check, "status:%ld",
		    web_status(&w->web));
}

static bool
send_file(struct work *w, const char *url)
{
	const char *request = w->options->method == HTTPS_PUT ? "PUT" : "POST";

	begin(w, url);
	if (!set_upload(w)) {
		web_again(&w->web, false, "no memory");
		return false;
	}
	if (!perform(w, request))
		return false;
	note_check(w);
	return true;
}

static bool
move_file(struct work *w, const char *from, const char *to)
{
	bool ok;

	begin(w, from);
	ok = web_add_header(&w->web, "Destination: %s", to) &&
	     web_add_header(&w->web, "Overwrite: T");
	WEB_SET(&w->web, CURLOPT_CUSTOMREQUEST, "MOVE");
	WEB_SET(&w->web, CURLOPT_HTTPHEADER, w->web.headers);
	if (!ok)
		web_again(&w->web, false, "no memory");
	return ok && perform(w, "MOVE");
}

/* What size has it there? */
static bool
check_size(struct work *w, const char *url)
{
	curl_off_t size = -1;

	begin(w, url);
	WEB_SET(&w->web, CURLOPT_NOBODY, 1L);
	if (!perform(w, "HEAD (`verify: no` can do without)")) {
		if (w->web.result->outcome == TARGET_REFUSED)
			w->web.result->outcome = TARGET_RETRY;
		return false;
	}
	curl_easy_getinfo(
	    w->web.web->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	if (size >= 0 && (uint64_t)size == w->web.file->size) {
		note_check(w);
		return true;
	}
	web_again(&w->web, false,
	    "HEAD: it has %lld bytes there, not %llu; `verify: no` if the "
	    "server does not keep files as they are",
	    (long long)size, (unsigned long long)w->web.file->size);
	return false;
}

/* `{name}` in the URL, or at its end. */
static void
url_of(
    const struct work *w, const char *prefix, const char *suffix, char url[URL])
{
	static const char place[] = "{name}";
	const struct https_options *o = w->options;
	const char *at = strstr(o->url, place);
	size_t n = strlen(o->url);

	if (at != NULL)
		snprintf(url, URL, "%.*s%s%s%s%s", (int)(at - o->url), o->url,
		    prefix, w->web.file->name, suffix, at + sizeof place - 1);
	else if (o->method == HTTPS_POST)
		snprintf(url, URL, "%s", o->url);
	else
		snprintf(url, URL, "%s%s%s%s%s", o->url,
		    n > 0 && o->url[n - 1] == '/' ? "" : "/", prefix,
		    w->web.file->name, suffix);
}

static void
deliver(struct work *w)
{
	const struct https_options *o = w->options;
	char part[URL], *url = w->web.result->remote;
	bool put = o->method == HTTPS_PUT, rename = put && o->rename;

	url_of(w, "", "", url);
	url_of(w, ".", ".part", part);
	if (!send_file(w, rename ? part : url) ||
	    (rename && !move_file(w, part, url)) ||
	    (put && o->verify && !check_size(w, url)))
		return;
	w->web.result->outcome = TARGET_DELIVERED;
}

static void
https_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct https *h = target;
	struct work w = {
	    .options = h->options,
	    .asks = file->size > h->taken,
	    .web = {.web = &h->web,
		.file = file,
		.watch = watch,
		.result = result},
	};

	if (!web_read_secret(&w.web))
		return;
	deliver(&w);
	web_end(&w.web);
	if (result->outcome != TARGET_DELIVERED)
		h->taken = 0;
	else if (w.asks)
		h->taken = file->size;
}

const struct target_kind target_https = {
    .name = "https",
    .open = https_open,
    .deliver = https_deliver,
    .close = https_close,
};
