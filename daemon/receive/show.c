#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "show.h"

/* --- numbers --- */

const char *
show_grouped(uint64_t n, char out[SHOW_NUMBER])
{
	char digits[SHOW_NUMBER];
	int count = snprintf(digits, sizeof digits, "%" PRIu64, n), to = 0;

	for (int i = 0; i < count; i++) {
		if (i > 0 && (count - i) % 3 == 0)
			out[to++] = ',';
		out[to++] = digits[i];
	}
	out[to] = '\0';
	return out;
}

const char *
show_sized(uint64_t n, char out[SHOW_NUMBER])
{
	static const char *const units[] = {
	    "B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)n;
	size_t unit = 0;

	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	snprintf(out, SHOW_NUMBER, unit == 0 ? "%.0f %s" : "%.1f %s", value,
	    units[unit]);
	return out;
}

const char *
show_lasted(uint64_t s, char out[SHOW_NUMBER])
{
	if (s < 120)
		snprintf(out, SHOW_NUMBER, "%" PRIu64 " s", s);
	else if (s < 7200)
		snprintf(out, SHOW_NUMBER, "%" PRIu64 " min", s / 60);
	else if (s < 48 * 3600)
		snprintf(out, SHOW_NUMBER, "%" PRIu64 " h %" PRIu64 " min",
		    s / 3600, s % 3600 / 60);
	else
		snprintf(out, SHOW_NUMBER, "%" PRIu64 " d %" PRIu64 " h",
		    s / 86400, s % 86400 / 3600);
	return out;
}

const char *
show_since(int64_t then, int64_t now, char out[SHOW_NUMBER])
{
	return show_lasted(
	    now > then ? (uint64_t)(now - then) / 1000000 : 0, out);
}

const char *
show_brief(uint64_t us, char out[SHOW_NUMBER])
{
	double ms = (double)us / 1000;

	if (ms < 10)
		snprintf(out, SHOW_NUMBER, "%.1f ms", ms);
	else if (ms < 1000)
		snprintf(out, SHOW_NUMBER, "%.0f ms", ms);
	else
		snprintf(out, SHOW_NUMBER, "%.1f s", ms / 1000);
	return out;
}

/* --- what is shown in more than one shape --- */

struct latency_counts
show_commits_minute(const struct show *show)
{
	struct history_point sum = history_sum(&show->history->fine, 60);

	return history_commits(&sum);
}

struct latency_counts
show_commits_hour(const struct show *show)
{
	struct history_point sum = history_sum(&show->history->coarse, 60);

	return history_commits(&sum);
}

void
show_uploads(const struct show *show,
    void (*put)(const struct deliveries *uploads, FILE *out),
    struct evbuffer *out)
{
	char *text = NULL;
	size_t n = 0;
	FILE *file = show->has_uploads ? open_memstream(&text, &n) : NULL;

	if (file == NULL)
		return;
	put(&show->uploads, file);
	if (fclose(file) == 0)
		evbuffer_add(out, text, n);
	free(text);
}

const char *
show_source(const struct audit_source *source, char out[INET6_ADDRSTRLEN])
{
	const struct in6_addr *a = &source->address;

	if (source->other)
		return "others";
	if (IN6_IS_ADDR_V4MAPPED(a))
		inet_ntop(AF_INET, &a->s6_addr[12], out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, a, out, INET6_ADDRSTRLEN);
	return out;
}

const char *
show_trouble(const struct show *show)
{
	if (show->view->stopping)
		return "stopping";
	if (show->spool.state == SPOOL_FULL)
		return "the spool is full";
	if (show->spool.state == SPOOL_DISK_ERROR)
		return "the disk refuses to store";
	if (pipeline_full_since(show->view->pipeline) != 0)
		return "the buffers are full, reading has stopped";
	return NULL;
}

const char *const show_vault_causes[VAULT_CAUSES] = {
    [VAULT_BUSY] = "busy",
    [VAULT_FULL] = "disk_full",
    [VAULT_BROKEN] = "disk_error",
};

uint64_t
show_unsealed(const struct show *show)
{
	uint64_t n = 0;

	for (size_t i = 0; i < VAULT_CAUSES; i++)
		n += show->vault.unsealed[i];
	return n;
}

/* clang-format off */
const struct show_busiest show_busiest[BUSIEST_TABLES] = {
	[BUSIEST_NAMES] = { "remote", "Busiest remote hosts" },
	[BUSIEST_APPLICATIONS] = { "applications", "Busiest applications" },
	[BUSIEST_BLOCKED] = { "blocked", "Most blocked remote hosts" },
	[BUSIEST_USERS] = { "users", "Busiest users" },
	[BUSIEST_HOSTS] = { "hosts", "Busiest clients" },
	[BUSIEST_RULES] = { "rules", "Busiest rules" },
};
/* clang-format on */

double
show_rate(const struct history *history, bool bytes)
{
	const struct history_series *s = &history->fine;
	size_t count = history_count(s), n = 0;
	uint64_t sum = 0;

	for (size_t i = count > 11 ? count - 11 : 0; i + 1 < count; i++, n++) {
		const struct history_point *p = history_get(s, i);

		sum += bytes ? p->bytes : p->messages;
	}
	return n > 0 ? (double)sum / (double)n : 0;
}
