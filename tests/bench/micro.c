/*
 * micro - what each step of a message costs, in one thread and in memory.
 *
 *   micro CORPUS ROUNDS STEPS [SPOOL]
 *
 * CORPUS holds one message per line, SPOOL is a directory for the last step,
 * the fifth. Each step is measured together with all
 * steps before it, so that it finds the caches as it does in the daemon; the
 * table shows what each adds. Of all rounds the fastest counts: everything
 * else is the machine. Cycles are those of the time stamp counter, which do
 * not change with the clock of the core; without one they are left out.
 *
 * Under `valgrind --tool=callgrind` one round is enough: there the number of
 * instructions is what matters, and it does not depend on the machine's load.
 * valgrind cannot run the spool, whose memory is mapped twice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "encode.h"
#include "framing.h"
#include "parser.h"
#include "spool/spool.h"
#include "syslog_header.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum {
	MAX_MESSAGE = 65536,
	READ = 65536,      /* as the daemon reads */
	BUFFER = 16 << 20, /* of the stream */
};

struct input {
	char *p;
	size_t n;
	size_t messages;
};

struct bench {
	struct input in;
	struct sepm_labels labels;
	struct parser *parser;
	struct record record;
	struct timestamp_days days;
	struct message_source source;
	struct spool *spool;
	struct spool_stream *stream;
	char *line;   /* room for one */
	uint64_t sum; /* of what was found, so that nothing is left out */
	size_t out;   /* bytes written by the last round */
};

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t
now_cycles(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	return 0;
#endif
}

static struct input
read_corpus(const char *path)
{
	struct input in = {NULL, 0, 0};
	FILE *f = fopen(path, "rb");
	long size;

	if (f == NULL || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) <= 0)
		die(path);
	rewind(f);
	in.n = (size_t)size;
	in.p = malloc(in.n);
	if (in.p == NULL || fread(in.p, 1, in.n, f) != in.n)
		die(path);
	fclose(f);
	for (size_t i = 0; i < in.n; i++)
		in.messages += in.p[i] == '\n';
	if (in.messages == 0 || in.p[in.n - 1] != '\n') {
		fprintf(stderr, "%s: not a file of lines\n", path);
		exit(1);
	}
	return in;
}

/* --- the steps --- */

typedef void step_fn(struct bench *b, struct span message);

static void
step_framing(struct bench *b, struct span message)
{
	b->sum += message.n;
}

static void
step_header(struct bench *b, struct span message)
{
	struct syslog_header header;

	syslog_header_peel(message, &b->labels, &header, NULL, NULL);
	b->sum += header.body.n;
}

static void
step_parse(struct bench *b, struct span message)
{
	struct message m = {
	    .bytes = message,
	    .length = message.n,
	    .reference = 1718000000,
	    .received_us = 1718000000000000,
	    .peer = SPAN("192.0.2.10"),
	    .transport = SPAN("tcp"),
	};

	parser_parse(b->parser, &m, &b->source, &b->record);
	b->sum += b->record.present[0];
}

static void
step_encode(struct bench *b, struct span message)
{
	char *end;

	step_parse(b, message);
	end = encode_jsonl(&b->record, &b->days, b->line);
	end = encode_jsonl_end(SPAN("3fa94c1e-traffic-12-345678"), end);
	b->out += (size_t)(end - b->line);
}

/* The disk side, too: the ring is emptied to a file when it is full. */
static void
step_append(struct bench *b, struct span message)
{
	size_t most = encode_bound(MAX_MESSAGE, &b->source);
	char *room = spool_reserve(b->stream, most), *end;

	if (room == NULL) {
		spool_flush(b->spool);
		spool_work(b->spool, now_ns() / 1000000);
		room = spool_reserve(b->stream, most);
	}
	if (room == NULL) {
		fprintf(stderr, "micro: the spool makes no room\n");
		exit(1);
	}
	step_parse(b, message);
	end = encode_jsonl(&b->record, &b->days, room);
	end = encode_jsonl_end(SPAN("3fa94c1e-traffic-12-345678"), end);
	spool_append(b->stream, (size_t)(end - room), 1);
	b->out += (size_t)(end - room);
}

static const struct {
	const char *name;
	step_fn *run;
} steps[] = {
    {"framing", step_framing},
    {"header", step_header},
    {"sepm", step_parse},
    {"encode", step_encode},
    {"spool append and write", step_append},
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

/* Frames the corpus as if it came in reads, and hands each message on. */
static void
run_round(struct bench *b, step_fn *step)
{
	struct framing framing;
	struct framing_frame frame;
	size_t begin = 0, end = 0, used, keep;

	framing_init(&framing, MAX_MESSAGE);
	b->out = 0;
	while (end < b->in.n) {
		end = end + READ < b->in.n ? end + READ : b->in.n;
		while (framing_next(&framing,
			   span_between(b->in.p + begin, b->in.p + end), &frame,
			   &used, &keep) == FRAMING_FRAME) {
			begin += used;
			step(b, frame.bytes);
		}
		begin += used;
	}
}

struct cost {
	double ns, cycles; /* per message */
};

static struct cost
measure(struct bench *b, step_fn *step, int rounds)
{
	struct cost best = {0, 0};

	for (int i = 0; i < rounds; i++) {
		uint64_t ns = now_ns(), cycles = now_cycles();
		struct cost c;

		run_round(b, step);
		c.cycles =
		    (double)(now_cycles() - cycles) / (double)b->in.messages;
		c.ns = (double)(now_ns() - ns) / (double)b->in.messages;
		if (i == 0 || c.ns < best.ns)
			best = c;
	}
	return best;
}

static void
print_row(const char *name, struct cost c, double bytes)
{
	printf("| %-22s | %7.1f | %7.0f | %5.2f |\n", name, c.ns, c.cycles,
	    c.cycles > 0 ? bytes / c.cycles : 0.0);
}

static void
open_spool(struct bench *b, const char *directory)
{
	struct spool_options options = {
	    .directory = directory,
	    .rotate_size = UINT64_C(1) << 30,
	    .commit_interval = 100,
	    .commit_bytes = UINT64_C(1) << 20,
	    .buffer = BUFFER,
	};
	struct spool_stream_options stream = {"bench", "jsonl", {"", 0}};
	char why[256];

	b->spool =
	    spool_open(&options, &stream, 1, 1, NULL, NULL, why, sizeof why);
	if (b->spool == NULL) {
		fprintf(stderr, "micro: %s: %s\n", directory, why);
		exit(1);
	}
	b->stream = spool_stream(b->spool, 0);
}

int
main(int argc, char **argv)
{
	static struct bench b;
	int rounds = argc > 2 ? atoi(argv[2]) : 0;
	int count = argc > 3 ? atoi(argv[3]) : -1;
	struct cost before = {0, 0}, all = {0, 0};
	double bytes;

	if (rounds < 1 || count < 0 || count > STEPS ||
	    argc != (count == STEPS ? 5 : 4)) {
		fprintf(stderr, "usage: micro CORPUS ROUNDS STEPS [SPOOL]\n");
		return 2;
	}
	b.in = read_corpus(argv[1]);
	b.source = (struct message_source){
	    .zone = zone_utc(), .codepage = &text_windows_1252};
	sepm_labels_init(&b.labels);
	b.parser = parser_new(MAX_MESSAGE);
	b.line = malloc(encode_bound(MAX_MESSAGE, &b.source));
	if (b.parser == NULL || b.line == NULL)
		die("malloc");
	if (count == STEPS)
		open_spool(&b, argv[4]);

	bytes = (double)b.in.n / (double)b.in.messages;
	printf("%zu messages of %.0f bytes, fastest of %d rounds\n\n"
	       "| step                   |      ns |  cycles | bytes/cycle |\n"
	       "| ---                    |    ---: |    ---: | ---: |\n",
	    b.in.messages, bytes, rounds);
	for (int i = 0; i < count; i++) {
		all = measure(&b, steps[i].run, rounds);
		print_row(steps[i].name,
		    (struct cost){
			all.ns - before.ns, all.cycles - before.cycles},
		    bytes);
		before = all;
	}
	print_row("all of it", all, bytes);
	printf(
	    "\n%.0f bytes per record\n", (double)b.out / (double)b.in.messages);
	return 0;
}
