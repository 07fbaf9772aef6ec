#include "vaulter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "spool/disk.h"

enum {
	ROTATE_SIZE = 64 << 20, /* bytes of a file */
	RETRY = 5 * 1000,       /* ms after a failure */
	SYNC = 1000,            /* ms, if no record makes it earlier */
	EARLY = 25,             /* percent of the notes' room */
	NAME = 64,
};

struct vaulter {
	struct vault_notes *notes;
	char *path;

	pthread_mutex_t lock;
	struct vaulter_key next;
	uint64_t next_at; /* of the notes: for this one from here on */
	bool changed;

	struct vaulter_key used; /* of who makes tokens */

	/* of who writes */
	struct vaulter_key key;
	int dir, fd;
	char name[NAME];
	struct hpke *hpke;
	uint64_t size;       /* of the file: whole frames */
	uint64_t born;       /* monotonic ms */
	uint64_t at, synced; /* of the notes: written, durable */
	uint64_t since;      /* when the first that is not was written */
	uint64_t retry;
	struct log_gate gate;
	char frame[VAULT_FRAME];

	/* read by both */
	_Atomic int cause, error;
	_Atomic uint64_t sealed;
};

struct vaulter *
vaulter_new(const char *spool)
{
	struct vaulter *v = calloc(1, sizeof *v);

	if (v == NULL)
		return NULL;
	v->dir = v->fd = -1;
	v->notes = vault_notes_new();
	if (asprintf(&v->path, "%s/" VAULTER_DIRECTORY, spool) < 0)
		v->path = NULL;
	if (v->notes != NULL && v->path != NULL &&
	    pthread_mutex_init(&v->lock, NULL) == 0)
		return v;
	vault_notes_free(v->notes);
	free(v->path);
	free(v);
	return NULL;
}

void
vaulter_free(struct vaulter *v)
{
	if (v == NULL)
		return;
	hpke_free(v->hpke);
	disk_close(&v->fd);
	disk_close(&v->dir);
	vault_notes_free(v->notes);
	pthread_mutex_destroy(&v->lock);
	free(v->path);
	free(v);
}

/* --- who makes tokens --- */

struct vault_notes *
vaulter_notes(struct vaulter *v)
{
	return v->notes;
}

static bool
is_same(const struct vaulter_key *a, const struct vaulter_key *b)
{
	return a->set == b->set &&
	       memcmp(a->public, b->public, sizeof a->public) == 0;
}

void
vaulter_use(struct vaulter *v, const struct vaulter_key *key)
{
	bool same = is_same(key, &v->used);

	pthread_mutex_lock(&v->lock);
	/* if there was another one meanwhile, nobody has seen it */
	if (!v->changed)
		v->next_at = vault_notes_end(v->notes);
	v->next = *key;
	v->changed = true;
	pthread_mutex_unlock(&v->lock);
	v->used = *key;
	if (!same)
		vault_notes_again(v->notes);
}

void
vaulter_status(const struct vaulter *v, struct vaulter_status *status)
{
	status->cause = (enum vault_cause)atomic_load(&v->cause);
	status->error = atomic_load(&v->error);
	status->sealed = atomic_load(&v->sealed);
	for (unsigned i = 0; i < VAULT_CAUSES; i++)
		status->unsealed[i] =
		    vault_unnoted(v->notes, (enum vault_cause)i);
}

/* --- trouble --- */

static void
set_state(struct vaulter *v, enum vault_cause cause, int error)
{
	atomic_store(&v->cause, (int)cause);
	atomic_store(&v->error, error);
	vault_notes_because(v->notes, cause);
}

static const char *
cure(int error)
{
	if (disk_is_full(error))
		return "make room on its disk";
	if (error == EACCES || error == EPERM)
		return "it has to belong to this program's user";
	return "look at the disk (dmesg)";
}

/* No more into this file: what is not durable yet goes to another one. */
static void
leave_file(struct vaulter *v)
{
	if (v->fd >= 0 && v->size <= VAULT_HEADER)
		disk_discard(v->dir, v->name);
	hpke_free(v->hpke);
	v->hpke = NULL;
	disk_close(&v->fd);
	disk_close(&v->dir); /* it may have been removed, or replaced */
	v->at = v->synced;
}

/* By errno; false, to be returned. */
static bool
fails(struct vaulter *v, const char *doing)
{
	int error = errno;
	uint64_t now = clock_ms(), held;

	leave_file(v);
	v->retry = now + RETRY;
	set_state(v, disk_is_full(error) ? VAULT_FULL : VAULT_BROKEN, error);
	if (log_gate_open(&v->gate, now, &held))
		log_warnx("%s: %s: %s: tokens are stored without their values "
			  "being sealed; %s",
		    v->path, doing, strerrordesc_np(error), cure(error));
	return false;
}

static void
note_success(struct vaulter *v)
{
	if (atomic_load(&v->cause) == VAULT_BUSY)
		return;
	log_info("%s: values are sealed again", v->path);
	set_state(v, VAULT_BUSY, 0);
	v->gate = (struct log_gate){0};
}

/* --- files --- */

/* The name of a new directory has to last. */
static bool
sync_parent(int dir)
{
	int parent = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = parent >= 0 && fsync(parent) == 0;

	disk_close(&parent);
	return done;
}

static bool
open_directory(struct vaulter *v)
{
	bool made;

	if (v->dir >= 0)
		return true;
	made = mkdirat(AT_FDCWD, v->path, 0700) == 0;
	if (!made && errno != EEXIST)
		return false;
	v->dir = open(v->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return v->dir >= 0 && (!made || sync_parent(v->dir));
}

/* By the time, and what no other file has. */
static void
name_file(struct vaulter *v, const char header[VAULT_HEADER])
{
	const unsigned char *enc =
	    (const unsigned char *)header + VAULT_MAGIC_SIZE + HPKE_KEY;
	time_t now = (time_t)(clock_utc() / 1000000);
	struct tm tm;
	size_t n;

	gmtime_r(&now, &tm);
	n = strftime(v->name, sizeof v->name, "%Y%m%dT%H%M%SZ-", &tm);
	snprintf(v->name + n, sizeof v->name - n,
	    "%02x%02x%02x%02x" VAULTER_SUFFIX, enc[0], enc[1], enc[2], enc[3]);
}

static bool
begin_file(struct vaulter *v)
{
	char header[VAULT_HEADER];

	if (v->fd >= 0)
		return true;
	if (!open_directory(v))
		return fails(v, "cannot be opened");
	v->hpke = vault_begin(v->key.public, header);
	if (v->hpke == NULL) {
		errno = EINVAL;
		return fails(v, "the public key cannot be used");
	}
	name_file(v, header);
	v->size = 0;
	v->fd = openat(v->dir, v->name,
	    O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (v->fd < 0 ||
	    !disk_write(v->fd, span_of(header, sizeof header), NULL) ||
	    fsync(v->dir) < 0)
		return fails(v, "a new file");
	v->size = sizeof header;
	v->born = clock_ms();
	return true;
}

static uint64_t
count_entries(struct span message)
{
	struct vault_entry entry;
	uint64_t n = 0;

	while (vault_next(&message, &entry))
		n++;
	return n;
}

static bool
put_message(struct vaulter *v, struct span message)
{
	size_t n = vault_seal(v->hpke, message, v->frame);

	if (n == 0) {
		errno = EINVAL;
		return fails(v, "cannot be sealed");
	}
	if (!disk_write(v->fd, span_of(v->frame, n), NULL)) {
		int error = errno;

		/* readers take a part of a frame for what it is */
		if (ftruncate(v->fd, (off_t)v->size) < 0)
			log_warn("%s/%s", v->path, v->name);
		errno = error;
		return fails(v, "writing");
	}
	if (v->at == v->synced)
		v->since = clock_ms();
	v->size += n;
	v->at += message.n;
	atomic_fetch_add(&v->sealed, count_entries(message));
	return true;
}

/* Someone has deleted the file, and with it what it had. */
static bool
is_gone(const struct vaulter *v)
{
	struct stat st;

	return fstat(v->fd, &st) == 0 && st.st_nlink == 0;
}

static bool
sync_file(struct vaulter *v)
{
	if (v->fd < 0 || v->at == v->synced)
		return true;
	if (fdatasync(v->fd) < 0)
		return fails(v, "fdatasync");
	v->synced = v->at;
	vault_notes_free_to(v->notes, v->synced);
	note_success(v);
	return true;
}

static bool
put_all(struct vaulter *v, uint64_t end)
{
	struct span message;

	while ((message = vault_notes_from(v->notes, v->at, end)).n > 0)
		if (!begin_file(v) || !put_message(v, message))
			return false;
	return true;
}

static void
end_file(struct vaulter *v)
{
	if (sync_file(v))
		leave_file(v);
}

/* What was noted so far is still for the key before, if the disk takes it;
 * what is left then is for the new one. */
static void
take_key(struct vaulter *v)
{
	struct vaulter_key next;
	uint64_t at;
	bool changed;

	pthread_mutex_lock(&v->lock);
	changed = v->changed;
	next = v->next;
	at = v->next_at;
	v->changed = false;
	pthread_mutex_unlock(&v->lock);
	if (!changed)
		return;
	if (!is_same(&next, &v->key)) {
		if (v->key.set)
			put_all(v, at);
		end_file(v);
	}
	v->key = next;
}

/* --- all of it --- */

static bool
is_file_due(const struct vaulter *v, uint64_t now)
{
	return v->size >= ROTATE_SIZE || is_gone(v) ||
	       now - v->born >= v->key.rotate_age;
}

/* Room is short, nothing was to be had until now, or no record has come. */
static bool
is_sync_due(const struct vaulter *v, uint64_t now)
{
	return vault_notes_fill(v->notes) >= EARLY ||
	       atomic_load(&v->cause) != VAULT_BUSY ||
	       (v->at != v->synced && now - v->since >= SYNC);
}

void
vaulter_work(struct vaulter *v, bool commit)
{
	uint64_t now = clock_ms();

	take_key(v);
	if (v->fd >= 0 && is_file_due(v, now)) {
		end_file(v);
		vault_notes_again(v->notes); /* the next stands for itself */
	}
	if (!v->key.set || now < v->retry)
		return;
	if (put_all(v, UINT64_MAX) && (commit || is_sync_due(v, now)))
		sync_file(v);
}

void
vaulter_before_cb(void *vaulter, bool commit)
{
	vaulter_work(vaulter, commit);
}

void
vaulter_end(struct vaulter *v)
{
	uint64_t left = 0;
	struct span message;

	v->retry = 0;
	vaulter_work(v, true);
	v->at = v->synced;
	while (
	    (message = vault_notes_from(v->notes, v->at, UINT64_MAX)).n > 0) {
		left += count_entries(message);
		v->at += message.n;
	}
	if (left == 0)
		return;
	log_warnx("%s: %" PRIu64 " values could not be sealed: lost until "
		  "they come again; make room before stopping",
	    v->path, left);
}
