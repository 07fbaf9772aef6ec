#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "mover.h"
#include "shown.h"
#include "spool/names.h"

enum {
	WAITING = 8192, /* files that are not complete yet; more wait for the
			 * next look */
	BUCKETS = 8192,
	GROW = 1000,   /* ms between reads of a growing file */
	RETRY = 60000, /* ms until a file that cannot be moved is tried again */
	AGAIN = 10000, /* the same for a commit */
	EVENTS = 64 * 1024,
	NAME_SHOWN = 100,
};

/* A file to be looked at again. */
struct waiting {
	char *name;   /* NULL: a free place */
	uint64_t due; /* monotonic ms */
	int64_t size;
	struct timespec changed;
	uint32_t next; /* in its bucket: index + 1 */
};

struct watch {
	struct importer *importer;
	const struct config *config;
	const struct watch_options *options;
	int dir, events;
	uint64_t now;
	uint64_t rescan;
	uint64_t dirty; /* since when there is something to commit; 0: not */
	uint64_t again; /* a commit failed: not before this */
	struct mover mover;
	struct importer_counts files; /* as last told */
	struct intake_counts records;
	struct waiting waiting[WAITING];
	uint32_t buckets[BUCKETS];
	size_t count, free; /* where to look for a free place first */
	char buffer[EVENTS]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
};

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain_list("sepmlogctl import: ", fmt, ap);
	va_end(ap);
}

static bool
stopped(const struct watch *w)
{
	return *w->options->stop;
}

/* --- files that wait --- */

static uint32_t *
bucket(struct watch *w, const char *name)
{
	uint32_t hash = 2166136261;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619;
	return &w->buckets[hash % BUCKETS];
}

static struct waiting *
waiting_find(struct watch *w, const char *name)
{
	uint32_t i = *bucket(w, name);

	/* One that is in a bucket has a name.
	 * NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
	while (i != 0 && strcmp(w->waiting[i - 1].name, name) != 0)
		i = w->waiting[i - 1].next;
	return i != 0 ? &w->waiting[i - 1] : NULL;
}

static struct waiting *
waiting_add(struct watch *w, const char *name, uint64_t due)
{
	uint32_t *first = bucket(w, name);
	size_t i = w->free;

	if (w->count == WAITING)
		return NULL;
	while (w->waiting[i].name != NULL)
		i = (i + 1) % WAITING;
	w->free = (i + 1) % WAITING;
	w->waiting[i] =
	    (struct waiting){.name = strdup(name), .due = due, .next = *first};
	if (w->waiting[i].name == NULL)
		return NULL;
	*first = (uint32_t)i + 1;
	w->count++;
	return &w->waiting[i];
}

static void
waiting_remove(struct watch *w, const char *name)
{
	struct waiting *waiting = waiting_find(w, name);
	uint32_t *at;

	if (waiting == NULL)
		return;
	at = bucket(w, name);
	while (&w->waiting[*at - 1] != waiting)
		at = &w->waiting[*at - 1].next;
	*at = waiting->next;
	free(waiting->name);
	waiting->name = NULL;
	w->count--;
}

/* --- commit --- */

static void
not_moved(void *arg, const char *path)
{
	struct watch *w = arg;

	if (errno == ESTALE) {
		/* other content by now: to be taken as a new file */
		waiting_add(w, strrchr(path, '/') + 1, w->now);
		return;
	}
	say("%s cannot be moved to done/: %s; it was imported, and is tried "
	    "again",
	    path, strerror(errno));
	waiting_add(w, strrchr(path, '/') + 1, w->now + RETRY);
}

static void
tell(struct watch *w)
{
	struct importer_counts files;
	struct intake_counts records;

	importer_counts(w->importer, &files, &records);
	if (files.files > w->files.files ||
	    records.records > w->records.records)
		say("%" PRIu64 " records imported, %" PRIu64
		    " of them unparsed; %" PRIu64 " files complete",
		    records.records - w->records.records,
		    records.by_type[RECORD_UNPARSED] -
			w->records.by_type[RECORD_UNPARSED],
		    files.files - w->files.files);
	w->files = files;
	w->records = records;
}

static bool
commit(struct watch *w)
{
	if (!importer_commit(w->importer)) {
		w->again = w->now + AGAIN;
		return false;
	}
	w->dirty = w->again = 0;
	tell(w);
	for (size_t i = 0; i < w->mover.count; i++)
		waiting_remove(w, strrchr(w->mover.files[i].path, '/') + 1);
	mover_move(&w->mover, not_moved, w);
	return true;
}

static void
commit_if_due(struct watch *w)
{
	if (w->dirty != 0 && w->now >= w->again &&
	    (importer_due(w->importer) || w->mover.count == MOVER_MAX ||
		w->now - w->dirty >= w->config->spool.rotate_age))
		commit(w);
}

/* --- one file --- */

static bool
is_followed(const struct watch *w, const char *name)
{
	for (size_t i = 0; w->options->follow[i] != NULL; i++)
		if (fnmatch(w->options->follow[i], name, 0) == 0)
			return true;
	return false;
}

static bool
path_of(const struct watch *w, const char *name, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%s", w->options->directory, name) <
	       PATH_MAX;
}

static void
set_dirty(struct watch *w)
{
	if (w->dirty == 0)
		w->dirty = w->now;
}

static void
finished(struct watch *w, const char *name, const struct stat *st)
{
	char path[PATH_MAX];

	set_dirty(w);
	if (!path_of(w, name, path))
		return;
	/* it is not looked at again before the commit, but for an event */
	if (mover_add(&w->mover, path, st))
		waiting_add(w, name, UINT64_MAX);
	else
		waiting_add(w, name, w->now + GROW);
}

static void
hopeless(struct watch *w, const char *name, const char *why)
{
	char path[PATH_MAX], shown[NAME_SHOWN];

	name_show(shown, sizeof shown, name);
	say("%s: %s: moved to failed/", shown, why);
	if (!path_of(w, name, path) || mover_failed(path, why) ||
	    errno == ENOENT)
		return;
	say("%s cannot be moved to failed/: %s", shown, strerror(errno));
	waiting_add(w, name, w->now + RETRY);
}

static void
answered(struct watch *w, const char *name, const struct stat *st,
    enum importer_answer answer, bool complete)
{
	switch (answer) {
	case IMPORTER_TAKEN:
	case IMPORTER_KNOWN:
		if (complete)
			finished(w, name, st);
		else if (importer_pending(w->importer))
			set_dirty(w);
		break;
	case IMPORTER_BROKEN:
		set_dirty(w);
		commit(w);
		/* fall through */
	case IMPORTER_HOPELESS:
		hopeless(w, name, importer_why(w->importer));
		break;
	case IMPORTER_LATER:
		say("%s", importer_why(w->importer));
		set_dirty(w);
		waiting_add(w, name, w->now + GROW);
		break;
	case IMPORTER_STOPPED:
		set_dirty(w);
		break;
	}
}

static void
take(struct watch *w, const char *name, bool grows)
{
	enum importer_answer answer;
	char shown[NAME_SHOWN];
	struct stat st;
	int fd = openat(
	    w->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		if (errno == EACCES)
			hopeless(w, name,
			    "it cannot be read: give us the permission, then "
			    "move it back");
		else if (errno == EIO)
			hopeless(w, name, strerror(errno));
		else if (errno != ENOENT)
			waiting_add(w, name, w->now + RETRY);
		if (fd >= 0)
			close(fd);
		return;
	}
	name_show(shown, sizeof shown, name);
	if (grows || importer_follows(w->importer, fd, &st))
		answer = importer_follow(w->importer, fd, shown, &st, !grows);
	else
		answer = importer_file(w->importer, fd, shown, &st);
	close(fd);
	answered(w, name, &st, answer, !grows);
	w->now = clock_ms();
	commit_if_due(w);
}

/* Not changed for long enough, by the clock of its file system. */
static bool
is_old(const struct watch *w, const struct stat *st)
{
	struct timespec real;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &real);
	age = (int64_t)(real.tv_sec - st->st_ctim.tv_sec) * 1000 +
	      (real.tv_nsec - st->st_ctim.tv_nsec) / 1000000;
	return age >= (int64_t)w->options->settle;
}

static bool
is_same(const struct waiting *waiting, const struct stat *st)
{
	return waiting->size == st->st_size &&
	       waiting->changed.tv_sec == st->st_mtim.tv_sec &&
	       waiting->changed.tv_nsec == st->st_mtim.tv_nsec;
}

/* It is taken if it has not changed since it was put among those that wait,
 * and waits on if it has. */
static void
wait_on(struct watch *w, const char *name, const struct stat *st)
{
	struct waiting *waiting = waiting_find(w, name);

	if (waiting != NULL && is_same(waiting, st)) {
		waiting_remove(w, name);
		take(w, name, false);
		return;
	}
	if (waiting == NULL)
		waiting = waiting_add(w, name, 0);
	if (waiting == NULL)
		return;
	waiting->due = w->now + w->options->settle;
	waiting->size = st->st_size;
	waiting->changed = st->st_mtim;
}

/* `complete`: it was closed or moved in. */
static void
look_at(struct watch *w, const char *name, bool complete)
{
	struct stat st;

	if (name[0] == '.')
		return;
	if (fstatat(w->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode)) {
		waiting_remove(w, name);
		return;
	}
	if (is_followed(w, name)) {
		waiting_remove(w, name);
		take(w, name, true);
	} else if (complete || is_old(w, &st)) {
		waiting_remove(w, name);
		take(w, name, false);
	} else {
		wait_on(w, name, &st);
	}
}

/* --- what is to be looked at --- */

static void
look_around(struct watch *w)
{
	DIR *dir = opendir(w->options->directory);
	struct dirent *entry;

	w->rescan = clock_ms() + w->options->rescan;
	if (dir == NULL) {
		say("%s: %s", w->options->directory, strerror(errno));
		return;
	}
	while (!stopped(w) && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		w->now = clock_ms();
		if (waiting_find(w, name) == NULL)
			look_at(w, name, false);
	}
	closedir(dir);
	w->rescan = clock_ms() + w->options->rescan;
}

static void
look_at_waiting(struct watch *w)
{
	for (size_t i = 0; i < WAITING && w->count > 0 && !stopped(w); i++) {
		struct waiting *waiting = &w->waiting[i];
		char name[NAME_MAX + 1];

		if (waiting->name == NULL || waiting->due > w->now)
			continue;
		snprintf(name, sizeof name, "%s", waiting->name);
		look_at(w, name, false);
	}
}

static void
event(struct watch *w, const struct inotify_event *e)
{
	if (e->mask & (IN_Q_OVERFLOW | IN_UNMOUNT | IN_IGNORED))
		w->rescan = w->now;
	if (e->len == 0 || stopped(w))
		return;
	if (is_followed(w, e->name)) {
		/* each line that is written is an event */
		if (waiting_find(w, e->name) == NULL)
			waiting_add(w, e->name, w->now + GROW);
	} else if (e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) {
		look_at(w, e->name, true);
	}
}

static void
read_events(struct watch *w)
{
	ssize_t n = read(w->events, w->buffer, sizeof w->buffer);

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e =
		    (const struct inotify_event *)(w->buffer + at);

		event(w, e);
		at += (ssize_t)(sizeof *e + e->len);
	}
}

/* --- the loop --- */

static uint64_t
next_due(const struct watch *w)
{
	uint64_t due = w->rescan, at;

	for (size_t i = 0; i < WAITING && w->count > 0; i++)
		if (w->waiting[i].name != NULL && w->waiting[i].due < due)
			due = w->waiting[i].due;
	if (w->dirty != 0) {
		at = w->dirty + w->config->spool.rotate_age;
		if (at < w->again)
			at = w->again;
		if (at < due)
			due = at;
	}
	return due;
}

static void
wait_for_something(struct watch *w)
{
	struct pollfd fd = {.fd = w->events, .events = POLLIN};
	uint64_t due = next_due(w);
	uint64_t ms = due > w->now ? due - w->now : 0;
	struct timespec time = {.tv_sec = (time_t)(ms / 1000),
	    .tv_nsec = (long)(ms % 1000) * 1000000};
	sigset_t ours, before;
	int n = 0;

	/* none may come between the look at *stop and the wait */
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigprocmask(SIG_BLOCK, &ours, &before);
	if (!stopped(w))
		n = ppoll(&fd, 1, &time, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (n > 0) {
		w->now = clock_ms();
		read_events(w);
	}
	w->now = clock_ms();
}

static bool
open_directory(struct watch *w)
{
	const char *directory = w->options->directory;

	w->dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->dir < 0) {
		say("%s: %s", directory, strerror(errno));
		return false;
	}
	if (!mover_prepare(directory)) {
		say("%s: %s: files are moved to done/ and failed/ in it when "
		    "they are imported: make it writable for us",
		    directory, strerror(errno));
		return false;
	}
	w->events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->events < 0 ||
	    inotify_add_watch(w->events, directory,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_MODIFY | IN_ONLYDIR) < 0)
		say("%s: no notice of new files (%s): it is looked through "
		    "every %" PRIu64 " s",
		    directory, strerror(errno), w->options->rescan / 1000);
	return true;
}

static bool
loop(struct watch *w)
{
	while (!stopped(w)) {
		if (w->now >= w->rescan)
			look_around(w);
		look_at_waiting(w);
		commit_if_due(w);
		if (!stopped(w))
			wait_for_something(w);
	}
	return w->dirty == 0 || commit(w);
}

bool
watch_run(struct importer *importer, const struct config *config,
    const struct watch_options *options)
{
	struct watch *w = calloc(1, sizeof *w);
	bool good = false;

	if (w == NULL) {
		say("no memory");
		return false;
	}
	w->importer = importer;
	w->config = config;
	w->options = options;
	w->dir = w->events = -1;
	w->now = clock_ms();
	if (open_directory(w))
		good = loop(w);
	mover_clear(&w->mover);
	for (size_t i = 0; i < WAITING; i++)
		free(w->waiting[i].name);
	if (w->events >= 0)
		close(w->events);
	if (w->dir >= 0)
		close(w->dir);
	free(w);
	return good;
}
