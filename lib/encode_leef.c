/*
 * The record as a line of QRadar's Log Event Extended Format, 2.0, without a
 * syslog header:
 *
 *	LEEF:2.0|Symantec|Endpoint Protection Manager|unknown|type|x09|pairs
 *
 * Pairs are separated by tabs, and a value holds none: the format has no
 * escapes. Keys that LEEF does not define are the record's own. Of an unknown
 * direction there is neither source nor destination; the client is in ident*.
 */
#include "calendar.h"
#include "encode.h"
#include "encode_json.h"
#include "encode_pairs.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LITERAL(text)                                                          \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}
#define NO EVENT_NO_FIELD

enum { NAME = 255, ANY = 1 << 30 };

struct leef_side {
	struct span ip, port, mac;
};

/* clang-format off */
static const struct leef_side source = {
	LITERAL("src"), LITERAL("srcPort"), LITERAL("srcMAC"),
};
static const struct leef_side destination = {
	LITERAL("dst"), LITERAL("dstPort"), LITERAL("dstMAC"),
};
/* clang-format on */

static char *
put_header(const struct record *r, char *out)
{
	out =
	    put(SPAN("LEEF:2.0|Symantec|Endpoint Protection Manager|unknown|"),
		out);
	return put(SPAN("|x09|"), put(record_type_name[r->type], out));
}

/* `May 14 2024 09:31:09 UTC`, one of the forms that are documented. */
static void
put_dev_time(struct pairs *p)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil c;
	int64_t time;

	if (!event_time(p->record, &time))
		return;
	civil_of(time, &c);
	pairs_key(p, SPAN("devTime"));
	p->out = put(span_of(months + 3 * (c.month - 1), 3), p->out);
	p->out = decimal_put2((unsigned)c.day, put_char(' ', p->out));
	p->out = decimal_put4((unsigned)c.year, put_char(' ', p->out));
	p->out = decimal_put2((unsigned)c.hour, put_char(' ', p->out));
	p->out = decimal_put2((unsigned)c.minute, put_char(':', p->out));
	p->out = decimal_put2((unsigned)c.second, put_char(':', p->out));
	p->out = put(SPAN(" UTC"), p->out);
	pairs_text(p, SPAN("devTimeFormat"), SPAN("MMM dd yyyy HH:mm:ss zzz"));
}

/* With the type in the header it names the event, so it is never a word of
 * the client's language. */
static void
put_category(struct pairs *p)
{
	struct span action = record_text(p->record, RECORD_F_ACTION);

	if (!span_eq(action, SPAN("allowed")) &&
	    !span_eq(action, SPAN("blocked")))
		action = record_type_name[p->record->type];
	pairs_text(p, SPAN("cat"), action);
}

static void
put_severity(struct pairs *p)
{
	/* emerg alert crit err warning notice info debug, none */
	static const unsigned char severities[] = {10, 10, 9, 7, 5, 3, 2, 1, 1};

	pairs_number(p, SPAN("sev"), severities[event_severity(p->record)]);
}

static void
put_end(
    struct pairs *p, const struct leef_side *side, const struct event_end *end)
{
	pairs_field(p, side->ip, end->ip, ANY);
	if (end->port != NO && event_has_ports(p->record))
		pairs_field(p, side->port, end->port, ANY);
	if (end->mac != NO)
		pairs_field(p, side->mac, end->mac, ANY);
}

static void
put_ends(struct pairs *p)
{
	const struct event_end *from = event_source(p->record);
	const struct event_end *to = event_destination(p->record);

	if (from != NULL)
		put_end(p, &source, from);
	if (to != NULL)
		put_end(p, &destination, to);
}

/* The client; QRadar takes its name only with its address. */
static void
put_identity(struct pairs *p)
{
	const struct record *r = p->record;
	enum record_field ip = pairs_own_ip(r);
	struct span text = record_text(r, ip);

	if (!event_is_unicast(text))
		return;
	pairs_text(p, SPAN("identSrc"), text);
	if (ip != RECORD_F_LOCAL_IP)
		pairs_mark(p, ip);
	pairs_text(p, SPAN("identHostName"),
	    event_copy(record_text(r, RECORD_F_HOST)));
	pairs_text(p, SPAN("identGrpName"),
	    event_copy(record_text(r, RECORD_F_GROUP_NAME)));
}

static void
put_known(struct pairs *p)
{
	if (!pairs_field(p, SPAN("usrName"), RECORD_F_USER, NAME) &&
	    !pairs_field(p, SPAN("usrName"), RECORD_F_ADMIN, NAME))
		pairs_field(p, SPAN("usrName"), RECORD_F_USER1, NAME);
	if (!pairs_field(p, SPAN("policy"), RECORD_F_RULE, ANY))
		pairs_field(p, SPAN("policy"), RECORD_F_POLICY_NAME, ANY);
	if (!pairs_field(p, SPAN("resource"), RECORD_F_HOST, ANY))
		pairs_field(p, SPAN("resource"), RECORD_F_COMPUTER_NAME, ANY);
	if (!pairs_field(p, SPAN("url"), RECORD_F_INTRUSION_URL, ANY))
		pairs_field(p, SPAN("url"), RECORD_F_DOWNLOAD_SITE, ANY);
}

static void
put_rest(struct pairs *p)
{
	for (unsigned i = 0; i < RECORD_FIELD_COUNT; i++)
		if (!pairs_done(p, (enum record_field)i))
			pairs_field(p, record_field_info[i].key,
			    (enum record_field)i, (size_t)-1);
}

char *
encode_leef(const struct record *record, struct timestamp_days *days, char *out)
{
	struct pairs p;

	pairs_start(&p, record, days, '\t', false, put_header(record, out));
	put_dev_time(&p);
	put_category(&p);
	put_severity(&p);
	pairs_protocol(&p, SPAN("proto"), ANY);
	put_ends(&p);
	put_identity(&p);
	put_known(&p);
	put_rest(&p);
	return p.out;
}

char *
encode_leef_end(struct span id, char *out)
{
	if (id.n > 0)
		out = put(id, put(SPAN("\tid="), out));
	return put_char('\n', out);
}
