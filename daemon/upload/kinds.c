#include "kinds.h"

#include "dir.h"

enum { PATH = 1024 };

/* --- dir --- */

static void
read_method(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {{"copy", 4}, {"link", 4}};
	bool *link = out;

	(void)key;
	*link = schema_word(l, node, words, SCHEMA_COUNT(words)) == 1;
}

#define DIR_(member) offsetof(struct dir_options, member)

/* clang-format off */
static const struct schema_key dir_keys[] = {
	/* name, reader, place, bounds, default */
	{ "directory", schema_path, DIR_(directory), 1, PATH, SCHEMA_MUST },
	{ "method",    read_method, DIR_(link),      0, 0,    "copy" },
};
/* clang-format on */

/* --- all --- */

#define KEYS(table) table, SCHEMA_COUNT(table)

const struct kind kinds[] = {
    {&target_dir, sizeof(struct dir_options), KEYS(dir_keys), NULL},
};

const size_t kinds_count = SCHEMA_COUNT(kinds);

_Static_assert(SCHEMA_COUNT(kinds) <= KINDS_MAX, "plan.c has room for less");
