/*
 * encode_value - one field of a record as the native JSON has it; of the
 * encoders only.
 */
#ifndef SEPMLOG_ENCODE_VALUE_H
#define SEPMLOG_ENCODE_VALUE_H

#include "record.h"
#include "timestamp.h"

/* Is there a value? What is in arrays and flags counts with or without its
 * bit. */
bool encode_has(const struct record *r, enum record_field f);
/* The value without a key; nothing for an empty one. */
char *encode_value(const struct record *r, enum record_field f,
    struct timestamp_days *days, char *out);

#endif
