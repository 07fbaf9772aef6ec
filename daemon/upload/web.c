#include "web.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- a connection --- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_state;

static void
start_curl(void)
{
	curl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool
can_read_all(const struct web_access *a, char *why, size_t size)
{
	const char *const certificates[] = {a->ca, a->certificate};
	const char *const secrets[] = {a->token_file, a->password_file, a->key};

	return secret_can_read(secrets, 3, why, size) &&
	       web_can_read(certificates, 2, why, size);
}

bool
web_open(
    struct web *web, const struct web_access *access, char *why, size_t size)
{
	if (!can_read_all(access, why, size))
		return false;
	web->access = access;
	pthread_once(&curl_once, start_curl);
	if (curl_state != CURLE_OK) {
		snprintf(
		    why, size, "libcurl: %s", curl_easy_strerror(curl_state));
		return false;
	}
	web->curl = curl_easy_init();
	if (web->curl == NULL)
		snprintf(why, size, "no memory");
	return web->curl != NULL;
}

void
web_close(struct web *web)
{
	curl_easy_cleanup(web->curl);
}

bool
web_can_read(const char *const *files, size_t count, char *why, size_t size)
{
	FILE *file;

	for (size_t i = 0; i < count; i++) {
		if (files[i] == NULL)
			continue;
		file = fopen(files[i], "re");
		if (file == NULL) {
			snprintf(why, size,
			    "%s: %s: a PEM file that this user can read is "
			    "needed",
			    files[i], strerrordesc_np(errno));
			return false;
		}
		fclose(file);
	}
	return true;
}

/* --- what libcurl asks --- */

static size_t
read_cb(char *buffer, size_t size, size_t count, void *arg)
{
	struct web_work *w = arg;
	struct target_watch *watch = w->watch;
	size_t n = size * count;

	if (n > w->to - w->at)
		n = (size_t)(w->to - w->at);
	if (n == 0)
		return 0;
	if (watch->pace != NULL)
		watch->pace(watch->context, n);
	if (atomic_load(watch->stop))
		return CURL_READFUNC_ABORT;
	n = target_read(w->file, w->at, buffer, n);
	if (n == 0) {
		w->error = errno;
		return CURL_READFUNC_ABORT;
	}
	if (w->sees != NULL)
		w->sees(w, buffer, n);
	w->at += n;
	atomic_store(&watch->sent, w->at);
	return n;
}

/* It asks when a request has to go again, such as on a stale connection. */
static int
seek_cb(void *arg, curl_off_t offset, int origin)
{
	struct web_work *w = arg;

	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > w->to - w->from ||
	    (w->sees != NULL && offset != 0))
		return CURL_SEEKFUNC_FAIL;
	w->at = w->from + (uint64_t)offset;
	if (w->sees != NULL)
		w->sees(w, NULL, 0);
	return CURL_SEEKFUNC_OK;
}

/* Its start, printable, for a reason. */
static void
keep_start(struct web_work *w, const char *bytes, size_t n)
{
	char c;

	for (size_t i = 0; i < n && w->n < WEB_ANSWER; i++) {
		c = bytes[i];
		if (c >= ' ' && c < 0x7f)
			w->answer[w->n++] = c;
		else if (w->n > 0 && w->answer[w->n - 1] != ' ')
			w->answer[w->n++] = ' ';
	}
	w->answer[w->n] = '\0';
}

static void
keep_body(struct web_work *w, const char *bytes, size_t n)
{
	size_t room = w->body_size - 1 - w->body_n;

	w->body_cut |= n > room;
	if (n > room)
		n = room;
	memcpy(w->body + w->body_n, bytes, n);
	w->body_n += n;
	w->body[w->body_n] = '\0';
}

static size_t
write_cb(char *bytes, size_t size, size_t count, void *arg)
{
	struct web_work *w = arg;

	keep_start(w, bytes, size * count);
	if (w->body != NULL)
		keep_body(w, bytes, size * count);
	return size * count;
}

/* About once a second. */
static int
progress_cb(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
    curl_off_t up)
{
	const struct web_work *w = arg;

	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	return atomic_load(w->watch->stop) ? 1 : 0;
}

/* --- a request --- */

bool
web_read_secret(struct web_work *w)
{
	const struct web_access *a = w->web->access;
	const char *path =
	    a->token_file != NULL ? a->token_file : a->password_file;

	if (path == NULL || secret_read(path, &w->secret, w->result->reason,
				sizeof w->result->reason))
		return true;
	w->result->outcome = TARGET_RETRY;
	w->result->target_down = true;
	return false;
}

static void
drop_headers(struct web_work *w)
{
	curl_slist_free_all(w->headers);
	w->headers = NULL;
}

void
web_end(struct web_work *w)
{
	/* libcurl has copies: they go with this. */
	curl_easy_reset(w->web->curl);
	drop_headers(w);
	secret_clear(&w->secret);
}

void
web_begin(struct web_work *w, const char *url)
{
	const struct web_access *a = w->web->access;

	drop_headers(w);
	curl_easy_reset(w->web->curl);
	w->web->error[0] = '\0';
	w->n = w->body_n = 0;
	w->body_cut = false;
	w->answer[0] = '\0';
	if (w->body != NULL)
		w->body[0] = '\0';
	WEB_SET(w, CURLOPT_URL, url);
	WEB_SET(w, CURLOPT_ERRORBUFFER, w->web->error);
	WEB_SET(w, CURLOPT_NOSIGNAL, 1L);
	WEB_SET(w, CURLOPT_NOPROGRESS, 0L);
	WEB_SET(w, CURLOPT_XFERINFOFUNCTION, progress_cb);
	WEB_SET(w, CURLOPT_XFERINFODATA, w);
	WEB_SET(w, CURLOPT_WRITEFUNCTION, write_cb);
	WEB_SET(w, CURLOPT_WRITEDATA, w);
	WEB_SET(w, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	WEB_SET(w, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
	WEB_SET(w, CURLOPT_USERAGENT, "sepmlog-upload/" SEPMLOG_VERSION);
	WEB_SET(w, CURLOPT_CONNECTTIMEOUT_MS, (long)a->timeout);
	WEB_SET(w, CURLOPT_LOW_SPEED_LIMIT, 1L);
	WEB_SET(w, CURLOPT_LOW_SPEED_TIME, (long)(a->timeout / 1000));
	/* Not from the environment. */
	WEB_SET(w, CURLOPT_PROXY, a->proxy != NULL ? a->proxy : "");
	WEB_SET(w, CURLOPT_NOPROXY, "");
	WEB_SET(w, CURLOPT_PROTOCOLS_STR, "https");
	WEB_SET(w, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (a->ca != NULL) {
		WEB_SET(w, CURLOPT_CAINFO, a->ca);
		WEB_SET(w, CURLOPT_CAPATH, NULL);
	}
	if (a->certificate != NULL) {
		WEB_SET(w, CURLOPT_SSLCERT, a->certificate);
		WEB_SET(w, CURLOPT_SSLKEY, a->key);
	}
}

void
web_set_login(struct web_work *w)
{
	const struct web_access *a = w->web->access;

	if (a->token_file != NULL) {
		WEB_SET(w, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		WEB_SET(w, CURLOPT_XOAUTH2_BEARER, w->secret.text);
	} else if (a->user != NULL) {
		WEB_SET(w, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		WEB_SET(w, CURLOPT_USERNAME, a->user);
		WEB_SET(w, CURLOPT_PASSWORD, w->secret.text);
	}
}

void
web_set_content(struct web_work *w)
{
	web_set_part(w, 0, w->file->size);
}

void
web_set_part(struct web_work *w, uint64_t from, uint64_t to)
{
	w->from = w->at = from;
	w->to = to;
	if (w->sees != NULL)
		w->sees(w, NULL, 0);
	WEB_SET(w, CURLOPT_READFUNCTION, read_cb);
	WEB_SET(w, CURLOPT_READDATA, w);
	WEB_SET(w, CURLOPT_SEEKFUNCTION, seek_cb);
	WEB_SET(w, CURLOPT_SEEKDATA, w);
}

bool
web_add_header(struct web_work *w, const char *format, ...)
{
	char header[WEB_HEADER];
	struct curl_slist *headers;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(header, sizeof header, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof header)
		return false;
	headers = curl_slist_append(w->headers, header);
	if (headers != NULL)
		w->headers = headers;
	return headers != NULL;
}

const char *
web_header(struct web_work *w, const char *name)
{
	struct curl_header *header;

	return curl_easy_header(w->web->curl, name, 0, CURLH_HEADER, -1,
		   &header) == CURLHE_OK
		   ? header->value
		   : NULL;
}

/* --- how it went --- */

enum { HIDDEN_LEAST = 4 }; /* bytes at the end that may begin a secret */

/* How much of a secret is here, if it is all of it or all that is left. */
static size_t
secret_here(const char *text, const char *secret)
{
	size_t n = 0;

	while (text[n] != '\0' && text[n] == secret[n])
		n++;
	if (secret[n] == '\0')
		return n;
	return text[n] == '\0' && n >= HIDDEN_LEAST ? n : 0;
}

static void
hide(char *text, const char *secret)
{
	size_t n;

	for (; secret != NULL && secret[0] != '\0' && *text != '\0'; text++) {
		n = secret_here(text, secret);
		if (n > 0)
			memset(text, '*', n);
	}
}

void
web_again(struct web_work *w, bool target_down, const char *format, ...)
{
	struct target_result *r = w->result;
	va_list args;

	va_start(args, format);
	vsnprintf(r->reason, sizeof r->reason, format, args);
	va_end(args);
	hide(r->reason, w->secret.text);
	hide(r->reason, w->hidden);
	r->outcome =
	    atomic_load(w->watch->stop) ? TARGET_STOPPED : TARGET_RETRY;
	r->target_down = target_down;
}

long
web_status(struct web_work *w)
{
	long status = 0;
	curl_off_t after = 0;

	curl_easy_getinfo(w->web->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(w->web->curl, CURLINFO_RETRY_AFTER, &after);
	if (after > 0 && (status < 200 || status > 299))
		w->result->retry_after =
		    after < INT32_MAX ? (unsigned)after : INT32_MAX;
	return status;
}

/* What the proxy answered instead of a way through; 0: nothing such. */
static long
refusal_of_proxy(struct web_work *w)
{
	long status = 0;

	curl_easy_getinfo(w->web->curl, CURLINFO_HTTP_CONNECTCODE, &status);
	return status >= 300 ? status : 0;
}

void
web_no_answer(struct web_work *w, CURLcode code, bool target_down,
    const char *what, const char *hint)
{
	const char *why =
	    w->web->error[0] != '\0' ? w->web->error : curl_easy_strerror(code);
	long proxy = refusal_of_proxy(w);

	if (proxy != 0)
		web_again(w, true, "the proxy answers %ld%s", proxy,
		    proxy == 407 ? ": it wants a login, which is not supported"
				 : "; check `proxy`, and what it lets through");
	else if (w->error != 0)
		web_again(
		    w, false, "cannot read it: %s", target_read_why(w->error));
	else
		web_again(w, target_down, "%s%s%s%s", what != NULL ? what : "",
		    what != NULL ? ": " : "", why, hint);
}
