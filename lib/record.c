#include "record.h"

const struct record_field_info record_field_info[RECORD_FIELD_COUNT] = {
#define ROW(constant, key, kind)                                               \
	[RECORD_F_##constant] = {{key, sizeof(key) - 1}, RECORD_##kind},
    RECORD_FIELD_TABLE(ROW)
#undef ROW
};

/* clang-format off */
#define WORD(literal) {literal, sizeof(literal) - 1}

const struct span record_type_name[RECORD_TYPE_COUNT] = {
	[RECORD_TRAFFIC] = WORD("traffic"),
	[RECORD_PACKET] = WORD("packet"),
	[RECORD_SECURITY] = WORD("security"),
	[RECORD_RISK] = WORD("risk"),
	[RECORD_PROACTIVE] = WORD("proactive"),
	[RECORD_SCAN] = WORD("scan"),
	[RECORD_BEHAVIOR] = WORD("behavior"),
	[RECORD_AGENT_SYSTEM] = WORD("agent_system"),
	[RECORD_AGENT_ACTIVITY] = WORD("agent_activity"),
	[RECORD_ADMIN] = WORD("admin"),
	[RECORD_POLICY] = WORD("policy"),
	[RECORD_SERVER_SYSTEM] = WORD("server_system"),
	[RECORD_UNPARSED] = WORD("unparsed"),
};

const struct span record_flag_name[RECORD_FLAG_COUNT] = {
	WORD("truncated"), WORD("unterminated"), WORD("recoded"),
	WORD("time_ambiguous"), WORD("overflow"),
};

/* RFC 5424 table 1; it names 12 to 15 only in words. */
static const struct span facility_word[] = {
	WORD("kern"), WORD("user"), WORD("mail"), WORD("daemon"),
	WORD("auth"), WORD("syslog"), WORD("lpr"), WORD("news"),
	WORD("uucp"), WORD("cron"), WORD("authpriv"), WORD("ftp"),
	WORD("ntp"), WORD("audit"), WORD("alert"), WORD("clock"),
	WORD("local0"), WORD("local1"), WORD("local2"), WORD("local3"),
	WORD("local4"), WORD("local5"), WORD("local6"), WORD("local7"),
};

/* RFC 5424 table 2. */
static const struct span severity_word[] = {
	WORD("emerg"), WORD("alert"), WORD("crit"), WORD("err"),
	WORD("warning"), WORD("notice"), WORD("info"), WORD("debug"),
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const struct record_release_info record_release_info[RECORD_RELEASE_COUNT] = {
#define ROW(constant, release, why) {release, why},
    RECORD_RELEASE_TABLE(ROW)
#undef ROW
};

void
record_reset(struct record *r)
{
	r->type = RECORD_UNPARSED;
	r->release = RECORD_RELEASE_UNTOLD;
	r->flags = 0;
	memset(r->present, 0, sizeof(r->present));
	r->extras = 0;
	r->addresses = 0;
	r->original = (struct span){"", 0};
}

enum record_field
record_field_find(struct span key)
{
	size_t f = 0;

	while (
	    f < RECORD_FIELD_COUNT && !span_eq(record_field_info[f].key, key))
		f++;
	return (enum record_field)f;
}

enum record_type
record_type_find(struct span word)
{
	size_t t = 0;

	while (t < RECORD_TYPE_COUNT && !span_eq(record_type_name[t], word))
		t++;
	return (enum record_type)t;
}

struct span
record_facility_word(unsigned code)
{
	return code < COUNT(facility_word) ? facility_word[code]
					   : (struct span){"", 0};
}

struct span
record_severity_word(unsigned code)
{
	return code < COUNT(severity_word) ? severity_word[code]
					   : (struct span){"", 0};
}
