/*
 * Memory and errors of the config module.
 *
 * Where an error cannot be stored for want of memory, config_errors.incomplete
 * says so: that needs none.
 */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_internal.h"

struct pool_block {
	struct pool_block *next;
	alignas(max_align_t) unsigned char bytes[];
};

void *
pool_take(struct pool *pool, size_t count, size_t size)
{
	struct pool_block *block;

	if (__builtin_mul_overflow(size, count, &size) ||
	    __builtin_add_overflow(size, sizeof(*block), &size))
		return NULL;
	block = calloc(1, size);
	if (!block)
		return NULL;
	block->next = pool->blocks;
	pool->blocks = block;
	return block->bytes;
}

char *
pool_text(struct pool *pool, struct span text)
{
	char *copy = pool_take(pool, text.n + 1, 1);

	if (copy && text.n > 0)
		memcpy(copy, text.p, text.n);
	return copy;
}

void
pool_clear(struct pool *pool)
{
	struct pool_block *next;

	for (; pool->blocks; pool->blocks = next) {
		next = pool->blocks->next;
		free(pool->blocks);
	}
}

/* The list has room up to the next power of two of its count. */
static struct config_error *
error_slot(struct config_errors *errors)
{
	size_t n = errors->count;
	struct config_error *list = errors->list;

	if ((n & (n - 1)) == 0)
		list = reallocarray(list, n == 0 ? 1 : 2 * n, sizeof(*list));
	if (!list)
		return NULL;
	errors->list = list;
	return &list[n];
}

void
config_error_add(struct config_errors *errors, unsigned line, unsigned column,
    const char *key, const char *what)
{
	size_t size = strlen(key) + strlen(what) + sizeof(": ");
	char *text = malloc(size);
	struct config_error *error = text ? error_slot(errors) : NULL;

	if (!error) {
		free(text);
		errors->incomplete = true;
		return;
	}
	snprintf(text, size, "%s%s%s", key, *key ? ": " : "", what);
	*error = (struct config_error){line, column, text};
	errors->count++;
}

void
config_errors_clear(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->list[i].text);
	free(errors->list);
	*errors = (struct config_errors){0};
}
