/*
 * bulk - the answer of Elasticsearch and OpenSearch to a _bulk request: what
 * became of each of its items.
 */
#ifndef SEPMLOG_UPLOAD_BULK_H
#define SEPMLOG_UPLOAD_BULK_H

#include <stdbool.h>
#include <stddef.h>

#include "span.h"

struct bulk_item {
	long status;
	struct span type, reason; /* of its error, as JSON has them; n == 0 */
};

/* Calls back with each item, in the request's order. Answers how many there
 * were; *whole says whether the answer ends as JSON does. */
size_t bulk_read(struct span answer,
    void (*item)(void *arg, size_t i, const struct bulk_item *item), void *arg,
    bool *whole);

#endif
