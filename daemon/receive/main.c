#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credentials.h"
#include "demo.h"
#include "keyfile.h"
#include "log.h"
#include "server.h"

#define DEFAULT_CONFIG "/etc/sepmlogd/sepmlogd.yaml"

/* As the man page has them. */
enum { DONE = 0, FINDINGS = 1, WRONG_USE = 2, CANNOT_RUN = 3 };

enum { LARGE = 32 * 1024 }; /* bytes of an allocation */

static const char usage[] =
    "usage: sepmlogd [-n] [-c FILE | -d DIR [-a ADDRESS]]\n"
    "       sepmlogd -V | -h\n"
    "\n"
    "Receives Symantec Endpoint Protection Manager logs and keeps them as\n"
    "normalized records in files. Runs in the foreground, logs to standard\n"
    "error.\n"
    "\n"
    "  -c FILE  the configuration; default " DEFAULT_CONFIG "\n"
    "  -d DIR   no configuration: listen on this machine's port 5514, udp\n"
    "           and tcp, and keep the records below DIR\n"
    "  -a ADDR  with -d: listen on this address instead\n"
    "  -n       only check the configuration\n"
    "  -V       print the version\n"
    "  -h       print this\n"
    "\n"
    "SIGHUP reads the configuration again, SIGUSR1 closes the files that are\n"
    "being written, SIGTERM stores everything and ends.\n";

struct options {
	const char *config;
	const char *demo, *address;
	bool check;
};

static void
print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) == 0 ? DONE : CANNOT_RUN);
}

static void
parse_options(struct options *options, int argc, char **argv)
{
	int c;

	*options = (struct options){0};
	/* --help and --version, as people try them first. */
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		print_and_exit(usage);
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		print_and_exit("sepmlogd " SEPMLOG_VERSION "\n");
	while ((c = getopt(argc, argv, "a:c:d:nVh")) != -1) {
		switch (c) {
		case 'a':
			options->address = optarg;
			break;
		case 'c':
			options->config = optarg;
			break;
		case 'd':
			options->demo = optarg;
			break;
		case 'n':
			options->check = true;
			break;
		case 'V':
			print_and_exit("sepmlogd " SEPMLOG_VERSION "\n");
			break;
		case 'h':
			print_and_exit(usage);
			break;
		default:
			fputs(usage, stderr);
			exit(WRONG_USE);
		}
	}
	if (optind < argc || (options->config && options->demo) ||
	    (options->address && !options->demo)) {
		fputs(usage, stderr);
		exit(WRONG_USE);
	}
}

/* The keys of private streams. */
static bool
check_key(const struct config *config, const char *name)
{
	char why[512];
	struct vaulter_key vault;
	struct privacy *privacy;
	bool good;

	if (!config_is_private(config))
		return true;
	privacy = keyfile_privacy(config, 1, why, sizeof why);
	good =
	    privacy != NULL && keyfile_vault(config, &vault, why, sizeof why);
	if (!good)
		fprintf(stderr, "%s: %s\n", name, why);
	privacy_free(privacy);
	return good;
}

/* The configuration, and the files that it names. */
static int
check(struct origin *origin)
{
	struct settings *settings = origin_load(origin, stderr);
	struct credentials credentials;
	bool good;

	if (settings == NULL)
		return FINDINGS;
	good = credentials_load(
	    &credentials, settings_config(settings), origin->name, stderr);
	good = check_key(settings_config(settings), origin->name) && good;
	credentials_clear(&credentials);
	settings_free(settings);
	if (!good)
		return FINDINGS;
	printf("%s: ok\n", origin->name);
	return fflush(stdout) == 0 ? DONE : CANNOT_RUN;
}

/* Each connection takes a descriptor. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int
run(const struct origin *origin)
{
	struct server *server;
	bool all_stored;

	umask(0027);
	raise_descriptor_limit();
	server = server_new(origin);
	if (server == NULL)
		return CANNOT_RUN;
	all_stored = server_run(server);
	server_free(server);
	return all_stored ? DONE : FINDINGS;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct origin origin = {0};
	char *text = NULL;
	int result;

	parse_options(&options, argc, argv);
	log_init();
	/* What connections keep of long messages goes back to the system with
	 * them: it is the most of all memory when many do so at once. */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	origin.name = options.config ? options.config : DEFAULT_CONFIG;
	if (options.demo != NULL) {
		text = demo_text(options.demo, options.address);
		if (text == NULL)
			fatal("-d %s", options.demo);
		origin = (struct origin){"-d", span_str(text)};
	}
	result = options.check ? check(&origin) : run(&origin);
	free(text);
	return result;
}
