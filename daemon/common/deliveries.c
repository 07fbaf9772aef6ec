#include "deliveries.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/disk.h"

#define NAME "status"
#define TEMPORARY ".status"

enum { VERSION = 2, LINE = DELIVERY_NAME + DELIVERY_REASON + 9 * 24 };

static bool
write_all(FILE *file, const struct deliveries *d)
{
	fprintf(file, "%" PRId64 " %d\n", d->written, VERSION);
	for (size_t i = 0; i < d->count; i++) {
		const struct delivery *t = &d->target[i];

		fprintf(file,
		    "%s %s %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64
		    " %" PRIu64 " %" PRId64 " %" PRId64 " %s\n",
		    t->name, t->fails ? "fails" : "works", t->since, t->waiting,
		    t->bytes, t->delivered, t->refused, t->last, t->oldest,
		    t->reason);
	}
	return fflush(file) == 0 && ferror(file) == 0;
}

/* Not synced: after a power cut it is written anew. */
bool
deliveries_write(int dir, const struct deliveries *d)
{
	int fd = disk_temporary(dir, TEMPORARY);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool ok;

	if (file == NULL) {
		disk_close(&fd);
		return false;
	}
	ok = write_all(file, d) && fchmod(fd, 0640) == 0;
	ok = fclose(file) == 0 && ok;
	if (ok && renameat(dir, TEMPORARY, dir, NAME) == 0)
		return true;
	disk_discard(dir, TEMPORARY);
	return false;
}

static bool
read_line(const char *line, struct delivery *t)
{
	char state[8];
	int n = 0;

	*t = (struct delivery){.fails = false};
	if (sscanf(line,
		"%32s %7s %" SCNd64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		" %" SCNu64 " %" SCNd64 " %" SCNd64 " %n",
		t->name, state, &t->since, &t->waiting, &t->bytes,
		&t->delivered, &t->refused, &t->last, &t->oldest, &n) != 9)
		return false;
	t->fails = strcmp(state, "fails") == 0;
	snprintf(t->reason, sizeof t->reason, "%.*s",
	    (int)strcspn(line + n, "\n"), line + n);
	return true;
}

static bool
read_all(FILE *file, struct deliveries *d)
{
	char line[LINE];
	int version;

	if (fgets(line, sizeof line, file) == NULL ||
	    sscanf(line, "%" SCNd64 " %d", &d->written, &version) != 2 ||
	    version != VERSION)
		return false;
	for (d->count = 0;
	     d->count < DELIVERIES && fgets(line, sizeof line, file) != NULL;
	     d->count++)
		if (!read_line(line, &d->target[d->count]))
			return false;
	return true;
}

bool
deliveries_read(const char *spool, struct deliveries *d)
{
	char path[4096];
	FILE *file;
	int fd;
	bool ok;

	snprintf(path, sizeof path, "%s/upload/" NAME, spool);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	file = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (file == NULL) {
		disk_close(&fd);
		return false;
	}
	ok = read_all(file, d);
	fclose(file);
	if (!ok)
		errno = EINVAL;
	return ok;
}
