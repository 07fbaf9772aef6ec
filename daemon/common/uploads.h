/*
 * uploads - what sepmlog-upload says of its targets, for status and doctor.
 *
 * The file is the uploader's: its text is escaped here before it is shown.
 */
#ifndef SEPMLOG_UPLOADS_H
#define SEPMLOG_UPLOADS_H

#include <stdbool.h>
#include <stdio.h>

#include "deliveries.h"

/* Does it run, as far as can be told? */
bool uploads_is_fresh(const struct deliveries *deliveries);
/* `12 min` since a time in seconds. */
void uploads_since(int64_t time, char *out, size_t size);

/* A table; and a member of an object, `"uploads":{...}`. */
void uploads_text(const struct deliveries *deliveries, FILE *out);
void uploads_json(const struct deliveries *deliveries, FILE *out);

#endif
