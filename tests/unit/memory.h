/*
 * memory - lets the nth allocation fail. For one file of a program that is
 * linked with --wrap=malloc,--wrap=calloc.
 */
#ifndef SEPMLOG_TEST_MEMORY_H
#define SEPMLOG_TEST_MEMORY_H

#include <stddef.h>

/* With link time optimisation the linker does not see the library's calls. */
#ifdef SEPMLOG_LTO
enum { MEMORY_CAN_FAIL = 0 };
#else
enum { MEMORY_CAN_FAIL = 1 };
#endif

static size_t allocations, failing; /* the failing-th fails; 0: none does */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_malloc(size_t size)
{
	return ++allocations == failing ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return ++allocations == failing ? NULL : __real_calloc(count, size);
}

#endif
