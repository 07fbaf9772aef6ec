/*
 * ctl - what the commands of sepmlogctl share.
 */
#ifndef SEPMLOG_CTL_H
#define SEPMLOG_CTL_H

/* Exit codes of every command. */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_FINDINGS = 1, /* done, and there is something to look at */
	CTL_USAGE = 2,    /* wrong use */
	CTL_FAILED = 3,   /* could not run */
};

/* Each command gets its own arguments, argv[0] being its name. */
enum ctl_exit ctl_import(int argc, char **argv);
enum ctl_exit ctl_parse(int argc, char **argv);
enum ctl_exit ctl_pull(int argc, char **argv);

#endif
