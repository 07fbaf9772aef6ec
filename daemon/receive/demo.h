/*
 * demo - a configuration to try the daemon with: no privilege, this machine
 * only, port 5514, plain files that are closed every minute.
 */
#ifndef SEPMLOGD_DEMO_H
#define SEPMLOGD_DEMO_H

/* Its text, with `directory` as the spool. Free it. NULL: no memory. */
char *demo_text(const char *directory);

#endif
