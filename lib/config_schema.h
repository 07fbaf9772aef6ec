/*
 * config_schema - a map of keys, as a table.
 *
 * A row names a key, the reader of its value, the place where the value goes,
 * its bounds, and its default, which is YAML like the rest and read by the
 * same reader. A reader adds an error or stores a good value; a number
 * that is still zero at the end was faulty. All errors are found at once.
 *
 * Each configuration file has its tables: config.c that of the receiver.
 */
#ifndef SEPMLOG_CONFIG_SCHEMA_H
#define SEPMLOG_CONFIG_SCHEMA_H

#include "config_internal.h"

enum {
	SCHEMA_KEYS = 48, /* rows of the largest table */
	SCHEMA_NOTE = 640,
};

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define PIB (1024 * 1024 * GIB)
#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct schema_loader {
	struct pool *tree;                  /* until schema_parse ends */
	struct pool *pool;                  /* the configuration's own */
	const struct config_lookup *lookup; /* may be NULL */
	struct config_errors *errors;
};

struct schema_key {
	const char *name;
	/* `out` is the place at `offset` in the struct that is filled. */
	void (*read)(struct schema_loader *l, const struct node *node,
	    const struct schema_key *key, void *out);
	size_t offset;
	uint64_t min, max;    /* of the value, or of the number of entries */
	const char *fallback; /* NULL: may be left out; SCHEMA_MUST: may not */
};

extern const char schema_must[];
#define SCHEMA_MUST schema_must

/* --- errors: `streams[0].name: what is wrong`, at the value or its key --- */

void schema_fail(struct schema_loader *l, const struct node *node,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
void schema_fail_key(struct schema_loader *l, const struct node *node,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The start of a text, cut between characters; as arguments of `%.*s`. */
struct span schema_quoted(struct span text);
#define SCHEMA_QUOTED(text) (int)schema_quoted(text).n, schema_quoted(text).p

/* Text in the making; what does not fit is cut. */
struct schema_note {
	size_t n;
	char text[SCHEMA_NOTE];
};

void schema_note_add(struct schema_note *note, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* `; did you mean 'x'?`, or nothing. */
const char *schema_hint(
    const struct value_guess *guess, struct schema_note *note);

/* --- memory of the configuration; NULL: none, and the loader knows --- */

void *schema_take(struct schema_loader *l, size_t count, size_t size);
/* A copy with a NUL behind it. */
char *schema_keep(struct schema_loader *l, struct span text);

/* --- shapes; each says so if it is not what is wanted --- */

bool schema_want(
    struct schema_loader *l, const struct node *node, enum node_kind kind);
/* A text of 1 to `max` bytes. */
bool schema_want_text(
    struct schema_loader *l, const struct node *node, size_t max);
/* Where one value may stand for a list of one: how many, from `*first` on. */
size_t schema_entries(const struct node *node, const struct node **first);
/* The value of a key, or NULL. */
const struct node *schema_child(const struct node *map, const char *name);
/* Zeroed room for what the list holds, entries of `size` bytes, `min` to `max`
 * of the key; NULL when it is empty or faulty. */
void *schema_list(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, size_t size);

/* --- maps --- */

/* Some of the keys of a map, and the struct that they fill. */
struct schema_part {
	const struct schema_key *keys;
	size_t count;
	void *out;
};

/* Every row of all parts, from the map or from its default. */
void schema_parts(struct schema_loader *l, const struct node *map,
    const struct schema_part *parts, size_t n);

#define SCHEMA_COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SCHEMA_MAP(l, node, table, out)                                        \
	schema_parts(l, node,                                                  \
	    &(struct schema_part){table, SCHEMA_COUNT(table), out}, 1)

/* --- readers for tables, and what they are made of --- */

/* uint64_t: bytes, and milliseconds; unsigned. */
void schema_size(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out);
void schema_time(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out);
void schema_count(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out);
/* bool: `no`, `yes` */
void schema_yes(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out);
/* const struct preset *: by its name */
void schema_preset(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out);
/* struct span, at most `max` bytes */
void schema_label(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out);
/* char *: any text; an absolute path; [a-z][a-z0-9_]* */
void schema_text(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out);
void schema_path(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out);
void schema_name(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out);

/* A number in one of the units, within the key's bounds; `what` for the
 * error: `'x' is not <what>`. */
bool schema_quantity(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, const struct value_unit *units, size_t count,
    const char *what, uint64_t *out);
/* Letters, digits and those of `others`: what needs no quotes anywhere. */
void schema_plain(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, const char *others, const char *what,
    char **out);
/* The index of the text among the words; `count`, and an error, if none. */
size_t schema_word(struct schema_loader *l, const struct node *node,
    const struct span *words, size_t count);

/* --- the whole --- */

typedef void schema_root_cb(
    struct schema_loader *l, const struct node *root, void *out);

/*
 * A zeroed struct of `size` bytes, filled by `root_cb` from the root of the
 * text (NULL: there is no document), or NULL and errors in order, as of
 * config_parse. Free what is behind *memory, which owns it, with schema_free.
 */
void *schema_parse(struct span text, size_t size,
    const struct config_lookup *lookup, struct config_errors *errors,
    schema_root_cb *root_cb, void **memory);
void schema_free(void *memory);

#endif
