/*
 * Quota and free space. The spool is full when a limit of ours is reached or
 * the file system says so. It then writes nothing and looks once a second;
 * when there is room again, with a margin, one round of writing is tried, and
 * only its success ends the state: some limits cannot be seen in advance.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "disk.h"
#include "internal.h"

#define INODES_MIN 64
#define OLDEST 16 /* files found in one look for what to drop */
#define DROPS 64  /* at most, at once */

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* --- what is in ready/ --- */

struct ready_file {
	struct timespec time;
	uint64_t size;
	char name[SPOOL_PATH];
};

struct ready_scan {
	struct spool *spool;
	uint64_t bytes;
	bool want_oldest;
	size_t n;
	struct ready_file oldest[OLDEST]; /* in order */
};

static bool
ready_before(const struct ready_file *a, const struct ready_file *b)
{
	if (a->time.tv_sec != b->time.tv_sec)
		return a->time.tv_sec < b->time.tv_sec;
	if (a->time.tv_nsec != b->time.tv_nsec)
		return a->time.tv_nsec < b->time.tv_nsec;
	return strcmp(a->name, b->name) < 0;
}

static void
ready_remember(struct ready_scan *scan, const struct ready_file *file)
{
	size_t i = scan->n < OLDEST ? scan->n++ : OLDEST;

	for (; i > 0 && ready_before(file, &scan->oldest[i - 1]); i--)
		if (i < OLDEST)
			scan->oldest[i] = scan->oldest[i - 1];
	if (i < OLDEST)
		scan->oldest[i] = *file;
}

static void
ready_seen(void *arg, const char *name)
{
	struct ready_scan *scan = arg;
	struct ready_file file;
	struct span stream;
	uint64_t number;
	struct stat st;

	if (fstatat(scan->spool->dirs.ready, name, &st, AT_SYMLINK_NOFOLLOW) <
		0 ||
	    !S_ISREG(st.st_mode))
		return;
	scan->bytes += (uint64_t)st.st_size;
	if (!scan->want_oldest || strlen(name) >= sizeof(file.name) ||
	    !name_parse_ready(name, &stream, &number))
		return;
	file.time = st.st_mtim;
	file.size = (uint64_t)st.st_size;
	snprintf(file.name, sizeof(file.name), "%s", name);
	ready_remember(scan, &file);
}

static bool
ready_scan(struct spool *spool, struct ready_scan *scan, bool want_oldest)
{
	scan->spool = spool;
	scan->bytes = 0;
	scan->n = 0;
	scan->want_oldest = want_oldest;
	if (!disk_list(spool->dirs.ready, ready_seen, scan))
		return false; /* the last count is better than half a one */
	spool->usage.ready = scan->bytes;
	spool->usage.scan = spool->now + SPOOL_SCAN;
	return true;
}

static void
usage_count(struct spool *spool)
{
	struct ready_scan scan;

	ready_scan(spool, &scan, false);
}

/* --- limits --- */

static uint64_t
usage_bytes(const struct spool *spool)
{
	return spool->usage.live + spool->usage.ready;
}

/* So much must become free beyond a limit before writing goes on: two
 * segments, or less on a small disk. */
static uint64_t
usage_margin(const struct spool *spool, uint64_t whole)
{
	if (!spool->usage.full)
		return 0;
	return min_u64(spool->rotate_size, whole / 32) * 2;
}

/* Bytes that are missing, with what they are missing from. */
static uint64_t
lack_of_quota(struct spool *spool)
{
	uint64_t quota = spool->options.quota;
	uint64_t used = usage_bytes(spool) + usage_margin(spool, quota);

	if (quota == 0 || used < quota)
		return 0;
	snprintf(spool->usage.reason, sizeof(spool->usage.reason),
	    "quota: %" PRIu64 " of %" PRIu64 " bytes used", usage_bytes(spool),
	    quota);
	return used - quota + 1;
}

static uint64_t
lack_of_space(struct spool *spool, const struct statvfs *fs)
{
	uint64_t whole = (uint64_t)fs->f_blocks * fs->f_frsize;
	uint64_t left = (uint64_t)fs->f_bavail * fs->f_frsize;
	uint64_t least = spool->options.min_free;

	if (least == 0)
		least = whole / 100 * spool->options.min_free_percent;
	least += usage_margin(spool, whole);
	if (left >= least)
		return 0;
	snprintf(spool->usage.reason, sizeof(spool->usage.reason),
	    "free space: %" PRIu64 " bytes left, %" PRIu64 " wanted", left,
	    least);
	return least - left;
}

static uint64_t
lack_of_inodes(struct spool *spool, const struct statvfs *fs)
{
	/* some file systems make them as needed and say 0 */
	if (fs->f_files == 0 || fs->f_favail >= INODES_MIN)
		return 0;
	snprintf(spool->usage.reason, sizeof(spool->usage.reason),
	    "inodes: %" PRIu64 " left, %d wanted", (uint64_t)fs->f_favail,
	    INODES_MIN);
	return 1;
}

/* Bytes to be freed before writing may go on; leaves the reason. */
static uint64_t
usage_lack(struct spool *spool)
{
	struct statvfs fs;
	uint64_t lack = lack_of_quota(spool);

	if (lack == 0 && fstatvfs(spool->dirs.root, &fs) == 0) {
		lack = lack_of_space(spool, &fs);
		if (lack == 0)
			lack = lack_of_inodes(spool, &fs);
	}
	return lack;
}

/* --- drop_oldest --- */

/* Answers the bytes freed. */
static uint64_t
drop_one(struct spool *spool, const struct ready_file *file)
{
	ledger_tell_dropped(spool, file->name);
	if (unlinkat(spool->dirs.ready, file->name, 0) < 0)
		return 0;
	spool->usage.ready -= min_u64(spool->usage.ready, file->size);
	spool_count(&spool->files_dropped, 1);
	return file->size;
}

static void
usage_drop(struct spool *spool, uint64_t lack)
{
	struct ready_scan scan;
	uint64_t freed = 0;
	size_t i, dropped = 0;

	if (!ready_scan(spool, &scan, true))
		return;
	for (i = 0; i < scan.n && freed < lack; i++, dropped++)
		freed += drop_one(spool, &scan.oldest[i]);
	if (dropped > 0 && spool_may_tell(spool, &spool->drop_told))
		spool_say(spool, SPOOL_WARNING,
		    "no room: oldest files in ready/ are deleted, %" PRIu64
		    " since the start",
		    (uint64_t)atomic_load(&spool->files_dropped));
}

static uint64_t
usage_lack_after_drop(struct spool *spool)
{
	uint64_t lack = usage_lack(spool), before;
	int i;

	/* a limit that shows only when writing: one file at a time */
	if (lack == 0 && spool->usage.full && spool->usage.error == EDQUOT)
		usage_drop(spool, 1);
	for (i = 0; lack > 0 && i < DROPS / OLDEST; i++) {
		before = spool->usage.ready;
		usage_drop(spool, lack);
		if (spool->usage.ready == before)
			break;
		lack = usage_lack(spool);
	}
	return lack;
}

/* --- the state --- */

/* Old files give way when room is missed, not at the next look: writing goes on
 * at once if any did. */
static bool
usage_made_room(struct spool *spool)
{
	uint64_t before = atomic_load(&spool->files_dropped);

	return spool->options.drop_oldest &&
	       usage_lack_after_drop(spool) == 0 &&
	       atomic_load(&spool->files_dropped) > before;
}

void
usage_full(struct spool *spool, int error)
{
	struct usage *usage = &spool->usage;

	usage->full = true;
	usage->probing = false;
	usage->error = error;
	snprintf(usage->reason, sizeof(usage->reason), "%s",
	    error ? strerror(error) : "no room for the next line");
	if (!error)
		usage_lack(spool);
	usage->probing = usage_made_room(spool);
}

void
usage_check(struct spool *spool)
{
	struct usage *usage = &spool->usage;
	uint64_t lack;

	if (usage->full || spool->now >= usage->scan)
		usage_count(spool);
	lack = spool->options.drop_oldest ? usage_lack_after_drop(spool)
					  : usage_lack(spool);
	if (lack > 0 && !usage->full)
		usage_full(spool, 0);
	usage->probing = usage->full && lack == 0;
}

size_t
usage_room(struct spool *spool, size_t n)
{
	uint64_t quota = spool->options.quota, used = usage_bytes(spool);

	if (quota == 0 || used + n <= quota)
		return n;
	if (spool->options.drop_oldest) {
		usage_drop(spool, used + n - quota);
		used = usage_bytes(spool);
	}
	return used < quota ? (size_t)min_u64(n, quota - used) : 0;
}

/* A segment that alone could reach a limit would never be published, and
 * nothing could be done about it. */
uint64_t
usage_rotate_size(const struct spool_options *options, size_t count)
{
	uint64_t size =
	    options->rotate_size ? options->rotate_size : UINT64_MAX;
	struct rlimit limit;

	if (options->quota && count)
		size = min_u64(size, options->quota / (4 * count));
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
	    limit.rlim_cur != RLIM_INFINITY)
		size = min_u64(size, (uint64_t)limit.rlim_cur / 2);
	return size;
}
