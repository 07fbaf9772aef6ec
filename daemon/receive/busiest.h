/*
 * busiest - where the traffic of the last hour went, for people to see.
 *
 * Fed on the way of each message, so it costs next to nothing there: up to
 * BUSIEST_RATE records a second are counted one by one, of more than that only
 * some, each of which stands for those that were left out. Then the figures are
 * estimates of chance besides what top.h says of its own. Memory is some 4 MB.
 */
#ifndef SEPMLOGD_BUSIEST_H
#define SEPMLOGD_BUSIEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "record.h"
#include "top.h"

enum busiest_table {
	BUSIEST_NAMES,        /* remote name, or address where there is none */
	BUSIEST_APPLICATIONS, /* file name of the program */
	BUSIEST_BLOCKED,      /* remote ends of what was blocked */
	BUSIEST_USERS,
	BUSIEST_HOSTS, /* of the clients */
	BUSIEST_RULES,
	BUSIEST_TABLES
};

enum {
	BUSIEST_RATE = 2000, /* records a second that are counted one by one */
	BUSIEST_ROWS = 10,
};

struct busiest;

/* NULL: no memory, or no random numbers. */
struct busiest *busiest_new(void);
void busiest_free(struct busiest *busiest);

/* A record came; `now` is monotonic ms. Looks at traffic only. */
void busiest_note(
    struct busiest *busiest, const struct record *record, uint64_t now);

/* The largest of 45 minutes to an hour, at most BUSIEST_ROWS of them, good
 * until the next call of any of these; answers how many. */
size_t busiest_list(struct busiest *busiest, enum busiest_table table,
    uint64_t now, const struct top_entry *list[BUSIEST_ROWS]);
/* The share of the traffic's occurrences in that time that have a remote name,
 * in percent; negative: there was none. */
double busiest_named(const struct busiest *busiest, uint64_t now);
/* Was a part of that estimated from samples? */
bool busiest_sampled(const struct busiest *busiest);

#endif
