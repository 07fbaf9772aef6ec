/*
 * store - bytes in a file so that a power cut does not take them, with their
 * SHA-256: the least that any spool with such promises has to do for them.
 *
 * A thread hashes, writes past the page cache and syncs while the caller fills
 * the next buffer. Errors end the program.
 */
#ifndef SEPMLOG_BENCH_STORE_H
#define SEPMLOG_BENCH_STORE_H

#include <stddef.h>

struct store;

struct store *store_open(const char *path);

/* Copies n bytes, and waits where the disk is behind. */
void store_put(struct store *store, const char *bytes, size_t n);

/* Answers when the last of them was written (moment_of_day); 0: none was. */
double store_close(struct store *store);

#endif
