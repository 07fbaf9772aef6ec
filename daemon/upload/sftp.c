#include "sftp.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sftp_client.h"
#include "ssh_secrets.h"

/*
 * A `.part` was written in order, but for the writes that were under way when
 * the server ended, and what its disk lost or damaged, which may be anywhere.
 * So all of it is read back. What is not the same is written again from the
 * start.
 */
enum {
	TIMEOUT = 60 * 1000,
	PORT = 22,
	PATH = TARGET_REMOTE,
};

struct sftp {
	struct sftp_options options; /* its texts are borrowed */
	struct ssh_secrets secrets;
	struct sftp_client *client; /* NULL: not connected */
	struct sha256 *sha;
	bool slow; /* the server was lost while it hashed: it is not asked */
};

/* One file on its way. */
struct passage {
	struct sftp *sftp;
	const struct target_file *file;
	struct target_watch *watch;
	struct target_result *result;
	char path[PATH], part[PATH];
	bool hashed; /* what is there has the digest */
};

/* --- what is told --- */

/* What a server said is told as it is only where it is printable. */
__attribute__((format(printf, 3, 4))) static void
tell(struct passage *p, enum target_outcome outcome, const char *format, ...)
{
	struct target_result *result = p->result;
	va_list args;

	va_start(args, format);
	vsnprintf(result->reason, sizeof result->reason, format, args);
	va_end(args);
	for (char *c = result->reason; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	result->outcome = outcome;
}

/* Tells of a request that was not answered with OK; false, to be returned. */
static bool
fail(struct passage *p, enum sftp_status status, const char *what)
{
	const char *why = sftp_client_why(p->sftp->client);

	p->result->target_down = status != SFTP_LOCAL;
	switch (status) {
	case SFTP_STOPPED:
		p->result->target_down = false;
		tell(p, TARGET_STOPPED, "stopped");
		break;
	case SFTP_LOCAL:
		tell(p, TARGET_RETRY, "%s: %s", p->file->name, why);
		break;
	case SFTP_ABSENT:
		tell(p, TARGET_RETRY,
		    "%s: %s; create the directory there, or correct "
		    "`directory`",
		    what, why);
		break;
	case SFTP_DENIED:
		tell(p, TARGET_RETRY,
		    "%s: %s; let the user %s create and rename files in the "
		    "directory",
		    what, why, p->sftp->options.user);
		break;
	case SFTP_LOST:
		tell(p, TARGET_RETRY, "%s", why);
		break;
	default:
		tell(p, TARGET_RETRY,
		    "%s: %s; is the disk there full, or a quota reached? See "
		    "the server's log",
		    what, why);
	}
	return false;
}

/* --- what is there already --- */

struct comparison {
	const struct target_file *file;
	uint64_t at;
	bool same;
	unsigned char here[1024 * 1024];
};

static bool
compare_cb(void *arg, const void *bytes, size_t n)
{
	struct comparison *c = arg;
	size_t done = 0;
	ssize_t got;

	c->same = n <= sizeof c->here;
	while (c->same && done < n) {
		got = pread(c->file->fd, c->here + done, n - done,
		    (off_t)(c->at + done));
		c->same = got > 0;
		done += got > 0 ? (size_t)got : 0;
	}
	c->same = c->same && memcmp(c->here, bytes, n) == 0;
	c->at += n;
	return c->same;
}

/* Are the first `n` bytes the same there? *same is only of use with OK. */
static enum sftp_status
compare(struct passage *p, const char *path, uint64_t n, bool *same)
{
	struct comparison *c = calloc(1, sizeof *c);
	struct sftp_client *client = p->sftp->client;
	struct sftp_handle handle;
	enum sftp_status status, closed;

	if (c == NULL)
		return SFTP_FAILED;
	c->file = p->file;
	c->same = true;
	status = sftp_client_open_file(client, path, SFTP_OPEN_READ, &handle);
	if (status == SFTP_OK) {
		status = sftp_client_read(client, &handle, 0, n, compare_cb, c);
		if (status != SFTP_LOST && status != SFTP_STOPPED) {
			closed = sftp_client_close_file(client, &handle);
			status = status == SFTP_OK ? closed : status;
		}
	}
	*same = c->same;
	free(c);
	return status;
}

static bool
hash_cb(void *arg, const void *bytes, size_t n)
{
	sha256_add(arg, span_of(bytes, n));
	return true;
}

/* Does what is there have the file's sum? */
static enum sftp_status
compare_sum(struct passage *p, const char *path, bool *same)
{
	struct sftp_client *client = p->sftp->client;
	uint8_t sum[SHA256_SIZE];
	struct sftp_handle handle;
	enum sftp_status status, closed;

	status = sftp_client_open_file(client, path, SFTP_OPEN_READ, &handle);
	if (status != SFTP_OK)
		return status;
	sha256_begin(p->sftp->sha);
	status = sftp_client_read(
	    client, &handle, 0, p->file->size, hash_cb, p->sftp->sha);
	sha256_end(p->sftp->sha, sum);
	if (status == SFTP_LOST || status == SFTP_STOPPED)
		return status;
	closed = sftp_client_close_file(client, &handle);
	*same = memcmp(sum, p->file->digest.sum, sizeof sum) == 0;
	return status == SFTP_OK ? closed : status;
}

static void
delivered(struct passage *p)
{
	char hex[SHA256_HEX];

	if (p->hashed) {
		sha256_hex(p->file->digest.sum, hex);
		snprintf(p->result->check, sizeof p->result->check,
		    "sha256:%.*s", SHA256_HEX, hex);
	} else {
		snprintf(p->result->check, sizeof p->result->check,
		    "size:%" PRIu64, p->file->size);
	}
	p->watch->sent = p->file->size;
	p->result->outcome = TARGET_DELIVERED;
}

/* True: nothing has the name, go on. */
static bool
name_is_free(struct passage *p)
{
	struct sftp_attributes there;
	enum sftp_status status;
	bool same = false;

	status = sftp_client_look(p->sftp->client, p->path, &there);
	if (status == SFTP_ABSENT)
		return true;
	if (status != SFTP_OK)
		return fail(p, status, p->path);
	if (there.is_file && there.size == p->file->size) {
		status = compare_sum(p, p->path, &same);
		if (status != SFTP_OK)
			return fail(p, status, p->path);
	}
	if (same) {
		/* what a break between the two steps of a rename left */
		sftp_client_remove(p->sftp->client, p->part);
		p->hashed = true;
		delivered(p);
		return false;
	}
	tell(p, TARGET_REFUSED,
	    "%s is there already, and is not this file; move one of them away, "
	    "or give each sender a directory of its own",
	    p->path);
	return false;
}

/* --- the way there --- */

/* Where to go on in the part, 0: from the start. */
static bool
find_start(struct passage *p, uint64_t *start)
{
	struct sftp_attributes there;
	enum sftp_status status;
	bool same = false;

	*start = 0;
	status = sftp_client_look(p->sftp->client, p->part, &there);
	if (status == SFTP_ABSENT)
		return true;
	if (status != SFTP_OK)
		return fail(p, status, p->part);
	if (!there.is_file) {
		p->result->target_down = false;
		tell(p, TARGET_RETRY,
		    "%s is there already and not a file; remove it", p->part);
		return false;
	}
	if (there.size == 0 || there.size > p->file->size)
		return true;
	status = compare(p, p->part, there.size, &same);
	if (status == SFTP_LOST || status == SFTP_STOPPED)
		return fail(p, status, p->part);
	if (status == SFTP_OK && same)
		*start = there.size;
	return true;
}

/* Closes the file whatever the answers are, as long as there is a line. */
static enum sftp_status
fill_and_close(struct passage *p, const struct sftp_handle *handle,
    uint64_t start, uint64_t *size)
{
	struct sftp_client *client = p->sftp->client;
	enum sftp_status status, closed;
	char why[SSH_LINK_WHY];

	status = sftp_client_write(client, handle, p->file, start, p->watch);
	if (status == SFTP_OK)
		status = sftp_client_sync(client, handle);
	if (status == SFTP_OK)
		status = sftp_client_size(client, handle, size);
	if (status == SFTP_LOST || status == SFTP_STOPPED)
		return status;
	if (status == SFTP_OK)
		return sftp_client_close_file(client, handle);
	snprintf(why, sizeof why, "%s", sftp_client_why(client));
	closed = sftp_client_close_file(client, handle);
	if (closed == SFTP_LOST || closed == SFTP_STOPPED)
		return closed;
	sftp_client_set_why(client, why);
	return status;
}

static bool
fill_part(struct passage *p)
{
	struct sftp_handle handle;
	enum sftp_status status;
	uint64_t start, size = 0;

	if (!find_start(p, &start))
		return false;
	p->watch->sent = start;
	status = sftp_client_open_file(p->sftp->client, p->part,
	    start > 0 ? SFTP_OPEN_WRITE : SFTP_OPEN_REWRITE, &handle);
	if (status != SFTP_OK)
		return fail(p, status, p->part);
	status = fill_and_close(p, &handle, start, &size);
	if (status != SFTP_OK)
		return fail(p, status, p->part);
	if (size == p->file->size)
		return true;
	tell(p, TARGET_RETRY,
	    "%s has %" PRIu64 " bytes of %" PRIu64
	    "; does something else write there?",
	    p->part, size, p->file->size);
	return false;
}

/* By the server, if it can. */
static enum sftp_status
ask_sum(struct passage *p, bool *told, bool *same)
{
	uint8_t sum[SHA256_SIZE];
	enum sftp_status status;

	*told = false;
	if (p->sftp->slow)
		return SFTP_OK;
	status = sftp_client_hash(p->sftp->client, p->part, sum, told);
	p->sftp->slow = status == SFTP_LOST;
	*same = *told && memcmp(sum, p->file->digest.sum, sizeof sum) == 0;
	return status;
}

static bool
verify_part(struct passage *p)
{
	enum sftp_status status;
	bool told = true, same = false;

	status = p->sftp->options.verify ? compare_sum(p, p->part, &same)
					 : ask_sum(p, &told, &same);
	if (status != SFTP_OK)
		return fail(p, status, p->part);
	p->hashed = same;
	if (same || !told)
		return true;
	/* so that the next try does not go on with it */
	sftp_client_remove(p->sftp->client, p->part);
	tell(p, TARGET_RETRY,
	    "%s does not have the content that was sent, and was removed; "
	    "check the disk there",
	    p->part);
	return false;
}

static void
carry(struct passage *p)
{
	enum sftp_status status;

	if (!name_is_free(p) || !fill_part(p) || !verify_part(p))
		return;
	/* a rename in one step goes over what is there */
	if (!name_is_free(p))
		return;
	status = sftp_client_rename(p->sftp->client, p->part, p->path);
	if (status != SFTP_OK)
		fail(p, status, p->path);
	else
		delivered(p);
}

/* --- the connection --- */

static void
drop(struct sftp *s)
{
	sftp_client_close(s->client);
	s->client = NULL;
}

static bool
connect_to_server(struct passage *p)
{
	struct sftp *s = p->sftp;
	const struct ssh_login login = {
	    .host = s->options.host,
	    .port = s->options.port,
	    .user = s->options.user,
	    .known_hosts = s->options.known_hosts,
	    .password =
		s->secrets.password.text != NULL ? &s->secrets.password : NULL,
	    .key = s->secrets.key,
	    .timeout = (unsigned)(s->options.timeout / 1000),
	};
	enum sftp_status status;
	char why[SSH_LINK_WHY];

	s->client =
	    sftp_client_open(&login, p->watch->stop, &status, why, sizeof why);
	if (s->client != NULL)
		return true;
	if (status == SFTP_STOPPED) {
		tell(p, TARGET_STOPPED, "stopped");
		return false;
	}
	p->result->target_down = true;
	tell(p, TARGET_RETRY, "%s port %u: %s", login.host, login.port, why);
	return false;
}

/* Is the session of no more use? */
static bool
is_broken(const struct passage *p)
{
	return p->sftp->client != NULL &&
	       (p->result->outcome == TARGET_STOPPED ||
		   sftp_client_is_lost(p->sftp->client));
}

/* Cut short if need be: it is for people. */
static void
name_remote(struct passage *p)
{
	const struct sftp_options *o = &p->sftp->options;
	char *remote = p->result->remote;
	int n;

	n = snprintf(remote, sizeof p->result->remote,
	    "sftp://%.255s@%.255s:%u/", o->user, o->host, o->port);
	strncat(remote, p->path, sizeof p->result->remote - (size_t)n - 1);
}

static void
try_once(struct passage *p)
{
	*p->result = (struct target_result){.outcome = TARGET_RETRY};
	name_remote(p);
	if (p->sftp->client == NULL && !connect_to_server(p))
		return;
	sftp_client_stop(p->sftp->client, p->watch->stop);
	carry(p);
	if (is_broken(p))
		drop(p->sftp);
}

static bool
make_paths(struct passage *p)
{
	const char *directory = p->sftp->options.directory;
	const char *slash = "/";
	int n;

	if (directory == NULL || directory[0] == '\0')
		directory = slash = "";
	else if (directory[strlen(directory) - 1] == '/')
		slash = "";
	n = snprintf(p->part, sizeof p->part, "%s%s.%s.part", directory, slash,
	    p->file->name);
	if (n < 0 || (size_t)n >= sizeof p->part)
		return false;
	snprintf(
	    p->path, sizeof p->path, "%s%s%s", directory, slash, p->file->name);
	return true;
}

static void
sftp_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct passage p = {
	    .sftp = target, .file = file, .watch = watch, .result = result};
	bool was_open = p.sftp->client != NULL;

	*result = (struct target_result){.outcome = TARGET_RETRY};
	if (!make_paths(&p)) {
		tell(&p, TARGET_REFUSED,
		    "the path there is too long; use a shorter `directory`");
		return;
	}
	try_once(&p);
	/* a session that was kept may have ended since: that is no failure */
	if (was_open && p.sftp->client == NULL &&
	    result->outcome == TARGET_RETRY)
		try_once(&p);
}

/* --- opening --- */

static void
sftp_close(void *target)
{
	struct sftp *s = target;

	drop(s);
	ssh_secrets_clear(&s->secrets);
	sha256_free(s->sha);
	free(s);
}

static void *
sftp_open(const void *options, char *why, size_t size)
{
	struct sftp *s = calloc(1, sizeof *s);
	struct ssh_files files;

	if (s == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	s->options = *(const struct sftp_options *)options;
	if (s->options.port == 0)
		s->options.port = PORT;
	if (s->options.timeout == 0)
		s->options.timeout = TIMEOUT;
	files = (struct ssh_files){
	    .host = s->options.host,
	    .port = s->options.port,
	    .user = s->options.user,
	    .known_hosts = s->options.known_hosts,
	    .password = s->options.password_file,
	    .key = s->options.key_file,
	    .passphrase = s->options.passphrase_file,
	};
	s->sha = sha256_new();
	if (s->sha == NULL)
		snprintf(why, size, "no memory");
	else if (ssh_secrets_read(&files, &s->secrets, why, size))
		return s;
	sftp_close(s);
	return NULL;
}

const struct target_kind target_sftp = {
    .name = "sftp",
    .open = sftp_open,
    .deliver = sftp_deliver,
    .close = sftp_close,
};
