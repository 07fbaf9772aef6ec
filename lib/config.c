/*
 * The configuration's keys, as tables.
 *
 * A row names a key, the reader of its value, the place where the value goes,
 * its bounds, and its default, which is YAML like the rest and read by the
 * same reader. A reader adds an error or stores a good value; a number
 * that is still zero at the end was faulty.
 */
#include <sys/un.h>

#include "config_schema.h"

/* Bytes that the texts of the tables may have. */
enum { NAME = 32, LABEL = 255, ZONE = 64, PATH = 1024 };

/* Types of `events`: every SEPM log but traffic. */
#define TYPES_ALL ((1u << RECORD_TYPE_COUNT) - 1)
#define TYPES_EVENTS                                                           \
	(TYPES_ALL & ~(1u << RECORD_TRAFFIC | 1u << RECORD_UNPARSED))

/* The readers of words differ in the type of what they store. */
static void
read_compress(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {
	    [CONFIG_NONE] = {"none", 4},
	    [CONFIG_GZIP] = {"gzip", 4},
	    [CONFIG_ZSTD] = {"zstd", 4},
	};
	enum config_compress *compress = out;

	(void)key;
	*compress = (enum config_compress)schema_word(l, node, words, 3);
}

static void
read_on_full(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {
	    [CONFIG_BLOCK] = {"block", 5},
	    [CONFIG_DROP_OLDEST] = {"drop_oldest", 11},
	};
	enum config_on_full *on_full = out;

	(void)key;
	*on_full = (enum config_on_full)schema_word(l, node, words, 2);
}

static void
read_format(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	enum encode_format *format = out;

	(void)key;
	*format = (enum encode_format)schema_word(
	    l, node, encode_format_name, ENCODE_FORMAT_COUNT);
}

/* A size, or a percentage of the file system. */
static void
read_min_free(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config_spool *spool = out;
	struct span text = node->text;
	uint64_t percent;

	if (node->kind != NODE_TEXT || text.n == 0 ||
	    text.p[text.n - 1] != '%') {
		schema_quantity(l, node, key, value_size_units,
		    VALUE_SIZE_UNITS,
		    "a size (KiB, MiB, GiB) or a percentage such as 5%",
		    &spool->min_free);
		return;
	}
	if (!value_number(span_take(text, text.n - 1), &percent) ||
	    percent > 90)
		schema_fail(l, node,
		    "'%.*s' is not a percentage from 0%% to 90%%",
		    SCHEMA_QUOTED(text));
	else
		spool->min_free_percent = (unsigned)percent;
}

static void
read_zone(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	const struct zone **zone = out;

	if (!schema_want_text(l, node, key->max))
		return;
	if (span_eq(node->text, SPAN("UTC")))
		*zone = zone_utc();
	else if (l->lookup && l->lookup->zone)
		*zone = l->lookup->zone(l->lookup->arg, node->text.p);
	if (!*zone)
		schema_fail(l, node,
		    "no such time zone: '%.*s'; names are those of "
		    "/usr/share/zoneinfo",
		    SCHEMA_QUOTED(node->text));
}

static void
read_codepage(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	const struct text_codepage **codepage = out;
	struct span text = node->text;

	if (!schema_want_text(l, node, key->max))
		return;
	if (span_caseeq(text, SPAN("utf-8")) ||
	    span_caseeq(text, SPAN("utf8"))) {
		schema_fail(l, node,
		    "UTF-8 is always tried first; name the code page of what "
		    "is not UTF-8");
		return;
	}
	if (span_eq(text, SPAN("windows-1252")))
		*codepage = &text_windows_1252;
	else if (l->lookup && l->lookup->codepage)
		*codepage = l->lookup->codepage(l->lookup->arg, text.p);
	if (!*codepage)
		schema_fail(
		    l, node, "no such code page: '%.*s'", SCHEMA_QUOTED(text));
}

/* --- addresses --- */

static bool
read_cidr(
    struct schema_loader *l, const struct node *node, struct config_cidr *cidr)
{
	const char *wrong;

	if (!schema_want(l, node, NODE_TEXT))
		return false;
	wrong = value_cidr(node->text, cidr);
	if (wrong)
		schema_fail(
		    l, node, "'%.*s' %s", SCHEMA_QUOTED(node->text), wrong);
	return !wrong;
}

static void
read_from(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	read_cidr(l, node, out);
}

static void
read_allow(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config *config = out;
	struct config_cidr *range = schema_list(l, node, key, sizeof(*range));

	if (!range)
		return;
	config->allow = range;
	config->allows = node->count;
	for (const struct node *n = node->first; n; n = n->next)
		read_cidr(l, n, range++);
}

static void
read_endpoint(struct schema_loader *l, const struct node *node,
    struct config_listen *listen, enum config_transport transport)
{
	const char *wrong;

	if (!schema_want(l, node, NODE_TEXT))
		return;
	wrong = value_endpoint(node->text, &listen->addr, &listen->addr_len);
	if (wrong) {
		schema_fail(
		    l, node, "'%.*s' %s", SCHEMA_QUOTED(node->text), wrong);
		return;
	}
	listen->transport = transport;
	listen->line = node->line;
	listen->text = schema_keep(l, node->text);
}

static void
read_udp(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	read_endpoint(l, node, out, CONFIG_UDP);
}

static void
read_tcp(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	read_endpoint(l, node, out, CONFIG_TCP);
}

static void
read_tls(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	read_endpoint(l, node, out, CONFIG_TLS);
}

static void
read_peer(
    struct schema_loader *l, const struct node *node, struct config_peer *peer)
{
	struct span text = node->text;
	const char *wrong;

	if (!schema_want_text(l, node, LABEL))
		return;
	wrong = value_peer(text, peer);
	if (wrong)
		schema_fail(l, node, "'%.*s' %s", SCHEMA_QUOTED(text), wrong);
	else if (peer->kind == CONFIG_PEER_SUBDOMAIN)
		peer->text = schema_keep(l, span_skip(text, 1));
	else if (peer->kind != CONFIG_PEER_FINGERPRINT)
		peer->text = schema_keep(l, text);
}

static void
read_permitted(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config_listen *listen = out;
	struct config_peer *peer = schema_list(l, node, key, sizeof(*peer));

	if (!peer)
		return;
	listen->permitted = peer;
	listen->permitted_count = node->count;
	for (const struct node *n = node->first; n; n = n->next)
		read_peer(l, n, peer++);
}

static in_port_t
port_of(const struct sockaddr_storage *addr)
{
	/* At the same place for both families. */
	return ((const struct sockaddr_in *)addr)->sin_port;
}

static bool
same_listen(const struct config_listen *a, const struct config_listen *b)
{
	struct in6_addr x, y;

	if (a->addr_len == 0 || b->addr_len == 0 ||
	    (a->transport == CONFIG_UDP) != (b->transport == CONFIG_UDP) ||
	    port_of(&a->addr) != port_of(&b->addr))
		return false;
	x = config_address((const struct sockaddr *)&a->addr);
	y = config_address((const struct sockaddr *)&b->addr);
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static void
check_listens(struct schema_loader *l, const struct node *node,
    const struct config_listen *listen)
{
	for (const struct node *n = node->first; n; n = n->next) {
		for (size_t i = 0; i < n->index; i++) {
			if (!same_listen(&listen[i], &listen[n->index]))
				continue;
			schema_fail(
			    l, n, "same address as on line %u", listen[i].line);
			break;
		}
	}
}

#define LISTEN(member) offsetof(struct config_listen, member)

/* clang-format off */
static const struct schema_key listen_keys[] = {
	/* name, reader, place, bounds, default */
	{ "udp",         read_udp,  0,                         0, 0,    NULL },
	{ "tcp",         read_tcp,  0,                         0, 0,    NULL },
	{ "tls",         read_tls,  0,                         0, 0,    NULL },
	{ "certificate", schema_path, LISTEN(files.certificate), 1, PATH, NULL },
	{ "key",         schema_path, LISTEN(files.key),         1, PATH, NULL },
	{ "client_ca",   schema_path, LISTEN(files.client_ca),   1, PATH, NULL },
	{ "crl",         schema_path, LISTEN(files.crl),         1, PATH, NULL },
	{ "permitted_peers", read_permitted, 0,                1, 1024, NULL },
};
/* clang-format on */

enum { TRANSPORTS = 3 }; /* the first rows */

/* What cannot be said of a listener without TLS. */
static void
check_plain(struct schema_loader *l, const struct node *node)
{
	for (const struct node *n = node->first; n; n = n->next)
		for (size_t i = TRANSPORTS; i < SCHEMA_COUNT(listen_keys); i++)
			if (span_eq(n->key, span_str(listen_keys[i].name)))
				schema_fail_key(l, n, "only with 'tls'");
}

/* Names and revocation mean something only where a CA vouches for them. */
static void
check_tls(struct schema_loader *l, const struct node *node,
    const struct config_listen *listen)
{
	const struct node *ca = schema_child(node, "client_ca");
	const struct node *crl = schema_child(node, "crl");
	const struct node *peers = schema_child(node, "permitted_peers");

	if (!schema_child(node, "certificate"))
		schema_fail(
		    l, node, "needs 'certificate' beside 'tls', a PEM file");
	if (!schema_child(node, "key"))
		schema_fail(l, node, "needs 'key' beside 'tls', a PEM file");
	if (crl && !ca)
		schema_fail_key(l, crl, "needs 'client_ca' beside it");
	for (size_t i = 0; i < listen->permitted_count && !ca; i++) {
		if (!listen->permitted[i].text)
			continue;
		schema_fail_key(l, peers,
		    "names need 'client_ca' beside them; fingerprints do not");
		break;
	}
}

static void
read_listener(struct schema_loader *l, const struct node *node,
    struct config_listen *listen)
{
	size_t transports = 0;

	if (!schema_want(l, node, NODE_MAP))
		return;
	for (size_t i = 0; i < TRANSPORTS; i++)
		transports += schema_child(node, listen_keys[i].name) != NULL;
	if (transports != 1)
		schema_fail(l, node,
		    "needs one transport and its address, "
		    "such as udp: \"[::]:514\"");
	SCHEMA_MAP(l, node, listen_keys, listen);
	if (schema_child(node, "tls"))
		check_tls(l, node, listen);
	else
		check_plain(l, node);
}

static void
read_listen(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config *config = out;
	struct config_listen *listen =
	    schema_list(l, node, key, sizeof(*listen));

	if (!listen)
		return;
	config->listen = listen;
	config->listens = node->count;
	for (const struct node *n = node->first; n; n = n->next)
		read_listener(l, n, &listen[n->index]);
	check_listens(l, node, listen);
}

/* --- sources --- */

#define SOURCE(member) offsetof(struct config_source, member)

/* clang-format off */
static const struct schema_key source_keys[] = {
	/* name, reader, place, bounds, default */
	{ "from",      read_from,     SOURCE(from),          0, 0,     SCHEMA_MUST },
	{ "timezone",  read_zone,     SOURCE(read.zone),     1, ZONE,  NULL },
	{ "code_page", read_codepage, SOURCE(read.codepage), 1, ZONE,  NULL },
	{ "site",      schema_label,    SOURCE(read.site),     1, LABEL, NULL },
	{ "group",     schema_label,    SOURCE(read.group),    1, LABEL, NULL },
	{ "domain",    schema_label,    SOURCE(read.domain),   1, LABEL, NULL },
};
/* clang-format on */

static void
read_sources(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config *config = out;
	struct config_source *source =
	    schema_list(l, node, key, sizeof(*source));

	if (!source)
		return;
	config->sources = source;
	config->source_count = node->count;
	for (const struct node *n = node->first; n; n = n->next) {
		if (schema_want(l, n, NODE_MAP))
			SCHEMA_MAP(l, n, source_keys, &source[n->index]);
	}
}

/* A source that does not say how to read its messages is read as any other. */
static void
inherit_fallback(struct config *config)
{
	struct message_source *read;

	for (size_t i = 0; i < config->source_count; i++) {
		read = &config->sources[i].read;
		if (!read->zone)
			read->zone = config->fallback.zone;
		if (!read->codepage)
			read->codepage = config->fallback.codepage;
	}
}

/* --- privacy --- */

static size_t
action_word(struct schema_loader *l, const struct node *node,
    enum privacy_group group, enum privacy_action *action)
{
	unsigned can = privacy_group_info[group].actions;
	struct schema_note note = {.n = 0};
	size_t i = schema_word(l, node, privacy_action_name, PRIVACY_ACTIONS);

	if (i == PRIVACY_ACTIONS)
		return i;
	*action = (enum privacy_action)i;
	if (can >> i & 1)
		return i;
	for (size_t a = 0; a < PRIVACY_ACTIONS; a++)
		if (can >> a & 1)
			schema_note_add(&note, "%s%.*s", note.n > 0 ? ", " : "",
			    SCHEMA_QUOTED(privacy_action_name[a]));
	schema_fail(l, node, "'%.*s' is not possible here: one of %s",
	    SCHEMA_QUOTED(node->text), note.text);
	return PRIVACY_ACTIONS;
}

/* `users: hmac`: all fields of the group, which is the key's `min`. */
static void
read_group(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config_policy *policy = out;
	enum privacy_group group = (enum privacy_group)key->min;
	enum privacy_action action;

	if (action_word(l, node, group, &action) == PRIVACY_ACTIONS)
		return;
	for (size_t f = 0; f < RECORD_FIELD_COUNT; f++)
		if (privacy_group_of((enum record_field)f) == group)
			policy->rules.action[f] = (uint8_t)action;
}

/* `type` says what a record is, and the bytes of unparsed ones are a group. */
static bool
want_policy_field(
    struct schema_loader *l, const struct node *node, enum record_field *field)
{
	struct value_guess guess = {.written = node->key};
	struct schema_note note;

	*field = record_field_find(node->key);
	if (*field == RECORD_F_TYPE) {
		schema_fail_key(l, node, "always stays");
		return false;
	}
	if (*field < RECORD_FIELD_COUNT)
		return true;
	for (size_t i = 0; i < RECORD_FIELD_COUNT; i++)
		value_guess(&guess, record_field_info[i].key);
	schema_fail_key(l, node, "no such field%s", schema_hint(&guess, &note));
	return false;
}

static void
read_policy_fields(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config_policy *policy = out;
	bool seen[RECORD_FIELD_COUNT] = {false};
	enum record_field field;
	enum privacy_action action;

	(void)key;
	if (!schema_want(l, node, NODE_MAP))
		return;
	for (const struct node *n = node->first; n; n = n->next) {
		if (!want_policy_field(l, n, &field))
			continue;
		if (seen[field])
			schema_fail_key(l, n, "repeated");
		seen[field] = true;
		if (action_word(l, n, privacy_group_of(field), &action) <
		    PRIVACY_ACTIONS)
			policy->rules.action[field] = (uint8_t)action;
	}
}

#define RULES(member) offsetof(struct config_policy, rules.member)

static void
read_truncate(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	/* clang-format off */
	static const struct schema_key keys[] = {
		{ "ipv4",       schema_count, RULES(ipv4), 1, 32, "24" },
		{ "ipv6",       schema_count, RULES(ipv6), 1, 128, "48" },
		{ "characters", schema_count, RULES(characters),
		  1, PRIVACY_CHARACTERS, "3" },
	};
	/* clang-format on */

	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, keys, out);
}

#define POLICY(member) offsetof(struct config_policy, member)
#define GROUP(name, group)                                                     \
	{                                                                      \
		name, read_group, 0, PRIVACY_##group, 0, NULL                  \
	}

/* clang-format off */
static const struct schema_key policy_keys[] = {
	/* name, reader, place, bounds, default */
	{ "name", schema_name, POLICY(name), 1, NAME, SCHEMA_MUST },
	GROUP("users", USERS), GROUP("hosts", HOSTS), GROUP("names", NAMES),
	GROUP("addresses", ADDRESSES), GROUP("macs", MACS), GROUP("ids", IDS),
	GROUP("paths", PATHS), GROUP("urls", URLS), GROUP("texts", TEXTS),
	GROUP("extra", EXTRA), GROUP("event_key", EVENT_KEY),
	GROUP("unparsed", UNPARSED), GROUP("others", OTHERS),
	/* these go over those of their group */
	{ "fields",   read_policy_fields, 0, 0, 0, NULL },
	{ "truncate", read_truncate,      0, 0, 0, "{}" },
};
/* clang-format on */

static void
read_policy(struct schema_loader *l, const struct node *node,
    struct config_policy *policy)
{
	if (!schema_want(l, node, NODE_MAP))
		return;
	for (size_t f = 0; f < RECORD_FIELD_COUNT; f++)
		policy->rules.action[f] =
		    (uint8_t)privacy_group_info[privacy_group_of(
						    (enum record_field)f)]
			.otherwise;
	SCHEMA_MAP(l, node, policy_keys, policy);
}

static void
read_policies(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config_privacy *privacy = out;
	struct config_policy *policy =
	    schema_list(l, node, key, sizeof(*policy));

	if (!policy)
		return;
	privacy->policies = policy;
	privacy->count = node->count;
	for (const struct node *n = node->first; n; n = n->next) {
		read_policy(l, n, &policy[n->index]);
		for (size_t i = 0; policy[n->index].name && i < n->index; i++)
			if (policy[i].name &&
			    strcmp(policy[i].name, policy[n->index].name) == 0)
				schema_fail(l, n,
				    "same name as policies[%zu]: '%s'", i,
				    policy[i].name);
	}
}

static void
read_key_id(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	schema_plain(l, node, key, "", "letters and digits such as u1", out);
}

#define PRIVACY(member) offsetof(struct config_privacy, member)

static void
read_vault(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	/* clang-format off */
	static const struct schema_key keys[] = {
		{ "public_key", schema_path, PRIVACY(vault.public_key),
		  1, PATH, SCHEMA_MUST },
		{ "rotate_age", schema_time, PRIVACY(vault.rotate_age),
		  MINUTE, 365 * DAY, "1d" },
	};
	/* clang-format on */

	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, keys, out);
}

/* clang-format off */
static const struct schema_key privacy_keys[] = {
	/* name, reader, place, bounds, default */
	{ "key_file", schema_path,   PRIVACY(key_file), 1, PATH, SCHEMA_MUST },
	{ "key_id",   read_key_id,   PRIVACY(key_id),
	  1, PSEUDONYM_ID_MAX, "u1" },
	{ "vault",    read_vault,    0,                 0, 0,    NULL },
	{ "policies", read_policies, 0,                 1, 32,   SCHEMA_MUST },
};
/* clang-format on */

static void
read_privacy(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, privacy_keys, out);
}

/* --- streams --- */

static unsigned
types_of(struct schema_loader *l, const struct node *node)
{
	struct value_guess guess = {.written = node->text};
	struct schema_note note;
	enum record_type type;

	if (!schema_want(l, node, NODE_TEXT))
		return 0;
	if (span_eq(node->text, SPAN("all")))
		return TYPES_ALL;
	if (span_eq(node->text, SPAN("events")))
		return TYPES_EVENTS;
	type = record_type_find(node->text);
	if (type < RECORD_TYPE_COUNT)
		return 1u << type;
	value_guess(&guess, SPAN("all"));
	value_guess(&guess, SPAN("events"));
	for (size_t i = 0; i < RECORD_TYPE_COUNT; i++)
		value_guess(&guess, record_type_name[i]);
	schema_fail(l, node, "no such type: '%.*s'%s",
	    SCHEMA_QUOTED(node->text), schema_hint(&guess, &note));
	return 0;
}

static void
read_types(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	unsigned *types = out;
	const struct node *entry;
	size_t count = schema_entries(node, &entry);

	(void)key;
	if (node->kind == NODE_LIST && count == 0)
		schema_fail(l, node, "needs an entry");
	for (; count > 0; count--, entry = entry->next)
		*types |= types_of(l, entry);
}

/* Can `where` look into this field? `type` has a key of its own. */
static bool
is_comparable(enum record_field field)
{
	enum record_kind kind = record_field_info[field].kind;

	return field != RECORD_F_TYPE &&
	       (kind == RECORD_TEXT || kind == RECORD_WORD ||
		   kind == RECORD_UINT);
}

static bool
want_field(
    struct schema_loader *l, const struct node *node, enum record_field *field)
{
	struct value_guess guess = {.written = node->key};
	struct schema_note note;

	*field = record_field_find(node->key);
	if (*field < RECORD_FIELD_COUNT && is_comparable(*field))
		return true;
	if (*field == RECORD_F_TYPE) {
		schema_fail_key(l, node, "'types' of the stream chooses types");
	} else if (*field < RECORD_FIELD_COUNT) {
		schema_fail_key(
		    l, node, "only texts and numbers can be compared");
	} else {
		for (size_t i = 0; i < RECORD_FIELD_COUNT; i++) {
			if (is_comparable((enum record_field)i))
				value_guess(&guess, record_field_info[i].key);
		}
		schema_fail_key(
		    l, node, "no such field%s", schema_hint(&guess, &note));
	}
	return false;
}

static void
read_number_value(
    struct schema_loader *l, const struct node *node, uint64_t *number)
{
	if (schema_want(l, node, NODE_TEXT) &&
	    !value_number(node->text, number))
		schema_fail(l, node, "'%.*s' is not a whole number",
		    SCHEMA_QUOTED(node->text));
}

/* One `field: value` or `field: [value, ...]` of `where`. */
static void
read_condition(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, struct config_condition *c)
{
	static const struct schema_key label = {.max = LABEL};
	const struct node *entry;
	size_t count = schema_entries(node, &entry);

	if (count < 1 || count > key->max) {
		schema_fail(l, node, "needs 1 to %llu values",
		    (unsigned long long)key->max);
		return;
	}
	c->count = count;
	if (record_field_info[c->field].kind == RECORD_UINT) {
		c->numbers = schema_take(l, count, sizeof(*c->numbers));
		for (size_t i = 0; c->numbers && i < count; i++) {
			read_number_value(l, entry, &c->numbers[i]);
			entry = entry->next;
		}
		return;
	}
	c->texts = schema_take(l, count, sizeof(*c->texts));
	for (size_t i = 0; c->texts && i < count; i++) {
		schema_label(l, entry, &label, &c->texts[i]);
		entry = entry->next;
	}
}

static void
read_where(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config_stream *stream = out;
	struct config_condition *c;
	enum record_field field;
	bool seen[RECORD_FIELD_COUNT] = {false};

	if (!schema_want(l, node, NODE_MAP) || node->count == 0)
		return;
	stream->where = schema_take(l, node->count, sizeof(*stream->where));
	if (!stream->where)
		return;
	for (const struct node *n = node->first; n; n = n->next) {
		if (!want_field(l, n, &field))
			continue;
		if (seen[field]) {
			schema_fail_key(l, n, "repeated; use a list of values");
			continue;
		}
		seen[field] = true;
		c = &stream->where[stream->conditions++];
		c->field = field;
		read_condition(l, n, key, c);
	}
}

/* By read_stream_policy, once the others are known. */
static void
read_later(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)l, (void)node, (void)key, (void)out;
}

static void
read_overflow(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {{"early", 5}, {"bucket", 6}};
	enum rollup_overflow *overflow = out;
	size_t i = schema_word(l, node, words, SCHEMA_COUNT(words));

	(void)key;
	if (i < SCHEMA_COUNT(words))
		*overflow = (enum rollup_overflow)i;
}

#define STREAM(member) offsetof(struct config_stream, member)

/* clang-format off */
static const struct schema_key stream_keys[] = {
	/* name, reader, place, bounds, default */
	{ "name",   schema_name,   STREAM(name),   1, NAME, SCHEMA_MUST },
	{ "types",  read_types,  STREAM(types),  0, 0,    SCHEMA_MUST },
	{ "format", read_format, STREAM(format), 0, 0,    "jsonl" },
	{ "preset", schema_preset, STREAM(preset), 0, 0,    NULL },
	{ "where",  read_where,  0,              1, 1024, NULL },
	{ "roll_up", schema_time, STREAM(roll_up), SECOND, DAY, NULL },
	{ "overflow", read_overflow, STREAM(overflow), 0, 0, "early" },
	{ "privacy", read_later, 0,              0, 0,    NULL },
};
/* clang-format on */

/* Groups have what the other formats do not ask for, and lack what they do. */
static void
check_roll_up(struct schema_loader *l, const struct node *node,
    const struct config_stream *stream)
{
	const struct node *roll_up = schema_child(node, "roll_up");

	if (roll_up == NULL || stream->roll_up == 0)
		return;
	if (stream->types != 1u << RECORD_TRAFFIC)
		schema_fail(l, roll_up, "needs types: [traffic]");
	if (stream->format != ENCODE_JSONL && stream->format != ENCODE_CSV)
		schema_fail(l, roll_up, "needs format: jsonl or csv");
}

/* SEPM's columns have no place that says what such a record is. */
static void
check_overflow(struct schema_loader *l, const struct node *node,
    const struct config_stream *stream)
{
	const struct node *overflow = schema_child(node, "overflow");

	if (overflow == NULL)
		return;
	if (schema_child(node, "roll_up") == NULL)
		schema_fail(l, overflow, "is only for streams with 'roll_up'");
	else if (stream->overflow == ROLLUP_BUCKET &&
		 stream->format != ENCODE_JSONL)
		schema_fail(l, overflow,
		    "'bucket' needs format: jsonl, whose 'flags' say what "
		    "such a record is");
}

/* The policy of that name; NULL, and an error, if there is none. */
static struct config_policy *
policy_find(struct schema_loader *l, const struct node *node,
    const struct config_privacy *privacy)
{
	struct value_guess guess = {.written = node->text};
	struct schema_note note;

	if (!schema_want_text(l, node, NAME))
		return NULL;
	for (size_t i = 0; i < privacy->count; i++) {
		if (!privacy->policies[i].name)
			continue;
		if (span_eq(node->text, span_str(privacy->policies[i].name)))
			return &privacy->policies[i];
		value_guess(&guess, span_str(privacy->policies[i].name));
	}
	schema_fail(l, node,
	    "no such policy under 'privacy.policies': '%.*s'%s",
	    SCHEMA_QUOTED(node->text), schema_hint(&guess, &note));
	return NULL;
}

/* What a policy could not prevent, or a format could not show. */
static void
check_policy(struct schema_loader *l, const struct node *node,
    const struct config_stream *stream, struct privacy_policy *rules)
{
	bool typed =
	    stream->format != ENCODE_JSONL && stream->format != ENCODE_CSV;

	if (stream->format == ENCODE_RAW) {
		schema_fail(l, node,
		    "format raw is the message as it came, with all names in "
		    "it: choose another format, or no policy");
		return;
	}
	if ((stream->types >> RECORD_UNPARSED & 1) &&
	    rules->action[RECORD_F_RAW] == PRIVACY_ACTIONS)
		schema_fail(l, node,
		    "the stream takes unparsed messages, whose bytes can hold "
		    "any name: say 'unparsed: drop' in the policy, or leave "
		    "the type out of 'types'");
	for (size_t f = 0; typed && f < RECORD_FIELD_COUNT; f++) {
		if (rules->action[f] != PRIVACY_HMAC ||
		    privacy_group_of((enum record_field)f) != PRIVACY_ADDRESSES)
			continue;
		schema_fail(l, node,
		    "'%.*s: hmac' leaves no address where this format wants "
		    "one: use prefix_preserving, truncate or drop",
		    SCHEMA_QUOTED(record_field_info[f].key));
		break;
	}
	rules->digest = rules->digest || stream->format == ENCODE_OCSF;
}

static void
read_stream_policy(struct schema_loader *l, const struct node *node,
    const struct config_privacy *privacy, struct config_stream *stream)
{
	const struct node *name = schema_child(node, "privacy");
	struct config_policy *policy;

	if (!name)
		return;
	policy = policy_find(l, name, privacy);
	if (policy)
		check_policy(l, name, stream, &policy->rules);
	stream->policy = policy;
}

/* Says the format, or has to agree with it. */
static void
apply_preset(struct schema_loader *l, const struct node *map,
    struct config_stream *stream)
{
	const struct node *format = schema_child(map, "format");
	const struct preset *preset = stream->preset;

	if (preset == NULL)
		return;
	if (format != NULL && stream->format != preset->format)
		schema_fail(l, format, "preset %s needs format: %s",
		    preset->name, encode_format_name[preset->format].p);
	stream->format = preset->format;
}

static void
check_streams(struct schema_loader *l, const struct node *node,
    const struct config_stream *stream)
{
	const char *name;

	for (const struct node *n = node->first; n; n = n->next) {
		name = stream[n->index].name;
		for (size_t i = 0; name && i < n->index; i++) {
			if (!stream[i].name ||
			    strcmp(stream[i].name, name) != 0)
				continue;
			schema_fail(
			    l, n, "same name as streams[%zu]: '%s'", i, name);
			break;
		}
	}
}

static void
read_streams(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config *config = out;
	struct config_stream *stream =
	    schema_list(l, node, key, sizeof(*stream));

	if (!stream)
		return;
	config->streams = stream;
	config->stream_count = node->count;
	for (const struct node *n = node->first; n; n = n->next) {
		if (!schema_want(l, n, NODE_MAP))
			continue;
		SCHEMA_MAP(l, n, stream_keys, &stream[n->index]);
		apply_preset(l, n, &stream[n->index]);
		read_stream_policy(l, n, &config->privacy, &stream[n->index]);
		check_roll_up(l, n, &stream[n->index]);
		check_overflow(l, n, &stream[n->index]);
	}
	check_streams(l, node, stream);
}

/* --- spool --- */

#define SPOOL(member) offsetof(struct config_spool, member)

/* clang-format off */
static const struct schema_key rotate_keys[] = {
	/* name, reader, place, bounds, default */
	{ "size", schema_size, SPOOL(rotate_size), 64 * KIB, 4 * GIB, "64MiB" },
	{ "age",  schema_time, SPOOL(rotate_age),  SECOND,   7 * DAY, "5m" },
};

static const struct schema_key commit_keys[] = {
	/* name, reader, place, bounds, default */
	{ "interval", schema_time, SPOOL(commit_interval),
	  1, MINUTE, "100ms" },
	{ "bytes",    schema_size, SPOOL(commit_bytes),
	  4 * KIB, GIB, "1MiB" },
};
/* clang-format on */

static void
read_rotate(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, rotate_keys, out);
}

static void
read_commit(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, commit_keys, out);
}

/* clang-format off */
static const struct schema_key spool_keys[] = {
	/* name, reader, place, bounds, default */
	{ "directory", schema_path, SPOOL(directory),     1, PATH,
	  "/var/spool/sepmlogd" },
	{ "rotate",    read_rotate,    0,                    0, 0,   "{}" },
	{ "commit",    read_commit,    0,                    0, 0,   "{}" },
	{ "compress",  read_compress,  SPOOL(compress),      0, 0,   "gzip" },
	{ "quota",     schema_size,      SPOOL(quota),         0, PIB, "10GiB" },
	{ "min_free",  read_min_free,  0,                    0, PIB, "5%" },
	{ "on_full",   read_on_full,   SPOOL(on_full),       0, 0,   "block" },
	{ "buffer",    schema_size,      SPOOL(buffer), 128 * KIB, GIB, "16MiB" },
};
/* clang-format on */

static void
read_spool(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, spool_keys, out);
}

/* --- ledger --- */

#define LEDGER(member) offsetof(struct config_ledger, member)

static void
read_checksum(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {{"none", 4}, {"sha256", 6}};
	bool *checksum = out;

	(void)key;
	*checksum = schema_word(l, node, words, 2) == 1;
}

/* clang-format off */
static const struct schema_key ledger_keys[] = {
	/* name, reader, place, bounds, default */
	{ "checksum", read_checksum, LEDGER(checksum), 0, 0, "sha256" },
	{ "keep",     schema_time,     LEDGER(keep), DAY, 3660 * DAY, "400d" },
	{ "size",     schema_size,     LEDGER(size), 4 * MIB, PIB, "1GiB" },
	{ "sources",  schema_count,    LEDGER(sources),  1, 65536, "4096" },
};
/* clang-format on */

static void
read_ledger(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, ledger_keys, out);
}

/* --- status --- */

/* Everyone who reaches it sees it: so this machine alone. */
static bool
is_loopback(const struct sockaddr_storage *addr)
{
	struct in6_addr a = config_address((const struct sockaddr *)addr);

	return IN6_IS_ADDR_LOOPBACK(&a) ||
	       (IN6_IS_ADDR_V4MAPPED(&a) && a.s6_addr[12] == 127);
}

static void
read_status_path(struct schema_loader *l, const struct node *node,
    struct config_status *status)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct span path = node->text;

	if (path.n >= sizeof(un.sun_path)) {
		schema_fail(l, node,
		    "is longer than a socket's path may be, "
		    "%zu bytes",
		    sizeof(un.sun_path) - 1);
		return;
	}
	memcpy(un.sun_path, path.p, path.n);
	memcpy(&status->addr, &un, sizeof(un));
	status->addr_len = sizeof(un);
}

static void
read_status_listen(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config_status *status = out;
	struct span text = node->text;
	const char *wrong;

	if (!schema_want_text(l, node, key->max))
		return;
	status->listen = schema_keep(l, text);
	if (span_at(text, 0) == '/') {
		read_status_path(l, node, status);
		return;
	}
	wrong = value_endpoint(text, &status->addr, &status->addr_len);
	if (wrong)
		schema_fail(l, node, "'%.*s' %s", SCHEMA_QUOTED(text), wrong);
	else if (!is_loopback(&status->addr))
		schema_fail(l, node,
		    "'%.*s' is not on this machine alone: give a path, or an "
		    "address such as 127.0.0.1:9514",
		    SCHEMA_QUOTED(text));
}

static const struct schema_key status_keys[] = {
    {"listen", read_status_listen, 0, 1, PATH, NULL},
    {"top", schema_yes, offsetof(struct config_status, top), 0, 0, "yes"},
};

static void
read_status(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, status_keys, out);
}

/* --- pull --- */

static void
read_pull_tls(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {
	    [CONFIG_TLS_REQUIRE] = {"require", 7},
	    [CONFIG_TLS_OFF] = {"off", 3},
	};
	enum config_tls *tls = out;

	(void)key;
	*tls = (enum config_tls)schema_word(l, node, words, 2);
}

static void
read_driver(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	schema_plain(l, node, key, "/._+- ",
	    "the name of an ODBC driver, such as FreeTDS, or a path", out);
}

static void
read_host(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	schema_plain(l, node, key, ".:_-\\",
	    "a name or address such as sepm-db.example.com or 192.0.2.9", out);
}

static void
read_view(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	schema_plain(l, node, key, "._$",
	    "the name of a view such as V_AGENT_TRAFFIC_LOG or "
	    "dbo.V_AGENT_TRAFFIC_LOG",
	    out);
}

#define PULL(member) offsetof(struct config_pull, member)

/* clang-format off */
static const struct schema_key pull_keys[] = {
	/* name, reader, place, bounds, default */
	{ "connection",    schema_text,      PULL(connection), 1, PATH, NULL },
	{ "driver",        read_driver,    PULL(driver), 1, LABEL, "FreeTDS" },
	{ "host",          read_host,      PULL(host),       1, LABEL, NULL },
	{ "port",          schema_count,     PULL(port),   1, 65535, "1433" },
	{ "database",      schema_text,      PULL(database), 1, LABEL, "sem5" },
	{ "tls",           read_pull_tls,  PULL(tls),     0, 0, "require" },
	{ "user",          schema_text,      PULL(user),       1, LABEL, NULL },
	{ "password_file", schema_path, PULL(password_file), 1, PATH, NULL },
	{ "view",          read_view,      PULL(view),       1, LABEL,
	  "V_AGENT_TRAFFIC_LOG" },
	{ "maximum_history_days", schema_count, PULL(maximum_history_days),
	  1, 3660, "30" },
	{ "batch",         schema_count,     PULL(batch), 1, 1000000, "50000" },
	{ "overlap",       schema_time,      PULL(overlap), 0, 30 * DAY, "1h" },
	{ "timeout",       schema_time,      PULL(timeout), SECOND, DAY, "5m" },
};
/* clang-format on */

_Static_assert(
    SCHEMA_COUNT(pull_keys) <= SCHEMA_KEYS, "schema_parts has room for less");

/* Who gives the whole connection string says everything there. */
static void
check_connection(struct schema_loader *l, const struct node *map)
{
	static const char *const said[] = {
	    "driver", "host", "port", "database", "tls"};

	for (const struct node *n = map->first; n; n = n->next)
		for (size_t i = 0; i < SCHEMA_COUNT(said); i++)
			if (span_eq(n->key, span_str(said[i])))
				schema_fail_key(l, n,
				    "'connection' says that already: remove "
				    "one of the two");
}

static void
read_pull(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	struct config_pull *pull = out;
	const struct node *connection, *host, *user, *password;

	(void)key;
	if (!schema_want(l, node, NODE_MAP))
		return;
	pull->set = node->parent != NULL; /* not the default */
	SCHEMA_MAP(l, node, pull_keys, pull);
	connection = schema_child(node, "connection");
	host = schema_child(node, "host");
	user = schema_child(node, "user");
	password = schema_child(node, "password_file");
	if (connection)
		check_connection(l, node);
	else if (!host && pull->set)
		schema_fail(
		    l, node, "needs 'host', the database server of SEPM");
	if (user && !password)
		schema_fail_key(l, user, "needs 'password_file' beside it");
	if (password && !user)
		schema_fail_key(l, password, "needs 'user' beside it");
}

/* --- the whole --- */

#define TOP(member) offsetof(struct config, member)

/* clang-format off */
static const struct schema_key top_keys[] = {
	/* name, reader, place, bounds, default */
	{ "listen",          read_listen, 0, 1, 64,
	  "[{udp: '[::]:514'}, {tcp: '[::]:514'}]" },
	{ "receive_buffer",  schema_size, TOP(receive_buffer),
	  64 * KIB, GIB, "32MiB" },
	{ "max_message",     schema_size, TOP(max_message), 480, MIB, "64KiB" },
	{ "max_connections", schema_count, TOP(max_connections),
	  1, 65536, "4096" },
	{ "max_connections_per_source", schema_count,
	  TOP(max_connections_per_source), 1, 65536, "64" },
	{ "frame_timeout",   schema_time, TOP(frame_timeout),
	  SECOND, HOUR, "60s" },
	{ "handshake_timeout", schema_time, TOP(handshake_timeout),
	  SECOND, HOUR, "10s" },
	{ "max_handshakes",  schema_count, TOP(max_handshakes),
	  1, 65536, "256" },
	{ "allow",           read_allow, 0, 0, 4096, "[]" },
	{ "timezone",        read_zone, TOP(fallback.zone), 1, ZONE, "UTC" },
	{ "code_page",       read_codepage, TOP(fallback.codepage), 1, ZONE,
	  "windows-1252" },
	{ "event_key",       schema_yes, TOP(event_key), 0, 0, "no" },
	{ "sources",         read_sources, 0, 0, 4096, "[]" },
	{ "spool",           read_spool, TOP(spool), 0, 0, "{}" },
	{ "ledger",          read_ledger, TOP(ledger), 0, 0, "{}" },
	{ "status",          read_status, TOP(status), 0, 0, "{}" },
	/* before the streams, which refer to it */
	{ "privacy",         read_privacy, TOP(privacy), 0, 0, NULL },
	{ "streams",         read_streams, 0, 1, CONFIG_STREAMS,
	  "[{name: traffic, types: [traffic]},"
	  " {name: events, types: [events]},"
	  " {name: unparsed, types: [unparsed]}]" },
	{ "pull",            read_pull, TOP(pull), 0, 0, "{}" },
};
/* clang-format on */

_Static_assert(
    SCHEMA_COUNT(top_keys) <= SCHEMA_KEYS, "schema_parts has room for less");

/* What no key can check alone. The defaults fit every value of the others, and
 * faulty values are 0: both say nothing here. */
static void
check_spool(struct schema_loader *l, const struct node *root,
    const struct config *config)
{
	const struct config_spool *spool = &config->spool;
	const struct node *map = schema_child(root, "spool");
	const struct node *buffer = schema_child(map, "buffer");
	const struct node *quota = schema_child(map, "quota");
	uint64_t line = 8 * config->max_message + 64 * KIB;
	char size[VALUE_SPELLED];

	if (buffer && spool->buffer > 0 && spool->buffer < line) {
		value_spell(line, value_size_units, VALUE_SIZE_UNITS, size);
		schema_fail(l, buffer,
		    "must be %s at least for this max_message", size);
	}
	if (quota && spool->quota > 0 && spool->quota < spool->rotate_size) {
		value_spell(spool->rotate_size, value_size_units,
		    VALUE_SIZE_UNITS, size);
		schema_fail(l, quota,
		    "must be %s at least, the size of one file", size);
	}
}

/* Files are packed one way for all streams. */
static void
check_presets(struct schema_loader *l, const struct node *root,
    const struct config *config)
{
	static const unsigned packing[] = {
	    [CONFIG_NONE] = PRESET_PLAIN,
	    [CONFIG_GZIP] = PRESET_GZIP,
	    [CONFIG_ZSTD] = 0, /* nobody takes it */
	};
	const struct node *streams = schema_child(root, "streams");
	const struct preset *preset;

	if (streams == NULL || config->streams == NULL)
		return;
	for (const struct node *n = streams->first; n; n = n->next) {
		preset = config->streams[n->index].preset;
		if (preset != NULL &&
		    (preset->packing & packing[config->spool.compress]) == 0)
			schema_fail(l, schema_child(n, "preset"),
			    "%s needs compress: gzip in spool", preset->name);
	}
}

static void
read_root(struct schema_loader *l, const struct node *root, void *out)
{
	struct config *config = out;
	static const struct node empty = {.kind = NODE_MAP};

	if (!root || root->kind == NODE_NONE)
		root = &empty;
	if (!schema_want(l, root, NODE_MAP))
		return;
	SCHEMA_MAP(l, root, top_keys, config);
	inherit_fallback(config);
	check_spool(l, root, config);
	check_presets(l, root, config);
}

struct config *
config_parse(struct span text, const struct config_lookup *lookup,
    struct config_errors *errors)
{
	struct config *config;
	void *memory;

	config = schema_parse(
	    text, sizeof(*config), lookup, errors, read_root, &memory);
	if (config)
		config->memory = memory;
	return config;
}

void
config_free(struct config *config)
{
	if (config)
		schema_free(config->memory);
}
