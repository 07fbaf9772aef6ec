/*
 * notify - what the service manager is told (sd_notify). Nothing happens when
 * there is none.
 */
#ifndef SEPMLOGD_NOTIFY_H
#define SEPMLOGD_NOTIFY_H

#include <stdint.h>

/* 0, or the errno that it could not be told for: say it again, as a manager
 * that is not told ends the service. */
int notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_watchdog(void);
void notify_status(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* How often it wants to hear from us, in microseconds; 0: never. */
uint64_t notify_watchdog_interval(void);

#endif
