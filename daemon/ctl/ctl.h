/*
 * ctl - what the commands of sepmlogctl share.
 */
#ifndef SEPMLOG_CTL_H
#define SEPMLOG_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

/* Exit codes of every command. */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_FINDINGS = 1, /* done, and there is something to look at */
	CTL_USAGE = 2,    /* wrong use */
	CTL_FAILED = 3,   /* could not run */
};

/* Each command gets its own arguments, argv[0] being its name. */
enum ctl_exit ctl_check_file(int argc, char **argv);
enum ctl_exit ctl_doctor(int argc, char **argv);
enum ctl_exit ctl_import(int argc, char **argv);
enum ctl_exit ctl_parse(int argc, char **argv);
enum ctl_exit ctl_pull(int argc, char **argv);
enum ctl_exit ctl_report(int argc, char **argv);
enum ctl_exit ctl_reveal(int argc, char **argv);
enum ctl_exit ctl_status(int argc, char **argv);
enum ctl_exit ctl_verify(int argc, char **argv);

/* Where the configuration is when no option says it. */
#define CTL_CONFIG "/etc/sepmlogd/sepmlogd.yaml"

/* FNV-1a of a name: a set of those need not hold the names. */
uint64_t ctl_hash(struct span name);

/* What an option that is a time has to look like. */
#define CTL_TIME "give a time as 2024-06-30T00:00:00Z"

/* Such a time, UTC where it names no zone, in seconds since 1970 and what is
 * left of one (may be NULL). False: it is none. */
bool ctl_time(const char *text, int64_t *seconds, unsigned *microsecond);

#endif
