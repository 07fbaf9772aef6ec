#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "clock.h"
#include "spool/disk.h"
#include "timestamp.h"

enum {
	NAP = 60 * 1000, /* ms: how long a wait is at most */
	NAMED = 2,    /* s between a line of the ledger and the file's name */
	NO_INODE = 0, /* that of no file */
};

#define LAST_SECOND INT64_C(250000000000) /* in the year 9892 */

/* What is known of a target, here. */
struct lane {
	uint64_t paused; /* until, monotonic ms */
	bool given_up;
	unsigned busy; /* legs */
};

struct outbox {
	const struct plan *plan;
	bool once;
	pthread_mutex_t lock;
	pthread_cond_t change, taken;
	size_t unwanted; /* files, at the last scan */
	size_t n;        /* parcels, by name */
	struct parcel **parcel;
	struct lane lane[PLAN_TARGETS];
};

struct outbox *
outbox_new(const struct plan *plan, bool once)
{
	struct outbox *o = calloc(1, sizeof *o);
	pthread_condattr_t attributes;

	if (o == NULL)
		return NULL;
	o->plan = plan;
	o->once = once;
	pthread_mutex_init(&o->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&o->change, &attributes);
	pthread_cond_init(&o->taken, &attributes);
	pthread_condattr_destroy(&attributes);
	return o;
}

void
outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n; i++)
		free(o->parcel[i]);
	free(o->parcel);
	pthread_cond_destroy(&o->taken);
	pthread_cond_destroy(&o->change);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

/* --- scanning --- */

/* Names: never more than twice what there is room for. */
struct names {
	const struct plan *plan;
	char (*name)[SPOOL_PATH];
	size_t n, room, unwanted;
	bool failed, more;
};

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
names_sort(struct names *names)
{
	if (names->n > 0)
		qsort(names->name, names->n, SPOOL_PATH, compare_names);
	if (names->n > OUTBOX_FILES) {
		names->n = OUTBOX_FILES;
		names->more = true;
	}
}

static bool
names_grow(struct names *names)
{
	size_t room = names->room > 0 ? 2 * names->room : 64;
	void *more = reallocarray(names->name, room, SPOOL_PATH);

	if (more == NULL)
		return false;
	names->name = more;
	names->room = room;
	return true;
}

static bool
is_wanted(const struct plan *plan, struct span stream)
{
	for (size_t i = 0; i < plan->target_count; i++)
		if (plan_wants(&plan->targets[i], stream))
			return true;
	return false;
}

/* Those that nobody wants stay for ever: they get no place. */
static void
name_cb(void *arg, const char *name)
{
	struct names *names = arg;
	struct span stream;
	uint64_t number;

	if (strlen(name) >= SPOOL_PATH ||
	    !name_parse_ready(name, &stream, &number))
		return;
	if (!is_wanted(names->plan, stream)) {
		names->unwanted++;
		return;
	}
	if (names->n == 2 * OUTBOX_FILES)
		names_sort(names);
	if (names->n == names->room && !names_grow(names)) {
		names->failed = true;
		return;
	}
	snprintf(names->name[names->n++], SPOOL_PATH, "%s", name);
}

static struct parcel *
parcel_new(const struct outbox *o, int ready, const char *name)
{
	struct parcel *p;
	struct stat st;
	struct span stream;
	uint64_t number;

	/* Links and the like are not sent. */
	if (fstatat(ready, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return NULL;
	p = calloc(1, sizeof *p + o->plan->target_count * sizeof(struct leg));
	if (p == NULL)
		return NULL;
	snprintf(p->name, sizeof p->name, "%s", name);
	p->size = (uint64_t)st.st_size;
	p->finished = st.st_mtim.tv_sec;
	p->inode = st.st_ino;
	p->written = st.st_mtim;
	p->changed = st.st_ctim;
	p->here = p->fresh = true;
	name_parse_ready(name, &stream, &number);
	for (size_t i = 0; i < o->plan->target_count; i++)
		if (plan_wants(&o->plan->targets[i], stream))
			p->leg[i].state = LEG_WAITING;
	return p;
}

static bool
is_busy(const struct outbox *o, const struct parcel *p)
{
	if (p->hashing)
		return true;
	for (size_t i = 0; i < o->plan->target_count; i++)
		if (p->leg[i].state == LEG_BUSY)
			return true;
	return false;
}

/* Of the old ones and the names, both in order. */
static size_t
merge(struct outbox *o, int ready, const struct names *names,
    struct parcel **merged, size_t *added)
{
	size_t i = 0, k = 0, n = 0;
	struct parcel *p;
	int order;

	while (i < o->n || k < names->n) {
		order = i == o->n ? 1
			: k == names->n
			    ? -1
			    : strcmp(o->parcel[i]->name, names->name[k]);
		if (order > 0) {
			p = parcel_new(o, ready, names->name[k++]);
			*added += p != NULL;
		} else {
			p = o->parcel[i++];
			k += order == 0;
			p->here = order == 0;
			if (!p->here && !is_busy(o, p)) {
				free(p);
				p = NULL;
			}
		}
		if (p != NULL)
			merged[n++] = p;
	}
	return n;
}

bool
outbox_scan(struct outbox *o, int ready, size_t *added, bool *more)
{
	struct names names = {.plan = o->plan};
	struct parcel **merged = NULL;
	bool ok = disk_list(ready, name_cb, &names);

	*added = 0;
	if (ok && names.failed) {
		errno = ENOMEM;
		ok = false;
	}
	names_sort(&names);
	pthread_mutex_lock(&o->lock);
	if (ok) {
		merged = reallocarray(NULL, o->n + names.n + 1, sizeof *merged);
		ok = merged != NULL;
	}
	if (ok) {
		o->n = merge(o, ready, &names, merged, added);
		free(o->parcel);
		o->parcel = merged;
		o->unwanted = names.unwanted;
	}
	pthread_mutex_unlock(&o->lock);
	*more = names.more;
	free(names.name);
	return ok;
}

static struct parcel *
find(struct outbox *o, struct span name)
{
	char key[SPOOL_PATH];
	size_t low = 0, high = o->n, middle;
	int order;

	if (name.n >= sizeof key)
		return NULL;
	memcpy(key, name.p, name.n);
	key[name.n] = '\0';
	while (low < high) {
		middle = low + (high - low) / 2;
		order = strcmp(o->parcel[middle]->name, key);
		if (order == 0)
			return o->parcel[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool
outbox_has(struct outbox *o, const char *name)
{
	bool has;

	pthread_mutex_lock(&o->lock);
	has = find(o, span_str(name)) != NULL;
	pthread_mutex_unlock(&o->lock);
	return has;
}

static void
mark(struct outbox *o, struct parcel *p, struct span target,
    enum leg_state state)
{
	for (size_t i = 0; i < o->plan->target_count; i++)
		if (span_eq(span_str(o->plan->targets[i].name), target) &&
		    p->leg[i].state == LEG_WAITING && p->leg[i].tries == 0)
			p->leg[i].state = state;
}

/* It went to quarantine: if it is here, someone wants it tried again. */
static void
unrefuse(struct outbox *o, struct parcel *p)
{
	for (size_t i = 0; i < o->plan->target_count; i++)
		if (p->leg[i].state == LEG_REFUSED && p->leg[i].tries == 0)
			p->leg[i].state = LEG_WAITING;
}

/* What one target has got, another is to get. */
static void
expect(struct parcel *p, const struct ledger_entry *entry)
{
	if (p->source == SOURCE_NONE &&
	    sha256_read(ledger_text(entry, "sha256"), p->digest.sum))
		p->source = SOURCE_RECEIPT;
}

/* With the lock. */
static void
note(struct outbox *o, struct parcel *p, const struct ledger_entry *entry)
{
	struct span target = ledger_text(entry, "target");

	if (span_eq(entry->type, SPAN("receipt")) &&
	    ledger_number(entry, "size") == p->size) {
		mark(o, p, target, LEG_DELIVERED);
		expect(p, entry);
	} else if (span_eq(entry->type, SPAN("refused"))) {
		mark(o, p, target, LEG_REFUSED);
	} else if (span_eq(entry->type, SPAN("freed")) &&
		   span_eq(ledger_text(entry, "as"), SPAN("quarantined"))) {
		unrefuse(o, p);
	}
}

void
outbox_note(struct outbox *o, const struct ledger_entry *entry)
{
	struct parcel *p;

	pthread_mutex_lock(&o->lock);
	p = find(o, ledger_text(entry, "file"));
	if (p != NULL)
		note(o, p, entry);
	pthread_mutex_unlock(&o->lock);
}

/* In µs, as ledgers write times; false: no such time. */
static bool
write_time(struct timespec at, int64_t more, char text[TIMESTAMP_RFC3339_US])
{
	struct timestamp_days days = {0};

	if (at.tv_sec < 0 || at.tv_sec > LAST_SECOND)
		return false;
	timestamp_format_us(
	    ((int64_t)at.tv_sec + more) * 1000000 + at.tv_nsec / 1000, &days,
	    text);
	return true;
}

/* Its bytes were there when the line was written, and it got its name right
 * after; since then nothing has changed it, wherever clocks went. */
static bool
is_untouched(const struct parcel *p, const struct ledger_file *file)
{
	char written[TIMESTAMP_RFC3339_US], from[TIMESTAMP_RFC3339_US];
	char to[TIMESTAMP_RFC3339_US];

	return p->size == file->size && write_time(p->written, 0, written) &&
	       write_time(p->changed, -NAMED, from) &&
	       write_time(p->changed, NAMED, to) &&
	       memcmp(written, file->time.p, sizeof written) <= 0 &&
	       memcmp(from, file->time.p, sizeof from) <= 0 &&
	       memcmp(to, file->time.p, sizeof to) >= 0;
}

static bool
is_found(const struct parcel *p)
{
	return p->digest.inode != NO_INODE;
}

/* May it have this digest? */
static bool
may_be(const struct parcel *p, const uint8_t sum[SHA256_SIZE])
{
	return p->source == SOURCE_NONE || p->source == SOURCE_DISPUTED ||
	       memcmp(p->digest.sum, sum, SHA256_SIZE) == 0;
}

/* A file that was packed again after a crash has two lines, and which of them
 * is right only the file can tell. */
static void
state(struct parcel *p, const struct ledger_file *file)
{
	if (!may_be(p, file->sum)) {
		p->source = SOURCE_DISPUTED;
		p->digest.inode = NO_INODE;
	} else if (p->source == SOURCE_NONE) {
		p->source = SOURCE_LEDGER;
		memcpy(p->digest.sum, file->sum, sizeof file->sum);
	}
	if (p->source != SOURCE_LEDGER || !is_untouched(p, file))
		return;
	p->digest.stated = true;
	p->digest.size = p->size;
	p->digest.inode = p->inode;
	p->digest.written = p->written;
}

void
outbox_state(struct outbox *o, const struct ledger_entry *entry)
{
	struct ledger_file file;
	struct parcel *p;

	if (!ledger_file(entry, &file))
		return;
	pthread_mutex_lock(&o->lock);
	p = find(o, ledger_text(entry, "name"));
	if (p != NULL && !p->hashing && p->source != SOURCE_RECEIPT &&
	    p->source != SOURCE_READ)
		state(p, &file);
	pthread_mutex_unlock(&o->lock);
}

void
outbox_release(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n; i++)
		o->parcel[i]->fresh = false;
	pthread_cond_broadcast(&o->change);
	pthread_cond_broadcast(&o->taken);
	pthread_mutex_unlock(&o->lock);
}

/* May a target get it? */
static bool
is_free(const struct parcel *p, size_t target)
{
	return p->leg[target].state == LEG_WAITING && p->here && !p->fresh;
}

/* --- taking --- */

static unsigned
minute_of_day(void)
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	return (unsigned)(tm.tm_hour * 60 + tm.tm_min);
}

/* The next one for the target: by name, but first those that were tried less
 * often, for one that always fails must not keep the others from a try. NULL:
 * *wait is when to look again, monotonic ms; 0: never. */
static struct parcel *
next(struct outbox *o, size_t target, uint64_t now, uint64_t *wait)
{
	struct parcel *best = NULL;
	struct leg *leg;

	*wait = 0;
	for (size_t i = 0; i < o->n; i++) {
		leg = &o->parcel[i]->leg[target];
		if (!is_free(o->parcel[i], target))
			continue;
		if (leg->not_before > now) {
			if (*wait == 0 || leg->not_before < *wait)
				*wait = leg->not_before;
			continue;
		}
		if (best == NULL || leg->tries < best->leg[target].tries)
			best = o->parcel[i];
		if (leg->tries == 0)
			break;
	}
	return best;
}

static struct parcel *
try(struct outbox *o, size_t target, uint64_t now, uint64_t *wait)
{
	const struct lane *lane = &o->lane[target];

	*wait = 0;
	if (lane->given_up)
		return NULL;
	*wait = now + NAP;
	if (!o->once && !plan_window_open(
			    &o->plan->targets[target].window, minute_of_day()))
		return NULL;
	*wait = lane->paused;
	if (now < lane->paused)
		return NULL;
	return next(o, target, now, wait);
}

static void
wait_until(struct outbox *o, pthread_cond_t *condition, uint64_t until)
{
	struct timespec at = {
	    (time_t)(until / 1000), (long)(until % 1000) * 1000000};

	pthread_cond_timedwait(condition, &o->lock, &at);
}

struct parcel *
outbox_take(struct outbox *o, size_t target, const atomic_bool *stop)
{
	struct parcel *p = NULL;
	uint64_t now, wait;

	pthread_mutex_lock(&o->lock);
	while (!atomic_load(stop)) {
		now = clock_ms();
		p = try(o, target, now, &wait);
		if (p != NULL || (o->once && wait == 0))
			break;
		if (wait == 0 || wait > now + NAP)
			wait = now + NAP;
		wait_until(o, &o->change, wait);
	}
	if (p != NULL) {
		p->leg[target].state = LEG_BUSY;
		p->leg[target].tries++;
		o->lane[target].busy++;
		pthread_cond_signal(&o->taken);
	}
	pthread_mutex_unlock(&o->lock);
	return p;
}

void
outbox_put(struct outbox *o, struct parcel *p, size_t target,
    enum leg_state state, uint64_t not_before)
{
	pthread_mutex_lock(&o->lock);
	p->leg[target].state = state;
	p->leg[target].not_before = not_before;
	o->lane[target].busy--;
	pthread_cond_broadcast(&o->change);
	pthread_mutex_unlock(&o->lock);
}

void
outbox_pause(struct outbox *o, size_t target, uint64_t ms)
{
	pthread_mutex_lock(&o->lock);
	o->lane[target].paused = clock_ms() + ms;
	pthread_mutex_unlock(&o->lock);
}

void
outbox_give_up(struct outbox *o, size_t target)
{
	pthread_mutex_lock(&o->lock);
	o->lane[target].given_up = true;
	pthread_cond_broadcast(&o->change);
	pthread_mutex_unlock(&o->lock);
}

/* --- digests --- */

bool
outbox_digest(struct outbox *o, struct parcel *p, const atomic_bool *stop,
    struct digest *digest)
{
	bool found;

	pthread_mutex_lock(&o->lock);
	while (p->hashing && !atomic_load(stop))
		wait_until(o, &o->change, clock_ms() + NAP);
	found = is_found(p);
	*digest = p->digest;
	if (!found)
		p->hashing = true;
	pthread_mutex_unlock(&o->lock);
	return found;
}

bool
outbox_set_digest(
    struct outbox *o, struct parcel *p, const struct digest *digest)
{
	bool good;

	pthread_mutex_lock(&o->lock);
	good = digest != NULL && may_be(p, digest->sum);
	if (good) {
		p->digest = *digest;
		p->source = SOURCE_READ;
	}
	p->unread = !good;
	p->hashing = false;
	pthread_cond_broadcast(&o->change);
	pthread_mutex_unlock(&o->lock);
	return good;
}

static bool
is_to_hash(const struct parcel *p)
{
	return !is_found(p) && !p->hashing && !p->unread;
}

void
outbox_doubt(struct outbox *o, struct parcel *p)
{
	pthread_mutex_lock(&o->lock);
	if (p->source == SOURCE_LEDGER) {
		p->source = SOURCE_DOUBTED;
		p->digest.inode = NO_INODE;
	}
	pthread_mutex_unlock(&o->lock);
}

/* Of those that the target gets next, which `first` begins. */
static struct parcel *
next_to_hash(struct outbox *o, size_t target, struct parcel *first)
{
	uint64_t bytes = 0;
	size_t ahead = 0;
	struct parcel *p;

	if (is_to_hash(first))
		return first;
	for (size_t i = 0;
	     i < o->n && ahead < OUTBOX_AHEAD && bytes < OUTBOX_AHEAD_BYTES;
	     i++) {
		p = o->parcel[i];
		if (!is_free(p, target) || p->leg[target].tries > 0)
			continue;
		if (is_to_hash(p))
			return p;
		ahead++;
		bytes += p->size;
	}
	return NULL;
}

/* A few ahead of each target that is at work, so that it need not wait for one
 * that took longer: but what a target that is down has waiting is not read for
 * nothing. */
static struct parcel *
next_ahead(struct outbox *o)
{
	uint64_t now = clock_ms(), wait;
	struct parcel *p;

	for (size_t i = 0; i < o->plan->target_count; i++) {
		p = o->lane[i].busy > 0 ? try(o, i, now, &wait) : NULL;
		if (p != NULL)
			p = next_to_hash(o, i, p);
		if (p != NULL)
			return p;
	}
	return NULL;
}

struct parcel *
outbox_take_ahead(struct outbox *o, const atomic_bool *stop)
{
	struct parcel *p = NULL;

	pthread_mutex_lock(&o->lock);
	while (!atomic_load(stop) && (p = next_ahead(o)) == NULL)
		wait_until(o, &o->taken, clock_ms() + NAP);
	if (p != NULL)
		p->hashing = true;
	pthread_mutex_unlock(&o->lock);
	return p;
}

void
outbox_wake(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	pthread_cond_broadcast(&o->change);
	pthread_cond_broadcast(&o->taken);
	pthread_mutex_unlock(&o->lock);
}

/* --- what is finished --- */

static bool
is_done(const struct leg *leg)
{
	return leg->state == LEG_DELIVERED || leg->state == LEG_REFUSED;
}

/* By all targets that want it, which are some. */
static bool
is_finished(const struct outbox *o, const struct parcel *p)
{
	size_t done = 0;

	if (p->hashing)
		return false;
	for (size_t i = 0; i < o->plan->target_count; i++) {
		if (p->leg[i].state != LEG_NONE && !is_done(&p->leg[i]))
			return false;
		done += is_done(&p->leg[i]);
	}
	return done > 0;
}

struct parcel *
outbox_finished(struct outbox *o)
{
	struct parcel *found = NULL;

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; found == NULL && i < o->n; i++)
		if (!o->parcel[i]->reported && is_finished(o, o->parcel[i]))
			found = o->parcel[i];
	if (found != NULL)
		found->reported = true;
	pthread_mutex_unlock(&o->lock);
	return found;
}

void
outbox_unfinish(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n; i++)
		o->parcel[i]->reported = false;
	pthread_mutex_unlock(&o->lock);
}

void
outbox_forget(struct outbox *o, const struct parcel *parcel)
{
	size_t i = 0;

	pthread_mutex_lock(&o->lock);
	while (i < o->n && o->parcel[i] != parcel)
		i++;
	if (i < o->n) {
		free(o->parcel[i]);
		o->n--;
		memmove(&o->parcel[i], &o->parcel[i + 1],
		    (o->n - i) * sizeof *o->parcel);
	}
	pthread_mutex_unlock(&o->lock);
}

static void
count_leg(
    const struct parcel *p, const struct leg *leg, struct outbox_counts *counts)
{
	switch (leg->state) {
	case LEG_NONE:
		break;
	case LEG_WAITING:
	case LEG_BUSY:
		counts->waiting++;
		counts->bytes += p->size;
		if (counts->oldest == 0 || p->finished < counts->oldest)
			counts->oldest = p->finished;
		break;
	case LEG_GIVEN_UP:
		counts->given_up++;
		break;
	case LEG_DELIVERED:
		counts->delivered++;
		break;
	case LEG_REFUSED:
		counts->refused++;
		break;
	}
}

void
outbox_count_of(struct outbox *o, size_t target, struct outbox_counts *counts)
{
	*counts = (struct outbox_counts){0};
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n; i++)
		count_leg(o->parcel[i], &o->parcel[i]->leg[target], counts);
	pthread_mutex_unlock(&o->lock);
}

void
outbox_count(struct outbox *o, struct outbox_counts *counts)
{
	*counts = (struct outbox_counts){0};
	pthread_mutex_lock(&o->lock);
	counts->unwanted = o->unwanted;
	for (size_t i = 0; i < o->n; i++) {
		const struct parcel *p = o->parcel[i];

		for (size_t k = 0; k < o->plan->target_count; k++)
			count_leg(p, &p->leg[k], counts);
	}
	pthread_mutex_unlock(&o->lock);
}

void
outbox_each(struct outbox *o,
    void (*each)(void *arg, const struct parcel *parcel), void *arg)
{
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n; i++)
		each(arg, o->parcel[i]);
	pthread_mutex_unlock(&o->lock);
}
