#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "run.h"
#include "spool_box.h"

static const char *const stream_names[] = {"traffic", "access"};

static void
box_report(void *arg, enum spool_level level, const char *text)
{
	struct box *box = arg;

	if (strchr(text, '\n'))
		ck_abort_msg("two lines: %s", text);
	fprintf(box->report_file, "%s%s\n",
	    level == SPOOL_WARNING ? "warning: " : "", text);
	fflush(box->report_file);
}

void
box_init(struct box *box)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	size_t i;

	memset(box, 0, sizeof(*box));
	snprintf(
	    box->directory, sizeof(box->directory), "%s/spool-XXXXXX", base);
	ck_assert_ptr_nonnull(mkdtemp(box->directory));
	ck_assert_int_eq(rmdir(box->directory), 0);
	box->options = (struct spool_options){
	    .directory = box->directory,
	    .rotate_size = 4096,
	    .rotate_age = 60000,
	    .commit_interval = 100,
	    .commit_bytes = 1 << 20,
	    .compress = SPOOL_NONE,
	    .buffer = 1 << 16,
	    .ledger = {.size = 1 << 24, .checksum = true},
	};
	box->streams[BOX_TRAFFIC] = (struct spool_stream_options){
	    stream_names[BOX_TRAFFIC], "jsonl", {NULL, 0}};
	box->streams[BOX_ACCESS] = (struct spool_stream_options){
	    stream_names[BOX_ACCESS], "csv", SPAN(BOX_HEADER)};
	box->now = 1000;
	for (i = 0; i < BOX_STREAMS; i++)
		box->seen[i] = calloc(BOX_RECORDS, 1);
	box->report_file = open_memstream(&box->reports, &box->reports_n);
	ck_assert_ptr_nonnull(box->report_file);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void
box_clear(struct box *box)
{
	size_t i;

	spool_close(box->spool);
	account_free(box->account);
	free(box->ledger);
	nftw(box->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	for (i = 0; i < BOX_STREAMS; i++)
		free(box->seen[i]);
	fclose(box->report_file);
	free(box->reports);
}

bool
box_open(struct box *box)
{
	snprintf(box->why, sizeof(box->why), "(no reason given)");
	box->spool = spool_open(&box->options, box->streams, BOX_STREAMS,
	    box->now, box_report, box, box->why, sizeof(box->why));
	return box->spool != NULL;
}

void
box_must_open(struct box *box)
{
	bool open = box_open(box);

	ck_assert_msg(open, "%s", box->why);
}

void
box_kill(struct box *box)
{
	spool_close(box->spool);
	box->spool = NULL;
}

size_t
box_record(char *line, size_t size, size_t stream, uint32_t number,
    uint64_t segment, uint64_t line_number)
{
	/* of many lengths, so that page ends fall anywhere */
	int pad = (int)(number * 37 % 211), n;

	n = snprintf(line, size,
	    stream == BOX_TRAFFIC ? "{\"number\":%" PRIu32 ",\"id\":\"%" PRIu64
				    "-%" PRIu64 "\",\"text\":\"%0*d\"}\n"
				  : "%" PRIu32 ",%" PRIu64 "-%" PRIu64
				    ",%0*d\r\n",
	    number, segment, line_number, pad, 7);
	if (n >= (int)size)
		ck_abort_msg("a record of %d bytes", n);
	return (size_t)n;
}

bool
box_append(struct box *box, size_t stream)
{
	struct spool_stream *to = spool_stream(box->spool, stream);
	uint64_t segment, line;
	char text[512];
	char *room = spool_reserve(to, sizeof(text));
	size_t n;

	if (!room)
		return false;
	spool_position(to, &segment, &line);
	n = box_record(
	    text, sizeof(text), stream, box->sent[stream], segment, line);
	memcpy(room, text, n);
	spool_append(to, n, box->now);
	box->sent[stream]++;
	return true;
}

void
box_work(struct box *box, uint64_t ms)
{
	uint64_t next;
	int rounds = 0;

	box->now += ms;
	spool_flush(box->spool);
	do {
		next = spool_work(box->spool, box->now);
		if (rounds++ > 100000)
			ck_abort_msg("it never rests");
	} while (next <= box->now);
}

void
box_pass(struct box *box, unsigned seconds)
{
	while (seconds-- > 0)
		box_work(box, 1000);
}

void
box_fill(struct box *box, size_t n)
{
	size_t i, stream;

	for (i = 0; i < n; i++) {
		for (stream = 0; stream < BOX_STREAMS; stream++)
			if (!box_append(box, stream))
				ck_abort_msg("no room");
		box_work(box, 7);
	}
}

struct spool_status
box_status(const struct box *box)
{
	struct spool_status status;

	spool_status(box->spool, &status);
	ck_assert_uint_le(status.committed, status.accepted);
	ck_assert_uint_le(status.published, status.committed);
	return status;
}

void
box_drain(struct box *box)
{
	spool_flush(box->spool);
	ck_assert_msg(
	    spool_drain(box->spool, box->now), "not drained; %s", box->reports);
}

/* --- reading --- */

static char *
file_bytes(const char *path, size_t *n)
{
	FILE *in = fopen(path, "rb");
	char *bytes;
	struct stat st;

	if (!in)
		return NULL;
	ck_assert_int_eq(fstat(fileno(in), &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	ck_assert_ptr_nonnull(bytes);
	*n = fread(bytes, 1, (size_t)st.st_size, in);
	ck_assert_uint_eq(*n, (size_t)st.st_size);
	bytes[*n] = '\0';
	fclose(in);
	return bytes;
}

enum { PLAIN_MAX = 1 << 22 };

static char *
unpack(const char *name, char *packed, size_t *n)
{
	char *plain;
	z_stream z = {0};

	if (strstr(name, ".gz")) {
		plain = malloc(PLAIN_MAX);
		z.next_in = (Bytef *)packed;
		z.avail_in = (uInt)*n;
		z.next_out = (Bytef *)plain;
		z.avail_out = PLAIN_MAX;
		ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
		ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
		ck_assert_uint_eq(z.avail_in, 0);
		*n = PLAIN_MAX - z.avail_out;
		inflateEnd(&z);
	} else if (strstr(name, ".zst")) {
		plain = malloc(PLAIN_MAX);
		*n = ZSTD_decompress(plain, PLAIN_MAX, packed, *n);
		ck_assert_msg(!ZSTD_isError(*n), "%s", name);
	} else {
		return packed;
	}
	free(packed);
	return plain;
}

/* --- the ledger --- */

struct box_lines {
	size_t n;
	struct {
		char name[96]; /* without .gz or .zst */
		uint64_t records, bytes;
		uint8_t sum[SHA256_SIZE];
	} line[BOX_FILES];
};

/* Without what says how it is packed. */
static struct span
plain_name(struct span name)
{
	size_t n = name.n;

	if (n > 3 && memcmp(name.p + n - 3, ".gz", 3) == 0)
		n -= 3;
	else if (n > 4 && memcmp(name.p + n - 4, ".zst", 4) == 0)
		n -= 4;
	return span_take(name, n);
}

static void
ledger_file_cb(void *arg, const struct account_file *file)
{
	struct box_lines *lines = ((struct box *)arg)->ledger;
	struct span name = plain_name(file->name);

	if (lines->n == BOX_FILES || name.n >= sizeof(lines->line[0].name))
		ck_abort_msg("too many files in the ledger");
	memcpy(lines->line[lines->n].name, name.p, name.n);
	lines->line[lines->n].name[name.n] = '\0';
	lines->line[lines->n].records = file->records;
	lines->line[lines->n].bytes = file->bytes;
	if (!file->has_sum)
		ck_abort_msg("%s has no sum", lines->line[lines->n].name);
	memcpy(lines->line[lines->n].sum, file->sum, SHA256_SIZE);
	lines->n++;
}

static void
ledger_say_cb(void *arg, enum account_level level, const char *text)
{
	fprintf(((struct box *)arg)->report_file, "ledger: %s: %s\n",
	    level == ACCOUNT_FINDING ? "finding" : "remark", text);
}

static int
compare_names(const void *a, const void *b)
{
	/* by number: the instance in a name may have been made anew */
	return strcmp(
	    strrchr(*(char *const *)a, '-'), strrchr(*(char *const *)b, '-'));
}

static size_t
ledger_list(struct box *box, char *names[BOX_FILES])
{
	char path[256];
	struct dirent *entry;
	size_t n = 0;
	DIR *list;

	box_path(box, path, "ledger");
	list = opendir(path);
	if (!list)
		return 0;
	while ((entry = readdir(list)))
		if (strncmp(entry->d_name, "ledger-", 7) == 0 && n < BOX_FILES)
			names[n++] = strdup(entry->d_name);
	closedir(list);
	qsort(names, n, sizeof(*names), compare_names);
	return n;
}

/* The `before` in the first line of a file. */
static bool
ledger_before(struct box *box, const char *name, uint8_t before[SHA256_SIZE])
{
	static struct ledger_entry entry;
	char below[160];
	char *bytes;
	size_t n;
	bool ok;

	snprintf(below, sizeof(below), "ledger/%.100s", name);
	bytes = box_get(box, below, &n);
	ok = ledger_parse(span_take(span_of(bytes, n),
			      span_find(span_of(bytes, n), '\n')),
		 &entry) &&
	     sha256_read(ledger_text(&entry, "before"), before);
	free(bytes);
	return ok;
}

static void
ledger_feed(struct box *box, const char *name, const uint8_t *next)
{
	char below[160];
	char *bytes;
	struct span in;
	size_t n, line;

	snprintf(below, sizeof(below), "ledger/%.100s", name);
	bytes = box_get(box, below, &n);
	account_begin_file(box->account, name, next);
	for (in = span_of(bytes, n); in.n > 0; in = span_skip(in, line + 1)) {
		line = span_find(in, '\n');
		account_line(box->account, span_take(in, line), line < in.n);
	}
	account_end_file(box->account);
	free(bytes);
}

const struct account_totals *
box_ledger(struct box *box, uint64_t findings)
{
	struct account_options options = {
	    ledger_say_cb, ledger_file_cb, NULL, NULL, box};
	char *names[BOX_FILES];
	const char *text;
	uint8_t next[SHA256_SIZE];
	size_t i, k, n;

	account_free(box->account);
	free(box->ledger);
	box->ledger = calloc(1, sizeof(*box->ledger));
	box->account = account_new(&options);
	ck_assert(box->ledger && box->account);
	n = ledger_list(box, names);
	for (i = 0; i < n; i++) {
		/* one that was cut short at its first line does not count */
		for (k = i + 1; k < n; k++)
			if (ledger_before(box, names[k], next))
				break;
		ledger_feed(box, names[i], k < n ? next : NULL);
	}
	for (i = 0; i < n; i++)
		free(names[i]);
	account_end(box->account, false);
	/* that a file had to go is always one */
	findings += account_totals(box->account)->dropped;
	fflush(box->report_file);
	text = strstr(box->reports, "ledger: finding");
	ck_assert_msg(account_totals(box->account)->findings == findings,
	    "%.1500s", text ? text : "a finding is missing");
	return account_totals(box->account);
}

/* Its line says what is in it, the last of that name. */
static void
expect_line(struct box *box, const char *file, struct span bytes)
{
	struct span name = plain_name(span_str(file));
	struct sha256 *sha = sha256_new();
	uint8_t sum[SHA256_SIZE];
	size_t i = box->ledger->n;

	while (i > 0 && !span_eq(span_str(box->ledger->line[i - 1].name), name))
		i--;
	ck_assert_msg(i > 0, "%s has no line in the ledger", file);
	ck_assert_uint_eq(box->ledger->line[i - 1].bytes, bytes.n);
	sha256_begin(sha);
	sha256_add(sha, bytes);
	sha256_end(sha, sum);
	sha256_free(sha);
	ck_assert_msg(
	    memcmp(sum, box->ledger->line[i - 1].sum, sizeof(sum)) == 0,
	    "%s: another sum in the ledger", file);
}

static size_t
stream_of(const char *name)
{
	return strncmp(name, "traffic-", 8) == 0 ? BOX_TRAFFIC : BOX_ACCESS;
}

/* No ck_assert where it is passed often: each writes to a file. */
static void
read_record(struct box *box, size_t stream, uint64_t file, const char *name,
    struct span line)
{
	char text[512], again[512];
	uint64_t segment, at;
	uint32_t number;
	const char *format = stream == BOX_TRAFFIC
				 ? "{\"number\":%" SCNu32 ",\"id\":\"%" SCNu64
				   "-%" SCNu64
				 : "%" SCNu32 ",%" SCNu64 "-%" SCNu64;

	if (line.n >= sizeof(text))
		ck_abort_msg("%s: a line of %zu bytes", name, line.n);
	memcpy(text, line.p, line.n);
	text[line.n] = '\0';
	if (sscanf(text, format, &number, &segment, &at) != 3 ||
	    box_record(again, sizeof(again), stream, number, segment, at) !=
		line.n ||
	    memcmp(text, again, line.n) != 0)
		ck_abort_msg("%s: %s", name, text);
	if (!box->renumbered && segment != file)
		ck_abort_msg(
		    "%s has a record of segment %" PRIu64, name, segment);
	if (number >= box->sent[stream])
		ck_abort_msg("%s: %s was never sent", name, text);
	box->seen[stream][number]++;
}

static uint64_t
sum_of(struct span bytes)
{
	uint64_t sum = UINT64_C(14695981039346656037);
	size_t i;

	for (i = 0; i < bytes.n; i++)
		sum =
		    (sum ^ (unsigned char)bytes.p[i]) * UINT64_C(1099511628211);
	return sum;
}

/* Whether the name is new; the same name must mean the same bytes. */
static bool
remember(struct box *box, const char *name, struct span bytes)
{
	uint64_t sum = sum_of(bytes);
	uint32_t i;

	for (i = 0; i < box->files; i++)
		if (strcmp(box->names[i], name) == 0) {
			ck_assert_msg(box->sums[i] == sum,
			    "%s has other bytes now", name);
			return false;
		}
	ck_assert_uint_lt(box->files, BOX_FILES);
	ck_assert_uint_lt(strlen(name), sizeof(box->names[0]));
	memcpy(box->names[box->files], name, strlen(name) + 1);
	box->sums[box->files++] = sum;
	return true;
}

static void
read_file(struct box *box, const char *name, const char *path)
{
	size_t stream = stream_of(name), n = 0;
	uint64_t number = strtoull(strrchr(name, '-') + 1, NULL, 10);
	char *bytes = file_bytes(path, &n);
	struct span in, line;
	struct stat st;

	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0440);
	bytes = unpack(name, bytes, &n);
	in = span_of(bytes, n);
	if (remember(box, name, in)) {
		if (box->options.ledger.size > 0)
			expect_line(box, name, in);
		if (stream == BOX_ACCESS) {
			ck_assert(span_starts(in, SPAN(BOX_HEADER)));
			in = span_skip(in, sizeof(BOX_HEADER) - 1);
		}
		ck_assert_msg(in.n > 0, "%s has no record", name);
		while (in.n) {
			line = span_take(in, span_find(in, '\n') + 1);
			read_record(box, stream, number, name, line);
			in = span_skip(in, line.n);
		}
	}
	free(bytes);
}

void
box_path(const struct box *box, char path[256], const char *fmt, ...)
{
	int n = snprintf(path, 256, "%s/", box->directory);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path + n, 256 - (size_t)n, fmt, ap);
	va_end(ap);
}

void
box_read(struct box *box, bool take)
{
	char path[256];
	struct dirent *entry;
	DIR *list;

	if (box->options.ledger.size > 0)
		box_ledger(box, box->ledger_findings);
	box_path(box, path, "ready");
	list = opendir(path);
	ck_assert_ptr_nonnull(list);
	while ((entry = readdir(list))) {
		if (entry->d_name[0] == '.')
			continue;
		box_path(box, path, "ready/%.200s", entry->d_name);
		read_file(box, entry->d_name, path);
		if (take)
			ck_assert_int_eq(unlink(path), 0);
	}
	closedir(list);
}

uint32_t
box_expect_first(struct box *box, size_t stream)
{
	const unsigned char *seen = box->seen[stream];
	uint32_t i, n = 0;

	while (n < box->sent[stream] && seen[n])
		n++;
	for (i = 0; i < box->sent[stream]; i++)
		if (seen[i] != (i < n))
			ck_abort_msg("%s: record %u of %u was read %u times, "
				     "%u are whole",
			    stream_names[stream], i, box->sent[stream], seen[i],
			    n);
	return n;
}

void
box_expect_all(struct box *box)
{
	size_t stream;

	for (stream = 0; stream < BOX_STREAMS; stream++)
		ck_assert_msg(
		    box_expect_first(box, stream) == box->sent[stream],
		    "%s: %u of %u were read", stream_names[stream],
		    box_expect_first(box, stream), box->sent[stream]);
}

bool
box_told(struct box *box, const char *text)
{
	fflush(box->report_file);
	return strstr(box->reports, text) != NULL;
}

size_t
box_count(const struct box *box, const char *below)
{
	char path[256];
	struct dirent *entry;
	size_t n = 0;
	DIR *list;

	box_path(box, path, "%s", below);
	list = opendir(path);
	ck_assert_msg(list, "%s", path);
	while ((entry = readdir(list)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(list);
	return n;
}

void
box_put(const struct box *box, const char *below, const void *bytes, size_t n)
{
	char path[256];
	FILE *out;

	box_path(box, path, "%s", below);
	out = fopen(path, "wb");
	ck_assert_msg(out, "%s: %s", path, strerror(errno));
	ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	ck_assert_int_eq(fclose(out), 0);
}

char *
box_get(const struct box *box, const char *below, size_t *n)
{
	char path[256];
	char *bytes;

	box_path(box, path, "%s", below);
	bytes = file_bytes(path, n);
	ck_assert_msg(bytes, "%s: %s", path, strerror(errno));
	return bytes;
}

int
box_run(const char *name, const struct box_test *tests, size_t n, SFun setup,
    SFun teardown)
{
	Suite *suite = suite_create(name);
	TCase *tcase;
	size_t i;

	for (i = 0; i < n; i++) {
		tcase = tcase_create(tests[i].tcase);
		tcase_add_checked_fixture(tcase, setup, teardown);
		tcase_set_timeout(tcase, 120);
		tcase_add_loop_test(
		    tcase, tests[i].test, tests[i].from, tests[i].to);
		suite_add_tcase(suite, tcase);
	}
	return run_suite(suite);
}
