/*
 * spool - records to durable, rotating files.
 *
 * Two sides. The *record side* (one thread: the loop) appends whole lines to a
 * stream's buffer and never touches the disk. The *disk side* (one thread, or
 * the same in tests) makes every system call: write, fdatasync, rotate,
 * compress, publish, sweep. They meet in a ring of bytes per stream and a
 * short queue of segment boundaries, both without locks.
 *
 *   <directory>/            lock, instance, <stream>.<ext> (hard link to live)
 *     live/<stream>/        0000000000000042.<ext>.open     being written
 *     ready/ <stream>-<instance>-0000000000000041.<ext>[.gz|.zst] quarantine/
 * bytes that recovery could not prove to be records ledger/
 * ledger-<instance>-0000000000000007.jsonl (ledger.h)
 *
 * A line is *accepted* when its write returned, *committed* when fdatasync
 * did, *published* when its segment stands complete in ready/. A file in
 * ready/ never changes, and a name always means the same bytes.
 *
 * The ledger has a durable line for each file before that file's name appears
 * in ready/, and for whatever else became of records. Its lines are written by
 * the disk side, in the order in which they were added. A ledger that cannot
 * be written holds publishing up, and nothing else.
 *
 * The clock comes in as an argument: `now`, monotonic milliseconds, and for
 * the ledger UTC microseconds since 1970.
 */
#ifndef SEPMLOG_SPOOL_H
#define SEPMLOG_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../ledger.h"
#include "../span.h"

enum spool_compress { SPOOL_NONE, SPOOL_GZIP, SPOOL_ZSTD };

struct spool_stream_options {
	const char *name;      /* [a-z][a-z0-9_]*, at most 32 bytes */
	const char *extension; /* `jsonl`, `csv`, `raw` */
	struct span
	    header; /* first line of every segment (CSV); may be empty */
};

struct spool_ledger_options {
	uint64_t size; /* bytes that its files may take; 0: no ledger */
	uint64_t age;  /* ms after which a file of it goes; 0: never */
	bool checksum; /* SHA-256 of each published file */
	int64_t time;  /* now, until spool_set_time says another */
};

struct spool_options {
	const char *directory;
	uint64_t rotate_size;     /* bytes: a segment this large is closed */
	uint64_t rotate_age;      /* ms: or this old, if not empty */
	uint64_t commit_interval; /* ms between fdatasyncs under load */
	uint64_t commit_bytes;    /* or this many unsynced bytes */
	enum spool_compress compress;
	uint64_t quota;            /* bytes in live/ and ready/; 0: none */
	uint64_t min_free;         /* bytes, or if 0 ... */
	unsigned min_free_percent; /* ... percent of the file system */
	bool drop_oldest;          /* when full: delete in ready/, counted */
	size_t buffer;             /* bytes of memory per stream */
	struct spool_ledger_options ledger; /* outside of quota and min_free */
};

enum spool_state {
	SPOOL_OK,
	SPOOL_FULL, /* quota, free space, inodes, EFBIG: heals by itself */
	SPOOL_DISK_ERROR, /* EIO, EROFS ...: rewrites to a new inode, retries */
};

/* What the disk side has done; safe to read from the record side. */
struct spool_status {
	enum spool_state state;
	int error;         /* errno behind it, 0 if none */
	uint64_t accepted; /* records since start */
	uint64_t committed;
	uint64_t published;
	uint64_t files_published;
	uint64_t files_dropped; /* drop_oldest */
	uint64_t bytes_used;    /* in live/ and ready/ */
};

/* Things worth a log line: recovery, a state entered or left, a file set
 * aside. Called on the thread that made the call, text without newline. */
enum spool_level { SPOOL_NOTE, SPOOL_WARNING };
typedef void spool_report_cb(
    void *arg, enum spool_level level, const char *text);

struct spool;
struct spool_stream;

/*
 * Locks and checks the directory (made if missing), recovers what an earlier
 * life left in live/, and opens a first segment for each stream. NULL: it
 * cannot be used; `why` (of `size` bytes) says why and what to do. A broken
 * file never stops it: that is reported and set aside.
 */
struct spool *spool_open(const struct spool_options *options,
    const struct spool_stream_options *streams, size_t count, uint64_t now,
    spool_report_cb *report, void *arg, char *why, size_t size);

/* The stream at an index, in the order given to spool_open. */
struct spool_stream *spool_stream(struct spool *spool, size_t index);

/* 8 hex digits: part of every file name and id. */
struct span spool_instance(const struct spool *spool);

/* --- record side --- */

/*
 * Contiguous room for one line of at most `n` bytes, or NULL: the buffer is
 * full, or as many segments end inside of it as can be told, and the caller
 * stops reading until the disk side has caught up.
 */
char *spool_reserve(struct spool_stream *stream, size_t n);
/* Segment number and line (from 1) that the next line will get; in an id they
 * are stable over crash and re-upload. */
void spool_position(
    const struct spool_stream *stream, uint64_t *segment, uint64_t *line);
/* The reserved room holds a line of `n` bytes, LF included. Closes the segment
 * when rotate_size is reached. */
void spool_append(struct spool_stream *stream, size_t n, uint64_t now);
/* Lets the disk side see what was appended. Call once per wake-up; answers
 * whether there was anything new, and the disk side wants waking. */
bool spool_flush(struct spool *spool);
/* Closes segments older than rotate_age; all of them that hold a line when
 * `all` (SIGUSR1). Call about once a second. As spool_flush. */
bool spool_rotate(struct spool *spool, uint64_t now, bool all);
/* When the next lines were received, for the ledger. */
void spool_set_received(struct spool *spool, int64_t us);
/* When the next lines are appended (monotonic us), for spool_commit_cb; 0, as
 * at first: nobody measures. */
void spool_stamp(struct spool *spool, uint64_t us);
/* Bytes of the buffer in use, for the fullest stream, in percent; 100 where
 * spool_reserve answers NULL for the segments. */
unsigned spool_fill(const struct spool *spool);

void spool_status(const struct spool *spool, struct spool_status *status);

/* --- disk side --- */

/*
 * Does what is due and not longer than a slice of compression: writes, syncs,
 * rotates, publishes, checks space. Answers when it wants to be called again
 * at the latest (`now` itself: at once).
 */
uint64_t spool_work(struct spool *spool, uint64_t now);

/*
 * Called right before lines are written, and, with `commit`, before what was
 * written is made durable: for what has to be on the disk before they are. All
 * that the record side did before it flushed those lines has been done. NULL:
 * nothing. Set while both sides are at rest.
 */
typedef void spool_before_cb(void *arg, bool commit);
void spool_set_before(struct spool *spool, spool_before_cb *before, void *arg);

/* What time it is, for the ledger, until called again. */
void spool_set_time(struct spool *spool, int64_t us);

/*
 * Called by the disk side right after an fdatasync: of the lines that are
 * committed now the first was appended at `stamp`, or not long after it.
 */
typedef void spool_commit_cb(void *arg, uint64_t stamp);
/* Before the disk side has a thread of its own. */
void spool_on_commit(struct spool *spool, spool_commit_cb *commit, void *arg);

/* Bytes that were flushed and are not yet written, of the fullest stream. */
uint64_t spool_backlog(struct spool *spool);

/*
 * Adds a line to the ledger, written with the next spool_work. False: the disk
 * does not take any, and no more are kept; try again later. Without a ledger:
 * true, and nothing happens.
 */
bool spool_ledger_add(struct spool *spool, const struct ledger_text *line);
/* Writes what was added, at once. */
bool spool_ledger_flush(struct spool *spool);
/* Puts `segments` into a line: the segment that each stream is at. Right after
 * spool_open, where this life begins. */
void spool_ledger_segments(const struct spool *spool, struct ledger_text *line);
/* Remembers what was flushed so far; then answers whether all of that is
 * committed. */
void spool_ledger_mark(struct spool *spool);
bool spool_ledger_reached(struct spool *spool);

/*
 * Both sides have stopped: writes, commits and publishes everything, waits for
 * a full disk not at all. True when live/ holds nothing but empty segments.
 */
bool spool_drain(struct spool *spool, uint64_t now);
/* Frees; what was not drained is recovered at the next start. */
void spool_close(struct spool *spool);

/*
 * Changes what a reload may change: every option but the directory, and the
 * set of streams. Both sides are at rest. A stream that goes is closed and
 * published; one whose name and extension stay keeps its segment. False: no
 * memory or no new segment could be made; nothing has changed, `why` says it.
 */
bool spool_reload(struct spool *spool, const struct spool_options *options,
    const struct spool_stream_options *streams, size_t count, uint64_t now,
    char *why, size_t size);

#endif
