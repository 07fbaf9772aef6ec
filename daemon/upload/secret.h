/*
 * secret - a password, token or private key from a file of its own.
 *
 * Nobody but the user that the program runs as, and root, may be able to read
 * the file: its mode is 0600 or less, or an access control list names that
 * user alone, as systemd's LoadCredential= makes it.
 */
#ifndef SEPMLOG_UPLOAD_SECRET_H
#define SEPMLOG_UPLOAD_SECRET_H

#include <stdbool.h>
#include <stddef.h>

enum { SECRET_MAX = 64 * 1024 };

/* Zeroed: none. */
struct secret {
	char *text; /* without one newline at the end; a NUL comes after it */
	size_t n;
};

/* False: *secret is zeroed, and `why` (of `size` bytes) says what is wrong and
 * what to do. No byte of the file is in it. */
bool secret_read(
    const char *path, struct secret *secret, char *why, size_t size);

/* The same of each, and nothing of them is kept; NULL: it need not be there.
 * What cannot be read at the start cannot be later either. */
bool secret_can_read(
    const char *const *files, size_t count, char *why, size_t size);

/* Wipes and frees it. */
void secret_clear(struct secret *secret);

#endif
