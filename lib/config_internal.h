/*
 * config_internal - what the files of the config module share.
 *
 * A configuration is read in two steps: config_yaml.c turns text into a tree
 * of nodes that know their place in it, config.c turns the tree into a struct
 * config by its tables of keys. config_value.c knows how values are spelled.
 */
#ifndef SEPMLOG_CONFIG_INTERNAL_H
#define SEPMLOG_CONFIG_INTERNAL_H

#include "config.h"

/*
 * A pool hands out zeroed memory that is freed all at once. NULL: there is no
 * memory.
 */
struct pool_block;

struct pool {
	struct pool_block *blocks;
};

void *pool_take(struct pool *pool, size_t count, size_t size);
/* A copy with a NUL behind it. */
char *pool_text(struct pool *pool, struct span text);
void pool_clear(struct pool *pool);

enum node_kind {
	NODE_SKIP, /* already has its error */
	NODE_NONE, /* a key or dash with nothing behind it, `~` or `null` */
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
};

struct node {
	enum node_kind kind;
	unsigned line, column;
	struct span text; /* of NODE_TEXT; no control characters */
	struct span key;  /* in a map */
	unsigned key_line, key_column;
	const struct node *parent;
	size_t index;       /* in a list, from 0 */
	struct node *first; /* of a list or map, `count` of them */
	struct node *last;
	struct node *next;
	size_t count;
};

/*
 * The tree of a YAML text, in the pool. False: it could not be built; the
 * reason is in *errors. Errors that leave the tree usable are added there,
 * too. *root is NULL for a text without a document.
 */
bool config_yaml(struct span text, struct pool *pool,
    struct config_errors *errors, struct node **root);

/* Spellings of one quantity, largest first, the last one worth 1. */
struct value_unit {
	struct span name;
	uint64_t worth;
};

enum { VALUE_SIZE_UNITS = 4, VALUE_TIME_UNITS = 5, VALUE_SPELLED = 32 };
extern const struct value_unit value_size_units[VALUE_SIZE_UNITS];
extern const struct value_unit value_time_units[VALUE_TIME_UNITS];

/* A number in decimal digits, at most UINT64_MAX. */
bool value_number(struct span text, uint64_t *number);
/* A number and one of the units. */
bool value_quantity(struct span text, const struct value_unit *units,
    size_t count, uint64_t *number);
/* The number in the largest unit that divides it. */
void value_spell(uint64_t number, const struct value_unit *units, size_t count,
    char out[VALUE_SPELLED]);

/* These answer NULL, or what is wrong with the text. */
const char *value_endpoint(
    struct span text, struct sockaddr_storage *addr, socklen_t *len);
const char *value_cidr(struct span text, struct config_cidr *cidr);
/* Sets kind, and the fingerprint of one; the text is left to the caller. */
const char *value_peer(struct span text, struct config_peer *peer);

/* The offered word that is nearest to the one written; n == 0: none is near. */
struct value_guess {
	struct span written;
	struct span nearest;
	size_t distance;
};

void value_guess(struct value_guess *guess, struct span offered);

#endif
