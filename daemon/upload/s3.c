#include "s3.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3_sign.h"
#include "secret.h"
#include "web.h"

enum {
	PATH = 3 * 800,
	BASE64 = 4 * ((SHA256_SIZE + 2) / 3),
	MD5 = 16,
};

/* By the API's documentation. */
static const uint64_t put_most = 5ULL << 30;

struct s3 {
	const struct s3_options *options;
	struct web web;
	EVP_MD_CTX *md5;
	bool has_md5; /* FIPS forbids it */
};

/* One delivery. */
struct work {
	struct web_work web; /* first: see sees_cb */
	struct s3 *s3;
	struct secret secret;
	char path[PATH], sum[BASE64 + 1];
};

/* --- opening --- */

static bool
check(const struct s3_options *o, char *why, size_t size)
{
	const char *const certificates[] = {o->ca};
	struct secret secret;

	if (!secret_read(o->secret_file, &secret, why, size))
		return false;
	secret_clear(&secret);
	return web_can_read(certificates, 1, why, size);
}

static void
s3_close(void *target)
{
	struct s3 *s = target;

	web_close(&s->web);
	EVP_MD_CTX_free(s->md5);
	free(s);
}

static void *
s3_open(const void *options, char *why, size_t size)
{
	struct s3 *s;

	if (!check(options, why, size))
		return NULL;
	s = calloc(1, sizeof *s);
	if (s == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	s->options = options;
	s->md5 = EVP_MD_CTX_new();
	if (s->md5 == NULL)
		snprintf(why, size, "no memory");
	else if (web_open(&s->web, why, size))
		return s;
	EVP_MD_CTX_free(s->md5);
	free(s);
	return NULL;
}

/* --- the request --- */

/* The MD5 of what is sent, for the ETag. */
static void
sees_cb(struct web_work *web, const char *bytes, size_t n)
{
	struct s3 *s = ((struct work *)(void *)web)->s3;

	if (bytes == NULL)
		s->has_md5 = EVP_DigestInit_ex(s->md5, EVP_md5(), NULL) == 1;
	else if (s->has_md5)
		EVP_DigestUpdate(s->md5, bytes, n);
}

static bool
make_path(struct work *w)
{
	const struct s3_options *o = w->s3->options;
	char key[PATH / 3];
	size_t n;
	int length = snprintf(key, sizeof key, "/%s/%s%s", o->bucket,
	    o->prefix != NULL ? o->prefix : "", w->web.file->name);

	if (length < 0 || (size_t)length >= sizeof key ||
	    !s3_encode(key, true, w->path, sizeof w->path))
		return false;
	n = strlen(o->endpoint);
	if (n > 0 && o->endpoint[n - 1] == '/')
		n--;
	length = snprintf(w->web.result->remote, sizeof w->web.result->remote,
	    "%.*s%s", (int)n, o->endpoint, w->path);
	return length > 0 && (size_t)length < sizeof w->web.result->remote;
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
	sha256_hex(w->web.file->sha256, hex);
	EVP_EncodeBlock(
	    (unsigned char *)w->sum, w->web.file->sha256, SHA256_SIZE);
	s3_date(time(NULL), date);
	memcpy(r.payload, w->web.file->sha256, SHA256_SIZE);
	if (!s3_sign(&r, &keys, authorization))
		return false;
	for (size_t i = 0; i < r.header_count; i++)
		if (!web_add_header(
			&w->web, "%s: %s", headers[i].name, headers[i].value))
			return false;
	return web_add_header(&w->web, "Authorization: %s", authorization) &&
	       web_add_header(
		   &w->web, "Content-Type: application/octet-stream");
}

static void
set_request(struct work *w)
{
	const struct s3_options *o = w->s3->options;
	const struct web_options web = {
	    .ca = o->ca, .proxy = o->proxy, .timeout = o->timeout};

	web_begin(&w->web, w->web.result->remote, &web);
	WEB_SET(&w->web, CURLOPT_PATH_AS_IS, 1L);
	WEB_SET(&w->web, CURLOPT_UPLOAD, 1L);
	WEB_SET(
	    &w->web, CURLOPT_INFILESIZE_LARGE, (curl_off_t)w->web.file->size);
	WEB_SET(&w->web, CURLOPT_HTTPHEADER, w->web.headers);
	web_set_content(&w->web);
}

/* --- the answer --- */

/* Is the ETag another MD5 than that of what was sent? Encryption with keys of
 * a service makes one that is no MD5 at all. */
static bool
etag_differs(struct work *w, const char *etag)
{
	unsigned char md5[EVP_MAX_MD_SIZE];
	const char *encryption =
	    web_header(&w->web, "x-amz-server-side-encryption");
	char hex[2 * MD5 + 1];
	unsigned n;

	if (encryption != NULL && strcmp(encryption, "AES256") != 0)
		return false;
	if (web_header(&w->web,
		"x-amz-server-side-encryption-customer-algorithm") != NULL)
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
	const char *sum = web_header(&w->web, "x-amz-checksum-sha256");
	const char *etag = web_header(&w->web, "ETag");
	struct target_result *r = w->web.result;

	if ((sum != NULL && strcmp(sum, w->sum) != 0) ||
	    (sum == NULL && etag != NULL && etag_differs(w, etag))) {
		web_again(&w->web, false,
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
	long status = web_status(&w->web);

	if (status == 200) {
		judge_content(w);
		return;
	}
	/* 400: also of damage on the way; 408: of a slow line */
	web_again(&w->web, status != 400 && status != 408,
	    "PUT: answer %ld%s%s%s", status, hint_of_status(status),
	    w->web.n > 0 ? ": " : "", w->web.answer);
	if (status == 413 && w->web.result->outcome == TARGET_RETRY)
		w->web.result->outcome = TARGET_REFUSED;
}

static void
perform(struct work *w)
{
	CURLcode code = curl_easy_perform(w->s3->web.curl);

	if (code == CURLE_OK)
		judge(w);
	else if (w->web.error != 0)
		web_again(&w->web, false, "cannot read it: %s",
		    strerrordesc_np(w->web.error));
	else
		web_again(&w->web, true,
		    "%s; check `endpoint`, `ca`, `proxy`, and whether the "
		    "server runs",
		    web_why(&w->web, code));
}

static void
deliver(struct work *w)
{
	if (w->web.file->size > put_most) {
		web_again(&w->web, false,
		    "more than 5 GiB are no object of one PUT; rotate earlier");
		w->web.result->outcome = TARGET_REFUSED;
		return;
	}
	if (!make_path(w)) {
		web_again(&w->web, true,
		    "the URL is too long; use a shorter `prefix`");
		return;
	}
	if (!sign(w)) {
		web_again(&w->web, true,
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
	    .s3 = s,
	    .web = {.web = &s->web,
		.file = file,
		.watch = watch,
		.result = result,
		.sees = sees_cb},
	};

	*result = (struct target_result){.outcome = TARGET_RETRY};
	if (!secret_read(s->options->secret_file, &w.secret, result->reason,
		sizeof result->reason)) {
		result->target_down = true;
		return;
	}
	deliver(&w);
	curl_easy_reset(s->web.curl);
	curl_slist_free_all(w.web.headers);
	secret_clear(&w.secret);
}

const struct target_kind target_s3 = {
    .name = "s3",
    .open = s3_open,
    .deliver = s3_deliver,
    .close = s3_close,
};
