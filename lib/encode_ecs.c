/*
 * The record as an event of the Elastic Common Schema. What the schema has no
 * field for is kept under `symantec.endpoint`, with the record's own keys.
 *
 * network.direction is told from the client's point of view, as the schema
 * wants of a firewall on a host: ingress, egress. Of an unknown direction there
 * is neither source nor destination; the addresses are in host and related.
 */
#include "community_id.h"
#include "encode.h"
#include "encode_json.h"
#include "encode_tree.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LITERAL(text)                                                          \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}
#define ECS_VERSION "8.11.0"
#define OWN SPAN("symantec.endpoint")

/* What a type of record is in the schema's words. */
struct ecs_type {
	struct span kind, category, dataset;
	struct span types; /* of every such event */
	bool decides;      /* and `allowed` or `denied` */
};

/* clang-format off */
#define TYPE(kind, category, types, decides, name)                            \
	{ LITERAL(kind), LITERAL(category),                                    \
	  LITERAL("symantec_endpoint." name), LITERAL(types), decides }

static const struct ecs_type ecs_types[RECORD_TYPE_COUNT] = {
	[RECORD_TRAFFIC] = TYPE("event", "[\"network\"]",
	    "\"connection\"", true, "traffic"),
	[RECORD_PACKET] = TYPE("event", "[\"network\"]",
	    "\"connection\"", true, "packet"),
	[RECORD_SECURITY] = TYPE("alert",
	    "[\"intrusion_detection\",\"network\"]",
	    "\"info\"", true, "security"),
	[RECORD_RISK] = TYPE("alert", "[\"malware\"]",
	    "\"info\"", false, "risk"),
	[RECORD_PROACTIVE] = TYPE("alert", "[\"malware\"]",
	    "\"info\"", false, "proactive"),
	[RECORD_SCAN] = TYPE("event", "[\"host\"]",
	    "\"info\"", false, "scan"),
	[RECORD_BEHAVIOR] = TYPE("event", "[\"process\"]",
	    "\"info\"", false, "behavior"),
	[RECORD_AGENT_SYSTEM] = TYPE("event", "[\"host\"]",
	    "\"info\"", false, "agent_system"),
	[RECORD_AGENT_ACTIVITY] = TYPE("event", "[\"host\"]",
	    "\"info\"", false, "agent_activity"),
	[RECORD_ADMIN] = TYPE("event", "[\"iam\"]",
	    "\"admin\",\"info\"", false, "admin"),
	[RECORD_POLICY] = TYPE("event", "[\"configuration\"]",
	    "\"change\"", false, "policy"),
	[RECORD_SERVER_SYSTEM] = TYPE("event", "[\"host\"]",
	    "\"info\"", false, "server_system"),
	[RECORD_UNPARSED] = TYPE("pipeline_error", "", "", false, "unparsed"),
};
/* clang-format on */

/* Time */

static void
put_rfc3339(struct tree *t, struct span path, struct span key, int64_t seconds)
{
	tree_key(t, path, key);
	t->out = put_time(seconds, t->days, t->out);
}

static void
put_timestamp(struct tree *t, const struct tree_row *row)
{
	int64_t seconds;

	if (event_time(t->record, &seconds))
		put_rfc3339(t, row->path, row->key, seconds);
}

/* Nanoseconds; the seconds stay in a field of their own. */
static void
put_duration(struct tree *t, const struct tree_row *row)
{
	enum record_field f = tree_first(t, row);
	uint64_t seconds;

	if (f == EVENT_NO_FIELD)
		return;
	seconds = t->record->value[f].number;
	if (seconds > INT32_MAX)
		return;
	tree_number(
	    t, row->path, row->key, (int64_t)seconds * INT64_C(1000000000));
}

/* Addresses */

/* The schema's spelling: 00-00-5E-00-53-01. */
static char *
put_mac(struct span mac, char *out)
{
	*out++ = '"';
	for (size_t i = 0; i < mac.n; i++) {
		char c = mac.p[i];

		if (c >= 'a' && c <= 'f')
			c = (char)(c - ('a' - 'A'));
		*out++ = c == ':' ? '-' : c;
	}
	return put_char('"', out);
}

static struct span
value_of(const struct record *r, enum record_field f)
{
	return f == EVENT_NO_FIELD ? SPAN("") : record_text(r, f);
}

static void
put_end(struct tree *t, struct span path, const struct event_end *end)
{
	struct span ip = value_of(t->record, end->ip);
	struct span mac = value_of(t->record, end->mac);
	struct span name = value_of(t->record, end->name);

	tree_text(t, path, SPAN("address"), event_copy(ip.n > 0 ? ip : name));
	if (ip.n > 0)
		tree_field(t, path, SPAN("ip"), end->ip);
	if (end->port != EVENT_NO_FIELD && event_has_ports(t->record))
		tree_field(t, path, SPAN("port"), end->port);
	if (mac.n > 0) {
		tree_key(t, path, SPAN("mac"));
		t->out = put_mac(mac, t->out);
		tree_mark(t, end->mac);
	}
	if (name.n > 0)
		tree_field(t, path, SPAN("domain"), end->name);
}

static void
put_source(struct tree *t, const struct tree_row *row)
{
	const struct event_end *end = event_source(t->record);

	if (end != NULL)
		put_end(t, row->path, end);
}

static void
put_destination(struct tree *t, const struct tree_row *row)
{
	const struct event_end *end = event_destination(t->record);

	if (end != NULL)
		put_end(t, row->path, end);
}

static void
put_host_ip(struct tree *t, const struct tree_row *row)
{
	const struct record *r = t->record;
	struct span local = record_text(r, RECORD_F_LOCAL_IP);
	struct tree_list l;

	tree_list_start(&l, row->path, row->key);
	if (event_is_unicast(local))
		tree_list_add(&l, local);
	tree_list_field(&l, r, RECORD_F_IP_ADDRESS);
	tree_list_field(&l, r, RECORD_F_CURRENT_IP_ADDRESS);
	for (size_t i = 0; i < r->addresses; i++)
		tree_list_add(&l, r->address[i].ip);
	tree_list_put(t, &l);
	tree_mark(t, RECORD_F_IP_ADDRESS);
	tree_mark(t, RECORD_F_CURRENT_IP_ADDRESS);
}

static void
put_host_mac(struct tree *t, const struct tree_row *row)
{
	const struct record *r = t->record;
	char separator = '[';
	struct tree_list l;

	tree_list_start(&l, row->path, row->key);
	if (event_is_unicast(record_text(r, RECORD_F_LOCAL_IP)))
		tree_list_field(&l, r, RECORD_F_LOCAL_MAC);
	for (size_t i = 0; i < r->addresses; i++)
		tree_list_add(&l, r->address[i].mac);
	if (l.count == 0)
		return;
	tree_key(t, row->path, row->key);
	for (size_t i = 0; i < l.count; i++) {
		t->out = put_mac(l.item[i], put_char(separator, t->out));
		separator = ',';
	}
	*t->out++ = ']';
}

/* Network */

static void
put_network_type(struct tree *t, const struct tree_row *row)
{
	switch (event_families(t->record)) {
	case 4:
		tree_text(t, row->path, row->key, SPAN("ipv4"));
		break;
	case 6:
		tree_text(t, row->path, row->key, SPAN("ipv6"));
		break;
	default:
		break;
	}
}

static void
put_transport(struct tree *t, const struct tree_row *row)
{
	int number = event_protocol(t->record);

	if (number < 0)
		return;
	tree_text(t, row->path, row->key, event_protocol_word(number));
	tree_mark(t, RECORD_F_PROTOCOL);
}

/* A keyword in the schema, so a text. */
static void
put_iana_number(struct tree *t, const struct tree_row *row)
{
	int number = event_protocol(t->record);
	char digits[DECIMAL_MAX + DECIMAL_ROOM];

	if (number < 0)
		return;
	tree_text(t, row->path, row->key,
	    span_between(digits, decimal_put((uint64_t)number, digits)));
}

/* clang-format off */
static const struct {
	struct span sepm, ecs;
} directions[] = {
	{ LITERAL("inbound"),	LITERAL("ingress") },
	{ LITERAL("outbound"),	LITERAL("egress") },
	{ LITERAL("unknown"),	LITERAL("unknown") },
};
/* clang-format on */

static void
put_direction(struct tree *t, const struct tree_row *row)
{
	struct span word = record_text(t->record, RECORD_F_DIRECTION);

	for (size_t i = 0; i < COUNT(directions); i++) {
		if (!span_eq(directions[i].sepm, word))
			continue;
		tree_text(t, row->path, row->key, directions[i].ecs);
		tree_mark(t, RECORD_F_DIRECTION);
	}
}

static struct community_end
flow_end(const struct record *r, const struct event_end *end)
{
	return (struct community_end){
	    .ip = record_text(r, end->ip),
	    .port = (uint16_t)r->value[end->port].number,
	};
}

static void
put_community_id(struct tree *t, const struct tree_row *row)
{
	const struct record *r = t->record;
	struct community_end local, remote;
	char id[COMMUNITY_ID];

	if (!record_has(r, RECORD_F_LOCAL_PORT) ||
	    !record_has(r, RECORD_F_REMOTE_PORT))
		return;
	local = flow_end(r, &event_local);
	remote = flow_end(r, &event_remote);
	if (community_id(&local, &remote, event_protocol(r), id))
		tree_text(t, row->path, row->key, span_of(id, sizeof(id)));
}

static void
put_rule_id(struct tree *t, const struct tree_row *row)
{
	if (record_has(t->record, RECORD_F_RULE_ID))
		tree_field(t, row->path, row->key, RECORD_F_RULE_ID);
	else if (event_has_signature(t->record))
		tree_field(t, row->path, row->key, RECORD_F_CIDS_SIGNATURE_ID);
}

/* Files and programs */

/* A program without a path is only a name. */
static void
put_path(struct tree *t, const struct tree_row *row)
{
	enum record_field f = tree_first(t, row);

	if (f == EVENT_NO_FIELD)
		return;
	if (event_is_path(t->record->value[f].text) ||
	    t->record->value[f].text.n > EVENT_COPY)
		tree_field(t, row->path, row->key, f);
	tree_mark(t, f);
}

static void
put_pid(struct tree *t, const struct tree_row *row)
{
	uint64_t number;

	if (!event_number(record_text(t->record, RECORD_F_PROCESS_ID), &number))
		return;
	tree_number(t, row->path, row->key, (int64_t)number);
	tree_mark(t, RECORD_F_PROCESS_ID);
}

/* SEPM writes them in capitals. */
static void
put_hash(struct tree *t, const struct tree_row *row)
{
	static const struct span keys[] = {[EVENT_MD5] = LITERAL("md5"),
	    [EVENT_SHA1] = LITERAL("sha1"),
	    [EVENT_SHA256] = LITERAL("sha256")};
	struct span text = record_text(t->record, RECORD_F_APPLICATION_HASH);
	char lower[EVENT_HASH_MAX];
	enum event_hash kind = event_hash(text, lower);

	if (kind == EVENT_NO_HASH)
		return;
	tree_text(t, row->path, keys[kind], span_of(lower, text.n));
	tree_mark(t, RECORD_F_APPLICATION_HASH);
	tree_mark(t, RECORD_F_HASH_TYPE);
}

/* Related */

static void
put_related(struct tree *t, const struct tree_row *row,
    const enum record_field *fields, size_t count)
{
	struct tree_list l;

	tree_list_start(&l, row->path, row->key);
	for (size_t i = 0; i < count; i++)
		tree_list_field(&l, t->record, fields[i]);
	tree_list_put(t, &l);
}

static void
put_related_ip(struct tree *t, const struct tree_row *row)
{
	static const enum record_field fields[] = {RECORD_F_LOCAL_IP,
	    RECORD_F_REMOTE_IP, RECORD_F_IP_ADDRESS,
	    RECORD_F_CURRENT_IP_ADDRESS, RECORD_F_SOURCE_COMPUTER_IP};
	const struct record *r = t->record;
	struct tree_list l;

	tree_list_start(&l, row->path, row->key);
	for (size_t i = 0; i < COUNT(fields); i++)
		tree_list_field(&l, r, fields[i]);
	for (size_t i = 0; i < r->addresses; i++)
		tree_list_add(&l, r->address[i].ip);
	tree_list_put(t, &l);
}

static void
put_related_hosts(struct tree *t, const struct tree_row *row)
{
	static const enum record_field fields[] = {RECORD_F_HOST,
	    RECORD_F_COMPUTER_NAME, RECORD_F_REMOTE_NAME, RECORD_F_SEPM,
	    RECORD_F_SERVER_NAME, RECORD_F_SOURCE_COMPUTER_NAME};

	put_related(t, row, fields, COUNT(fields));
}

static void
put_related_user(struct tree *t, const struct tree_row *row)
{
	static const enum record_field fields[] = {
	    RECORD_F_USER, RECORD_F_ADMIN, RECORD_F_USER1, RECORD_F_USER2};

	put_related(t, row, fields, COUNT(fields));
}

static void
put_related_hash(struct tree *t, const struct tree_row *row)
{
	struct span file = record_text(t->record, RECORD_F_APPLICATION_HASH);
	char lower[EVENT_HASH_MAX];
	struct tree_list l;

	tree_list_start(&l, row->path, row->key);
	tree_list_field(&l, t->record, RECORD_F_SHA256);
	tree_list_field(&l, t->record, RECORD_F_MD5);
	if (event_hash(file, lower) != EVENT_NO_HASH)
		tree_list_add(&l, span_of(lower, file.n));
	tree_list_put(t, &l);
}

/* Event */

static struct span
action_of(const struct tree *t)
{
	return record_text(t->record, RECORD_F_ACTION);
}

static void
put_type(struct tree *t, const struct tree_row *row)
{
	const struct ecs_type *type = &ecs_types[t->record->type];
	struct span verdict = SPAN("");

	if (type->types.n == 0)
		return;
	if (type->decides && span_eq(action_of(t), SPAN("allowed")))
		verdict = SPAN(",\"allowed\"");
	else if (type->decides && span_eq(action_of(t), SPAN("blocked")))
		verdict = SPAN(",\"denied\"");
	tree_key(t, row->path, row->key);
	t->out = put(type->types, put_char('[', t->out));
	t->out = put_char(']', put(verdict, t->out));
}

static void
put_category(struct tree *t, const struct tree_row *row)
{
	const struct ecs_type *type = &ecs_types[t->record->type];

	if (type->category.n == 0)
		return;
	tree_key(t, row->path, row->key);
	t->out = put(type->category, t->out);
}

static void
put_outcome(struct tree *t, const struct tree_row *row)
{
	if (span_eq(action_of(t), SPAN("allowed")))
		tree_text(t, row->path, row->key, SPAN("success"));
	else if (span_eq(action_of(t), SPAN("blocked")))
		tree_text(t, row->path, row->key, SPAN("failure"));
}

static void
put_kind(struct tree *t, const struct tree_row *row)
{
	tree_text(t, row->path, row->key, ecs_types[t->record->type].kind);
}

static void
put_dataset(struct tree *t, const struct tree_row *row)
{
	tree_text(t, row->path, row->key, ecs_types[t->record->type].dataset);
}

static void
put_severity(struct tree *t, const struct tree_row *row)
{
	unsigned code = event_severity(t->record);

	if (code < 8)
		tree_number(t, row->path, row->key, (int64_t)code);
}

/* clang-format off */
#define NO EVENT_NO_FIELD
#define ROW0(path, key, put) TREE_ROW(path, key, put, NO, NO, NO, 1, "")
#define ROW1(path, key, put, a) \
	TREE_ROW(path, key, put, RECORD_F_##a, NO, NO, 1, "")
#define ROW2(path, key, put, a, b) \
	TREE_ROW(path, key, put, RECORD_F_##a, RECORD_F_##b, NO, 1, "")
#define ROW3(path, key, put, a, b, c) \
	TREE_ROW(path, key, put, RECORD_F_##a, RECORD_F_##b, RECORD_F_##c, 1, "")
#define WORD(path, key, word) \
	TREE_ROW(path, key, tree_put_word, NO, NO, NO, 1, word)

/* An object's rows stand together. */
static const struct tree_row ecs_rows[] = {
	ROW0("", "@timestamp", put_timestamp),
	ROW1("", "message", tree_put_field, EVENT_DESCRIPTION),
	ROW1("", "tags", tree_put_field, FLAGS),
	WORD("ecs", "version", ECS_VERSION),
	ROW1("error", "message", tree_put_field, REASON),
	ROW1("log", "level", tree_put_field, SEVERITY),
	ROW1("log.syslog.facility", "name", tree_put_field, FACILITY),
	WORD("observer", "vendor", "Symantec"),
	WORD("observer", "product", "Endpoint Protection Manager"),
	ROW1("observer", "hostname", tree_put_field, SEPM),
	ROW2("host", "name", tree_put_field, HOST, COMPUTER_NAME),
	ROW2("host", "hostname", tree_put_copy, HOST, COMPUTER_NAME),
	ROW1("host", "id", tree_put_field, HARDWARE_KEY),
	ROW0("host", "ip", put_host_ip),
	ROW0("host", "mac", put_host_mac),
	ROW0("source", "", put_source),
	ROW0("destination", "", put_destination),
	ROW0("network", "type", put_network_type),
	ROW0("network", "transport", put_transport),
	ROW0("network", "iana_number", put_iana_number),
	ROW0("network", "direction", put_direction),
	ROW0("network", "community_id", put_community_id),
	ROW2("rule", "name", tree_put_field, RULE, CIDS_SIGNATURE_STRING),
	ROW0("rule", "id", put_rule_id),
	ROW3("user", "name", tree_put_field, USER, ADMIN, USER1),
	ROW1("user", "domain", tree_put_field, DOMAIN),
	ROW2("process", "name", tree_put_base, PROCESS, APPLICATION),
	ROW2("process", "executable", put_path, PROCESS, APPLICATION),
	ROW0("process", "pid", put_pid),
	ROW1("process.hash", "sha256", tree_put_field, SHA256),
	ROW1("process.hash", "md5", tree_put_field, MD5),
	ROW1("file", "path", tree_put_field, FILE_PATH),
	ROW1("file", "name", tree_put_base, FILE_PATH),
	ROW1("file", "size", tree_put_field, FILE_SIZE_BYTES),
	ROW0("file.hash", "", put_hash),
	ROW1("file.pe", "company", tree_put_field, COMPANY_NAME),
	ROW1("file.pe", "product", tree_put_field, APPLICATION_NAME),
	ROW1("file.pe", "file_version", tree_put_field, APPLICATION_VERSION),
	ROW1("file.code_signature", "subject_name", tree_put_field,
	    CERTIFICATE_SIGNER),
	ROW2("url", "original", tree_put_field, INTRUSION_URL, DOWNLOAD_SITE),
	ROW1("url", "domain", tree_put_field, WEB_DOMAIN),
	ROW1("threat.software", "name", tree_put_field, RISK_NAME),
	ROW0("related", "ip", put_related_ip),
	ROW0("related", "hosts", put_related_hosts),
	ROW0("related", "user", put_related_user),
	ROW0("related", "hash", put_related_hash),
};

/* The last object, so that an id can follow. */
static const struct tree_row ecs_event_rows[] = {
	ROW1("event", "created", tree_put_field, RECEIVED),
	ROW1("event", "start", tree_put_field, BEGIN),
	ROW1("event", "end", tree_put_field, END),
	ROW1("event", "duration", put_duration, DURATION_SECONDS),
	ROW3("event", "action", tree_put_field, ACTION, ACTUAL_ACTION, STATUS),
	ROW0("event", "outcome", put_outcome),
	ROW0("event", "category", put_category),
	ROW0("event", "type", put_type),
	ROW1("event", "code", tree_put_field, EVENT_TYPE),
	ROW0("event", "severity", put_severity),
	ROW1("event", "sequence", tree_put_field, USN),
	ROW1("event", "original", tree_put_field, RAW),
	WORD("event", "module", "symantec_endpoint"),
	WORD("event", "provider", "sepm"),
	ROW0("event", "dataset", put_dataset),
	ROW0("event", "kind", put_kind),
};
/* clang-format on */

char *
encode_ecs(const struct record *record, struct timestamp_days *days, char *out)
{
	struct tree t;

	tree_start(&t, record, days, out);
	tree_rows(&t, ecs_rows, COUNT(ecs_rows), 1);
	tree_reserve(&t, ecs_event_rows, COUNT(ecs_event_rows), 1);
	tree_rest(&t, OWN);
	tree_rows(&t, ecs_event_rows, COUNT(ecs_event_rows), 1);
	return t.out;
}

char *
encode_ecs_end(struct span id, char *out)
{
	if (id.n > 0)
		out = put_word(id, put(SPAN(",\"id\":"), out));
	return put(SPAN("}}\n"), out);
}
