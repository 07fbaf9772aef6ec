#include "forget.h"

#include <string.h>

/* The plan's target of this name, or NULL. */
static const struct plan_target *
find(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->target_count; i++)
		if (strcmp(plan->targets[i].name, name) == 0)
			return &plan->targets[i];
	return NULL;
}

/* --- what is left --- */

struct left {
	char target[SPOOL_NAME_MAX + 1];
	size_t count;
};

struct look {
	const struct depot *depot;
	const struct plan *plan;
	struct outbox *outbox;
	size_t n;
	struct left left[PLAN_TARGETS]; /* others are told next time */
};

/* Does the target have parts of it, which stay there? */
static bool
is_half_there(const struct look *k, const char *name, const char *target)
{
	static const char s3[] = "s3 ";
	char start[sizeof s3];

	depot_journal_read(k->depot, name, target, start, sizeof start);
	return strcmp(start, s3) == 0;
}

static void
count(struct look *k, const char *target)
{
	size_t i = 0;

	while (i < k->n && strcmp(k->left[i].target, target) != 0)
		i++;
	if (i == PLAN_TARGETS)
		return;
	if (i == k->n)
		snprintf(k->left[k->n++].target, sizeof k->left[i].target, "%s",
		    target);
	k->left[i].count++;
}

static void
look_cb(void *arg, const char *name, const char *target)
{
	struct look *k = arg;
	bool is_there = outbox_has(k->outbox, name);

	if (is_there && find(k->plan, target) != NULL)
		return;
	if (is_there || is_half_there(k, name, target))
		count(k, target);
	else
		depot_journal_remove(k->depot, name, target);
}

void
forget_look(const struct depot *depot, const struct plan *plan,
    struct outbox *outbox,
    void (*tell)(void *arg, const char *target, size_t count), void *arg)
{
	struct look k = {.depot = depot, .plan = plan, .outbox = outbox};

	depot_journal_each(depot, look_cb, &k);
	for (size_t i = 0; i < k.n; i++)
		tell(arg, k.left[i].target, k.left[i].count);
}

/* --- it is given up --- */

struct forgetting {
	const struct depot *depot;
	const struct plan_target *target; /* NULL: not in the plan */
	const char *name;
	void *handle; /* NULL: there is nothing to take back */
	FILE *out;
	size_t done, failed;
	struct target_watch watch;
};

static bool
keep_nothing_cb(struct target_watch *watch)
{
	(void)watch;
	return true;
}

/* True: nothing of it is there any more, or it was said what is. */
static bool
take_back(struct forgetting *f, const char *file_name)
{
	static const atomic_bool stop = false;
	const struct target_file file = {.fd = -1, .name = file_name};
	struct target_result result = {.outcome = TARGET_RETRY};

	f->watch.stop = &stop;
	f->watch.keep_journal = keep_nothing_cb;
	if (f->handle != NULL) {
		if (f->target->kind->drop(f->handle, &file, &f->watch, &result))
			return true;
		fprintf(
		    f->out, "%s: %s: %s\n", f->name, file_name, result.reason);
		return false;
	}
	/* Of S3: what it takes to abort it by hand. */
	if (f->target == NULL && strncmp(f->watch.journal, "s3 ", 3) == 0)
		fprintf(f->out,
		    "%s: %s: left there, as there is no such target any more: "
		    "abort the multipart upload: %.600s\n",
		    f->name, file_name, f->watch.journal);
	return true;
}

static void
forget_cb(void *arg, const char *name, const char *target)
{
	struct forgetting *f = arg;

	if (strcmp(target, f->name) != 0)
		return;
	depot_journal_read(
	    f->depot, name, target, f->watch.journal, sizeof f->watch.journal);
	if (!take_back(f, name)) {
		f->failed++;
		return;
	}
	depot_journal_remove(f->depot, name, target);
	f->done++;
}

static bool
open_target(struct forgetting *f)
{
	const struct plan_target *t = f->target;
	char why[TARGET_REASON];

	if (t == NULL || t->kind->drop == NULL)
		return true;
	f->handle = t->kind->open(t->options, why, sizeof why);
	if (f->handle == NULL)
		fprintf(f->out, "%s: %s\n", f->name, why);
	return f->handle != NULL;
}

bool
forget_target(const struct depot *depot, const struct plan *plan,
    const char *target, FILE *out)
{
	static struct forgetting f;
	bool ok;

	f = (struct forgetting){.depot = depot,
	    .target = find(plan, target),
	    .name = target,
	    .out = out};
	if (!open_target(&f))
		return false;
	ok = depot_journal_each(depot, forget_cb, &f) && f.failed == 0;
	if (f.handle != NULL)
		f.target->kind->close(f.handle);
	fprintf(out, "%s: %zu deliveries that were under way are forgotten\n",
	    target, f.done);
	return ok;
}
