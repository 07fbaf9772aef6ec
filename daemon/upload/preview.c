#include "preview.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "delivered.h"
#include "outbox.h"
#include "spool/disk.h"

struct preview {
	const struct plan *plan;
	struct outbox *outbox;
	FILE *out;
};

static void
entry_cb(void *arg, const struct ledger_entry *entry)
{
	struct preview *v = arg;

	outbox_note(v->outbox, entry);
}

/* The targets that are so far with it, behind `title`. */
static void
show_legs(const struct preview *v, const struct parcel *p, enum leg_state state,
    const char *title)
{
	bool first = true;

	for (size_t i = 0; i < v->plan->target_count; i++) {
		if (p->leg[i].state != state)
			continue;
		fprintf(v->out, "%s%s", first ? title : ", ",
		    v->plan->targets[i].name);
		first = false;
	}
}

static void
parcel_cb(void *arg, const struct parcel *p)
{
	const struct preview *v = arg;

	fprintf(v->out, "%s, %" PRIu64 " bytes:", p->name, p->size);
	show_legs(v, p, LEG_WAITING, " to ");
	show_legs(v, p, LEG_DELIVERED, "; is at ");
	show_legs(v, p, LEG_REFUSED, "; refused by ");
	fputc('\n', v->out);
}

static void
show_sums(const struct preview *v, bool more)
{
	struct outbox_counts counts;

	for (size_t i = 0; i < v->plan->target_count; i++) {
		outbox_count_of(v->outbox, i, &counts);
		fprintf(v->out, "%s: %zu files, %" PRIu64 " bytes\n",
		    v->plan->targets[i].name, counts.waiting, counts.bytes);
	}
	outbox_count(v->outbox, &counts);
	if (counts.unwanted > 0)
		fprintf(v->out,
		    "%zu files are wanted by no target (`files`): they stay "
		    "in ready/\n",
		    counts.unwanted);
	if (more)
		fputs("and more files, when these are done\n", v->out);
}

/* Before the first delivery there are none. */
static bool
note_receipts(struct preview *v, int spool)
{
	struct delivered_options options = {.entry = entry_cb, .arg = v};
	int receipts = openat(spool, "upload/receipts",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool ok;

	if (receipts < 0)
		return errno == ENOENT;
	ok = delivered_read(receipts, &options, NULL);
	disk_close(&receipts);
	return ok;
}

static bool
show(struct preview *v, int spool, int ready)
{
	size_t added;
	bool more;

	if (!outbox_scan(v->outbox, ready, &added, &more) ||
	    !note_receipts(v, spool))
		return false;
	outbox_each(v->outbox, parcel_cb, v);
	show_sums(v, more);
	return true;
}

void
preview_show(const struct plan *plan, FILE *out)
{
	struct preview v = {plan, outbox_new(plan, true), out};
	int spool = open(plan->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ready = spool < 0
			? -1
			: openat(spool, "ready",
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (v.outbox == NULL || ready < 0 || !show(&v, spool, ready))
		fprintf(out, "%s: what would go where cannot be told: %s\n",
		    plan->spool, strerrordesc_np(errno));
	disk_close(&ready);
	disk_close(&spool);
	outbox_free(v.outbox);
}
