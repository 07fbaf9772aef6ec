/*
 * reveal_audit - who has looked what tokens stand for, when and why.
 *
 * A file of JSON lines that is only appended to. A line is on the disk before
 * its answer is given.
 */
#ifndef SEPMLOG_REVEAL_AUDIT_H
#define SEPMLOG_REVEAL_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

struct reveal_audit;

/* Opens the file, made if missing with mode 0600. Borrows `reason`. NULL:
 * `why` (of `size` bytes) says why, and what to do. */
struct reveal_audit *reveal_audit_open(
    const char *path, const char *reason, char *why, size_t size);
void reveal_audit_close(struct reveal_audit *audit);

/* Adds the line of a token. False: errno; nothing is to be shown then. */
bool reveal_audit_add(
    struct reveal_audit *audit, const char *token, bool found);
/* Makes what was added durable. False: as above. */
bool reveal_audit_sync(struct reveal_audit *audit);

#endif
