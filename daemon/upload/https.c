#include "https.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"
#include "spool/disk.h"

enum {
	URL = TARGET_REMOTE,
	ANSWER = 160, /* bytes of an answer's body that a reason repeats */
	HEADER = 1200,
	SHA256_BASE64 = 44,
};

struct https {
	const struct https_options *options;
	CURL *curl;
	char error[CURL_ERROR_SIZE];
};

/* One delivery. */
struct work {
	struct https *https;
	const struct target_file *file;
	struct target_watch *watch;
	struct target_result *result;
	struct secret secret;
	struct curl_slist *headers;
	uint64_t at; /* of the file: the next byte to send */
	int error;   /* of a read */
	size_t n;
	char answer[ANSWER + 1];
};

/* --- opening --- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_state;

static void
start_curl(void)
{
	curl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Credentials that cannot be read now cannot be later either. */
static bool
can_read_secrets(const struct https_options *o, char *why, size_t size)
{
	const char *const files[] = {o->token_file, o->password_file, o->key};
	struct secret secret;

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (files[i] == NULL)
			continue;
		if (!secret_read(files[i], &secret, why, size))
			return false;
		secret_clear(&secret);
	}
	return true;
}

static bool
can_read_certificates(const struct https_options *o, char *why, size_t size)
{
	const char *const files[] = {o->ca, o->certificate};
	FILE *file;

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (files[i] == NULL)
			continue;
		file = fopen(files[i], "re");
		if (file == NULL) {
			snprintf(why, size,
			    "%s: %s: a PEM file that this user can read is "
			    "needed",
			    files[i], strerror(errno));
			return false;
		}
		fclose(file);
	}
	return true;
}

static void *
https_open(const void *options, char *why, size_t size)
{
	struct https *h;

	pthread_once(&curl_once, start_curl);
	if (curl_state != CURLE_OK) {
		snprintf(
		    why, size, "libcurl: %s", curl_easy_strerror(curl_state));
		return NULL;
	}
	if (!can_read_secrets(options, why, size) ||
	    !can_read_certificates(options, why, size))
		return NULL;
	h = calloc(1, sizeof *h);
	if (h != NULL)
		h->curl = curl_easy_init();
	if (h == NULL || h->curl == NULL) {
		snprintf(why, size, "no memory");
		free(h);
		return NULL;
	}
	h->options = options;
	return h;
}

static void
https_close(void *target)
{
	struct https *h = target;

	curl_easy_cleanup(h->curl);
	free(h);
}

/* --- what libcurl asks --- */

static size_t
read_cb(char *buffer, size_t size, size_t count, void *arg)
{
	struct work *w = arg;
	struct target_watch *watch = w->watch;
	size_t n = size * count;

	if (n > w->file->size - w->at)
		n = (size_t)(w->file->size - w->at);
	if (n == 0)
		return 0;
	if (watch->pace != NULL)
		watch->pace(watch->context, n);
	if (atomic_load(watch->stop))
		return CURL_READFUNC_ABORT;
	if (!disk_read(w->file->fd, w->at, buffer, n, &n) || n == 0) {
		w->error = n == 0 ? EIO : errno; /* or shorter than it was */
		return CURL_READFUNC_ABORT;
	}
	w->at += n;
	atomic_store(&watch->sent, w->at);
	return n;
}

/* It asks when a request has to go again, such as on a stale connection. */
static int
seek_cb(void *arg, curl_off_t offset, int origin)
{
	struct work *w = arg;

	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > w->file->size)
		return CURL_SEEKFUNC_FAIL;
	w->at = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* Its start, printable, for a reason. */
static size_t
write_cb(char *bytes, size_t size, size_t count, void *arg)
{
	struct work *w = arg;
	char c;

	for (size_t i = 0; i < size * count && w->n < ANSWER; i++) {
		c = bytes[i];
		if (c >= ' ' && c < 0x7f)
			w->answer[w->n++] = c;
		else if (w->n > 0 && w->answer[w->n - 1] != ' ')
			w->answer[w->n++] = ' ';
	}
	w->answer[w->n] = '\0';
	return size * count;
}

/* About once a second. */
static int
progress_cb(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
    curl_off_t up)
{
	const struct work *w = arg;

	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	return atomic_load(w->watch->stop) ? 1 : 0;
}

/* --- a request --- */

#define SET(w, option, value)                                                  \
	((void)curl_easy_setopt((w)->https->curl, option, value))

static void
set_login(struct work *w)
{
	const struct https_options *o = w->https->options;

	if (o->token_file != NULL) {
		SET(w, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		SET(w, CURLOPT_XOAUTH2_BEARER, w->secret.text);
	} else if (o->user != NULL) {
		SET(w, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(w, CURLOPT_USERNAME, o->user);
		SET(w, CURLOPT_PASSWORD, w->secret.text);
	}
}

static void
set_tls(struct work *w)
{
	const struct https_options *o = w->https->options;

	SET(w, CURLOPT_PROTOCOLS_STR, "https");
	SET(w, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (o->ca != NULL) {
		SET(w, CURLOPT_CAINFO, o->ca);
		SET(w, CURLOPT_CAPATH, NULL);
	}
	if (o->certificate != NULL) {
		SET(w, CURLOPT_SSLCERT, o->certificate);
		SET(w, CURLOPT_SSLKEY, o->key);
	}
}

/* What all requests have; the connection stays. */
static void
begin(struct work *w, const char *url)
{
	const struct https_options *o = w->https->options;

	curl_easy_reset(w->https->curl);
	w->https->error[0] = '\0';
	w->n = 0;
	w->answer[0] = '\0';
	SET(w, CURLOPT_URL, url);
	SET(w, CURLOPT_ERRORBUFFER, w->https->error);
	SET(w, CURLOPT_NOSIGNAL, 1L);
	SET(w, CURLOPT_NOPROGRESS, 0L);
	SET(w, CURLOPT_XFERINFOFUNCTION, progress_cb);
	SET(w, CURLOPT_XFERINFODATA, w);
	SET(w, CURLOPT_WRITEFUNCTION, write_cb);
	SET(w, CURLOPT_WRITEDATA, w);
	SET(w, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(w, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
	SET(w, CURLOPT_USERAGENT, "sepmlog-upload/" SEPMLOG_VERSION);
	SET(w, CURLOPT_CONNECTTIMEOUT_MS, (long)o->timeout);
	SET(w, CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(w, CURLOPT_LOW_SPEED_TIME, (long)(o->timeout / 1000));
	/* Not from the environment. */
	SET(w, CURLOPT_PROXY, o->proxy != NULL ? o->proxy : "");
	set_tls(w);
	set_login(w);
}

static bool __attribute__((format(printf, 2, 3)))
add_header(struct work *w, const char *format, ...)
{
	char header[HEADER];
	struct curl_slist *headers;
	va_list args;

	va_start(args, format);
	vsnprintf(header, sizeof header, format, args);
	va_end(args);
	headers = curl_slist_append(w->headers, header);
	if (headers != NULL)
		w->headers = headers;
	return headers != NULL;
}

static void
base64_sum(const uint8_t sum[SHA256_SIZE], char out[SHA256_BASE64 + 1])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t three;
	size_t n = 0;

	for (size_t i = 0; i < SHA256_SIZE; i += 3) {
		three = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8 |
			(i + 2 < SHA256_SIZE ? sum[i + 2] : 0u);
		for (int shift = 18; shift >= 0; shift -= 6)
			out[n++] = digits[three >> shift & 63];
	}
	out[SHA256_BASE64 - 1] = '='; /* 32 is 2 more than a multiple of 3 */
	out[SHA256_BASE64] = '\0';
}

static bool
set_upload(struct work *w)
{
	const struct https_options *o = w->https->options;
	curl_off_t size = (curl_off_t)w->file->size;
	char sum[SHA256_BASE64 + 1];

	base64_sum(w->file->sha256, sum);
	if (!add_header(w, "Content-Type: %s", o->content_type) ||
	    !add_header(w, "Content-Digest: sha-256=:%s:", sum))
		return false;
	w->at = 0;
	SET(w, CURLOPT_READFUNCTION, read_cb);
	SET(w, CURLOPT_READDATA, w);
	SET(w, CURLOPT_SEEKFUNCTION, seek_cb);
	SET(w, CURLOPT_SEEKDATA, w);
	if (o->method == HTTPS_PUT) {
		SET(w, CURLOPT_UPLOAD, 1L);
		SET(w, CURLOPT_INFILESIZE_LARGE, size);
	} else {
		if (!add_header(w,
			"Content-Disposition: attachment; filename=\"%s\"",
			w->file->name))
			return false;
		SET(w, CURLOPT_POST, 1L);
		SET(w, CURLOPT_POSTFIELDSIZE_LARGE, size);
	}
	SET(w, CURLOPT_HTTPHEADER, w->headers);
	return true;
}

/* --- answers --- */

static void __attribute__((format(printf, 3, 4)))
again(struct work *w, bool target_down, const char *format, ...)
{
	struct target_result *r = w->result;
	va_list args;

	va_start(args, format);
	vsnprintf(r->reason, sizeof r->reason, format, args);
	va_end(args);
	r->outcome =
	    atomic_load(w->watch->stop) ? TARGET_STOPPED : TARGET_RETRY;
	r->target_down = target_down;
}

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

static void
on_failure(struct work *w, CURLcode code)
{
	const char *what = w->https->error[0] != '\0'
			       ? w->https->error
			       : curl_easy_strerror(code);

	if (w->error != 0)
		again(w, false, "cannot read it: %s", strerror(w->error));
	else
		again(
		    w, !is_of_one_file(code), "%s%s", what, hint_of_code(code));
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
	enum verdict verdict;
	long status = 0;
	curl_off_t after = 0;

	curl_easy_getinfo(w->https->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(w->https->curl, CURLINFO_RETRY_AFTER, &after);
	verdict = verdict_of(status);
	if (verdict == VERDICT_GOOD)
		return true;
	again(w, verdict == VERDICT_DOWN, "%s: answer %ld%s%s%s", request,
	    status, hint_of_status(status), w->n > 0 ? ": " : "", w->answer);
	if (verdict == VERDICT_REFUSED && w->result->outcome != TARGET_STOPPED)
		w->result->outcome = TARGET_REFUSED;
	if (after > 0)
		w->result->retry_after =
		    after < INT32_MAX ? (unsigned)after : INT32_MAX;
	return false;
}

static bool
perform(struct work *w, const char *request)
{
	CURLcode code = curl_easy_perform(w->https->curl);

	if (code == CURLE_OK)
		return judge(w, request);
	on_failure(w, code);
	return false;
}

/* --- a delivery --- */

/* The server's tag of it, or its answer. */
static void
note_check(struct work *w)
{
	struct target_result *r = w->result;
	struct curl_header *etag;
	long status = 0;

	curl_easy_getinfo(w->https->curl, CURLINFO_RESPONSE_CODE, &status);
	if (curl_easy_header(w->https->curl, "ETag", 0, CURLH_HEADER, -1,
		&etag) == CURLHE_OK)
		snprintf(r->check, sizeof r->check, "etag:%.140s", etag->value);
	else if (r->check[0] == '\0')
		snprintf(r->check, sizeof r->check, "status:%ld", status);
}

static bool
send_file(struct work *w, const char *url)
{
	const char *request =
	    w->https->options->method == HTTPS_PUT ? "PUT" : "POST";

	begin(w, url);
	if (!set_upload(w)) {
		again(w, false, "no memory");
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
	struct curl_slist *uploads = w->headers;
	bool ok;

	w->headers = NULL;
	begin(w, from);
	ok = add_header(w, "Destination: %s", to) &&
	     add_header(w, "Overwrite: T");
	SET(w, CURLOPT_CUSTOMREQUEST, "MOVE");
	SET(w, CURLOPT_HTTPHEADER, w->headers);
	if (!ok)
		again(w, false, "no memory");
	ok = ok && perform(w, "MOVE");
	curl_slist_free_all(w->headers);
	w->headers = uploads;
	return ok;
}

/* What size has it there? */
static bool
check_size(struct work *w, const char *url)
{
	curl_off_t size = -1;

	begin(w, url);
	SET(w, CURLOPT_NOBODY, 1L);
	if (!perform(w, "HEAD (`verify: no` can do without)")) {
		if (w->result->outcome == TARGET_REFUSED)
			w->result->outcome = TARGET_RETRY;
		return false;
	}
	curl_easy_getinfo(
	    w->https->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	if (size >= 0 && (uint64_t)size == w->file->size) {
		note_check(w);
		return true;
	}
	again(w, false,
	    "HEAD: it has %lld bytes there, not %llu; `verify: no` if the "
	    "server does not keep files as they are",
	    (long long)size, (unsigned long long)w->file->size);
	return false;
}

/* `{name}` in the URL, or at its end. */
static void
url_of(
    const struct work *w, const char *prefix, const char *suffix, char url[URL])
{
	static const char place[] = "{name}";
	const struct https_options *o = w->https->options;
	const char *at = strstr(o->url, place);
	size_t n = strlen(o->url);

	if (at != NULL)
		snprintf(url, URL, "%.*s%s%s%s%s", (int)(at - o->url), o->url,
		    prefix, w->file->name, suffix, at + sizeof place - 1);
	else if (o->method == HTTPS_POST)
		snprintf(url, URL, "%s", o->url);
	else
		snprintf(url, URL, "%s%s%s%s%s", o->url,
		    n > 0 && o->url[n - 1] == '/' ? "" : "/", prefix,
		    w->file->name, suffix);
}

static void
deliver(struct work *w)
{
	const struct https_options *o = w->https->options;
	char part[URL], *url = w->result->remote;
	bool put = o->method == HTTPS_PUT, rename = put && o->rename;

	url_of(w, "", "", url);
	url_of(w, ".", ".part", part);
	if (!send_file(w, rename ? part : url) ||
	    (rename && !move_file(w, part, url)) ||
	    (put && o->verify && !check_size(w, url)))
		return;
	w->result->outcome = TARGET_DELIVERED;
}

static void
https_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct https *h = target;
	struct work w = {
	    .https = h, .file = file, .watch = watch, .result = result};
	const char *path = h->options->token_file != NULL
			       ? h->options->token_file
			       : h->options->password_file;

	/* Each time: tokens are renewed. */
	if (path != NULL && !secret_read(path, &w.secret, result->reason,
				sizeof result->reason)) {
		result->outcome = TARGET_RETRY;
		result->target_down = true;
		return;
	}
	deliver(&w);
	/* libcurl has copies: they go with this. */
	curl_easy_reset(h->curl);
	curl_slist_free_all(w.headers);
	secret_clear(&w.secret);
}

const struct target_kind target_https = {
    .name = "https",
    .open = https_open,
    .deliver = https_deliver,
    .close = https_close,
};
