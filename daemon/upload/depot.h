/*
 * depot - the directories that the uploader works with.
 *
 *   <spool>/ready/              what is to be delivered
 *   <spool>/ledger/             what sepmlogd says of it, see stated.h
 *   <spool>/sent/               what was, with `after: keep`
 *   <spool>/upload/status       see deliveries.h
 *   <spool>/upload/lock         one uploader at a time
 *   <spool>/upload/receipts/    see receipts.h
 *   <spool>/upload/state/       <file>@<target>: how far a delivery got
 *   <spool>/upload/quarantine/  files that a target refuses, each beside
 *                               <file>.reason; and single records of
 *                               others: <file>@<target>.rejects
 *
 * Whatever answers bool answers false with errno set.
 */
#ifndef SEPMLOG_DEPOT_H
#define SEPMLOG_DEPOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "spool/names.h"

struct depot {
	int spool, upload, lock, receipts, state, quarantine;
	char instance[SPOOL_INSTANCE + 1];
};

/* Makes what is missing and takes the lock. False: `why` (of `size` bytes). */
bool depot_open(struct depot *depot, const char *spool, char *why, size_t size);
void depot_close(struct depot *depot);

/* Anew each time: it may have been replaced. -1: errno. */
int depot_ready(const struct depot *depot);
int depot_ledger(const struct depot *depot);
/* A regular file of ready/ to read. -1: errno. */
int depot_take(const struct depot *depot, const char *name, struct stat *st);

bool depot_delete(const struct depot *depot, const char *name);
bool depot_keep(const struct depot *depot, const char *name);
bool depot_quarantine(
    const struct depot *depot, const char *name, const char *reason);
/* Adds whole lines to <file>@<target>.rejects, durably. */
bool depot_reject(const struct depot *depot, const char *name,
    const char *target, struct span lines);
/* Removes the oldest files of a kind: beyond so many bytes, and last changed
 * more than so many ms ago. Answers how many. */
enum depot_kept { DEPOT_SENT, DEPOT_REJECTS };
size_t depot_prune(const struct depot *depot, enum depot_kept kind,
    uint64_t age, uint64_t size);

/* A short text for a file and target; "" if there is none. */
void depot_journal_read(const struct depot *depot, const char *name,
    const char *target, char *text, size_t size);
bool depot_journal_write(const struct depot *depot, const char *name,
    const char *target, const char *text);
void depot_journal_remove(
    const struct depot *depot, const char *name, const char *target);
/* Calls back with each; what has no such name, as writes that were cut off
 * leave it, is removed. The callback may remove it. */
bool depot_journal_each(const struct depot *depot,
    void (*cb)(void *arg, const char *name, const char *target), void *arg);

#endif
