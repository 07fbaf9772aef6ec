/*
 * The configuration's keys, as tables.
 *
 * A row names a key, the reader of its value, the place where the value goes,
 * its bounds, and its default, which is YAML like the rest and read by the
 * same reader. A reader adds an error or stores a good value; a number
 * that is still zero at the end was faulty.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_internal.h"

enum {
	KEYS_MAX = 24,  /* rows of the largest table */
	QUOTE_MAX = 60, /* bytes of the text that an error repeats */
	PATH_MAX_NODES = 16,
	NOTE_SIZE = 640,
};

/* Bytes that the texts of the tables may have. */
enum { NAME = 32, LABEL = 255, ZONE = 64, PATH = 1024 };

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define PIB (1024 * 1024 * GIB)
#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Types of `events`: every SEPM log but traffic. */
#define TYPES_ALL ((1u << RECORD_TYPE_COUNT) - 1)
#define TYPES_EVENTS                                                           \
	(TYPES_ALL & ~(1u << RECORD_TRAFFIC | 1u << RECORD_UNPARSED))

struct loader {
	struct pool *tree; /* until config_parse ends */
	struct pool *pool; /* the config's own */
	const struct config_lookup *lookup;
	struct config_errors *errors;
};

struct key {
	const char *name;
	/* `out` is the place at `offset` in the struct that is filled. */
	void (*read)(struct loader *l, const struct node *node,
	    const struct key *key, void *out);
	size_t offset;
	uint64_t min, max;    /* of the value, or of the number of entries */
	const char *fallback; /* NULL: may be left out; MUST: may not */
};

static const char MUST[] = "";

/* --- errors --- */

struct note {
	size_t n;
	char text[NOTE_SIZE];
};

__attribute__((format(printf, 2, 0))) static void
note_vadd(struct note *note, const char *format, va_list args)
{
	size_t room = sizeof(note->text) - note->n;
	int n = vsnprintf(note->text + note->n, room, format, args);

	if (n > 0)
		note->n += (size_t)n < room ? (size_t)n : room - 1;
}

__attribute__((format(printf, 2, 3))) static void
note_add(struct note *note, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_vadd(note, format, args);
	va_end(args);
}

/* The start of a text, cut between characters, as arguments of `%.*s`. */
static struct span
quoted(struct span text)
{
	text = span_take(text, QUOTE_MAX);
	return span_take(text, text_valid_utf8(text));
}

#define QUOTED(text) (int)quoted(text).n, quoted(text).p

/* `spool.rotate.size`, `streams[0].name` */
static void
note_path(struct note *note, const struct node *node)
{
	const struct node *path[PATH_MAX_NODES];
	size_t n = 0;

	for (; node->parent && n < PATH_MAX_NODES; node = node->parent)
		path[n++] = node;
	for (size_t i = n; i-- > 0;) {
		if (path[i]->parent->kind == NODE_LIST)
			note_add(note, "[%zu]", path[i]->index);
		else
			note_add(note, "%s%.*s", note->n > 0 ? "." : "",
			    QUOTED(path[i]->key));
	}
}

__attribute__((format(printf, 5, 0))) static void
vfail(struct loader *l, const struct node *node, unsigned line, unsigned column,
    const char *format, va_list args)
{
	struct note path = {.n = 0}, what = {.n = 0};

	note_path(&path, node);
	note_vadd(&what, format, args);
	config_error_add(l->errors, line, column, path.text, what.text);
}

/* An error in a value. */
__attribute__((format(printf, 3, 4))) static void
fail(struct loader *l, const struct node *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfail(l, node, node->line, node->column, format, args);
	va_end(args);
}

/* An error in its key. */
__attribute__((format(printf, 3, 4))) static void
fail_key(struct loader *l, const struct node *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfail(l, node, node->key_line, node->key_column, format, args);
	va_end(args);
}

static void
no_memory(struct loader *l)
{
	l->errors->incomplete = true;
}

static void *
take(struct loader *l, size_t count, size_t size)
{
	void *p = pool_take(l->pool, count, size);

	if (!p)
		no_memory(l);
	return p;
}

/* A copy that lives as long as the config. */
static char *
keep(struct loader *l, struct span text)
{
	char *copy = pool_text(l->pool, text);

	if (!copy)
		no_memory(l);
	return copy;
}

/* `; did you mean 'x'?`, or nothing. */
static const char *
hint(const struct value_guess *guess, struct note *note)
{
	*note = (struct note){.n = 0};
	if (guess->nearest.n > 0)
		note_add(
		    note, "; did you mean '%.*s'?", QUOTED(guess->nearest));
	return note->text;
}

/* --- shapes of values --- */

static const char *
kind_words(enum node_kind kind)
{
	static const char *const words[] = {
	    [NODE_SKIP] = "",
	    [NODE_NONE] = "nothing",
	    [NODE_TEXT] = "a single value",
	    [NODE_LIST] = "a list",
	    [NODE_MAP] = "a map of keys",
	};

	return words[kind];
}

/* Is the node of this kind? Says so if not. */
static bool
want(struct loader *l, const struct node *node, enum node_kind kind)
{
	if (node->kind == kind)
		return true;
	if (node->kind == NODE_NONE)
		fail(
		    l, node, "has no value; leave the key out for its default");
	else if (node->kind != NODE_SKIP)
		fail(l, node, "must be %s, not %s", kind_words(kind),
		    kind_words(node->kind));
	return false;
}

/* A text of at most `max` bytes. */
static bool
want_text(struct loader *l, const struct node *node, size_t max)
{
	if (!want(l, node, NODE_TEXT))
		return false;
	if (node->text.n == 0)
		fail(l, node, "is empty");
	else if (node->text.n > max)
		fail(l, node, "is longer than %zu bytes", max);
	return node->text.n > 0 && node->text.n <= max;
}

/* Where one value may stand for a list of one: how many, from `*first` on. */
static size_t
entries(const struct node *node, const struct node **first)
{
	*first = node->kind == NODE_LIST ? node->first : node;
	return node->kind == NODE_LIST ? node->count : 1;
}

/* --- maps --- */

static size_t
key_find(const struct key *keys, size_t count, struct span name)
{
	size_t i = 0;

	while (i < count && !span_eq(span_str(keys[i].name), name))
		i++;
	return i;
}

static void
fail_unknown_key(struct loader *l, const struct node *node,
    const struct key *keys, size_t count)
{
	struct value_guess guess = {.written = node->key};
	struct note note;

	for (size_t i = 0; i < count; i++)
		value_guess(&guess, span_str(keys[i].name));
	fail_key(l, node, "unknown key%s", hint(&guess, &note));
}

static const struct node *
fallback_node(struct loader *l, const struct key *key)
{
	struct node *node = NULL;

	if (!config_yaml(span_str(key->fallback), l->tree, l->errors, &node))
		return NULL;
	return node;
}

static void
read_key(struct loader *l, const struct node *map, const struct node *node,
    const struct key *key, void *out)
{
	struct node absent = {.parent = map,
	    .key = span_str(key->name),
	    .line = map->line,
	    .column = map->column};

	if (!node && key->fallback == MUST)
		fail(l, &absent, "is missing");
	else if (!node && key->fallback)
		node = fallback_node(l, key);
	if (node)
		key->read(l, node, key, (char *)out + key->offset);
}

/* Every row of the table, from the map or from its default. */
static void
read_map(struct loader *l, const struct node *map, const struct key *keys,
    size_t count, void *out)
{
	const struct node *seen[KEYS_MAX] = {NULL};
	size_t i;

	for (const struct node *n = map->first; n; n = n->next) {
		i = key_find(keys, count, n->key);
		if (i == count)
			fail_unknown_key(l, n, keys, count);
		else if (seen[i])
			fail_key(l, n, "repeated; it is on line %u already",
			    seen[i]->key_line);
		else
			seen[i] = n;
	}
	for (i = 0; i < count; i++)
		read_key(l, map, seen[i], &keys[i], out);
}

static const struct node *
child_of(const struct node *map, const char *name)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *n = map->first; n; n = n->next) {
		if (span_eq(n->key, span_str(name)))
			return n;
	}
	return NULL;
}

/* --- lists --- */

/* Zeroed room for what the list holds; NULL when it is empty or faulty. */
static void *
read_list(struct loader *l, const struct node *node, const struct key *key,
    size_t size)
{
	if (!want(l, node, NODE_LIST))
		return NULL;
	if (node->count < key->min) {
		fail(l, node, "needs an entry");
		return NULL;
	}
	if (node->count > key->max) {
		fail(l, node, "has %zu entries, at most %llu are possible",
		    node->count, (unsigned long long)key->max);
		return NULL;
	}
	return node->count > 0 ? take(l, node->count, size) : NULL;
}

/* --- single values --- */

static bool
read_quantity(struct loader *l, const struct node *node, const struct key *key,
    const struct value_unit *units, size_t count, const char *what,
    uint64_t *out)
{
	char min[VALUE_SPELLED], max[VALUE_SPELLED];
	uint64_t number;

	if (!want(l, node, NODE_TEXT))
		return false;
	if (!value_quantity(node->text, units, count, &number)) {
		fail(l, node, "'%.*s' is not %s", QUOTED(node->text), what);
		return false;
	}
	if (number < key->min || number > key->max) {
		value_spell(key->min, units, count, min);
		value_spell(key->max, units, count, max);
		fail(l, node, "'%.*s' is out of range: %s to %s",
		    QUOTED(node->text), min, max);
		return false;
	}
	*out = number;
	return true;
}

static void
read_size(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	read_quantity(l, node, key, value_size_units, VALUE_SIZE_UNITS,
	    "a size: a whole number and KiB, MiB, GiB or nothing", out);
}

static void
read_time(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	read_quantity(l, node, key, value_time_units, VALUE_TIME_UNITS,
	    "a time: a whole number and ms, s, m, h or d", out);
}

static void
read_count(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	static const struct value_unit one = {{"", 0}, 1};
	unsigned *count = out;
	uint64_t number;

	if (read_quantity(l, node, key, &one, 1, "a whole number", &number))
		*count = (unsigned)number;
}

static void
read_label(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	struct span *label = out;
	char *copy;

	if (!want_text(l, node, key->max))
		return;
	copy = keep(l, node->text);
	if (copy)
		*label = span_of(copy, node->text.n);
}

static void
read_path(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	char **path = out;

	if (!want_text(l, node, key->max))
		return;
	if (node->text.p[0] != '/') {
		fail(l, node, "'%.*s' does not start with '/'",
		    QUOTED(node->text));
		return;
	}
	*path = keep(l, node->text);
}

/* What stands before the ith word in `a, b or c`. */
static const char *
joint(size_t i, size_t count)
{
	if (i == 0)
		return "";
	return i + 1 < count ? ", " : " or ";
}

/* The index of the text among the words; `count`, and an error, if none. */
static size_t
read_word(struct loader *l, const struct node *node, const struct span *words,
    size_t count)
{
	struct value_guess guess = {.written = node->text};
	struct note note, list = {.n = 0};

	if (!want(l, node, NODE_TEXT))
		return count;
	for (size_t i = 0; i < count; i++) {
		if (span_eq(words[i], node->text))
			return i;
		value_guess(&guess, words[i]);
		note_add(&list, "%s%.*s", joint(i, count), QUOTED(words[i]));
	}
	fail(l, node, "'%.*s' is not %s%s", QUOTED(node->text), list.text,
	    hint(&guess, &note));
	return count;
}

/* The readers of words differ in the type of what they store. */
static void
read_compress(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	static const struct span words[] = {
	    [CONFIG_NONE] = {"none", 4},
	    [CONFIG_GZIP] = {"gzip", 4},
	    [CONFIG_ZSTD] = {"zstd", 4},
	};
	enum config_compress *compress = out;

	(void)key;
	*compress = (enum config_compress)read_word(l, node, words, 3);
}

static void
read_yes(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	static const struct span words[] = {{"no", 2}, {"yes", 3}};
	bool *yes = out;

	(void)key;
	*yes = read_word(l, node, words, 2) == 1;
}

static void
read_on_full(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	static const struct span words[] = {
	    [CONFIG_BLOCK] = {"block", 5},
	    [CONFIG_DROP_OLDEST] = {"drop_oldest", 11},
	};
	enum config_on_full *on_full = out;

	(void)key;
	*on_full = (enum config_on_full)read_word(l, node, words, 2);
}

static void
read_format(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	enum encode_format *format = out;

	(void)key;
	*format = (enum encode_format)read_word(
	    l, node, encode_format_name, ENCODE_FORMAT_COUNT);
}

/* A size, or a percentage of the file system. */
static void
read_min_free(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	struct config_spool *spool = out;
	struct span text = node->text;
	uint64_t percent;

	if (node->kind != NODE_TEXT || text.n == 0 ||
	    text.p[text.n - 1] != '%') {
		read_quantity(l, node, key, value_size_units, VALUE_SIZE_UNITS,
		    "a size (KiB, MiB, GiB) or a percentage such as 5%",
		    &spool->min_free);
		return;
	}
	if (!value_number(span_take(text, text.n - 1), &percent) ||
	    percent > 90)
		fail(l, node, "'%.*s' is not a percentage from 0%% to 90%%",
		    QUOTED(text));
	else
		spool->min_free_percent = (unsigned)percent;
}

static void
read_zone(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	const struct zone **zone = out;

	if (!want_text(l, node, key->max))
		return;
	if (span_eq(node->text, SPAN("UTC")))
		*zone = zone_utc();
	else if (l->lookup && l->lookup->zone)
		*zone = l->lookup->zone(l->lookup->arg, node->text.p);
	if (!*zone)
		fail(l, node,
		    "no such time zone: '%.*s'; names are those of "
		    "/usr/share/zoneinfo",
		    QUOTED(node->text));
}

static void
read_codepage(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	const struct text_codepage **codepage = out;
	struct span text = node->text;

	if (!want_text(l, node, key->max))
		return;
	if (span_caseeq(text, SPAN("utf-8")) ||
	    span_caseeq(text, SPAN("utf8"))) {
		fail(l, node,
		    "UTF-8 is always tried first; name the code page of what "
		    "is not UTF-8");
		return;
	}
	if (span_eq(text, SPAN("windows-1252")))
		*codepage = &text_windows_1252;
	else if (l->lookup && l->lookup->codepage)
		*codepage = l->lookup->codepage(l->lookup->arg, text.p);
	if (!*codepage)
		fail(l, node, "no such code page: '%.*s'", QUOTED(text));
}

/* --- addresses --- */

static bool
read_cidr(struct loader *l, const struct node *node, struct config_cidr *cidr)
{
	const char *wrong;

	if (!want(l, node, NODE_TEXT))
		return false;
	wrong = value_cidr(node->text, cidr);
	if (wrong)
		fail(l, node, "'%.*s' %s", QUOTED(node->text), wrong);
	return !wrong;
}

static void
read_from(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	(void)key;
	read_cidr(l, node, out);
}

static void
read_allow(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	struct config *config = out;
	struct config_cidr *range = read_list(l, node, key, sizeof(*range));

	if (!range)
		return;
	config->allow = range;
	config->allows = node->count;
	for (const struct node *n = node->first; n; n = n->next)
		read_cidr(l, n, range++);
}

static void
read_endpoint(struct loader *l, const struct node *node,
    struct config_listen *listen, enum config_transport transport)
{
	const char *wrong;

	if (!want(l, node, NODE_TEXT))
		return;
	wrong = value_endpoint(node->text, &listen->addr, &listen->addr_len);
	if (wrong) {
		fail(l, node, "'%.*s' %s", QUOTED(node->text), wrong);
		return;
	}
	listen->transport = transport;
	listen->line = node->line;
	listen->text = keep(l, node->text);
}

static void
read_udp(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	(void)key;
	read_endpoint(l, node, out, CONFIG_UDP);
}

static void
read_tcp(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	(void)key;
	read_endpoint(l, node, out, CONFIG_TCP);
}

static void
read_tls(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	(void)key;
	read_endpoint(l, node, out, CONFIG_TLS);
}

static void
read_peer(struct loader *l, const struct node *node, struct config_peer *peer)
{
	struct span text = node->text;
	const char *wrong;

	if (!want_text(l, node, LABEL))
		return;
	wrong = value_peer(text, peer);
	if (wrong)
		fail(l, node, "'%.*s' %s", QUOTED(text), wrong);
	else if (peer->kind == CONFIG_PEER_SUBDOMAIN)
		peer->text = keep(l, span_skip(text, 1));
	else if (peer->kind != CONFIG_PEER_FINGERPRINT)
		peer->text = keep(l, text);
}

static void
read_permitted(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	struct config_listen *listen = out;
	struct config_peer *peer = read_list(l, node, key, sizeof(*peer));

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
check_listens(struct loader *l, const struct node *node,
    const struct config_listen *listen)
{
	for (const struct node *n = node->first; n; n = n->next) {
		for (size_t i = 0; i < n->index; i++) {
			if (!same_listen(&listen[i], &listen[n->index]))
				continue;
			fail(
			    l, n, "same address as on line %u", listen[i].line);
			break;
		}
	}
}

#define LISTEN(member) offsetof(struct config_listen, member)

/* clang-format off */
static const struct key listen_keys[] = {
	/* name, reader, place, bounds, default */
	{ "udp",         read_udp,  0,                         0, 0,    NULL },
	{ "tcp",         read_tcp,  0,                         0, 0,    NULL },
	{ "tls",         read_tls,  0,                         0, 0,    NULL },
	{ "certificate", read_path, LISTEN(files.certificate), 1, PATH, NULL },
	{ "key",         read_path, LISTEN(files.key),         1, PATH, NULL },
	{ "client_ca",   read_path, LISTEN(files.client_ca),   1, PATH, NULL },
	{ "crl",         read_path, LISTEN(files.crl),         1, PATH, NULL },
	{ "permitted_peers", read_permitted, 0,                1, 1024, NULL },
};
/* clang-format on */

enum { TRANSPORTS = 3 }; /* the first rows */

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define READ_MAP(l, node, keys, out)                                           \
	read_map(l, node, keys, COUNT_OF(keys), out)

/* What cannot be said of a listener without TLS. */
static void
check_plain(struct loader *l, const struct node *node)
{
	for (const struct node *n = node->first; n; n = n->next)
		for (size_t i = TRANSPORTS; i < COUNT_OF(listen_keys); i++)
			if (span_eq(n->key, span_str(listen_keys[i].name)))
				fail_key(l, n, "only with 'tls'");
}

/* Names and revocation mean something only where a CA vouches for them. */
static void
check_tls(struct loader *l, const struct node *node,
    const struct config_listen *listen)
{
	const struct node *ca = child_of(node, "client_ca");
	const struct node *crl = child_of(node, "crl");
	const struct node *peers = child_of(node, "permitted_peers");

	if (!child_of(node, "certificate"))
		fail(l, node, "needs 'certificate' beside 'tls', a PEM file");
	if (!child_of(node, "key"))
		fail(l, node, "needs 'key' beside 'tls', a PEM file");
	if (crl && !ca)
		fail_key(l, crl, "needs 'client_ca' beside it");
	for (size_t i = 0; i < listen->permitted_count && !ca; i++) {
		if (!listen->permitted[i].text)
			continue;
		fail_key(l, peers,
		    "names need 'client_ca' beside them; fingerprints do not");
		break;
	}
}

static void
read_listener(
    struct loader *l, const struct node *node, struct config_listen *listen)
{
	size_t transports = 0;

	if (!want(l, node, NODE_MAP))
		return;
	for (size_t i = 0; i < TRANSPORTS; i++)
		transports += child_of(node, listen_keys[i].name) != NULL;
	if (transports != 1)
		fail(l, node,
		    "needs one transport and its address, "
		    "such as udp: \"[::]:514\"");
	READ_MAP(l, node, listen_keys, listen);
	if (child_of(node, "tls"))
		check_tls(l, node, listen);
	else
		check_plain(l, node);
}

static void
read_listen(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	struct config *config = out;
	struct config_listen *listen = read_list(l, node, key, sizeof(*listen));

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
static const struct key source_keys[] = {
	/* name, reader, place, bounds, default */
	{ "from",      read_from,     SOURCE(from),          0, 0,     MUST },
	{ "timezone",  read_zone,     SOURCE(read.zone),     1, ZONE,  NULL },
	{ "code_page", read_codepage, SOURCE(read.codepage), 1, ZONE,  NULL },
	{ "site",      read_label,    SOURCE(read.site),     1, LABEL, NULL },
	{ "group",     read_label,    SOURCE(read.group),    1, LABEL, NULL },
	{ "domain",    read_label,    SOURCE(read.domain),   1, LABEL, NULL },
};
/* clang-format on */

static void
read_sources(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	struct config *config = out;
	struct config_source *source = read_list(l, node, key, sizeof(*source));

	if (!source)
		return;
	config->sources = source;
	config->source_count = node->count;
	for (const struct node *n = node->first; n; n = n->next) {
		if (want(l, n, NODE_MAP))
			READ_MAP(l, n, source_keys, &source[n->index]);
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

/* --- streams --- */

static void
read_name(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	char **name = out;
	struct span rest = node->text;

	if (!want_text(l, node, key->max))
		return;
	if (*rest.p < 'a' || *rest.p > 'z')
		rest.n = 0;
	while (rest.n > 0 && ((*rest.p >= 'a' && *rest.p <= 'z') ||
				 span_isdigit(*rest.p) || *rest.p == '_'))
		rest = span_skip(rest, 1);
	if (rest.p != span_end(node->text)) {
		fail(l, node,
		    "'%.*s' is not a name: a letter a-z, then letters, digits "
		    "and _",
		    QUOTED(node->text));
		return;
	}
	*name = keep(l, node->text);
}

static unsigned
types_of(struct loader *l, const struct node *node)
{
	struct value_guess guess = {.written = node->text};
	struct note note;
	enum record_type type;

	if (!want(l, node, NODE_TEXT))
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
	fail(l, node, "no such type: '%.*s'%s", QUOTED(node->text),
	    hint(&guess, &note));
	return 0;
}

static void
read_types(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	unsigned *types = out;
	const struct node *entry;
	size_t count = entries(node, &entry);

	(void)key;
	if (node->kind == NODE_LIST && count == 0)
		fail(l, node, "needs an entry");
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
want_field(struct loader *l, const struct node *node, enum record_field *field)
{
	struct value_guess guess = {.written = node->key};
	struct note note;

	*field = record_field_find(node->key);
	if (*field < RECORD_FIELD_COUNT && is_comparable(*field))
		return true;
	if (*field == RECORD_F_TYPE) {
		fail_key(l, node, "'types' of the stream chooses types");
	} else if (*field < RECORD_FIELD_COUNT) {
		fail_key(l, node, "only texts and numbers can be compared");
	} else {
		for (size_t i = 0; i < RECORD_FIELD_COUNT; i++) {
			if (is_comparable((enum record_field)i))
				value_guess(&guess, record_field_info[i].key);
		}
		fail_key(l, node, "no such field%s", hint(&guess, &note));
	}
	return false;
}

static void
read_number_value(struct loader *l, const struct node *node, uint64_t *number)
{
	if (want(l, node, NODE_TEXT) && !value_number(node->text, number))
		fail(l, node, "'%.*s' is not a whole number",
		    QUOTED(node->text));
}

/* One `field: value` or `field: [value, ...]` of `where`. */
static void
read_condition(struct loader *l, const struct node *node, const struct key *key,
    struct config_condition *c)
{
	static const struct key label = {.max = LABEL};
	const struct node *entry;
	size_t count = entries(node, &entry);

	if (count < 1 || count > key->max) {
		fail(l, node, "needs 1 to %llu values",
		    (unsigned long long)key->max);
		return;
	}
	c->count = count;
	if (record_field_info[c->field].kind == RECORD_UINT) {
		c->numbers = take(l, count, sizeof(*c->numbers));
		for (size_t i = 0; c->numbers && i < count; i++) {
			read_number_value(l, entry, &c->numbers[i]);
			entry = entry->next;
		}
		return;
	}
	c->texts = take(l, count, sizeof(*c->texts));
	for (size_t i = 0; c->texts && i < count; i++) {
		read_label(l, entry, &label, &c->texts[i]);
		entry = entry->next;
	}
}

static void
read_where(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	struct config_stream *stream = out;
	struct config_condition *c;
	enum record_field field;
	bool seen[RECORD_FIELD_COUNT] = {false};

	if (!want(l, node, NODE_MAP) || node->count == 0)
		return;
	stream->where = take(l, node->count, sizeof(*stream->where));
	if (!stream->where)
		return;
	for (const struct node *n = node->first; n; n = n->next) {
		if (!want_field(l, n, &field))
			continue;
		if (seen[field]) {
			fail_key(l, n, "repeated; use a list of values");
			continue;
		}
		seen[field] = true;
		c = &stream->where[stream->conditions++];
		c->field = field;
		read_condition(l, n, key, c);
	}
}

#define STREAM(member) offsetof(struct config_stream, member)

/* clang-format off */
static const struct key stream_keys[] = {
	/* name, reader, place, bounds, default */
	{ "name",   read_name,   STREAM(name),   1, NAME, MUST },
	{ "types",  read_types,  STREAM(types),  0, 0,    MUST },
	{ "format", read_format, STREAM(format), 0, 0,    "jsonl" },
	{ "where",  read_where,  0,              1, 1024, NULL },
};
/* clang-format on */

static void
check_streams(struct loader *l, const struct node *node,
    const struct config_stream *stream)
{
	const char *name;

	for (const struct node *n = node->first; n; n = n->next) {
		name = stream[n->index].name;
		for (size_t i = 0; name && i < n->index; i++) {
			if (!stream[i].name ||
			    strcmp(stream[i].name, name) != 0)
				continue;
			fail(l, n, "same name as streams[%zu]: '%s'", i, name);
			break;
		}
	}
}

static void
read_streams(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	struct config *config = out;
	struct config_stream *stream = read_list(l, node, key, sizeof(*stream));

	if (!stream)
		return;
	config->streams = stream;
	config->stream_count = node->count;
	for (const struct node *n = node->first; n; n = n->next) {
		if (want(l, n, NODE_MAP))
			READ_MAP(l, n, stream_keys, &stream[n->index]);
	}
	check_streams(l, node, stream);
}

/* --- spool --- */

#define SPOOL(member) offsetof(struct config_spool, member)

/* clang-format off */
static const struct key rotate_keys[] = {
	/* name, reader, place, bounds, default */
	{ "size", read_size, SPOOL(rotate_size), 64 * KIB, 4 * GIB, "64MiB" },
	{ "age",  read_time, SPOOL(rotate_age),  SECOND,   7 * DAY, "5m" },
};

static const struct key commit_keys[] = {
	/* name, reader, place, bounds, default */
	{ "interval", read_time, SPOOL(commit_interval),
	  1, MINUTE, "100ms" },
	{ "bytes",    read_size, SPOOL(commit_bytes),
	  4 * KIB, GIB, "1MiB" },
};
/* clang-format on */

static void
read_rotate(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	(void)key;
	if (want(l, node, NODE_MAP))
		READ_MAP(l, node, rotate_keys, out);
}

static void
read_commit(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	(void)key;
	if (want(l, node, NODE_MAP))
		READ_MAP(l, node, commit_keys, out);
}

/* clang-format off */
static const struct key spool_keys[] = {
	/* name, reader, place, bounds, default */
	{ "directory", read_path, SPOOL(directory),     1, PATH,
	  "/var/spool/sepmlogd" },
	{ "rotate",    read_rotate,    0,                    0, 0,   "{}" },
	{ "commit",    read_commit,    0,                    0, 0,   "{}" },
	{ "compress",  read_compress,  SPOOL(compress),      0, 0,   "gzip" },
	{ "quota",     read_size,      SPOOL(quota),         0, PIB, "10GiB" },
	{ "min_free",  read_min_free,  0,                    0, PIB, "5%" },
	{ "on_full",   read_on_full,   SPOOL(on_full),       0, 0,   "block" },
	{ "buffer",    read_size,      SPOOL(buffer), 128 * KIB, GIB, "16MiB" },
};
/* clang-format on */

static void
read_spool(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	(void)key;
	if (want(l, node, NODE_MAP))
		READ_MAP(l, node, spool_keys, out);
}

/* --- ledger --- */

#define LEDGER(member) offsetof(struct config_ledger, member)

static void
read_checksum(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	static const struct span words[] = {{"none", 4}, {"sha256", 6}};
	bool *checksum = out;

	(void)key;
	*checksum = read_word(l, node, words, 2) == 1;
}

/* clang-format off */
static const struct key ledger_keys[] = {
	/* name, reader, place, bounds, default */
	{ "checksum", read_checksum, LEDGER(checksum), 0, 0, "sha256" },
	{ "keep",     read_time,     LEDGER(keep), DAY, 3660 * DAY, "400d" },
	{ "size",     read_size,     LEDGER(size), 4 * MIB, PIB, "1GiB" },
	{ "sources",  read_count,    LEDGER(sources),  1, 65536, "4096" },
};
/* clang-format on */

static void
read_ledger(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	(void)key;
	if (want(l, node, NODE_MAP))
		READ_MAP(l, node, ledger_keys, out);
}

/* --- pull --- */

static void
read_pull_tls(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	static const struct span words[] = {
	    [CONFIG_TLS_REQUIRE] = {"require", 7},
	    [CONFIG_TLS_OFF] = {"off", 3},
	};
	enum config_tls *tls = out;

	(void)key;
	*tls = (enum config_tls)read_word(l, node, words, 2);
}

static void
read_text(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	char **text = out;

	if (want_text(l, node, key->max))
		*text = keep(l, node->text);
}

/* Letters, digits and those of `others`: what needs no quotes anywhere. */
static bool
is_plain(struct span text, const char *others)
{
	for (size_t i = 0; i < text.n; i++) {
		int c = (unsigned char)text.p[i];

		if (!span_isalpha(c) && !span_isdigit(c) &&
		    (c == 0 || strchr(others, c) == NULL))
			return false;
	}
	return true;
}

static void
read_plain(struct loader *l, const struct node *node, const struct key *key,
    const char *others, const char *what, char **out)
{
	if (!want_text(l, node, key->max))
		return;
	if (is_plain(node->text, others))
		*out = keep(l, node->text);
	else
		fail(l, node, "'%.*s' is not %s", QUOTED(node->text), what);
}

static void
read_driver(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	read_plain(l, node, key, "/._+- ",
	    "the name of an ODBC driver, such as FreeTDS, or a path", out);
}

static void
read_host(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	read_plain(l, node, key, ".:_-\\",
	    "a name or address such as sepm-db.example.com or 192.0.2.9", out);
}

static void
read_view(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	read_plain(l, node, key, "._$",
	    "the name of a view such as V_AGENT_TRAFFIC_LOG or "
	    "dbo.V_AGENT_TRAFFIC_LOG",
	    out);
}

#define PULL(member) offsetof(struct config_pull, member)

/* clang-format off */
static const struct key pull_keys[] = {
	/* name, reader, place, bounds, default */
	{ "connection",    read_text,      PULL(connection), 1, PATH, NULL },
	{ "driver",        read_driver,    PULL(driver), 1, LABEL, "FreeTDS" },
	{ "host",          read_host,      PULL(host),       1, LABEL, NULL },
	{ "port",          read_count,     PULL(port),   1, 65535, "1433" },
	{ "database",      read_text,      PULL(database), 1, LABEL, "sem5" },
	{ "tls",           read_pull_tls,  PULL(tls),     0, 0, "require" },
	{ "user",          read_text,      PULL(user),       1, LABEL, NULL },
	{ "password_file", read_path, PULL(password_file), 1, PATH, NULL },
	{ "view",          read_view,      PULL(view),       1, LABEL,
	  "V_AGENT_TRAFFIC_LOG" },
	{ "maximum_history_days", read_count, PULL(maximum_history_days),
	  1, 3660, "30" },
	{ "batch",         read_count,     PULL(batch), 1, 1000000, "50000" },
	{ "overlap",       read_time,      PULL(overlap), 0, 30 * DAY, "1h" },
	{ "timeout",       read_time,      PULL(timeout), SECOND, DAY, "5m" },
};
/* clang-format on */

_Static_assert(COUNT_OF(pull_keys) <= KEYS_MAX, "read_map has room for less");

/* Who gives the whole connection string says everything there. */
static void
check_connection(struct loader *l, const struct node *map)
{
	static const char *const said[] = {
	    "driver", "host", "port", "database", "tls"};

	for (const struct node *n = map->first; n; n = n->next)
		for (size_t i = 0; i < COUNT_OF(said); i++)
			if (span_eq(n->key, span_str(said[i])))
				fail_key(l, n,
				    "'connection' says that already: remove "
				    "one of the two");
}

static void
read_pull(
    struct loader *l, const struct node *node, const struct key *key, void *out)
{
	struct config_pull *pull = out;
	const struct node *connection, *host, *user, *password;

	(void)key;
	if (!want(l, node, NODE_MAP))
		return;
	pull->set = node->parent != NULL; /* not the default */
	READ_MAP(l, node, pull_keys, pull);
	connection = child_of(node, "connection");
	host = child_of(node, "host");
	user = child_of(node, "user");
	password = child_of(node, "password_file");
	if (connection)
		check_connection(l, node);
	else if (!host && pull->set)
		fail(l, node, "needs 'host', the database server of SEPM");
	if (user && !password)
		fail_key(l, user, "needs 'password_file' beside it");
	if (password && !user)
		fail_key(l, password, "needs 'user' beside it");
}

/* --- the whole --- */

#define TOP(member) offsetof(struct config, member)

/* clang-format off */
static const struct key top_keys[] = {
	/* name, reader, place, bounds, default */
	{ "listen",          read_listen, 0, 1, 64,
	  "[{udp: '[::]:514'}, {tcp: '[::]:514'}]" },
	{ "receive_buffer",  read_size, TOP(receive_buffer),
	  64 * KIB, GIB, "32MiB" },
	{ "max_message",     read_size, TOP(max_message), 480, MIB, "64KiB" },
	{ "max_connections", read_count, TOP(max_connections),
	  1, 65536, "4096" },
	{ "max_connections_per_source", read_count,
	  TOP(max_connections_per_source), 1, 65536, "64" },
	{ "frame_timeout",   read_time, TOP(frame_timeout),
	  SECOND, HOUR, "60s" },
	{ "handshake_timeout", read_time, TOP(handshake_timeout),
	  SECOND, HOUR, "10s" },
	{ "max_handshakes",  read_count, TOP(max_handshakes),
	  1, 65536, "256" },
	{ "allow",           read_allow, 0, 0, 4096, "[]" },
	{ "timezone",        read_zone, TOP(fallback.zone), 1, ZONE, "UTC" },
	{ "code_page",       read_codepage, TOP(fallback.codepage), 1, ZONE,
	  "windows-1252" },
	{ "event_key",       read_yes, TOP(event_key), 0, 0, "no" },
	{ "sources",         read_sources, 0, 0, 4096, "[]" },
	{ "spool",           read_spool, TOP(spool), 0, 0, "{}" },
	{ "ledger",          read_ledger, TOP(ledger), 0, 0, "{}" },
	{ "streams",         read_streams, 0, 1, 32,
	  "[{name: traffic, types: [traffic]},"
	  " {name: events, types: [events]},"
	  " {name: unparsed, types: [unparsed]}]" },
	{ "pull",            read_pull, TOP(pull), 0, 0, "{}" },
};
/* clang-format on */

_Static_assert(COUNT_OF(top_keys) <= KEYS_MAX, "read_map has room for less");

/* What no key can check alone. The defaults fit every value of the others, and
 * faulty values are 0: both say nothing here. */
static void
check_spool(
    struct loader *l, const struct node *root, const struct config *config)
{
	const struct config_spool *spool = &config->spool;
	const struct node *map = child_of(root, "spool");
	const struct node *buffer = child_of(map, "buffer");
	const struct node *quota = child_of(map, "quota");
	uint64_t line = 8 * config->max_message + 64 * KIB;
	char size[VALUE_SPELLED];

	if (buffer && spool->buffer > 0 && spool->buffer < line) {
		value_spell(line, value_size_units, VALUE_SIZE_UNITS, size);
		fail(l, buffer, "must be %s at least for this max_message",
		    size);
	}
	if (quota && spool->quota > 0 && spool->quota < spool->rotate_size) {
		value_spell(spool->rotate_size, value_size_units,
		    VALUE_SIZE_UNITS, size);
		fail(l, quota, "must be %s at least, the size of one file",
		    size);
	}
}

static void
read_root(struct loader *l, const struct node *root, struct config *config)
{
	static const struct node empty = {.kind = NODE_MAP};

	if (!root || root->kind == NODE_NONE)
		root = &empty;
	if (!want(l, root, NODE_MAP))
		return;
	READ_MAP(l, root, top_keys, config);
	inherit_fallback(config);
	check_spool(l, root, config);
}

static int
compare_errors(const void *a, const void *b)
{
	const struct config_error *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void
load(struct loader *l, struct span text, struct config *config)
{
	struct node *root = NULL;

	if (config_yaml(text, l->tree, l->errors, &root))
		read_root(l, root, config);
	if (l->errors->count > 1)
		qsort(l->errors->list, l->errors->count,
		    sizeof(*l->errors->list), compare_errors);
}

struct config *
config_parse(struct span text, const struct config_lookup *lookup,
    struct config_errors *errors)
{
	struct pool tree = {NULL}, own = {NULL};
	struct loader l = {&tree, &own, lookup, errors};
	struct config *config;

	*errors = (struct config_errors){0};
	config = take(&l, 1, sizeof(*config));
	if (config)
		load(&l, text, config);
	pool_clear(&tree);
	if (errors->count > 0 || errors->incomplete) {
		pool_clear(&own);
		return NULL;
	}
	config->memory = own.blocks;
	return config;
}

void
config_free(struct config *config)
{
	struct pool own;

	if (!config)
		return;
	own.blocks = config->memory;
	pool_clear(&own);
}
