/*
 * faults - lets the Nth disk call of the code under test fail.
 *
 * The linker sends the calls here (--wrap, see CMakeLists.txt). A sync that
 * fails marks its file: to sync it again succeeds, as it does on real file
 * systems, and keeps nothing, so both that and any write to it are counted as
 * misuse.
 */
#ifndef SEPMLOG_TEST_FAULTS_H
#define SEPMLOG_TEST_FAULTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_call {
	FAULT_ANY,
	FAULT_OPEN,
	FAULT_WRITE,
	FAULT_READ,
	FAULT_DATASYNC, /* of a file */
	FAULT_DIRSYNC,  /* fsync, which is only called for directories ... */
	FAULT_TRUNCATE,
	FAULT_RENAME,
	FAULT_LINK,
	FAULT_UNLINK,
	FAULT_CHMOD,
	FAULT_MKDIR,
	FAULT_STAT,
	FAULT_STATVFS,
	FAULT_READDIR,
	FAULT_LOCK,
	FAULT_DIRECT, /* to do without the page cache */
	FAULT_MEMORY,
	FAULT_RANDOM,
	FAULT_HEAP, /* malloc and realloc; not one of FAULT_ANY, as Check's own
		     * assertions make them */
	FAULT_CALLS,
};

/* As `nth`: none fails, but how each call came about is noted. */
#define FAULTS_NONE LONG_MAX

struct faults {
	enum fault_call call; /* which kind of call */
	long nth;             /* fails, from 1; 0: none does */
	bool for_good;        /* and all after it */
	int error;            /* 0: a write writes nothing */
	size_t part;          /* of a failing write is done all the same */
	/* results */
	long calls; /* so many of that kind were made */
	long hits;  /* so many failed */
	size_t misuse;
	long direct; /* writes that were to do without the page cache */
};

extern struct faults faults;

void faults_arm(
    enum fault_call call, long nth, bool for_good, int error, size_t part);
void faults_disarm(void);
/* How the call came about that was the nth (from 1) under FAULTS_NONE: two
 * numbers are equal if its kind and all functions on the stack are. */
uint64_t faults_way(long nth);
void faults_lossy(void);
/* From now on there are no hard links. */
void faults_linkless(void);
/* Whether the file, by descriptor, had a failed sync. */
bool faults_poisoned(int fd);
/* Forgets them. */
void faults_clear(void);

#endif
