/*
 * The record as a line of ArcSight's Common Event Format, version 0, without a
 * syslog header:
 *
 *	CEF:0|Symantec|Endpoint Protection Manager||type|name|severity|pairs
 *
 * Keys are those of the extension dictionary, with its lengths. CEF:0 has only
 * IPv4 in src and dst; IPv6 goes to c6a2 and c6a3, whose labels say so. All
 * else is written under keys of our own, `SymantecSEPM` and the record's key.
 * The client and its user are the source, but for what came to them: inbound
 * connections, and risks. Of an unknown direction, addresses and ports stay
 * under our keys.
 */
#include "encode.h"
#include "encode_json.h"
#include "encode_pairs.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LITERAL(text)                                                          \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}
#define NO EVENT_NO_FIELD
#define OWN "SymantecSEPM"

/* Bytes of the longest value of a key. */
enum {
	TEXT = 1023,
	NAME = 255,
	HOST = 100,
	ACTION = 63,
	WORD = 31,
	CUSTOM = 4000,
	ANY = 1 << 30,
};

/* clang-format off */
/* What is shown of an event in lists. */
static const struct span names[RECORD_TYPE_COUNT] = {
	[RECORD_TRAFFIC] = LITERAL("Firewall traffic"),
	[RECORD_PACKET] = LITERAL("Firewall packet"),
	[RECORD_SECURITY] = LITERAL("Network threat protection"),
	[RECORD_RISK] = LITERAL("Risk found"),
	[RECORD_PROACTIVE] = LITERAL("Proactive threat found"),
	[RECORD_SCAN] = LITERAL("Scan"),
	[RECORD_BEHAVIOR] = LITERAL("Application and device control"),
	[RECORD_AGENT_SYSTEM] = LITERAL("Client system"),
	[RECORD_AGENT_ACTIVITY] = LITERAL("Client activity"),
	[RECORD_ADMIN] = LITERAL("Administration"),
	[RECORD_POLICY] = LITERAL("Policy change"),
	[RECORD_SERVER_SYSTEM] = LITERAL("Server system"),
	[RECORD_UNPARSED] = LITERAL("Message not understood"),
};

/* Keys of one side of an event. */
struct cef_side {
	struct span ip, ip6, ip6_label, port, mac, host, user, domain, process,
	    pid, label;
};

static const struct cef_side source = {
	LITERAL("src"), LITERAL("c6a2"), LITERAL("c6a2Label"), LITERAL("spt"),
	LITERAL("smac"), LITERAL("shost"), LITERAL("suser"), LITERAL("sntdom"),
	LITERAL("sproc"), LITERAL("spid"), LITERAL("Source IPv6 Address"),
};
static const struct cef_side destination = {
	LITERAL("dst"), LITERAL("c6a3"), LITERAL("c6a3Label"), LITERAL("dpt"),
	LITERAL("dmac"), LITERAL("dhost"), LITERAL("duser"), LITERAL("dntdom"),
	LITERAL("dproc"), LITERAL("dpid"), LITERAL("Destination IPv6 Address"),
};

/* A key, the first field of two that is present, and a label of custom ones. */
static const struct cef_row {
	struct span key;
	unsigned char from[2];
	int max;
	struct span label_key, label;
} rows[] = {
#define ROW(key, a, b, max) { LITERAL(key), { a, b }, max, {"", 0}, {"", 0} }
#define CUSTOM_ROW(key, a, b, label) \
	{ LITERAL(key), { a, b }, CUSTOM, LITERAL(key "Label"), LITERAL(label) }
	ROW("act", RECORD_F_ACTION, RECORD_F_ACTUAL_ACTION, ACTION),
	ROW("reason", RECORD_F_REASON, NO, TEXT),
	ROW("cnt", RECORD_F_OCCURRENCES, NO, ANY),
	ROW("deviceFacility", RECORD_F_FACILITY, NO, TEXT),
	ROW("dvchost", RECORD_F_SEPM, NO, HOST),
	ROW("filePath", RECORD_F_FILE_PATH, NO, TEXT),
	ROW("fsize", RECORD_F_FILE_SIZE_BYTES, NO, ANY),
	ROW("fileHash", RECORD_F_APPLICATION_HASH, RECORD_F_SHA256, NAME),
	ROW("request", RECORD_F_INTRUSION_URL, RECORD_F_DOWNLOAD_SITE, TEXT),
	ROW("msg", RECORD_F_EVENT_DESCRIPTION, NO, TEXT),
	CUSTOM_ROW("cs1", RECORD_F_RULE, RECORD_F_POLICY_NAME, "Rule"),
	CUSTOM_ROW("cs2", RECORD_F_LOCATION, NO, "Location"),
	CUSTOM_ROW("cs3", RECORD_F_DOMAIN_NAME, NO, "SEPM Domain"),
	CUSTOM_ROW("cs4", RECORD_F_GROUP_NAME, NO, "Group"),
	CUSTOM_ROW("cs5", RECORD_F_RISK_NAME, RECORD_F_CIDS_SIGNATURE_STRING,
	    "Threat"),
	CUSTOM_ROW("cs6", RECORD_F_SERVER_NAME, NO, "Server"),
#undef ROW
#undef CUSTOM_ROW
};
/* clang-format on */

static char *
put_header(const struct record *r, char *out)
{
	/* emerg alert crit err warning notice info debug, none */
	static const unsigned char severities[] = {10, 10, 9, 7, 5, 3, 2, 1, 0};

	out = put(SPAN("CEF:0|Symantec|Endpoint Protection Manager||"), out);
	out = put_char('|', put(record_type_name[r->type], out));
	out = put_char('|', put(names[r->type], out));
	return put_char('|', decimal_put(severities[event_severity(r)], out));
}

static void
put_times(struct pairs *p)
{
	if (!pairs_ms(p, SPAN("rt"), RECORD_F_RECEIVED))
		pairs_ms(p, SPAN("rt"), RECORD_F_TIME);
	if (!pairs_ms(p, SPAN("start"), RECORD_F_BEGIN))
		pairs_ms(p, SPAN("start"), RECORD_F_EVENT_TIME);
	pairs_ms(p, SPAN("end"), RECORD_F_END);
}

static void
put_direction(struct pairs *p)
{
	struct span word = record_text(p->record, RECORD_F_DIRECTION);
	bool in = span_eq(word, SPAN("inbound"));

	if (!in && !span_eq(word, SPAN("outbound")))
		return;
	pairs_number(p, SPAN("deviceDirection"), in ? 0 : 1);
	pairs_mark(p, RECORD_F_DIRECTION);
}

static void
put_ip(struct pairs *p, const struct cef_side *side, enum record_field f)
{
	int family = f == NO ? 0 : event_family(record_text(p->record, f));

	if (family == 4)
		pairs_field(p, side->ip, f, ANY);
	if (family == 6 && pairs_field(p, side->ip6, f, ANY))
		pairs_text(p, side->ip6_label, side->label);
}

/* The end of a connection. */
static void
put_end(
    struct pairs *p, const struct cef_side *side, const struct event_end *end)
{
	put_ip(p, side, end->ip);
	if (end->port != NO && event_has_ports(p->record))
		pairs_field(p, side->port, end->port, ANY);
	if (end->mac != NO)
		pairs_field(p, side->mac, end->mac, ANY);
	if (end->name != NO)
		pairs_field(p, side->host, end->name, TEXT);
}

static bool
is_connection(const struct record *r)
{
	return r->type == RECORD_TRAFFIC || r->type == RECORD_PACKET ||
	       r->type == RECORD_SECURITY;
}

/* The client; where there is a connection, put_end has its address. */
static void
put_client(struct pairs *p, const struct cef_side *side)
{
	const struct record *r = p->record;
	enum record_field program = record_has(r, RECORD_F_PROCESS)
					? RECORD_F_PROCESS
					: RECORD_F_APPLICATION;
	uint64_t pid;

	if (!is_connection(r))
		put_ip(p, side, pairs_own_ip(r));
	if (!pairs_field(p, side->host, RECORD_F_HOST, TEXT))
		pairs_field(p, side->host, RECORD_F_COMPUTER_NAME, TEXT);
	if (!pairs_field(p, side->user, RECORD_F_USER, TEXT) &&
	    !pairs_field(p, side->user, RECORD_F_ADMIN, TEXT))
		pairs_field(p, side->user, RECORD_F_USER1, TEXT);
	pairs_field(p, side->domain, RECORD_F_DOMAIN, NAME);
	pairs_field(p, side->process, program, TEXT);
	if (event_number(record_text(r, RECORD_F_PROCESS_ID), &pid))
		pairs_field(p, side->pid, RECORD_F_PROCESS_ID, NAME);
}

static void
put_sides(struct pairs *p)
{
	const struct event_end *from = event_source(p->record);
	const struct event_end *to = event_destination(p->record);

	if (from != NULL)
		put_end(p, &source, from);
	if (to != NULL)
		put_end(p, &destination, to);
	put_client(p, event_is_target(p->record) ? &destination : &source);
}

static void
put_row(struct pairs *p, const struct cef_row *row)
{
	for (size_t i = 0; i < COUNT(row->from); i++) {
		if (row->from[i] == NO ||
		    !pairs_field(p, row->key, (enum record_field)row->from[i],
			(size_t)row->max))
			continue;
		pairs_text(p, row->label_key, row->label);
		return;
	}
}

/* `SymantecSEPMRiskLevel` for `risk_level`. */
static void
put_own_key(struct pairs *p, struct span key)
{
	char text[sizeof(OWN) + 64], *out = put(SPAN(OWN), text);
	bool upper = true;

	for (size_t i = 0; i < key.n && i < 64; i++) {
		char c = key.p[i];

		if (upper && c >= 'a' && c <= 'z')
			c = (char)(c - ('a' - 'A'));
		upper = key.p[i] == '_';
		if (!upper)
			*out++ = c;
	}
	pairs_key(p, span_between(text, out));
}

static void
put_rest(struct pairs *p)
{
	for (unsigned i = 0; i < RECORD_FIELD_COUNT; i++) {
		enum record_field f = (enum record_field)i;

		if (pairs_done(p, f) || !pairs_has(p, f))
			continue;
		put_own_key(p, record_field_info[f].key);
		pairs_value(p, f);
	}
}

char *
encode_cef(const struct record *record, struct timestamp_days *days, char *out)
{
	struct span file = record_text(record, RECORD_F_FILE_PATH);
	struct pairs p;

	pairs_start(&p, record, days, ' ', true, put_header(record, out));
	put_times(&p);
	pairs_text(&p, SPAN("cat"), record_type_name[record->type]);
	put_direction(&p);
	pairs_protocol(&p, SPAN("proto"), WORD);
	put_sides(&p);
	pairs_text(&p, SPAN("fname"), event_copy(event_base_name(file)));
	for (size_t i = 0; i < COUNT(rows); i++)
		put_row(&p, &rows[i]);
	put_rest(&p);
	return p.out;
}

char *
encode_cef_end(struct span id, char *out)
{
	if (id.n > 0)
		out = put(id, put(SPAN(" externalId="), out));
	return put_char('\n', out);
}
