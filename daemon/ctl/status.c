/*
 * sepmlogctl status - what the daemon says of itself (sepmlogd(8), Status).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "ctl.h"
#include "settings.h"

enum { EVERY = 2 }; /* s between two looks */

static const char usage_text[] =
    "usage: sepmlogctl status [OPTION...]\n"
    "\n"
    "Shows what sepmlogd does: rates, losses by cause, each sender, and what\n"
    "is wrong and what to do about it.\n"
    "\n"
    "  -c, --config FILE  where status.listen stands (" CTL_CONFIG ")\n"
    "  -j, --json         the same for programs\n"
    "  -w, --watch        again every two seconds, until interrupted\n"
    "  -h, --help\n"
    "\n"
    "Exit: 0 it takes and stores messages, 1 it does not, 2 wrong use,\n"
    "3 it cannot be asked.\n";

struct options {
	const char *config;
	bool json, watch;
};

/* --- showing --- */

static enum ctl_exit
show_once(const struct config_status *where, const struct options *options)
{
	unsigned code = 0, ready = 0;
	char *text =
	    ask(where, options->json ? "/status.json" : "/status.txt", &code);
	char *state = text != NULL ? ask(where, "/readyz", &ready) : NULL;

	free(state);
	if (text == NULL || state == NULL) {
		free(text);
		fprintf(stderr, "sepmlogctl: status: %s: %s\n", where->listen,
		    ask_why());
		return CTL_FAILED;
	}
	if (options->watch && isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	fputs(text, stdout);
	fflush(stdout);
	free(text);
	return code == 200 && ready == 200 ? CTL_DONE : CTL_FINDINGS;
}

static enum ctl_exit
show(const struct config_status *where, const struct options *options)
{
	const struct timespec pause = {.tv_sec = EVERY};
	enum ctl_exit result = show_once(where, options);

	while (options->watch && result != CTL_FAILED) {
		nanosleep(&pause, NULL);
		result = show_once(where, options);
	}
	return result;
}

static bool
read_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"json", no_argument, NULL, 'j'},
	    {"watch", no_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:jw", names, NULL)) != -1)
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 'w':
			options->watch = true;
			break;
		default:
			return false;
		}
	return optind == argc;
}

enum ctl_exit
ctl_status(int argc, char **argv)
{
	struct options options = {.config = CTL_CONFIG};
	struct settings *settings;
	const struct config *config;
	enum ctl_exit result;

	if (argc > 1 &&
	    (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage_text, stdout);
		return CTL_DONE;
	}
	if (!read_options(argc, argv, &options)) {
		fputs(usage_text, stderr);
		return CTL_USAGE;
	}
	settings = settings_load(options.config, stderr);
	if (settings == NULL)
		return CTL_FAILED;
	config = settings_config(settings);
	if (config->status.listen == NULL) {
		fprintf(stderr,
		    "%s: has no status.listen, so sepmlogd cannot be asked; "
		    "add `status: { listen: /run/sepmlogd/status.sock }` and "
		    "restart it\n",
		    options.config);
		result = CTL_FAILED;
	} else {
		result = show(&config->status, &options);
	}
	settings_free(settings);
	return result;
}
