#include "reveal_audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "escaped.h"
#include "spool/disk.h"
#include "timestamp.h"

struct reveal_audit {
	int fd;
	const char *reason;
	char *user;       /* of the real uid; NULL: it has no name */
	const char *sudo; /* who has called sudo, as that says; may be NULL */
	bool whole;       /* the file ends with a line */
};

static void
sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash == NULL ? strdup(".")
			  : slash == path
			      ? strdup("/")
			      : strndup(path, (size_t)(slash - path));
	int fd = directory == NULL
		     ? -1
		     : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* a line of it is synced, too: what fails here fails there */
	if (fd >= 0)
		fsync(fd);
	disk_close(&fd);
	free(directory);
}

/* Does it end within a line? Then someone was killed there. */
static bool
ends_whole(const char *path, off_t size)
{
	char last = '\n';
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || (size > 0 && pread(fd, &last, 1, size - 1) != 1))
		last = '\0';
	disk_close(&fd);
	return last == '\n';
}

static bool
check(const struct stat *st, const char *path, char *why, size_t size)
{
	if (!S_ISREG(st->st_mode)) {
		snprintf(why, size, "%s: not a regular file", path);
		return false;
	}
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		snprintf(why, size, "%s: others can change it: chmod go-w %s",
		    path, path);
		return false;
	}
	return true;
}

struct reveal_audit *
reveal_audit_open(const char *path, const char *reason, char *why, size_t size)
{
	struct reveal_audit *a = calloc(1, sizeof *a);
	struct passwd *entry;
	struct stat st;

	snprintf(why, size, "no memory");
	if (a == NULL)
		return NULL;
	a->reason = reason;
	a->fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY |
		O_NONBLOCK,
	    0600);
	if (a->fd < 0 || fstat(a->fd, &st) < 0) {
		snprintf(why, size,
		    "%s: %s: nothing is revealed where it cannot be written "
		    "down; say another file by --audit",
		    path, strerror(errno));
		reveal_audit_close(a);
		return NULL;
	}
	if (!check(&st, path, why, size)) {
		reveal_audit_close(a);
		return NULL;
	}
	sync_directory(path);
	a->whole = ends_whole(path, st.st_size);
	entry = getpwuid(getuid());
	if (entry != NULL)
		a->user = strdup(entry->pw_name);
	a->sudo = getenv("SUDO_USER");
	return a;
}

void
reveal_audit_close(struct reveal_audit *a)
{
	if (a == NULL)
		return;
	disk_close(&a->fd);
	free(a->user);
	free(a);
}

static void
put_string(FILE *out, const char *text)
{
	struct span rest = span_str(text), piece;
	char room[ESCAPED_ROOM];

	fputc('"', out);
	while (rest.n > 0) {
		piece = escaped_next(&rest, ESCAPED_QUOTED, room);
		fwrite(piece.p, 1, piece.n, out);
	}
	fputc('"', out);
}

static void
put_line(const struct reveal_audit *a, FILE *out, const char *token, bool found)
{
	char time[TIMESTAMP_RFC3339_US + 1] = "";
	struct timestamp_days days = {0};

	timestamp_format_us(clock_utc(), &days, time);
	fprintf(out, "%s{\"time\":\"%.*s\",\"uid\":%u", a->whole ? "" : "\n",
	    TIMESTAMP_RFC3339_US, time, (unsigned)getuid());
	if (a->user != NULL) {
		fputs(",\"user\":", out);
		put_string(out, a->user);
	}
	if (a->sudo != NULL) {
		fputs(",\"sudo_user\":", out);
		put_string(out, a->sudo);
	}
	fputs(",\"token\":", out);
	put_string(out, token);
	fputs(",\"reason\":", out);
	put_string(out, a->reason);
	fprintf(out, ",\"found\":%s}\n", found ? "true" : "false");
}

bool
reveal_audit_add(struct reveal_audit *a, const char *token, bool found)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	bool done;

	if (out == NULL)
		return false;
	put_line(a, out, token, found);
	/* in one write: of two who append, none gets into the other's line */
	done = fclose(out) == 0 && disk_write(a->fd, span_of(text, n), NULL);
	a->whole = a->whole || done;
	free(text);
	return done;
}

bool
reveal_audit_sync(struct reveal_audit *a)
{
	return fsync(a->fd) == 0;
}
