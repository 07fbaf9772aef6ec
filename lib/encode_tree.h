/*
 * encode_tree - a record as nested JSON objects; of the encoders only.
 *
 * A format writes values by the path of their object (`process.hash`) and their
 * key, object after object; the tree opens and closes what is needed, so that
 * no object is empty. A component that ends in `[]` is an array of one object.
 * Fields of the record that have found a place are marked; tree_rest writes all
 * others. Nothing is written for an absent or empty value.
 */
#ifndef SEPMLOG_ENCODE_TREE_H
#define SEPMLOG_ENCODE_TREE_H

#include "event.h"
#include "record.h"
#include "timestamp.h"

struct tree {
	const struct record *record;
	struct timestamp_days *days;
	char *out;
	struct span open; /* path of the object that values go to now */
	bool fresh;       /* nothing is in it yet */
	uint64_t done[RECORD_WORDS];
};

struct tree_row;
typedef void tree_put(struct tree *t, const struct tree_row *row);

enum { TREE_SOURCES = 3 };

/* A row of a format's table. `mask` says which kinds of events have it. */
struct tree_row {
	struct span path, key;
	tree_put *put;
	/* The first of these that is present is taken. */
	unsigned char from[TREE_SOURCES];
	unsigned char mask;
	struct span word;
};

/* clang-format off */
#define TREE_ROW(path, key, put, a, b, c, mask, word)                          \
	{ {path, sizeof(path) - 1}, {key, sizeof(key) - 1}, put,               \
	  { a, b, c }, mask, {word, sizeof(word) - 1} }
/* clang-format on */

/* Writes `{`. Nothing is marked but `type`, which formats have their own way
 * to tell. */
void tree_start(struct tree *t, const struct record *record,
    struct timestamp_days *days, char *out);
/* The rows whose mask has a bit of `mask`, in order. */
void tree_rows(struct tree *t, const struct tree_row *rows, size_t count,
    unsigned char mask);
/* Marks what tree_put_field and tree_put_ms of these rows will write, so that
 * tree_rest can come before them. */
void tree_reserve(struct tree *t, const struct tree_row *rows, size_t count,
    unsigned char mask);
/* All that is not marked, with its own keys. */
void tree_rest(struct tree *t, struct span path);

/* --- one value; the puts of rows --- */

/* The first field of the row that is present, or EVENT_NO_FIELD. */
enum record_field tree_first(const struct tree *t, const struct tree_row *row);
void tree_mark(struct tree *t, enum record_field f);

/* The word of the row. */
void tree_put_word(struct tree *t, const struct tree_row *row);
/* The word of the row, which is JSON itself. */
void tree_put_json(struct tree *t, const struct tree_row *row);
/* The first field, as it is, and marked. */
void tree_put_field(struct tree *t, const struct tree_row *row);
/* The first field's text, shortened to a name, not marked. */
void tree_put_copy(struct tree *t, const struct tree_row *row);
/* What is behind its last slash, shortened, not marked. */
void tree_put_base(struct tree *t, const struct tree_row *row);
/* A time as milliseconds since 1970, marked. */
void tree_put_ms(struct tree *t, const struct tree_row *row);

/* --- values by hand --- */

/* Where the value is to be written: at t->out. */
void tree_key(struct tree *t, struct span path, struct span key);
void tree_text(
    struct tree *t, struct span path, struct span key, struct span text);
void tree_number(
    struct tree *t, struct span path, struct span key, int64_t number);
void tree_ms(
    struct tree *t, struct span path, struct span key, int64_t seconds);
void tree_field(
    struct tree *t, struct span path, struct span key, enum record_field f);

/* An array of texts, each of them once. */
struct tree_list {
	struct span path, key;
	size_t count;
	struct span item[2 * RECORD_MAX_ADDRESSES + 8];
};

void tree_list_start(struct tree_list *l, struct span path, struct span key);
/* Shortened to a name. Nothing when there is no room, which does not happen. */
void tree_list_add(struct tree_list *l, struct span text);
void tree_list_field(
    struct tree_list *l, const struct record *r, enum record_field f);
void tree_list_put(struct tree *t, const struct tree_list *l);

#endif
