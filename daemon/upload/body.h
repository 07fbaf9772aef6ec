/*
 * body - the content of a request, put together piece by piece, packed with
 * gzip or not. It has a fixed size; what finds no room is left out, and
 * body_end says so.
 */
#ifndef SEPMLOG_UPLOAD_BODY_H
#define SEPMLOG_UPLOAD_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

struct body;

/* Room for `size` bytes. NULL: no memory. */
struct body *body_new(size_t size, bool gzip);
void body_free(struct body *body);

void body_begin(struct body *body);
void body_put(struct body *body, struct span bytes);
void body_put_str(struct body *body, const char *text);
void body_put_number(struct body *body, int64_t number);
/* With its quotes; what is not UTF-8 becomes U+FFFD. */
void body_put_json(struct body *body, struct span text);
/* What that takes at most. */
size_t body_json_size(struct span text);
/* False: it had no room. The bytes are good until body_begin. */
bool body_end(struct body *body, struct span *bytes);

#endif
