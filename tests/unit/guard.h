/*
 * guard - bytes right before an unreadable page: the first byte read past
 * their end is a crash.
 */
#ifndef SEPMLOG_TEST_GUARD_H
#define SEPMLOG_TEST_GUARD_H

#include <check.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "span.h"

struct guard {
	char *base;  /* `room` bytes, then the unreadable page */
	size_t room; /* whole pages */
	size_t page;
};

static inline void
guard_open(struct guard *g, size_t room)
{
	g->page = (size_t)sysconf(_SC_PAGESIZE);
	g->room = (room + g->page) / g->page * g->page;
	g->base = mmap(NULL, g->room + g->page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(g->base, MAP_FAILED);
	ck_assert_int_eq(mprotect(g->base + g->room, g->page, PROT_NONE), 0);
}

static inline void
guard_close(struct guard *g)
{
	munmap(g->base, g->room + g->page);
}

/* A copy of the bytes at the end of the room. */
static inline struct span
guard_place(struct guard *g, struct span bytes)
{
	char *p = g->base + g->room - bytes.n;

	if (bytes.n > g->room)
		ck_abort_msg("no room for %zu bytes", bytes.n);
	if (bytes.n > 0)
		memcpy(p, bytes.p, bytes.n);
	return span_of(p, bytes.n);
}

#endif
