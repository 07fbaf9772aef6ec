/*
 * clear_names - is a name of a list anywhere in a finished file?
 *
 * A name counts as it is and in each way that a format can write it: JSON's
 * and CEF's backslashes, percent, doubled quotes, base64 of what could not be
 * parsed; letters without case. One of 6 bytes or more counts anywhere, a
 * shorter one unless a letter is next to it, an address unless a letter or
 * digit is (pseudonym_found).
 */
#ifndef SEPMLOG_CLEAR_NAMES_H
#define SEPMLOG_CLEAR_NAMES_H

#include "ctl.h"

struct clear_names;

/* The names of a file, one a line. NULL: it has said why. */
struct clear_names *clear_names_load(const char *path);
void clear_names_free(struct clear_names *names);

/* Prints what it finds, and a sum. */
enum ctl_exit clear_names_check(struct clear_names *names, const char *file);

#endif
