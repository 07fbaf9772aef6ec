/*
 * config - the YAML configuration, checked and with its defaults filled in.
 *
 * config_parse gives a finished, constant struct config or the list of all
 * errors, each with line and column. It reads no file: zones and code pages,
 * which live in the system's files, come through the caller's functions.
 */
#ifndef SEPMLOG_CONFIG_H
#define SEPMLOG_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encode.h"
#include "message.h"
#include "preset.h"
#include "privacy.h"
#include "record.h"
#include "rollup.h"
#include "span.h"

enum config_transport { CONFIG_UDP, CONFIG_TCP, CONFIG_TLS };

/* One of `permitted_peers`: what a certificate must say (RFC 5425 5.1, 5.2). */
enum config_peer_kind {
	CONFIG_PEER_NAME,        /* a dNSName: `sepm1.example.com` */
	CONFIG_PEER_SUBDOMAIN,   /* `*.example.com`: one label more than text */
	CONFIG_PEER_ADDRESS,     /* an iPAddress: `192.0.2.7` */
	CONFIG_PEER_FINGERPRINT, /* `sha256:` and 64 digits */
};

enum {
	CONFIG_FINGERPRINT = 32, /* bytes */
	CONFIG_STREAMS = 32,     /* at most */
};

struct config_peer {
	enum config_peer_kind kind;
	char *text; /* of a subdomain `.example.com`; NULL: a fingerprint */
	unsigned char fingerprint[CONFIG_FINGERPRINT];
};

/* Paths; all but certificate and key may be NULL. */
struct config_tls_files {
	char *certificate, *key, *client_ca, *crl;
};

struct config_listen {
	enum config_transport transport;
	char *text;                   /* as written: `[::]:514` */
	struct sockaddr_storage addr; /* AF_INET or AF_INET6 */
	socklen_t addr_len;
	unsigned line;
	/* CONFIG_TLS only */
	struct config_tls_files files;
	struct config_peer *permitted;
	size_t permitted_count; /* 0: whoever the CA, if any, vouches for */
};

/* An address range. IPv4 is kept as ::ffff:0:0/96, so one compare serves. */
struct config_cidr {
	struct in6_addr net;
	unsigned bits; /* 0-128 */
};

struct config_source {
	struct config_cidr from;
	struct message_source read; /* spans point into the config */
};

enum config_compress { CONFIG_NONE, CONFIG_GZIP, CONFIG_ZSTD };
enum config_on_full { CONFIG_BLOCK, CONFIG_DROP_OLDEST };

struct config_spool {
	char *directory;
	uint64_t rotate_size;     /* bytes */
	uint64_t rotate_age;      /* ms */
	uint64_t commit_interval; /* ms */
	uint64_t commit_bytes;    /* bytes */
	enum config_compress compress;
	uint64_t quota;            /* bytes; 0: none */
	uint64_t min_free;         /* bytes, or ... */
	unsigned min_free_percent; /* ... percent of the file system */
	enum config_on_full on_full;
	uint64_t buffer; /* bytes of memory per stream */
};

/* What accounts for all that came and went (ledger.h). */
struct config_ledger {
	bool checksum;    /* of each published file */
	uint64_t keep;    /* ms */
	uint64_t size;    /* bytes of all its files */
	unsigned sources; /* sender addresses that are told apart */
};

/* Where the status is shown over HTTP. */
struct config_status {
	char *listen; /* as written: a path, or `127.0.0.1:9514`; NULL: off */
	bool top;     /* and what is busiest */
	struct sockaddr_storage addr; /* AF_UNIX, AF_INET or AF_INET6 */
	socklen_t addr_len;
};

/* One key of `where`: the field has one of these values. Text is compared
 * without case. */
struct config_condition {
	enum record_field field;
	size_t count;
	struct span *texts; /* TEXT and WORD fields */
	uint64_t *numbers;  /* UINT fields */
};

/* What streams that name it get to see of records. */
struct config_policy {
	char *name; /* as of a stream */
	struct privacy_policy rules;
};

/* Where values are sealed that tokens stand for (vault.h). */
struct config_vault {
	char *public_key;    /* path; NULL: there is none */
	uint64_t rotate_age; /* ms */
};

struct config_privacy {
	char *key_file; /* path; NULL: there is no such map */
	char *key_id;   /* 1 to PSEUDONYM_ID_MAX letters and digits */
	struct config_vault vault;
	struct config_policy *policies;
	size_t count;
};

struct config_stream {
	char *name;     /* [a-z][a-z0-9_]*, at most 32 bytes */
	unsigned types; /* bit set of enum record_type */
	enum encode_format format;
	uint64_t roll_up; /* ms; 0: each record by itself (rollup.h) */
	enum rollup_overflow overflow;
	const struct config_policy *policy; /* NULL: all of the record */
	const struct preset *preset; /* whose rules its files keep, or NULL */
	size_t conditions;
	struct config_condition *where; /* all must hold */
};

enum config_tls { CONFIG_TLS_REQUIRE, CONFIG_TLS_OFF };

/* Where `sepmlogctl pull` finds SEPM's database. */
struct config_pull {
	bool set;         /* there is such a map; else only defaults here */
	char *connection; /* of ODBC, as written; NULL: by the next keys */
	char *driver;     /* name or path of an ODBC driver */
	char *host;       /* NULL only with `connection`, or not set */
	unsigned port;
	char *database;
	enum config_tls tls;
	char *user;          /* NULL, with password_file: the driver's way */
	char *password_file; /* path */
	char *view;          /* letters, digits, _, $ and dots between */
	unsigned maximum_history_days; /* of the first run */
	unsigned batch;                /* rows between commits */
	uint64_t overlap;              /* ms that each run reads again */
	uint64_t timeout;              /* ms to wait for an answer */
};

struct config {
	struct config_listen *listen;
	size_t listens;
	uint64_t receive_buffer; /* bytes, per UDP socket */
	uint64_t max_message;    /* bytes */
	unsigned max_connections;
	unsigned max_connections_per_source;
	uint64_t frame_timeout;     /* ms: age of an unfinished frame */
	uint64_t handshake_timeout; /* ms: age of an unfinished TLS handshake */
	unsigned max_handshakes;    /* unfinished ones */
	struct config_cidr *allow;
	size_t allows;                  /* 0: everyone */
	struct message_source fallback; /* `timezone`, `code_page` */
	bool event_key;                 /* records get theirs (event_key.h) */
	struct config_source *sources;  /* first match wins */
	size_t source_count;
	struct config_spool spool;
	struct config_ledger ledger;
	struct config_status status;
	struct config_privacy privacy;
	struct config_stream *streams;
	size_t stream_count;
	struct config_pull pull;
	void *memory; /* owner of everything above; config.c's own */
};

struct config_error {
	unsigned line, column; /* from 1; 0: the whole file */
	char *text;            /* `key: what is wrong` */
};

struct config_errors {
	struct config_error *list; /* in the order of their places */
	size_t count;
	bool incomplete; /* there was no memory to find or keep more */
};

/* How the caller finds what system files define. Each answers NULL when there
 * is no such thing; what they answer must stay good as long as the config. UTC
 * and windows-1252 are built in and never asked for. */
struct config_lookup {
	const struct zone *(*zone)(void *arg, const char *name);
	const struct text_codepage *(*codepage)(void *arg, const char *name);
	void *arg;
};

/*
 * The configuration in `text`, or NULL and at least one error, or `incomplete`
 * where there is no memory even for that. *errors need not be initialised.
 * Free the config with config_free, the errors with config_errors_clear (both
 * ways).
 */
struct config *config_parse(struct span text,
    const struct config_lookup *lookup, struct config_errors *errors);
void config_free(struct config *config);

/* Adds an error found by the caller (an address that cannot be bound), at the
 * end of the list. An empty key is left out. */
void config_error_add(struct config_errors *errors, unsigned line,
    unsigned column, const char *key, const char *what);
void config_errors_clear(struct config_errors *errors);

/* Does the range hold the address (v4 ones mapped)? */
bool config_cidr_holds(
    const struct config_cidr *cidr, const struct in6_addr *addr);
/* A socket address as config_cidr wants it. */
struct in6_addr config_address(const struct sockaddr *addr);

/* The settings of a sender: the first source that holds it, or the fallback. */
const struct message_source *config_source_of(
    const struct config *config, const struct in6_addr *addr);

/* Does a stream see less than all of its records? */
bool config_is_private(const struct config *config);

/* Does the record belong into the stream? By what it is before its policy. */
bool config_stream_takes(
    const struct config_stream *stream, const struct record *record);

#endif
