/*
 * replay - runs a fuzz target over files, without libFuzzer.
 *
 *     fuzz_NAME [-w] FILE|DIRECTORY...
 *
 * Each argument is a file or a directory of files. Every file goes through the
 * target whole, a small one also cut: at every byte when it is tiny or with
 * SEPMLOG_TESTS=all, else at some, other ones in each file. Each input is a
 * heap block of exactly its size, so that a sanitizer sees the first byte read
 * beyond it. With -w files go through whole only, and what the slowest of them
 * took and the memory that all of it needed is said.
 */
#include <dirent.h>
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	PREFIX_MAX = 4096,
	EVERY_MAX = 64, /* bytes of a file: cut at every one of them */
	STRIDE = 13,    /* beyond: a prime, so that no field's width fits it */
};

static bool all, whole;
static double slowest; /* seconds of processor time */

static double
processor_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
run(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	double start, took;

	if (exact == NULL)
		err(1, "malloc");
	memcpy(exact, data, size);
	start = processor_time();
	LLVMFuzzerTestOneInput(exact, size);
	took = processor_time() - start;
	if (took > slowest)
		slowest = took;
	free(exact);
}

/* Is the file to be cut there? `sum` is that of its bytes. */
static bool
cut_here(size_t n, size_t sum)
{
	return all || n < EVERY_MAX || (n + sum) % STRIDE == 0;
}

static unsigned long
run_cuts(const uint8_t *data, size_t size)
{
	unsigned long runs = 0;
	size_t sum = 0;

	for (size_t n = 0; n < size; n++)
		sum += data[n];
	for (size_t n = 0; n < size; n++) {
		if (!cut_here(n, sum))
			continue;
		run(data, n);
		runs++;
	}
	return runs;
}

static unsigned long
run_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);
	unsigned long runs = 1;

	if (file == NULL || data == NULL)
		err(1, "%s", path);
	if (fread(data, 1, size, file) != size)
		err(1, "%s", path);
	fclose(file);
	if (size <= PREFIX_MAX && !whole)
		runs += run_cuts(data, size);
	run(data, size);
	free(data);
	return runs;
}

static unsigned long run_path(const char *path);

static unsigned long
run_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char child[4096];
	unsigned long runs = 0;

	if (dir == NULL)
		err(1, "%s", path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		runs += run_path(child);
	}
	closedir(dir);
	return runs;
}

static unsigned long
run_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		err(1, "%s", path);
	if (S_ISDIR(st.st_mode))
		return run_directory(path);
	return run_file(path, (size_t)st.st_size);
}

int
main(int argc, char **argv)
{
	unsigned long runs = 0;
	const char *tests = getenv("SEPMLOG_TESTS");
	struct rusage usage;

	all = tests != NULL && strcmp(tests, "all") == 0;
	while (getopt(argc, argv, "w") == 'w')
		whole = true;
	for (int i = optind; i < argc; i++)
		runs += run_path(argv[i]);
	if (runs == 0)
		errx(1, "no input files");
	printf("%lu inputs", runs);
	if (whole && getrusage(RUSAGE_SELF, &usage) == 0)
		printf(", the slowest %.1f ms, %ld KiB", 1e3 * slowest,
		    usage.ru_maxrss);
	putchar('\n');
	return 0;
}
