/*
 * tally - how many connections each source address has.
 */
#ifndef SEPMLOGD_TALLY_H
#define SEPMLOGD_TALLY_H

#include <netinet/in.h>

struct tally;

/* The entry of one address; there as long as it counts something. */
struct tally_entry;

struct tally *tally_new(void);
void tally_free(struct tally *tally); /* once nothing counts any more */

/* One more for the address; NULL: no memory. */
struct tally_entry *tally_add(
    struct tally *tally, const struct in6_addr *address);
unsigned tally_count(const struct tally_entry *entry);
/* One less. */
void tally_drop(struct tally_entry *entry);

#endif
