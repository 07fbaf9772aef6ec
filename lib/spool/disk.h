/*
 * disk - file work that more than one part of the spool needs.
 *
 * Whatever answers bool answers false with errno set. Everything is relative
 * to a directory descriptor and nothing follows a symbolic link.
 */
#ifndef SEPMLOG_SPOOL_DISK_H
#define SEPMLOG_SPOOL_DISK_H

#include <stdint.h>
#include <sys/stat.h>

#include "../span.h"

/* No space, quota or file size left: gives way when someone cleans up. */
bool disk_is_full(int error);

/* All of it. After a failure `*done`, if wanted, is how much went out. */
bool disk_write(int fd, struct span bytes, size_t *done);
/* The same past the page cache: the bytes and the end of the file are at whole
 * pages. EINVAL: the file system cannot. */
bool disk_write_direct(int fd, struct span bytes, size_t *done);
/* The bytes of `from` in [start, end) to the end of `to`. */
bool disk_copy(int from, int to, uint64_t start, uint64_t end);
/* As read(2), but less than `size` only at the end of the file. */
bool disk_read(int fd, uint64_t at, char *buffer, size_t size, size_t *n);

/* A regular file to read; ELOOP if the name is anything else. */
int disk_open(int dir, const char *name, struct stat *st);
/* A new, empty file in place of any other of that name. */
int disk_temporary(int dir, const char *name);
/* Moves without overwriting: EEXIST. */
bool disk_move(int from_dir, const char *from, int to_dir, const char *to);
/* Gone, now or before. */
bool disk_remove(int dir, const char *name);
/* The same after a failure, whose errno is kept. */
void disk_discard(int dir, const char *name);
/* Closes; keeps errno. */
void disk_close(int *fd);

/* Calls back with each name but `.` and `..`. */
typedef void disk_name_cb(void *arg, const char *name);
bool disk_list(int dir, disk_name_cb *cb, void *arg);

#endif
