/*
 * demo - a configuration to try the daemon with: no privilege, port
 * 5514, on this machine only unless told, plain files of a minute.
 */
#ifndef SEPMLOGD_DEMO_H
#define SEPMLOGD_DEMO_H

/* Its text, with `directory` as the spool, for `address` or, if that is NULL,
 * the loopback addresses. Free it. NULL: no memory. */
char *demo_text(const char *directory, const char *address);

#endif
