/*
 * memory - lets the nth allocation fail. For one file of a program that is
 * linked with --wrap=malloc,--wrap=calloc.
 */
#ifndef SEPMLOG_TEST_MEMORY_H
#define SEPMLOG_TEST_MEMORY_H

#include <stddef.h>

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
