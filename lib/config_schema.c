#include "config_schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

enum { QUOTE_MAX = 60 /* bytes of the text that an error repeats */ };
enum { PATH_MAX_NODES = 16 };

const char schema_must[] = "";

/* --- errors --- */

__attribute__((format(printf, 2, 0))) static void
note_vadd(struct schema_note *note, const char *format, va_list args)
{
	size_t room = sizeof(note->text) - note->n;
	int n = vsnprintf(note->text + note->n, room, format, args);

	if (n > 0)
		note->n += (size_t)n < room ? (size_t)n : room - 1;
}

void
schema_note_add(struct schema_note *note, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_vadd(note, format, args);
	va_end(args);
}

/* The start of a text, cut between characters, as arguments of `%.*s`. */
struct span
schema_quoted(struct span text)
{
	text = span_take(text, QUOTE_MAX);
	return span_take(text, text_valid_utf8(text));
}

/* `spool.rotate.size`, `streams[0].name` */
static void
note_path(struct schema_note *note, const struct node *node)
{
	const struct node *path[PATH_MAX_NODES];
	size_t n = 0;

	for (; node->parent && n < PATH_MAX_NODES; node = node->parent)
		path[n++] = node;
	for (size_t i = n; i-- > 0;) {
		if (path[i]->parent->kind == NODE_LIST)
			schema_note_add(note, "[%zu]", path[i]->index);
		else
			schema_note_add(note, "%s%.*s", note->n > 0 ? "." : "",
			    SCHEMA_QUOTED(path[i]->key));
	}
}

__attribute__((format(printf, 5, 0))) static void
vfail(struct schema_loader *l, const struct node *node, unsigned line,
    unsigned column, const char *format, va_list args)
{
	struct schema_note path = {.n = 0}, what = {.n = 0};

	note_path(&path, node);
	note_vadd(&what, format, args);
	config_error_add(l->errors, line, column, path.text, what.text);
}

/* An error in a value. */
void
schema_fail(
    struct schema_loader *l, const struct node *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfail(l, node, node->line, node->column, format, args);
	va_end(args);
}

/* An error in its key. */
void
schema_fail_key(
    struct schema_loader *l, const struct node *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfail(l, node, node->key_line, node->key_column, format, args);
	va_end(args);
}

static void
no_memory(struct schema_loader *l)
{
	l->errors->incomplete = true;
}

void *
schema_take(struct schema_loader *l, size_t count, size_t size)
{
	void *p = pool_take(l->pool, count, size);

	if (!p)
		no_memory(l);
	return p;
}

/* A copy that lives as long as the config. */
char *
schema_keep(struct schema_loader *l, struct span text)
{
	char *copy = pool_text(l->pool, text);

	if (!copy)
		no_memory(l);
	return copy;
}

/* `; did you mean 'x'?`, or nothing. */
const char *
schema_hint(const struct value_guess *guess, struct schema_note *note)
{
	*note = (struct schema_note){.n = 0};
	if (guess->nearest.n > 0)
		schema_note_add(note, "; did you mean '%.*s'?",
		    SCHEMA_QUOTED(guess->nearest));
	return note->text;
}

/* --- shapes of values --- */

static const char *
kind_words(enum node_kind kind)
{
	static const char *const words[] = {
	    [NODE_SKIP] = "",
	    [NODE_NONE] = "nothing",
	    [NODE_TEXT] = "a single value",
	    [NODE_LIST] = "a list",
	    [NODE_MAP] = "a map of keys",
	};

	return words[kind];
}

/* Is the node of this kind? Says so if not. */
bool
schema_want(
    struct schema_loader *l, const struct node *node, enum node_kind kind)
{
	if (node->kind == kind)
		return true;
	if (node->kind == NODE_NONE)
		schema_fail(
		    l, node, "has no value; leave the key out for its default");
	else if (node->kind != NODE_SKIP)
		schema_fail(l, node, "must be %s, not %s", kind_words(kind),
		    kind_words(node->kind));
	return false;
}

/* A text of at most `max` bytes. */
bool
schema_want_text(struct schema_loader *l, const struct node *node, size_t max)
{
	if (!schema_want(l, node, NODE_TEXT))
		return false;
	if (node->text.n == 0)
		schema_fail(l, node, "is empty");
	else if (node->text.n > max)
		schema_fail(l, node, "is longer than %zu bytes", max);
	return node->text.n > 0 && node->text.n <= max;
}

/* Where one value may stand for a list of one: how many, from `*first` on. */
size_t
schema_entries(const struct node *node, const struct node **first)
{
	*first = node->kind == NODE_LIST ? node->first : node;
	return node->kind == NODE_LIST ? node->count : 1;
}

/* --- maps --- */

static size_t
key_find(const struct schema_key *keys, size_t count, struct span name)
{
	size_t i = 0;

	while (i < count && !span_eq(span_str(keys[i].name), name))
		i++;
	return i;
}

static void
fail_unknown_key(struct schema_loader *l, const struct node *node,
    const struct schema_part *parts, size_t n)
{
	struct value_guess guess = {.written = node->key};
	struct schema_note note;

	for (; n > 0; n--, parts++)
		for (size_t i = 0; i < parts->count; i++)
			value_guess(&guess, span_str(parts->keys[i].name));
	schema_fail_key(l, node, "unknown key%s", schema_hint(&guess, &note));
}

static const struct node *
fallback_node(struct schema_loader *l, const struct schema_key *key)
{
	struct node *node = NULL;

	if (!config_yaml(span_str(key->fallback), l->tree, l->errors, &node))
		return NULL;
	return node;
}

static void
read_key(struct schema_loader *l, const struct node *map,
    const struct node *node, const struct schema_key *key, void *out)
{
	struct node absent = {.parent = map,
	    .key = span_str(key->name),
	    .line = map->line,
	    .column = map->column};

	if (!node && key->fallback == SCHEMA_MUST)
		schema_fail(l, &absent, "is missing");
	else if (!node && key->fallback)
		node = fallback_node(l, key);
	if (node)
		key->read(l, node, key, (char *)out + key->offset);
}

/* Which of the keys, counted over all parts, has this name? */
static size_t
part_find(const struct schema_part *parts, size_t n, struct span name)
{
	size_t at = 0, i;

	for (; n > 0; n--, parts++) {
		i = key_find(parts->keys, parts->count, name);
		at += i;
		if (i < parts->count)
			break;
	}
	return at;
}

void
schema_parts(struct schema_loader *l, const struct node *map,
    const struct schema_part *parts, size_t n)
{
	const struct node *seen[SCHEMA_KEYS] = {NULL};
	size_t i, all = 0, at = 0;

	for (i = 0; i < n; i++)
		all += parts[i].count;
	for (const struct node *node = map->first; node; node = node->next) {
		i = part_find(parts, n, node->key);
		if (i == all)
			fail_unknown_key(l, node, parts, n);
		else if (seen[i])
			schema_fail_key(l, node,
			    "repeated; it is on line %u already",
			    seen[i]->key_line);
		else
			seen[i] = node;
	}
	for (; n > 0; n--, parts++)
		for (i = 0; i < parts->count; i++)
			read_key(
			    l, map, seen[at++], &parts->keys[i], parts->out);
}

const struct node *
schema_child(const struct node *map, const char *name)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *n = map->first; n; n = n->next) {
		if (span_eq(n->key, span_str(name)))
			return n;
	}
	return NULL;
}

/* --- lists --- */

/* Zeroed room for what the list holds; NULL when it is empty or faulty. */
void *
schema_list(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, size_t size)
{
	if (!schema_want(l, node, NODE_LIST))
		return NULL;
	if (node->count < key->min) {
		schema_fail(l, node, "needs an entry");
		return NULL;
	}
	if (node->count > key->max) {
		schema_fail(l, node,
		    "has %zu entries, at most %llu are possible", node->count,
		    (unsigned long long)key->max);
		return NULL;
	}
	return node->count > 0 ? schema_take(l, node->count, size) : NULL;
}

/* --- single values --- */

bool
schema_quantity(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, const struct value_unit *units, size_t count,
    const char *what, uint64_t *out)
{
	char min[VALUE_SPELLED], max[VALUE_SPELLED];
	uint64_t number;

	if (!schema_want(l, node, NODE_TEXT))
		return false;
	if (!value_quantity(node->text, units, count, &number)) {
		schema_fail(l, node, "'%.*s' is not %s",
		    SCHEMA_QUOTED(node->text), what);
		return false;
	}
	if (number < key->min || number > key->max) {
		value_spell(key->min, units, count, min);
		value_spell(key->max, units, count, max);
		schema_fail(l, node, "'%.*s' is out of range: %s to %s",
		    SCHEMA_QUOTED(node->text), min, max);
		return false;
	}
	*out = number;
	return true;
}

void
schema_size(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	schema_quantity(l, node, key, value_size_units, VALUE_SIZE_UNITS,
	    "a size: a whole number and KiB, MiB, GiB or nothing", out);
}

void
schema_time(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	schema_quantity(l, node, key, value_time_units, VALUE_TIME_UNITS,
	    "a time: a whole number and ms, s, m, h or d", out);
}

void
schema_count(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct value_unit one = {{"", 0}, 1};
	unsigned *count = out;
	uint64_t number;

	if (schema_quantity(l, node, key, &one, 1, "a whole number", &number))
		*count = (unsigned)number;
}

void
schema_label(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct span *label = out;
	char *copy;

	if (!schema_want_text(l, node, key->max))
		return;
	copy = schema_keep(l, node->text);
	if (copy)
		*label = span_of(copy, node->text.n);
}

void
schema_path(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	char **path = out;

	if (!schema_want_text(l, node, key->max))
		return;
	if (node->text.p[0] != '/') {
		schema_fail(l, node, "'%.*s' does not start with '/'",
		    SCHEMA_QUOTED(node->text));
		return;
	}
	*path = schema_keep(l, node->text);
}

/* What stands before the ith word in `a, b or c`. */
static const char *
joint(size_t i, size_t count)
{
	if (i == 0)
		return "";
	return i + 1 < count ? ", " : " or ";
}

/* The index of the text among the words; `count`, and an error, if none. */
size_t
schema_word(struct schema_loader *l, const struct node *node,
    const struct span *words, size_t count)
{
	struct value_guess guess = {.written = node->text};
	struct schema_note note, list = {.n = 0};

	if (!schema_want(l, node, NODE_TEXT))
		return count;
	for (size_t i = 0; i < count; i++) {
		if (span_eq(words[i], node->text))
			return i;
		value_guess(&guess, words[i]);
		schema_note_add(
		    &list, "%s%.*s", joint(i, count), SCHEMA_QUOTED(words[i]));
	}
	schema_fail(l, node, "'%.*s' is not %s%s", SCHEMA_QUOTED(node->text),
	    list.text, schema_hint(&guess, &note));
	return count;
}

void
schema_yes(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {{"no", 2}, {"yes", 3}};
	bool *yes = out;

	(void)key;
	*yes = schema_word(l, node, words, 2) == 1;
}

void
schema_preset(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct span names[PRESETS];
	const struct preset **preset = out;
	size_t i;

	(void)key;
	for (i = 0; i < PRESETS; i++)
		names[i] = span_str(presets[i].name);
	i = schema_word(l, node, names, PRESETS);
	*preset = i < PRESETS ? &presets[i] : NULL;
}

void
schema_name(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	char **name = out;
	struct span rest = node->text;

	if (!schema_want_text(l, node, key->max))
		return;
	if (*rest.p < 'a' || *rest.p > 'z')
		rest.n = 0;
	while (rest.n > 0 && ((*rest.p >= 'a' && *rest.p <= 'z') ||
				 span_isdigit(*rest.p) || *rest.p == '_'))
		rest = span_skip(rest, 1);
	if (rest.p != span_end(node->text)) {
		schema_fail(l, node,
		    "'%.*s' is not a name: a letter a-z, then letters, digits "
		    "and _",
		    SCHEMA_QUOTED(node->text));
		return;
	}
	*name = schema_keep(l, node->text);
}

void
schema_text(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	char **text = out;

	if (schema_want_text(l, node, key->max))
		*text = schema_keep(l, node->text);
}

/* Letters, digits and those of `others`: what needs no quotes anywhere. */
static bool
is_plain(struct span text, const char *others)
{
	for (size_t i = 0; i < text.n; i++) {
		int c = (unsigned char)text.p[i];

		if (!span_isalpha(c) && !span_isdigit(c) &&
		    (c == 0 || strchr(others, c) == NULL))
			return false;
	}
	return true;
}

void
schema_plain(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, const char *others, const char *what,
    char **out)
{
	if (!schema_want_text(l, node, key->max))
		return;
	if (is_plain(node->text, others))
		*out = schema_keep(l, node->text);
	else
		schema_fail(l, node, "'%.*s' is not %s",
		    SCHEMA_QUOTED(node->text), what);
}

/* --- the whole --- */

static int
compare_errors(const void *a, const void *b)
{
	const struct config_error *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void
load(struct schema_loader *l, struct span text, schema_root_cb *root_cb,
    void *out)
{
	struct node *root = NULL;

	if (config_yaml(text, l->tree, l->errors, &root))
		root_cb(l, root, out);
	if (l->errors->count > 1)
		qsort(l->errors->list, l->errors->count,
		    sizeof(*l->errors->list), compare_errors);
}

void *
schema_parse(struct span text, size_t size, const struct config_lookup *lookup,
    struct config_errors *errors, schema_root_cb *root_cb, void **memory)
{
	struct pool tree = {NULL}, own = {NULL};
	struct schema_loader l = {&tree, &own, lookup, errors};
	void *config;

	*errors = (struct config_errors){0};
	config = schema_take(&l, 1, size);
	if (config)
		load(&l, text, root_cb, config);
	pool_clear(&tree);
	if (errors->count > 0 || errors->incomplete) {
		pool_clear(&own);
		return NULL;
	}
	*memory = own.blocks;
	return config;
}

void
schema_free(void *memory)
{
	struct pool own = {memory};

	pool_clear(&own);
}
