/*
 * imported - what an import has taken already, to be committed with it.
 *
 *   contents  SHA-256 of each whole file, the last so many of them
 *   parts     files that were begun: how many messages of them were taken
 *   growing   files that are followed: up to which byte
 *
 * As text, one line each, it is the state of an intake.
 */
#ifndef SEPMLOG_IMPORTED_H
#define SEPMLOG_IMPORTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"
#include "survey.h"

enum {
	IMPORTED_HEAD = 4096,   /* bytes that a growing file is known by */
	IMPORTED_PARTS = 1000,  /* the oldest are forgotten */
	IMPORTED_GROWING = 1000 /* those not seen for longest */
};

struct imported;

/* Remembers `keep` contents. NULL: no memory. */
struct imported *imported_new(size_t keep);
void imported_free(struct imported *imported);

/* What imported_text gave; an empty text is the beginning. False: it is
 * damaged, or no memory. */
bool imported_read(struct imported *imported, struct span text);
/* Good until the next call; NULL in it: no memory. */
struct span imported_text(struct imported *imported);

bool imported_has(
    const struct imported *imported, const unsigned char digest[SURVEY_DIGEST]);
/* All of it was taken: it is no part any more. False: no memory. */
bool imported_add(
    struct imported *imported, const unsigned char digest[SURVEY_DIGEST]);

/* Messages taken of a file that was begun; 0: none. */
uint64_t imported_part(
    const struct imported *imported, const unsigned char digest[SURVEY_DIGEST]);
bool imported_set_part(struct imported *imported,
    const unsigned char digest[SURVEY_DIGEST], uint64_t messages);

struct growing {
	uint64_t device, inode;
	uint64_t offset; /* behind the last whole line taken */
	size_t head_n;   /* first bytes, at most IMPORTED_HEAD and offset ... */
	unsigned char head[SURVEY_DIGEST]; /* ... and their digest */
	uint64_t seen;                     /* not kept: a count of uses */
};

/* NULL: there is none. Both are good until the next imported_grow. */
struct growing *imported_growing(
    struct imported *imported, uint64_t device, uint64_t inode);
/* Calls back with each, until it answers true: that one. */
typedef bool imported_growing_cb(void *arg, const struct growing *growing);
struct growing *imported_find_growing(
    struct imported *imported, imported_growing_cb *cb, void *arg);
/* A new one with nothing taken. NULL: no memory. */
struct growing *imported_grow(
    struct imported *imported, uint64_t device, uint64_t inode);
void imported_grown(struct imported *imported, struct growing *growing);

#endif
