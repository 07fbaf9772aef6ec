#include "crew.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "conform.h"
#include "deliveries.h"
#include "digest.h"
#include "log.h"
#include "shown.h"
#include "spool/disk.h"

enum {
	DELAY_LEAST = 1000,         /* ms */
	DELAY_MOST = 5 * 60 * 1000, /* ms */
	RETRY_AFTER_MOST = 3600,    /* s; longer is not believed */
	SLICE = 200,                /* ms between looks at *stop */
	REASON = TARGET_REASON + 64,
	LINE = 1600,
};

/* What the threads of one target share. */
struct berth {
	pthread_mutex_t lock;
	uint64_t free_at;  /* the line, for the bandwidth; monotonic us */
	unsigned failures; /* since it last worked */
	struct log_gate gate;
	/* for deliveries.h */
	int64_t since, last; /* UTC s */
	uint64_t delivered, refused;
	char reason[DELIVERY_REASON]; /* of the last failure */
};

_Static_assert((int)DELIVERIES == (int)PLAN_TARGETS, "each target has one");

struct worker {
	struct crew *crew;
	size_t target;
	void *handle;
	pthread_t thread;
	bool started;
	const char *file; /* that it works on */
	struct target_watch watch;
	char journal[TARGET_JOURNAL]; /* what is durable */
	struct ledger_text line;
};

struct crew {
	struct crew_options options;
	struct outbox *outbox;
	atomic_bool stop;
	_Atomic size_t running;
	_Atomic uint64_t bytes, files; /* that were delivered */
	struct berth berth[PLAN_TARGETS];
	size_t workers;
	struct worker *worker;
	pthread_t ahead;
	bool is_ahead; /* that thread is there */
	pthread_mutex_t screen;
};

/* --- telling --- */

void
crew_tell(struct crew *c, bool warning, const char *format, ...)
{
	char line[LINE];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	pthread_mutex_lock(&c->screen);
	progress_hide(c->options.progress);
	if (warning)
		log_warnx("%s", line);
	else
		log_info("%s", line);
	pthread_mutex_unlock(&c->screen);
}

void
crew_draw(struct crew *c)
{
	struct progress *progress = c->options.progress;
	struct outbox_counts counts;
	uint64_t done = atomic_load(&c->bytes), now = done;

	if (progress == NULL)
		return;
	outbox_count(c->outbox, &counts);
	for (size_t i = 0; i < c->workers; i++)
		now += atomic_load(&c->worker[i].watch.sent);
	pthread_mutex_lock(&c->screen);
	progress->total = done + counts.bytes;
	if (counts.waiting > 0)
		progress_update(progress, now, atomic_load(&c->files));
	else
		progress_hide(progress);
	pthread_mutex_unlock(&c->screen);
}

static const char *
target_name(const struct worker *w)
{
	return w->crew->options.plan->targets[w->target].name;
}

/* --- waiting --- */

static void
nap(uint64_t ms)
{
	struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

/* Until then, or until it is to stop. */
static void
sleep_until(const atomic_bool *stop, uint64_t until)
{
	uint64_t now = clock_ms();

	for (; now < until && !atomic_load(stop); now = clock_ms())
		nap(until - now < SLICE ? until - now : SLICE);
}

uint64_t
crew_delay(unsigned failures, uint32_t random)
{
	uint64_t most = DELAY_MOST;

	if (failures > 0 && failures < 9)
		most = (uint64_t)DELAY_LEAST << failures;
	if (most > DELAY_MOST)
		most = DELAY_MOST;
	return most / 2 + random % (most / 2);
}

static uint64_t
delay(unsigned failures)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = (uint32_t)clock_utc();
	return crew_delay(failures, random);
}

static void
pace_cb(void *context, size_t n)
{
	struct worker *w = context;
	struct crew *c = w->crew;
	struct berth *b = &c->berth[w->target];
	uint64_t rate = c->options.plan->targets[w->target].bandwidth;
	uint64_t now = clock_ms() * 1000, start;

	pthread_mutex_lock(&b->lock);
	start = b->free_at > now ? b->free_at : now;
	b->free_at = start + (uint64_t)n * 1000000 / rate;
	pthread_mutex_unlock(&b->lock);
	sleep_until(&c->stop, start / 1000);
}

/* --- what is durable --- */

static bool
keep_journal_cb(struct target_watch *watch)
{
	struct worker *w = watch->context;

	watch->journal[sizeof watch->journal - 1] = '\0';
	if (strcmp(w->journal, watch->journal) == 0)
		return true;
	if (!depot_journal_write(w->crew->options.depot, w->file,
		target_name(w), watch->journal))
		return false;
	memcpy(w->journal, watch->journal, sizeof w->journal);
	return true;
}

static bool
keep_rejects_cb(struct target_watch *watch, struct span lines)
{
	struct worker *w = watch->context;

	return depot_reject(
	    w->crew->options.depot, w->file, target_name(w), lines);
}

/*
 * The main thread makes it durable, with what came meanwhile, and this one goes
 * on. But not where there is a journal, which goes next: without both, what the
 * target has would all come again. False: it is to stop.
 */
static bool
write_line(struct worker *w)
{
	struct crew *c = w->crew;
	struct receipts *receipts = c->options.receipts;
	struct log_gate gate = {0};
	bool put = false, sync = w->journal[0] != '\0';
	uint64_t held;

	while (!atomic_load(&c->stop)) {
		put = put || receipts_put(receipts, &w->line);
		if (put && (!sync || receipts_sync(receipts)))
			return true;
		if (log_gate_open(&gate, clock_ms(), &held))
			crew_tell(c, true,
			    "receipts: %s: files stay in ready/ until they "
			    "can be written; make room, or check the disk",
			    strerror(errno));
		sleep_until(&c->stop, clock_ms() + DELAY_LEAST);
	}
	return false;
}

static void
line_begin(struct worker *w, const char *type, const struct parcel *p)
{
	ledger_begin(&w->line, type, clock_utc());
	ledger_put_text(&w->line, "file", span_str(p->name));
	ledger_put_text(&w->line, "target", span_str(target_name(w)));
	ledger_put_number(&w->line, "tries", p->leg[w->target].tries);
}

static bool
write_receipt(struct worker *w, const struct parcel *p,
    const struct target_file *file, const struct target_result *r,
    int64_t started)
{
	char hex[SHA256_HEX];

	sha256_hex(file->digest.sum, hex);
	line_begin(w, "receipt", p);
	ledger_put_number(&w->line, "size", file->size);
	ledger_put_text(&w->line, "sha256", span_of(hex, sizeof hex));
	ledger_put_text(&w->line, "sha256_by",
	    file->digest.stated ? SPAN("ledger") : SPAN("reading"));
	ledger_put_text(&w->line, "remote", span_str(r->remote));
	ledger_put_text(&w->line, "check", span_str(r->check));
	ledger_put_time(&w->line, "started", started);
	ledger_put_time(&w->line, "ended", clock_utc());
	return write_line(w);
}

static bool
write_refusal(
    struct worker *w, const struct parcel *p, const struct target_result *r)
{
	line_begin(w, "refused", p);
	ledger_put_text(&w->line, "remote", span_str(r->remote));
	ledger_put_text(&w->line, "reason", span_str(r->reason));
	return write_line(w);
}

/* --- one file --- */

static void
changed(struct crew *c)
{
	uint64_t one = 1;

	if (write(c->options.changed, &one, sizeof one) < 0)
		return; /* it is full: the main thread will look */
}

/* It took the file, or said that it never will. */
static void
worked(struct worker *w, enum leg_state state)
{
	struct berth *b = &w->crew->berth[w->target];
	unsigned failures;

	pthread_mutex_lock(&b->lock);
	failures = b->failures;
	b->failures = 0;
	b->delivered += state == LEG_DELIVERED;
	b->refused += state == LEG_REFUSED;
	if (state == LEG_DELIVERED)
		b->last = clock_utc() / 1000000;
	b->gate = (struct log_gate){0};
	pthread_mutex_unlock(&b->lock);
	if (failures > 0)
		crew_tell(w->crew, false, "%s: works again after %u failures",
		    target_name(w), failures);
}

static void
done(struct worker *w, struct parcel *p, enum leg_state state)
{
	outbox_put(w->crew->outbox, p, w->target, state, 0);
	changed(w->crew);
}

static void
on_delivered(struct worker *w, struct parcel *p, const struct target_file *file,
    const struct target_result *r, int64_t started)
{
	struct crew *c = w->crew;
	char size[32];

	worked(w, LEG_DELIVERED);
	if (!write_receipt(w, p, file, r, started)) {
		outbox_put(c->outbox, p, w->target, LEG_WAITING, 0);
		return;
	}
	atomic_store(&w->watch.sent, 0);
	atomic_fetch_add(&c->bytes, file->size);
	atomic_fetch_add(&c->files, 1);
	progress_size(file->size, size, sizeof size);
	crew_tell(c, false, "%s: %s: delivered, %s in %.1f s (%s)",
	    target_name(w), p->name, size,
	    (double)(clock_utc() - started) / 1e6, r->check);
	if (r->rejected > 0)
		crew_tell(c, true,
		    "%s: %s: %" PRIu64 " of its records were rejected: see "
		    "upload/quarantine/%s@%s.rejects",
		    target_name(w), p->name, r->rejected, p->name,
		    target_name(w));
	depot_journal_remove(c->options.depot, p->name, target_name(w));
	done(w, p, LEG_DELIVERED);
}

static void
on_refused(struct worker *w, struct parcel *p, const struct target_result *r)
{
	worked(w, LEG_REFUSED);
	/* For the file beside it in quarantine, whoever puts it there; the
	 * receipts have it, too. */
	(void)depot_journal_write(
	    w->crew->options.depot, p->name, target_name(w), r->reason);
	if (!write_refusal(w, p, r)) {
		outbox_put(w->crew->outbox, p, w->target, LEG_WAITING, 0);
		return;
	}
	crew_tell(w->crew, true, "%s: %s: refused: %s", target_name(w), p->name,
	    r->reason);
	done(w, p, LEG_REFUSED);
}

/* It is tried again: this file, or all of the target. */
static void
on_retry(struct worker *w, struct parcel *p, const struct target_result *r)
{
	struct crew *c = w->crew;
	struct berth *b = &c->berth[w->target];
	uint64_t now = clock_ms(), held = 0, ms, after = r->retry_after, own;
	bool tell;

	pthread_mutex_lock(&b->lock);
	if (b->failures++ == 0)
		b->since = clock_utc() / 1000000;
	shown(r->reason, b->reason, sizeof b->reason);
	own = delay(p->leg[w->target].tries);
	ms = r->target_down ? delay(b->failures) : own;
	tell = log_gate_open(&b->gate, now, &held);
	pthread_mutex_unlock(&b->lock);
	outbox_doubt(c->outbox, p);
	if (after > RETRY_AFTER_MOST)
		after = RETRY_AFTER_MOST;
	if (ms < after * 1000)
		ms = after * 1000;
	/* The target may work for others. */
	own = own > ms ? own : ms;
	if (tell)
		crew_tell(c, true, "%s: %s: not delivered, again in %.0f s: %s",
		    target_name(w), p->name, (double)own / 1000, r->reason);
	if (r->target_down && c->options.once)
		outbox_give_up(c->outbox, w->target);
	else if (r->target_down)
		outbox_pause(c->outbox, w->target, ms);
	outbox_put(c->outbox, p, w->target,
	    c->options.once ? LEG_GIVEN_UP : LEG_WAITING, now + own);
	changed(c);
}

static void
on_result(struct worker *w, struct parcel *p, const struct target_file *file,
    struct target_result *r, int64_t started)
{
	r->remote[sizeof r->remote - 1] = '\0';
	r->check[sizeof r->check - 1] = '\0';
	r->reason[sizeof r->reason - 1] = '\0';
	switch (r->outcome) {
	case TARGET_DELIVERED:
		on_delivered(w, p, file, r, started);
		break;
	case TARGET_REFUSED:
		on_refused(w, p, r);
		break;
	case TARGET_RETRY:
		on_retry(w, p, r);
		break;
	case TARGET_STOPPED:
		outbox_put(w->crew->outbox, p, w->target, LEG_WAITING, 0);
		break;
	}
}

/* Of all that a file in ready/ is to have. */
static bool
read_digest(
    struct crew *c, const struct parcel *p, int fd, struct digest *digest)
{
	if (!digest_file(fd, &c->stop, digest))
		return false;
	if (digest->size == p->size)
		return true;
	errno = ESTALE;
	return false;
}

/* Not even its name, its links, owner or mode are others. */
static bool
is_as_seen(const struct parcel *p, const struct stat *st)
{
	return st->st_ctim.tv_sec == p->changed.tv_sec &&
	       st->st_ctim.tv_nsec == p->changed.tv_nsec;
}

/* The ledger has it, or it is found once, for all targets; but for a file that
 * was put in place of that, or written to, and which has to have the same one.
 */
static bool
find_digest(struct worker *w, struct parcel *p, struct target_file *file,
    const struct stat *st)
{
	struct crew *c = w->crew;
	struct digest *digest = &file->digest;
	int error;

	file->size = p->size;
	if (outbox_digest(c->outbox, p, &c->stop, digest) &&
	    digest_is_of(digest, st) && (!digest->stated || is_as_seen(p, st)))
		return true;
	if (!read_digest(c, p, file->fd, digest)) {
		error = errno;
		outbox_set_digest(c->outbox, p, NULL);
		errno = error;
		return false;
	}
	errno = ESTALE;
	return outbox_set_digest(c->outbox, p, digest);
}

/* Finds what the targets that are at work will ask for next, meanwhile. */
static void *
ahead_main(void *arg)
{
	struct crew *c = arg;
	struct digest digest;
	struct parcel *p;
	struct stat st;
	bool ok;
	int fd;

	while ((p = outbox_take_ahead(c->outbox, &c->stop)) != NULL) {
		fd = depot_take(c->options.depot, p->name, &st);
		ok = fd >= 0 && read_digest(c, p, fd, &digest);
		disk_close(&fd);
		/* The target whose turn it is will say why not. */
		outbox_set_digest(c->outbox, p, ok ? &digest : NULL);
	}
	return NULL;
}

static void
cannot_read(struct worker *w, struct parcel *p)
{
	struct target_result r = {.outcome = TARGET_RETRY};

	if (errno == ECANCELED) {
		outbox_put(w->crew->outbox, p, w->target, LEG_WAITING, 0);
		return;
	}
	/* The next scan will see that it is not there. */
	if (errno == ENOENT) {
		outbox_put(w->crew->outbox, p, w->target,
		    w->crew->options.once ? LEG_GIVEN_UP : LEG_WAITING,
		    clock_ms() + DELAY_LEAST);
		changed(w->crew);
		return;
	}
	snprintf(r.reason, sizeof r.reason, "cannot read it: %s%s",
	    target_read_why(errno),
	    errno == EACCES ? ": this user has to be in the spool's group"
			    : "");
	on_retry(w, p, &r);
}

/* --- the rules of a preset --- */

enum { FINDINGS = 3 }; /* that a reason repeats */

struct objection {
	unsigned told;
	size_t n;
	char text[TARGET_REASON / 2];
};

static void
finding_cb(void *arg, uint64_t line, const char *text)
{
	struct objection *o = arg;
	size_t room = sizeof o->text - o->n;
	int n;

	if (o->told++ >= FINDINGS)
		return;
	n = line > 0 ? snprintf(o->text + o->n, room, "line %" PRIu64 ": %s; ",
			   line, text)
		     : snprintf(o->text + o->n, room, "%s; ", text);
	o->n += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* Not a record of it would be taken, or it is no such file at all. */
static bool
is_unfit(const struct conform_result *r)
{
	return r->is_wrong ||
	       (r->records > 0 && r->wrong_records == r->records);
}

static void
object(struct worker *w, struct parcel *p, const struct preset *preset,
    const struct conform_result *found, const struct objection *o)
{
	struct target_result r = {.outcome = TARGET_REFUSED};

	if (is_unfit(found)) {
		snprintf(r.reason, sizeof r.reason,
		    "breaks the rules of preset %s, and was not sent: %s"
		    "`sepmlogctl check-file --target %s` shows all",
		    preset->name, o->text, preset->name);
		on_refused(w, p, &r);
		return;
	}
	crew_tell(w->crew, true,
	    "%s: %s: %" PRIu64 " of %" PRIu64
	    " records break the rules of preset %s, and may be left out there: "
	    "%s`sepmlogctl check-file --target %s` shows all",
	    target_name(w), p->name, found->wrong_records, found->records,
	    preset->name, o->text, preset->name);
}

/* May it be sent? Once for each target that has a preset. */
static bool
conforms(struct worker *w, struct parcel *p, int fd)
{
	const struct preset *preset =
	    w->crew->options.plan->targets[w->target].preset;
	struct objection o = {0};
	struct conform_result found;
	const struct conform_job job = {
	    .fd = fd,
	    .preset = preset,
	    .now = clock_utc() / 1000000,
	    .stop = &w->crew->stop,
	    .finding = finding_cb,
	    .arg = &o,
	};

	if (preset == NULL || p->leg[w->target].conforms)
		return true;
	if (!conform_check(&job, &found)) {
		cannot_read(w, p);
		return false;
	}
	if (found.findings > 0)
		object(w, p, preset, &found, &o);
	p->leg[w->target].conforms = !is_unfit(&found);
	return p->leg[w->target].conforms;
}

/* --- its delivery --- */

static void
work_on(struct worker *w, struct parcel *p)
{
	const struct plan_target *target =
	    &w->crew->options.plan->targets[w->target];
	struct target_file file = {.name = p->name};
	struct target_result result = {.outcome = TARGET_RETRY};
	int64_t started = clock_utc();
	struct stat st;

	w->file = p->name;
	file.fd = depot_take(w->crew->options.depot, p->name, &st);
	if (file.fd < 0 || !find_digest(w, p, &file, &st)) {
		cannot_read(w, p);
		disk_close(&file.fd);
		return;
	}
	if (!conforms(w, p, file.fd)) {
		disk_close(&file.fd);
		return;
	}
	depot_journal_read(w->crew->options.depot, p->name, target->name,
	    w->watch.journal, sizeof w->watch.journal);
	memcpy(w->journal, w->watch.journal, sizeof w->journal);
	atomic_store(&w->watch.sent, 0);
	target->kind->deliver(w->handle, &file, &w->watch, &result);
	on_result(w, p, &file, &result, started);
	atomic_store(&w->watch.sent, 0);
	disk_close(&file.fd);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct crew *c = w->crew;
	struct parcel *p;

	while ((p = outbox_take(c->outbox, w->target, &c->stop)) != NULL)
		work_on(w, p);
	atomic_fetch_sub(&c->running, 1);
	changed(c);
	return NULL;
}

/* --- all of them --- */

static bool
open_worker(struct crew *c, size_t target, char *why, size_t size)
{
	const struct plan_target *t = &c->options.plan->targets[target];
	struct worker *w = &c->worker[c->workers];
	char reason[REASON] = "";

	w->crew = c;
	w->target = target;
	w->watch.stop = &c->stop;
	w->watch.context = w;
	w->watch.keep_journal = keep_journal_cb;
	w->watch.keep_rejects = keep_rejects_cb;
	w->watch.pace = t->bandwidth > 0 ? pace_cb : NULL;
	w->handle = t->kind->open(t->options, reason, sizeof reason);
	if (w->handle == NULL) {
		snprintf(why, size, "target %s: %s", t->name, reason);
		return false;
	}
	c->workers++;
	return true;
}

static bool
open_workers(struct crew *c, char *why, size_t size)
{
	const struct plan *plan = c->options.plan;
	size_t all = 0;

	for (size_t i = 0; i < plan->target_count; i++)
		all += plan->targets[i].parallel;
	/* A plan without a target is not read, nor one with none in parallel.
	 * NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI) */
	c->worker = calloc(all, sizeof *c->worker);
	if (c->worker == NULL) {
		snprintf(why, size, "no memory");
		return false;
	}
	for (size_t i = 0; i < plan->target_count; i++)
		for (unsigned k = 0; k < plan->targets[i].parallel; k++)
			if (!open_worker(c, i, why, size))
				return false;
	return true;
}

struct crew *
crew_new(const struct crew_options *options, char *why, size_t size)
{
	struct crew *c = calloc(1, sizeof *c);

	if (c == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	c->options = *options;
	pthread_mutex_init(&c->screen, NULL);
	for (size_t i = 0; i < PLAN_TARGETS; i++)
		pthread_mutex_init(&c->berth[i].lock, NULL);
	c->outbox = outbox_new(options->plan, options->once);
	if (c->outbox == NULL)
		snprintf(why, size, "no memory");
	if (c->outbox != NULL && open_workers(c, why, size))
		return c;
	crew_free(c);
	return NULL;
}

void
crew_free(struct crew *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->workers; i++) {
		struct worker *w = &c->worker[i];

		c->options.plan->targets[w->target].kind->close(w->handle);
	}
	for (size_t i = 0; i < PLAN_TARGETS; i++)
		pthread_mutex_destroy(&c->berth[i].lock);
	pthread_mutex_destroy(&c->screen);
	free(c->worker);
	outbox_free(c->outbox);
	free(c);
}

struct outbox *
crew_outbox(struct crew *c)
{
	return c->outbox;
}

bool
crew_start(struct crew *c)
{
	int error;

	/* Without it, all goes on, but slower. */
	c->is_ahead = pthread_create(&c->ahead, NULL, ahead_main, c) == 0;
	for (size_t i = 0; i < c->workers; i++) {
		struct worker *w = &c->worker[i];

		atomic_fetch_add(&c->running, 1);
		error = pthread_create(&w->thread, NULL, worker_main, w);
		if (error != 0) {
			atomic_fetch_sub(&c->running, 1);
			crew_stop(c);
			errno = error;
			return false;
		}
		w->started = true;
	}
	return true;
}

void
crew_stop(struct crew *c)
{
	atomic_store(&c->stop, true);
	outbox_wake(c->outbox);
	for (size_t i = 0; i < c->workers; i++) {
		if (c->worker[i].started)
			pthread_join(c->worker[i].thread, NULL);
		c->worker[i].started = false;
	}
	if (c->is_ahead)
		pthread_join(c->ahead, NULL);
	c->is_ahead = false;
}

void
crew_deliveries(struct crew *c, struct deliveries *d)
{
	struct outbox_counts counts;

	d->written = clock_utc() / 1000000;
	d->count = c->options.plan->target_count;
	for (size_t i = 0; i < d->count; i++) {
		struct berth *b = &c->berth[i];
		struct delivery *t = &d->target[i];

		outbox_count_of(c->outbox, i, &counts);
		pthread_mutex_lock(&b->lock);
		*t = (struct delivery){
		    .fails = b->failures > 0,
		    .since = b->since,
		    .waiting = counts.waiting,
		    .bytes = counts.bytes,
		    .oldest = counts.oldest,
		    .delivered = b->delivered,
		    .refused = b->refused,
		    .last = b->last,
		};
		memcpy(t->reason, b->reason, sizeof t->reason);
		pthread_mutex_unlock(&b->lock);
		snprintf(t->name, sizeof t->name, "%s",
		    c->options.plan->targets[i].name);
	}
}

bool
crew_is_done(struct crew *c)
{
	return atomic_load(&c->running) == 0;
}
