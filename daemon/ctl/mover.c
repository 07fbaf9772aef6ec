#include "mover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/disk.h"

enum { NAMES_MAX = 100000 }; /* of one name */

static bool
make(const char *directory, const char *sub)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/%s", directory, sub) >=
	    (int)sizeof path) {
		errno = ENAMETOOLONG;
		return false;
	}
	return (mkdir(path, 0750) == 0 || errno == EEXIST) &&
	       access(path, W_OK | X_OK) == 0;
}

bool
mover_prepare(const char *directory)
{
	return access(directory, W_OK | X_OK) == 0 && make(directory, "done") &&
	       make(directory, "failed");
}

/* Splits a path; the directory part has room for more. */
static bool
split(const char *path, char directory[PATH_MAX], const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 1;

	*name = slash != NULL ? slash + 1 : path;
	if (n + NAME_MAX >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return false;
	}
	snprintf(directory, PATH_MAX, "%.*s", (int)n,
	    slash == NULL ? "."
	    : n > 0       ? path
			  : "/");
	return true;
}

/* The first free of `name`, `name.1`, ... that the move can take. */
static bool
move_to(const char *path, const char *sub, char to[PATH_MAX])
{
	char directory[PATH_MAX];
	const char *name;

	if (!split(path, directory, &name) || !make(directory, sub))
		return false;
	for (int i = 0; i < NAMES_MAX; i++) {
		int n = i == 0 ? snprintf(to, PATH_MAX, "%s/%s/%s", directory,
				     sub, name)
			       : snprintf(to, PATH_MAX, "%s/%s/%s.%d",
				     directory, sub, name, i);

		if (n < 0 || n >= PATH_MAX) {
			errno = ENAMETOOLONG;
			return false;
		}
		if (disk_move(AT_FDCWD, path, AT_FDCWD, to))
			return true;
		if (errno != EEXIST)
			return false;
	}
	return false;
}

bool
mover_done(const char *path)
{
	char to[PATH_MAX];

	return move_to(path, "done", to);
}

bool
mover_failed(const char *path, const char *reason)
{
	char to[PATH_MAX], text[PATH_MAX];
	FILE *file;

	if (!move_to(path, "failed", to))
		return false;
	if (snprintf(text, sizeof text, "%s.reason", to) >= (int)sizeof text)
		return true; /* it was said; only this copy is missing */
	file = fopen(text, "we");
	if (file != NULL) {
		fprintf(file, "%s\n", reason);
		fclose(file);
	}
	return true;
}

bool
mover_add(struct mover *m, const char *path, const struct stat *st)
{
	struct moving *file;

	if (m->files == NULL)
		m->files = calloc(MOVER_MAX, sizeof *m->files);
	if (m->files == NULL || m->count == MOVER_MAX)
		return false;
	file = &m->files[m->count];
	file->path = strdup(path);
	file->st = *st;
	m->count += file->path != NULL;
	return file->path != NULL;
}

/* What was written since has not been imported. */
static bool
is_unchanged(const struct moving *file)
{
	struct stat st;

	if (lstat(file->path, &st) < 0)
		return false;
	if (st.st_dev == file->st.st_dev && st.st_ino == file->st.st_ino &&
	    st.st_size == file->st.st_size &&
	    st.st_mtim.tv_sec == file->st.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == file->st.st_mtim.tv_nsec)
		return true;
	errno = ESTALE;
	return false;
}

void
mover_move(struct mover *m, mover_failed_cb *failed, void *arg)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct moving *file = &m->files[i];

		if ((!is_unchanged(file) || !mover_done(file->path)) &&
		    errno != ENOENT)
			failed(arg, file->path);
		free(file->path);
	}
	m->count = 0;
}

void
mover_clear(struct mover *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->files[i].path);
	free(m->files);
	*m = (struct mover){0};
}
