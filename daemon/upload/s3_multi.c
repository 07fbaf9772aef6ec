#include "s3_multi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3_sign.h"
#include "span.h"

enum {
	ID = 1024, /* encoded */
	ETAG = 44, /* without quotes */
	BODY = 8192,
	ANSWER_TEXT = 600,
	XML = S3_PARTS * (ETAG + S3_BASE64 + 128) + 256,
	BUFFER = 256 * 1024,
	WORDS = 160, /* of the journal: all but path, id and ETags */
};

_Static_assert(S3_PARTS *(ETAG + 1) + ID + S3_PATH + WORDS <= TARGET_JOURNAL,
    "the journal has no room for all parts");

/* Of one upload; the journal has it all but the sums, which the file has. */
struct multi {
	struct s3_work *w;
	uint64_t part;
	size_t count, done;
	bool sums; /* the server keeps SHA-256 of the parts */
	bool md5s; /* so far all ETags are MD5s */
	char id[ID + 1];
	char path[S3_PATH];
	char etag[S3_PARTS][ETAG + 1];
	uint8_t md5[S3_PARTS][S3_MD5], sum[S3_PARTS][SHA256_SIZE];
	char body[BODY];
	char buffer[BUFFER];
	char xml[XML];
};

uint64_t
s3_part_size(uint64_t size, uint64_t wanted)
{
	uint64_t least = size / S3_PARTS + (size % S3_PARTS > 0);

	return wanted > least ? wanted : least;
}

/* --- the journal --- */

/* Where to is in it, as the configuration may have changed since. */
static bool
write_journal(struct multi *m)
{
	struct target_watch *watch = m->w->web.watch;
	char hex[SHA256_HEX];
	size_t n, size = sizeof watch->journal;

	sha256_hex(m->w->web.file->digest.sum, hex);
	n = (size_t)snprintf(watch->journal, size,
	    "s3 %.*s %" PRIu64 " %d %s %s", SHA256_HEX, hex, m->part, m->sums,
	    m->path, m->id);
	for (size_t i = 0; i < m->done && n < size; i++)
		n += (size_t)snprintf(
		    watch->journal + n, size - n, " %s", m->etag[i]);
	if (n >= size) {
		errno = ENAMETOOLONG;
		watch->journal[0] = '\0';
	}
	if (n < size && watch->keep_journal(watch))
		return true;
	web_again(&m->w->web, false,
	    "upload/state: %s; make room, or check the disk",
	    strerrordesc_np(errno));
	return false;
}

static void
forget(struct s3_work *w)
{
	struct target_watch *watch = w->web.watch;

	watch->journal[0] = '\0';
	/* If it cannot be kept, the server will say that there is none. */
	(void)watch->keep_journal(watch);
}

static struct span
next_word(struct span *text)
{
	struct span word = span_take(*text, span_find(*text, ' '));

	*text = span_skip(*text, word.n + 1);
	return word;
}

static bool
copy_word(struct span *text, char *out, size_t size)
{
	struct span word = next_word(text);

	if (word.n == 0 || word.n >= size)
		return false;
	memcpy(out, word.p, word.n);
	out[word.n] = '\0';
	return true;
}

/* Is an upload under way? *same: of this very file, to the same place. */
static bool
read_journal(struct multi *m, bool *same)
{
	struct span text = span_str(m->w->web.watch->journal);
	uint8_t sum[SHA256_SIZE];
	char part[32], sums[2];

	if (!span_eq(next_word(&text), SPAN("s3")) ||
	    !sha256_read(next_word(&text), sum) ||
	    !copy_word(&text, part, sizeof part) ||
	    !copy_word(&text, sums, sizeof sums) ||
	    !copy_word(&text, m->path, sizeof m->path) ||
	    !copy_word(&text, m->id, sizeof m->id))
		return false;
	m->part = strtoull(part, NULL, 10);
	m->sums = sums[0] == '1';
	for (m->done = 0; m->done < S3_PARTS && text.n > 0; m->done++)
		if (!copy_word(&text, m->etag[m->done], sizeof m->etag[0]))
			break;
	*same = m->part > 0 && strcmp(m->path, m->w->path) == 0 &&
		memcmp(sum, m->w->web.file->digest.sum, sizeof sum) == 0;
	return true;
}

/* --- requests --- */

/* What an element of the answer has, up to the next mark. */
static bool
element(const struct multi *m, const char *name, char *out, size_t size)
{
	char mark[64];
	const char *at;
	size_t n;

	snprintf(mark, sizeof mark, "<%s>", name);
	at = strstr(m->body, mark);
	if (at == NULL)
		return false;
	at += strlen(mark);
	n = strcspn(at, "<");
	if (n == 0 || n >= size || at[n] == '\0')
		return false;
	memcpy(out, at, n);
	out[n] = '\0';
	return true;
}

static bool
is_unknown_upload(const struct multi *m)
{
	return strstr(m->body, "<Code>NoSuchUpload</Code>") != NULL;
}

/* `?uploadId=`, and the part before it by its number; 0: of no part. */
static void
make_query(const struct multi *m, size_t number, char query[S3_QUERY])
{
	if (number > 0)
		snprintf(query, S3_QUERY, "partNumber=%zu&uploadId=%s", number,
		    m->id);
	else
		snprintf(query, S3_QUERY, "uploadId=%s", m->id);
}

/* True: it is no more. */
static bool
abort_upload(struct multi *m)
{
	char query[S3_QUERY];
	const struct s3_call call = {
	    "DELETE", m->path, query, s3_nothing, .sum = NULL};
	long status;

	make_query(m, 0, query);
	if (!s3_begin(m->w, &call))
		return false;
	WEB_SET(&m->w->web, CURLOPT_CUSTOMREQUEST, "DELETE");
	status = s3_perform(m->w);
	if (status == 200 || status == 204 || status == 404) {
		forget(m->w);
		return true;
	}
	if (status != 0)
		s3_failed(m->w, "DELETE (s3:AbortMultipartUpload)", status);
	return false;
}

static bool
begin_upload(struct multi *m)
{
	const struct s3_call call = {
	    "POST", m->w->path, "uploads=", s3_nothing, .asks_sums = true};
	const char *algorithm;
	char id[ID / 3];
	long status;

	if (!s3_begin(m->w, &call))
		return false;
	WEB_SET(&m->w->web, CURLOPT_POST, 1L);
	WEB_SET(&m->w->web, CURLOPT_POSTFIELDSIZE, 0L);
	WEB_SET(&m->w->web, CURLOPT_POSTFIELDS, "");
	status = s3_perform(m->w);
	if (status == 0)
		return false;
	if (status != 200) {
		s3_failed(m->w, "POST ?uploads", status);
		return false;
	}
	if (!element(m, "UploadId", id, sizeof id) ||
	    !s3_encode(id, false, m->id, sizeof m->id)) {
		web_again(&m->w->web, true,
		    "POST ?uploads: the answer has no UploadId; does the "
		    "server know multipart uploads? Else raise `multipart`");
		return false;
	}
	algorithm = web_header(&m->w->web, "x-amz-checksum-algorithm");
	m->sums = algorithm != NULL && strcmp(algorithm, "SHA256") == 0;
	m->done = 0;
	snprintf(m->path, sizeof m->path, "%s", m->w->path);
	if (write_journal(m))
		return true;
	/* Nobody would know of it. */
	(void)abort_upload(m);
	return false;
}

/* --- parts --- */

static uint64_t
part_end(const struct multi *m, size_t i)
{
	uint64_t end = (i + 1) * m->part;

	return end < m->w->web.file->size ? end : m->w->web.file->size;
}

/* The sums of what the file has. */
static bool
hash_part(struct multi *m, size_t i, struct sha256 *sha)
{
	const struct target_file *file = m->w->web.file;
	uint64_t at = i * m->part, end = part_end(m, i);
	size_t n;

	sha256_begin(sha);
	s3_sees_cb(&m->w->web, NULL, 0);
	for (; at < end; at += n) {
		n = end - at < BUFFER ? (size_t)(end - at) : BUFFER;
		if (atomic_load(m->w->web.watch->stop)) {
			web_again(&m->w->web, false, "stopped");
			return false;
		}
		n = target_read(file, at, m->buffer, n);
		if (n == 0) {
			web_again(&m->w->web, false, "cannot read it: %s",
			    target_read_why(errno));
			return false;
		}
		sha256_add(sha, span_of(m->buffer, n));
		s3_sees_cb(&m->w->web, m->buffer, n);
	}
	sha256_end(sha, m->sum[i]);
	m->md5s = s3_md5(m->w, m->md5[i]) && m->md5s;
	return true;
}

/* Is its ETag the MD5 of what the file has? */
static bool
is_md5(const struct multi *m, size_t i)
{
	char hex[2 * S3_MD5 + 1];

	s3_hex(m->md5[i], S3_MD5, hex);
	return strcmp(m->etag[i], hex) == 0;
}

static bool
is_usable(const char *etag, size_t n)
{
	return n > 0 && n <= ETAG &&
	       strspn(etag,
		   "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
		   "XYZ-_.=+/:") >= n;
}

static bool
take_part(struct multi *m, const char *sum)
{
	struct s3_work *w = m->w;
	const char *there = web_header(&w->web, "x-amz-checksum-sha256");
	const char *etag = web_header(&w->web, "ETag");
	bool must_be_md5 = etag != NULL && s3_etag_is_md5(w, etag);
	size_t i = m->done, n;

	if (etag != NULL)
		etag += etag[0] == '"';
	n = etag != NULL ? strcspn(etag, "\"") : 0;
	if (!is_usable(etag, n)) {
		web_again(&w->web, true,
		    "part %zu: the answer has no ETag that could be sent "
		    "back; raise `multipart`, so that there are no parts",
		    i + 1);
		return false;
	}
	snprintf(m->etag[i], sizeof m->etag[i], "%.*s", (int)n, etag);
	if ((there != NULL && strcmp(there, sum) != 0) ||
	    (there == NULL && w->s3->has_md5 && must_be_md5 && !is_md5(m, i))) {
		web_again(&w->web, false,
		    "part %zu: the server has another content than was sent; "
		    "if it stays so, see what is in between, and the server's "
		    "log",
		    i + 1);
		return false;
	}
	m->md5s = m->md5s && is_md5(m, i);
	m->done++;
	return write_journal(m);
}

static void
upload_is_unknown(struct multi *m)
{
	forget(m->w);
	web_again(&m->w->web, false,
	    "the server does not know the upload any more; it begins again. "
	    "Are unfinished uploads removed there too early?");
}

static bool
send_part(struct multi *m)
{
	size_t i = m->done;
	char query[S3_QUERY], sum[S3_BASE64 + 1];
	const struct s3_call call = {
	    "PUT", m->path, query, m->sum[i], .sum = m->sums ? sum : NULL};
	uint64_t from = i * m->part, to = part_end(m, i);
	long status;

	EVP_EncodeBlock((unsigned char *)sum, m->sum[i], SHA256_SIZE);
	make_query(m, i + 1, query);
	if (!s3_begin(m->w, &call))
		return false;
	WEB_SET(&m->w->web, CURLOPT_UPLOAD, 1L);
	WEB_SET(&m->w->web, CURLOPT_INFILESIZE_LARGE, (curl_off_t)(to - from));
	web_set_part(&m->w->web, from, to);
	status = s3_perform(m->w);
	if (status == 200)
		return take_part(m, sum);
	if (status == 404 && is_unknown_upload(m))
		upload_is_unknown(m);
	else if (status != 0)
		s3_failed(m->w, "PUT of a part", status);
	return false;
}

static bool
send_parts(struct multi *m)
{
	struct sha256 *sha = sha256_new();
	size_t before = m->done;
	bool good = sha != NULL;

	if (!good)
		web_again(&m->w->web, false, "no memory");
	m->md5s = true;
	for (size_t i = 0; good && i < m->count; i++) {
		good = hash_part(m, i, sha);
		if (good && i < before)
			m->md5s = m->md5s && is_md5(m, i);
		else
			good = good && send_part(m);
	}
	sha256_free(sha);
	return good;
}

/* --- the object --- */

/* Of the parts' MD5s, as the object's ETag is. */
static void
expected_etag(const struct multi *m, char out[2 * S3_MD5 + 8])
{
	uint8_t md5[EVP_MAX_MD_SIZE];

	out[0] = '\0';
	if (!m->md5s || EVP_Digest(m->md5, m->count * S3_MD5, md5, NULL,
			    EVP_md5(), NULL) != 1)
		return;
	s3_hex(md5, S3_MD5, out);
	snprintf(out + 2 * (size_t)S3_MD5, 8, "-%zu", m->count);
}

static void
expected_sum(const struct multi *m, char out[S3_BASE64 + 8])
{
	uint8_t sum[SHA256_SIZE];

	out[0] = '\0';
	if (EVP_Digest(m->sum, m->count * SHA256_SIZE, sum, NULL, EVP_sha256(),
		NULL) != 1)
		return;
	EVP_EncodeBlock((unsigned char *)out, sum, SHA256_SIZE);
	snprintf(out + S3_BASE64, 8, "-%zu", m->count);
}

static void
delivered(struct multi *m, const char *kind, const char *check)
{
	struct target_result *r = m->w->web.result;

	snprintf(r->check, sizeof r->check, "%s:%.120s", kind, check);
	atomic_store(&m->w->web.watch->sent, m->w->web.file->size);
	r->outcome = TARGET_DELIVERED;
}

/* Without quotes, however they are written. */
static char *
bare(char *etag)
{
	static const char *const quotes[] = {"\"", "&quot;", "&#34;"};
	size_t n;

	for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++) {
		n = strlen(quotes[i]);
		if (strncmp(etag, quotes[i], n) == 0)
			etag += n;
	}
	etag[strcspn(etag, "\"&")] = '\0';
	return etag;
}

static void
judge_object(struct multi *m)
{
	char want_sum[S3_BASE64 + 8], want_etag[2 * S3_MD5 + 8];
	char sum[128] = "", tag[128] = "", *etag;
	bool has_sum = element(m, "ChecksumSHA256", sum, sizeof sum);
	bool has_etag = element(m, "ETag", tag, sizeof tag);

	expected_sum(m, want_sum);
	expected_etag(m, want_etag);
	etag = bare(tag);
	/* one without the number of parts is of the whole object */
	has_sum = has_sum && strchr(sum, '-') != NULL;
	if ((has_sum && strcmp(sum, want_sum) != 0) ||
	    (has_etag && want_etag[0] != '\0' &&
		strcmp(etag, want_etag) != 0)) {
		forget(m->w);
		web_again(&m->w->web, false,
		    "the object is another than was sent, and is sent again; "
		    "if it stays so, see the server's log");
	} else if (has_sum) {
		delivered(m, "sha256", sum);
	} else {
		delivered(m, "etag", etag);
	}
}

/* Was the object made, and the answer lost? */
static bool
object_is_there(struct multi *m)
{
	const struct s3_call call = {
	    "HEAD", m->path, "", s3_nothing, .sum = NULL};
	char want[2 * S3_MD5 + 8], tag[128];
	curl_off_t size = -1;
	const char *etag;

	expected_etag(m, want);
	if (want[0] == '\0' || !s3_begin(m->w, &call))
		return false;
	WEB_SET(&m->w->web, CURLOPT_NOBODY, 1L);
	if (s3_perform(m->w) != 200)
		return false;
	curl_easy_getinfo(
	    m->w->s3->web.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	etag = web_header(&m->w->web, "ETag");
	if (etag == NULL || size != (curl_off_t)m->w->web.file->size)
		return false;
	snprintf(tag, sizeof tag, "%s", etag);
	return strcmp(bare(tag), want) == 0;
}

static size_t
make_xml(struct multi *m)
{
	char sum[S3_BASE64 + 1];
	size_t n = (size_t)snprintf(m->xml, XML,
	    "<CompleteMultipartUpload "
	    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");

	for (size_t i = 0; i < m->count; i++) {
		EVP_EncodeBlock((unsigned char *)sum, m->sum[i], SHA256_SIZE);
		n += (size_t)snprintf(m->xml + n, XML - n,
		    "<Part><PartNumber>%zu</PartNumber><ETag>\"%s\"</ETag>",
		    i + 1, m->etag[i]);
		if (m->sums)
			n += (size_t)snprintf(m->xml + n, XML - n,
			    "<ChecksumSHA256>%s</ChecksumSHA256>", sum);
		n += (size_t)snprintf(m->xml + n, XML - n, "</Part>");
	}
	return n + (size_t)snprintf(
		       m->xml + n, XML - n, "</CompleteMultipartUpload>");
}

static void
on_not_completed(struct multi *m, long status)
{
	struct target_result *r = m->w->web.result;
	char code[64] = "", reason[ANSWER_TEXT];

	if (is_unknown_upload(m)) {
		if (object_is_there(m)) {
			expected_etag(m, code);
			delivered(m, "etag", code);
		} else {
			upload_is_unknown(m);
		}
		return;
	}
	s3_failed(m->w, "POST ?uploadId", status);
	/* Other parts than were sent: from the start. */
	element(m, "Code", code, sizeof code);
	if (r->outcome == TARGET_RETRY &&
	    (strcmp(code, "InvalidPart") == 0 ||
		strcmp(code, "InvalidPartOrder") == 0 ||
		strcmp(code, "EntityTooSmall") == 0)) {
		snprintf(reason, sizeof reason, "%s", r->reason);
		if (abort_upload(m))
			web_again(&m->w->web, false, "%.400s", reason);
	}
}

/* It takes its time: some servers answer 200 first, and what it came to in the
 * content. */
static void
complete(struct multi *m)
{
	char query[S3_QUERY];
	uint8_t payload[SHA256_SIZE];
	size_t n = make_xml(m);
	const struct s3_call call = {
	    "POST", m->path, query, payload, .sum = NULL};
	long status;

	make_query(m, 0, query);
	if (EVP_Digest(m->xml, n, payload, NULL, EVP_sha256(), NULL) != 1) {
		web_again(&m->w->web, false, "no memory");
		return;
	}
	if (!s3_begin(m->w, &call))
		return;
	WEB_SET(&m->w->web, CURLOPT_POST, 1L);
	WEB_SET(&m->w->web, CURLOPT_POSTFIELDSIZE, (long)n);
	WEB_SET(&m->w->web, CURLOPT_POSTFIELDS, m->xml);
	status = s3_perform(m->w);
	if (status == 200 && strstr(m->body, "<Error>") == NULL)
		judge_object(m);
	else if (status != 0)
		on_not_completed(m, status);
}

/* --- a delivery --- */

/* What was refused leaves no parts behind. */
static void
clean_up(struct multi *m)
{
	struct target_result *r = m->w->web.result;
	struct target_result refused = *r;

	if (r->outcome != TARGET_REFUSED || m->id[0] == '\0')
		return;
	if (!abort_upload(m))
		snprintf(refused.reason + strlen(refused.reason),
		    sizeof refused.reason - strlen(refused.reason),
		    "; its unfinished upload is left there");
	*r = refused;
}

static size_t
parts_of(uint64_t size, uint64_t part)
{
	return (size_t)(size / part + (size % part > 0));
}

/* True: there is an upload to go on with. */
static bool
find_upload(struct multi *m)
{
	uint64_t size = m->w->web.file->size;
	bool same = false, is_there = read_journal(m, &same);

	if (same) {
		m->count = parts_of(size, m->part);
		same = m->count <= S3_PARTS && m->done <= m->count;
	}
	if (same)
		return true;
	if (is_there && !abort_upload(m))
		return false;
	m->part = s3_part_size(size, m->w->s3->options->part_size);
	m->count = parts_of(size, m->part);
	m->id[0] = '\0';
	return begin_upload(m);
}

static struct multi *
multi_new(struct s3_work *w)
{
	struct multi *m = calloc(1, sizeof *m);

	if (m == NULL) {
		web_again(&w->web, false, "no memory");
		return NULL;
	}
	m->w = w;
	w->web.sees = NULL; /* the sums are known before */
	w->web.body = m->body;
	w->web.body_size = sizeof m->body;
	return m;
}

static void
multi_free(struct multi *m)
{
	curl_easy_reset(m->w->s3->web.curl);
	m->w->web.body = NULL;
	m->w->web.sees = s3_sees_cb;
	free(m);
}

void
s3_multi_deliver(struct s3_work *w)
{
	struct multi *m = multi_new(w);

	if (m == NULL)
		return;
	if (find_upload(m) && send_parts(m))
		complete(m);
	clean_up(m);
	multi_free(m);
}

bool
s3_multi_drop(struct s3_work *w)
{
	struct multi *m;
	bool same, good;

	if (w->web.watch->journal[0] == '\0')
		return true;
	m = multi_new(w);
	if (m == NULL)
		return false;
	good = !read_journal(m, &same) || abort_upload(m);
	multi_free(m);
	return good;
}
