#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "shown.h"

enum { GATE_INTERVAL = 60 * 1000, LINE = 1024, EXIT_CANNOT_RUN = 3 };

/* Set once by log_init, before there is a second thread. */
static bool log_levels;

/* JOURNAL_STREAM is there for children, too, whose stderr may be elsewhere. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
	       st.st_ino == ino;
}

void
log_init(void)
{
	log_levels = stderr_is_journal();
}

static void
write_line(int level, int error, const char *format, va_list args)
{
	char text[LINE], line[2 * LINE];
	size_t n = 0;
	int length = vsnprintf(text, sizeof text, format, args);

	if (length < 0)
		return;
	if (error != 0 && (size_t)length < sizeof text)
		snprintf(text + length, sizeof text - (size_t)length, ": %s",
		    strerrordesc_np(error));
	if (log_levels)
		n = (size_t)snprintf(line, sizeof line, "<%d>", level);
	n += shown(text, line + n, sizeof line - n);
	line[n++] = '\n';
	/* Where should a failure to log be logged? */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

#define WRITE(level, error)                                                    \
	do {                                                                   \
		va_list args;                                                  \
                                                                               \
		va_start(args, format);                                        \
		write_line(level, error, format, args);                        \
		va_end(args);                                                  \
	} while (0)

void
log_warn(const char *format, ...)
{
	WRITE(LOG_WARNING, errno);
}

void
log_warnx(const char *format, ...)
{
	WRITE(LOG_WARNING, 0);
}

void
log_info(const char *format, ...)
{
	WRITE(LOG_INFO, 0);
}

void
log_debug(const char *format, ...)
{
	WRITE(LOG_DEBUG, 0);
}

void
fatal(const char *format, ...)
{
	WRITE(LOG_ERR, errno);
	exit(EXIT_CANNOT_RUN);
}

void
fatalx(const char *format, ...)
{
	WRITE(LOG_ERR, 0);
	exit(EXIT_CANNOT_RUN);
}

bool
log_gate_open(struct log_gate *gate, uint64_t now, uint64_t *held)
{
	if (now < gate->opens) {
		gate->held++;
		return false;
	}
	*held = gate->held;
	gate->held = 0;
	gate->opens = now + GATE_INTERVAL;
	return true;
}
