/*
 * names - what files and directories of a spool are called.
 *
 *   live/<stream>/<number>.<extension>.open
 *   ready/<stream>-<instance>-<number>.<extension>[.gz|.zst]
 *
 * A number has 16 digits.
 */
#ifndef SEPMLOG_SPOOL_NAMES_H
#define SEPMLOG_SPOOL_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "../span.h"

#define SPOOL_NAME_MAX 32
#define SPOOL_EXTENSION_MAX 15
#define SPOOL_INSTANCE 8
#define SPOOL_PATH 160 /* any name the spool makes */
#define SPOOL_NUMBER_MAX UINT64_C(9000000000000000) /* fits 16 digits */

struct segment;

bool name_stream_ok(const char *name);
bool name_extension_ok(const char *extension);
void name_live(char name[SPOOL_PATH], uint64_t number, const char *extension);
void name_ready(char name[SPOOL_PATH], const struct segment *segment);
/* Both leave what they cannot find unset and answer false. */
bool name_parse_live(const char *name, uint64_t *number,
    char extension[SPOOL_EXTENSION_MAX + 1]);
bool name_parse_ready(const char *name, struct span *stream, uint64_t *number);
/* For a report: at most `size` bytes, nothing unprintable. */
void name_show(char *shown, size_t size, const char *name);

#endif
