/*
 * outbox - the files of ready/, and how far each target is with each of them.
 *
 * The main thread scans the directory and takes away what is finished; the
 * threads of the targets take files, each the next by name that its target
 * has yet to get. Everything here may be called by any thread, but for what
 * is marked.
 */
#ifndef SEPMLOG_OUTBOX_H
#define SEPMLOG_OUTBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "digest.h"
#include "ledger.h"
#include "plan.h"
#include "spool/names.h"

/* At a time: the first ones by name that any target wants. */
enum { OUTBOX_FILES = 65536 };

/* Digests are found ahead of a target for so many files at most, and not for
 * another one if those have so many bytes, which memory may not keep. */
enum { OUTBOX_AHEAD = 4, OUTBOX_AHEAD_BYTES = 64 * 1024 * 1024 };

enum leg_state {
	LEG_NONE, /* the target does not want this file */
	LEG_WAITING,
	LEG_BUSY,
	LEG_GIVEN_UP, /* not tried again in this run (--once) */
	LEG_DELIVERED,
	LEG_REFUSED,
};

/* A file on its way to one target. */
struct leg {
	enum leg_state state;
	unsigned tries;
	uint64_t not_before; /* monotonic ms */
	bool conforms;       /* whose leg is busy sets it: it was looked into */
};

/* Who says what its digest has to be. */
enum parcel_source {
	SOURCE_NONE,
	SOURCE_RECEIPT,
	SOURCE_LEDGER,
	SOURCE_DOUBTED, /* the ledger, but something went wrong with the file */
	SOURCE_DISPUTED, /* nobody: the ledger says it twice, and differently */
	SOURCE_READ,     /* whoever has read the file */
};

/* A file. Name and size never change; the rest is the outbox's. */
struct parcel {
	char name[SPOOL_PATH];
	uint64_t size;
	int64_t finished; /* UTC s */
	/* at the scan that found it; of the file, whose st_mtim and st_ctim */
	ino_t inode;
	struct timespec written, changed;
	bool here;     /* it was, at the last scan */
	bool fresh;    /* it was not released so far */
	bool hashing;  /* a thread reads it: it stays till then */
	bool unread;   /* it could not be found: not tried ahead again */
	bool reported; /* to the caller of outbox_finished */
	bool noted;    /* main thread: the receipts say that it goes */
	enum parcel_source source; /* of what its digest has to be */
	struct digest digest;      /* if it has an inode: that of a file */
	struct leg leg[];
};

struct outbox;

/* Files for the targets of this plan, which must live as long. NULL: no
 * memory. */
struct outbox *outbox_new(const struct plan *plan, bool once);
/* When no other thread uses it. */
void outbox_free(struct outbox *outbox);

/*
 * Main thread: new names come in, not to be taken yet, those that someone else
 * took are forgotten. False: errno. *added is how many are new, *more whether
 * there are files that found no room: they come when others are done.
 */
bool outbox_scan(struct outbox *outbox, int ready, size_t *added, bool *more);

/* What a line of the receipts (delivered.h) says of a file that is here, as far
 * as can be told without reading it; else nothing. */
void outbox_note(struct outbox *outbox, const struct ledger_entry *entry);
/* What a line of the ledger (stated.h) says of one: its digest has to be that,
 * and is, if nobody has touched it since. */
void outbox_state(struct outbox *outbox, const struct ledger_entry *entry);
/* What was found may be taken, now that all is known that is said of it. */
void outbox_release(struct outbox *outbox);
/* Is there a file of this name? */
bool outbox_has(struct outbox *outbox, const char *name);

/*
 * The next file for a target; waits for one, until *stop is set (see
 * outbox_wake), or, with `once`, there will be none: NULL. It is there until
 * outbox_put. `once` does not look at the time of the day.
 */
struct parcel *outbox_take(
    struct outbox *outbox, size_t target, const atomic_bool *stop);
void outbox_put(struct outbox *outbox, struct parcel *parcel, size_t target,
    enum leg_state state, uint64_t not_before);
/* For `ms` the target gets nothing. */
void outbox_pause(struct outbox *outbox, size_t target, uint64_t ms);
/* With `once`: the target gets nothing any more. */
void outbox_give_up(struct outbox *outbox, size_t target);
/*
 * Its digest, which one thread finds for all: waits while another is at that,
 * unless *stop is set. False: it is not known of any file, and who asks is to
 * read that and to say what came of it with outbox_set_digest.
 */
bool outbox_digest(struct outbox *outbox, struct parcel *parcel,
    const atomic_bool *stop, struct digest *digest);
/* NULL: it could not be found. False: it was not, or is not what it has to be;
 * then it is not taken. */
bool outbox_set_digest(
    struct outbox *outbox, struct parcel *parcel, const struct digest *digest);
/* A delivery has failed: if nobody has read the file so far, its digest is to
 * be found that way the next time. */
void outbox_doubt(struct outbox *outbox, struct parcel *parcel);
/*
 * A file that a target which is at work will get soon and whose digest is to be
 * found; waits for one, until *stop is set: NULL. It is there until
 * outbox_set_digest.
 */
struct parcel *outbox_take_ahead(
    struct outbox *outbox, const atomic_bool *stop);
/* Everyone that waits looks at *stop. */
void outbox_wake(struct outbox *outbox);

/* Main thread: one that all its targets are done with, each once; NULL: none.
 */
struct parcel *outbox_finished(struct outbox *outbox);
/* Those that could not be taken away come again. */
void outbox_unfinish(struct outbox *outbox);
/* It was taken away. */
void outbox_forget(struct outbox *outbox, const struct parcel *parcel);

struct outbox_counts {
	size_t unwanted; /* files that no target wants */
	size_t waiting;  /* deliveries to do, those at work included */
	size_t given_up, refused, delivered;
	uint64_t bytes; /* of deliveries to do */
	int64_t oldest; /* when its file was finished, UTC s; 0: none */
};

void outbox_count(struct outbox *outbox, struct outbox_counts *counts);
/* Those of one target; `unwanted` is 0. */
void outbox_count_of(
    struct outbox *outbox, size_t target, struct outbox_counts *counts);

/* Calls back for each file, by name. */
void outbox_each(struct outbox *outbox,
    void (*each)(void *arg, const struct parcel *parcel), void *arg);

#endif
