#include "intake.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "gate.h"
#include "keyfile.h"
#include "life.h"
#include "outlet.h"
#include "shown.h"
#include "spoolplan.h"
#include "vaulter.h"

enum {
	WHY = 512,
	LOOK = 5000, /* ms between counts of what is used */
	NAP = 200,   /* ms between attempts when there is no room */
	BATCH = 256, /* records between looks at clock and disk */
	COMMIT_BYTES = 64 << 20,
	COMMIT_INTERVAL = 60 * 1000, /* ms */
};

struct intake {
	const struct config *config;
	struct gate *gate;
	struct spoolplan *plan;
	struct spool *spool;
	struct outlet *outlet;
	struct vaulter *vaulter; /* NULL: there is no vault */
	struct intake_counts counts;

	uint64_t now;        /* monotonic ms */
	int64_t received_us; /* UTC */
	unsigned batch;      /* records since the last look */
	uint64_t committed;  /* bytes, of this run */
	uint64_t pending;    /* bytes since then, and */
	uint64_t since;      /* when the first of them came */
	uint64_t used;       /* of the quota, by all, as of ... */
	uint64_t looked;
	uint64_t patience;
	const volatile sig_atomic_t *stop;
	char why[WHY];
};

static bool __attribute__((format(printf, 2, 3)))
fails(struct intake *in, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(in->why, sizeof in->why, fmt, ap);
	va_end(ap);
	return false;
}

const char *
intake_why(const struct intake *in)
{
	return in->why;
}

static void
report_cb(void *arg, enum spool_level level, const char *text)
{
	(void)arg;
	if (level == SPOOL_WARNING)
		complain("sepmlogctl: spool: %s", text);
}

static void
take_time(struct intake *in)
{
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	in->now = clock_ms();
	in->received_us = (int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000;
	in->batch = 0;
	if (in->outlet != NULL)
		outlet_clock(in->outlet, in->now);
	if (in->spool == NULL)
		return;
	spool_set_time(in->spool, in->received_us);
	spool_set_received(in->spool, in->received_us);
}

/* --- room --- */

/* The daemon's senders cannot wait as our source can, so a quarter of the
 * quota stays free for them. */
static uint64_t
share(const struct intake *in)
{
	return in->config->spool.quota / 4 * 3;
}

static void
look(struct intake *in)
{
	if (in->looked != 0 && in->now - in->looked < LOOK)
		return;
	in->used = gate_usage(in->gate);
	in->looked = in->now;
}

static bool
over_share(struct intake *in)
{
	if (share(in) == 0)
		return false;
	look(in);
	return in->used + in->pending >= share(in);
}

static bool
lacks_room(struct intake *in)
{
	struct spool_status status;

	spool_status(in->spool, &status);
	if (status.state == SPOOL_DISK_ERROR)
		return fails(in,
		    "%s: %s: look at the disk (dmesg), then run this again",
		    gate_directory(in->gate), strerror(status.error));
	if (status.state == SPOOL_FULL)
		return fails(in,
		    "%s: no room: %s; imports leave twice spool.min_free: "
		    "free some space, then run this again",
		    gate_directory(in->gate), strerror(status.error));
	return fails(in,
	    "three quarters of spool.quota are in use: let the uploader take "
	    "files from ready/, or raise spool.quota, then run this again");
}

/* All disk work that is due. */
static void
work(struct intake *in)
{
	spool_flush(in->spool);
	do
		take_time(in);
	while (spool_work(in->spool, in->now) <= in->now);
	if (in->vaulter != NULL)
		vaulter_work(in->vaulter, false);
}

static bool
may_wait(const struct intake *in, uint64_t begun)
{
	const struct timespec nap = {.tv_nsec = NAP * 1000000L};

	if (in->now - begun >= in->patience || (in->stop && *in->stop))
		return false;
	nanosleep(&nap, NULL);
	return !(in->stop && *in->stop);
}

/* Nothing is pending: only what others use can be in the way. */
static bool
wait_share(struct intake *in)
{
	uint64_t begun = in->now;

	while (over_share(in)) {
		if (!may_wait(in, begun))
			return lacks_room(in);
		take_time(in);
	}
	return true;
}

static bool
wait_buffer(struct intake *in)
{
	uint64_t begun = in->now;

	for (;;) {
		work(in);
		if (outlet_room(in->outlet))
			return true;
		if (!may_wait(in, begun))
			return lacks_room(in);
	}
}

static bool
make_room(struct intake *in)
{
	if (in->batch >= BATCH)
		take_time(in);
	if (in->pending == 0 && !wait_share(in))
		return false;
	return outlet_room(in->outlet) || wait_buffer(in);
}

bool
intake_put(struct intake *in, const struct record *record,
    const struct message_source *source)
{
	if (!make_room(in))
		return false;
	if (in->pending == 0)
		in->since = in->now;
	if (outlet_put(in->outlet, record, source) == 0)
		in->counts.filtered++;
	in->pending = outlet_bytes(in->outlet) - in->committed;
	in->batch++;
	in->counts.records++;
	in->counts.by_type[record->type]++;
	return true;
}

/* --- commit --- */

uint64_t
intake_pending(const struct intake *in)
{
	return in->pending;
}

bool
intake_due(struct intake *in)
{
	const struct config_spool *spool = &in->config->spool;

	if (in->pending == 0)
		return false;
	if (in->batch >= BATCH)
		take_time(in);
	return in->pending >= spool->rotate_size ||
	       in->now - in->since >= spool->rotate_age || over_share(in);
}

static bool
drain(struct intake *in)
{
	uint64_t begun;

	take_time(in);
	begun = in->now;
	outlet_forget(in->outlet);
	while (!spool_drain(in->spool, in->now)) {
		if (!may_wait(in, begun))
			return lacks_room(in);
		take_time(in);
	}
	return true;
}

static bool
mark(struct intake *in)
{
	for (size_t i = 0; i < in->plan->count; i++) {
		uint64_t number, line;

		spool_position(spool_stream(in->spool, i), &number, &line);
		if (!gate_mark(in->gate, in->plan->streams[i].name, number - 1))
			return fails(in, "no memory");
	}
	return true;
}

static void
release(struct intake *in)
{
	if (!gate_release(in->gate, &in->counts.files))
		complain(
		    "sepmlogctl: %s/ready: not all files could be moved to "
		    "%s/ready: %s; tried again with the next commit",
		    gate_directory(in->gate), in->config->spool.directory,
		    errno == EEXIST ? "other files have their names there"
				    : strerror(errno));
	in->looked = 0;
}

/* What streams have rolled up is of this commit. */
static bool
let_out(struct intake *in)
{
	if (outlet_waiting(in->outlet) == 0)
		return true;
	take_time(in);
	outlet_close(in->outlet);
	return outlet_room(in->outlet) || wait_buffer(in);
}

bool
intake_commit(struct intake *in, struct span state)
{
	if (!let_out(in) || !drain(in) || !mark(in))
		return false;
	if (!gate_commit(in->gate, state))
		return fails(in, "%s/state: %s: nothing was committed",
		    gate_directory(in->gate), strerror(errno));
	in->committed = outlet_bytes(in->outlet);
	in->pending = 0;
	release(in);
	return true;
}

/* --- the rest --- */

struct span
intake_state(const struct intake *in)
{
	return gate_state(in->gate);
}

void
intake_patience(
    struct intake *in, uint64_t ms, const volatile sig_atomic_t *stop)
{
	in->patience = ms;
	in->stop = stop;
}

void
intake_counts(const struct intake *in, struct intake_counts *counts)
{
	*counts = in->counts;
}

int64_t
intake_received(const struct intake *in)
{
	return in->received_us;
}

/* Ours is not the only spool: it stops for lack of space before the daemon's
 * does, keeps what it has, and needs no sync before a commit. */
static void
adapt(struct spool_options *o)
{
	o->drop_oldest = false;
	o->commit_bytes = COMMIT_BYTES;
	o->commit_interval = COMMIT_INTERVAL;
	o->rotate_age = 0;
	if (o->min_free > 0)
		o->min_free *= 2;
	else
		o->min_free_percent *= 2;
}

/* Into that of the daemon, in a file of its own. */
static bool
open_vault(struct intake *in, char *why, size_t size)
{
	struct vaulter_key key;

	if (!keyfile_vault(in->config, &key, why, size))
		return false;
	if (!key.set)
		return true;
	in->vaulter = vaulter_new(in->config->spool.directory);
	if (in->vaulter == NULL) {
		snprintf(why, size, "no memory");
		return false;
	}
	vaulter_use(in->vaulter, &key);
	return true;
}

static bool
open_spool(struct intake *in, size_t n, char *why, size_t size)
{
	in->plan = spoolplan_new(in->config, outlet_line(in->config, n));
	snprintf(why, size, "no memory");
	if (in->plan == NULL)
		return false;
	in->outlet = outlet_new(in->config, n, why, size);
	if (in->outlet == NULL)
		return false;
	if (!open_vault(in, why, size))
		return false;
	in->plan->options.directory = gate_directory(in->gate);
	in->plan->options.ledger.time = in->received_us;
	adapt(&in->plan->options);
	in->spool = spool_open(&in->plan->options, in->plan->streams,
	    in->plan->count, in->now, report_cb, NULL, why, size);
	if (in->spool == NULL)
		return false;
	outlet_attach(in->outlet, in->spool, NULL);
	if (in->vaulter != NULL) {
		outlet_seal(in->outlet, vaulter_notes(in->vaulter));
		spool_set_before(in->spool, vaulter_before_cb, in->vaulter);
	}
	take_time(in);
	return true;
}

/* The ledger begins to speak of this life, and says what holds of the last. */
static void
begin_ledger(struct intake *in, const char *source)
{
	struct ledger_text *line = malloc(sizeof *line);

	life_begin(in->spool, "sepmlogctl", span_str(source));
	if (line == NULL)
		return;
	ledger_begin(line, "committed", in->received_us);
	ledger_open(line, "segments");
	gate_put_marks(in->gate, line);
	ledger_close(line);
	spool_ledger_add(in->spool, line);
	free(line);
}

struct intake *
intake_open(const struct config *config, const char *name, const char *source,
    char *why, size_t size)
{
	struct intake *in = calloc(1, sizeof *in);

	snprintf(why, size, "no memory");
	if (in == NULL)
		return NULL;
	in->config = config;
	take_time(in);
	in->gate = gate_open(config->spool.directory, name, why, size);
	if (in->gate == NULL ||
	    !open_spool(in, (size_t)config->max_message + INPUT_MAX_HEADER, why,
		size)) {
		intake_close(in);
		return NULL;
	}
	begin_ledger(in, source);
	/* left from an earlier run, and committed */
	spool_drain(in->spool, in->now);
	release(in);
	return in;
}

void
intake_close(struct intake *in)
{
	if (in == NULL)
		return;
	if (in->spool != NULL) {
		spool_set_time(in->spool, clock_utc());
		life_end(in->spool, 0, 0, 0);
	}
	spool_close(in->spool);
	if (in->vaulter != NULL)
		vaulter_end(in->vaulter);
	vaulter_free(in->vaulter);
	outlet_free(in->outlet);
	spoolplan_free(in->plan);
	gate_close(in->gate);
	free(in);
}
