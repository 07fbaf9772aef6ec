#include "trouble.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "netstat.h"

enum {
	DAY = 24 * 60 * 60, /* s */
	EXPIRY_NEAR = 30 * DAY,
	SILENT = 10 * 60, /* s without a message that are worth a word */
	ENOUGH = 1000,    /* messages to judge by */
	UNPARSED_PERCENT = 5,
	FILL_PERCENT = 80, /* of a receive buffer */
	STRAYS = 3,        /* datagrams to nobody that are worth a word */
	UNENDED = 10,      /* messages without an end that are, too */
	SOURCES = 64,      /* whose clocks are looked at */
	CLOCK_SLACK = 120, /* s that a stamp may be ahead */
	CLOCK_MOST = 7 * DAY,
	ZONE_STEP = 15 * 60,
	ZONE_SLACK = 100,
	ZONE_LEAST = 30 * 60 - ZONE_SLACK,
	ZONE_MOST = 26 * 60 * 60,
};

static void __attribute__((format(printf, 4, 5))) add(struct troubles *found,
    bool stops, const char *cure, const char *format, ...)
{
	struct trouble *one;
	va_list args;

	if (found->count == TROUBLES)
		return;
	one = &found->list[found->count++];
	one->stops = stops;
	snprintf(one->cure, sizeof one->cure, "%s", cure);
	va_start(args, format);
	vsnprintf(one->what, sizeof one->what, format, args);
	va_end(args);
}

/* The limit that was reached. Of the quota up to a sixteenth is left over for
 * what is in work (usage.c). */
static const char *
full_words(const struct show *show)
{
	uint64_t quota = show->view->config->spool.quota;

	if (quota > 0 && show->spool.bytes_used >= quota - quota / 8)
		return "spool.quota is used up";
	return "no space, or no more than spool.min_free, on its disk";
}

static void
find_disk(const struct show *show, struct troubles *found)
{
	if (show->spool.state == SPOOL_FULL)
		add(found, true,
		    "Let the uploader take files out of ready/, or make room: "
		    "raise spool.quota, or free what else is on the disk. TCP "
		    "senders wait until there is room; what UDP brings "
		    "meanwhile is dropped once the receive buffer is full, and "
		    "counted.",
		    "The spool is full: %s.", full_words(show));
	if (show->spool.state == SPOOL_DISK_ERROR)
		add(found, true,
		    "Look at the kernel's log and the disk. Records are kept "
		    "in memory and written to a new file as soon as the disk "
		    "takes it.",
		    "The disk refuses to store: %s.",
		    strerrordesc_np(show->spool.error));
	if (show->spool.state == SPOOL_OK &&
	    pipeline_full_since(show->view->pipeline) != 0)
		add(found, true,
		    "This is no loss for TCP. If it lasts, the disk is slower "
		    "than the senders: raise spool.buffer for bursts, or move "
		    "spool.directory to a faster disk.",
		    "The spool's buffers are full, reading has stopped.");
}

static void
find_losses(const struct show *show, const struct history_point *late,
    struct troubles *found)
{
	const struct counters *c = show->view->counters;

	if (late->drops > 0)
		add(found, false,
		    "Raise receive_buffer (and net.core.rmem_max, which caps "
		    "it, or ReceiveBuffer= of the socket unit), or let SEPM "
		    "send over TCP.",
		    "The kernel dropped %" PRIu64 " datagrams in the last "
		    "ten minutes, for want of room in the receive buffer.",
		    late->drops);
	if (c->udp_refused + c->tcp_refused > 0)
		add(found, false,
		    "If they are your servers, add their addresses to "
		    "`allow`; the log names them.",
		    "%" PRIu64 " datagrams and %" PRIu64 " connections came "
		    "from addresses that are not in `allow`.",
		    c->udp_refused, c->tcp_refused);
	if (c->over_limit + c->over_source > 0)
		add(found, false,
		    "Raise max_connections or max_connections_per_source if "
		    "so many are wanted.",
		    "%" PRIu64 " connections were more than the limits allow.",
		    c->over_limit + c->over_source);
	if (c->handshake_failures + c->not_permitted + c->handshake_timeouts >
	    0)
		add(found, false,
		    "The log says why and for whom: a certificate that is not "
		    "trusted, a name that is not in permitted_peers, or a "
		    "sender that does not speak TLS.",
		    "%" PRIu64 " TLS connections were turned away.",
		    c->handshake_failures + c->not_permitted +
			c->handshake_timeouts);
	if (late->messages >= ENOUGH &&
	    late->unparsed * 100 > late->messages * UNPARSED_PERCENT)
		add(found, false,
		    "The messages below show why. They are stored with their "
		    "bytes in the stream that takes `unparsed`.",
		    "%" PRIu64 " of %" PRIu64 " messages of the last ten "
		    "minutes could not be parsed.",
		    late->unparsed, late->messages);
}

static void
find_framing(const struct history_point *late, struct troubles *found)
{
	if (late->cut > 0)
		add(found, false,
		    "Raise max_message; or, if they are many messages in one, "
		    "have the sender end each with a line feed, or count its "
		    "octets (RFC 6587).",
		    "%" PRIu64 " messages of the last ten minutes were longer "
		    "than max_message, and cut.",
		    late->cut);
	if (late->unended >= UNENDED && late->unended * 50 > late->messages)
		add(found, false,
		    "The sender should end each with a line feed, or count its "
		    "octets (RFC 6587), and close no connection within one.",
		    "%" PRIu64 " of %" PRIu64 " messages of the last ten "
		    "minutes had no end.",
		    late->unended, late->messages);
}

static void
find_certificates(const struct show *show, struct troubles *found)
{
	int64_t left = show->view->expires - show->now / 1000000;

	if (show->view->expires != INT64_MAX && left <= 0)
		add(found, false, "Replace its file; it is loaded by itself.",
		    "A TLS certificate has expired: senders that check it do "
		    "not connect.");
	else if (show->view->expires != INT64_MAX && left <= EXPIRY_NEAR)
		add(found, false, "Replace its file; it is loaded by itself.",
		    "A TLS certificate expires in %" PRId64 " days.",
		    left / DAY);
	if (show->view->stale)
		add(found, false, "The log says what is wrong with them.",
		    "Changed TLS files are of no use; those before them "
		    "are.");
	if (show->view->refused)
		add(found, false,
		    "sepmlogd -n lists all errors; mend them and reload "
		    "again.",
		    "The last reload was refused: the configuration before it "
		    "is in force.");
}

/* Records in streams that take traffic, and in those that do not. */
static void
count_traffic(const struct show *show, uint64_t *traffic, uint64_t *others)
{
	const struct config *config = show->view->config;

	*traffic = *others = 0;
	for (size_t i = 0; i < config->stream_count; i++)
		*((config->streams[i].types & 1U << RECORD_TRAFFIC) != 0
			? traffic
			: others) += pipeline_stored(show->view->pipeline, i);
}

static void
find_silence(const struct show *show, const struct history_point *late,
    struct troubles *found)
{
	const struct counters *c = show->view->counters;
	uint64_t traffic, others;

	count_traffic(show, &traffic, &others);
	/* a message or two may be someone's who tries whether it works */
	if (late->no_ports >= STRAYS && late->no_ports > late->messages)
		add(found, false, netstat_wrong_port,
		    "Of late %" PRIu64 " messages have arrived, but %" PRIu64
		    " datagrams came to ports where nobody listens.",
		    late->messages, late->no_ports);
	else if (c->udp + c->tcp + c->tls == 0 && show->uptime >= 60)
		add(found, false,
		    "In SEPM: Admin, Servers, the site, Configure External "
		    "Logging: is it enabled, with this machine's address, and "
		    "one of the ports below? Does a firewall let them "
		    "through?",
		    "Nothing has arrived since the start, %" PRIu64
		    " minutes ago.",
		    show->uptime / 60);
	else if (late->messages == 0 && show->uptime >= SILENT)
		add(found, false,
		    "Is SEPM running, and the way to here open? It sends in "
		    "bursts, each time its own interval has passed.",
		    "Nothing has arrived in the last ten minutes.");
	else if (traffic == 0 && others >= ENOUGH)
		add(found, false,
		    "In SEPM: External Logging, Log Filter: tick Client "
		    "Traffic Log; and in the firewall policy's rules set "
		    "Logging to Write to Traffic Log.",
		    "Of %" PRIu64 " records none is of the traffic log.",
		    others);
}

static void
find_buffers(const struct show *show, struct troubles *found)
{
	const struct endpoints *all = show->view->endpoints;
	char has[SHOW_NUMBER], wants[SHOW_NUMBER], cure[TROUBLE_TEXT];

	for (size_t i = 0; i < all->count; i++) {
		const struct endpoint *e = all->list[i];

		if (e->transport != CONFIG_UDP || e->buffer >= e->wanted)
			continue;
		snprintf(cure, sizeof cure,
		    "Run `sysctl -w net.core.rmem_max=%d` (and keep it in "
		    "/etc/sysctl.d/), or set ReceiveBuffer=%d in the socket "
		    "unit, and reload.",
		    e->wanted, e->wanted);
		add(found, false, cure,
		    "The receive buffer of %s is capped at %s instead of %s: "
		    "bursts may be dropped.",
		    e->name, show_sized((uint64_t)e->buffer, has),
		    show_sized((uint64_t)e->wanted, wants));
	}
}

static void
add_burst(const struct show *show, const struct endpoint *e,
    const struct fill_mark *high, struct troubles *found)
{
	int more = e->buffer < INT32_MAX / 4 ? 2 * e->buffer : e->buffer;
	char ago[SHOW_NUMBER], cure[TROUBLE_TEXT];

	if (e->passed)
		snprintf(cure, sizeof cure,
		    "Set ReceiveBuffer=%d in sepmlogd-udp.socket (systemctl "
		    "edit sepmlogd-udp.socket), and restart that unit; or let "
		    "SEPM send over TCP.",
		    more);
	else
		snprintf(cure, sizeof cure,
		    "Run `sysctl -w net.core.rmem_max=%d` (and keep it in "
		    "/etc/sysctl.d/), set receive_buffer: %d and reload; or "
		    "let "
		    "SEPM send over TCP.",
		    more, more);
	add(found, false, cure,
	    "A burst took %u %% of the receive buffer of %s, %s ago: a larger "
	    "one is dropped.",
	    fill_percent(high), e->name,
	    show_lasted((show->monotonic - high->at) / 1000, ago));
}

static void
find_bursts(const struct show *show, const struct history_point *late,
    struct troubles *found)
{
	const struct endpoints *all = show->view->endpoints;

	for (size_t i = 0; i < all->count && late->drops == 0; i++) {
		struct fill_mark high =
		    fill_highest(&all->list[i]->fill, show->monotonic);

		if (fill_percent(&high) > FILL_PERCENT)
			add_burst(show, all->list[i], &high, found);
	}
}

/* Off by what zones and summer time differ by: parts of an hour? */
static bool
is_zone(int64_t lag)
{
	int64_t off = lag < 0 ? -lag : lag;
	int64_t rest = off % ZONE_STEP;

	return off >= ZONE_LEAST && off <= ZONE_MOST &&
	       (rest < ZONE_SLACK || rest > ZONE_STEP - ZONE_SLACK);
}

/* What is further away was sent long ago and is sent again, or as a test. */
static bool
is_clock(int64_t lag)
{
	return lag <= -CLOCK_SLACK && lag > -CLOCK_MOST;
}

static void
find_clocks(const struct show *show, struct troubles *found)
{
	static struct audit_source list[SOURCES];
	size_t count = audit_sources(show->view->audit, list, SOURCES);
	char name[INET6_ADDRSTRLEN], off[SHOW_NUMBER];

	for (size_t i = 0; i < count; i++) {
		const struct audit_source *s = &list[i];

		if (!s->timed || (!is_clock(s->lag) && !is_zone(s->lag)))
			continue;
		add(found, false,
		    is_zone(s->lag)
			? "It looks like another time zone: set `timezone` for "
			  "it in `sources` (SEPM sends local times without a "
			  "zone), and reload."
			: "Set its clock right (NTP), or ours.",
		    "The times of %s are %s %s those of their receipt.",
		    show_source(s, name),
		    show_lasted((uint64_t)(s->lag < 0 ? -s->lag : s->lag), off),
		    s->lag < 0 ? "ahead of" : "behind");
	}
}

static void
find_vault(const struct show *show, struct troubles *found)
{
	const struct vaulter_status *vault = &show->vault;

	if (show->view->vaulter == NULL)
		return;
	if (vault->cause != VAULT_BUSY)
		add(found, false,
		    vault->cause == VAULT_FULL
			? "Make room on the disk of spool.directory. Records "
			  "are stored meanwhile; a value is sealed when it "
			  "comes again."
			: "Look at the log, the owner of vault/ in "
			  "spool.directory, and the disk. Records are stored "
			  "meanwhile; a value is sealed when it comes again.",
		    "The vault cannot be written: %s. Tokens are stored that "
		    "nobody can reveal.",
		    strerrordesc_np(vault->error));
	else if (show_unsealed(show) > 0)
		add(found, false,
		    "Values that came again since then are sealed. If it "
		    "happens again, the disk is too slow or too small.",
		    "%" PRIu64 " times a token was stored and its value not "
		    "sealed.",
		    show_unsealed(show));
}

void
trouble_find(const struct show *show, struct troubles *found)
{
	struct history_point late =
	    history_sum(&show->history->fine, HISTORY_SECONDS);

	found->count = 0;
	find_disk(show, found);
	find_vault(show, found);
	find_losses(show, &late, found);
	find_framing(&late, found);
	find_buffers(show, found);
	find_bursts(show, &late, found);
	find_clocks(show, found);
	find_certificates(show, found);
	find_silence(show, &late, found);
}
