#include "plan.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "dir.h"
#include "file.h"
#include "kinds.h"
#include "settings.h"
#include "spool/names.h"

enum { NAME = SPOOL_NAME_MAX, LABEL = 64, PATH = 1024, FILE_MAX = 1024 * 1024 };

/* --- targets --- */

static void
read_files(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct schema_key label = {.max = LABEL};
	struct plan_target *target = out;
	const struct node *entry;
	size_t count = schema_entries(node, &entry);

	if (count < 1 || count > key->max) {
		schema_fail(l, node, "needs 1 to %llu names of streams",
		    (unsigned long long)key->max);
		return;
	}
	target->files = schema_take(l, count, sizeof(*target->files));
	if (target->files == NULL)
		return;
	target->file_count = count;
	for (size_t i = 0; i < count; i++, entry = entry->next)
		schema_label(l, entry, &label, &target->files[i]);
}

/* `22:00` */
static bool
minute_of(struct span text, unsigned *minute)
{
	uint64_t hours, minutes;

	if (text.n != 5 || text.p[2] != ':' ||
	    !value_number(span_take(text, 2), &hours) ||
	    !value_number(span_skip(text, 3), &minutes) || hours > 24 ||
	    minutes > 59 || (hours == 24 && minutes > 0))
		return false;
	*minute = (unsigned)(hours * 60 + minutes);
	return true;
}

static void
read_window(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct plan_window *window = out;
	struct span text = node->text;
	size_t dash;

	if (!schema_want_text(l, node, key->max))
		return;
	dash = span_find(text, '-');
	window->set = true;
	if (!minute_of(span_take(text, dash), &window->from) ||
	    !minute_of(span_skip(text, dash + 1), &window->to) ||
	    window->from == window->to)
		schema_fail(l, node,
		    "'%.*s' is not a part of the day such as \"22:00-05:00\"",
		    SCHEMA_QUOTED(text));
}

#define TARGET(member) offsetof(struct plan_target, member)

/* The type was read before all others. */
static void
skip_type(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)l;
	(void)node;
	(void)key;
	(void)out;
}

/* clang-format off */
static const struct schema_key target_keys[] = {
	/* name, reader, place, bounds, default */
	{ "name",      schema_name,  TARGET(name),      1, NAME, SCHEMA_MUST },
	{ "type",      skip_type,    0,                 0, 0,    SCHEMA_MUST },
	{ "files",     read_files,   0,                 1, 64,   "'*'" },
	{ "preset",    schema_preset, TARGET(preset),   0, 0,    NULL },
	{ "parallel",  schema_count, TARGET(parallel),
	  1, PLAN_PARALLEL, "1" },
	{ "bandwidth", schema_size,  TARGET(bandwidth), 0, PIB,  "0" },
	{ "window",    read_window,  TARGET(window),    1, LABEL, NULL },
};
/* clang-format on */

static const struct kind *
kind_of(struct schema_loader *l, const struct node *map)
{
	const struct node *type = schema_child(map, "type");
	struct span words[KINDS_MAX];
	size_t i;

	if (type == NULL)
		return NULL;
	for (i = 0; i < kinds_count; i++)
		words[i] = span_str(kinds[i].target->name);
	i = schema_word(l, type, words, kinds_count);
	return i < kinds_count ? &kinds[i] : NULL;
}

static void
read_target(
    struct schema_loader *l, const struct node *map, struct plan_target *target)
{
	const struct kind *kind;
	void *options;

	if (!schema_want(l, map, NODE_MAP))
		return;
	target->line = map->line;
	target->column = map->column;
	kind = kind_of(l, map);
	if (kind == NULL) {
		/* Its other keys cannot be told from wrong ones. */
		if (schema_child(map, "type") == NULL)
			schema_fail(l, map,
			    "needs 'type', which says what else it needs");
		return;
	}
	options = schema_take(l, 1, kind->options);
	if (options == NULL)
		return;
	target->kind = kind->target;
	target->options = options;
	schema_parts(l, map,
	    (struct schema_part[]){
		{target_keys, SCHEMA_COUNT(target_keys), target},
		{kind->keys, kind->count, options},
	    },
	    2);
	if (kind->check != NULL)
		kind->check(l, map, options);
}

static void
check_names(struct schema_loader *l, const struct node *list,
    const struct plan_target *target)
{
	const char *name;

	for (const struct node *n = list->first; n; n = n->next) {
		name = target[n->index].name;
		for (size_t i = 0; name && i < n->index; i++) {
			if (!target[i].name || strcmp(target[i].name, name))
				continue;
			schema_fail(
			    l, n, "same name as targets[%zu]: '%s'", i, name);
			break;
		}
	}
}

/* But for slashes at the end. */
static bool
same_directory(const struct plan_target *a, const struct plan_target *b)
{
	const struct dir_options *of_a = a->options, *of_b = b->options;
	struct span x, y;

	if (a->kind != &target_dir || b->kind != &target_dir ||
	    of_a->directory == NULL || of_b->directory == NULL)
		return false;
	x = span_str(of_a->directory);
	y = span_str(of_b->directory);
	while (x.n > 1 && x.p[x.n - 1] == '/')
		x.n--;
	while (y.n > 1 && y.p[y.n - 1] == '/')
		y.n--;
	return span_eq(x, y);
}

/* Both would write to the same hidden name. */
static void
check_directories(struct schema_loader *l, const struct node *list,
    const struct plan_target *target)
{
	for (const struct node *n = list->first; n; n = n->next)
		for (size_t i = 0; i < n->index; i++) {
			if (!same_directory(&target[i], &target[n->index]))
				continue;
			schema_fail(l, schema_child(n, "directory"),
			    "same as that of targets[%zu]: name all its "
			    "`files` in one of them",
			    i);
			break;
		}
}

static void
read_targets(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct plan *plan = out;
	struct plan_target *target;

	if (node->kind == NODE_NONE) {
		schema_fail(l, node, "needs an entry, a `- name:` with a type");
		return;
	}
	target = schema_list(l, node, key, sizeof *target);
	if (target == NULL)
		return;
	plan->targets = target;
	plan->target_count = node->count;
	for (const struct node *n = node->first; n; n = n->next)
		read_target(l, n, &target[n->index]);
	check_names(l, node, target);
	check_directories(l, node, target);
}

/* --- the whole --- */

#define PLAN(member) offsetof(struct plan, member)

/* clang-format off */
static const struct schema_key sent_keys[] = {
	/* name, reader, place, bounds, default */
	{ "age",  schema_time, PLAN(sent.age),  HOUR, 3660 * DAY, "7d" },
	{ "size", schema_size, PLAN(sent.size), MIB,  PIB,        "10GiB" },
};

static const struct schema_key rejects_keys[] = {
	/* name, reader, place, bounds, default */
	{ "age",  schema_time, PLAN(rejects.age),  HOUR, 3660 * DAY, "90d" },
	{ "size", schema_size, PLAN(rejects.size), MIB,  PIB,        "1GiB" },
};

static const struct schema_key receipts_keys[] = {
	/* name, reader, place, bounds, default */
	{ "keep", schema_time, PLAN(receipts.keep), DAY, 3660 * DAY, "400d" },
	{ "size", schema_size, PLAN(receipts.size), 4 * MIB, PIB,  "1GiB" },
};
/* clang-format on */

static void
read_sent(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, sent_keys, out);
}

static void
read_rejects(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, rejects_keys, out);
}

static void
read_receipts(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, receipts_keys, out);
}

static void
read_after(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {
	    [PLAN_DELETE] = {"delete", 6},
	    [PLAN_KEEP] = {"keep", 4},
	};
	enum plan_after *after = out;

	(void)key;
	*after =
	    (enum plan_after)schema_word(l, node, words, SCHEMA_COUNT(words));
}

/* clang-format off */
static const struct schema_key top_keys[] = {
	/* name, reader, place, bounds, default */
	{ "spool",    schema_path,   PLAN(spool), 1, PATH,
	  "/var/spool/sepmlogd" },
	{ "after",    read_after,    PLAN(after), 0, 0, "delete" },
	{ "sent",     read_sent,     0,           0, 0, "{}" },
	{ "rejects",  read_rejects,  0,           0, 0, "{}" },
	{ "receipts", read_receipts, 0,           0, 0, "{}" },
	{ "targets",  read_targets,  0, 1, PLAN_TARGETS, SCHEMA_MUST },
};
/* clang-format on */

static void
root_cb(struct schema_loader *l, const struct node *root, void *out)
{
	static const struct node empty = {.kind = NODE_MAP};

	if (root == NULL || root->kind == NODE_NONE)
		root = &empty;
	if (schema_want(l, root, NODE_MAP))
		SCHEMA_MAP(l, root, top_keys, out);
}

struct plan *
plan_load(const char *path, FILE *out)
{
	struct config_errors errors;
	struct plan *plan;
	size_t n;
	void *memory;
	char *text = file_read(path, FILE_MAX, &n);

	if (text == NULL) {
		fprintf(out, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	plan = schema_parse(
	    span_of(text, n), sizeof *plan, NULL, &errors, root_cb, &memory);
	if (plan != NULL)
		plan->memory = memory;
	settings_print_errors(path, &errors, out);
	config_errors_clear(&errors);
	free(text);
	return plan;
}

void
plan_free(struct plan *plan)
{
	if (plan != NULL)
		schema_free(plan->memory);
}

bool
plan_wants(const struct plan_target *target, struct span stream)
{
	char name[SPOOL_NAME_MAX + 1];

	if (stream.n >= sizeof name)
		return false;
	memcpy(name, stream.p, stream.n);
	name[stream.n] = '\0';
	for (size_t i = 0; i < target->file_count; i++)
		if (fnmatch(target->files[i].p, name, 0) == 0)
			return true;
	return false;
}

bool
plan_window_open(const struct plan_window *window, unsigned minute)
{
	if (!window->set)
		return true;
	if (window->from < window->to)
		return minute >= window->from && minute < window->to;
	return minute >= window->from || minute < window->to;
}
