#include "sepm_label.h"

enum { LABEL_MAX = 64 }; /* bytes of the longest label looked up */

struct label_row {
	struct span text; /* as SEPM writes it */
	enum sepm_label label;
};

#define ROW(literal, label)                                                    \
	{                                                                      \
		{literal, sizeof(literal) - 1}, label                          \
	}

/* clang-format off */
static const struct label_row label_rows[] = {
	/* traffic, old and new */
	ROW("Local",				SEPM_LOCAL),
	ROW("Remote",				SEPM_REMOTE),
	ROW("Local Host",			SEPM_LOCAL_IP),
	ROW("Local Host IP",			SEPM_LOCAL_IP),
	ROW("Local Port",			SEPM_LOCAL_PORT),
	ROW("Local Host MAC",			SEPM_LOCAL_MAC),
	ROW("Remote Host IP",			SEPM_REMOTE_IP),
	ROW("Remote Host",			SEPM_REMOTE_IP),
	ROW("Remote Host Name",			SEPM_REMOTE_NAME),
	ROW("Remote Port",			SEPM_REMOTE_PORT),
	ROW("Remote Host MAC",			SEPM_REMOTE_MAC),
	ROW("Begin",				SEPM_BEGIN),
	ROW("Begin Time",			SEPM_BEGIN),
	ROW("End",				SEPM_END),
	ROW("End Time",				SEPM_END),
	ROW("Occurrences",			SEPM_OCCURRENCES),
	ROW("Application",			SEPM_APPLICATION),
	ROW("Rule",				SEPM_RULE),
	ROW("Location",				SEPM_LOCATION),
	ROW("User",				SEPM_USER),
	ROW("User Name",			SEPM_USER),
	ROW("Domain",				SEPM_DOMAIN),
	ROW("Domain Name",			SEPM_DOMAIN),
	ROW("Action",				SEPM_ACTION),
	ROW("SHA-256",				SEPM_SHA256),
	ROW("MD-5",				SEPM_MD5),

	/* agent-info block; a number follows */
	ROW("MAC Address",			SEPM_AGENT_MAC),
	ROW("GATEWAY",				SEPM_AGENT_GATEWAY),
	ROW("GATEWAY IP",			SEPM_AGENT_GATEWAY),
	ROW("IP Address",			SEPM_IP_ADDRESS),

	/* other types */
	ROW("Event Description",		SEPM_EVENT_DESCRIPTION),
	ROW("Event Type",			SEPM_EVENT_TYPE),
	ROW("Intrusion ID",			SEPM_INTRUSION_ID),
	ROW("CIDS Signature ID",		SEPM_CIDS_ID),
	ROW("CIDS Signature string",		SEPM_CIDS_STRING),
	ROW("CIDS Signature SubID",		SEPM_CIDS_SUBID),
	ROW("Intrusion URL",			SEPM_INTRUSION_URL),
	ROW("Intrusion Payload URL",		SEPM_INTRUSION_PAYLOAD_URL),
	ROW("Detection type",			SEPM_DETECTION_TYPE),
	ROW("Risk name",			SEPM_RISK_NAME),
	ROW("Computer name",			SEPM_COMPUTER),
	ROW("Computer",				SEPM_COMPUTER),
	ROW("Category",				SEPM_CATEGORY),
	ROW("Scan ID",				SEPM_SCAN_ID),
	ROW("Action Type",			SEPM_ACTION_TYPE),
	ROW("Device ID",			SEPM_DEVICE_ID),
	ROW("Site",				SEPM_SITE),
	ROW("Server",				SEPM_SERVER),
	ROW("Server Name",			SEPM_SERVER),
	ROW("Admin",				SEPM_ADMIN),
	ROW("Event time",			SEPM_EVENT_TIME),
	ROW("Group",				SEPM_GROUP),
	ROW("Group Name",			SEPM_GROUP),
	ROW("Actual action",			SEPM_ACTUAL_ACTION),
	ROW("Allowed application reason",	SEPM_ALLOWED_REASON),
	ROW("Application hash",			SEPM_APPLICATION_HASH),
	ROW("Application name",			SEPM_APPLICATION_NAME),
	ROW("Application type",			SEPM_APPLICATION_TYPE),
	ROW("Application version",		SEPM_APPLICATION_VERSION),
	ROW("Category set",			SEPM_CATEGORY_SET),
	ROW("Category type",			SEPM_CATEGORY_TYPE),
	ROW("Certificate issuer",		SEPM_CERTIFICATE_ISSUER),
	ROW("Certificate serial number",	SEPM_CERTIFICATE_SERIAL),
	ROW("Certificate signer",		SEPM_CERTIFICATE_SIGNER),
	ROW("Certificate thumbprint",		SEPM_CERTIFICATE_THUMBPRINT),
	ROW("COH Engine Version",		SEPM_COH_ENGINE_VERSION),
	ROW("Command",				SEPM_COMMAND),
	ROW("Company name",			SEPM_COMPANY_NAME),
	ROW("Confidence",			SEPM_CONFIDENCE),
	ROW("Correlation ID",			SEPM_CORRELATION_ID),
	ROW("Description",			SEPM_DESCRIPTION),
	ROW("Detection score",			SEPM_DETECTION_SCORE),
	ROW("Detection Source",			SEPM_DETECTION_SOURCE),
	ROW("Disposition",			SEPM_DISPOSITION),
	ROW("Download site",			SEPM_DOWNLOAD_SITE),
	ROW("Downloaded by",			SEPM_DOWNLOADED_BY),
	ROW("Duration (seconds)",		SEPM_DURATION),
	ROW("Event Insert Time",		SEPM_EVENT_INSERT_TIME),
	ROW("File path",			SEPM_FILE_PATH),
	ROW("File size (bytes)",		SEPM_FILE_SIZE),
	ROW("First Seen",			SEPM_FIRST_SEEN),
	ROW("Hash type",			SEPM_HASH_TYPE),
	ROW("Infected",				SEPM_INFECTED),
	ROW("Inserted",				SEPM_EVENT_INSERT_TIME),
	ROW("Intensive Protection Level",	SEPM_PROTECTION_LEVEL),
	ROW("Last update time",			SEPM_LAST_UPDATE_TIME),
	ROW("Omitted",				SEPM_OMITTED),
	ROW("Permitted application reason",	SEPM_ALLOWED_REASON),
	ROW("Prevalence",			SEPM_PREVALENCE),
	ROW("Requested action",			SEPM_REQUESTED_ACTION),
	ROW("Risk action",			SEPM_RISK_ACTION),
	ROW("Risk Level",			SEPM_RISK_LEVEL),
	ROW("Risk type",			SEPM_RISK_TYPE),
	ROW("Scan Type",			SEPM_SCAN_TYPE),
	ROW("Secondary action",			SEPM_SECONDARY_ACTION),
	ROW("Sensitivity",			SEPM_SENSITIVITY),
	ROW("Signing timestamp",		SEPM_SIGNING_TIMESTAMP),
	ROW("Source",				SEPM_SOURCE),
	ROW("Source computer",			SEPM_SOURCE_COMPUTER_NAME),
	ROW("Source Computer IP",		SEPM_SOURCE_COMPUTER_IP),
	ROW("Source Computer Name",		SEPM_SOURCE_COMPUTER_NAME),
	ROW("Source IP",			SEPM_SOURCE_COMPUTER_IP),
	ROW("Threats",				SEPM_THREATS),
	ROW("Total files",			SEPM_TOTAL_FILES),
	ROW("URL Category",			SEPM_URL_CATEGORY),
	ROW("URL Risk",				SEPM_URL_RISK),
	ROW("URL Tracking Status",		SEPM_URL_TRACKING_STATUS),
	ROW("User1",				SEPM_USER1),
	ROW("User2",				SEPM_USER2),
	ROW("Web domain",			SEPM_WEB_DOMAIN),

	/* Chinese, 12.1 and 14.0 */
	ROW("\u672c\u5730",			SEPM_LOCAL),
	ROW("\u8fdc\u7a0b",			SEPM_REMOTE),
	ROW("\u5f00\u59cb",			SEPM_BEGIN),
	ROW("\u5e94\u7528\u7a0b\u5e8f",		SEPM_APPLICATION),
	ROW("\u89c4\u5219",			SEPM_RULE),
	ROW("\u4f4d\u7f6e",			SEPM_LOCATION),
	ROW("\u7528\u6237",			SEPM_USER),
	ROW("\u57df",				SEPM_DOMAIN),
	ROW("\u64cd\u4f5c",			SEPM_ACTION),
	ROW("CIDS \u7279\u5f81 ID",		SEPM_CIDS_ID),
	ROW("CIDS \u7279\u5f81\u5b57\u7b26\u4e32", SEPM_CIDS_STRING),
	ROW("\u5165\u4fb5 URL",			SEPM_INTRUSION_URL),

	/* French, 14.x */
	ROW("IP de l'h\u00f4te local",		SEPM_LOCAL_IP),
	ROW("Port local",			SEPM_LOCAL_PORT),
	ROW("Adresse IP de l'h\u00f4te distant", SEPM_REMOTE_IP),
	ROW("Nom de l'h\u00f4te distant",	SEPM_REMOTE_NAME),
	ROW("Port distant",			SEPM_REMOTE_PORT),
	ROW("Commencer",			SEPM_BEGIN),
	ROW("R\u00e8gle",			SEPM_RULE),
	ROW("Type d'action",			SEPM_ACTION_TYPE),
	ROW("ID du p\u00e9riph\u00e9rique",	SEPM_DEVICE_ID),

	/* Japanese, risk */
	ROW("IP \u30a2\u30c9\u30ec\u30b9",	SEPM_IP_ADDRESS),
	ROW("\u30b3\u30f3\u30d4\u30e5\u30fc\u30bf\u540d", SEPM_COMPUTER),
	ROW("\u30ea\u30b9\u30af\u540d",		SEPM_RISK_NAME),
	ROW("\u4ef6\u6570",			SEPM_OCCURRENCES),
	ROW("\u5b9f\u969b\u306e\u51e6\u7406",	SEPM_ACTUAL_ACTION),
};
/* clang-format on */

enum { LABEL_ROWS = sizeof(label_rows) / sizeof(label_rows[0]) };
_Static_assert(LABEL_ROWS * 2 < SEPM_LABEL_SLOTS, "half of the slots are free");
_Static_assert((int)LABEL_ROWS <= (int)SEPM_LABEL_ROWS, "one guess for each");

/* Folds into out (LABEL_MAX bytes); the folded text is never longer. */
static struct span
label_fold(struct span text, char *out)
{
	size_t n = 0;

	while (text.n > 0) {
		size_t used = 1;
		int c = span_lower(span_at(text, 0));

		if (span_starts(text, SPAN("\u00a0"))) {
			c = ' ';
			used = 2;
		} else if (span_starts(text, SPAN("\u2019"))) {
			c = '\'';
			used = 3;
		}
		out[n++] = (char)c;
		text = span_skip(text, used);
	}
	return span_trim(span_of(out, n));
}

/* Length, first, middle and last byte tell nearly all labels apart. */
static unsigned
label_slot(struct span text)
{
	unsigned first = (unsigned char)text.p[0];
	unsigned middle = (unsigned char)text.p[text.n / 2];
	unsigned last = (unsigned char)text.p[text.n - 1];

	return ((unsigned)text.n * 37 + first * 5 + middle * 131 + last * 17) %
	       SEPM_LABEL_SLOTS;
}

static void
label_enter(uint16_t slots[SEPM_LABEL_SLOTS], struct span text, unsigned row)
{
	unsigned i = label_slot(text);

	while (slots[i] != 0)
		i = (i + 1) % SEPM_LABEL_SLOTS;
	slots[i] = (uint16_t)(row + 1);
}

/* These mean something only with their number. */
static enum sepm_label
label_unnumbered(enum sepm_label label)
{
	return label == SEPM_AGENT_MAC || label == SEPM_AGENT_GATEWAY
		   ? SEPM_NO_LABEL
		   : label;
}

static void
label_lay_out(struct sepm_guess *guess, const struct label_row *row)
{
	size_t n = row->text.n;

	guess->label = label_unnumbered(row->label);
	if (guess->label == SEPM_NO_LABEL || n >= SEPM_GUESS)
		return;
	memcpy(guess->text, row->text.p, n);
	guess->text[n] = ':';
	guess->n = (unsigned)n + 1;
	guess->mask = UINT32_MAX >> (SEPM_GUESS - guess->n);
}

void
sepm_labels_init(struct sepm_labels *labels)
{
	char buf[LABEL_MAX];

	memset(labels, 0, sizeof(*labels));
	for (unsigned row = 0; row < LABEL_ROWS; row++) {
		struct span text = label_rows[row].text;

		label_enter(labels->exact, text, row);
		label_enter(labels->folded, label_fold(text, buf), row);
		label_lay_out(&labels->guess[row], &label_rows[row]);
	}
}

/* The row of a label as SEPM writes it, + 1: nearly all are. */
static unsigned
label_find_exact(const struct sepm_labels *labels, struct span text)
{
	const uint16_t *slots = labels->exact;

	for (unsigned i = label_slot(text); slots[i] != 0;
	     i = (i + 1) % SEPM_LABEL_SLOTS)
		if (span_eq(label_rows[slots[i] - 1].text, text))
			return slots[i];
	return 0;
}

static enum sepm_label
label_find_folded(const struct sepm_labels *labels, struct span folded)
{
	const uint16_t *slots = labels->folded;
	char buf[LABEL_MAX];

	if (folded.n == 0)
		return SEPM_NO_LABEL;
	for (unsigned i = label_slot(folded); slots[i] != 0;
	     i = (i + 1) % SEPM_LABEL_SLOTS) {
		const struct label_row *row = &label_rows[slots[i] - 1];

		if (span_eq(label_fold(row->text, buf), folded))
			return row->label;
	}
	return SEPM_NO_LABEL;
}

/* `ip address 12` to `ip address` and 12; false without a number of 1 to 99. */
static bool
label_split_number(struct span folded, struct span *base, unsigned *number)
{
	size_t n = folded.n;
	unsigned value = 0, unit = 1;

	while (n > 0 && unit <= 10 &&
	       span_isdigit((unsigned char)folded.p[n - 1])) {
		value += (unsigned)(folded.p[n - 1] - '0') * unit;
		unit *= 10;
		n--;
	}
	*base = span_trim(span_take(folded, n));
	*number = value;
	return value > 0;
}

static enum sepm_label
label_numbered(enum sepm_label base)
{
	switch (base) {
	case SEPM_IP_ADDRESS:
		return SEPM_AGENT_IP;
	case SEPM_AGENT_MAC:
	case SEPM_AGENT_GATEWAY:
		return base;
	default:
		return SEPM_NO_LABEL;
	}
}

enum sepm_label
sepm_label_find(
    const struct sepm_labels *labels, struct span text, unsigned *number)
{
	char buf[LABEL_MAX];
	struct span folded, base;
	enum sepm_label label;
	unsigned row;

	*number = 0;
	if (text.n == 0 || text.n > LABEL_MAX)
		return SEPM_NO_LABEL;
	row = label_find_exact(labels, text);
	if (row != 0)
		return label_unnumbered(label_rows[row - 1].label);
	folded = label_fold(text, buf);
	label = label_find_folded(labels, folded);
	if (label != SEPM_NO_LABEL ||
	    !label_split_number(folded, &base, number))
		return label_unnumbered(label);
	label = label_numbered(label_find_folded(labels, base));
	if (label == SEPM_NO_LABEL)
		*number = 0;
	return label;
}

const struct sepm_guess *
sepm_label_guess(const struct sepm_labels *labels, struct span text)
{
	unsigned row;

	if (text.n == 0 || text.n > LABEL_MAX)
		return NULL;
	row = label_find_exact(labels, text);
	return row != 0 && labels->guess[row - 1].n > 0
		   ? &labels->guess[row - 1]
		   : NULL;
}

bool
sepm_label_begins(struct span text)
{
	for (size_t i = 0; text.n > 0 && i < LABEL_ROWS; i++)
		if (span_starts(label_rows[i].text, text))
			return true;
	return false;
}
