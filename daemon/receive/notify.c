#include "notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

int
notify_ready(void)
{
	int result = sd_notify(0, "READY=1");

	return result < 0 ? -result : 0;
}

/* None of those below can fail in a way that anyone could act on. */

void
notify_reloading(void)
{
	struct timespec now;

	/* The time tells this reload from one before it: Type=notify-reload. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)now.tv_sec * 1000000 +
		(unsigned long long)now.tv_nsec / 1000);
}

void
notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void
notify_watchdog(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

void
notify_status(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)sd_notifyf(0, "STATUS=%s", text);
}

uint64_t
notify_watchdog_interval(void)
{
	uint64_t interval = 0;

	return sd_watchdog_enabled(0, &interval) > 0 ? interval : 0;
}
