/*
 * sepmload - SEPM messages for a receiver on the loopback interface.
 *
 * Sends numbered messages (corpus.h) and prints one JSON object: how many, how
 * many bytes, how long until the kernel had taken them, the processor time
 * that took, and when it began.
 */
#include <arpa/inet.h>
#include <err.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "load.h"
#include "moment.h"

static const char usage_text[] =
    "usage: sepmload [option...] PORT   or   sepmload --dump [--corpus N]\n"
    "  --count N      messages to send (1000000)\n"
    "  --udp          datagrams; else TCP\n"
    "  --tls          TCP inside TLS, without a look at the certificate\n"
    "  --counted      TCP: octet counted frames; else lines\n"
    "  --sockets N    connections, or sources of datagrams (1)\n"
    "  --rate N       UDP: messages a second; 0, the default: no limit\n"
    "  --batch N      UDP: most datagrams for a system call, to 64 (64)\n"
    "  --corpus N     distinct messages (100000)\n"
    "  --seconds S    give up after that time (120)\n"
    "  --host ADDR    an address in 127.0.0.0/8 (127.0.0.1)\n"
    "  --dump         print the corpus, a message a line\n";

struct command {
	struct load_options load;
	size_t corpus;
	bool udp, counted, dump;
};

static void
usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

static uint64_t
read_number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < min || n > max)
		errx(2, "%s: not a number from %llu to %llu", text,
		    (unsigned long long)min, (unsigned long long)max);
	return n;
}

/* It floods: nothing but this machine may be hit. */
static void
read_host(const char *text, struct in_addr *address)
{
	if (inet_pton(AF_INET, text, address) != 1 ||
	    ntohl(address->s_addr) >> 24 != 127)
		errx(2, "%s: not an address in 127.0.0.0/8", text);
}

static void
read_option(struct command *command, int option, const char *value)
{
	struct load_options *load = &command->load;

	switch (option) {
	case 'n':
		load->count = read_number(value, 1, 9999999999);
		break;
	case 'u':
		command->udp = true;
		break;
	case 'o':
		command->counted = true;
		break;
	case 's':
		load->sockets = read_number(value, 1, 10000);
		break;
	case 'r':
		load->rate = (double)read_number(value, 0, 100000000);
		break;
	case 'b':
		load->batch = read_number(value, 1, 64);
		break;
	case 'c':
		command->corpus = read_number(value, 1, 10000000);
		break;
	case 't':
		load->seconds = (double)read_number(value, 1, 86400);
		break;
	case 'l':
		load->tls = true;
		break;
	case 'h':
		read_host(value, &load->to.sin_addr);
		break;
	case 'd':
		command->dump = true;
		break;
	default:
		usage();
	}
}

static void
read_command(struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
	    {"count", required_argument, NULL, 'n'},
	    {"udp", no_argument, NULL, 'u'},
	    {"counted", no_argument, NULL, 'o'},
	    {"tls", no_argument, NULL, 'l'},
	    {"sockets", required_argument, NULL, 's'},
	    {"rate", required_argument, NULL, 'r'},
	    {"batch", required_argument, NULL, 'b'},
	    {"corpus", required_argument, NULL, 'c'},
	    {"seconds", required_argument, NULL, 't'},
	    {"host", required_argument, NULL, 'h'},
	    {"dump", no_argument, NULL, 'd'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		read_option(command, option, optarg);
	if (argc - optind != (command->dump ? 0 : 1))
		usage();
	if (!command->dump)
		command->load.to.sin_port =
		    htons((uint16_t)read_number(argv[optind], 1, 65535));
	if (command->corpus < command->load.sockets)
		errx(2, "each connection needs a message of the corpus");
}

static void
report(const struct load_result *result, double cpu)
{
	printf("{\"sent\": %llu, \"bytes\": %llu, \"seconds\": %.6f, "
	       "\"cpu\": %.3f, \"start\": %.6f}\n",
	    (unsigned long long)result->sent, (unsigned long long)result->bytes,
	    result->seconds, cpu, result->start);
}

int
main(int argc, char **argv)
{
	struct command command = {
	    .load = {.to = {.sin_family = AF_INET},
		.count = 1000000,
		.sockets = 1,
		.batch = 64,
		.seconds = 120},
	    .corpus = 100000,
	};
	struct load_result result;
	struct corpus corpus;
	double cpu;

	command.load.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	read_command(&command, argc, argv);
	corpus_init(&corpus, command.corpus,
	    command.counted ? CORPUS_COUNTED
	    : command.udp   ? CORPUS_BARE
			    : CORPUS_LF);
	if (command.dump) {
		for (size_t i = 0; i < corpus.count; i++)
			fwrite(corpus.message[i].frame, 1,
			    corpus.message[i].size, stdout);
	} else {
		cpu = moment_cpu();
		result = command.udp ? load_udp(&command.load, &corpus)
				     : load_tcp(&command.load, &corpus);
		report(&result, moment_cpu() - cpu);
	}
	corpus_clear(&corpus);
	if (fflush(stdout) != 0)
		err(3, "standard output");
	return 0;
}
