/*
 * site - the registrable domain of a host's name (`a.b.example.co.uk` is of
 * `example.co.uk`), by the Public Suffix List that libpsl was built with.
 *
 * Names come again and again: what was looked up of late is remembered, in
 * memory of a fixed size.
 */
#ifndef SEPMLOG_SITE_H
#define SEPMLOG_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "hash.h"
#include "span.h"

struct sites;

/* NULL: no memory. */
struct sites *sites_new(struct hash_key key);
void sites_free(struct sites *sites);

/*
 * In lower case, without a dot at its end, good until the next call. A name
 * that has no registrable domain (`intranet`, `co.uk`) or is longer than names
 * can be (253 bytes) is its own.
 */
struct span sites_of(struct sites *sites, struct span name);

/* The day of the list, `2023-02-09`, to `out`; false: it does not say. */
enum { SITES_DAY = 11 };
bool sites_day(char out[SITES_DAY]);

#endif
