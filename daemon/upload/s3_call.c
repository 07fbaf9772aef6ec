#include "s3_call.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "s3_sign.h"

const uint8_t s3_nothing[SHA256_SIZE] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc,
    0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae,
    0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
    0xb8, 0x55};

/* --- what is sent --- */

void
s3_sees_cb(struct web_work *web, const char *bytes, size_t n)
{
	struct s3 *s = ((struct s3_work *)(void *)web)->s3;

	if (bytes == NULL)
		s->has_md5 = EVP_DigestInit_ex(s->md5, EVP_md5(), NULL) == 1;
	else if (s->has_md5)
		EVP_DigestUpdate(s->md5, bytes, n);
}

bool
s3_md5(struct s3_work *w, uint8_t md5[S3_MD5])
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!w->s3->has_md5 || EVP_DigestFinal_ex(w->s3->md5, sum, &n) != 1 ||
	    n != S3_MD5)
		return false;
	memcpy(md5, sum, S3_MD5);
	return true;
}

void
s3_hex(const uint8_t *bytes, size_t n, char *hex)
{
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

bool
s3_etag_is_md5(struct s3_work *w, const char *etag)
{
	const char *encryption =
	    web_header(&w->web, "x-amz-server-side-encryption");

	if (encryption != NULL && strcmp(encryption, "AES256") != 0)
		return false;
	if (web_header(&w->web,
		"x-amz-server-side-encryption-customer-algorithm") != NULL)
		return false;
	etag += etag[0] == '"';
	return strspn(etag, "0123456789abcdef") == 2 * (size_t)S3_MD5 &&
	       (etag[2 * S3_MD5] == '"' || etag[2 * S3_MD5] == '\0');
}

/* --- the request --- */

static bool
make_url(
    const struct s3_work *w, const struct s3_call *call, char *url, size_t size)
{
	const char *endpoint = w->s3->options->endpoint;
	size_t n = strlen(endpoint);
	int length;

	if (n > 0 && endpoint[n - 1] == '/')
		n--;
	length = snprintf(url, size, "%.*s%s%s%s", (int)n, endpoint, call->path,
	    call->query[0] != '\0' ? "?" : "", call->query);
	return length > 0 && (size_t)length < size;
}

static bool
sign(struct s3_work *w, const struct s3_call *call)
{
	const struct s3_options *o = w->s3->options;
	const struct s3_keys keys = {o->key_id, w->web.secret.text};
	char host[256], date[S3_DATE], hex[SHA256_HEX + 1] = "";
	char authorization[S3_AUTHORIZATION];
	struct s3_header headers[5] = {{"host", host}};
	struct s3_request r = {
	    .method = call->method,
	    .path = call->path,
	    .query = call->query,
	    .headers = headers,
	    .header_count = 1,
	    .region = o->region,
	    .service = "s3",
	    .date = date,
	};

	/* as it is in the request: libcurl would leave out a usual port */
	snprintf(host, sizeof host, "%s", o->endpoint + strlen("https://"));
	host[strcspn(host, "/")] = '\0';
	sha256_hex(call->payload, hex);
	s3_date(time(NULL), date);
	memcpy(r.payload, call->payload, SHA256_SIZE);
	if (call->asks_sums)
		headers[r.header_count++] =
		    (struct s3_header){"x-amz-checksum-algorithm", "SHA256"};
	if (call->sum != NULL)
		headers[r.header_count++] =
		    (struct s3_header){"x-amz-checksum-sha256", call->sum};
	headers[r.header_count++] =
	    (struct s3_header){"x-amz-content-sha256", hex};
	headers[r.header_count++] = (struct s3_header){"x-amz-date", date};
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

bool
s3_begin(struct s3_work *w, const struct s3_call *call)
{
	char url[S3_PATH + S3_QUERY + 300];

	if (!make_url(w, call, url, sizeof url))
		url[0] = '\0';
	web_begin(&w->web, url);
	if (url[0] == '\0' || !sign(w, call)) {
		web_again(&w->web, true,
		    "cannot sign: no memory, or an option is too long");
		return false;
	}
	WEB_SET(&w->web, CURLOPT_PATH_AS_IS, 1L);
	WEB_SET(&w->web, CURLOPT_HTTPHEADER, w->web.headers);
	return true;
}

/* --- the answer --- */

long
s3_perform(struct s3_work *w)
{
	CURLcode code = curl_easy_perform(w->s3->web.curl);

	if (code == CURLE_OK)
		return web_status(&w->web);
	web_no_answer(&w->web, code, true, NULL,
	    "; check `endpoint`, `ca`, `proxy`, and whether the server runs");
	return 0;
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

void
s3_failed(struct s3_work *w, const char *what, long status)
{
	/* 400: also of damage on the way; 408: of a slow line */
	web_again(&w->web, status != 400 && status != 408,
	    "%s: answer %ld%s%s%s", what, status, hint_of_status(status),
	    w->web.n > 0 ? ": " : "", w->web.answer);
	if (status == 413 && w->web.result->outcome == TARGET_RETRY)
		w->web.result->outcome = TARGET_REFUSED;
}
