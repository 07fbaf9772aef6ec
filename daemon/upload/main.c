/*
 * sepmlog-upload - delivers the finished files of a spool.
 *
 * This thread looks after the directory: it finds new files, and takes away
 * those that all their targets are done with. The crew delivers.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "crew.h"
#include "fit.h"
#include "forget.h"
#include "log.h"
#include "preview.h"
#include "spool/disk.h"
#include "stated.h"

#define DEFAULT_CONFIG "/etc/sepmlogd/sepmlog-upload.yaml"

/* As the man page has them. */
enum { DONE = 0, FINDINGS = 1, WRONG_USE = 2, CANNOT_RUN = 3 };

enum {
	SCAN = 30 * 1000,      /* ms between scans, if inotify(7) is silent */
	PRUNE = 60 * 1000,     /* ms between looks at sent/ */
	AGAIN = 1000,          /* ms until what failed is tried again */
	GATHER = 100,          /* ms in which deliveries share one sync */
	DRAW = 250,            /* ms */
	TELL = 1000,           /* ms between writes of how targets do */
	TELL_LATE = 20 * 1000, /* ms, where nothing happens */
	BATCH = 128,           /* files that are freed with one sync */
	TEXT = 1024,
	REASONS = PLAN_TARGETS * (TARGET_REMOTE + 64),
};

static const char usage[] =
    "usage: sepmlog-upload [-c FILE] [--once]\n"
    "       sepmlog-upload --forget TARGET [-c FILE]\n"
    "       sepmlog-upload -n [-c FILE] [-s FILE]\n"
    "       sepmlog-upload -V | -h\n"
    "\n"
    "Delivers the finished files of sepmlogd's spool to every configured "
    "target,\n"
    "and deletes a file once all of them have it. Runs in the foreground, "
    "logs to\n"
    "standard error.\n"
    "\n"
    "  -c FILE  the configuration; default " DEFAULT_CONFIG "\n"
    "  -n       only check the configuration and the credentials it names, and "
    "show\n"
    "           which files would go where\n"
    "  -s FILE  with -n: the configuration of sepmlogd, whose streams have to "
    "fit\n"
    "           the presets; default /etc/sepmlogd/sepmlogd.yaml, if it is "
    "there\n"
    "  --once   deliver what is there, each file with one try, and end\n"
    "  --forget TARGET\n"
    "           give up what is under way for a target, there and here, and "
    "end;\n"
    "           before it is taken out of the configuration\n"
    "  -V       print the version\n"
    "  -h       print this\n"
    "\n"
    "SIGHUP reads the configuration again, SIGTERM ends.\n";

struct options {
	const char *config, *sepmlogd;
	const char *forget; /* a target */
	bool check, once;
};

struct upload {
	const struct options *options;
	struct plan *plan;
	struct depot depot;
	struct receipts *receipts;
	struct stated *stated;
	struct crew *crew;
	struct progress progress;
	bool draws;
	int signals, changed, watch; /* descriptors */
	bool more;                   /* files than the outbox holds */
	bool marked;                 /* its files' receipts were looked up */
	bool unwanted_told;
	bool left_some; /* with --once: refused, or given up */
	bool ending, failed;
	uint64_t next_scan, next_prune, next_free, next_tell; /* monotonic ms */
	uint64_t gathered; /* when the sync is due; 0: for none */
	struct log_gate scan_gate, ledger_gate, free_gate, sync_gate;
};

/* --- options --- */

static void
print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) == 0 ? DONE : CANNOT_RUN);
}

static void
parse_options(struct options *options, int argc, char **argv)
{
	enum { ONCE = 256, FORGET };
	static const struct option longs[] = {
	    {"once", no_argument, NULL, ONCE},
	    {"forget", required_argument, NULL, FORGET},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	*options = (struct options){.config = DEFAULT_CONFIG};
	while ((c = getopt_long(argc, argv, "c:s:nVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->config = optarg;
			break;
		case 's':
			options->sepmlogd = optarg;
			break;
		case 'n':
			options->check = true;
			break;
		case FORGET:
			options->forget = optarg;
			break;
		case ONCE:
			options->once = true;
			break;
		case 'V':
			print_and_exit("sepmlog-upload " SEPMLOG_VERSION "\n");
			break;
		case 'h':
			print_and_exit(usage);
			break;
		default:
			fputs(usage, stderr);
			exit(WRONG_USE);
		}
	}
	if (optind < argc || (options->sepmlogd && !options->check) ||
	    options->check + options->once + (options->forget != NULL) > 1) {
		fputs(usage, stderr);
		exit(WRONG_USE);
	}
}

/* The configuration, and what its targets read. */
static int
check(const struct options *options)
{
	struct plan *plan = plan_load(options->config, stderr);
	struct crew_options crew_options = {.plan = plan};
	char why[TEXT];
	struct crew *crew;
	bool good;

	if (plan == NULL)
		return FINDINGS;
	crew = crew_new(&crew_options, why, sizeof why);
	if (crew == NULL)
		fprintf(stderr, "%s: %s\n", options->config, why);
	good = fit_check(plan, options->config, options->sepmlogd, stderr) &&
	       crew != NULL;
	if (good) {
		printf("%s: ok\n", options->config);
		preview_show(plan, stdout);
	}
	crew_free(crew);
	plan_free(plan);
	return good && fflush(stdout) == 0 ? DONE : FINDINGS;
}

static int
forget(const struct options *options)
{
	struct plan *plan = plan_load(options->config, stderr);
	struct depot depot;
	char why[TEXT];
	bool good;

	if (plan == NULL)
		return FINDINGS;
	signal(SIGPIPE, SIG_IGN);
	good = depot_open(&depot, plan->spool, why, sizeof why);
	if (good) {
		good = forget_target(&depot, plan, options->forget, stdout);
		depot_close(&depot);
	} else {
		fprintf(stderr, "%s\n", why);
	}
	plan_free(plan);
	return good && fflush(stdout) == 0 ? DONE : FINDINGS;
}

/* --- what receipts say --- */

static void
entry_cb(void *arg, const struct ledger_entry *entry)
{
	struct upload *u = arg;

	if (u->crew != NULL)
		outbox_note(crew_outbox(u->crew), entry);
}

static void
say_cb(void *arg, const char *text)
{
	(void)arg;
	log_warnx("receipts: %s", text);
}

static void
mark(struct upload *u)
{
	struct delivered_options options = {.entry = entry_cb, .arg = u};

	u->marked = delivered_read(u->depot.receipts, &options, NULL);
	if (!u->marked)
		log_warn("receipts: cannot be read: what they know of would "
			 "be delivered again, so nothing is");
}

static bool
open_receipts(struct upload *u)
{
	struct delivered_options options = {
	    .entry = entry_cb, .say = say_cb, .arg = u};
	struct delivered_end end;

	if (!delivered_read(u->depot.receipts, &options, &end)) {
		log_warn("%s/upload/receipts", u->plan->spool);
		return false;
	}
	u->receipts = receipts_open(
	    u->depot.receipts, u->depot.instance, &end, &u->plan->receipts);
	if (u->receipts == NULL)
		log_warn("receipts");
	return u->receipts != NULL;
}

/* --- what the ledger says --- */

static void
file_cb(void *arg, const struct ledger_entry *entry)
{
	struct upload *u = arg;

	outbox_state(crew_outbox(u->crew), entry);
}

/* Without it all is found by reading the files. */
static void
read_ledger(struct upload *u)
{
	int dir = depot_ledger(&u->depot);
	uint64_t held;
	bool ok = dir >= 0 || errno == ENOENT;

	if (u->stated == NULL)
		u->stated = stated_new();
	if (dir >= 0 && u->stated != NULL)
		ok = stated_read(u->stated, dir, file_cb, u);
	if (!ok && log_gate_open(&u->ledger_gate, clock_ms(), &held))
		crew_tell(u->crew, true,
		    "%s/ledger: %s: digests are found by reading the files%s",
		    u->plan->spool, strerror(errno),
		    errno == EACCES
			? "; this user has to be in the spool's group"
			: "");
	disk_close(&dir);
}

/* --- scanning --- */

static void
watch_ready(struct upload *u)
{
	char path[TEXT + 16];

	snprintf(path, sizeof path, "%s/ready", u->plan->spool);
	/* The same one again changes nothing; without it, there are scans. */
	(void)inotify_add_watch(u->watch, path,
	    IN_MOVED_TO | IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW);
}

static void
tell_unwanted(struct upload *u)
{
	struct outbox_counts counts;

	outbox_count(crew_outbox(u->crew), &counts);
	if (counts.unwanted > 0 && !u->unwanted_told)
		crew_tell(u->crew, true,
		    "%zu files are wanted by no target (`files`): they stay "
		    "in ready/",
		    counts.unwanted);
	u->unwanted_told = counts.unwanted > 0;
}

static bool
scan(struct upload *u)
{
	size_t added = 0;
	bool more = u->more;
	int ready = depot_ready(&u->depot);
	uint64_t held;
	bool ok = ready >= 0 &&
		  outbox_scan(crew_outbox(u->crew), ready, &added, &u->more);

	disk_close(&ready);
	u->next_scan = clock_ms() + (ok ? SCAN : AGAIN);
	if (!ok && log_gate_open(&u->scan_gate, clock_ms(), &held))
		crew_tell(u->crew, true, "%s/ready: %s", u->plan->spool,
		    strerror(errno));
	/* For those that had no room before, receipts were not looked up. */
	if (ok && (!u->marked || (more && added > 0)))
		mark(u);
	if (ok && added > 0)
		read_ledger(u);
	u->left_some |= u->options->once && !ok;
	if (ok)
		tell_unwanted(u);
	watch_ready(u);
	if (ok && u->marked)
		outbox_release(crew_outbox(u->crew));
	return ok;
}

/* --- what all are done with --- */

static bool
is_refused(const struct upload *u, const struct parcel *p)
{
	for (size_t i = 0; i < u->plan->target_count; i++)
		if (p->leg[i].state == LEG_REFUSED)
			return true;
	return false;
}

/* What each target said, a line each. */
static void
collect_reasons(
    const struct upload *u, const struct parcel *p, char *text, size_t size)
{
	char reason[TARGET_REMOTE];
	size_t n = 0;
	int got;

	text[0] = '\0';
	for (size_t i = 0; i < u->plan->target_count; i++) {
		if (p->leg[i].state != LEG_REFUSED)
			continue;
		depot_journal_read(&u->depot, p->name, u->plan->targets[i].name,
		    reason, sizeof reason);
		got = snprintf(text + n, size - n, "%s: %s\n",
		    u->plan->targets[i].name,
		    reason[0] != '\0' ? reason : "see upload/receipts/");
		if (got < 0 || (size_t)got >= size - n)
			break;
		n += (size_t)got;
	}
}

static bool
quarantine(struct upload *u, const struct parcel *p)
{
	static char text[REASONS];

	u->left_some |= u->options->once;
	collect_reasons(u, p, text, sizeof text);
	if (!depot_quarantine(&u->depot, p->name, text))
		return false;
	for (size_t i = 0; i < u->plan->target_count; i++)
		if (p->leg[i].state == LEG_REFUSED)
			depot_journal_remove(
			    &u->depot, p->name, u->plan->targets[i].name);
	return true;
}

static const char *
fate(const struct upload *u, const struct parcel *p)
{
	if (is_refused(u, p))
		return "quarantined";
	return u->plan->after == PLAN_KEEP ? "kept" : "deleted";
}

static bool
take_away(struct upload *u, const struct parcel *p)
{
	if (is_refused(u, p))
		return quarantine(u, p);
	if (u->plan->after == PLAN_KEEP)
		return depot_keep(&u->depot, p->name);
	return depot_delete(&u->depot, p->name);
}

static bool
put_freed(struct upload *u, const struct parcel *p)
{
	struct ledger_text line;

	ledger_begin(&line, "freed", clock_utc());
	ledger_put_text(&line, "file", span_str(p->name));
	ledger_put_text(&line, "as", span_str(fate(u, p)));
	return receipts_put(u->receipts, &line);
}

static void
cannot_free(struct upload *u, const char *name)
{
	uint64_t held;
	int error = errno;

	/* With --once this was its try. */
	u->left_some |= u->options->once;
	if (!u->options->once)
		u->next_free = clock_ms() + AGAIN;
	if (log_gate_open(&u->free_gate, clock_ms(), &held))
		crew_tell(u->crew, true,
		    "%s: delivered, but cannot be taken out of ready/: %s%s",
		    name, strerror(error),
		    error == EACCES || error == EPERM
			? ": this user has to be in the spool's group"
			: "");
}

/* Each is said once, however often it is tried to take it away. */
static bool
note_batch(struct upload *u, struct parcel **batch, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!batch[i]->noted && !put_freed(u, batch[i]))
			return false;
		batch[i]->noted = true;
	}
	return receipts_sync(u->receipts);
}

/* As many as one sync is worth; one that stays holds up no other. Answers
 * whether there may be more. */
static bool
free_batch(struct upload *u)
{
	struct outbox *outbox = crew_outbox(u->crew);
	struct parcel *batch[BATCH];
	size_t n = 0;

	while (n < BATCH && (batch[n] = outbox_finished(outbox)) != NULL)
		n++;
	if (n > 0 && !note_batch(u, batch, n)) {
		cannot_free(u, batch[0]->name);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (take_away(u, batch[i]))
			outbox_forget(outbox, batch[i]);
		else
			cannot_free(u, batch[i]->name);
	}
	return n == BATCH;
}

/* Receipts of files that others have yet to get. */
static void
sync_receipts(struct upload *u)
{
	uint64_t held;
	int error;

	if (receipts_sync(u->receipts))
		return;
	error = errno;
	u->left_some |= u->options->once;
	if (!u->options->once)
		u->next_free = clock_ms() + AGAIN;
	if (log_gate_open(&u->sync_gate, clock_ms(), &held))
		crew_tell(u->crew, true,
		    "receipts: %s: files stay in ready/ until they can be "
		    "written; make room, or check the disk",
		    strerror(error));
}

/* A file stays, and comes again after a crash, for so long; but a sync for each
 * would keep the disk busier than the files do. Not when none can follow. */
static bool
is_gathering(const struct upload *u)
{
	return clock_ms() < u->gathered &&
	       !(u->options->once && crew_is_done(u->crew));
}

static void
free_finished(struct upload *u)
{
	if (is_gathering(u))
		return;
	u->gathered = 0;
	if (clock_ms() < u->next_free)
		return;
	if (u->next_free > 0)
		outbox_unfinish(crew_outbox(u->crew));
	u->next_free = 0;
	while (free_batch(u))
		;
	sync_receipts(u);
}

static void
prune(struct upload *u)
{
	const struct plan_keep *sent = &u->plan->sent;
	const struct plan_keep *rejects = &u->plan->rejects;
	size_t n;

	if (u->plan->after == PLAN_KEEP)
		depot_prune(&u->depot, DEPOT_SENT, sent->age, sent->size);
	n = depot_prune(&u->depot, DEPOT_REJECTS, rejects->age, rejects->size);
	if (n > 0)
		crew_tell(u->crew, true,
		    "upload/quarantine: %zu files of rejected records were "
		    "removed, as `rejects` says",
		    n);
	u->next_prune = clock_ms() + PRUNE;
}

/* For `sepmlogctl status`; if it cannot be written, nothing is lost. Who runs
 * for a moment now and then is not to be missed in between. */
static void
tell_deliveries(struct upload *u)
{
	struct deliveries d;

	if (u->options->once) {
		u->next_tell = UINT64_MAX;
		return;
	}
	crew_deliveries(u->crew, &d);
	(void)deliveries_write(u->depot.upload, &d);
	u->next_tell = clock_ms() + TELL_LATE;
}

/* --- life --- */

static void
tell_left_cb(void *arg, const char *target, size_t count)
{
	struct upload *u = arg;

	crew_tell(u->crew, true,
	    "upload/state: %zu deliveries to %s that were under way will not "
	    "go on, as the target or the file is gone, and parts of them may "
	    "be there: with the target in the configuration, stop this, and "
	    "`sepmlog-upload --forget %s` takes them back",
	    count, target, target);
}

static struct crew *
new_crew(struct upload *u, const struct plan *plan, char *why, size_t size)
{
	struct crew_options options = {
	    .plan = plan,
	    .depot = &u->depot,
	    .receipts = u->receipts,
	    .once = u->options->once,
	    .changed = u->changed,
	    .progress = u->draws ? &u->progress : NULL,
	};

	return crew_new(&options, why, size);
}

/* The first scan, what the receipts know of it, and off they go. */
static bool
begin(struct upload *u)
{
	bool scanned;

	u->more = u->marked = false;
	stated_free(u->stated);
	u->stated = NULL;
	scanned = scan(u);
	/* Where the scan failed, the next one looks. */
	if (scanned && !u->marked)
		return false;
	/* Not what belongs to files that were not seen. */
	if (scanned && !u->more)
		forget_look(
		    &u->depot, u->plan, crew_outbox(u->crew), tell_left_cb, u);
	if (!crew_start(u->crew)) {
		log_warn("threads");
		return false;
	}
	return true;
}

static void
reload(struct upload *u)
{
	struct plan *plan = plan_load(u->options->config, stderr);
	struct crew *crew = NULL;
	char why[TEXT] = "the configuration has errors";

	if (plan != NULL && strcmp(plan->spool, u->plan->spool) != 0)
		snprintf(why, sizeof why,
		    "`spool` is another one: that needs a restart");
	else if (plan != NULL)
		crew = new_crew(u, plan, why, sizeof why);
	if (crew == NULL) {
		crew_tell(u->crew, true,
		    "%s: not taken, all goes on as before: %s",
		    u->options->config, why);
		plan_free(plan);
		return;
	}
	crew_stop(u->crew);
	crew_free(u->crew);
	plan_free(u->plan);
	/* The next crew knows what is durable; what is not comes again. */
	(void)receipts_sync(u->receipts);
	u->crew = crew;
	u->plan = plan;
	receipts_limit(u->receipts, &plan->receipts);
	if (begin(u))
		crew_tell(crew, false, "%s: taken", u->options->config);
	else
		u->ending = u->failed = true;
}

static void
on_signals(struct upload *u)
{
	struct signalfd_siginfo info;

	while (read(u->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP) {
			reload(u);
			continue;
		}
		u->ending = true;
		u->left_some |= u->options->once;
	}
}

static void
drain(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof bytes) > 0)
		;
}

static void
on_changed(struct upload *u)
{
	uint64_t now = clock_ms();

	drain(u->changed);
	if (u->gathered == 0)
		u->gathered = now + GATHER;
	if (now + TELL < u->next_tell)
		u->next_tell = now + TELL;
}

static int
timeout(const struct upload *u)
{
	uint64_t now = clock_ms(), until = u->next_scan;

	if (u->next_free > 0 && u->next_free < until)
		until = u->next_free;
	if (u->gathered > 0 && u->gathered < until)
		until = u->gathered;
	if (u->next_tell < until)
		until = u->next_tell;
	if (u->draws && now + DRAW < until)
		until = now + DRAW;
	return until > now ? (int)(until - now) : 0;
}

/* With --once: is there nothing more to do? */
static bool
is_over(struct upload *u)
{
	struct outbox_counts counts;

	if (!u->options->once || !crew_is_done(u->crew) || u->next_free > 0 ||
	    u->gathered > 0)
		return false;
	outbox_count(crew_outbox(u->crew), &counts);
	u->left_some |= counts.given_up > 0 || counts.waiting > 0 || u->more;
	return true;
}

static void
run(struct upload *u)
{
	struct pollfd polled[] = {
	    {.fd = u->signals, .events = POLLIN},
	    {.fd = u->changed, .events = POLLIN},
	    {.fd = u->watch, .events = POLLIN},
	};
	bool rescan;

	while (!u->ending) {
		free_finished(u);
		if (is_over(u))
			break;
		crew_draw(u->crew);
		if (poll(polled, 3, timeout(u)) < 0 && errno != EINTR)
			break;
		rescan = polled[2].revents != 0 || clock_ms() >= u->next_scan;
		if (polled[0].revents != 0)
			on_signals(u);
		if (polled[1].revents != 0)
			on_changed(u);
		if (polled[2].revents != 0)
			drain(u->watch);
		if (rescan && !u->ending)
			scan(u);
		if (clock_ms() >= u->next_prune)
			prune(u);
		if (clock_ms() >= u->next_tell)
			tell_deliveries(u);
	}
}

static bool
open_descriptors(struct upload *u)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* Before there are threads, which inherit it. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	u->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	u->changed = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	u->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (u->signals >= 0 && u->changed >= 0 && u->watch >= 0)
		return true;
	log_warn("cannot start");
	return false;
}

static bool
start(struct upload *u)
{
	char why[TEXT];

	if (!depot_open(&u->depot, u->plan->spool, why, sizeof why)) {
		log_warnx("%s", why);
		return false;
	}
	if (!open_receipts(u))
		return false;
	u->crew = new_crew(u, u->plan, why, sizeof why);
	if (u->crew == NULL) {
		log_warnx("%s", why);
		return false;
	}
	return begin(u);
}

static void
end(struct upload *u)
{
	if (u->crew != NULL) {
		crew_stop(u->crew);
		u->next_free = u->gathered = 0;
		free_finished(u);
		tell_deliveries(u);
		prune(u);
		progress_hide(u->draws ? &u->progress : NULL);
		crew_free(u->crew);
	}
	receipts_close(u->receipts);
	stated_free(u->stated);
	depot_close(&u->depot);
	plan_free(u->plan);
	disk_close(&u->watch);
	disk_close(&u->changed);
	disk_close(&u->signals);
}

static int
deliver(const struct options *options)
{
	struct upload u = {
	    .options = options,
	    .plan = plan_load(options->config, stderr),
	    .depot = {-1, -1, -1, -1, -1, -1, ""},
	    .signals = -1,
	    .changed = -1,
	    .watch = -1,
	    .draws = isatty(STDERR_FILENO) == 1,
	};
	bool ok;

	if (u.plan == NULL)
		return FINDINGS;
	umask(0027);
	progress_init(&u.progress, stderr, 0);
	u.progress.unit = "files";
	ok = open_descriptors(&u) && start(&u);
	if (ok) {
		log_info("sepmlog-upload %s: %s/ready to %zu targets",
		    SEPMLOG_VERSION, u.plan->spool, u.plan->target_count);
		run(&u);
	}
	end(&u);
	return ok && !u.left_some && !u.failed ? DONE : FINDINGS;
}

int
main(int argc, char **argv)
{
	struct options options;

	parse_options(&options, argc, argv);
	log_init();
	tzset();
	if (options.forget != NULL)
		return forget(&options);
	return options.check ? check(&options) : deliver(&options);
}
