#include "scp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ssh_link.h"
#include "ssh_secrets.h"

enum {
	PATH = TARGET_REMOTE,
	QUOTED = 4 * PATH + 3,
	COMMAND = 3 * QUOTED + 128,
	SAID = 256, /* bytes of what the server says */
	CHUNK = 64 * 1024,
};

struct scp {
	const struct scp_options *options;
	struct ssh_secrets secrets;
	char chunk[CHUNK];
};

/* One delivery. */
struct work {
	struct scp *scp;
	const struct target_file *file;
	struct target_watch *watch;
	struct target_result *result;
	struct ssh_link link;
	char path[PATH], part[PATH];
};

/* --- what is told --- */

/* False, to be returned. */
__attribute__((format(printf, 3, 4))) static bool
again(struct work *w, bool target_down, const char *format, ...)
{
	struct target_result *r = w->result;
	va_list args;

	va_start(args, format);
	vsnprintf(r->reason, sizeof r->reason, format, args);
	va_end(args);
	for (char *c = r->reason; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
			*c = ' ';
	r->outcome = TARGET_RETRY;
	r->target_down = target_down;
	return false;
}

static bool
good(struct work *w, enum ssh_link_status status)
{
	if (status == SSH_LINK_OK)
		return true;
	again(w, status == SSH_LINK_LOST, "%s", w->link.why);
	if (status == SSH_LINK_STOPPED)
		w->result->outcome = TARGET_STOPPED;
	return false;
}

/* --- names in a command --- */

/* For the shell there: in single quotes. False: too long. */
static bool
quote(const char *text, char out[QUOTED])
{
	size_t n = 0;

	out[n++] = '\'';
	for (; *text != '\0' && n + 6 < QUOTED; text++) {
		if (*text == '\'') {
			memcpy(out + n, "'\\''", 4);
			n += 4;
		} else {
			out[n++] = *text;
		}
	}
	out[n++] = '\'';
	out[n] = '\0';
	return *text == '\0';
}

static bool
make_paths(struct work *w)
{
	const char *directory = w->scp->options->directory;
	const char *slash = "/";
	int n;

	/* a name that begins with - is no option so */
	if (directory == NULL || directory[0] == '\0')
		directory = ".";
	else if (directory[strlen(directory) - 1] == '/')
		slash = "";
	n = snprintf(w->part, sizeof w->part, "%s%s%s.%s.part",
	    directory[0] == '-' ? "./" : "", directory, slash, w->file->name);
	if (n < 0 || (size_t)n >= sizeof w->part)
		return false;
	snprintf(w->path, sizeof w->path, "%s%s%s%s",
	    directory[0] == '-' ? "./" : "", directory, slash, w->file->name);
	return true;
}

/* --- the protocol --- */

/* 0, or 1 or 2 and a line of what is wrong. */
static bool
take_answer(struct work *w)
{
	char kind, said[SAID];
	size_t n = 0;

	if (!good(w, ssh_link_read(&w->link, &kind, 1)))
		return false;
	if (kind == 0)
		return true;
	/* what a shell says of a command that is not there begins with text */
	if (kind != 1 && kind != 2)
		said[n++] = kind;
	while (n < sizeof said - 1) {
		if (!good(w, ssh_link_read(&w->link, said + n, 1)))
			break;
		if (said[n] == '\n')
			break;
		n++;
	}
	said[n] = '\0';
	return again(w, true,
	    "the server says: %s; let the user %s write to the directory; is "
	    "the disk there full, or scp not there?",
	    said, w->scp->options->user);
}

static bool
send_bytes(struct work *w)
{
	struct target_watch *watch = w->watch;
	uint64_t at = 0, size = w->file->size;
	size_t n;

	while (at < size) {
		n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		if (watch->pace != NULL)
			watch->pace(watch->context, n);
		n = target_read(w->file, at, w->scp->chunk, n);
		if (n == 0)
			return again(w, false, "cannot read it: %s",
			    target_read_why(errno));
		if (!good(w, ssh_link_write(&w->link, w->scp->chunk, n)))
			return false;
		at += n;
		atomic_store(&watch->sent, at);
	}
	return good(w, ssh_link_write(&w->link, "", 1));
}

/* The end of a command, which has to be a good one. */
static bool
finish(struct work *w, const char *hint)
{
	char said[SAID];
	int status = 0;

	if (!good(w, ssh_link_finish(&w->link, &status, said, sizeof said)))
		return false;
	if (status == 0)
		return true;
	return again(w, true, "a command there ended with %d: %s; %s", status,
	    said[0] != '\0' ? said : "nothing was said", hint);
}

static bool
send_file(struct work *w, const char *path)
{
	char quoted[QUOTED], command[COMMAND], line[PATH];
	int n;

	if (!quote(path, quoted))
		return again(w, true, "use a shorter `directory`");
	snprintf(command, sizeof command, "scp -t %s", quoted);
	n = snprintf(line, sizeof line, "C0644 %" PRIu64 " %s\n", w->file->size,
	    w->file->name);
	return good(w, ssh_link_run(&w->link, command)) && take_answer(w) &&
	       good(w, ssh_link_write(&w->link, line, (size_t)n)) &&
	       take_answer(w) && send_bytes(w) && take_answer(w) &&
	       finish(w, "see the server's log");
}

/* What is there under the name is never another file: names mean the same
 * bytes for ever. */
static bool
rename_part(struct work *w)
{
	char part[QUOTED], path[QUOTED], command[COMMAND];

	if (!quote(w->part, part) || !quote(w->path, path))
		return again(w, true, "use a shorter `directory`");
	snprintf(command, sizeof command,
	    "test \"$(wc -c < %s)\" -eq %" PRIu64 " && mv -f %s %s", part,
	    w->file->size, part, path);
	return good(w, ssh_link_run(&w->link, command)) &&
	       finish(w,
		   "the size of the file there is another one, or the user may "
		   "run no wc and mv: then `rename: no`");
}

/* --- a delivery --- */

static void
carry(struct work *w)
{
	struct target_result *r = w->result;
	bool rename = w->scp->options->rename;

	if (!send_file(w, rename ? w->part : w->path) ||
	    (rename && !rename_part(w)))
		return;
	if (rename)
		snprintf(
		    r->check, sizeof r->check, "size:%" PRIu64, w->file->size);
	else
		snprintf(r->check, sizeof r->check, "status:0");
	r->outcome = TARGET_DELIVERED;
}

static void
scp_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct scp *s = target;
	const struct scp_options *o = s->options;
	struct work w = {
	    .scp = s, .file = file, .watch = watch, .result = result};
	const struct ssh_login login = {
	    .host = o->host,
	    .port = o->port,
	    .user = o->user,
	    .known_hosts = o->known_hosts,
	    .password =
		s->secrets.password.text != NULL ? &s->secrets.password : NULL,
	    .key = s->secrets.key,
	    .timeout = (unsigned)(o->timeout / 1000),
	};

	*result = (struct target_result){.outcome = TARGET_RETRY};
	if (!make_paths(&w)) {
		again(&w, true,
		    "the path there is too long; use a shorter "
		    "`directory`");
		return;
	}
	snprintf(result->remote, sizeof result->remote,
	    "scp://%.128s@%.255s:%u/%.512s", o->user, o->host, o->port, w.path);
	if (good(&w, ssh_link_open(&w.link, &login, NULL, watch->stop)))
		carry(&w);
	ssh_link_close(&w.link);
}

/* --- opening --- */

static void
scp_close(void *target)
{
	struct scp *s = target;

	ssh_secrets_clear(&s->secrets);
	free(s);
}

static void *
scp_open(const void *options, char *why, size_t size)
{
	const struct scp_options *o = options;
	const struct ssh_files files = {
	    .host = o->host,
	    .port = o->port,
	    .user = o->user,
	    .known_hosts = o->known_hosts,
	    .password = o->password_file,
	    .key = o->key_file,
	    .passphrase = o->passphrase_file,
	};
	struct scp *s = calloc(1, sizeof *s);

	if (s == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	s->options = o;
	if (ssh_secrets_read(&files, &s->secrets, why, size))
		return s;
	free(s);
	return NULL;
}

const struct target_kind target_scp = {
    .name = "scp",
    .open = scp_open,
    .deliver = scp_deliver,
    .close = scp_close,
};
