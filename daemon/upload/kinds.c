#include "kinds.h"

#include "batch.h"
#include "defender.h"
#include "dir.h"
#include "ftps.h"
#include "https.h"
#include "kafka.h"
#include "product.h"
#include "s3.h"
#include "scp.h"
#include "sftp.h"

enum { LABEL = 255, PATH = 1024, URL = 800 };

/* --- dir --- */

static void
read_method(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {{"copy", 4}, {"link", 4}};
	bool *link = out;

	(void)key;
	*link = schema_word(l, node, words, SCHEMA_COUNT(words)) == 1;
}

#define DIR_(member) offsetof(struct dir_options, member)

/* clang-format off */
static const struct schema_key dir_keys[] = {
	/* name, reader, place, bounds, default */
	{ "directory", schema_path, DIR_(directory), 1, PATH, SCHEMA_MUST },
	{ "method",    read_method, DIR_(link),      0, 0,    "copy" },
};
/* clang-format on */

/* --- https --- */

static void
read_request(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {
	    [HTTPS_PUT] = {"put", 3},
	    [HTTPS_POST] = {"post", 4},
	};
	enum https_method *method = out;

	(void)key;
	*method =
	    (enum https_method)schema_word(l, node, words, SCHEMA_COUNT(words));
}

/* Printable ASCII without blanks; a login would end up in logs. */
static bool
is_url(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f || text.p[i] == '"')
			return false;
	return span_find(text, '@') == text.n;
}

static void
read_url(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span scheme = SPAN("https://");

	if (!schema_want_text(l, node, key->max))
		return;
	if (span_starts(node->text, scheme) && is_url(node->text))
		schema_text(l, node, key, out);
	else
		schema_fail(l, node,
		    "'%.*s' is no URL such as https://files.example.com/logs/; "
		    "logins are not for URLs",
		    SCHEMA_QUOTED(node->text));
}

static void
read_proxy(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	if (!schema_want_text(l, node, key->max))
		return;
	if ((span_starts(node->text, SPAN("http://")) ||
		span_starts(node->text, SPAN("https://"))) &&
	    is_url(node->text))
		schema_text(l, node, key, out);
	else
		schema_fail(l, node,
		    "'%.*s' is no proxy such as http://proxy.example.com:3128",
		    SCHEMA_QUOTED(node->text));
}

/* Of struct web_access, in the options of targets by libcurl. */
/* clang-format off */
#define KEYS_SERVER(of)                                                        \
	{ "ca",            schema_path, of(access.ca), 1, PATH, NULL },        \
	{ "timeout",       schema_time, of(access.timeout),                    \
	  SECOND, HOUR, "60s" }
#define KEYS_PROXY(of)                                                         \
	{ "proxy",         read_proxy,  of(access.proxy), 1, URL, NULL }
#define KEYS_CERTIFICATE(of)                                                   \
	{ "certificate",   schema_path, of(access.certificate), 1, PATH, NULL }, \
	{ "key",           schema_path, of(access.key), 1, PATH, NULL }
#define KEYS_LOGIN(of)                                                         \
	{ "token_file",    schema_path, of(access.token_file), 1, PATH, NULL }, \
	{ "user",          schema_text, of(access.user), 1, LABEL, NULL },     \
	{ "password_file", schema_path, of(access.password_file), 1, PATH, NULL }
/* clang-format on */

#define HTTPS(member) offsetof(struct https_options, member)

/* clang-format off */
static const struct schema_key https_keys[] = {
	/* name, reader, place, bounds, default */
	{ "url",          read_url,     HTTPS(url),       1, URL, SCHEMA_MUST },
	{ "method",       read_request, HTTPS(method),    0, 0,   "put" },
	{ "rename",       schema_yes,   HTTPS(rename),    0, 0,   "no" },
	{ "verify",       schema_yes,   HTTPS(verify),    0, 0,   "yes" },
	{ "content_type", schema_text,  HTTPS(content_type), 1, LABEL,
	  "application/octet-stream" },
	KEYS_SERVER(HTTPS), KEYS_CERTIFICATE(HTTPS), KEYS_LOGIN(HTTPS),
	KEYS_PROXY(HTTPS),
};
/* clang-format on */

/* One that is there needs the other. */
static void
check_pair(struct schema_loader *l, const struct node *map, const char *one,
    const char *other)
{
	const struct node *a = schema_child(map, one);
	const struct node *b = schema_child(map, other);

	if (a && !b)
		schema_fail_key(l, a, "needs '%s' beside it", other);
	if (b && !a)
		schema_fail_key(l, b, "needs '%s' beside it", one);
}

static void
check_login(struct schema_loader *l, const struct node *map)
{
	const struct node *token = schema_child(map, "token_file");

	check_pair(l, map, "certificate", "key");
	check_pair(l, map, "user", "password_file");
	if (token && schema_child(map, "user"))
		schema_fail_key(l, token, "either this or 'user'");
}

static void
check_https(
    struct schema_loader *l, const struct node *map, const void *options)
{
	const struct https_options *o = options;

	check_login(l, map);
	if (o->method == HTTPS_POST && o->rename)
		schema_fail_key(
		    l, schema_child(map, "rename"), "only with 'method: put'");
}

/* --- sftp --- */

#define SFTP(member) offsetof(struct sftp_options, member)

/* clang-format off */
static const struct schema_key sftp_keys[] = {
	/* name, reader, place, bounds, default */
	{ "host",          schema_text,  SFTP(host),      1, LABEL, SCHEMA_MUST },
	{ "port",          schema_count, SFTP(port),      1, 65535, "22" },
	{ "user",          schema_text,  SFTP(user),      1, LABEL, SCHEMA_MUST },
	{ "known_hosts",   schema_path,  SFTP(known_hosts), 1, PATH,
	  SCHEMA_MUST },
	{ "key_file",      schema_path,  SFTP(key_file),      1, PATH, NULL },
	{ "passphrase_file", schema_path, SFTP(passphrase_file), 1, PATH,
	  NULL },
	{ "password_file", schema_path,  SFTP(password_file), 1, PATH, NULL },
	{ "directory",     schema_text,  SFTP(directory), 1, LABEL, NULL },
	{ "verify",        schema_yes,   SFTP(verify),    0, 0,     "no" },
	{ "timeout",       schema_time,  SFTP(timeout),
	  SECOND, HOUR, "60s" },
};
/* clang-format on */

static void
check_sftp(struct schema_loader *l, const struct node *map, const void *options)
{
	const struct node *passphrase = schema_child(map, "passphrase_file");
	const struct node *host = schema_child(map, "host");

	(void)options;
	if (passphrase && !schema_child(map, "key_file"))
		schema_fail_key(l, passphrase, "needs 'key_file' beside it");
	if (host && !schema_child(map, "key_file") &&
	    !schema_child(map, "password_file"))
		schema_fail_key(
		    l, host, "needs 'key_file' or 'password_file' beside it");
}

/* --- scp --- */

#define SCP(member) offsetof(struct scp_options, member)

/* clang-format off */
static const struct schema_key scp_keys[] = {
	/* name, reader, place, bounds, default */
	{ "host",          schema_text,  SCP(host),      1, LABEL, SCHEMA_MUST },
	{ "port",          schema_count, SCP(port),      1, 65535, "22" },
	{ "user",          schema_text,  SCP(user),      1, LABEL, SCHEMA_MUST },
	{ "known_hosts",   schema_path,  SCP(known_hosts), 1, PATH,
	  SCHEMA_MUST },
	{ "key_file",      schema_path,  SCP(key_file),      1, PATH, NULL },
	{ "passphrase_file", schema_path, SCP(passphrase_file), 1, PATH, NULL },
	{ "password_file", schema_path,  SCP(password_file), 1, PATH, NULL },
	{ "directory",     schema_text,  SCP(directory), 1, LABEL, NULL },
	{ "rename",        schema_yes,   SCP(rename),    0, 0,     "yes" },
	{ "timeout",       schema_time,  SCP(timeout),
	  SECOND, HOUR, "60s" },
};
/* clang-format on */

/* --- ftps --- */

#define FTPS(member) offsetof(struct ftps_options, member)

/* clang-format off */
static const struct schema_key ftps_keys[] = {
	/* name, reader, place, bounds, default */
	{ "host",          schema_text,  FTPS(host),      1, LABEL, SCHEMA_MUST },
	{ "port",          schema_count, FTPS(port),      1, 65535, "21" },
	{ "user",          schema_text,  FTPS(access.user), 1, LABEL,
	  SCHEMA_MUST },
	{ "password_file", schema_path,  FTPS(access.password_file),
	  1, PATH, SCHEMA_MUST },
	{ "directory",     schema_text,  FTPS(directory), 1, LABEL, NULL },
	{ "verify",        schema_yes,   FTPS(verify),    0, 0,     "no" },
	KEYS_SERVER(FTPS), KEYS_CERTIFICATE(FTPS),
};
/* clang-format on */

static void
check_ftps(struct schema_loader *l, const struct node *map, const void *options)
{
	(void)options;
	check_pair(l, map, "certificate", "key");
}

/* --- s3 --- */

/* Path style puts the bucket behind it. */
static void
read_endpoint(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span scheme = SPAN("https://");
	struct span host;

	if (!schema_want_text(l, node, key->max))
		return;
	host = span_skip(node->text, scheme.n);
	if (span_starts(node->text, scheme) && is_url(node->text) &&
	    host.n > 0 && span_find(host, '/') + 1 >= host.n &&
	    span_find(host, '?') == host.n)
		schema_text(l, node, key, out);
	else
		schema_fail(l, node,
		    "'%.*s' is no endpoint such as https://s3.example.com, "
		    "without a bucket or path",
		    SCHEMA_QUOTED(node->text));
}

#define S3(member) offsetof(struct s3_options, member)

/* clang-format off */
static const struct schema_key s3_keys[] = {
	/* name, reader, place, bounds, default */
	{ "endpoint",    read_endpoint, S3(endpoint),    1, LABEL, SCHEMA_MUST },
	{ "bucket",      schema_text,   S3(bucket),      3, 63,    SCHEMA_MUST },
	{ "prefix",      schema_text,   S3(prefix),      1, LABEL, NULL },
	{ "region",      schema_text,   S3(region),      1, 63,    "us-east-1" },
	{ "key_id",      schema_text,   S3(key_id),      1, 128,   SCHEMA_MUST },
	{ "secret_file", schema_path,   S3(access.password_file), 1, PATH,
	  SCHEMA_MUST },
	{ "multipart",   schema_size,   S3(multipart),
	  5 * MIB, 5 * 1024 * MIB, "64MiB" },
	{ "part_size",   schema_size,   S3(part_size),
	  5 * MIB, 5 * 1024 * MIB, "16MiB" },
	KEYS_SERVER(S3), KEYS_PROXY(S3),
};
/* clang-format on */

/* --- defender --- */

#define DEFENDER(member) offsetof(struct defender_options, member)

/* clang-format off */
static const struct schema_key defender_keys[] = {
	/* name, reader, place, bounds, default */
	{ "url",          read_endpoint, DEFENDER(url), 1, LABEL, SCHEMA_MUST },
	{ "token_file",   schema_path,   DEFENDER(access.token_file), 1, PATH,
	  SCHEMA_MUST },
	{ "source",       schema_text,   DEFENDER(source), 1, LABEL,
	  "GENERIC_CEF" },
	{ "input_stream", schema_text,   DEFENDER(input_stream), 1, LABEL,
	  SCHEMA_MUST },
	KEYS_SERVER(DEFENDER), KEYS_PROXY(DEFENDER),
};
/* clang-format on */

/* --- kafka --- */

static void
read_brokers(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	if (!schema_want_text(l, node, key->max))
		return;
	if (is_url(node->text) && span_find(node->text, '/') == node->text.n)
		schema_text(l, node, key, out);
	else
		schema_fail(l, node,
		    "'%.*s' is no list of brokers such as "
		    "kafka1.example.com:9093,kafka2.example.com:9093",
		    SCHEMA_QUOTED(node->text));
}

static bool
is_topic(struct span text)
{
	static const struct span place = SPAN("%stream");
	bool named = false;

	while (text.n > 0) {
		char c = text.p[0];

		if (!named && span_starts(text, place)) {
			named = true;
			text = span_skip(text, place.n);
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '.' || c == '_' ||
			c == '-'))
			return false;
		text = span_skip(text, 1);
	}
	return true;
}

static void
read_topic(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	if (!schema_want_text(l, node, key->max))
		return;
	if (is_topic(node->text))
		schema_text(l, node, key, out);
	else
		schema_fail(l, node,
		    "'%.*s' is no name such as sepm or sepm-%%stream: letters, "
		    "digits, '.', '_' and '-'",
		    SCHEMA_QUOTED(node->text));
}

static void
read_send(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {
	    [KAFKA_RECORDS] = {"records", 7},
	    [KAFKA_FILES] = {"files", 5},
	};
	enum kafka_send *send = out;

	(void)key;
	*send =
	    (enum kafka_send)schema_word(l, node, words, SCHEMA_COUNT(words));
}

static void
read_sasl(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {
	    [KAFKA_NONE] = {"none", 4},
	    [KAFKA_PLAIN] = {"plain", 5},
	    [KAFKA_SCRAM_256] = {"scram-sha-256", 13},
	    [KAFKA_SCRAM_512] = {"scram-sha-512", 13},
	};
	enum kafka_sasl *sasl = out;

	(void)key;
	*sasl =
	    (enum kafka_sasl)schema_word(l, node, words, SCHEMA_COUNT(words));
}

static void
read_compression(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	static const struct span words[] = {
	    {"none", 4}, {"gzip", 4}, {"snappy", 6}, {"lz4", 3}, {"zstd", 4}};
	const char **codec = out;
	size_t i = schema_word(l, node, words, SCHEMA_COUNT(words));

	(void)key;
	if (i < SCHEMA_COUNT(words))
		*codec = words[i].p;
}

#define KAFKA(member) offsetof(struct kafka_options, member)

/* clang-format off */
static const struct schema_key kafka_keys[] = {
	/* name, reader, place, bounds, default */
	{ "brokers",      read_brokers, KAFKA(brokers), 1, 700, SCHEMA_MUST },
	{ "topic",        read_topic,   KAFKA(topic),   1, 249, SCHEMA_MUST },
	{ "send",         read_send,    KAFKA(send),    0, 0,   "records" },
	{ "compression",  read_compression, KAFKA(compression), 0, 0, "lz4" },
	{ "message_size", schema_size,  KAFKA(message_size),
	  4 * KIB, 512 * MIB, "1000000" },
	{ "unacknowledged", schema_count, KAFKA(unacknowledged),
	  1, 1000000, "10000" },
	{ "buffer",       schema_size,  KAFKA(buffer),  MIB, GIB, "32MiB" },
	{ "tls",          schema_yes,   KAFKA(tls),     0, 0,    "yes" },
	{ "ca",           schema_path,  KAFKA(ca),          1, PATH, NULL },
	{ "certificate",  schema_path,  KAFKA(certificate), 1, PATH, NULL },
	{ "key",          schema_path,  KAFKA(key),         1, PATH, NULL },
	{ "sasl",         read_sasl,    KAFKA(sasl),    0, 0,    "none" },
	{ "user",         schema_text,  KAFKA(user),    1, LABEL, NULL },
	{ "password_file", schema_path, KAFKA(password_file), 1, PATH, NULL },
	{ "timeout",      schema_time,  KAFKA(timeout),
	  2 * SECOND, HOUR, "60s" },
};
/* clang-format on */

static void
check_kafka(
    struct schema_loader *l, const struct node *map, const void *options)
{
	const struct kafka_options *o = options;
	const struct node *sasl = schema_child(map, "sasl");
	const struct node *ca = schema_child(map, "ca");
	const struct node *size = schema_child(map, "message_size");

	check_pair(l, map, "certificate", "key");
	check_pair(l, map, "user", "password_file");
	if (sasl && o->sasl != KAFKA_NONE && !schema_child(map, "user"))
		schema_fail_key(
		    l, sasl, "needs 'user' and 'password_file' beside it");
	if (schema_child(map, "user") && o->sasl == KAFKA_NONE)
		schema_fail_key(l, schema_child(map, "user"),
		    "needs 'sasl' beside it: plain, or better scram-sha-512");
	if (!o->tls && o->sasl == KAFKA_PLAIN)
		schema_fail_key(l, sasl,
		    "would send the password as it is: only with 'tls: yes'");
	if (!o->tls && ca)
		schema_fail_key(l, ca, "only with 'tls: yes'");
	if (size && o->message_size > o->buffer)
		schema_fail_key(l, size, "cannot be more than 'buffer'");
}

/* --- http-batch --- */

static void
read_product(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	enum { MOST = 16 };
	const struct product **product = out;
	struct span words[MOST];
	size_t i;

	(void)key;
	for (i = 0; i < products_count && i < MOST; i++)
		words[i] = span_str(products[i].name);
	i = schema_word(l, node, words, i);
	if (i < products_count)
		*product = &products[i];
}

/* The name of an index or a table, as it goes in a URL. */
static void
read_place(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	if (!schema_want_text(l, node, key->max))
		return;
	if (is_topic(node->text))
		schema_text(l, node, key, out);
	else
		schema_fail(l, node,
		    "'%.*s' is no name such as sepm or sepm-%%stream: letters, "
		    "digits, '.', '_' and '-'",
		    SCHEMA_QUOTED(node->text));
}

/* It becomes a header. */
static void
read_tenant(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	if (!schema_want_text(l, node, key->max))
		return;
	if (is_url(node->text))
		schema_text(l, node, key, out);
	else
		schema_fail(l, node, "'%.*s' is no name of a tenant",
		    SCHEMA_QUOTED(node->text));
}

#define BATCH(member) offsetof(struct batch_options, member)

/* clang-format off */
static const struct schema_key batch_size_keys[] = {
	/* name, reader, place, bounds, default */
	{ "size",    schema_size,  BATCH(batch_size), 64 * KIB, 64 * MIB,
	  "1MiB" },
	{ "records", schema_count, BATCH(batch_records), 1, 20000, "1000" },
};
/* clang-format on */

static void
read_batch(struct schema_loader *l, const struct node *node,
    const struct schema_key *key, void *out)
{
	(void)key;
	if (schema_want(l, node, NODE_MAP))
		SCHEMA_MAP(l, node, batch_size_keys, out);
}

/* clang-format off */
static const struct schema_key batch_keys[] = {
	/* name, reader, place, bounds, default */
	{ "product",    read_product, BATCH(product),    0, 0, SCHEMA_MUST },
	{ "url",        read_url,     BATCH(url),        1, 400, SCHEMA_MUST },
	{ "index",      read_place,   BATCH(index),      1, 200, NULL },
	{ "table",      read_place,   BATCH(table),      1, 200, NULL },
	{ "tenant",     read_tenant,  BATCH(tenant),     1, 200, NULL },
	{ "sourcetype", schema_text,  BATCH(sourcetype), 1, LABEL, NULL },
	{ "deduplicate", schema_yes,  BATCH(deduplicate), 0, 0,  "yes" },
	{ "batch",      read_batch,   0,                 0, 0,   "{}" },
	{ "gzip",       schema_yes,   BATCH(gzip),       0, 0,   "yes" },
	KEYS_SERVER(BATCH), KEYS_CERTIFICATE(BATCH), KEYS_LOGIN(BATCH),
	KEYS_PROXY(BATCH),
};
/* clang-format on */

/* A key that the product has not, or needs. */
static void
check_product_key(struct schema_loader *l, const struct node *map,
    const struct product *product, enum product_key bit, const char *name)
{
	const struct node *node = schema_child(map, name);

	if (node && !(product->may & bit))
		schema_fail_key(l, node, "is not for %s", product->name);
	if (!node && (product->must & bit))
		schema_fail_key(l, schema_child(map, "product"),
		    "%s needs '%s' beside it", product->name, name);
}

static void
check_batch(
    struct schema_loader *l, const struct node *map, const void *options)
{
	const struct batch_options *o = options;
	const struct node *url = schema_child(map, "url");

	check_login(l, map);
	if (url && o->url && span_find(url->text, '?') < url->text.n)
		schema_fail_key(l, url,
		    "ends before its '?': the product's "
		    "path comes behind it");
	if (!o->product)
		return;
	check_product_key(l, map, o->product, PRODUCT_INDEX, "index");
	check_product_key(l, map, o->product, PRODUCT_TABLE, "table");
	check_product_key(l, map, o->product, PRODUCT_TENANT, "tenant");
	check_product_key(l, map, o->product, PRODUCT_SOURCETYPE, "sourcetype");
	check_product_key(
	    l, map, o->product, PRODUCT_DEDUPLICATE, "deduplicate");
}

/* --- all --- */

#define KEYS(table) table, SCHEMA_COUNT(table)

const struct kind kinds[] = {
    {&target_dir, sizeof(struct dir_options), KEYS(dir_keys), NULL},
    {&target_ftps, sizeof(struct ftps_options), KEYS(ftps_keys), check_ftps},
    {&target_https, sizeof(struct https_options), KEYS(https_keys),
	check_https},
    {&target_sftp, sizeof(struct sftp_options), KEYS(sftp_keys), check_sftp},
    {&target_scp, sizeof(struct scp_options), KEYS(scp_keys), check_sftp},
    {&target_defender, sizeof(struct defender_options), KEYS(defender_keys),
	NULL},
    {&target_s3, sizeof(struct s3_options), KEYS(s3_keys), NULL},
    {&target_kafka, sizeof(struct kafka_options), KEYS(kafka_keys),
	check_kafka},
    {&target_batch, sizeof(struct batch_options), KEYS(batch_keys),
	check_batch},
};

const size_t kinds_count = SCHEMA_COUNT(kinds);

_Static_assert(SCHEMA_COUNT(kinds) <= KINDS_MAX, "plan.c has room for less");
