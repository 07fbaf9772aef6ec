#include "ftps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3_sign.h"
#include "sha256.h"
#include "spool/disk.h"
#include "web.h"

enum {
	PATH = TARGET_REMOTE,
	URL = 3 * PATH,
	BUFFER = CURL_MAX_WRITE_SIZE,
};

/* In the journal while a file gets its name: it was whole, and compared. */
static const char renaming[] = "ftps renaming";

struct ftps {
	const struct ftps_options *options;
	struct web web;
};

/* One delivery. */
struct work {
	struct web_work web;
	struct ftps *ftps;
	char part[PATH]; /* its name, without the directory */
};

/* --- opening --- */

static void
ftps_close(void *target)
{
	struct ftps *f = target;

	web_close(&f->web);
	free(f);
}

static void *
ftps_open(const void *options, char *why, size_t size)
{
	struct ftps *f = calloc(1, sizeof *f);

	if (f == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	f->options = options;
	if (web_open(&f->web, &f->options->access, why, size))
		return f;
	free(f);
	return NULL;
}

/* --- a command --- */

/* ftp://HOST:PORT/DIRECTORY/NAME, as RFC 1738 3.2.2 has it. */
static bool
url_of(const struct work *w, const char *name, char url[URL])
{
	const struct ftps_options *o = w->ftps->options;
	const char *directory = o->directory != NULL ? o->directory : "";
	bool is_absolute = directory[0] == '/';
	char path[PATH], encoded[URL - 300];
	int n;

	n = snprintf(path, sizeof path, "%s%s%s", directory + is_absolute,
	    directory[0] != '\0' && directory[strlen(directory) - 1] != '/'
		? "/"
		: "",
	    name);
	if (n < 0 || (size_t)n >= sizeof path ||
	    !s3_encode(path, true, encoded, sizeof encoded))
		return false;
	snprintf(url, URL, "ftp://%.255s:%u/%s%s", o->host, o->port,
	    is_absolute ? "%2F" : "", encoded);
	return true;
}

/* All of them are about a name in the directory; "": the directory. */
static bool
begin(struct work *w, const char *name)
{
	const struct ftps_options *o = w->ftps->options;
	char url[URL];

	if (!url_of(w, name, url)) {
		web_again(&w->web, true,
		    "the path there is too long; use a shorter `directory`");
		return false;
	}
	web_begin(&w->web, url);
	WEB_SET(&w->web, CURLOPT_PROTOCOLS_STR, "ftp");
	/* Servers want the session of the control connection for the data;
	 * with TLS 1.3 the ticket that libcurl has for it may be another. */
	WEB_SET(&w->web, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2 | (long)CURL_SSLVERSION_MAX_TLSv1_2);
	WEB_SET(&w->web, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
	WEB_SET(&w->web, CURLOPT_FTPSSLAUTH, (long)CURLFTPAUTH_TLS);
	WEB_SET(&w->web, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_SINGLECWD);
	WEB_SET(&w->web, CURLOPT_FTP_SKIP_PASV_IP, 1L);
	WEB_SET(&w->web, CURLOPT_SERVER_RESPONSE_TIMEOUT,
	    (long)(o->access.timeout / 1000));
	web_set_login(&w->web);
	return true;
}

static const char *
hint_of(CURLcode code)
{
	switch (code) {
	case CURLE_LOGIN_DENIED:
		return "; check `user` and `password_file`";
	case CURLE_USE_SSL_FAILED:
		return "; the server has to take AUTH TLS, and PROT P";
	case CURLE_PEER_FAILED_VERIFICATION:
		return "; check `ca`, the server's certificate and this "
		       "machine's time";
	case CURLE_REMOTE_ACCESS_DENIED:
		return "; create the directory there, or correct `directory`";
	case CURLE_UPLOAD_FAILED:
	case CURLE_QUOTE_ERROR:
		return "; let the user create and rename files in the "
		       "directory; is the disk there full?";
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
		return "; check `host`, `port`, and whether the server runs";
	default:
		return "";
	}
}

static bool
failed(struct work *w, const char *what, CURLcode code)
{
	web_no_answer(&w->web, code, true, what, hint_of(code));
	return false;
}

static CURLcode
perform(struct work *w)
{
	return curl_easy_perform(w->ftps->web.curl);
}

/* --- what is there --- */

/* Bytes of it; -1: there is none. False: the result says why. */
static bool
find_size(struct work *w, const char *name, int64_t *size)
{
	curl_off_t length = -1;
	CURLcode code;

	if (!begin(w, name))
		return false;
	WEB_SET(&w->web, CURLOPT_NOBODY, 1L);
	code = perform(w);
	*size = -1;
	if (code == CURLE_REMOTE_FILE_NOT_FOUND)
		return true;
	if (code != CURLE_OK)
		return failed(w, "SIZE", code);
	curl_easy_getinfo(
	    w->ftps->web.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	*size = length;
	return true;
}

/* What is read back is compared with the file at the same place. */
struct comparison {
	struct work *work;
	uint64_t at;
	bool same;
	struct sha256 *sha;
	char here[BUFFER];
};

static size_t
compare_cb(char *bytes, size_t size, size_t count, void *arg)
{
	struct comparison *c = arg;
	size_t n = size * count, got = 0;

	c->same = c->same && n <= sizeof c->here &&
		  disk_read(c->work->web.file->fd, c->at, c->here, n, &got) &&
		  got == n && memcmp(c->here, bytes, n) == 0;
	c->at += n;
	sha256_add(c->sha, span_of(bytes, n));
	return c->same ? n : 0;
}

/* If it is all of it, that has the digest, too. */
static bool
is_good(struct comparison *c)
{
	const struct target_file *file = c->work->web.file;
	uint8_t sum[SHA256_SIZE];

	sha256_end(c->sha, sum);
	return c->same && (c->at < file->size ||
			      memcmp(sum, file->digest.sum, sizeof sum) == 0);
}

/* Are the first `n` bytes the same there, and no more of them? False as well if
 * it cannot be read. */
static bool
is_same(struct work *w, const char *name, uint64_t n)
{
	struct comparison c = {.work = w, .same = true};
	bool same;

	if (n == 0)
		return true;
	if (!begin(w, name))
		return false;
	c.sha = sha256_new();
	if (c.sha == NULL)
		return false;
	WEB_SET(&w->web, CURLOPT_WRITEFUNCTION, compare_cb);
	WEB_SET(&w->web, CURLOPT_WRITEDATA, &c);
	same = perform(w) == CURLE_OK && c.at == n && is_good(&c);
	sha256_free(c.sha);
	return same;
}

static void
delivered(struct work *w, bool read_back)
{
	struct target_result *r = w->web.result;
	char hex[SHA256_HEX];

	sha256_hex(w->web.file->digest.sum, hex);
	if (read_back)
		snprintf(
		    r->check, sizeof r->check, "sha256:%.*s", SHA256_HEX, hex);
	else
		snprintf(r->check, sizeof r->check, "size:%" PRIu64,
		    w->web.file->size);
	r->outcome = TARGET_DELIVERED;
}

/* True: nothing has the name, go on. */
static bool
name_is_free(struct work *w)
{
	const struct target_file *file = w->web.file;
	bool was_renaming = strcmp(w->web.watch->journal, renaming) == 0;
	int64_t size;

	if (!find_size(w, file->name, &size))
		return false;
	if (size < 0)
		return true;
	if ((uint64_t)size == file->size) {
		if (is_same(w, file->name, file->size)) {
			delivered(w, true);
			return false;
		}
		/* it is ours, whose answer was lost, and may not be read */
		if (was_renaming) {
			delivered(w, false);
			return false;
		}
	}
	web_again(&w->web, false,
	    "%s is there already, and is not this file or cannot be read; move "
	    "one of them away, or give each sender a directory of its own",
	    file->name);
	if (w->web.result->outcome == TARGET_RETRY)
		w->web.result->outcome = TARGET_REFUSED;
	return false;
}

/* --- the way there --- */

/* Where to go on in the part; 0: from the start. All of it is compared: what is
 * damaged may be anywhere. */
static bool
find_start(struct work *w, uint64_t *start)
{
	int64_t size;
	uint64_t there;

	*start = 0;
	if (!find_size(w, w->part, &size))
		return false;
	there = size > 0 ? (uint64_t)size : 0;
	if (there > 0 && there <= w->web.file->size &&
	    is_same(w, w->part, there))
		*start = there;
	return true;
}

static bool
send_part(struct work *w)
{
	uint64_t start;
	CURLcode code;

	if (!find_start(w, &start))
		return false;
	if (start > 0 && start == w->web.file->size)
		return true;
	if (!begin(w, w->part))
		return false;
	WEB_SET(&w->web, CURLOPT_UPLOAD, 1L);
	WEB_SET(
	    &w->web, CURLOPT_INFILESIZE_LARGE, (curl_off_t)w->web.file->size);
	if (start > 0)
		WEB_SET(&w->web, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)start);
	web_set_content(&w->web);
	code = perform(w);
	return code == CURLE_OK || failed(w, "STOR", code);
}

static bool
check_part(struct work *w)
{
	const struct target_file *file = w->web.file;
	int64_t size;

	if (!find_size(w, w->part, &size))
		return false;
	if (size < 0 || (uint64_t)size != file->size) {
		web_again(&w->web, false,
		    "%s has %" PRId64 " bytes of %" PRIu64
		    "; does something else write there, or is text converted?",
		    w->part, size, file->size);
		return false;
	}
	if (!w->ftps->options->verify || is_same(w, w->part, file->size))
		return true;
	web_again(&w->web, false,
	    "%s does not have the content that was sent, or cannot be read; "
	    "check the disk there, or do without `verify`",
	    w->part);
	return false;
}

static bool
keep(struct work *w, const char *text)
{
	struct target_watch *watch = w->web.watch;

	snprintf(watch->journal, sizeof watch->journal, "%s", text);
	if (watch->keep_journal(watch))
		return true;
	web_again(&w->web, false,
	    "upload/state: %s; make room, or check the disk",
	    strerrordesc_np(errno));
	return false;
}

static bool
rename_part(struct work *w)
{
	struct curl_slist *commands = NULL;
	char command[PATH + 8];
	CURLcode code;

	if (!keep(w, renaming) || !begin(w, ""))
		return false;
	snprintf(command, sizeof command, "RNFR %s", w->part);
	commands = curl_slist_append(commands, command);
	snprintf(command, sizeof command, "RNTO %s", w->web.file->name);
	if (commands == NULL || curl_slist_append(commands, command) == NULL) {
		curl_slist_free_all(commands);
		web_again(&w->web, false, "no memory");
		return false;
	}
	WEB_SET(&w->web, CURLOPT_NOBODY, 1L);
	WEB_SET(&w->web, CURLOPT_POSTQUOTE, commands);
	code = perform(w);
	WEB_SET(&w->web, CURLOPT_POSTQUOTE, NULL);
	curl_slist_free_all(commands);
	return code == CURLE_OK || failed(w, "RNFR, RNTO", code);
}

static void
deliver(struct work *w)
{
	if (!name_is_free(w))
		return;
	/* the name is free: whatever was renamed is not there */
	if (w->web.watch->journal[0] != '\0' && !keep(w, ""))
		return;
	/* a rename goes over what is there */
	if (!send_part(w) || !check_part(w) || !name_is_free(w))
		return;
	if (rename_part(w))
		delivered(w, w->ftps->options->verify);
}

static void
ftps_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct ftps *f = target;
	const struct ftps_options *o = f->options;
	struct work w = {
	    .ftps = f,
	    .web = {.web = &f->web,
		.file = file,
		.watch = watch,
		.result = result},
	};

	*result = (struct target_result){.outcome = TARGET_RETRY};
	snprintf(w.part, sizeof w.part, ".%s.part", file->name);
	snprintf(result->remote, sizeof result->remote,
	    "ftps://%.128s@%.255s:%u/%.255s%s%.255s", o->access.user, o->host,
	    o->port, o->directory != NULL ? o->directory : "",
	    o->directory != NULL ? "/" : "", file->name);
	if (!web_read_secret(&w.web))
		return;
	deliver(&w);
	web_end(&w.web);
}

const struct target_kind target_ftps = {
    .name = "ftps",
    .open = ftps_open,
    .deliver = ftps_deliver,
    .close = ftps_close,
};
