/*
 * The state file:
 *
 *   sepmlog writer 1
 *   stream <name> <number>       for each stream
 *   state <n>
 *   n bytes, as the caller gave them
 */
#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/disk.h"

#define LOCK "writer"
#define STATE "state"
#define STATE_TEMPORARY "state.tmp"
#define MAGIC "sepmlog writer 1\n"

enum {
	MAX_STREAMS = 4096, /* ever configured: a limit for damaged files */
	MAX_STATE = 256 << 20,
	LINE = SPOOL_NAME_MAX + 40,
};

struct mark {
	char stream[SPOOL_NAME_MAX + 1];
	uint64_t number; /* committed */
	uint64_t next;   /* with the next commit */
};

struct gate {
	char *directory;
	int root, own, lock;
	int ready, own_ready; /* -1: not there yet */
	struct mark *marks;
	size_t count;
	char *text; /* of the state file */
	struct span state;
};

static bool __attribute__((format(printf, 3, 4)))
refuse(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return false;
}

const char *
gate_directory(const struct gate *g)
{
	return g->directory;
}

struct span
gate_state(const struct gate *g)
{
	return g->state;
}

/* --- streams and their numbers --- */

static struct mark *
mark_find(const struct gate *g, struct span stream)
{
	for (size_t i = 0; i < g->count; i++)
		if (span_eq(span_str(g->marks[i].stream), stream))
			return &g->marks[i];
	return NULL;
}

static struct mark *
mark_add(struct gate *g, struct span stream)
{
	struct mark *marks =
	    reallocarray(g->marks, g->count + 1, sizeof *marks);

	if (marks == NULL)
		return NULL;
	g->marks = marks;
	marks += g->count++;
	*marks = (struct mark){0};
	memcpy(marks->stream, stream.p, stream.n);
	return marks;
}

bool
gate_mark(struct gate *g, const char *stream, uint64_t number)
{
	struct mark *mark = mark_find(g, span_str(stream));

	if (mark == NULL && number > 0)
		mark = mark_add(g, span_str(stream));
	if (mark != NULL)
		mark->next = number;
	return mark != NULL || number == 0;
}

void
gate_put_marks(const struct gate *g, struct ledger_text *line)
{
	for (size_t i = 0; i < g->count; i++)
		ledger_put_number(line, g->marks[i].stream, g->marks[i].number);
}

static bool
is_committed(const struct gate *g, struct span stream, uint64_t number)
{
	const struct mark *mark = mark_find(g, stream);

	return mark != NULL && number <= mark->number;
}

/* --- the state file --- */

/* The line at the start of *in, which moves behind it. */
static bool
next_line(struct span *in, struct span *line)
{
	size_t n = span_find(*in, '\n');

	if (n == in->n)
		return false;
	*line = span_take(*in, n);
	*in = span_skip(*in, n + 1);
	return true;
}

static bool
read_number(struct span digits, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < digits.n; i++) {
		if (!span_isdigit(digits.p[i]) || i == 18)
			return false;
		*number = *number * 10 + (uint64_t)(digits.p[i] - '0');
	}
	return digits.n > 0;
}

static bool
read_mark(struct gate *g, struct span line)
{
	struct span stream = span_take(line, span_find(line, ' '));
	struct mark *mark;
	uint64_t number;

	if (stream.n == 0 || stream.n > SPOOL_NAME_MAX ||
	    g->count == MAX_STREAMS ||
	    !read_number(span_skip(line, stream.n + 1), &number))
		return false;
	mark = mark_add(g, stream);
	if (mark == NULL)
		return false;
	mark->number = mark->next = number;
	return true;
}

static bool
read_text(struct gate *g, struct span in)
{
	static const struct span stream = SPAN("stream "),
				 state = SPAN("state ");
	struct span line;
	uint64_t n;

	if (!span_starts(in, SPAN(MAGIC)))
		return false;
	in = span_skip(in, sizeof(MAGIC) - 1);
	while (next_line(&in, &line)) {
		if (span_starts(line, state)) {
			g->state = in;
			return read_number(span_skip(line, state.n), &n) &&
			       n == in.n;
		}
		if (!span_starts(line, stream) ||
		    !read_mark(g, span_skip(line, stream.n)))
			return false;
	}
	return false;
}

static bool
read_state(struct gate *g, char *why, size_t size)
{
	struct stat st;
	int fd = disk_open(g->own, STATE, &st);
	size_t n = 0;
	bool ok;

	if (fd < 0 && errno == ENOENT)
		return true;
	ok = fd >= 0 && st.st_size <= MAX_STATE;
	if (ok)
		g->text = malloc((size_t)st.st_size + 1);
	ok = ok && g->text != NULL &&
	     disk_read(fd, 0, g->text, (size_t)st.st_size, &n);
	if (!ok)
		refuse(why, size, "%s/" STATE ": %s", g->directory,
		    fd >= 0 && st.st_size > MAX_STATE ? "too large"
						      : strerror(errno));
	disk_close(&fd);
	if (!ok)
		return false;
	return read_text(g, span_of(g->text, n)) ||
	       refuse(why, size,
		   "%s/" STATE ": damaged. It says what was taken already: "
		   "restore it, or remove it to take everything again",
		   g->directory);
}

static bool
put(int fd, struct span bytes)
{
	return disk_write(fd, bytes, NULL);
}

static bool
write_state(const struct gate *g, struct span state, int fd)
{
	char line[LINE];

	if (!put(fd, SPAN(MAGIC)))
		return false;
	for (size_t i = 0; i < g->count; i++) {
		snprintf(line, sizeof line, "stream %s %" PRIu64 "\n",
		    g->marks[i].stream, g->marks[i].next);
		if (!put(fd, span_str(line)))
			return false;
	}
	snprintf(line, sizeof line, "state %zu\n", state.n);
	return put(fd, span_str(line)) && put(fd, state);
}

/* In one step; the old file stays until the new one is durable. */
static bool
replace_state(const struct gate *g, struct span state)
{
	int fd = disk_temporary(g->own, STATE_TEMPORARY);
	bool ok = fd >= 0 && write_state(g, state, fd) && fsync(fd) == 0 &&
		  renameat(g->own, STATE_TEMPORARY, g->own, STATE) == 0 &&
		  fsync(g->own) == 0;

	disk_close(&fd);
	return ok;
}

bool
gate_commit(struct gate *g, struct span state)
{
	char *text = malloc(state.n + 1);

	if (text == NULL)
		return false;
	if (state.n > 0)
		memcpy(text, state.p, state.n);
	if (!replace_state(g, state)) {
		free(text);
		return false;
	}
	for (size_t i = 0; i < g->count; i++)
		g->marks[i].number = g->marks[i].next;
	free(g->text);
	g->text = text;
	g->state = span_of(text, state.n);
	return true;
}

/* --- files in <name>/ready/ --- */

struct walk {
	struct gate *gate;
	int dir;            /* being listed */
	struct span stream; /* of live/<stream>/ */
	uint64_t bytes;
	size_t count;
	uint64_t moved;
	int error; /* the first */
};

static void
walk_failed(struct walk *walk)
{
	if (walk->error == 0)
		walk->error = errno;
}

static bool
walk_end(struct walk *walk)
{
	errno = walk->error;
	return walk->error == 0;
}

static bool
same_bytes(int a, int b)
{
	char piece[2][(size_t)16 << 10];
	uint64_t at = 0;
	size_t n, m;

	do {
		if (!disk_read(a, at, piece[0], sizeof(piece[0]), &n) ||
		    !disk_read(b, at, piece[1], sizeof(piece[1]), &m) ||
		    n != m || memcmp(piece[0], piece[1], n) != 0)
			return false;
		at += n;
	} while (n > 0);
	return true;
}

/* The name is taken in ready/: by our own file, if a crash kept both. */
static bool
release_again(struct gate *g, const char *name)
{
	struct stat st;
	int a = disk_open(g->own_ready, name, &st);
	int b = disk_open(g->ready, name, &st);
	bool same = a >= 0 && b >= 0 && same_bytes(a, b);

	disk_close(&a);
	disk_close(&b);
	errno = EEXIST;
	return same && disk_remove(g->own_ready, name);
}

static void
release_name(void *arg, const char *name)
{
	struct walk *walk = arg;
	struct gate *g = walk->gate;
	struct span stream;
	uint64_t number;

	if (!name_parse_ready(name, &stream, &number) ||
	    !is_committed(g, stream, number))
		return;
	walk->count++;
	if (disk_move(g->own_ready, name, g->ready, name) ||
	    (errno == EEXIST && release_again(g, name)))
		walk->moved++;
	else
		walk_failed(walk);
}

bool
gate_release(struct gate *g, uint64_t *moved)
{
	struct walk walk = {.gate = g};

	if (g->own_ready < 0)
		g->own_ready =
		    openat(g->own, "ready", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->own_ready < 0)
		return errno == ENOENT;
	if (!disk_list(g->own_ready, release_name, &walk))
		return false;
	*moved += walk.moved;
	if (walk.count > 0 && (fsync(g->ready) < 0 || fsync(g->own_ready) < 0))
		walk_failed(&walk);
	return walk_end(&walk);
}

/* --- what was never committed --- */

static void
discard_ready(void *arg, const char *name)
{
	struct walk *walk = arg;
	struct span stream;
	uint64_t number;

	if (!name_parse_ready(name, &stream, &number) ||
	    is_committed(walk->gate, stream, number))
		return;
	walk->count++;
	if (!disk_remove(walk->dir, name))
		walk_failed(walk);
}

/* Emptied, not removed: the name keeps its number from being used again, and
 * the spool cleans up empty segments by itself. */
static bool
discard_bytes(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	bool ok;

	/* closed ones are read-only */
	if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0640, 0) == 0)
		fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP;
	ok = ftruncate(fd, 0) == 0 && fsync(fd) == 0;
	disk_close(&fd);
	return ok;
}

static void
discard_live(void *arg, const char *name)
{
	struct walk *walk = arg;
	char extension[SPOOL_EXTENSION_MAX + 1];
	struct stat st;
	uint64_t number;

	if (!name_parse_live(name, &number, extension) ||
	    is_committed(walk->gate, walk->stream, number) ||
	    fstatat(walk->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_size == 0)
		return;
	walk->count++;
	if (!discard_bytes(walk->dir, name))
		walk_failed(walk);
}

static void
discard_stream(void *arg, const char *name)
{
	struct walk *walk = arg, inner = {.gate = walk->gate};

	if (!name_stream_ok(name))
		return;
	inner.stream = span_str(name);
	inner.dir = openat(
	    walk->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (inner.dir < 0 || !disk_list(inner.dir, discard_live, &inner) ||
	    (inner.count > 0 && fsync(inner.dir) < 0))
		walk_failed(walk);
	disk_close(&inner.dir);
	if (inner.error != 0 && walk->error == 0)
		walk->error = inner.error;
}

/* Calls back for each name of <name>/<sub>, if there is such a directory. */
static bool
walk_sub(struct gate *g, const char *sub, disk_name_cb *cb)
{
	struct walk walk = {.gate = g};

	walk.dir = openat(
	    g->own, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (walk.dir < 0)
		return errno == ENOENT;
	if (!disk_list(walk.dir, cb, &walk) ||
	    (walk.count > 0 && fsync(walk.dir) < 0))
		walk_failed(&walk);
	disk_close(&walk.dir);
	return walk_end(&walk);
}

static bool
discard(struct gate *g, char *why, size_t size)
{
	return (walk_sub(g, "ready", discard_ready) &&
		   walk_sub(g, "live", discard_stream)) ||
	       refuse(why, size,
		   "%s: what was not committed cannot be removed: %s",
		   g->directory, strerror(errno));
}

/* --- usage --- */

static void
usage_name(void *arg, const char *name)
{
	struct walk *walk = arg;
	struct stat st;

	if (fstatat(walk->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode))
		walk->bytes += (uint64_t)st.st_size;
}

static uint64_t
usage_of(int at, const char *path, disk_name_cb *cb)
{
	struct walk walk = {0};

	walk.dir =
	    openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (walk.dir >= 0)
		disk_list(walk.dir, cb, &walk);
	disk_close(&walk.dir);
	return walk.bytes;
}

static void
usage_stream(void *arg, const char *name)
{
	struct walk *walk = arg;

	if (name_stream_ok(name))
		walk->bytes += usage_of(walk->dir, name, usage_name);
}

uint64_t
gate_usage(const struct gate *g)
{
	return usage_of(g->root, "ready", usage_name) +
	       usage_of(g->root, "live", usage_stream) +
	       usage_of(g->own, "ready", usage_name) +
	       usage_of(g->own, "live", usage_stream);
}

/* --- opening --- */

/* Made if missing, with the modes that the spool gives them. */
static int
directory(int at, const char *name, mode_t mode)
{
	bool made = mkdirat(at, name, mode) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return -1;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* the umask took bits away */
	if (fd >= 0 && made && (fchmod(fd, mode) < 0 || fsync(at) < 0))
		disk_close(&fd);
	return fd;
}

/* Files of another user in ready/ would be of no use to anyone. */
static bool
check_owner(const char *path, int fd, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return refuse(why, size, "%s: %s", path, strerror(errno));
	if (st.st_uid != geteuid())
		return refuse(why, size,
		    "%s belongs to user %u and we are %u: run this as its "
		    "owner (runuser -u sepmlogd -- sepmlogctl ...)",
		    path, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & S_IWOTH)
		return refuse(why, size,
		    "%s is writable by everyone: chmod o-w it", path);
	return true;
}

static bool
lock(struct gate *g, char *why, size_t size)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	g->lock = openat(
	    g->own, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (g->lock < 0)
		return refuse(why, size, "%s/" LOCK ": %s", g->directory,
		    strerror(errno));
	if (fcntl(g->lock, F_OFD_SETLK, &whole) == 0)
		return true;
	if (errno == EAGAIN || errno == EACCES)
		return refuse(why, size,
		    "%s is in use by another process: wait for its end, or "
		    "stop it",
		    g->directory);
	return refuse(
	    why, size, "%s/" LOCK ": %s", g->directory, strerror(errno));
}

static bool
open_directories(
    struct gate *g, const char *spool, const char *name, char *why, size_t size)
{
	/* the last part of the path may be a link for people; ours are not */
	if (mkdir(spool, 0750) < 0 && errno != EEXIST)
		return refuse(
		    why, size, "cannot make %s: %s", spool, strerror(errno));
	g->root = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->root < 0)
		return refuse(why, size, "%s: %s", spool, strerror(errno));
	if (!check_owner(spool, g->root, why, size))
		return false;
	g->ready = directory(g->root, "ready", 0770);
	if (g->ready < 0)
		return refuse(
		    why, size, "%s/ready: %s", spool, strerror(errno));
	g->own = directory(g->root, name, 0750);
	return g->own >= 0 ||
	       refuse(why, size, "%s: %s", g->directory, strerror(errno));
}

static bool
open_all(
    struct gate *g, const char *spool, const char *name, char *why, size_t size)
{
	return open_directories(g, spool, name, why, size) &&
	       lock(g, why, size) && read_state(g, why, size) &&
	       discard(g, why, size);
}

struct gate *
gate_open(const char *spool, const char *name, char *why, size_t size)
{
	struct gate *g = calloc(1, sizeof *g);

	refuse(why, size, "no memory");
	if (g == NULL)
		return NULL;
	g->root = g->own = g->lock = g->ready = g->own_ready = -1;
	g->state = SPAN("");
	if (asprintf(&g->directory, "%s/%s", spool, name) < 0) {
		free(g);
		return NULL;
	}
	if (!open_all(g, spool, name, why, size)) {
		gate_close(g);
		return NULL;
	}
	return g;
}

void
gate_close(struct gate *g)
{
	if (g == NULL)
		return;
	disk_close(&g->own_ready);
	disk_close(&g->ready);
	disk_close(&g->own);
	disk_close(&g->root);
	disk_close(&g->lock); /* last: nothing of ours is open now */
	free(g->directory);
	free(g->marks);
	free(g->text);
	free(g);
}
