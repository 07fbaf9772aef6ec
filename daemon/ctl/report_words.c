#include <inttypes.h>
#include <string.h>

#include "report.h"
#include "timestamp.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

/* clang-format off */
const struct report_table report_tables[SUMMARY_TABLES] = {
	[SUMMARY_SITES] = { "domains", "Remote domains", "Domain" },
	[SUMMARY_ADDRESSES] = { "addresses",
	    "Remote addresses without a name", "Address" },
	[SUMMARY_APPLICATIONS] = { "applications", "Applications",
	    "Application" },
	[SUMMARY_USERS] = { "users", "Users", "User" },
	[SUMMARY_HOSTS] = { "hosts", "Hosts", "Host" },
	[SUMMARY_RULES] = { "rules", "Firewall rules", "Rule" },
	[SUMMARY_PORTS] = { "ports", "Protocols and remote ports", "Port" },
	[SUMMARY_BLOCKED] = { "blocked_attempts", "Blocked attempts",
	    "Attempt" },
};
/* clang-format on */

const char *
report_grouped(uint64_t n, char out[REPORT_NUMBER])
{
	char digits[24];
	size_t count = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n);
	char *end = out;

	for (size_t i = 0; i < count; i++) {
		if (i > 0 && (count - i) % 3 == 0)
			*end++ = ',';
		*end++ = digits[i];
	}
	*end = '\0';
	return out;
}

const char *
report_share(uint64_t part, uint64_t all, char out[REPORT_NUMBER])
{
	if (all == 0)
		snprintf(out, REPORT_NUMBER, "-");
	else
		snprintf(out, REPORT_NUMBER, "%.1f %%",
		    100.0 * (double)part / (double)all);
	return out;
}

const char *
report_time(int64_t seconds, char out[REPORT_NUMBER])
{
	struct timestamp_days days = {0};
	char text[TIMESTAMP_RFC3339];

	timestamp_format(seconds, &days, text);
	snprintf(out, REPORT_NUMBER, "%.10s %.5s", text, text + 11);
	return out;
}

const char *
report_width(int64_t seconds, char out[REPORT_NUMBER])
{
	int64_t unit = seconds < DAY ? HOUR : DAY;
	const char *word = seconds < DAY ? "hour" : "day";

	if (seconds == unit)
		snprintf(out, REPORT_NUMBER, "%s", word);
	else
		snprintf(out, REPORT_NUMBER, "%" PRId64 " %ss", seconds / unit,
		    word);
	return out;
}

const char *
report_error(const struct report *report, enum summary_table which,
    char out[REPORT_SENTENCE])
{
	struct top *table = summary_table(report->summary, which);
	char floor[REPORT_NUMBER], count[REPORT_NUMBER];

	if (top_floor(table) == 0) {
		snprintf(out, REPORT_SENTENCE, "Exact; %s in all.",
		    report_grouped(top_count(table), count));
		return out;
	}
	snprintf(out, REPORT_SENTENCE,
	    "Estimated in constant memory: a figure is never too high, and at "
	    "most too low by what stands behind its plus; what is not listed "
	    "for want of room has at most %s. --exact counts all.",
	    report_grouped(top_floor(table), floor));
	return out;
}
