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
	RECORD_TEXT,      /* text: anything, needs escaping */
	RECORD_WORD,      /* text: ASCII that no format has to escape */
	RECORD_UINT,      /* number */
	RECORD_TIME,      /* time: seconds since 1970 UTC */
	RECORD_TIME_US,   /* time: microseconds since 1970 UTC */
	RECORD_PAIR,      /* pair: two numbers */
	RECORD_ADDRESSES, /* record.addresses */
	RECORD_EXTRA,     /* record.extra */
	RECORD_FLAGS,     /* record.flags */
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
	ROW(RECORDS,               "records",              UINT)              \
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
	ROW(EVENT_INSERT_TIME,     "event_insert_time",     TIME)              \
	ROW(LAST_UPDATE_TIME,      "last_update_time",      TIME)              \
	ROW(EVENT_DESCRIPTION,     "event_description",     TEXT)              \
	ROW(CATEGORY,              "category",              TEXT)              \
	ROW(SOURCE,                "source",                TEXT)              \
	ROW(IP_ADDRESS,            "ip_address",            WORD)              \
	ROW(SITE,                  "site",                  TEXT)              \
	ROW(ADMIN,                 "admin",                 TEXT)              \
	ROW(POLICY_NAME,           "policy_name",           TEXT)              \
	ROW(INTRUSION_ID,          "intrusion_id",          TEXT)              \
	ROW(CIDS_SIGNATURE_ID,     "cids_signature_id",     TEXT)              \
	ROW(CIDS_SIGNATURE_STRING, "cids_signature_string", TEXT)              \
	ROW(CIDS_SIGNATURE_SUBID,  "cids_signature_subid",  TEXT)              \
	ROW(INTRUSION_URL,         "intrusion_url",         TEXT)              \
	ROW(INTRUSION_PAYLOAD_URL, "intrusion_payload_url", TEXT)              \
	ROW(URL_RISK,              "url_risk",              TEXT)              \
	ROW(URL_CATEGORY,          "url_category",          TEXT)              \
	ROW(CORRELATION_ID,        "correlation_id",        TEXT)              \
	ROW(DETECTION_TYPE,        "detection_type",        TEXT)              \
	ROW(DETECTION_SCORE,       "detection_score",       TEXT)              \
	ROW(DETECTION_SOURCE,      "detection_source",      TEXT)              \
	ROW(DETECTION_SUBMISSIONS, "detection_submissions", TEXT)              \
	ROW(COH_ENGINE_VERSION,    "coh_engine_version",    TEXT)              \
	ROW(RISK_NAME,             "risk_name",             TEXT)              \
	ROW(RISK_LEVEL,            "risk_level",            TEXT)              \
	ROW(RISK_TYPE,             "risk_type",             TEXT)              \
	ROW(RISK_ACTION,           "risk_action",           TEXT)              \
	ROW(FILE_PATH,             "file_path",             TEXT)              \
	ROW(DESCRIPTION,           "description",           TEXT)              \
	ROW(ACTUAL_ACTION,         "actual_action",         TEXT)              \
	ROW(REQUESTED_ACTION,      "requested_action",      TEXT)              \
	ROW(SECONDARY_ACTION,      "secondary_action",      TEXT)              \
	ROW(SOURCE_COMPUTER_NAME,  "source_computer_name",  TEXT)              \
	ROW(SOURCE_COMPUTER_IP,    "source_computer_ip",    WORD)              \
	ROW(DISPOSITION,           "disposition",           TEXT)              \
	ROW(DOWNLOAD_SITE,         "download_site",         TEXT)              \
	ROW(WEB_DOMAIN,            "web_domain",            TEXT)              \
	ROW(DOWNLOADED_BY,         "downloaded_by",         TEXT)              \
	ROW(PREVALENCE,            "prevalence",            TEXT)              \
	ROW(CONFIDENCE,            "confidence",            TEXT)              \
	ROW(URL_TRACKING_STATUS,   "url_tracking_status",   TEXT)              \
	ROW(FIRST_SEEN,            "first_seen",            TEXT)              \
	ROW(SENSITIVITY,           "sensitivity",           TEXT)              \
	ROW(ALLOWED_REASON,        "allowed_application_reason", TEXT)         \
	ROW(APPLICATION_HASH,      "application_hash",      TEXT)              \
	ROW(HASH_TYPE,             "hash_type",             TEXT)              \
	ROW(COMPANY_NAME,          "company_name",          TEXT)              \
	ROW(APPLICATION_NAME,      "application_name",      TEXT)              \
	ROW(APPLICATION_VERSION,   "application_version",   TEXT)              \
	ROW(APPLICATION_TYPE,      "application_type",      TEXT)              \
	ROW(FILE_SIZE_BYTES,       "file_size_bytes",       UINT)              \
	ROW(CATEGORY_SET,          "category_set",          TEXT)              \
	ROW(CATEGORY_TYPE,         "category_type",         TEXT)              \
	ROW(PROTECTION_LEVEL,      "intensive_protection_level", TEXT)         \
	ROW(CERTIFICATE_ISSUER,    "certificate_issuer",    TEXT)              \
	ROW(CERTIFICATE_SIGNER,    "certificate_signer",    TEXT)              \
	ROW(CERTIFICATE_THUMBPRINT, "certificate_thumbprint", TEXT)            \
	ROW(CERTIFICATE_SERIAL,    "certificate_serial_number", TEXT)          \
	ROW(SIGNING_TIMESTAMP,     "signing_timestamp",     TEXT)              \
	ROW(SCAN_ID,               "scan_id",               TEXT)              \
	ROW(SCAN_TYPE,             "scan_type",             TEXT)              \
	ROW(STATUS,                "status",                TEXT)              \
	ROW(DURATION_SECONDS,      "duration_seconds",      UINT)              \
	ROW(USER1,                 "user1",                 TEXT)              \
	ROW(USER2,                 "user2",                 TEXT)              \
	ROW(START_TEXT,            "start_text",            TEXT)              \
	ROW(END_TEXT,              "end_text",              TEXT)              \
	ROW(COMMAND,               "command",               TEXT)              \
	ROW(THREATS,               "threats",               UINT)              \
	ROW(INFECTED,              "infected",              UINT)              \
	ROW(TOTAL_FILES,           "total_files",           UINT)              \
	ROW(OMITTED,               "omitted",               UINT)              \
	ROW(API,                   "api",                   TEXT)              \
	ROW(PROCESS_ID,            "process_id",            TEXT)              \
	ROW(PROCESS,               "process",               TEXT)              \
	ROW(RETURN_ADDRESS,        "return_address",        TEXT)              \
	ROW(MODULE,                "module",                TEXT)              \
	ROW(PARAMETERS,            "parameters",            TEXT)              \
	ROW(ACTION_TYPE,           "action_type",           TEXT)              \
	ROW(DEVICE_ID,             "device_id",             TEXT)              \
	ROW(USN,                   "usn",                   UINT)              \
	ROW(DOMAIN_ID,             "domain_id",             TEXT)              \
	ROW(SITE_ID,               "site_id",               TEXT)              \
	ROW(SERVER_ID,             "server_id",             TEXT)              \
	ROW(GROUP_ID,              "group_id",              TEXT)              \
	ROW(COMPUTER_ID,           "computer_id",           TEXT)              \
	ROW(AGENT_ID,              "agent_id",              TEXT)              \
	ROW(RULE_ID,               "rule_id",               TEXT)              \
	ROW(LOG_IDX,               "log_idx",               TEXT)              \
	ROW(EXTRA,                 "extra",                 EXTRA)             \
	ROW(FLAGS,                 "flags",                 FLAGS)             \
	ROW(ORIGINAL_LENGTH,       "original_length",       UINT)              \
	ROW(CUT,                   "cut",                   TEXT)              \
	ROW(REASON,                "reason",                TEXT)              \
	ROW(RAW,                   "raw",                   TEXT)              \
	ROW(RAW_BASE64,            "raw_base64",            WORD)              \
	ROW(RECEIVED,              "received",              TIME_US)           \
	ROW(PEER,                  "peer",                  TEXT)              \
	ROW(TRANSPORT,             "transport",             WORD)              \
	ROW(EVENT_KEY,             "event_key",             WORD)
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

/*
 * Which releases of SEPM write lines of this shape. A likeness and no proof:
 * many lines are the same in all releases, a relay may change what passes, and
 * the builds at which shapes changed are not published.
 */
/* clang-format off */
#define RECORD_RELEASE_TABLE(ROW)                                             \
	ROW(UNTOLD,       "",               "")                               \
	ROW(11,           "11-like",        "Local: repeated, no action")     \
	ROW(12_1,         "12.1-like",      "Local: repeated, no hashes")     \
	ROW(14_0,         "14.0-like",      "hashes behind the client")       \
	ROW(14_2,         "14.2-like",      "Local Host:, hashes last")       \
	ROW(14_3_EARLY,   "early 14.3-like", "Local Host IP: and End:")       \
	ROW(14_3,         "14.3-like",      "Local Host IP: and End Time:")   \
	ROW(14_3_RU1,     "14.3 RU1-like",  "the SEPM is a field of its own") \
	ROW(14_3_RU1_ON,  "14.3 RU1-like or later", "URL risk")               \
	ROW(14_3_LATER,   "a later 14.3-like", "correlation ID")              \
	ROW(14_2_ON,      "14.2-like or later", "application hashes last")    \
	ROW(14_2_BARE,    "14.2-like or later", "its hashes are missing")
/* clang-format on */

enum record_release {
#define ROW(constant, release, why) RECORD_RELEASE_##constant,
	RECORD_RELEASE_TABLE(ROW)
#undef ROW
	    RECORD_RELEASE_COUNT
};

struct record_release_info {
	const char *release, *why; /* for people: what it is told by */
};

/* Indexed by enum record_release. */
extern const struct record_release_info
    record_release_info[RECORD_RELEASE_COUNT];

/* record.flags */
enum {
	RECORD_TRUNCATED = 1 << 0,    /* over max_message, or cut on its way */
	RECORD_UNTERMINATED = 1 << 1, /* the peer closed inside the frame */
	RECORD_RECODED = 1 << 2,      /* was not UTF-8 */
	RECORD_TIME_AMBIGUOUS = 1 << 3, /* in an hour that the clocks repeat */
	RECORD_OVERFLOW = 1 << 4,       /* of several groups of a roll-up */
	RECORD_FLAG_COUNT = 5,
};

enum {
	RECORD_MAX_EXTRA = 264,    /* more than a body has fields */
	RECORD_MAX_ADDRESSES = 16, /* groups of an agent-info block */
	RECORD_WORDS = (RECORD_FIELD_COUNT + 63) / 64,
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
	enum record_release release;
	unsigned flags;
	uint64_t present[RECORD_WORDS]; /* bit i: value[i] is set */
	union record_value value[RECORD_FIELD_COUNT];
	size_t extras;
	struct record_extra extra[RECORD_MAX_EXTRA];
	size_t addresses;
	struct record_address address[RECORD_MAX_ADDRESSES];
	struct span original; /* the message as it came, bytes of any kind */
};

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
	return r->present[f / 64] >> f % 64 & 1;
}

/* The value of f is there now, or is what an array of the record holds. */
static inline void
record_mark(struct record *r, enum record_field f)
{
	r->present[f / 64] |= (uint64_t)1 << f % 64;
}

/* Sets a TEXT or WORD value; an empty one leaves the field absent. */
static inline void
record_set_text(struct record *r, enum record_field f, struct span text)
{
	if (text.n == 0)
		return;
	r->value[f].text = text;
	record_mark(r, f);
}

static inline void
record_set_number(struct record *r, enum record_field f, uint64_t number)
{
	r->value[f].number = number;
	record_mark(r, f);
}

static inline void
record_set_time(struct record *r, enum record_field f, int64_t time)
{
	r->value[f].time = time;
	record_mark(r, f);
}

static inline void
record_unset(struct record *r, enum record_field f)
{
	r->present[f / 64] &= ~((uint64_t)1 << f % 64);
}

/* Adds to `extra`; nothing for an empty value, or when there is no room (there
 * is for all fields of a body). */
static inline void
record_add_extra(struct record *r, struct span label, struct span value)
{
	if (value.n == 0 || r->extras == RECORD_MAX_EXTRA)
		return;
	r->extra[r->extras++] = (struct record_extra){label, value};
	record_mark(r, RECORD_F_EXTRA);
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
