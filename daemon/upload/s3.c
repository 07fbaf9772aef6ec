#include "s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3_call.h"
#include "s3_multi.h"
#include "s3_sign.h"

/* By the API's documentation. */
static const uint64_t put_most = 5ULL << 30;

/* --- opening --- */

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
	struct s3 *s = calloc(1, sizeof *s);

	if (s == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	s->options = options;
	s->md5 = EVP_MD_CTX_new();
	if (s->md5 == NULL)
		snprintf(why, size, "no memory");
	else if (web_open(&s->web, &s->options->access, why, size))
		return s;
	EVP_MD_CTX_free(s->md5);
	free(s);
	return NULL;
}

/* --- one PUT --- */

static bool
make_path(struct s3_work *w)
{
	const struct s3_options *o = w->s3->options;
	char key[S3_PATH / 3];
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

/* Is the ETag another MD5 than that of what was sent? */
static bool
etag_differs(struct s3_work *w, const char *etag)
{
	uint8_t md5[S3_MD5];
	char hex[2 * S3_MD5 + 1];

	if (!s3_etag_is_md5(w, etag) || !s3_md5(w, md5))
		return false;
	s3_hex(md5, S3_MD5, hex);
	etag += etag[0] == '"';
	return strncmp(etag, hex, 2 * (size_t)S3_MD5) != 0;
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
judge_content(struct s3_work *w, const char *sent)
{
	const char *sum = web_header(&w->web, "x-amz-checksum-sha256");
	const char *etag = web_header(&w->web, "ETag");
	struct target_result *r = w->web.result;

	if ((sum != NULL && strcmp(sum, sent) != 0) ||
	    (sum == NULL && etag != NULL && etag_differs(w, etag))) {
		web_again(&w->web, false,
		    "the server has another content than was sent; if it stays "
		    "so, see what is in between, and the server's log");
		return;
	}
	if (sum != NULL)
		snprintf(r->check, sizeof r->check, "sha256:%s", sent);
	else
		note_etag(r, etag != NULL ? etag : "");
	r->outcome = TARGET_DELIVERED;
}

static void
put(struct s3_work *w)
{
	char sum[S3_BASE64 + 1];
	const struct s3_call call = {
	    "PUT", w->path, "", w->web.file->digest.sum, .sum = sum};
	long status;

	EVP_EncodeBlock(
	    (unsigned char *)sum, w->web.file->digest.sum, SHA256_SIZE);
	if (!s3_begin(w, &call))
		return;
	WEB_SET(&w->web, CURLOPT_UPLOAD, 1L);
	WEB_SET(
	    &w->web, CURLOPT_INFILESIZE_LARGE, (curl_off_t)w->web.file->size);
	web_set_content(&w->web);
	status = s3_perform(w);
	if (status == 200)
		judge_content(w, sum);
	else if (status != 0)
		s3_failed(w, "PUT", status);
}

/* --- a delivery --- */

static void
deliver(struct s3_work *w)
{
	uint64_t size = w->web.file->size;
	const struct s3_options *o = w->s3->options;

	if (s3_part_size(size, o->part_size) > put_most) {
		web_again(&w->web, false,
		    "more than 1000 parts of 5 GiB; rotate earlier");
		w->web.result->outcome = TARGET_REFUSED;
		return;
	}
	if (!make_path(w)) {
		web_again(&w->web, true,
		    "the URL is too long; use a shorter `prefix`");
		return;
	}
	if (size > o->multipart)
		s3_multi_deliver(w);
	else if (s3_multi_drop(w))
		put(w);
}

static struct s3_work
work_on(struct s3 *s, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	return (struct s3_work){
	    .s3 = s,
	    .web = {.web = &s->web,
		.file = file,
		.watch = watch,
		.result = result,
		.sees = s3_sees_cb},
	};
}

static void
s3_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct s3_work w = work_on(target, file, watch, result);

	*result = (struct target_result){.outcome = TARGET_RETRY};
	if (!web_read_secret(&w.web))
		return;
	deliver(&w);
	web_end(&w.web);
}

static bool
s3_drop(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct s3_work w = work_on(target, file, watch, result);
	bool good = web_read_secret(&w.web) && s3_multi_drop(&w);

	web_end(&w.web);
	return good;
}

const struct target_kind target_s3 = {
    .name = "s3",
    .open = s3_open,
    .deliver = s3_deliver,
    .close = s3_close,
    .drop = s3_drop,
};
