/*
 * The record as an event of the Open Cybersecurity Schema Framework, 1.3.0:
 *
 *	traffic, packet			Network Activity (4001)
 *	security, risk, proactive,
 *	behavior			Detection Finding (2004)
 *	scan				Scan Activity (6007)
 *	admin, policy			Entity Management (3004)
 *	agent_*, server_system		Application Lifecycle (6002)
 *	unparsed			Base Event (0)
 *
 * What the schema has no attribute for is kept in `unmapped`, with the
 * record's own keys. It wants a destination of every connection: of an unknown
 * direction that is the other side, and direction_id says 0. Where it wants a
 * name and there is none, it gets `unknown`; without any time, time is 0.
 */
#include "encode.h"
#include "encode_json.h"
#include "encode_tree.h"
#include "sha1.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LITERAL(text)                                                          \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}
#define OCSF_VERSION "1.3.0"
#define NO EVENT_NO_FIELD

/* The mask of rows: which classes have them. */
enum {
	NETWORK = 1,
	FINDING = 2,
	SCAN = 4,
	ENTITY = 8,
	APPLICATION = 16,
	BASE = 32,
	ALL = 63,
};

enum { OTHER = 99 }; /* of every `_id` */

struct ocsf_class {
	int uid, category;
	unsigned char mask;
};

/* clang-format off */
static const struct ocsf_class classes[RECORD_TYPE_COUNT] = {
	[RECORD_TRAFFIC]	= { 4001, 4, NETWORK },
	[RECORD_PACKET]		= { 4001, 4, NETWORK },
	[RECORD_SECURITY]	= { 2004, 2, FINDING },
	[RECORD_RISK]		= { 2004, 2, FINDING },
	[RECORD_PROACTIVE]	= { 2004, 2, FINDING },
	[RECORD_SCAN]		= { 6007, 6, SCAN },
	[RECORD_BEHAVIOR]	= { 2004, 2, FINDING },
	[RECORD_AGENT_SYSTEM]	= { 6002, 6, APPLICATION },
	[RECORD_AGENT_ACTIVITY]	= { 6002, 6, APPLICATION },
	[RECORD_ADMIN]		= { 3004, 3, ENTITY },
	[RECORD_POLICY]		= { 3004, 3, ENTITY },
	[RECORD_SERVER_SYSTEM]	= { 6002, 6, APPLICATION },
	[RECORD_UNPARSED]	= { 0, 0, BASE },
};

/* SEPM's words, whatever their case, and ids of the schema. */
struct ocsf_id {
	struct span word;
	int id;
};

static const struct ocsf_id scan_activities[] = {
	{ LITERAL("started"),		1 },
	{ LITERAL("completed"),		2 },
	{ LITERAL("cancelled"),		3 },
	{ LITERAL("canceled"),		3 },
	{ LITERAL("aborted"),		3 },
	{ LITERAL("failed"),		6 },
	{ LITERAL("suspended"),		7 },
	{ LITERAL("paused"),		7 },
	{ LITERAL("resumed"),		8 },
	{ LITERAL("delayed"),		10 },
	{ LITERAL(""),			OTHER },
};

static const struct ocsf_id scan_types[] = {
	{ LITERAL("on demand"),		1 },
	{ LITERAL("manual"),		1 },
	{ LITERAL("scannow"),		1 },
	{ LITERAL("scheduled"),		2 },
	{ LITERAL(""),			OTHER },
};

static const struct ocsf_id dispositions[] = {
	{ LITERAL("allowed"),		1 },
	{ LITERAL("blocked"),		2 },
	{ LITERAL("access denied"),	2 },
	{ LITERAL("quarantined"),	3 },
	{ LITERAL("deleted"),		5 },
	{ LITERAL("cleaned by deletion"), 5 },
	{ LITERAL("cleaned"),		11 },
	{ LITERAL("left alone"),	16 },
	{ LITERAL("log only"),		17 },
	{ LITERAL("logged"),		17 },
	{ LITERAL(""),			OTHER },
};

static const struct ocsf_id malware_classes[] = {
	{ LITERAL("adware"),		1 },
	{ LITERAL("spyware"),		17 },
	{ LITERAL("trojan"),		18 },
	{ LITERAL("virus"),		19 },
	{ LITERAL("worm"),		22 },
	{ LITERAL(""),			OTHER },
};
/* clang-format on */

/* 0 for no word, OTHER for an unknown one. */
static int
id_of(const struct ocsf_id *table, struct span word)
{
	if (word.n == 0)
		return 0;
	while (table->word.n > 0 && !span_caseeq(table->word, word))
		table++;
	return table->id;
}

static const struct ocsf_class *
class_of(const struct tree *t)
{
	return &classes[t->record->type];
}

static struct span
text_of(const struct tree *t, enum record_field f)
{
	return f == NO ? SPAN("") : record_text(t->record, f);
}

/* Classification */

static int
activity_of(const struct tree *t)
{
	switch (class_of(t)->mask) {
	case NETWORK: /* refused, or traffic */
		return span_eq(text_of(t, RECORD_F_ACTION), SPAN("blocked"))
			   ? 5
			   : 6;
	case FINDING: /* created */
		return 1;
	case SCAN:
		return id_of(scan_activities, text_of(t, RECORD_F_STATUS));
	case BASE:
		return 0;
	default: /* SEPM says it in a text only */
		return OTHER;
	}
}

static void
put_activity(struct tree *t, const struct tree_row *row)
{
	int id = activity_of(t);

	tree_number(t, row->path, row->key, id);
	if (id == OTHER)
		tree_text(t, row->path, SPAN("activity_name"),
		    record_type_name[t->record->type]);
}

static void
put_class(struct tree *t, const struct tree_row *row)
{
	const struct ocsf_class *class = class_of(t);

	tree_number(t, row->path, SPAN("category_uid"), class->category);
	tree_number(t, row->path, SPAN("class_uid"), class->uid);
	tree_number(t, row->path, SPAN("type_uid"),
	    (int64_t) class->uid * 100 + activity_of(t));
}

static void
put_severity(struct tree *t, const struct tree_row *row)
{
	/* emerg alert crit err warning notice info debug, none */
	static const int ids[] = {6, 5, 5, 4, 3, 2, 1, 1, 0};

	tree_number(t, row->path, row->key, ids[event_severity(t->record)]);
}

static void
put_time_of_event(struct tree *t, const struct tree_row *row)
{
	int64_t seconds = 0;

	event_time(t->record, &seconds);
	tree_ms(t, row->path, row->key, seconds);
}

/* Milliseconds; the seconds stay in a field of their own. */
static void
put_duration(struct tree *t, const struct tree_row *row)
{
	enum record_field f = tree_first(t, row);

	if (f != NO && t->record->value[f].number <= INT32_MAX)
		tree_number(t, row->path, row->key,
		    (int64_t)t->record->value[f].number * 1000);
}

/* What was done: the word of the action, or that of a risk. */
static void
put_action(struct tree *t, const struct tree_row *row)
{
	bool own = record_has(t->record, RECORD_F_ACTION);
	enum record_field f = own ? RECORD_F_ACTION : RECORD_F_ACTUAL_ACTION;
	int disposition = id_of(dispositions, text_of(t, f)), action = 0;

	if (disposition == 1 || disposition == 16)
		action = 1;
	else if (disposition > 0 && disposition <= 11)
		action = 2;
	tree_number(t, row->path, SPAN("action_id"), action);
	tree_number(t, row->path, SPAN("disposition_id"), disposition);
	if (disposition == OTHER)
		tree_field(t, row->path, SPAN("disposition"), f);
	else if (own)
		tree_mark(t, f);
}

/* Machines and users */

static struct span
own_ip(const struct tree *t)
{
	struct span local = text_of(t, RECORD_F_LOCAL_IP);

	if (event_is_unicast(local))
		return local;
	if (record_has(t->record, RECORD_F_IP_ADDRESS))
		return text_of(t, RECORD_F_IP_ADDRESS);
	return text_of(t, RECORD_F_CURRENT_IP_ADDRESS);
}

/* An interface for each group of the agent's addresses. */
static void
put_interfaces(struct tree *t, struct span path)
{
	const struct record *r = t->record;
	char separator = '[';

	for (size_t i = 0; i < r->addresses; i++) {
		const struct record_address *a = &r->address[i];

		if (a->ip.n == 0 && a->mac.n == 0)
			continue;
		if (separator == '[')
			tree_key(t, path, SPAN("network_interfaces"));
		*t->out++ = separator;
		separator = ',';
		t->out = put(SPAN("{\"type_id\":0"), t->out);
		if (a->ip.n > 0)
			t->out = put_string(
			    event_copy(a->ip), put(SPAN(",\"ip\":"), t->out));
		if (a->mac.n > 0)
			t->out = put_string(
			    event_copy(a->mac), put(SPAN(",\"mac\":"), t->out));
		*t->out++ = '}';
	}
	if (separator == ',')
		*t->out++ = ']';
}

static void
put_device(struct tree *t, const struct tree_row *row)
{
	enum record_field host = tree_first(t, row);
	struct span ip = own_ip(t);

	if (host == NO && ip.n == 0 &&
	    !record_has(t->record, RECORD_F_HARDWARE_KEY))
		return;
	if (host != NO)
		tree_field(t, row->path, SPAN("hostname"), host);
	tree_text(t, row->path, SPAN("ip"), event_copy(ip));
	if (ip.n > 0 && ip.p == text_of(t, RECORD_F_LOCAL_IP).p)
		tree_text(t, row->path, SPAN("mac"),
		    event_copy(text_of(t, RECORD_F_LOCAL_MAC)));
	tree_field(t, row->path, SPAN("uid"), RECORD_F_HARDWARE_KEY);
	put_interfaces(t, row->path);
	tree_number(t, row->path, SPAN("type_id"), 0);
}

static void
put_user(struct tree *t, const struct tree_row *row)
{
	enum record_field f = tree_first(t, row);

	if (f == NO)
		return;
	tree_field(t, row->path, SPAN("name"), f);
	if (f == RECORD_F_USER)
		tree_field(t, row->path, SPAN("domain"), RECORD_F_DOMAIN);
}

/* Ends of connections */

/* An endpoint needs an address or a name. */
static void
put_end(
    struct tree *t, struct span path, const struct event_end *end, bool needed)
{
	struct span ip = text_of(t, end->ip), mac = text_of(t, end->mac);
	bool local = end == &event_local;
	struct span host = text_of(t, local ? RECORD_F_HOST : end->name);
	bool port = end->port != NO && event_has_ports(t->record) &&
		    record_has(t->record, end->port);

	if (!needed && ip.n == 0 && mac.n == 0 && !port &&
	    (local || host.n == 0))
		return;
	tree_text(t, path, SPAN("ip"), event_copy(ip));
	if (ip.n > 0)
		tree_mark(t, end->ip);
	if (port)
		tree_field(t, path, SPAN("port"), end->port);
	tree_text(t, path, SPAN("mac"), event_copy(mac));
	if (mac.n > 0)
		tree_mark(t, end->mac);
	if (local)
		tree_text(t, path, SPAN("hostname"), event_copy(host));
	else if (host.n > 0)
		tree_field(t, path, SPAN("hostname"), end->name);
	if (ip.n == 0 && host.n == 0)
		tree_text(t, path, SPAN("name"), SPAN("unknown"));
}

static void
put_source(struct tree *t, const struct tree_row *row)
{
	const struct event_end *end = event_source(t->record);

	if (end == NULL && row->mask == NETWORK)
		end = &event_local;
	if (end != NULL)
		put_end(t, row->path, end, false);
}

static void
put_destination(struct tree *t, const struct tree_row *row)
{
	const struct event_end *end = event_destination(t->record);
	bool needed = row->mask == NETWORK;

	if (end == NULL && needed)
		end = &event_remote;
	if (end != NULL)
		put_end(t, row->path, end, needed);
}

static void
put_connection(struct tree *t, const struct tree_row *row)
{
	static const struct ocsf_id directions[] = {{LITERAL("inbound"), 1},
	    {LITERAL("outbound"), 2}, {LITERAL("unknown"), 0},
	    {LITERAL(""), OTHER}};
	struct span word = text_of(t, RECORD_F_DIRECTION);
	int number = event_protocol(t->record), id = id_of(directions, word);
	int family = event_families(t->record);

	if (row->mask != NETWORK && word.n == 0 && number < 0)
		return;
	tree_number(t, row->path, SPAN("direction_id"), id);
	if (id == OTHER)
		tree_field(t, row->path, SPAN("direction"), RECORD_F_DIRECTION);
	tree_mark(t, RECORD_F_DIRECTION);
	if (number >= 0) {
		tree_text(t, row->path, SPAN("protocol_name"),
		    event_protocol_word(number));
		tree_number(t, row->path, SPAN("protocol_num"), number);
		tree_mark(t, RECORD_F_PROTOCOL);
	}
	if (family != 0)
		tree_number(t, row->path, SPAN("protocol_ver_id"), family);
}

/* Files and programs */

static char *
put_fingerprint(int algorithm, struct span value, char separator, char *out)
{
	out = put(SPAN("{\"algorithm_id\":"), put_char(separator, out));
	out = decimal_put((uint64_t)algorithm, out);
	out = put_string(value, put(SPAN(",\"value\":"), out));
	return put_char('}', out);
}

/* Those of the program. */
static void
put_hashes(struct tree *t, struct span path)
{
	struct span sha256 = text_of(t, RECORD_F_SHA256);
	struct span md5 = text_of(t, RECORD_F_MD5);
	char separator = '[';

	if (sha256.n == 0 && md5.n == 0)
		return;
	tree_key(t, path, SPAN("hashes"));
	if (sha256.n > 0) {
		t->out = put_fingerprint(3, sha256, separator, t->out);
		separator = ',';
	}
	if (md5.n > 0)
		t->out = put_fingerprint(1, md5, separator, t->out);
	*t->out++ = ']';
	tree_mark(t, RECORD_F_SHA256);
	tree_mark(t, RECORD_F_MD5);
}

static void
put_process(struct tree *t, const struct tree_row *row)
{
	enum record_field f = tree_first(t, row);
	struct span text = text_of(t, f), file = SPAN("actor.process.file");
	struct span name = event_copy(event_base_name(text));
	uint64_t pid;

	if (name.n == 0)
		return;
	tree_text(t, row->path, SPAN("name"), name);
	if (event_number(text_of(t, RECORD_F_PROCESS_ID), &pid) &&
	    pid <= INT32_MAX) {
		tree_number(t, row->path, SPAN("pid"), (int64_t)pid);
		tree_mark(t, RECORD_F_PROCESS_ID);
	}
	tree_text(t, file, SPAN("name"), name);
	if (event_is_path(text) || text.n > EVENT_COPY)
		tree_field(t, file, SPAN("path"), f);
	tree_mark(t, f);
	put_hashes(t, file);
	tree_number(t, file, SPAN("type_id"), 1);
}

static void
put_file_hash(struct tree *t, struct span path)
{
	static const int algorithms[] = {
	    [EVENT_MD5] = 1, [EVENT_SHA1] = 2, [EVENT_SHA256] = 3};
	struct span text = text_of(t, RECORD_F_APPLICATION_HASH);
	char lower[EVENT_HASH_MAX];
	enum event_hash kind = event_hash(text, lower);

	if (kind == EVENT_NO_HASH)
		return;
	tree_key(t, path, SPAN("hashes"));
	t->out = put_fingerprint(
	    algorithms[kind], span_of(lower, text.n), '[', t->out);
	*t->out++ = ']';
	tree_mark(t, RECORD_F_APPLICATION_HASH);
	tree_mark(t, RECORD_F_HASH_TYPE);
}

/* A file needs a name. */
static void
put_file(struct tree *t, const struct tree_row *row)
{
	struct span path = text_of(t, RECORD_F_FILE_PATH);
	struct span name = event_copy(event_base_name(path));

	if (path.n == 0)
		return;
	tree_text(
	    t, row->path, SPAN("name"), name.n > 0 ? name : SPAN("unknown"));
	tree_field(t, row->path, SPAN("path"), RECORD_F_FILE_PATH);
	tree_field(t, row->path, SPAN("size"), RECORD_F_FILE_SIZE_BYTES);
	tree_field(t, row->path, SPAN("company_name"), RECORD_F_COMPANY_NAME);
	tree_field(t, row->path, SPAN("version"), RECORD_F_APPLICATION_VERSION);
	put_file_hash(t, row->path);
	tree_number(t, row->path, SPAN("type_id"), 1);
}

static void
put_malware(struct tree *t, const struct tree_row *row)
{
	struct span word = text_of(t, RECORD_F_CATEGORY_TYPE);
	int id = id_of(malware_classes, word);

	if (text_of(t, RECORD_F_RISK_NAME).n == 0)
		return;
	tree_field(t, row->path, SPAN("name"), RECORD_F_RISK_NAME);
	if (id == OTHER) {
		tree_key(t, row->path, SPAN("classifications"));
		t->out = put_string(event_copy(word), put_char('[', t->out));
		*t->out++ = ']';
	}
	tree_key(t, row->path, SPAN("classification_ids"));
	t->out = decimal_put((uint64_t)id, put_char('[', t->out));
	*t->out++ = ']';
}

/* Findings */

/* SEPM's own name of it, or the event's; else the message's, which is the same
 * when it comes again. */
static void
put_finding_uid(struct tree *t, const struct tree_row *row)
{
	struct span own = text_of(t, tree_first(t, row));
	unsigned char digest[SHA1_SIZE];
	char hex[2 * SHA1_SIZE];

	if (own.n > 0) {
		tree_text(t, row->path, row->key, event_copy(own));
		return;
	}
	sha1(t->record->original, digest);
	for (size_t i = 0; i < SHA1_SIZE; i++) {
		hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	tree_text(t, row->path, row->key, span_of(hex, sizeof(hex)));
}

static void
put_title(struct tree *t, const struct tree_row *row)
{
	struct span text = event_copy(text_of(t, tree_first(t, row)));

	if (text.n == 0)
		text = record_type_name[t->record->type];
	tree_text(t, row->path, row->key, text);
}

/* The signature or the rule. */
static void
put_analytic(struct tree *t, const struct tree_row *row)
{
	enum record_field name = tree_first(t, row);

	bool signature = event_has_signature(t->record);

	if (name == NO && !signature)
		return;
	if (name != NO)
		tree_field(t, row->path, SPAN("name"), name);
	if (signature)
		tree_field(
		    t, row->path, SPAN("uid"), RECORD_F_CIDS_SIGNATURE_ID);
	tree_number(t, row->path, SPAN("type_id"), 1);
}

static void
put_type_list(struct tree *t, const struct tree_row *row)
{
	tree_key(t, row->path, row->key);
	t->out =
	    put_word(record_type_name[t->record->type], put_char('[', t->out));
	*t->out++ = ']';
}

/* Scans, entities, applications */

static void
put_scan(struct tree *t, const struct tree_row *row)
{
	int id = id_of(scan_types, text_of(t, RECORD_F_SCAN_TYPE));

	if (record_has(t->record, RECORD_F_SCAN_ID))
		tree_field(t, row->path, SPAN("uid"), RECORD_F_SCAN_ID);
	else
		tree_text(t, row->path, SPAN("name"), SPAN("unknown"));
	tree_field(t, row->path, SPAN("type"), RECORD_F_SCAN_TYPE);
	tree_number(t, row->path, SPAN("type_id"), id);
}

static void
put_status(struct tree *t, const struct tree_row *row)
{
	if (!record_has(t->record, RECORD_F_STATUS))
		return;
	tree_field(t, row->path, SPAN("status"), RECORD_F_STATUS);
	tree_number(t, row->path, SPAN("status_id"), OTHER);
}

static void
put_entity(struct tree *t, const struct tree_row *row)
{
	bool policy = t->record->type == RECORD_POLICY;
	struct span server = text_of(t, tree_first(t, row));

	tree_text(t, row->path, SPAN("type"),
	    policy ? SPAN("policy") : SPAN("management server"));
	if (policy && record_has(t->record, RECORD_F_POLICY_NAME))
		tree_field(t, row->path, SPAN("name"), RECORD_F_POLICY_NAME);
	else
		tree_text(t, row->path, SPAN("name"),
		    server.n > 0 ? event_copy(server) : SPAN("unknown"));
}

static void
put_application(struct tree *t, const struct tree_row *row)
{
	bool server = t->record->type == RECORD_SERVER_SYSTEM;

	tree_text(t, row->path, SPAN("name"),
	    server ? SPAN("Endpoint Protection Manager")
		   : SPAN("Endpoint Protection"));
	tree_text(t, row->path, SPAN("vendor_name"), SPAN("Symantec"));
}

/* These classes have no device: what it is stays in `unmapped`, and here is
 * where to look. */
static void
put_observables(struct tree *t, const struct tree_row *row)
{
	static const struct {
		enum record_field field;
		struct span name;
		unsigned type;
	} rows[] = {
	    {RECORD_F_HOST, LITERAL("unmapped.host"), 1},
	    {RECORD_F_IP_ADDRESS, LITERAL("unmapped.ip_address"), 2},
	    {RECORD_F_USER, LITERAL("unmapped.user"), 4},
	    {RECORD_F_USER1, LITERAL("unmapped.user1"), 4},
	};
	char separator = '[';

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span text = event_copy(text_of(t, rows[i].field));

		if (text.n == 0)
			continue;
		if (separator == '[')
			tree_key(t, row->path, row->key);
		t->out = put(SPAN("{\"name\":"), put_char(separator, t->out));
		separator = ',';
		t->out = put_word(rows[i].name, t->out);
		t->out = decimal_put(
		    rows[i].type, put(SPAN(",\"type_id\":"), t->out));
		t->out = put_string(text, put(SPAN(",\"value\":"), t->out));
		*t->out++ = '}';
	}
	if (separator == ',')
		*t->out++ = ']';
}

static void
put_log_name(struct tree *t, const struct tree_row *row)
{
	tree_text(t, row->path, row->key, record_type_name[t->record->type]);
}

/* clang-format off */
#define ROW0(path, key, mask, put) TREE_ROW(path, key, put, NO, NO, NO, mask, "")
#define ROW1(path, key, mask, put, a) \
	TREE_ROW(path, key, put, RECORD_F_##a, NO, NO, mask, "")
#define ROW2(path, key, mask, put, a, b) \
	TREE_ROW(path, key, put, RECORD_F_##a, RECORD_F_##b, NO, mask, "")
#define ROW3(path, key, mask, put, a, b, c) \
	TREE_ROW(path, key, put, RECORD_F_##a, RECORD_F_##b, RECORD_F_##c, mask, "")
#define WORD(path, key, mask, word) \
	TREE_ROW(path, key, tree_put_word, NO, NO, NO, mask, word)
#define JSON(path, key, mask, text) \
	TREE_ROW(path, key, tree_put_json, NO, NO, NO, mask, text)

/* An object's rows stand together. */
static const struct tree_row ocsf_rows[] = {
	ROW0("", "activity_id", ALL, put_activity),
	ROW0("", "", ALL, put_class),
	ROW0("", "severity_id", ALL, put_severity),
	ROW0("", "time", ALL, put_time_of_event),
	ROW1("", "start_time", ALL, tree_put_ms, BEGIN),
	ROW1("", "end_time", ALL, tree_put_ms, END),
	ROW1("", "duration", ALL, put_duration, DURATION_SECONDS),
	ROW1("", "count", ALL, tree_put_field, OCCURRENCES),
	ROW2("", "message", ALL, tree_put_field, EVENT_DESCRIPTION, REASON),
	ROW1("", "raw_data", ALL, tree_put_field, RAW),
	ROW0("", "", SCAN, put_status),
	JSON("", "status_id", FINDING, "1"),
	ROW0("", "", NETWORK | FINDING, put_action),
	ROW1("", "num_files", SCAN, tree_put_field, TOTAL_FILES),
	ROW1("", "num_detections", SCAN, tree_put_field, THREATS),
	ROW1("", "num_skipped_items", SCAN, tree_put_field, OMITTED),
	ROW0("", "observables", SCAN | APPLICATION, put_observables),
	ROW2("device", "", NETWORK | FINDING, put_device, HOST, COMPUTER_NAME),
	ROW2("actor.user", "", NETWORK | FINDING | ENTITY, put_user,
	    USER, ADMIN),
	ROW2("actor.process", "", NETWORK | FINDING, put_process,
	    PROCESS, APPLICATION),
	ROW0("src_endpoint", "", NETWORK, put_source),
	ROW0("dst_endpoint", "", NETWORK, put_destination),
	ROW0("connection_info", "", NETWORK, put_connection),
	ROW1("firewall_rule", "name", NETWORK, tree_put_field, RULE),
	ROW1("firewall_rule", "uid", NETWORK, tree_put_field, RULE_ID),
	ROW3("finding_info", "title", FINDING, put_title,
	    EVENT_DESCRIPTION, RISK_NAME, RULE),
	ROW2("finding_info", "uid", FINDING, put_finding_uid,
	    CORRELATION_ID, EVENT_KEY),
	ROW0("finding_info", "types", FINDING, put_type_list),
	ROW2("finding_info.analytic", "", FINDING, put_analytic,
	    CIDS_SIGNATURE_STRING, RULE),
	ROW0("malware[]", "", FINDING, put_malware),
	ROW0("evidences[].src_endpoint", "", FINDING, put_source),
	ROW0("evidences[].dst_endpoint", "", FINDING, put_destination),
	ROW0("evidences[].connection_info", "", FINDING, put_connection),
	ROW0("evidences[].file", "", FINDING, put_file),
	ROW2("evidences[].url", "url_string", FINDING, tree_put_field,
	    INTRUSION_URL, DOWNLOAD_SITE),
	ROW0("scan", "", SCAN, put_scan),
	ROW2("entity", "", ENTITY, put_entity, SERVER_NAME, SEPM),
	ROW0("app", "", APPLICATION, put_application),
};

/* The last object, so that an id can follow. */
static const struct tree_row ocsf_metadata[] = {
	WORD("metadata.product", "name", ALL, "Endpoint Protection Manager"),
	WORD("metadata.product", "vendor_name", ALL, "Symantec"),
	ROW0("metadata", "log_name", ALL, put_log_name),
	ROW1("metadata", "log_provider", ALL, tree_put_field, SEPM),
	ROW1("metadata", "logged_time", ALL, tree_put_ms, TIME),
	ROW1("metadata", "processed_time", ALL, tree_put_ms, RECEIVED),
	ROW1("metadata", "event_code", ALL, tree_put_field, EVENT_TYPE),
	ROW1("metadata", "correlation_uid", ALL, tree_put_field,
	    CORRELATION_ID),
	ROW1("metadata", "sequence", ALL, tree_put_field, USN),
	ROW1("metadata", "labels", ALL, tree_put_field, FLAGS),
	JSON("metadata", "profiles", NETWORK | FINDING,
	    "[\"host\",\"security_control\"]"),
	WORD("metadata", "version", ALL, OCSF_VERSION),
};
/* clang-format on */

char *
encode_ocsf(const struct record *record, struct timestamp_days *days, char *out)
{
	unsigned char mask = classes[record->type].mask;
	struct tree t;

	tree_start(&t, record, days, out);
	tree_rows(&t, ocsf_rows, COUNT(ocsf_rows), mask);
	tree_reserve(&t, ocsf_metadata, COUNT(ocsf_metadata), mask);
	tree_rest(&t, SPAN("unmapped"));
	tree_rows(&t, ocsf_metadata, COUNT(ocsf_metadata), mask);
	return t.out;
}

char *
encode_ocsf_end(struct span id, char *out)
{
	if (id.n > 0)
		out = put_word(id, put(SPAN(",\"uid\":"), out));
	return put(SPAN("}}\n"), out);
}
