#include "block.h"

block16
block_load_copied(const char *p, size_t n)
{
	char bytes[BLOCK] = {0};

	memcpy(bytes, p, n);
	return block_load(bytes);
}
