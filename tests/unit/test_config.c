#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "run.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/*
 * Memory that runs out: the linker sends the library's calls here, and libyaml
 * its own. `left` allocations succeed, none after them; -1 is no limit.
 */
static long left = -1;

static bool
granted(void)
{
	if (left == 0)
		return false;
	if (left > 0)
		left--;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *p, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *p, size_t count, size_t size);
void *yaml_malloc(size_t size);
void *yaml_realloc(void *p, size_t size);
char *yaml_strdup(const char *text);

void *
__wrap_malloc(size_t size)
{
	return granted() ? __real_malloc(size) : NULL;
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return granted() ? __real_calloc(count, size) : NULL;
}

void *
__wrap_reallocarray(void *p, size_t count, size_t size)
{
	return granted() ? __real_reallocarray(p, count, size) : NULL;
}

void *
yaml_malloc(size_t size)
{
	return granted() ? malloc(size ? size : 1) : NULL;
}

void *
yaml_realloc(void *p, size_t size)
{
	return granted() ? realloc(p, size ? size : 1) : NULL;
}

char *
yaml_strdup(const char *text)
{
	return text && granted() ? strdup(text) : NULL;
}

/* --- the caller's side --- */

static const struct text_codepage koi8 = {.name = "koi8-r"};

/* One zone and one code page; any pointer that is not UTC will do. */
static const struct zone *
zone_cb(void *arg, const char *name)
{
	return strcmp(name, "Europe/Paris") == 0 ? arg : NULL;
}

static const struct text_codepage *
codepage_cb(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, koi8.name) == 0 ? &koi8 : NULL;
}

static char paris;
static const struct config_lookup lookup = {zone_cb, codepage_cb, &paris};

static const struct zone *
zone_paris(void)
{
	return (const struct zone *)(void *)&paris;
}

/* The errors of a configuration, one a line. */
static void
errors_text(const struct config_errors *errors, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < errors->count && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%u:%u: %s\n",
		    errors->list[i].line, errors->list[i].column,
		    errors->list[i].text);
}

static struct config *
parse_good(struct span text)
{
	struct config_errors errors;
	struct config *config = config_parse(text, &lookup, &errors);
	char found[4096];

	errors_text(&errors, found, sizeof(found));
	ck_assert_msg(config && errors.count == 0 && !errors.incomplete,
	    "unexpected errors:\n%s", found);
	config_errors_clear(&errors);
	return config;
}

static struct config *
parse_good_str(const char *text)
{
	return parse_good(span_str(text));
}

static char *
read_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "r");
	char *bytes = malloc(1 << 20);

	ck_assert_msg(f != NULL, "cannot open %s", path);
	*n = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	return bytes;
}

/* --- errors --- */

/* clang-format off */
#define NO_PEER                                                                \
	" is no name such as sepm1.example.com or *.example.com, no address, " \
	"and no fingerprint such as sha256:5F...\n"

static const struct {
	const char *text;
	const char *errors;
} bad[] = {
	/* keys */
	{ "receive_bufer: 1MiB\n",
	  "1:1: receive_bufer: unknown key; did you mean 'receive_buffer'?\n" },
	{ "spool: { rotate: { siez: 1MiB } }\n",
	  "1:20: spool.rotate.siez: unknown key; did you mean 'size'?\n" },
	{ "banana: 1\n", "1:1: banana: unknown key\n" },
	{ "allow: []\ntimezone: UTC\nallow: []\n",
	  "3:1: allow: repeated; it is on line 1 already\n" },
	{ "spool: { quota: 0, quota: 0 }\n",
	  "1:20: spool.quota: repeated; it is on line 1 already\n" },
	{ "timezone:\n",
	  "1:10: timezone: has no value; leave the key out for its default\n" },
	{ "timezone: ~\n",
	  "1:11: timezone: has no value; leave the key out for its default\n" },
	{ "[a]\n", "1:1: must be a map of keys, not a list\n" },
	{ "just text\n", "1:1: must be a map of keys, not a single value\n" },
	{ "allow: 192.0.2.1\n",
	  "1:8: allow: must be a list, not a single value\n" },
	{ "spool: []\n", "1:8: spool: must be a map of keys, not a list\n" },
	{ "timezone: { a: b }\n",
	  "1:11: timezone: must be a single value, not a map of keys\n" },

	/* sizes, times and numbers */
	{ "max_message: 64KB\n",
	  "1:14: max_message: '64KB' is not a size: a whole number and KiB, "
	  "MiB, GiB or nothing\n" },
	{ "max_message: 1.5KiB\n",
	  "1:14: max_message: '1.5KiB' is not a size: a whole number and KiB, "
	  "MiB, GiB or nothing\n" },
	{ "max_message: -1\n",
	  "1:14: max_message: '-1' is not a size: a whole number and KiB, "
	  "MiB, GiB or nothing\n" },
	{ "max_message: ''\n",
	  "1:14: max_message: '' is not a size: a whole number and KiB, "
	  "MiB, GiB or nothing\n" },
	{ "max_message: 18446744073709551616\n",
	  "1:14: max_message: '18446744073709551616' is not a size: a whole "
	  "number and KiB, MiB, GiB or nothing\n" },
	{ "max_message: 17179869184GiB\n",
	  "1:14: max_message: '17179869184GiB' is not a size: a whole number "
	  "and KiB, MiB, GiB or nothing\n" },
	{ "max_message: 479\n",
	  "1:14: max_message: '479' is out of range: 480 to 1MiB\n" },
	{ "max_message: 1048577\n",
	  "1:14: max_message: '1048577' is out of range: 480 to 1MiB\n" },
	{ "receive_buffer: 63KiB\n",
	  "1:17: receive_buffer: '63KiB' is out of range: 64KiB to 1GiB\n" },
	{ "spool: { rotate: { age: 999ms } }\n",
	  "1:25: spool.rotate.age: '999ms' is out of range: 1s to 7d\n" },
	{ "spool: { rotate: { age: 5 } }\n",
	  "1:25: spool.rotate.age: '5' is not a time: a whole number and ms, "
	  "s, m, h or d\n" },
	{ "spool: { rotate: { size: 5GiB } }\n",
	  "1:26: spool.rotate.size: '5GiB' is out of range: 64KiB to 4GiB\n" },
	{ "spool: { commit: { interval: 0ms } }\n",
	  "1:30: spool.commit.interval: '0ms' is out of range: 1ms to 1m\n" },
	{ "frame_timeout: 2h\n",
	  "1:16: frame_timeout: '2h' is out of range: 1s to 1h\n" },
	{ "max_connections: 0\n",
	  "1:18: max_connections: '0' is out of range: 1 to 65536\n" },
	{ "max_connections: many\n",
	  "1:18: max_connections: 'many' is not a whole number\n" },
	{ "max_connections_per_source: 65537\n",
	  "1:29: max_connections_per_source: '65537' is out of range: 1 to "
	  "65536\n" },
	{ "spool: { min_free: 91% }\n",
	  "1:20: spool.min_free: '91%' is not a percentage from 0% to 90%\n" },
	{ "spool: { min_free: '%' }\n",
	  "1:20: spool.min_free: '%' is not a percentage from 0% to 90%\n" },
	{ "spool: { min_free: some }\n",
	  "1:20: spool.min_free: 'some' is not a size (KiB, MiB, GiB) or a "
	  "percentage such as 5%\n" },

	/* words and names */
	{ "spool: { compress: gizp }\n",
	  "1:20: spool.compress: 'gizp' is not none, gzip or zstd; did you "
	  "mean 'gzip'?\n" },
	{ "spool: { on_full: panic }\n",
	  "1:19: spool.on_full: 'panic' is not block or drop_oldest\n" },
	{ "spool: { directory: spool }\n",
	  "1:21: spool.directory: 'spool' does not start with '/'\n" },
	{ "spool: { directory: '' }\n", "1:21: spool.directory: is empty\n" },
	{ "timezone: Mars/Base\n",
	  "1:11: timezone: no such time zone: 'Mars/Base'; names are those of "
	  "/usr/share/zoneinfo\n" },
	{ "code_page: utf8\n",
	  "1:12: code_page: UTF-8 is always tried first; name the code page "
	  "of what is not UTF-8\n" },
	{ "code_page: ebcdic\n",
	  "1:12: code_page: no such code page: 'ebcdic'\n" },

	/* addresses */
	{ "listen: []\n", "1:9: listen: needs an entry\n" },
	{ "listen: [{ udp: '0.0.0.0' }]\n",
	  "1:17: listen[0].udp: '0.0.0.0' needs a port from 1 to 65535, as in "
	  "192.0.2.1:514\n" },
	{ "listen: [{ udp: '0.0.0.0:0' }]\n",
	  "1:17: listen[0].udp: '0.0.0.0:0' needs a port from 1 to 65535, as "
	  "in 192.0.2.1:514\n" },
	{ "listen: [{ tcp: '[::]:65536' }]\n",
	  "1:17: listen[0].tcp: '[::]:65536' needs a port from 1 to 65535, as "
	  "in [::]:514\n" },
	{ "listen: [{ tcp: '[::' }]\n",
	  "1:17: listen[0].tcp: '[::' needs a port from 1 to 65535, as in "
	  "[::]:514\n" },
	{ "listen: [{ tcp: '[x]:1' }]\n",
	  "1:17: listen[0].tcp: '[x]:1' is not an IPv6 address and port such "
	  "as [::]:514\n" },
	{ "listen: [{ tcp: '::1' }]\n",
	  "1:17: listen[0].tcp: '::1' needs brackets and a port, as in "
	  "[::]:514\n" },
	{ "listen: [{ tcp: 'localhost:514' }]\n",
	  "1:17: listen[0].tcp: 'localhost:514' is not an address and port "
	  "such as 192.0.2.1:514 or [::]:514; names are not looked up\n" },
	{ "listen: [{ udp: '[::]:1', tcp: '[::]:1' }]\n",
	  "1:10: listen[0]: needs one transport and its address, such as udp: "
	  "\"[::]:514\"\n" },
	{ "listen: [{}]\n",
	  "1:10: listen[0]: needs one transport and its address, such as udp: "
	  "\"[::]:514\"\n" },
	{ "listen: ['[::]:1']\n",
	  "1:10: listen[0]: must be a map of keys, not a single value\n" },
	{ "listen:\n  - udp: '[::1]:5'\n  - tcp: '[::1]:5'\n"
	  "  - udp: '[0::1]:5'\n",
	  "4:5: listen[2]: same address as on line 2\n" },
	{ "listen:\n  - tls: '[::1]:5'\n    certificate: /c\n    key: /k\n"
	  "  - tcp: '[::1]:5'\n",
	  "5:5: listen[1]: same address as on line 2\n" },
	{ "listen: [{ tls: '[::1]:5' }]\n",
	  "1:10: listen[0]: needs 'certificate' beside 'tls', a PEM file\n"
	  "1:10: listen[0]: needs 'key' beside 'tls', a PEM file\n" },
	{ "listen: [{ tcp: '[::1]:5', key: /k, crl: /r }]\n",
	  "1:28: listen[0].key: only with 'tls'\n"
	  "1:37: listen[0].crl: only with 'tls'\n" },
	{ "listen: [{ tls: '[::1]:5', tcp: '[::1]:6', certificate: /c, "
	  "key: /k }]\n",
	  "1:10: listen[0]: needs one transport and its address, such as udp: "
	  "\"[::]:514\"\n" },
	{ "listen: [{ tls: '[::1]:5', certificate: c, key: '' }]\n",
	  "1:41: listen[0].certificate: 'c' does not start with '/'\n"
	  "1:49: listen[0].key: is empty\n" },
	{ "listen: [{ tls: '[::1]:5', certificate: /c, key: /k, crl: /r }]\n",
	  "1:54: listen[0].crl: needs 'client_ca' beside it\n" },
	{ "listen: [{ tls: '[::1]:5', certificate: /c, key: /k,\n"
	  "  permitted_peers: [a.example] }]\n",
	  "2:3: listen[0].permitted_peers: names need 'client_ca' beside "
	  "them; fingerprints do not\n" },
	{ "listen: [{ tls: '[::1]:5', certificate: /c, key: /k,\n"
	  "  client_ca: /a, permitted_peers: [] }]\n",
	  "2:35: listen[0].permitted_peers: needs an entry\n" },
	{ "listen: [{ tls: '[::1]:5', certificate: /c, key: /k,\n"
	  "  client_ca: /a, permitted_peers: [.a, a., a..b, 'a b', '*a.b',\n"
	  "  '*.*.a', 'sha256:00', 'sha256:'] }]\n",
	  "2:36: listen[0].permitted_peers[0]: '.a'" NO_PEER
	  "2:40: listen[0].permitted_peers[1]: 'a.'" NO_PEER
	  "2:44: listen[0].permitted_peers[2]: 'a..b'" NO_PEER
	  "2:50: listen[0].permitted_peers[3]: 'a b'" NO_PEER
	  "2:57: listen[0].permitted_peers[4]: '*a.b'" NO_PEER
	  "3:3: listen[0].permitted_peers[5]: '*.*.a'" NO_PEER
	  "3:12: listen[0].permitted_peers[6]: 'sha256:00' needs 64 hex digits "
	  "behind 'sha256:', as `openssl x509 -noout -fingerprint -sha256` "
	  "shows them\n"
	  "3:25: listen[0].permitted_peers[7]: 'sha256:'" NO_PEER },
	{ "handshake_timeout: 1ms\nmax_handshakes: 0\n",
	  "1:20: handshake_timeout: '1ms' is out of range: 1s to 1h\n"
	  "2:17: max_handshakes: '0' is out of range: 1 to 65536\n" },
	{ "listen:\n  - udp: 192.0.2.1:5\n  - udp: '[::ffff:192.0.2.1]:5'\n",
	  "3:5: listen[1]: same address as on line 2\n" },
	{ "allow: [0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0]\n",
	  "1:9: allow[0]: '0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0' "
	  "is not an address or range such as 192.0.2.7, 192.0.2.0/24 or "
	  "2001:db8::/32\n" },
	{ "allow: [192.0.2.0/33]\n",
	  "1:9: allow[0]: '192.0.2.0/33' needs a prefix length from /0 to "
	  "/32\n" },
	{ "allow: ['2001:db8::/129']\n",
	  "1:9: allow[0]: '2001:db8::/129' needs a prefix length from /0 to "
	  "/128\n" },
	{ "allow: [192.0.2.0/]\n",
	  "1:9: allow[0]: '192.0.2.0/' needs a prefix length from /0 to "
	  "/32\n" },
	{ "allow: [192.0.2.1/24]\n",
	  "1:9: allow[0]: '192.0.2.1/24' is an address inside a range: either "
	  "leave the prefix length out or set the bits behind it to 0\n" },
	{ "allow: [sepm1.example.com]\n",
	  "1:9: allow[0]: 'sepm1.example.com' is not an address or range such "
	  "as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32\n" },

	/* sources */
	{ "sources:\n  - site: HQ\n", "2:5: sources[0].from: is missing\n" },
	{ "sources: [{ from: 192.0.2.1, site: '' }]\n",
	  "1:36: sources[0].site: is empty\n" },
	{ "sources: [{ form: 192.0.2.1 }]\n",
	  "1:11: sources[0].from: is missing\n"
	  "1:13: sources[0].form: unknown key; did you mean 'from'?\n" },

	/* streams */
	{ "streams: []\n", "1:10: streams: needs an entry\n" },
	{ "streams:\n  - format: csv\n",
	  "2:5: streams[0].name: is missing\n"
	  "2:5: streams[0].types: is missing\n" },
	{ "streams: [{ name: Traffic, types: all }]\n",
	  "1:19: streams[0].name: 'Traffic' is not a name: a letter a-z, then "
	  "letters, digits and _\n" },
	{ "streams: [{ name: a/b, types: all }]\n",
	  "1:19: streams[0].name: 'a/b' is not a name: a letter a-z, then "
	  "letters, digits and _\n" },
	{ "streams: [{ types: all, name: a23456789b123456789c123456789d123}]\n",
	  "1:31: streams[0].name: is longer than 32 bytes\n" },
	{ "streams:\n  - { name: a, types: all }\n  - { name: a, types: all}\n",
	  "3:5: streams[1]: same name as streams[0]: 'a'\n" },
	{ "streams: [{ name: a, types: [trafic] }]\n",
	  "1:30: streams[0].types[0]: no such type: 'trafic'; did you mean "
	  "'traffic'?\n" },
	{ "streams: [{ name: a, types: [] }]\n",
	  "1:29: streams[0].types: needs an entry\n" },
	{ "streams: [{ name: a, types: all, format: cvs }]\n",
	  "1:42: streams[0].format: 'cvs' is not jsonl, csv, raw, ecs, ocsf, cef or leef; did you "
	  "mean 'csv'?\n" },
	{ "streams: [{ name: a, types: traffic, overflow: bucket }]\n",
	  "1:48: streams[0].overflow: is only for streams with 'roll_up'\n" },
	{ "streams: [{ name: a, types: traffic, format: csv, roll_up: 5m,\n"
	  "  overflow: bucket }]\n",
	  "2:13: streams[0].overflow: 'bucket' needs format: jsonl, whose "
	  "'flags' say what such a record is\n" },
	{ "streams: [{ name: a, types: all, format: ecs, roll_up: 5m }]\n",
	  "1:56: streams[0].roll_up: needs format: jsonl or csv\n"
	  "1:56: streams[0].roll_up: needs types: [traffic]\n" },
	{ "streams: [{ name: a, types: all, where: { acton: x } }]\n",
	  "1:43: streams[0].where.acton: no such field; did you mean "
	  "'action'?\n" },
	{ "streams: [{ name: a, types: all, where: { type: risk } }]\n",
	  "1:43: streams[0].where.type: 'types' of the stream chooses types\n" },
	{ "streams: [{ name: a, types: all, where: { begin: 1, flags: x }}]\n",
	  "1:43: streams[0].where.begin: only texts and numbers can be "
	  "compared\n"
	  "1:53: streams[0].where.flags: only texts and numbers can be "
	  "compared\n" },
	{ "streams: [{ name: a, types: all, where: { user: [] } }]\n",
	  "1:49: streams[0].where.user: needs 1 to 1024 values\n" },
	{ "streams: [{ name: a, types: all, where: { local_port: [1, x] } }]\n",
	  "1:59: streams[0].where.local_port[1]: 'x' is not a whole number\n" },
	{ "streams: [{ name: a, types: all, where: { user: a, user: b } }]\n",
	  "1:52: streams[0].where.user: repeated; use a list of values\n" },

	/* keys that must fit each other */
	{ "spool: { buffer: 128KiB }\n",
	  "1:18: spool.buffer: must be 576KiB at least for this "
	  "max_message\n" },
	{ "max_message: 1MiB\nspool: { buffer: 8MiB }\n",
	  "2:18: spool.buffer: must be 8256KiB at least for this "
	  "max_message\n" },
	{ "spool: { quota: 1MiB }\n",
	  "1:17: spool.quota: must be 64MiB at least, the size of one file\n" },

	/* pull */
	{ "pull: {}\n",
	  "1:7: pull: needs 'host', the database server of SEPM\n" },
	{ "pull:\n", "1:6: pull: has no value; leave the key out for its "
	  "default\n" },
	{ "pull: { host: a, user: b }\n",
	  "1:18: pull.user: needs 'password_file' beside it\n" },
	{ "pull: { host: a, password_file: /b }\n",
	  "1:18: pull.password_file: needs 'user' beside it\n" },
	{ "pull: { host: a;b, driver: 'x}', view: 'v; drop', tls: on }\n",
	  "1:15: pull.host: 'a;b' is not a name or address such as "
	  "sepm-db.example.com or 192.0.2.9\n"
	  "1:28: pull.driver: 'x}' is not the name of an ODBC driver, such as "
	  "FreeTDS, or a path\n"
	  "1:40: pull.view: 'v; drop' is not the name of a view such as "
	  "V_AGENT_TRAFFIC_LOG or dbo.V_AGENT_TRAFFIC_LOG\n"
	  "1:56: pull.tls: 'on' is not require or off\n" },
	{ "pull: { connection: 'DSN=a', port: 1, tls: off }\n",
	  "1:30: pull.port: 'connection' says that already: remove one of the "
	  "two\n"
	  "1:39: pull.tls: 'connection' says that already: remove one of the "
	  "two\n" },
	{ "pull: { host: a, batch: 0, overlap: 31d, timeout: 1ms, port: 0 }\n",
	  "1:25: pull.batch: '0' is out of range: 1 to 1000000\n"
	  "1:37: pull.overlap: '31d' is out of range: 0ms to 30d\n"
	  "1:51: pull.timeout: '1ms' is out of range: 1s to 1d\n"
	  "1:62: pull.port: '0' is out of range: 1 to 65535\n" },

	/* YAML that a configuration does without */
	{ "allow: &a [192.0.2.1]\n", "1:8: anchors are not supported\n" },
	{ "allow: *a\n", "1:8: aliases are not supported\n" },
	{ "*a : 1\n", "1:1: aliases are not supported\n" },
	{ "max_message: !!int 480\n", "1:14: tags are not supported\n" },
	{ "? [a]\n: b\n",
	  "1:3: a list or map where a key should be\n" },
	{ "timezone: UTC\n---\ntimezone: UTC\n",
	  "2:1: a second document; only one is read\n" },
	{ "timezone: \"U\\x00\"\n",
	  "1:11: a line break or another control character in a text\n" },
	{ "timezone: \"\\x9b\"\n",
	  "1:11: a line break or another control character in a text\n" },
	{ "timezone: |\n  UTC\n",
	  "1:11: a line break or another control character in a text\n" },
	{ "\"\\x7f\": 1\n",
	  "1:1: a line break or another control character in a text\n" },
	{ "timezone: UTC\nallow: [\xff]\n", "2:9: bytes that are not UTF-8\n" },
	{ "# \xc3\xa9\n# \xc3\xa9\x01\n",
	  "2:4: control characters are not allowed\n" },
	{ "allow: [[[[[[[[[[[[[[[[[[[[\n", "1:23: too many levels\n" },
	{ "timezone: UTC\n\tallow: []\n",
	  "2:1: YAML: found a tab character that violates indentation, while "
	  "scanning a plain scalar (line 1)\n" },
	{ "timezone: UTC\n  allow: []\n",
	  "2:8: YAML: mapping values are not allowed in this context\n" },
	{ "spool: { quota: 0\n",
	  "2:1: YAML: did not find expected ',' or '}', while parsing a flow "
	  "mapping (line 1)\n" },

	/* all of them, in order of place */
	{ "timezone: X\nspool:\n  quota: x\n  zzz: 1\nallow: [a, b]\n"
	  "timezone: UTC\n",
	  "1:11: timezone: no such time zone: 'X'; names are those of "
	  "/usr/share/zoneinfo\n"
	  "3:10: spool.quota: 'x' is not a size: a whole number and KiB, MiB, "
	  "GiB or nothing\n"
	  "4:3: spool.zzz: unknown key\n"
	  "5:9: allow[0]: 'a' is not an address or range such as 192.0.2.7, "
	  "192.0.2.0/24 or 2001:db8::/32\n"
	  "5:12: allow[1]: 'b' is not an address or range such as 192.0.2.7, "
	  "192.0.2.0/24 or 2001:db8::/32\n"
	  "6:1: timezone: repeated; it is on line 1 already\n" },
};
/* clang-format on */

START_TEST(errors_say_where_and_what)
{
	struct config_errors errors;
	struct config *config =
	    config_parse(span_str(bad[_i].text), &lookup, &errors);
	char found[4096];

	errors_text(&errors, found, sizeof(found));
	ck_assert_str_eq(found, bad[_i].errors);
	ck_assert_ptr_null(config);
	ck_assert(!errors.incomplete);
	config_errors_clear(&errors);
}
END_TEST

static void
assert_one_error(struct span text, const char *expected)
{
	struct config_errors errors;
	char found[4096];

	ck_assert_ptr_null(config_parse(text, &lookup, &errors));
	errors_text(&errors, found, sizeof(found));
	ck_assert_str_eq(found, expected);
	config_errors_clear(&errors);
}

START_TEST(nul_bytes_are_refused)
{
	assert_one_error(SPAN("timezone: UTC\n\0"),
	    "2:1: control characters are not allowed\n");
	assert_one_error(SPAN("time\0zone: UTC\n"),
	    "1:5: control characters are not allowed\n");
}
END_TEST

START_TEST(more_than_one_mebibyte_is_refused)
{
	size_t n = 1024 * 1024 + 1;
	char *text = malloc(n);

	memset(text, '#', n);
	assert_one_error(span_of(text, n), "0:0: larger than 1MiB\n");
	config_free(parse_good(span_of(text, n - 1)));
	free(text);
}
END_TEST

START_TEST(long_texts_are_cut_between_characters)
{
	char letters[2 * 31 + 1] = "", text[400], expected[400];

	for (size_t i = 0; i + 1 < sizeof(letters); i += 2)
		memcpy(letters + i, "\xc3\xa9", 3);
	snprintf(text, sizeof(text), "code_page: %s", letters);
	snprintf(expected, sizeof(expected),
	    "1:12: code_page: no such code page: '%.60s'\n", letters);
	assert_one_error(span_str(text), expected);
}
END_TEST

START_TEST(lists_have_an_end)
{
	char *text = malloc(1 << 20);
	size_t n = (size_t)sprintf(text, "allow: [");

	for (int i = 0; i < 4097; i++)
		n += (size_t)sprintf(text + n, "192.0.2.1,");
	n += (size_t)sprintf(text + n, "]\n");
	assert_one_error(span_of(text, n),
	    "1:8: allow: has 4097 entries, at most 4096 are possible\n");
	free(text);
}
END_TEST

/* An alias is never followed, so what it would grow to does not matter. */
START_TEST(aliases_do_not_multiply)
{
	static const char text[] = "a: &a [x,x,x,x,x,x,x,x,x]\n"
				   "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
				   "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
				   "d: &d [*d]\n";
	struct config_errors errors;

	ck_assert_ptr_null(config_parse(SPAN(text), &lookup, &errors));
	ck_assert_uint_eq(errors.count, 4 + 4 + 9 + 9 + 1);
	config_errors_clear(&errors);
}
END_TEST

START_TEST(callers_add_errors_of_their_own)
{
	struct config_errors errors;
	char found[256];

	config_free(config_parse(SPAN(""), NULL, &errors));
	config_error_add(&errors, 3, 5, "listen[0]", "address in use");
	config_error_add(&errors, 0, 0, "", "no");
	errors_text(&errors, found, sizeof(found));
	ck_assert_str_eq(found, "3:5: listen[0]: address in use\n0:0: no\n");
	config_errors_clear(&errors);
	ck_assert_uint_eq(errors.count, 0);
}
END_TEST

/* --- values --- */

static void
assert_address(const struct sockaddr_storage *addr, const char *text, int port)
{
	char found[INET6_ADDRSTRLEN];

	if (addr->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)addr;

		inet_ntop(AF_INET6, &in6->sin6_addr, found, sizeof(found));
		ck_assert_int_eq(ntohs(in6->sin6_port), port);
	} else {
		const struct sockaddr_in *in = (const void *)addr;

		ck_assert_int_eq(addr->ss_family, AF_INET);
		inet_ntop(AF_INET, &in->sin_addr, found, sizeof(found));
		ck_assert_int_eq(ntohs(in->sin_port), port);
	}
	ck_assert_str_eq(found, text);
}

static void
assert_default_stream(
    const struct config_stream *s, const char *name, unsigned types)
{
	ck_assert_str_eq(s->name, name);
	ck_assert_uint_eq(s->types, types);
	ck_assert_int_eq(s->format, ENCODE_JSONL);
	ck_assert_uint_eq(s->conditions, 0);
}

/* The values of the design, one by one. */
static void
assert_defaults(const struct config *c)
{
	const struct config_spool *s = &c->spool;

	ck_assert_uint_eq(c->listens, 2);
	ck_assert_int_eq(c->listen[0].transport, CONFIG_UDP);
	ck_assert_int_eq(c->listen[1].transport, CONFIG_TCP);
	for (size_t i = 0; i < 2; i++) {
		assert_address(&c->listen[i].addr, "::", 514);
		ck_assert_str_eq(c->listen[i].text, "[::]:514");
		ck_assert_uint_eq(
		    c->listen[i].addr_len, sizeof(struct sockaddr_in6));
	}
	ck_assert_uint_eq(c->receive_buffer, 32 << 20);
	ck_assert_uint_eq(c->max_message, 64 << 10);
	ck_assert_uint_eq(c->max_connections, 4096);
	ck_assert_uint_eq(c->max_connections_per_source, 64);
	ck_assert_uint_eq(c->frame_timeout, 60000);
	ck_assert_uint_eq(c->handshake_timeout, 10000);
	ck_assert_uint_eq(c->max_handshakes, 256);
	ck_assert_uint_eq(c->allows, 0);
	ck_assert_ptr_eq(c->fallback.zone, zone_utc());
	ck_assert_ptr_eq(c->fallback.codepage, &text_windows_1252);
	ck_assert_uint_eq(c->fallback.site.n, 0);
	ck_assert_uint_eq(c->source_count, 0);

	ck_assert_str_eq(s->directory, "/var/spool/sepmlogd");
	ck_assert_uint_eq(s->rotate_size, 64 << 20);
	ck_assert_uint_eq(s->rotate_age, 5 * 60 * 1000);
	ck_assert_uint_eq(s->commit_interval, 100);
	ck_assert_uint_eq(s->commit_bytes, 1 << 20);
	ck_assert_int_eq(s->compress, CONFIG_GZIP);
	ck_assert_uint_eq(s->quota, (uint64_t)10 << 30);
	ck_assert_uint_eq(s->min_free, 0);
	ck_assert_uint_eq(s->min_free_percent, 5);
	ck_assert_int_eq(s->on_full, CONFIG_BLOCK);
	ck_assert_uint_eq(s->buffer, 16 << 20);

	ck_assert_uint_eq(c->stream_count, 3);
	assert_default_stream(&c->streams[0], "traffic", 1u << RECORD_TRAFFIC);
	assert_default_stream(&c->streams[1], "events",
	    ((1u << RECORD_UNPARSED) - 1) & ~(1u << RECORD_TRAFFIC));
	assert_default_stream(
	    &c->streams[2], "unparsed", 1u << RECORD_UNPARSED);
	ck_assert(!c->pull.set);
}

static void
assert_pull_defaults(const struct config_pull *p)
{
	ck_assert(p->set);
	ck_assert_str_eq(p->view, "V_AGENT_TRAFFIC_LOG");
	ck_assert_uint_eq(p->maximum_history_days, 30);
	ck_assert_uint_eq(p->batch, 50000);
	ck_assert_uint_eq(p->overlap, 3600 * 1000);
	ck_assert_uint_eq(p->timeout, 5 * 60 * 1000);
	ck_assert_ptr_null(p->connection);
	ck_assert_str_eq(p->driver, "FreeTDS");
	ck_assert_uint_eq(p->port, 1433);
	ck_assert_str_eq(p->database, "sem5");
	ck_assert_int_eq(p->tls, CONFIG_TLS_REQUIRE);
}

/* The example of the file that is installed. */
static void
assert_pull(const struct config_pull *p)
{
	assert_pull_defaults(p);
	ck_assert_str_eq(p->host, "sepm-db.example.com");
	ck_assert_str_eq(p->user, "sepm_reader");
	ck_assert_str_eq(p->password_file, "/etc/sepmlogd/pull.password");
}

START_TEST(a_host_is_enough_to_pull)
{
	struct config *c = parse_good_str("pull: { host: 192.0.2.9 }\n");

	assert_pull_defaults(&c->pull);
	ck_assert_str_eq(c->pull.host, "192.0.2.9");
	ck_assert_ptr_null(c->pull.user);
	config_free(c);
}
END_TEST

static const char *const empty[] = {"", "\n", "# nothing\n", "---\n", "{}\n",
    "~\n", "\xef\xbb\xbf# BOM\n", "spool: {}\n",
    "spool: { rotate: {}, commit: {} }\n"};

START_TEST(nothing_is_the_default)
{
	struct config *config = parse_good_str(empty[_i]);

	assert_defaults(config);
	config_free(config);
}
END_TEST

START_TEST(the_file_that_is_installed_is_the_default)
{
	size_t n;
	char *text = read_file(CONF_FILE, &n);
	struct config *config = parse_good(span_of(text, n));

	assert_defaults(config);
	config_free(config);
	free(text);
}
END_TEST

/* So that its examples cannot go stale: what stands behind `# ` in column 0
 * and looks like YAML is valid, too. */
START_TEST(the_examples_of_the_file_that_is_installed_are_good)
{
	static const char *const examples[] = {
	    "# allow:\n", "# sources:\n", "# privacy:\n", "# pull:\n"};
	size_t n;
	char *text = read_file(CONF_FILE, &n);
	char yaml[4096];
	size_t m = 0;
	struct config *config;

	text[n] = '\0';
	for (size_t i = 0; i < COUNT_OF(examples); i++) {
		char *line = strstr(text, examples[i]);

		ck_assert_ptr_nonnull(line);
		while (strncmp(line, "# ", 2) == 0) {
			size_t length = strcspn(line, "\n") + 1;

			memcpy(yaml + m, line + 2, length - 2);
			m += length - 2;
			line += length;
		}
	}
	config = parse_good(span_of(yaml, m));
	ck_assert_uint_eq(config->allows, 3);
	ck_assert_uint_eq(config->privacy.count, 1);
	ck_assert_uint_eq(config->source_count, 1);
	assert_pull(&config->pull);
	config_free(config);
	free(text);
}
END_TEST

#define DIGITS                                                                 \
	"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define COLONS                                                                 \
	"00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:"                     \
	"10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F"

static const char everything[] =
    "listen:\n"
    "  - udp: 192.0.2.1:5514\n"
    "  - tcp: '[2001:db8::1]:601'\n"
    "  - tls: '[2001:db8::1]:6514'\n"
    "    certificate: /tls/c.pem\n"
    "    key: /tls/k.pem\n"
    "    client_ca: /tls/a.pem\n"
    "    crl: /tls/r.pem\n"
    "    permitted_peers: [s1.example.com, '*.b_r-1.example', 192.0.2.7,\n"
    "      '2001:db8::7', 'sha256:" DIGITS "', 'SHA-256:" COLONS "']\n"
    "receive_buffer: 64 KiB\n"
    "max_message: 480\n"
    "max_connections: 65536\n"
    "max_connections_per_source: 1\n"
    "frame_timeout: 1s\n"
    "handshake_timeout: 2s\n"
    "max_handshakes: 7\n"
    "allow: [192.0.2.0/24, 198.51.100.7, '2001:db8::/33', '::/0']\n"
    "timezone: Europe/Paris\n"
    "code_page: koi8-r\n"
    "sources:\n"
    "  - { from: 192.0.2.9, site: H\xc3\xa9, group: \"My Co\", domain: D }\n"
    "  - { from: 192.0.2.0/24, timezone: UTC, code_page: windows-1252 }\n"
    "spool:\n"
    "  directory: /srv/spool\n"
    "  rotate: { size: 64KiB, age: 1h }\n"
    "  commit: { interval: 2s, bytes: 4096 }\n"
    "  compress: zstd\n"
    "  quota: 0\n"
    "  min_free: 1GiB\n"
    "  on_full: drop_oldest\n"
    "  buffer: 128KiB\n"
    "streams:\n"
    "  - name: web_2\n"
    "    types: [traffic, packet]\n"
    "    format: csv\n"
    "    where: { remote_port: [80, 443], action: Allowed, user: [a, b] }\n"
    "  - { name: rest, types: all, format: raw, where: {} }\n"
    "pull:\n"
    "  connection: 'DSN=sepm;TDS_Version=7.4'\n"
    "  view: dbo.V_1\n"
    "  user: 'DOM\\reader'\n"
    "  password_file: /run/p\n"
    "  maximum_history_days: 1\n"
    "  batch: 7\n"
    "  overlap: 0ms\n"
    "  timeout: 1d\n";

static void
assert_tls(const struct config_listen *listen)
{
	static const struct {
		enum config_peer_kind kind;
		const char *text;
	} peers[] = {
	    {CONFIG_PEER_NAME, "s1.example.com"},
	    {CONFIG_PEER_SUBDOMAIN, ".b_r-1.example"},
	    {CONFIG_PEER_ADDRESS, "192.0.2.7"},
	    {CONFIG_PEER_ADDRESS, "2001:db8::7"},
	    {CONFIG_PEER_FINGERPRINT, NULL},
	    {CONFIG_PEER_FINGERPRINT, NULL},
	};

	ck_assert_int_eq(listen->transport, CONFIG_TLS);
	ck_assert_str_eq(listen->files.certificate, "/tls/c.pem");
	ck_assert_str_eq(listen->files.key, "/tls/k.pem");
	ck_assert_str_eq(listen->files.client_ca, "/tls/a.pem");
	ck_assert_str_eq(listen->files.crl, "/tls/r.pem");
	ck_assert_uint_eq(listen->permitted_count, COUNT_OF(peers));
	for (size_t i = 0; i < COUNT_OF(peers); i++) {
		const struct config_peer *peer = &listen->permitted[i];

		ck_assert_int_eq(peer->kind, peers[i].kind);
		ck_assert_pstr_eq(peer->text, peers[i].text);
		for (size_t k = 0; k < CONFIG_FINGERPRINT && !peer->text; k++)
			ck_assert_uint_eq(peer->fingerprint[k], k);
	}
}

START_TEST(every_key_has_its_place)
{
	struct config *c = parse_good_str(everything);
	const struct config_condition *where = c->streams[0].where;

	assert_address(&c->listen[0].addr, "192.0.2.1", 5514);
	assert_address(&c->listen[1].addr, "2001:db8::1", 601);
	ck_assert_int_eq(c->listen[1].transport, CONFIG_TCP);
	ck_assert_uint_eq(c->listen[1].line, 3);
	assert_tls(&c->listen[2]);
	ck_assert_uint_eq(c->handshake_timeout, 2000);
	ck_assert_uint_eq(c->max_handshakes, 7);
	ck_assert_uint_eq(c->receive_buffer, 64 << 10);
	ck_assert_uint_eq(c->max_message, 480);
	ck_assert_uint_eq(c->max_connections, 65536);
	ck_assert_uint_eq(c->max_connections_per_source, 1);
	ck_assert_uint_eq(c->frame_timeout, 1000);
	ck_assert_uint_eq(c->allows, 4);
	ck_assert_uint_eq(c->allow[0].bits, 96 + 24);
	ck_assert_uint_eq(c->allow[1].bits, 128);
	ck_assert_uint_eq(c->allow[2].bits, 33);
	ck_assert_uint_eq(c->allow[3].bits, 0);
	ck_assert_ptr_eq(c->fallback.zone, zone_paris());
	ck_assert_ptr_eq(c->fallback.codepage, &koi8);

	ck_assert_uint_eq(c->source_count, 2);
	ck_assert(span_eq(c->sources[0].read.site, SPAN("H\xc3\xa9")));
	ck_assert(span_eq(c->sources[0].read.group, SPAN("My Co")));
	ck_assert(span_eq(c->sources[0].read.domain, SPAN("D")));
	ck_assert_ptr_eq(c->sources[0].read.zone, zone_paris());
	ck_assert_ptr_eq(c->sources[0].read.codepage, &koi8);
	ck_assert_ptr_eq(c->sources[1].read.zone, zone_utc());
	ck_assert_ptr_eq(c->sources[1].read.codepage, &text_windows_1252);
	ck_assert_uint_eq(c->sources[1].read.site.n, 0);

	ck_assert_str_eq(c->spool.directory, "/srv/spool");
	ck_assert_uint_eq(c->spool.rotate_size, 64 << 10);
	ck_assert_uint_eq(c->spool.rotate_age, 3600 * 1000);
	ck_assert_uint_eq(c->spool.commit_interval, 2000);
	ck_assert_uint_eq(c->spool.commit_bytes, 4096);
	ck_assert_int_eq(c->spool.compress, CONFIG_ZSTD);
	ck_assert_uint_eq(c->spool.quota, 0);
	ck_assert_uint_eq(c->spool.min_free, 1 << 30);
	ck_assert_uint_eq(c->spool.min_free_percent, 0);
	ck_assert_int_eq(c->spool.on_full, CONFIG_DROP_OLDEST);
	ck_assert_uint_eq(c->spool.buffer, 128 << 10);

	ck_assert_uint_eq(c->stream_count, 2);
	ck_assert_str_eq(c->streams[0].name, "web_2");
	ck_assert_uint_eq(
	    c->streams[0].types, 1u << RECORD_TRAFFIC | 1u << RECORD_PACKET);
	ck_assert_int_eq(c->streams[0].format, ENCODE_CSV);
	ck_assert_uint_eq(c->streams[0].conditions, 3);
	ck_assert_int_eq(where[0].field, RECORD_F_REMOTE_PORT);
	ck_assert_uint_eq(where[0].count, 2);
	ck_assert_uint_eq(where[0].numbers[1], 443);
	ck_assert(span_eq(where[1].texts[0], SPAN("Allowed")));
	ck_assert_uint_eq(where[2].count, 2);
	ck_assert_uint_eq(c->streams[1].types, (1u << RECORD_TYPE_COUNT) - 1);
	ck_assert_int_eq(c->streams[1].format, ENCODE_RAW);
	ck_assert_uint_eq(c->streams[1].conditions, 0);

	ck_assert(c->pull.set);
	ck_assert_str_eq(c->pull.connection, "DSN=sepm;TDS_Version=7.4");
	ck_assert_ptr_null(c->pull.host);
	ck_assert_str_eq(c->pull.view, "dbo.V_1");
	ck_assert_str_eq(c->pull.user, "DOM\\reader");
	ck_assert_str_eq(c->pull.password_file, "/run/p");
	ck_assert_uint_eq(c->pull.maximum_history_days, 1);
	ck_assert_uint_eq(c->pull.batch, 7);
	ck_assert_uint_eq(c->pull.overlap, 0);
	ck_assert_uint_eq(c->pull.timeout, 24 * 3600 * 1000);
	config_free(c);
}
END_TEST

/* --- senders --- */

/* clang-format off */
static const struct {
	const char *range, *address;
	bool held;
} ranges[] = {
	{ "192.0.2.0/24",       "192.0.2.0",             true },
	{ "192.0.2.0/24",       "192.0.2.255",           true },
	{ "192.0.2.0/24",       "192.0.3.0",             false },
	{ "192.0.2.0/25",       "192.0.2.127",           true },
	{ "192.0.2.0/25",       "192.0.2.128",           false },
	{ "192.0.2.7",          "192.0.2.7",             true },
	{ "192.0.2.7",          "192.0.2.6",             false },
	{ "192.0.2.7",          "::ffff:192.0.2.7",      true },
	{ "::ffff:192.0.2.0/120", "192.0.2.9",           true },
	{ "0.0.0.0/0",          "203.0.113.1",           true },
	{ "0.0.0.0/0",          "2001:db8::1",           false },
	{ "::/0",               "2001:db8::1",           true },
	{ "::/0",               "192.0.2.7",             true },
	{ "2001:db8::/33",      "2001:db8:7fff::1",      true },
	{ "2001:db8::/33",      "2001:db8:8000::1",      false },
	{ "2001:db8::1",        "2001:db8::1",           true },
	{ "2001:db8::1",        "2001:db8::2",           false },
};
/* clang-format on */

static struct in6_addr
address_of(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_storage from = {0};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memcpy(&from, &in, sizeof(in));
	} else {
		ck_assert_int_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
		memcpy(&from, &in6, sizeof(in6));
	}
	return config_address((const struct sockaddr *)&from);
}

START_TEST(ranges_hold_their_addresses)
{
	char text[128];
	struct in6_addr address = address_of(ranges[_i].address);
	struct config *config;

	snprintf(text, sizeof(text), "allow: ['%s']\n", ranges[_i].range);
	config = parse_good_str(text);
	ck_assert(
	    config_cidr_holds(&config->allow[0], &address) == ranges[_i].held);
	config_free(config);
}
END_TEST

START_TEST(other_families_have_no_address)
{
	struct sockaddr_storage local = {.ss_family = AF_UNIX};
	struct in6_addr address =
	    config_address((const struct sockaddr *)&local);

	ck_assert_mem_eq(&address, &in6addr_any, sizeof(address));
}
END_TEST

START_TEST(the_first_source_that_holds_a_sender_is_taken)
{
	struct config *c = parse_good_str(everything);
	struct in6_addr first = address_of("192.0.2.9"),
			second = address_of("192.0.2.10"),
			none = address_of("2001:db8::9");

	ck_assert_ptr_eq(config_source_of(c, &first), &c->sources[0].read);
	ck_assert_ptr_eq(config_source_of(c, &second), &c->sources[1].read);
	ck_assert_ptr_eq(config_source_of(c, &none), &c->fallback);
	config_free(c);
}
END_TEST

/* --- records --- */

/* clang-format off */
static const struct {
	enum record_type type;
	uint64_t port; /* 0: absent */
	const char *action, *user;
	bool taken;
} records[] = {
	{ RECORD_TRAFFIC, 80,  "allowed", "a", true },
	{ RECORD_PACKET,  443, "ALLOWED", "B", true },
	{ RECORD_RISK,    80,  "allowed", "a", false },
	{ RECORD_TRAFFIC, 81,  "allowed", "a", false },
	{ RECORD_TRAFFIC, 0,   "allowed", "a", false },
	{ RECORD_TRAFFIC, 80,  "blocked", "a", false },
	{ RECORD_TRAFFIC, 80,  "",        "a", false },
	{ RECORD_TRAFFIC, 80,  "allowed", "",  false },
	{ RECORD_TRAFFIC, 80,  "allowed", "c", false },
	{ RECORD_TRAFFIC, 80,  "allow",   "a", false },
};
/* clang-format on */

START_TEST(a_stream_takes_what_meets_all_conditions)
{
	static struct record r;
	struct config *c = parse_good_str(everything);

	record_reset(&r);
	r.type = records[_i].type;
	if (records[_i].port)
		record_set_number(&r, RECORD_F_REMOTE_PORT, records[_i].port);
	record_set_text(&r, RECORD_F_ACTION, span_str(records[_i].action));
	record_set_text(&r, RECORD_F_USER, span_str(records[_i].user));
	ck_assert(config_stream_takes(&c->streams[0], &r) == records[_i].taken);
	ck_assert(config_stream_takes(&c->streams[1], &r));
	config_free(c);
}
END_TEST

START_TEST(the_default_streams_share_the_types)
{
	static struct record r;
	struct config *c = parse_good_str("");

	for (unsigned type = 0; type < RECORD_TYPE_COUNT; type++) {
		record_reset(&r);
		r.type = (enum record_type)type;
		ck_assert(config_stream_takes(&c->streams[0], &r) ==
			  (type == RECORD_TRAFFIC));
		ck_assert(config_stream_takes(&c->streams[2], &r) ==
			  (type == RECORD_UNPARSED));
		ck_assert(config_stream_takes(&c->streams[1], &r) ==
			  (type != RECORD_TRAFFIC && type != RECORD_UNPARSED));
	}
	config_free(c);
}
END_TEST

/* --- faults --- */

/* Cut at every byte, right before a page that cannot be read. */
START_TEST(every_prefix_is_a_configuration_or_has_errors)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = sizeof(everything) - 1;
	char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct config_errors errors;
	struct config *config;

	ck_assert_ptr_ne(two, MAP_FAILED);
	ck_assert_int_eq(mprotect(two + page, page, PROT_NONE), 0);
	for (size_t cut = 0; cut <= n; cut++) {
		char *text = two + page - cut;

		memcpy(text, everything, cut);
		config = config_parse(span_of(text, cut), &lookup, &errors);
		ck_assert((config != NULL) == (errors.count == 0));
		ck_assert(!errors.incomplete);
		config_free(config);
		config_errors_clear(&errors);
	}
	munmap(two, 2 * page);
}
END_TEST

static const char faulty[] = "timezone: X\nspool: { zzz: 1, quota: x }\n"
			     "allow: [a, &b b, *b, \"\\0\"]\n"
			     "streams: [{ name: A }]\n";
static const char *const starved[] = {"", everything, faulty, "a: [\n"};

/*
 * The nth allocation and all after it fail. Whatever is found then is an
 * error, what was allocated is freed (leaks fail the sanitizer's build), and
 * with enough memory the answer is the usual one.
 */
START_TEST(without_memory_there_is_an_error)
{
	struct span text = span_str(starved[_i]);
	struct config_errors errors;
	struct config *config;
	bool starving = true;
	long n;

	for (n = 0; starving; n++) {
		left = n;
		config = config_parse(text, &lookup, &errors);
		starving = left == 0;
		left = -1;
		ck_assert((config != NULL) ==
			  (errors.count == 0 && !errors.incomplete));
		ck_assert(!config || _i < 2);
		if (!errors.incomplete)
			ck_assert((config != NULL) == (_i < 2));
		config_free(config);
		config_errors_clear(&errors);
	}
	ck_assert_int_gt(n, 5);
	ck_assert(!errors.incomplete);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("config");
	TCase *errors = tcase_create("errors");
	TCase *values = tcase_create("values");
	TCase *senders = tcase_create("senders");
	TCase *streams = tcase_create("streams");
	TCase *faults = tcase_create("faults");

	tcase_add_loop_test(
	    errors, errors_say_where_and_what, 0, COUNT_OF(bad));
	tcase_add_test(errors, nul_bytes_are_refused);
	tcase_add_test(errors, more_than_one_mebibyte_is_refused);
	tcase_add_test(errors, long_texts_are_cut_between_characters);
	tcase_add_test(errors, lists_have_an_end);
	tcase_add_test(errors, aliases_do_not_multiply);
	tcase_add_test(errors, callers_add_errors_of_their_own);
	suite_add_tcase(s, errors);

	tcase_add_loop_test(values, nothing_is_the_default, 0, COUNT_OF(empty));
	tcase_add_test(values, the_file_that_is_installed_is_the_default);
	tcase_add_test(
	    values, the_examples_of_the_file_that_is_installed_are_good);
	tcase_add_test(values, every_key_has_its_place);
	tcase_add_test(values, a_host_is_enough_to_pull);
	suite_add_tcase(s, values);

	tcase_add_loop_test(
	    senders, ranges_hold_their_addresses, 0, COUNT_OF(ranges));
	tcase_add_test(senders, other_families_have_no_address);
	tcase_add_test(senders, the_first_source_that_holds_a_sender_is_taken);
	suite_add_tcase(s, senders);

	tcase_add_loop_test(streams, a_stream_takes_what_meets_all_conditions,
	    0, COUNT_OF(records));
	tcase_add_test(streams, the_default_streams_share_the_types);
	suite_add_tcase(s, streams);

	tcase_set_timeout(faults, 60);
	tcase_add_test(faults, every_prefix_is_a_configuration_or_has_errors);
	tcase_add_loop_test(
	    faults, without_memory_there_is_an_error, 0, COUNT_OF(starved));
	suite_add_tcase(s, faults);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
