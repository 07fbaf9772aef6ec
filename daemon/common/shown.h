/*
 * shown - text of others where people read it.
 *
 * Names of files, texts of databases, names from the network: whatever is not
 * printable ASCII, and the backslash, becomes `\x1b`. So it can neither forge a
 * line nor reach a terminal, and what was there can still be told.
 */
#ifndef SEPMLOG_SHOWN_H
#define SEPMLOG_SHOWN_H

#include <stdarg.h>
#include <stddef.h>

/* Of a byte, at most. */
enum { SHOWN_BYTE = 4 };

/* As much of the text as fits into `size` bytes, with a NUL. Answers its
 * length. */
size_t shown(const char *text, char *out, size_t size);

/* A line on standard error, all of it as it may be shown. Without newline. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same behind `prefix`. */
void complain_list(const char *prefix, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

#endif
