#include "arena.h"

#include <stdlib.h>

bool
arena_init(struct arena *a, size_t size)
{
	a->base = malloc(size);
	a->size = a->base ? size : 0;
	a->used = 0;
	return a->base != NULL;
}

void
arena_clear(struct arena *a)
{
	free(a->base);
	*a = (struct arena){0};
}
