#include "s3.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s3_sign.h"
#include "secret.h"
#include "spool/disk.h"

enum {
	PATH = 3 * 800,
	ANSWER = 200, /* bytes of an answer's body that a reason repeats */
	BASE64 = 4 * ((SHA256_SIZE + 2) / 3),
	MD5 = 16,
};

/* By the API's documentation. */
static const uint64_t put_most = 5ULL << 30;

struct s3 {
	const struct s3_options *options;
	CURL *curl;
	EVP_MD_CTX *md5;
	bool has_md5; /* FIPS forbids it */
	char error[CURL_ERROR_SIZE];
};

/* One delivery. */
struct work {
	struct s3 *s3;
	const struct target_file *file;
	struct target_watch *watch;
	struct target_result *result;
	struct secret secret;
	struct curl_slist *headers;
	uint64_t at; /* of the file: the next byte to send */
	int error;   /* of a read */
	char path[PATH], sum[BASE64 + 1];
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

static bool
check(const struct s3_options *o, char *why, size_t size)
{
	struct secret secret;

	if (!secret_read(o->secret_file, &secret, why, size))
		return false;
	secret_clear(&secret);
	if (o->ca == NULL || access(o->ca, R_OK) == 0)
		return true;
	snprintf(why, size,
	    "%s: %s: a PEM file that this user can read is needed", o->ca,
	    strerrordesc_np(errno));
	return false;
}

static void
s3_close(void *target)
{
	struct s3 *s = target;

	curl_easy_cleanup(s->curl);
	EVP_MD_CTX_free(s->md5);
	free(s);
}

static void *
s3_open(const void *options, char *why, size_t size)
{
	struct s3 *s;

	pthread_once(&curl_once, start_curl);
	if (curl_state != CURLE_OK) {
		snprintf(
		    why, size, "libcurl: %s", curl_easy_strerror(curl_state));
		return NULL;
	}
	if (!check(options, why, size))
		return NULL;
	s = calloc(1, sizeof *s);
	if (s == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	s->options = options;
	s->curl = curl_easy_init();
	s->md5 = EVP_MD_CTX_new();
	if (s->curl != NULL && s->md5 != NULL)
		return s;
	snprintf(why, size, "no memory");
	s3_close(s);
	return NULL;
}

/* --- what libcurl asks --- */

static void
begin_content(struct work *w)
{
	w->at = 0;
	w->s3->has_md5 = EVP_DigestInit_ex(w->s3->md5, EVP_md5(), NULL) == 1;
}

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
	if (w->s3->has_md5)
		EVP_DigestUpdate(w->s3->md5, buffer, n);
	w->at += n;
	atomic_store(&watch->sent, w->at);
	return n;
}

/* From the start again, on another connection; nothing else is asked for. */
static int
seek_cb(void *arg, curl_off_t offset, int origin)
{
	struct work *w = arg;

	if (origin != SEEK_SET || offset != 0)
		return CURL_SEEKFUNC_FAIL;
	begin_content(w);
	return CURL_SEEKFUNC_OK;
}

static size_t
write_cb(char *bytes, size_t size, size_t count, void *arg)
{
	struct work *w = arg;
	char c;

	for (size_t i = 0; i < size * count && w->n < ANSWER; i++) {
		c = bytes[i];
		w->answer[w->n++] = c >= ' ' && c < 0x7f ? c : ' ';
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

/* --- the request --- */

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

static bool
add_header(struct work *w, const char *name, const char *value)
{
	char header[S3_AUTHORIZATION + 64];
	struct curl_slist *headers;
	int n = snprintf(header, sizeof header, "%s: %s", name, value);

	if (n < 0 || (size_t)n >= sizeof header)
		return false;
	headers = curl_slist_append(w->headers, header);
	if (headers != NULL)
		w->headers = headers;
	return headers != NULL;
}

static bool
make_path(struct work *w)
{
	const struct s3_options *o = w->s3->options;
	char key[PATH / 3];
	size_t n;
	int length = snprintf(key, sizeof key, "/%s/%s%s", o->bucket,
	    o->prefix != NULL ? o->prefix : "", w->file->name);

	if (length < 0 || (size_t)length >= sizeof key ||
	    !s3_encode(key, true, w->path, sizeof w->path))
		return false;
	n = strlen(o->endpoint);
	if (n > 0 && o->endpoint[n - 1] == '/')
		n--;
	length = snprintf(w->result->remote, sizeof w->result->remote, "%.*s%s",
	    (int)n, o->endpoint, w->path);
	return length > 0 && (size_t)length < sizeof w->result->remote;
}

static bool
sign(struct work *w)
{
	const struct s3_options *o = w->s3->options;
	const struct s3_keys keys = {o->key_id, w->secret.text};
	char host[256], date[S3_DATE], hex[SHA256_HEX + 1] = "";
	char authorization[S3_AUTHORIZATION];
	const struct s3_header headers[] = {
	    {"host", host},
	    {"x-amz-checksum-sha256", w->sum},
	    {"x-amz-content-sha256", hex},
	    {"x-amz-date", date},
	};
	struct s3_request r = {
	    .method = "PUT",
	    .path = w->path,
	    .query = "",
	    .headers = headers,
	    .header_count = sizeof headers / sizeof headers[0],
	    .region = o->region,
	    .service = "s3",
	    .date = date,
	};

	/* as it is in the request: libcurl would leave out a usual port */
	snprintf(host, sizeof host, "%s", o->endpoint + strlen("https://"));
	host[strcspn(host, "/")] = '\0';
	sha256_hex(w->file->sha256, hex);
	EVP_EncodeBlock((unsigned char *)w->sum, w->file->sha256, SHA256_SIZE);
	s3_date(time(NULL), date);
	memcpy(r.payload, w->file->sha256, SHA256_SIZE);
	if (!s3_sign(&r, &keys, authorization))
		return false;
	for (size_t i = 0; i < r.header_count; i++)
		if (!add_header(w, headers[i].name, headers[i].value))
			return false;
	return add_header(w, "Authorization", authorization) &&
	       add_header(w, "Content-Type", "application/octet-stream");
}

#define SET(w, option, value)                                                  \
	((void)curl_easy_setopt((w)->s3->curl, option, value))

static void
set_connection(struct work *w)
{
	const struct s3_options *o = w->s3->options;

	SET(w, CURLOPT_PROTOCOLS_STR, "https");
	SET(w, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (o->ca != NULL) {
		SET(w, CURLOPT_CAINFO, o->ca);
		SET(w, CURLOPT_CAPATH, NULL);
	}
	SET(w, CURLOPT_PROXY, o->proxy != NULL ? o->proxy : "");
	SET(w, CURLOPT_NOSIGNAL, 1L);
	SET(w, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(w, CURLOPT_CONNECTTIMEOUT_MS, (long)o->timeout);
	SET(w, CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(w, CURLOPT_LOW_SPEED_TIME, (long)(o->timeout / 1000));
	SET(w, CURLOPT_USERAGENT, "sepmlog-upload/" SEPMLOG_VERSION);
}

static void
set_request(struct work *w)
{
	curl_easy_reset(w->s3->curl);
	w->s3->error[0] = '\0';
	SET(w, CURLOPT_URL, w->result->remote);
	SET(w, CURLOPT_PATH_AS_IS, 1L);
	SET(w, CURLOPT_ERRORBUFFER, w->s3->error);
	SET(w, CURLOPT_NOPROGRESS, 0L);
	SET(w, CURLOPT_XFERINFOFUNCTION, progress_cb);
	SET(w, CURLOPT_XFERINFODATA, w);
	SET(w, CURLOPT_WRITEFUNCTION, write_cb);
	SET(w, CURLOPT_WRITEDATA, w);
	SET(w, CURLOPT_READFUNCTION, read_cb);
	SET(w, CURLOPT_READDATA, w);
	SET(w, CURLOPT_SEEKFUNCTION, seek_cb);
	SET(w, CURLOPT_SEEKDATA, w);
	SET(w, CURLOPT_UPLOAD, 1L);
	SET(w, CURLOPT_INFILESIZE_LARGE, (curl_off_t)w->file->size);
	SET(w, CURLOPT_HTTPHEADER, w->headers);
	set_connection(w);
	begin_content(w);
}

/* --- the answer --- */

static const char *
answer_header(struct work *w, const char *name)
{
	struct curl_header *header;

	return curl_easy_header(
		   w->s3->curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK
		   ? header->value
		   : NULL;
}

/* Is the ETag another MD5 than that of what was sent? Encryption with keys of
 * a service makes one that is no MD5 at all. */
static bool
etag_differs(struct work *w, const char *etag)
{
	unsigned char md5[EVP_MAX_MD_SIZE];
	const char *encryption =
	    answer_header(w, "x-amz-server-side-encryption");
	char hex[2 * MD5 + 1];
	unsigned n;

	if (encryption != NULL && strcmp(encryption, "AES256") != 0)
		return false;
	if (answer_header(
		w, "x-amz-server-side-encryption-customer-algorithm") != NULL)
		return false;
	if (!w->s3->has_md5 || EVP_DigestFinal_ex(w->s3->md5, md5, &n) != 1 ||
	    n != MD5)
		return false;
	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", md5[i]);
	etag += etag[0] == '"';
	return strspn(etag, "0123456789abcdef") == 2 * MD5 &&
	       strncmp(etag, hex, 2 * MD5) != 0;
}

/* Without its quotes. */
static void
note_etag(struct target_result *r, const char *etag)
{
	etag += etag[0] == '"';
	snprintf(r->check, sizeof r->check, "etag:%.*s",
	    (int)strcspn(etag, "\""), etag);
}

static void
judge_content(struct work *w)
{
	const char *sum = answer_header(w, "x-amz-checksum-sha256");
	const char *etag = answer_header(w, "ETag");
	struct target_result *r = w->result;

	if ((sum != NULL && strcmp(sum, w->sum) != 0) ||
	    (sum == NULL && etag != NULL && etag_differs(w, etag))) {
		again(w, false,
		    "the server has another content than was sent; if it stays "
		    "so, see what is in between, and the server's log");
		return;
	}
	if (sum != NULL)
		snprintf(r->check, sizeof r->check, "sha256:%s", w->sum);
	else
		note_etag(r, etag != NULL ? etag : "");
	r->outcome = TARGET_DELIVERED;
}

static const char *
hint_of_status(long status)
{
	switch (status) {
	case 301:
	case 307:
		return ": check `endpoint` and `region`";
	case 400:
		return ": check `region`";
	case 403:
		return ": check `key_id`, `secret_file`, what they may do "
		       "(s3:PutObject), and this machine's time";
	case 404:
		return ": check `bucket`; it must be there";
	default:
		return "";
	}
}

static void
judge(struct work *w)
{
	long status = 0;
	curl_off_t after = 0;

	curl_easy_getinfo(w->s3->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(w->s3->curl, CURLINFO_RETRY_AFTER, &after);
	if (status == 200) {
		judge_content(w);
		return;
	}
	/* 400: also of damage on the way; 408: of a slow line */
	again(w, status != 400 && status != 408, "PUT: answer %ld%s%s%s",
	    status, hint_of_status(status), w->n > 0 ? ": " : "", w->answer);
	if (status == 413 && w->result->outcome == TARGET_RETRY)
		w->result->outcome = TARGET_REFUSED;
	if (after > 0)
		w->result->retry_after =
		    after < INT32_MAX ? (unsigned)after : INT32_MAX;
}

static void
perform(struct work *w)
{
	CURLcode code = curl_easy_perform(w->s3->curl);

	if (code == CURLE_OK)
		judge(w);
	else if (w->error != 0)
		again(
		    w, false, "cannot read it: %s", strerrordesc_np(w->error));
	else
		again(w, true,
		    "%s; check `endpoint`, `ca`, `proxy`, and whether the "
		    "server runs",
		    w->s3->error[0] != '\0' ? w->s3->error
					    : curl_easy_strerror(code));
}

static void
deliver(struct work *w)
{
	if (w->file->size > put_most) {
		again(w, false,
		    "more than 5 GiB are no object of one PUT; rotate earlier");
		w->result->outcome = TARGET_REFUSED;
		return;
	}
	if (!make_path(w)) {
		again(w, true, "the URL is too long; use a shorter `prefix`");
		return;
	}
	if (!sign(w)) {
		again(w, true,
		    "cannot sign: no memory, or an option is too long");
		return;
	}
	set_request(w);
	perform(w);
}

static void
s3_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct s3 *s = target;
	struct work w = {
	    .s3 = s, .file = file, .watch = watch, .result = result};

	*result = (struct target_result){.outcome = TARGET_RETRY};
	if (!secret_read(s->options->secret_file, &w.secret, result->reason,
		sizeof result->reason)) {
		result->target_down = true;
		return;
	}
	deliver(&w);
	curl_easy_reset(s->curl);
	curl_slist_free_all(w.headers);
	secret_clear(&w.secret);
}

const struct target_kind target_s3 = {
    .name = "s3",
    .open = s3_open,
    .deliver = s3_deliver,
    .close = s3_close,
};
