/*
 * record - one normalized message.
 *
 * A record is values indexed by field, with a bit set for each one present.
 * Text values are spans into the message or the parser's arena, always valid
 * UTF-8, unescaped; the record is good until the parser's next message. The
 * keys, their order and their meaning are those of the record's definition;
 * a new field is a new row of RECORD_FIELD_TABLE.
 */
#ifndef SEPMLOG_RECORD_H
#define SEPMLOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

enum record_kind {
	RECORD_TEXT,	  /* text: anything, needs escaping */
	RECORD_WORD,	  /* text: ASCII that no format has to escape */
	RECORD_UINT,	  /* number */
	RECORD_TIME,	  /* time: seconds since 1970 UTC */
	RECORD_TIME_US,	  /* time: microseconds since 1970 UTC */
	RECORD_PAIR,	  /* pair: two numbers */
	RECORD_ADDRESSES, /* record.addresses */
	RECORD_EXTRA,	  /* record.extra */
	RECORD_FLAGS,	  /* record.flags */
};

/* clang-format off */
#define RECORD_FIELD_TABLE(ROW)                                               \
	/*  constant               key                      kind        */     \
	ROW(TYPE,                  "type",                  WORD)              \
	ROW(TIME,                  "time",                  TIME)              \
	ROW(SEPM,                  "sepm",                  TEXT)              \
	ROW(FACILITY,              "facility",              WORD)              \
	ROW(SEVERITY,              "severity",              WORD)              \
	ROW(HOST,                  "host",                  TEXT)              \
	ROW(LOCAL_IP,              "local_ip",              WORD)              \
	ROW(LOCAL_PORT,            "local_port",            UINT)              \
	ROW(LOCAL_MAC,             "local_mac",             WORD)              \
	ROW(REMOTE_IP,             "remote_ip",             WORD)              \
	ROW(REMOTE_NAME,           "remote_name",           TEXT)              \
	ROW(REMOTE_PORT,           "remote_port",           UINT)              \
	ROW(REMOTE_MAC,            "remote_mac",            WORD)              \
	ROW(PROTOCOL,              "protocol",              TEXT)              \
	ROW(DIRECTION,             "direction",             TEXT)              \
	ROW(ICMP,                  "icmp",                  PAIR)              \
	ROW(BEGIN,                 "begin",                 TIME)              \
	ROW(END,                   "end",                   TIME)              \
	ROW(OCCURRENCES,           "occurrences",           UINT)              \
	ROW(APPLICATION,           "application",           TEXT)              \
	ROW(RULE,                  "rule",                  TEXT)              \
	ROW(LOCATION,              "location",              TEXT)              \
	ROW(USER,                  "user",                  TEXT)              \
	ROW(DOMAIN,                "domain",                TEXT)              \
	ROW(ACTION,                "action",                TEXT)              \
	ROW(SHA256,                "sha256",                WORD)              \
	ROW(MD5,                   "md5",                   WORD)              \
	ROW(ADDRESSES,             "addresses",             ADDRESSES)         \
	ROW(EVENT_TYPE,            "event_type",            TEXT)              \
	ROW(EVENT_TIME,            "event_time",            TIME)              \
	ROW(CURRENT_IP_ADDRESS,    "current_ip_address",    WORD)              \
	ROW(ALERT,                 "alert",                 TEXT)              \
	ROW(SEND_SNMP_TRAP,        "send_snmp_trap",        TEXT)              \
	ROW(HARDWARE_KEY,          "hardware_key",          TEXT)              \
	ROW(DOMAIN_NAME,           "domain_name",           TEXT)              \
	ROW(SITE_NAME,             "site_name",             TEXT)              \
	ROW(SERVER_NAME,           "server_name",           TEXT)              \
	ROW(GROUP_NAME,            "group_name",            TEXT)              \
	ROW(COMPUTER_NAME,         "computer_name",         TEXT)              \
	ROW(EXTRA,                 "extra",                 EXTRA)             \
	ROW(FLAGS,                 "flags",                 FLAGS)             \
	ROW(ORIGINAL_LENGTH,       "original_length",       UINT)              \
	ROW(CUT,                   "cut",                   TEXT)              \
	ROW(REASON,                "reason",                TEXT)              \
	ROW(RAW,                   "raw",                   TEXT)              \
	ROW(RAW_BASE64,            "raw_base64",            WORD)              \
	ROW(MESSAGE,               "message",               TEXT)              \
	ROW(RECEIVED,              "received",              TIME_US)           \
	ROW(PEER,                  "peer",                  TEXT)              \
	ROW(TRANSPORT,             "transport",             WORD)
/* clang-format on */

enum record_field {
#define ROW(constant, key, kind) RECORD_F_##constant,
	RECORD_FIELD_TABLE(ROW)
#undef ROW
	    RECORD_FIELD_COUNT
};

/* The type of a message: a SEPM log, or unparsed. */
enum record_type {
	RECORD_TRAFFIC,
	RECORD_PACKET,
	RECORD_SECURITY,
	RECORD_RISK,
	RECORD_PROACTIVE,
	RECORD_SCAN,
	RECORD_BEHAVIOR,
	RECORD_AGENT_SYSTEM,
	RECORD_AGENT_ACTIVITY,
	RECORD_ADMIN,
	RECORD_POLICY,
	RECORD_SERVER_SYSTEM,
	RECORD_UNPARSED,
	RECORD_TYPE_COUNT
};

/* record.flags */
enum {
	RECORD_TRUNCATED = 1 << 0,	/* over max_message, or cut on its way */
	RECORD_UNTERMINATED = 1 << 1,	/* the peer closed inside the frame */
	RECORD_RECODED = 1 << 2,	/* was not UTF-8 */
	RECORD_TIME_AMBIGUOUS = 1 << 3, /* in an hour that the clocks repeat */
	RECORD_FLAG_COUNT = 4,
};

enum {
	RECORD_MAX_EXTRA = 264,	   /* more than a body has fields */
	RECORD_MAX_ADDRESSES = 16, /* groups of an agent-info block */
};

union record_value {
	struct span text;
	uint64_t number;
	int64_t time;
	uint32_t pair[2];
};

struct record_extra {
	struct span label;
	struct span value;
};

struct record_address {
	struct span ip, mac, gateway; /* n == 0: absent */
};

struct record {
	enum record_type type;
	unsigned flags;
	uint64_t present; /* bit i: value[i] is set */
	union record_value value[RECORD_FIELD_COUNT];
	size_t extras;
	struct record_extra extra[RECORD_MAX_EXTRA];
	size_t addresses;
	struct record_address address[RECORD_MAX_ADDRESSES];
	struct span original; /* the message as it came, bytes of any kind */
};

_Static_assert(RECORD_FIELD_COUNT <= 64, "record.present has 64 bits");

struct record_field_info {
	struct span key;
	enum record_kind kind;
};

/* Indexed by enum record_field. */
extern const struct record_field_info record_field_info[RECORD_FIELD_COUNT];

/* The words of enum record_type (`traffic`) and of the flag bits. */
extern const struct span record_type_name[RECORD_TYPE_COUNT];
extern const struct span record_flag_name[RECORD_FLAG_COUNT];

/* Empties *r; what `original` pointed to is forgotten, too. */
void record_reset(struct record *r);

static inline bool
record_has(const struct record *r, enum record_field f)
{
	return r->present >> f & 1;
}

/* Sets a TEXT or WORD value; an empty one leaves the field absent. */
static inline void
record_set_text(struct record *r, enum record_field f, struct span text)
{
	if (text.n == 0)
		return;
	r->value[f].text = text;
	r->present |= (uint64_t)1 << f;
}

static inline void
record_set_number(struct record *r, enum record_field f, uint64_t number)
{
	r->value[f].number = number;
	r->present |= (uint64_t)1 << f;
}

static inline void
record_set_time(struct record *r, enum record_field f, int64_t time)
{
	r->value[f].time = time;
	r->present |= (uint64_t)1 << f;
}

static inline void
record_unset(struct record *r, enum record_field f)
{
	r->present &= ~((uint64_t)1 << f);
}

/* Adds to `extra`; nothing for an empty value, or when there is no room (there
 * is for all fields of a body). */
static inline void
record_add_extra(struct record *r, struct span label, struct span value)
{
	if (value.n == 0 || r->extras == RECORD_MAX_EXTRA)
		return;
	r->extra[r->extras++] = (struct record_extra){label, value};
	r->present |= (uint64_t)1 << RECORD_F_EXTRA;
}

/* The text of a TEXT or WORD field; empty when absent. */
static inline struct span
record_text(const struct record *r, enum record_field f)
{
	return record_has(r, f) ? r->value[f].text : (struct span){"", 0};
}

/* The field or type with this key; its COUNT when there is none. */
enum record_field record_field_find(struct span key);
enum record_type record_type_find(struct span word);

/* RFC 5424 table 1 and 2 keywords, code 0-23 and 0-7; empty when out of range.
 * Facilities 12 to 15 are `ntp`, `audit`, `alert`, `clock`. */
struct span record_facility_word(unsigned code);
struct span record_severity_word(unsigned code);

#endif
