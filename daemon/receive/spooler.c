#include "spooler.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "life.h"
#include "log.h"
#include "spoolplan.h"

enum {
	WHY = 512,
	LINGER = 1, /* ms */
	LINGER_BYTES = 256 << 10,
};

struct spooler {
	struct spool *spool;
	struct vaulter *vaulter;
	struct spoolplan *plan; /* in force */
	pthread_t thread;
	bool started;
	int event_fd;

	/* Set by the loop, cleared by the thread before it looks. */
	atomic_bool woken;
	atomic_bool want_room;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	/* The reload: handed over with `asked`, given back with `answered`. */
	struct spoolplan *next;
	uint64_t asked_at;
	bool asked, answered, reloaded;
	char why[WHY];

	struct latency latency;

	struct audit_minute *offered; /* by the loop */
	/* The thread's: what is written, and its next line. */
	struct audit_minute *minute;
	size_t minute_line;
	struct ledger_text text;
};

/* --- plans --- */

static bool
same_options(const struct spool_options *a, const struct spool_options *b)
{
	return a->rotate_size == b->rotate_size &&
	       a->rotate_age == b->rotate_age &&
	       a->commit_interval == b->commit_interval &&
	       a->commit_bytes == b->commit_bytes &&
	       a->compress == b->compress && a->quota == b->quota &&
	       a->min_free == b->min_free &&
	       a->min_free_percent == b->min_free_percent &&
	       a->drop_oldest == b->drop_oldest && a->buffer == b->buffer &&
	       a->ledger.size == b->ledger.size &&
	       a->ledger.age == b->ledger.age &&
	       a->ledger.checksum == b->ledger.checksum;
}

static bool
same_stream(
    const struct spool_stream_options *have, const struct config_stream *want)
{
	return strcmp(have->name, want->name) == 0 &&
	       span_eq(
		   span_str(have->extension), encode_format_name[want->format]);
}

/* --- the thread --- */

static void
report_cb(void *arg, enum spool_level level, const char *text)
{
	(void)arg;
	(level == SPOOL_WARNING ? log_warnx : log_info)("spool: %s", text);
}

static void
commit_cb(void *arg, uint64_t stamp)
{
	struct spooler *s = arg;

	latency_note(&s->latency, clock_us() - stamp);
}

static void
tell_loop(struct spooler *s)
{
	uint64_t one = 1;

	/* Fails only when it is full of ones, which says the same. */
	if (write(s->event_fd, &one, sizeof one) < 0)
		return;
}

/* The loop has left the record side alone since it asked. */
static void
answer_reload(struct spooler *s)
{
	bool done = spool_reload(s->spool, &s->next->options, s->next->streams,
	    s->next->count, s->asked_at, s->why, sizeof s->why);

	pthread_mutex_lock(&s->lock);
	s->asked = false;
	s->answered = true;
	s->reloaded = done;
	pthread_mutex_unlock(&s->lock);
	tell_loop(s);
}

static struct timespec
time_of(uint64_t ms)
{
	return (struct timespec){.tv_sec = (time_t)(ms / 1000),
	    .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* Until there is something to do or `deadline`. False: stop. */
static bool
wait_for_work(struct spooler *s, uint64_t deadline, bool *asked)
{
	struct timespec until = time_of(deadline);
	bool stop;
	int error = 0;

	pthread_mutex_lock(&s->lock);
	while (!s->stop && !s->asked && !atomic_load(&s->woken) && error == 0)
		error = pthread_cond_timedwait(&s->wake, &s->lock, &until);
	stop = s->stop;
	*asked = s->asked;
	pthread_mutex_unlock(&s->lock);
	return !stop;
}

/*
 * Leaves the loop some time to bring more, if it has brought little: to wake up
 * and to write for every few messages costs more than the messages.
 */
static void
linger(struct spooler *s)
{
	const struct timespec moment = {.tv_nsec = LINGER * 1000000};

	if (spool_backlog(s->spool) < LINGER_BYTES)
		nanosleep(&moment, NULL);
}

/* --- minutes --- */

static void
take_minute(struct spooler *s)
{
	if (s->minute != NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->minute = s->offered;
	s->offered = NULL;
	pthread_mutex_unlock(&s->lock);
	s->minute_line = 0;
	if (s->minute != NULL)
		spool_ledger_mark(s->spool);
}

/* As far as the ledger takes its lines. */
static void
write_minute(struct spooler *s)
{
	while (s->minute != NULL) {
		if (!audit_minute_line(
			s->minute, s->minute_line, clock_utc(), &s->text)) {
			audit_minute_free(s->minute);
			s->minute = NULL;
		} else if (spool_ledger_add(s->spool, &s->text)) {
			s->minute_line++;
		} else {
			return;
		}
	}
}

static void *
run(void *arg)
{
	struct spooler *s = arg;
	uint64_t deadline = 0, now = 0;
	bool asked;

	while (wait_for_work(s, deadline, &asked)) {
		if (asked)
			answer_reload(s);
		else if (deadline > now) /* it had nothing else to do */
			linger(s);
		atomic_store(&s->woken, false);
		now = clock_ms();
		spool_set_time(s->spool, clock_utc());
		deadline = spool_work(s->spool, now);
		vaulter_work(s->vaulter, false);
		take_minute(s);
		if (spool_ledger_reached(s->spool))
			write_minute(s);
		if (atomic_load(&s->want_room))
			tell_loop(s);
	}
	return NULL;
}

/* --- the loop's side --- */

static bool
init_waiting(struct spooler *s)
{
	pthread_condattr_t attr;
	bool good;

	if (pthread_condattr_init(&attr) != 0)
		return false;
	good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
	       pthread_cond_init(&s->wake, &attr) == 0 &&
	       pthread_mutex_init(&s->lock, NULL) == 0;
	pthread_condattr_destroy(&attr);
	return good;
}

struct spooler *
spooler_open(const struct config *config, size_t line, uint64_t now, char *why,
    size_t size)
{
	struct spooler *s = calloc(1, sizeof *s);

	snprintf(why, size, "no memory");
	if (s == NULL)
		return NULL;
	s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->plan = spoolplan_new(config, line);
	s->vaulter = vaulter_new(config->spool.directory);
	if (s->event_fd < 0 || s->plan == NULL || s->vaulter == NULL ||
	    !init_waiting(s))
		goto fail;
	s->plan->options.ledger.time = clock_utc();
	s->spool = spool_open(&s->plan->options, s->plan->streams,
	    s->plan->count, now, report_cb, NULL, why, size);
	if (s->spool != NULL) {
		spool_on_commit(s->spool, commit_cb, s);
		spool_set_before(s->spool, vaulter_before_cb, s->vaulter);
		life_begin(s->spool, "sepmlogd", SPAN(""));
		return s;
	}
fail:
	if (s->event_fd >= 0)
		close(s->event_fd);
	vaulter_free(s->vaulter);
	spoolplan_free(s->plan);
	free(s);
	return NULL;
}

bool
spooler_start(struct spooler *s)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->started = error == 0;
	errno = error;
	return s->started;
}

struct spool *
spooler_spool(struct spooler *s)
{
	return s->spool;
}

struct latency_counts
spooler_latency(const struct spooler *s)
{
	return latency_read(&s->latency);
}

struct vaulter *
spooler_vaulter(struct spooler *s)
{
	return s->vaulter;
}

int
spooler_fd(const struct spooler *s)
{
	return s->event_fd;
}

bool
spooler_offer(struct spooler *s, struct audit_minute *minute)
{
	bool free_place;

	pthread_mutex_lock(&s->lock);
	free_place = s->offered == NULL;
	if (free_place)
		s->offered = minute;
	pthread_mutex_unlock(&s->lock);
	/* It looks at the latest when the spool has its next tick. */
	return free_place;
}

static void
signal_thread(struct spooler *s)
{
	pthread_mutex_lock(&s->lock);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void
spooler_wake(struct spooler *s)
{
	/* Woken and not yet looking: it will see this, too. */
	if (!atomic_exchange(&s->woken, true))
		signal_thread(s);
}

void
spooler_want_room(struct spooler *s, bool want)
{
	atomic_store(&s->want_room, want);
	/* It may have made room just before: then only this makes it say so. */
	if (want)
		spooler_wake(s);
}

const char *
spooler_objection(const struct spooler *s, const struct config *config)
{
	if (strcmp(s->plan->options.directory, config->spool.directory) != 0)
		return "spool.directory: changes only with a restart";
	return NULL;
}

bool
spooler_differs(
    const struct spooler *s, const struct config *config, size_t line)
{
	struct spool_options want = spoolplan_options(config, line);

	if (!same_options(&s->plan->options, &want) ||
	    s->plan->count != config->stream_count)
		return true;
	for (size_t i = 0; i < s->plan->count; i++)
		if (!same_stream(&s->plan->streams[i], &config->streams[i]))
			return true;
	return false;
}

bool
spooler_reload_begin(
    struct spooler *s, const struct config *config, size_t line, uint64_t now)
{
	struct spoolplan *next = spoolplan_new(config, line);

	if (next == NULL)
		return false;
	pthread_mutex_lock(&s->lock);
	s->next = next;
	s->asked_at = now;
	s->asked = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return true;
}

enum spooler_news
spooler_heard(struct spooler *s, char *why, size_t size)
{
	bool answered, reloaded;
	uint64_t count;

	if (read(s->event_fd, &count, sizeof count) < 0)
		return SPOOLER_WORKED;
	pthread_mutex_lock(&s->lock);
	answered = s->answered;
	reloaded = s->reloaded;
	s->answered = false;
	pthread_mutex_unlock(&s->lock);

	if (!answered)
		return SPOOLER_WORKED;
	snprintf(why, size, "%s", s->why);
	spoolplan_free(reloaded ? s->plan : s->next);
	if (reloaded)
		s->plan = s->next;
	s->next = NULL;
	return reloaded ? SPOOLER_RELOADED : SPOOLER_REFUSED;
}

/* All that is left, in order. */
static void
end_minutes(struct spooler *s, struct audit_minute *last)
{
	write_minute(s);
	take_minute(s);
	write_minute(s);
	if (s->minute == NULL) {
		s->minute = last;
		s->minute_line = 0;
		last = NULL;
		write_minute(s);
	}
	/* The disk takes nothing more: the ledger ends without them. */
	audit_minute_free(s->minute);
	audit_minute_free(s->offered);
	audit_minute_free(last);
	s->minute = s->offered = NULL;
}

bool
spooler_close(struct spooler *s, uint64_t now, const struct spooler_end *end,
    uint64_t *accepted)
{
	struct spool_status status;
	bool drained;

	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (s->started)
		pthread_join(s->thread, NULL);

	spool_set_time(s->spool, clock_utc());
	drained = spool_drain(s->spool, now);
	vaulter_end(s->vaulter);
	end_minutes(s, end->last);
	spool_status(s->spool, &status);
	*accepted = status.accepted;
	life_end(s->spool, end->datagrams, end->bytes,
	    end->stored - status.accepted);
	spool_close(s->spool);
	vaulter_free(s->vaulter);
	close(s->event_fd);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	spoolplan_free(s->next);
	spoolplan_free(s->plan);
	free(s);
	return drained;
}
