/*
 * preview - what would go where, without doing it.
 */
#ifndef SEPMLOG_UPLOAD_PREVIEW_H
#define SEPMLOG_UPLOAD_PREVIEW_H

#include <stdio.h>

#include "plan.h"

/*
 * Prints to `out` the files of ready/, each with the targets that have yet to
 * get it, and how much that is for each target. Only reads: another uploader
 * may be at work. Where the spool cannot be read, that is said.
 */
void preview_show(const struct plan *plan, FILE *out);

#endif
