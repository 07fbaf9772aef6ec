/*
 * file - small files in one piece.
 */
#ifndef SEPMLOG_FILE_H
#define SEPMLOG_FILE_H

#include <stddef.h>

/*
 * The bytes of a file, to be freed, and their number in *n; at most `max`.
 * NULL: errno says why, EFBIG when there are more.
 */
char *file_read(const char *path, size_t max, size_t *n);

#endif
