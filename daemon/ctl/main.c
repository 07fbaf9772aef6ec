/*
 * sepmlogctl - the command beside the daemon.
 */
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "shown.h"

struct command {
	const char *name;
	enum ctl_exit (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
    {"check-file", ctl_check_file, "does a file look as its target wants it?"},
    {"doctor", ctl_doctor, "why does nothing arrive?"},
    {"import", ctl_import, "SEPM text in files into the spool"},
    {"parse", ctl_parse, "SEPM text in files or standard input to records"},
    {"pull", ctl_pull, "SEPM's database into the spool"},
    {"report", ctl_report, "who talked to whom: records added up"},
    {"reveal", ctl_reveal, "what does a token stand for? with the private key"},
    {"status", ctl_status, "what the daemon does, and what is wrong"},
    {"verify", ctl_verify, "is anything missing? the ledger against files"},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void
usage(FILE *to)
{
	fputs("usage: sepmlogctl COMMAND [OPTION...] [ARGUMENT...]\n"
	      "       sepmlogctl COMMAND --help\n\ncommands:\n",
	    to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(
		    to, "  %-10s %s\n", commands[i].name, commands[i].summary);
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return CTL_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return CTL_DONE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("sepmlogctl " SEPMLOG_VERSION);
		return CTL_DONE;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return (int)commands[i].run(argc - 1, argv + 1);
	complain("sepmlogctl: %s: no such command", argv[1]);
	usage(stderr);
	return CTL_USAGE;
}
