#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_MAX = 4096 };

static bool __attribute__((format(printf, 4, 5)))
refuse(const char *path, char *why, size_t size, const char *format, ...)
{
	int n = snprintf(why, size, "privacy.key_file: %s: ", path);
	va_list args;

	if (n < 0 || (size_t)n >= size)
		return false;
	va_start(args, format);
	vsnprintf(why + n, size - (size_t)n, format, args);
	va_end(args);
	return false;
}

/* Is it a key, and ours alone? */
static bool
check(
    const char *path, const struct stat *st, ssize_t n, char *why, size_t size)
{
	if (!S_ISREG(st->st_mode) || n < 0)
		return refuse(path, why, size, "not a file that can be read");
	if ((st->st_mode & (S_IRWXO | S_IWGRP)) != 0)
		return refuse(path, why, size,
		    "others can read or change it: chmod g-w,o= %s", path);
	if (n > KEY_MAX)
		return refuse(path, why, size,
		    "has more than %d bytes: make one by `openssl rand -hex "
		    "32`",
		    KEY_MAX);
	if (n < PSEUDONYM_KEY_MIN)
		return refuse(path, why, size,
		    "has less than %d bytes: make one by `openssl rand -hex "
		    "32`",
		    PSEUDONYM_KEY_MIN);
	return true;
}

/* The bytes of the key, without line ends behind them; 0: see `why`. */
static size_t
read_key(const char *path, char key[KEY_MAX + 1], char *why, size_t size)
{
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		refuse(path, why, size, "%s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return 0;
	}
	n = S_ISREG(st.st_mode) ? read(fd, key, KEY_MAX + 1) : -1;
	close(fd);
	while (n > 0 && (key[n - 1] == '\n' || key[n - 1] == '\r'))
		n--;
	return check(path, &st, n, why, size) ? (size_t)n : 0;
}

struct privacy *
keyfile_privacy(const struct config *config, size_t n, char *why, size_t size)
{
	char key[KEY_MAX + 1];
	struct privacy *privacy = NULL;
	size_t bytes = read_key(config->privacy.key_file, key, why, size);

	if (bytes > 0) {
		snprintf(why, size, "no memory");
		privacy = privacy_new(
		    span_of(key, bytes), span_str(config->privacy.key_id), n);
	}
	explicit_bzero(key, sizeof key);
	return privacy;
}
