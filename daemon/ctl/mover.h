/*
 * mover - files that are done with, out of the way.
 *
 * `DIR/name` goes to `DIR/done/name`, or to `DIR/failed/name` with a text
 * `name.reason` beside it. A name that is taken there gets a number.
 */
#ifndef SEPMLOG_MOVER_H
#define SEPMLOG_MOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Makes both directories. False: errno. */
bool mover_prepare(const char *directory);
/* Both answer false with errno. ENOENT: the file has gone by itself. */
bool mover_done(const char *path);
bool mover_failed(const char *path, const char *reason);

/* Files to be moved once what they gave is committed. */
struct moving {
	char *path;
	struct stat st; /* as it was taken */
};

struct mover {
	struct moving *files;
	size_t count;
};

enum { MOVER_MAX = 5000 };

/* False: no memory, or there are MOVER_MAX. */
bool mover_add(struct mover *mover, const char *path, const struct stat *st);
/* Moves them to done/ and forgets them; calls back for each that could not be
 * moved, with errno; ESTALE: it was written to, or replaced, since. */
typedef void mover_failed_cb(void *arg, const char *path);
void mover_move(struct mover *mover, mover_failed_cb *failed, void *arg);
/* Forgets them. */
void mover_clear(struct mover *mover);

#endif
