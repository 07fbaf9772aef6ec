#include "sepm_shape.h"

/* clang-format off */
#define LITERAL(text) {text, sizeof(text) - 1}

const struct sepm_field sepm_label_field[SEPM_LABEL_COUNT] = {
#define ROW(constant, field, reader) \
	[SEPM_##constant] = {RECORD_F_##field, SEPM_READ_##reader},
	SEPM_LABEL_TABLE(ROW)
#undef ROW
};

static const struct span modern[SEPM_LABEL_COUNT] = {
	[SEPM_LOCAL_IP] = LITERAL("Local Host IP"),
	[SEPM_LOCAL_PORT] = LITERAL("Local Port"),
	[SEPM_LOCAL_MAC] = LITERAL("Local Host MAC"),
	[SEPM_REMOTE_IP] = LITERAL("Remote Host IP"),
	[SEPM_REMOTE_NAME] = LITERAL("Remote Host Name"),
	[SEPM_REMOTE_PORT] = LITERAL("Remote Port"),
	[SEPM_REMOTE_MAC] = LITERAL("Remote Host MAC"),
};

#define PLAIN_LOCAL	{SEPM_LOCAL_IP, SEPM_LOCAL_PORT, SEPM_LOCAL_MAC}
#define PLAIN_REMOTE	{SEPM_REMOTE_IP, SEPM_REMOTE_NAME, SEPM_REMOTE_PORT, \
			 SEPM_REMOTE_MAC}

/* type, repeated labels, Windows or SEPM domain */
const struct sepm_shape sepm_shape[RECORD_TYPE_COUNT] = {
	[RECORD_TRAFFIC] = {PLAIN_LOCAL, PLAIN_REMOTE, RECORD_F_DOMAIN, false},
	[RECORD_PACKET] = {PLAIN_LOCAL, PLAIN_REMOTE, RECORD_F_DOMAIN, false},
	[RECORD_SECURITY] = {
		{SEPM_LOCAL_IP, SEPM_LOCAL_MAC},
		{SEPM_REMOTE_NAME, SEPM_REMOTE_IP, SEPM_REMOTE_MAC},
		RECORD_F_DOMAIN, false},
	[RECORD_RISK] = {.domain = RECORD_F_DOMAIN_NAME},
	[RECORD_PROACTIVE] = {.domain = RECORD_F_DOMAIN_NAME},
	[RECORD_SCAN] = {.domain = RECORD_F_DOMAIN_NAME},
	[RECORD_BEHAVIOR] = {.domain = RECORD_F_DOMAIN},
	[RECORD_AGENT_SYSTEM] = {.domain = RECORD_F_DOMAIN_NAME},
	[RECORD_AGENT_ACTIVITY] = {
		.domain = RECORD_F_DOMAIN_NAME, .events = true},
	[RECORD_ADMIN] = {.domain = RECORD_F_DOMAIN_NAME, .events = true},
	[RECORD_POLICY] = {.domain = RECORD_F_DOMAIN_NAME, .events = true},
	[RECORD_SERVER_SYSTEM] = {
		.domain = RECORD_F_DOMAIN_NAME, .events = true},
};

#define FIELD(field, reader)	{RECORD_F_##field, SEPM_READ_##reader}
#define EVENT			FIELD(EVENT_DESCRIPTION, TEXT)
#define NONE			SEPM_NO_REST

/* The places of traffic are in sepm_read.c: they are on the hot path. */
const struct sepm_run sepm_runs[] = {
	{RECORD_PACKET, SEPM_BEFORE, SEPM_APPLICATION, SEPM_BARE, NONE,
	 1, {FIELD(DIRECTION, DIRECTION)},
	 "the direction: by its place before Application"},

	{RECORD_SECURITY, SEPM_BEFORE, SEPM_LOCAL, SEPM_CANDIDATES, 0,
	 1, {EVENT}, "the description: by its place before the addresses"},
	{RECORD_SECURITY, SEPM_BEFORE, SEPM_LOCAL_IP, SEPM_CANDIDATES, 0,
	 1, {EVENT}, "the description: by its place before the addresses"},
	{RECORD_SECURITY, SEPM_BEFORE, SEPM_INTRUSION_ID, SEPM_BARE, NONE,
	 2, {FIELD(DIRECTION, DIRECTION), FIELD(PROTOCOL, PROTOCOL)},
	 "by its place before Intrusion ID"},
	{RECORD_SECURITY, SEPM_BEFORE, SEPM_BEGIN, SEPM_BARE, NONE,
	 3, {FIELD(DIRECTION, DIRECTION), FIELD(PROTOCOL, PROTOCOL),
	     FIELD(INTRUSION_ID, TEXT)},
	 "by its place before Begin"},

	{RECORD_RISK, SEPM_FRONT, SEPM_NO_LABEL, SEPM_BARE, NONE,
	 1, {EVENT}, "the event: the bare field before the first label"},
	{RECORD_RISK, SEPM_AFTER, SEPM_OCCURRENCES, SEPM_BARE, 1,
	 2, {FIELD(FILE_PATH, TEXT), FIELD(DESCRIPTION, TEXT)},
	 "by its place behind Occurrences"},

	{RECORD_PROACTIVE, SEPM_FRONT, SEPM_NO_LABEL, SEPM_BARE, NONE,
	 1, {EVENT}, "the event: the bare field before the first label"},
	{RECORD_PROACTIVE, SEPM_AFTER, SEPM_DETECTION_SUBMISSIONS, SEPM_BARE, 0,
	 1, {FIELD(ALLOWED_REASON, TEXT)},
	 "by its place behind Detection Submissions"},
	{RECORD_PROACTIVE, SEPM_AFTER, SEPM_COH_ENGINE_VERSION, SEPM_BARE, 1,
	 2, {FIELD(DETECTION_SUBMISSIONS, TEXT), FIELD(ALLOWED_REASON, TEXT)},
	 "by its place behind COH Engine Version"},
	{RECORD_PROACTIVE, SEPM_AFTER, SEPM_OCCURRENCES, SEPM_BARE, 1,
	 2, {FIELD(FILE_PATH, TEXT), FIELD(DESCRIPTION, TEXT)},
	 "by its place behind Occurrences"},

	{RECORD_SCAN, SEPM_AFTER, SEPM_END, SEPM_CANDIDATES, 0,
	 1, {FIELD(STATUS, TEXT)}, "by its place behind End Time"},
	{RECORD_SCAN, SEPM_AFTER, SEPM_USER2, SEPM_CANDIDATES, 1,
	 2, {FIELD(START_TEXT, TEXT), FIELD(END_TEXT, TEXT)},
	 "by its place behind User2"},

	{RECORD_BEHAVIOR, SEPM_BEFORE, SEPM_BEGIN, SEPM_BARE, NONE,
	 4, {FIELD(LOCAL_IP, IP), FIELD(ACTION, ACTION), EVENT,
	     FIELD(API, TEXT)},
	 "by its place before Begin"},
	{RECORD_BEHAVIOR, SEPM_AFTER, SEPM_RULE, SEPM_BARE, 4,
	 5, {FIELD(PROCESS_ID, TEXT), FIELD(PROCESS, TEXT),
	     FIELD(RETURN_ADDRESS, TEXT), FIELD(MODULE, TEXT),
	     FIELD(PARAMETERS, TEXT)},
	 "by its place behind Rule"},

	{RECORD_AGENT_SYSTEM, SEPM_AFTER, SEPM_CATEGORY, SEPM_CANDIDATES, 1,
	 2, {FIELD(SOURCE, TEXT), EVENT}, "by its place behind Category"},

	{RECORD_AGENT_ACTIVITY, SEPM_AFTER, SEPM_DOMAIN, SEPM_ANYTHING, 0,
	 4, {EVENT, FIELD(HOST, TEXT), FIELD(USER, TEXT), FIELD(DOMAIN, TEXT)},
	 "by its place behind Domain Name"},
	{RECORD_AGENT_ACTIVITY, SEPM_AFTER, SEPM_EVENT_DESCRIPTION,
	 SEPM_ANYTHING, NONE,
	 3, {FIELD(HOST, TEXT), FIELD(USER, TEXT), FIELD(DOMAIN, TEXT)},
	 "by its place behind Event Description"},

	{RECORD_ADMIN, SEPM_AFTER, SEPM_ADMIN, SEPM_ANYTHING, 0,
	 1, {EVENT}, "the event: behind Admin"},

	{RECORD_POLICY, SEPM_AFTER, SEPM_ADMIN, SEPM_ANYTHING, 0,
	 2, {EVENT, FIELD(POLICY_NAME, TEXT)}, "by its place behind Admin"},
	{RECORD_POLICY, SEPM_AFTER, SEPM_EVENT_DESCRIPTION, SEPM_ANYTHING, NONE,
	 1, {FIELD(POLICY_NAME, TEXT)},
	 "by its place behind Event Description"},

	{RECORD_SERVER_SYSTEM, SEPM_AFTER, SEPM_SERVER, SEPM_ANYTHING, 0,
	 1, {EVENT}, "the event: behind Server Name"},
	{RECORD_SERVER_SYSTEM, SEPM_AFTER, SEPM_EVENT_DESCRIPTION,
	 SEPM_ANYTHING, NONE, 0, {EVENT}, "the event goes on"},
};
/* clang-format on */

const size_t sepm_run_count = sizeof(sepm_runs) / sizeof(sepm_runs[0]);

struct span
sepm_label_modern(enum sepm_label label)
{
	return modern[label];
}
