/*
 * fit - do the streams of sepmlogd have what the presets of targets want?
 */
#ifndef SEPMLOG_FIT_H
#define SEPMLOG_FIT_H

#include <stdbool.h>
#include <stdio.h>

#include "plan.h"

/*
 * Compares a plan, read from `path`, with the configuration of sepmlogd in
 * `other`. NULL: in the usual place, where that can be read and is of the same
 * spool. False: see what was printed to `errors`.
 */
bool fit_check(
    const struct plan *plan, const char *path, const char *other, FILE *errors);

#endif
