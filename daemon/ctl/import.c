/*
 * sepmlogctl import - SEPM text in files into the spool, each content once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "importer.h"
#include "mover.h"
#include "progress.h"
#include "settings.h"
#include "shown.h"
#include "spool/names.h"
#include "watch.h"

enum {
	KEEP = 100000,
	KEEP_MAX = 10000000,
	SETTLE = 5,             /* s */
	RESCAN = 30000,         /* ms */
	SETTLE_MAX = 3600,      /* s */
	MARGIN_MAX = 30 * 86400 /* s */
};

static const char usage_text[] =
    "usage: sepmlogctl import [OPTION...] FILE|DIR...\n"
    "       sepmlogctl import [OPTION...] --watch DIR\n"
    "\n"
    "SEPM text in FILEs, or in all files below DIRs, into the spool. Plain\n"
    "text, gzip and zstd files and zip archives are told apart by content. A\n"
    "content is imported once. `-` is standard input.\n"
    "\n"
    "  -c FILE        the configuration; default " CTL_CONFIG "\n"
    "  --from ADDR    read the files as messages of this sender: its source\n"
    "                 in the configuration says zone and code page\n"
    "  --now T        reference for a missing year, as 2024-06-30T00:00:00Z\n"
    "                 (default: the time of the file)\n"
    "  --again        import known contents, too\n"
    "  --dedup PATH   leave out events that are in these records: JSON lines,\n"
    "                 packed or not, or a directory of them (such as ready/)\n"
    "  --fill-gaps    take only what is missing: events of the times in which\n"
    "                 the daemon's ledger counted a loss, that are not in the\n"
    "                 spool (files that were taken from it: --dedup)\n"
    "  --margin S     seconds before and behind such a time (default 3600)\n"
    "  --ignore-taken events of files that were taken may come twice\n"
    "  -n             with --fill-gaps: import nothing, only show\n"
    "  --move         move what was imported to done/ beside it\n"
    "  --keep N       contents to remember (default 100000)\n"
    "  --progress     show progress even if it goes to no terminal\n"
    "\n"
    "  --watch DIR    import files as they appear in DIR, until SIGTERM\n"
    "  --settle S     seconds without a change until a file is complete\n"
    "                 (default 5)\n"
    "  --follow GLOB  names of files that are read while they grow, beside\n"
    "                 *.tmp\n";

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

struct options {
	const char *config;
	const char *from;
	int64_t now;
	size_t keep;
	bool again, move, progress;
	bool fill_gaps, ignore_taken, only_show;
	int64_t margin;             /* s */
	struct known *known;        /* NULL: nothing to compare with */
	struct watch_options watch; /* directory NULL: not */
	size_t globs;
};

struct import {
	const struct options *options;
	struct importer *importer;
	struct progress *progress; /* NULL: not shown */
	struct mover mover;
	bool failed; /* something could not be imported */
	bool stopped;
};

static void __attribute__((format(printf, 2, 3)))
say(struct import *im, const char *fmt, ...)
{
	va_list ap;

	progress_hide(im->progress);
	va_start(ap, fmt);
	complain_list("sepmlogctl import: ", fmt, ap);
	va_end(ap);
}

/* --- files that were named --- */

static void
not_moved(void *arg, const char *path)
{
	struct import *im = arg;

	say(im, "%s was imported, but not moved to done/: %s", path,
	    strerror(errno));
	im->failed = true;
}

static bool
commit(struct import *im)
{
	if (!importer_commit(im->importer)) {
		im->failed = im->stopped = true;
		return false;
	}
	mover_move(&im->mover, not_moved, im);
	return true;
}

static void
taken(struct import *im, const char *path, const struct stat *st)
{
	if (!im->options->move || !S_ISREG(st->st_mode))
		return;
	if (im->mover.count == MOVER_MAX && !commit(im))
		return;
	if (!mover_add(&im->mover, path, st)) {
		errno = ENOMEM;
		not_moved(im, path);
	}
}

static void
answered(struct import *im, const char *path, const struct stat *st,
    enum importer_answer answer)
{
	switch (answer) {
	case IMPORTER_TAKEN:
	case IMPORTER_KNOWN:
		taken(im, path, st);
		break;
	case IMPORTER_HOPELESS:
		say(im, "%s: %s: nothing of it was imported", path,
		    importer_why(im->importer));
		im->failed = true;
		break;
	case IMPORTER_BROKEN:
		say(im, "%s: %s: imported up to there", path,
		    importer_why(im->importer));
		im->failed = true;
		break;
	case IMPORTER_LATER:
		say(im, "%s: %s", path, importer_why(im->importer));
		im->failed = im->stopped = true;
		break;
	case IMPORTER_STOPPED:
		say(im, "%s: stopped: run this again to go on", path);
		im->failed = im->stopped = true;
		break;
	}
}

static void
import_fd(struct import *im, int fd, const char *path)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		say(im, "%s: %s", path, strerror(errno));
		im->failed = true;
		return;
	}
	if (S_ISDIR(st.st_mode))
		return;
	answered(im, path, &st, importer_file(im->importer, fd, path, &st));
	if (!im->stopped && importer_due(im->importer))
		commit(im);
}

static void
import_file(struct import *im, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	import_fd(im, fd, path);
	if (fd >= 0)
		close(fd);
}

/* --- trees --- */

typedef void path_cb(struct import *im, const char *path, uint64_t size);

static int
by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Every file, whose name does not begin with a dot; links are not followed
 * but where they were named. */
static void
walk(struct import *im, char *root, path_cb *cb)
{
	char *roots[] = {root, NULL};
	FTS *tree = fts_open(
	    roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	FTSENT *entry;

	while (
	    tree != NULL && !im->stopped && (entry = fts_read(tree)) != NULL) {
		bool hidden = entry->fts_level > 0 && entry->fts_name[0] == '.';

		if (entry->fts_info == FTS_D && hidden)
			fts_set(tree, entry, FTS_SKIP);
		else if (entry->fts_info == FTS_F && !hidden)
			cb(im, entry->fts_path,
			    (uint64_t)entry->fts_statp->st_size);
		else if (entry->fts_info == FTS_DEFAULT &&
			 entry->fts_level == 0)
			cb(im, entry->fts_path, 0); /* a pipe was named */
		else if (entry->fts_info == FTS_ERR ||
			 entry->fts_info == FTS_NS ||
			 entry->fts_info == FTS_DNR) {
			errno = entry->fts_errno;
			cb(im, entry->fts_path, UINT64_MAX);
		}
	}
	if (tree != NULL)
		fts_close(tree);
}

static void
add_size(struct import *im, const char *path, uint64_t size)
{
	(void)path;
	if (size != UINT64_MAX)
		im->progress->total += size;
}

static void
import_path(struct import *im, const char *path, uint64_t size)
{
	if (size == UINT64_MAX) {
		say(im, "%s: %s", path, strerror(errno));
		im->failed = true;
		return;
	}
	import_file(im, path);
}

static void
import_all(struct import *im, int count, char **names)
{
	for (int i = 0; i < count && im->progress != NULL; i++)
		if (strcmp(names[i], "-") != 0)
			walk(im, names[i], add_size);
	for (int i = 0; i < count && !im->stopped; i++) {
		if (strcmp(names[i], "-") == 0)
			import_fd(im, STDIN_FILENO, "-");
		else
			walk(im, names[i], import_path);
	}
	progress_hide(im->progress);
	commit(im);
}

static void
print_summary(struct import *im, struct intake_counts *records)
{
	struct importer_counts files;

	importer_counts(im->importer, &files, records);
	printf("%" PRIu64 " files imported, %" PRIu64
	       " skipped (known content), %" PRIu64 " failed\n%" PRIu64
	       " records",
	    files.files, files.known, files.failed, records->records);
	for (size_t i = 0; i < RECORD_TYPE_COUNT; i++)
		if (records->by_type[i] > 0)
			printf(", %" PRIu64 " %.*s", records->by_type[i],
			    (int)record_type_name[i].n, record_type_name[i].p);
	if (files.events > 0)
		printf("; %" PRIu64 " more had come another way", files.events);
	if (im->options->fill_gaps)
		printf("; %" PRIu64 " outside of the gaps", files.outside);
	if (files.timeless > 0)
		printf("; %" PRIu64 " without a time, not imported",
		    files.timeless);
	if (im->options->only_show)
		printf("; %" PRIu64 " would be imported", files.counted);
	if (records->filtered > 0)
		printf("; %" PRIu64 " of them in no stream", records->filtered);
	putchar('\n');
	fflush(stdout);
}

static enum ctl_exit
run_files(struct import *im, int count, char **names)
{
	struct intake_counts records;
	struct progress progress;

	progress_init(&progress, stderr, 0);
	if (progress.terminal || im->options->progress)
		im->progress = &progress;
	import_all(im, count, names);
	print_summary(im, &records);
	im->progress = NULL;
	mover_clear(&im->mover);
	if (im->failed)
		return CTL_FAILED;
	return records.by_type[RECORD_UNPARSED] > 0 ? CTL_FINDINGS : CTL_DONE;
}

/* --- all of it --- */

static void
catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static bool
find_source(const struct options *o, const struct config *config,
    const struct message_source **source)
{
	struct in6_addr address;
	char mapped[INET6_ADDRSTRLEN + 8];

	*source = &config->fallback;
	if (o->from == NULL)
		return true;
	snprintf(mapped, sizeof mapped, "%s%s",
	    strchr(o->from, ':') != NULL ? "" : "::ffff:", o->from);
	if (inet_pton(AF_INET6, mapped, &address) != 1) {
		complain(
		    "sepmlogctl import: --from %s: give an address such as "
		    "192.0.2.5",
		    o->from);
		return false;
	}
	*source = config_source_of(config, &address);
	return true;
}

/* --- gaps --- */

static bool
gaps_fail(const char *why)
{
	complain("sepmlogctl import: --fill-gaps: %s", why);
	return false;
}

/* Files that were taken may hold what would then come again. */
static bool
check_taken(const struct options *o, const struct gaps *gaps)
{
	char why[512], name[SPOOL_PATH], text[1024];
	size_t count;

	if (o->ignore_taken)
		return true;
	if (!gaps_missing(
		gaps, o->known, &count, name, sizeof name, why, sizeof why))
		return gaps_fail(why);
	if (count == 0)
		return true;
	snprintf(text, sizeof text,
	    "%zu files, such as %s, were taken from ready/ and may hold events "
	    "of these times: say where they are by --dedup, or --ignore-taken",
	    count, name);
	return gaps_fail(text);
}

static bool
read_known(const struct options *o)
{
	char why[512], text[640];

	if (!known_read(o->known, true, why, sizeof why))
		return gaps_fail(why);
	if (known_without_key(o->known) == 0)
		return true;
	snprintf(text, sizeof text,
	    "%" PRIu64 " records in the spool have no event_key and cannot be "
	    "compared: set event_key: yes; for the time before it there is "
	    "only import",
	    known_without_key(o->known));
	return gaps_fail(text);
}

/* The importer is open: what an earlier one committed is in ready/ now. */
static bool
find_gaps(
    const struct options *o, const struct config *config, struct gaps **gaps)
{
	const char *spool = config->spool.directory;
	char why[512];

	*gaps = gaps_new(spool, o->margin, why, sizeof why);
	if (*gaps == NULL)
		return gaps_fail(why);
	gaps_print(*gaps, stdout);
	printf("%zu gaps\n", gaps_count(*gaps));
	fflush(stdout);
	if (!known_add_spool(o->known, spool, why, sizeof why))
		return gaps_fail(why);
	return check_taken(o, *gaps) && read_known(o);
}

static enum ctl_exit
run(const struct options *o, const struct config *config, int count,
    char **names)
{
	struct import im = {.options = o};
	struct gaps *gaps = NULL;
	struct importer_options options = {
	    .now = o->now,
	    .keep = o->keep,
	    .again = o->again,
	    .known = o->known,
	    .only_count = o->only_show,
	    .patient = o->watch.directory != NULL,
	    .stop = &stop,
	    .progress = NULL,
	};
	enum ctl_exit answer;

	if (!find_source(o, config, &options.source))
		return CTL_USAGE;
	catch_signals();
	im.importer = importer_open(config, &options);
	if (im.importer == NULL)
		return CTL_FAILED;
	if (o->fill_gaps && !find_gaps(o, config, &gaps))
		answer = CTL_FAILED;
	else if (o->watch.directory != NULL)
		answer = watch_run(im.importer, config, &o->watch) ? CTL_DONE
								   : CTL_FAILED;
	else {
		importer_fill(im.importer, gaps);
		answer = run_files(&im, count, names);
	}
	importer_close(im.importer);
	gaps_free(gaps);
	return answer;
}

/* --- options --- */

static bool
wrong(const char *option, const char *value, const char *what)
{
	complain("sepmlogctl import: --%s %s: %s", option, value, what);
	return false;
}

static bool
set_number(const char *option, const char *value, unsigned long max,
    unsigned long *number)
{
	char what[64], *end;

	*number = strtoul(value, &end, 10);
	if (span_isdigit(value[0]) && *end == '\0' && *number >= 1 &&
	    *number <= max)
		return true;
	snprintf(what, sizeof what, "give a number from 1 to %lu", max);
	return wrong(option, value, what);
}

static bool
set_now(struct options *o, const char *value)
{
	return ctl_time(value, &o->now, NULL) || wrong("now", value, CTL_TIME);
}

static bool
set_follow(struct options *o, const char *value)
{
	if (o->globs == WATCH_GLOBS)
		return wrong("follow", value, "there are too many already");
	o->watch.follow[o->globs++] = value;
	return true;
}

static bool
add_known(struct options *o, const char *path)
{
	char why[512] = "no memory";

	if (o->known == NULL)
		o->known = known_new();
	if (o->known != NULL && known_add(o->known, path, why, sizeof why))
		return true;
	complain("sepmlogctl import: --dedup: %s", why);
	return false;
}

/* Here, as wrong paths are wrong use. */
static bool
read_dedup(struct options *o)
{
	char why[512];

	if (known_read(o->known, false, why, sizeof why))
		return true;
	complain("sepmlogctl import: --dedup: %s", why);
	return false;
}

static bool
set_option(struct options *o, int option, const char *value)
{
	unsigned long number;

	switch (option) {
	case 'c':
		o->config = value;
		return true;
	case 'f':
		o->from = value;
		return true;
	case 't':
		return set_now(o, value);
	case 'a':
		return o->again = true;
	case 'd':
		return add_known(o, value);
	case 'F':
		if (o->known == NULL)
			o->known = known_new();
		return o->known != NULL && (o->fill_gaps = true);
	case 'M':
		if (!set_number("margin", value, MARGIN_MAX, &number))
			return false;
		o->margin = (int64_t)number;
		return true;
	case 'I':
		return o->ignore_taken = true;
	case 'n':
		return o->only_show = true;
	case 'm':
		return o->move = true;
	case 'p':
		return o->progress = true;
	case 'k':
		if (!set_number("keep", value, KEEP_MAX, &number))
			return false;
		o->keep = number;
		return true;
	case 'w':
		o->watch.directory = value;
		return true;
	case 's':
		if (!set_number("settle", value, SETTLE_MAX, &number))
			return false;
		o->watch.settle = number * 1000;
		return true;
	case 'g':
		return set_follow(o, value);
	default:
		fputs(usage_text, stderr);
		return false;
	}
}

/* False: *answer is the exit code. */
static bool
read_options(struct options *o, int argc, char **argv, enum ctl_exit *answer)
{
	static const struct option long_options[] = {
	    {"from", required_argument, NULL, 'f'},
	    {"now", required_argument, NULL, 't'},
	    {"again", no_argument, NULL, 'a'},
	    {"dedup", required_argument, NULL, 'd'},
	    {"fill-gaps", no_argument, NULL, 'F'},
	    {"margin", required_argument, NULL, 'M'},
	    {"ignore-taken", no_argument, NULL, 'I'},
	    {"move", no_argument, NULL, 'm'},
	    {"progress", no_argument, NULL, 'p'},
	    {"keep", required_argument, NULL, 'k'},
	    {"watch", required_argument, NULL, 'w'},
	    {"settle", required_argument, NULL, 's'},
	    {"follow", required_argument, NULL, 'g'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	*answer = CTL_USAGE;
	while ((option = getopt_long(argc, argv, "c:hn", long_options, NULL)) !=
	       -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			*answer = CTL_DONE;
			return false;
		}
		if (!set_option(o, option, optarg))
			return false;
	}
	if ((o->watch.directory != NULL) == (optind < argc) ||
	    (o->fill_gaps && o->watch.directory != NULL) ||
	    (!o->fill_gaps && (o->only_show || o->ignore_taken)) ||
	    (o->only_show && o->move)) {
		fputs(usage_text, stderr);
		return false;
	}
	return o->fill_gaps || o->known == NULL || read_dedup(o);
}

enum ctl_exit
ctl_import(int argc, char **argv)
{
	struct options o = {
	    .config = CTL_CONFIG,
	    .keep = KEEP,
	    .margin = GAPS_MARGIN,
	    .watch = {.settle = SETTLE * 1000,
		.rescan = RESCAN,
		.follow = {"*.tmp"},
		.stop = &stop},
	    .globs = 1,
	};
	struct settings *settings;
	enum ctl_exit answer;

	if (!read_options(&o, argc, argv, &answer)) {
		known_free(o.known);
		return answer;
	}
	settings = settings_load(o.config, stderr);
	if (settings == NULL)
		return CTL_FAILED;
	umask(0027);
	answer =
	    run(&o, settings_config(settings), argc - optind, argv + optind);
	settings_free(settings);
	known_free(o.known);
	return answer;
}
