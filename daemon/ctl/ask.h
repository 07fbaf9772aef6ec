/*
 * ask - a page of the daemon's status (sepmlogd(8), Status).
 */
#ifndef SEPMLOG_ASK_H
#define SEPMLOG_ASK_H

#include "config.h"

/* The body of the page, to be freed, and its code of HTTP. NULL: errno. */
char *ask(const struct config_status *where, const char *path, unsigned *code);
/* What errno says after that, and what to do. */
const char *ask_why(void);

#endif
