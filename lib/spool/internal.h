/*
 * What the parts of the spool share.
 *
 *   spool.c    the record side; opening, reloading, closing; status
 *   dirs.c     the directories: made, checked, locked, found again
 *   recover.c  what an earlier life left in live/
 *   segment.c  the disk side of a stream: write, sync, rotate, rewrite
 *   publish.c  closed segments: checked, compressed, moved into ready/
 *   usage.c    quota and free space
 *   ledger.c   the ledger's files
 *
 * A segment is created by segment.c (or found by recover.c), written, closed,
 * handed to publish.c, and freed when it stands in ready/.
 */
#ifndef SEPMLOG_SPOOL_INTERNAL_H
#define SEPMLOG_SPOOL_INTERNAL_H

#include <stdatomic.h>
#include <sys/types.h>

#include "../timestamp.h"
#include "names.h"
#include "pack.h"
#include "ring.h"
#include "spool.h"

#define SPOOL_PAGE ((uint64_t)4096) /* what a disk may write as one */
#define SPOOL_SCRATCH ((size_t)128 << 10)

/* From here on a write does without the page cache: a copy of each byte and
 * the work of finding it again for the disk cost more than waiting for it. */
#define SPOOL_DIRECT ((size_t)1 << 20)

#define SPOOL_TICK 1000  /* ms between looks at space and directories */
#define SPOOL_SCAN 5000  /* ms between counts of ready/ */
#define SPOOL_RETRY 5000 /* ms between attempts after a disk error */
#define SPOOL_TELL 60000 /* ms between reports of the same trouble */

/* Our own temporaries; each may be removed at any start. */
#define SPOOL_REWRITE "rw.tmp"
#define SPOOL_SALVAGE "salvage.tmp"
#define SPOOL_PACKED "publish.tmp"
#define SPOOL_LEDGER "ledger.tmp"
#define SPOOL_LINK ".cur"

/* A step that failed, and when it may be tried again. */
struct fault {
	int error; /* 0: none */
	const char *doing;
	uint64_t retry;
};

/* Where one segment ends and the next one, described here, begins. What lies
 * between is nothing: segments begin at pages, so that large parts of them can
 * go to the disk as they lie here. */
struct mark {
	uint64_t end;
	uint64_t position;
	uint64_t number;
	bool header; /* its first line is not a record */
	char extension[SPOOL_EXTENSION_MAX + 1];
	int64_t first_us, last_us; /* of the one that ends */
};

#define MARKS 64 /* segments that end inside a buffer */

/* One producer, one consumer. */
struct marks {
	struct mark mark[MARKS];
	_Atomic unsigned head, tail;
};

/* How far a closed segment is on its way into ready/. */
enum publish_step {
	PUBLISH_PROVE,      /* left by an earlier life: not trusted yet */
	PUBLISH_BEGIN,      /* opens it */
	PUBLISH_READ,       /* a slice of it, for the ledger */
	PUBLISH_FORM,       /* as it is, or compressed */
	PUBLISH_PACK,       /* compresses a slice */
	PUBLISH_SEAL,       /* syncs the compressed file */
	PUBLISH_ACCOUNT,    /* its line in the ledger is durable */
	PUBLISH_ENTER,      /* gives it its name in ready/ */
	PUBLISH_SYNC_READY, /* from here on it is published */
	PUBLISH_REMOVE,     /* what is left in live/ */
	PUBLISH_SYNC_LIVE,
	PUBLISH_DONE,
};

/* What a segment holds, as the ledger tells it. */
struct content {
	bool known; /* all that is below */
	bool told;  /* its line was added */
	bool has_ids;
	bool has_times;
	uint64_t lines;     /* with the header */
	uint64_t first_end; /* of the first record's line */
	uint8_t sum[SHA256_SIZE];
	struct ledger_id first, last;
	char first_time[TIMESTAMP_RFC3339_US], last_time[TIMESTAMP_RFC3339_US];
};

struct segment {
	struct spool_stream *stream;
	uint64_t number;
	char extension[SPOOL_EXTENSION_MAX + 1];
	uint64_t size; /* bytes in the file, always up to a record's end */

	/* while it is written */
	int fd;
	uint64_t start;     /* ring position of its first byte */
	uint64_t committed; /* of `size` */
	uint64_t unsynced_since;
	uint64_t stamp;   /* of the first line that is not committed; 0: none */
	uint64_t counted; /* records of it in the committed count */
	bool header;      /* one of the lines is the header */
	bool linked;      /* has its name for tail -F */
	bool cached;      /* the file system wants the page cache */
	int poison;       /* errno: not to be written or synced again */

	/* after that */
	struct segment *next;
	enum publish_step step;
	struct fault fault;
	bool doubtful; /* its name in ready/ may not be durable */
	bool plain;    /* no room to compress it */
	enum spool_compress compress; /* as it is named in ready/ */
	uint64_t published_size;
	uint8_t published_sum[SHA256_SIZE]; /* if it is compressed */
	struct content content; /* its lines are counted while it is written */
	struct sha256 *sha;     /* of the same lines */
	uint64_t seen, hashed;  /* bytes of both, from the first on */
	int64_t first_us, last_us; /* received; 0: not known */
	uint64_t origin; /* its number before it got another; 0: it did not */
};

struct spool_stream {
	struct spool *spool;
	struct spool_stream *next;
	char name[SPOOL_NAME_MAX + 1];
	bool retired; /* not configured any more */

	/* record side */
	char extension[SPOOL_EXTENSION_MAX + 1];
	char *header;
	size_t header_n;
	uint64_t rotate_size;
	uint64_t number;           /* of the segment that is filled */
	uint64_t start;            /* ring position where it begins */
	uint64_t line;             /* of its next line, from 1 */
	uint64_t born;             /* when its first line came */
	int64_t first_us, last_us; /* when its lines were received */
	bool marked;               /* since the last flush */

	/* between */
	struct ring ring;
	struct marks marks;
	_Atomic uint64_t next_number; /* never handed out before */
	/* Stamp of the first line that was flushed since the disk side looked;
	 * 0: none was. */
	_Atomic uint64_t flushed;

	/* disk side */
	int dir;              /* live/<name> */
	struct segment *live; /* NULL: `wanted` is still to be created */
	struct segment *old;  /* its predecessor, until closed */
	struct mark wanted;
	struct fault fault;
	uint64_t stamp; /* of the first line not written; 0: none */
	uint64_t seen;  /* where the ring was filled to when all was written */
	bool rewritten; /* in this round */
	uint64_t ledger_mark; /* see spool_ledger_mark */
	bool link_told;
};

struct dirs {
	int root, live, ready, quarantine, ledger, lock;
};

struct usage {
	uint64_t live, ready; /* bytes */
	uint64_t scan;        /* when ready/ is to be counted again */
	bool full;
	bool probing; /* there may be room again: one round tries */
	int error;    /* what made it full; 0: a limit of our own */
	char reason[96];
};

#define LEDGER_PENDING ((size_t)64 << 10)

/*
 * The ledger's file that is written, and the lines that may have to go there,
 * or to another one: those that are not durable yet, and those that are, but
 * lie in the file's last page, which the next write could spoil.
 */
struct ledger {
	bool recovered; /* what an earlier life left was seen to */
	int fd;         /* -1: a new one is to be made */
	uint64_t number;
	uint64_t size;     /* durable bytes */
	uint64_t reserved; /* on the disk */
	int64_t day;       /* that it was made on */
	struct sha256 *sha;
	struct fault fault;
	uint64_t left_out; /* lines that there was no room for */

	uint8_t tip[SHA256_SIZE];  /* chain value after the durable lines */
	uint8_t head[SHA256_SIZE]; /* after the file's first line, and ... */
	uint64_t head_size;        /* ... its length */
	uint8_t
	    anchor[SHA256_SIZE];    /* before the lines kept, which begin ... */
	uint64_t anchor_at;         /* ... here; 0: with the file */
	size_t durable, n;          /* of `lines` */
	char lines[LEDGER_PENDING]; /* without their ends, each with LF */
	struct ledger_text line;    /* in work */
};

struct spool {
	struct spool_options options;
	char *directory;
	char instance[SPOOL_INSTANCE + 1];
	spool_report_cb *report;
	void *arg;
	spool_before_cb *before; /* NULL: nothing */
	void *before_arg;

	struct spool_stream **active; /* in the order of the configuration */
	size_t count;
	uint64_t rotate_size; /* options.rotate_size, within other limits */

	/* disk side */
	struct spool_stream *streams; /* retired ones as well */
	struct dirs dirs;
	struct usage usage;
	uint64_t now;
	uint64_t tick;
	uint64_t told;  /* when the present state was last reported */
	uint64_t since; /* when it began */
	uint64_t poison_told, drop_told;
	char scratch[SPOOL_SCRATCH];

	struct segment *queue, **queue_end; /* to be published */
	size_t stuck;                       /* of them have failed */
	struct fault publish_fault;         /* the last such failure */
	int source, packed;                 /* of the first in the queue */
	uint64_t source_at;
	struct sha256 *sha; /* of what was read of it */
	struct ledger ledger;
	bool drained;            /* as the last thing */
	int64_t time_us;         /* disk side's */
	int64_t received_us;     /* record side's */
	uint64_t stamp;          /* record side's */
	spool_commit_cb *commit; /* NULL: nobody measures */
	void *commit_arg;
	struct pack *pack;

	/* written by the disk side, read by both */
	_Atomic int state, error;
	_Atomic uint64_t accepted, committed, published;
	_Atomic uint64_t files_published, files_dropped, bytes_used;
};

/* spool.c */
/* In the list of all, retired, with its directory open; NULL with `why`. */
struct spool_stream *stream_new(
    struct spool *spool, const char *name, char *why, size_t size);
void stream_free(struct spool_stream *stream);
struct spool_stream *stream_find(struct spool *spool, const char *name);
void spool_say(struct spool *spool, enum spool_level level, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Once in SPOOL_TELL for each `told`; 0: not yet. */
bool spool_may_tell(const struct spool *spool, uint64_t *told);

static inline void
spool_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline bool
fault_waits(const struct fault *fault, uint64_t now)
{
	return fault->error != 0 && now < fault->retry;
}

/* dirs.c */
/* `held` is what is open already, or NULL; a lock on the same directory moves
 * over from it. */
bool dirs_open(struct dirs *dirs, const char *path, struct dirs *held,
    char *why, size_t size);
void dirs_close(struct dirs *dirs);
bool dirs_instance(struct spool *spool, char *why, size_t size);
/* live/<name>, made if missing; -1 with `why`. */
int dirs_stream(
    const struct dirs *dirs, const char *name, char *why, size_t size);
/* Takes up again what was removed under us. */
void dirs_check(struct spool *spool);
/* Into quarantine/, under a name made from the stream and number. */
bool dirs_set_aside(struct spool_stream *stream, const char *name,
    uint64_t number, const char *extension, const char *reason);
/* The same, but the file keeps its name in live/ as well. */
bool dirs_keep_original(
    struct spool_stream *stream, const char *name, const struct segment *of);

/* segment.c */
struct segment *segment_new(
    struct spool_stream *stream, uint64_t number, const char *extension);
void segment_free(struct segment *segment);
bool stream_create(struct spool_stream *stream);
void stream_work(struct spool_stream *stream, bool all);
uint64_t stream_backlog(struct spool_stream *stream);
uint64_t stream_deadline(const struct spool_stream *stream);
void stream_check(struct spool_stream *stream);

/* publish.c */
void publish_add(struct spool *spool, struct segment *segment);
/* Does one step of one segment; answers whether there is more to do at once. */
bool publish_work(struct spool *spool);
/* Failed ones are tried once, without waiting. */
void publish_hurry(struct spool *spool);
/* The options have changed. */
void publish_restart(struct spool *spool);
/* At the start, before any is published. */
void publish_prove_all(struct spool *spool);
void publish_clear(struct spool *spool);

/* recover.c */
/* Finds the numbers in use, opens the stream's first segment, or remembers
 * that it is wanted, and queues what was left. A stream without an extension
 * takes that of its last file, if there is one. False: errno is set. */
bool recover_stream(struct spool_stream *stream);
/* Whole lines only, in a file that is closed and durable. */
bool recover_prove(struct segment *segment);
/* Streams in live/ that are not configured. */
void recover_guests(struct spool *spool);

/* ledger.c */
/* False: no memory. */
bool ledger_init(struct spool *spool);
void ledger_clear(struct spool *spool);
/* These lines are written behind the segment's `size`. */
void ledger_see(struct segment *segment, struct span lines);
/* Makes the content of the segment in work known. What was not seen while it
 * was written is read, a slice at a time; *done when that was the last. */
bool ledger_read(struct segment *segment, bool *done);
/* Adds the line of a segment that is to be published, or will not be. False:
 * errno. */
bool ledger_tell_file(struct segment *segment);
bool ledger_tell_skipped(const struct segment *segment, const char *reason);
bool ledger_tell_renumbered(const struct segment *segment, uint64_t to);
bool ledger_tell_quarantined(
    const struct segment *segment, uint64_t bytes, uint64_t records);
bool ledger_tell_dropped(struct spool *spool, const char *name);
bool ledger_tell_streams(struct spool *spool);
/* Durably writes what was added. False: errno; tried again later. */
bool ledger_flush(struct spool *spool);
/* Once per tick: what others may have done. */
void ledger_check(struct spool *spool);
static inline bool
ledger_is_on(const struct spool *spool)
{
	return spool->options.ledger.size > 0;
}

/* usage.c */
void usage_check(struct spool *spool);
/* How many of the first `n` bytes may be written. */
size_t usage_room(struct spool *spool, size_t n);
void usage_full(struct spool *spool, int error);
uint64_t usage_rotate_size(const struct spool_options *options, size_t count);

#endif
