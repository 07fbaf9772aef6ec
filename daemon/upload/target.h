/*
 * target - a place that files are delivered to.
 *
 * A target takes one file at a time from one thread; a configuration with
 * `parallel: N` opens it N times. Calls block, and look at *stop at least
 * every second.
 */
#ifndef SEPMLOG_TARGET_H
#define SEPMLOG_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "span.h"

enum {
	TARGET_REASON = 512,
	TARGET_REMOTE = 1024,
	TARGET_CHECK = 160,
	TARGET_JOURNAL = 48 * 1024,
};

enum target_outcome {
	TARGET_DELIVERED, /* there whole, verified, under its final name */
	TARGET_RETRY,     /* transport, 408, 429, 5xx: try again later */
	TARGET_REFUSED,   /* this file will never be taken: quarantine it */
	TARGET_STOPPED,   /* *stop was set */
};

/* A file of ready/: complete, immutable. */
struct target_file {
	int fd;           /* read with pread: others may read it, too */
	const char *name; /* in ready/ */
	uint64_t size;
	struct digest digest; /* of its bytes as they are */
};

struct target_result {
	enum target_outcome outcome;
	unsigned retry_after; /* seconds that the server asked for; 0: none */
	bool
	    target_down; /* no file would get through: connection, login, 5xx */
	char remote[TARGET_REMOTE]; /* URL or path; no credentials in it */
	char check[TARGET_CHECK];   /* the server's own: `md5:...`, `etag:...`,
				       `size:...`, `sha256:...` */
	uint64_t rejected; /* records of it that went to quarantine instead */
	char reason[TARGET_REASON]; /* if not delivered: what is wrong and what
				       to do, printable */
};

/* What a delivery may tell and ask while it goes on; owned by the caller. */
struct target_watch {
	const atomic_bool *stop;
	_Atomic uint64_t sent; /* bytes of this file, for the progress */
	/* Called before `n` bytes are sent; blocks to keep the bandwidth. May
	 * be NULL. */
	void (*pace)(void *context, size_t n);
	void *context;
	/* A small text kept durably for this file and target until it is
	 * delivered: upload ids, the step reached. Empty at the first try. */
	char journal[TARGET_JOURNAL];
	/* Makes a change of `journal` durable; false: errno. */
	bool (*keep_journal)(struct target_watch *watch);
	/* Keeps records that the target will not take: whole lines of JSON, to
	 * quarantine, durable; false: errno. */
	bool (*keep_rejects)(struct target_watch *watch, struct span lines);
};

/*
 * Reads up to `n` bytes, which there are. Answers how many; 0: errno. A file
 * that someone wrote to after its digest was found never gives its end, ESTALE:
 * what needs all of it cannot become whole there.
 */
size_t target_read(
    const struct target_file *file, uint64_t at, void *bytes, size_t n);
/* What that errno says of the file, and what to do. */
const char *target_read_why(int error);

struct target_kind {
	const char *name; /* `sftp` */
	/* Checks options and reads credentials, without connecting. NULL: `why`
	 * (of `size` bytes) says what is wrong and what to do. `options` is of
	 * the kind's own struct. */
	void *(*open)(const void *options, char *why, size_t size);
	void (*deliver)(void *target, const struct target_file *file,
	    struct target_watch *watch, struct target_result *result);
	void (*close)(void *target);
	/* Takes back what a journal says is half done there, and empties it.
	 * False: `result` says why not. NULL: nothing of it stays there. */
	bool (*drop)(void *target, const struct target_file *file,
	    struct target_watch *watch, struct target_result *result);
};

#endif
