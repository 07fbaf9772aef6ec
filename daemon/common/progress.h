/*
 * progress - how far it is, on a terminal.
 */
#ifndef SEPMLOG_PROGRESS_H
#define SEPMLOG_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *to;
	bool terminal;         /* one line, drawn again and again */
	uint64_t total;        /* bytes; 0: not known */
	uint64_t begun, drawn; /* monotonic ms */
	bool shown;
	const char *unit; /* of what is counted: `records` */
};

void progress_init(struct progress *progress, FILE *to, uint64_t total);
/* Bytes of `total` that are done, and records; draws now and then. Nothing for
 * NULL. */
void progress_update(
    struct progress *progress, uint64_t done, uint64_t records);
/* Takes the line away, so that something can be printed. */
void progress_hide(struct progress *progress);

/* `12.3 MiB` for people. */
void progress_size(uint64_t bytes, char *out, size_t size);

#endif
