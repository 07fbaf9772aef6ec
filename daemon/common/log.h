/*
 * log - the daemon's own messages, one line each, on standard error.
 *
 * Under systemd every line begins with its level (`<4>`), as sd-daemon(3)
 * has it. A line is one write(2), so any thread may log. What is not printable
 * ASCII is escaped (shown.h): a name from the network cannot forge a line or
 * reach a terminal.
 *
 * A message names its object first: `tcp 192.0.2.7:40112: ...`.
 */
#ifndef SEPMLOGD_LOG_H
#define SEPMLOGD_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* Finds out whether standard error is the journal. Before threads start. */
void log_init(void);

/* Adds `: ` and the text of errno. */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Only during start: log and exit 3. */
_Noreturn void fatal(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
_Noreturn void fatalx(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * One for each kind of message that can repeat: lets one through per minute
 * and counts the others. Zero it before first use.
 */
struct log_gate {
	uint64_t opens; /* monotonic ms; 0: now */
	uint64_t held;
};

/* May it be told? Then *held is how many were not, since the last that was. */
bool log_gate_open(struct log_gate *gate, uint64_t now, uint64_t *held);

#endif
