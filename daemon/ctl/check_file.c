/*
 * sepmlogctl check-file - does a file look as its target has published that it
 * wants it?
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clear_names.h"
#include "conform.h"
#include "ctl.h"

enum { TOLD = 20 }; /* findings that are printed, of a file */

struct told {
	const char *file;
	unsigned n;
};

static void
finding_cb(void *arg, uint64_t line, const char *text)
{
	struct told *told = arg;

	if (told->n++ >= TOLD)
		return;
	if (line > 0)
		printf("%s:%" PRIu64 ": %s\n", told->file, line, text);
	else
		printf("%s: %s\n", told->file, text);
}

static void
print_sum(const char *file, const struct preset *preset,
    const struct conform_result *result)
{
	if (result->findings > TOLD)
		printf("%s: ... and %" PRIu64 " more\n", file,
		    result->findings - TOLD);
	printf("%s: %" PRIu64 " records, %" PRIu64
	       " findings, by what is published for %s\n",
	    file, result->records, result->findings, preset->name);
}

static enum ctl_exit
check_file(const char *file, const struct preset *preset)
{
	struct told told = {.file = file};
	struct conform_job job = {
	    .fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK),
	    .preset = preset,
	    .now = (int64_t)time(NULL),
	    .finding = finding_cb,
	    .arg = &told,
	};
	struct conform_result result;
	struct stat st;
	bool ok = job.fd >= 0 && fstat(job.fd, &st) == 0;

	if (ok && !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		ok = false;
	}
	ok = ok && conform_check(&job, &result);
	if (!ok)
		fprintf(stderr, "sepmlogctl check-file: %s: %s\n", file,
		    strerror(errno));
	if (job.fd >= 0)
		close(job.fd);
	if (!ok)
		return CTL_FAILED;
	print_sum(file, preset, &result);
	return result.findings > 0 ? CTL_FINDINGS : CTL_DONE;
}

/* --- the command --- */

static void
usage(FILE *to)
{
	fputs("usage: sepmlogctl check-file [--target TARGET] "
	      "[--no-clear-names LIST] FILE...\n"
	      "\n"
	      "With LIST, a file of names, one a line: is none of them in any "
	      "FILE, in any\n"
	      "way that a format can write it?\n"
	      "\n"
	      "Does each FILE look as the target has published that it wants "
	      "it: packing,\n"
	      "size, encoding, and every record? Built to the published "
	      "descriptions; only\n"
	      "the target itself can say that it takes a file.\n"
	      "\n"
	      "Targets, and the format of the stream for each:\n",
	    to);
	for (size_t i = 0; i < PRESETS; i++)
		fprintf(to, "  %-16s format: %s\n", presets[i].name,
		    encode_format_name[presets[i].format].p);
	fputs("\n"
	      "Exit: 0 it does, 1 there are findings, 2 wrong use, 3 it could "
	      "not run.\n",
	    to);
}

static const struct preset *
preset_of(const char *name)
{
	const struct preset *preset = preset_find(span_str(name));

	if (preset == NULL)
		fprintf(stderr, "sepmlogctl check-file: %s: no such target\n",
		    name);
	return preset;
}

static enum ctl_exit
run(const struct preset *preset, int count, char **files)
{
	enum ctl_exit answer = CTL_DONE;

	for (int i = 0; preset != NULL && i < count; i++) {
		enum ctl_exit of_file = check_file(files[i], preset);

		if (of_file == CTL_FAILED)
			return CTL_FAILED;
		if (of_file == CTL_FINDINGS)
			answer = CTL_FINDINGS;
	}
	return answer;
}

static enum ctl_exit
run_names(struct clear_names *names, int count, char **files)
{
	enum ctl_exit answer = CTL_DONE, one;

	for (int i = 0; names != NULL && i < count; i++) {
		one = clear_names_check(names, files[i]);
		if (one == CTL_FAILED)
			return one;
		if (one == CTL_FINDINGS)
			answer = one;
	}
	return answer;
}

enum ctl_exit
ctl_check_file(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"target", required_argument, NULL, 't'},
	    {"no-clear-names", required_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	const struct preset *preset = NULL;
	struct clear_names *names;
	const char *list = NULL;
	enum ctl_exit answer, others;
	int option;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return CTL_DONE;
		}
		if (option == 'n') {
			list = optarg;
			continue;
		}
		preset = option == 't' ? preset_of(optarg) : NULL;
		if (preset == NULL)
			return CTL_USAGE;
	}
	if ((preset == NULL && list == NULL) || optind == argc) {
		usage(stderr);
		return CTL_USAGE;
	}
	names = list != NULL ? clear_names_load(list) : NULL;
	if (list != NULL && names == NULL)
		return CTL_FAILED;
	answer = run(preset, argc - optind, argv + optind);
	others = answer != CTL_FAILED
		     ? run_names(names, argc - optind, argv + optind)
		     : CTL_DONE;
	clear_names_free(names);
	return others > answer ? others : answer;
}
