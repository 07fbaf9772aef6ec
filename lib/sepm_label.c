#include "sepm_label.h"

enum { LABEL_MAX = 64 }; /* bytes of the longest label looked up */

struct label_row {
	struct span text; /* folded: lower case, plain blanks, ' */
	enum sepm_label label;
};

#define ROW(literal, label)                                                    \
	{                                                                      \
		{literal, sizeof(literal) - 1}, label                          \
	}

/* clang-format off */
static const struct label_row label_rows[] = {
	/* traffic, old and new */
	ROW("local",				SEPM_LOCAL),
	ROW("remote",				SEPM_REMOTE),
	ROW("local host",			SEPM_LOCAL_IP),
	ROW("local host ip",			SEPM_LOCAL_IP),
	ROW("local port",			SEPM_LOCAL_PORT),
	ROW("local host mac",			SEPM_LOCAL_MAC),
	ROW("remote host ip",			SEPM_REMOTE_IP),
	ROW("remote host",			SEPM_REMOTE_IP),
	ROW("remote host name",			SEPM_REMOTE_NAME),
	ROW("remote port",			SEPM_REMOTE_PORT),
	ROW("remote host mac",			SEPM_REMOTE_MAC),
	ROW("begin",				SEPM_BEGIN),
	ROW("begin time",			SEPM_BEGIN),
	ROW("end",				SEPM_END),
	ROW("end time",				SEPM_END),
	ROW("occurrences",			SEPM_OCCURRENCES),
	ROW("application",			SEPM_APPLICATION),
	ROW("rule",				SEPM_RULE),
	ROW("location",				SEPM_LOCATION),
	ROW("user",				SEPM_USER),
	ROW("user name",			SEPM_USER),
	ROW("domain",				SEPM_DOMAIN),
	ROW("domain name",			SEPM_DOMAIN),
	ROW("action",				SEPM_ACTION),
	ROW("sha-256",				SEPM_SHA256),
	ROW("md-5",				SEPM_MD5),

	/* agent-info block; a number follows */
	ROW("mac address",			SEPM_AGENT_MAC),
	ROW("gateway",				SEPM_AGENT_GATEWAY),
	ROW("gateway ip",			SEPM_AGENT_GATEWAY),
	ROW("ip address",			SEPM_IP_ADDRESS),

	/* other types */
	ROW("event description",		SEPM_EVENT_DESCRIPTION),
	ROW("event type",			SEPM_OTHER),
	ROW("intrusion id",			SEPM_INTRUSION_ID),
	ROW("cids signature id",		SEPM_CIDS),
	ROW("cids signature string",		SEPM_CIDS),
	ROW("cids signature subid",		SEPM_CIDS),
	ROW("intrusion url",			SEPM_INTRUSION_URL),
	ROW("intrusion payload url",		SEPM_INTRUSION_PAYLOAD_URL),
	ROW("detection type",			SEPM_DETECTION_TYPE),
	ROW("risk name",			SEPM_RISK_NAME),
	ROW("computer name",			SEPM_COMPUTER),
	ROW("computer",				SEPM_COMPUTER),
	ROW("category",				SEPM_CATEGORY),
	ROW("scan id",				SEPM_SCAN_ID),
	ROW("action type",			SEPM_ACTION_TYPE),
	ROW("device id",			SEPM_DEVICE_ID),
	ROW("site",				SEPM_SITE),
	ROW("server",				SEPM_SERVER),
	ROW("server name",			SEPM_SERVER),
	ROW("admin",				SEPM_ADMIN),
	ROW("event time",			SEPM_EVENT_TIME),
	ROW("group",				SEPM_GROUP),
	ROW("group name",			SEPM_GROUP),
	ROW("actual action",			SEPM_OTHER),
	ROW("allowed application reason",	SEPM_OTHER),
	ROW("application hash",			SEPM_OTHER),
	ROW("application name",			SEPM_OTHER),
	ROW("application type",			SEPM_OTHER),
	ROW("application version",		SEPM_OTHER),
	ROW("category set",			SEPM_OTHER),
	ROW("category type",			SEPM_OTHER),
	ROW("certificate issuer",		SEPM_OTHER),
	ROW("certificate serial number",	SEPM_OTHER),
	ROW("certificate signer",		SEPM_OTHER),
	ROW("certificate thumbprint",		SEPM_OTHER),
	ROW("coh engine version",		SEPM_OTHER),
	ROW("command",				SEPM_OTHER),
	ROW("company name",			SEPM_OTHER),
	ROW("confidence",			SEPM_OTHER),
	ROW("correlation id",			SEPM_OTHER),
	ROW("description",			SEPM_OTHER),
	ROW("detection score",			SEPM_OTHER),
	ROW("detection source",			SEPM_OTHER),
	ROW("disposition",			SEPM_OTHER),
	ROW("download site",			SEPM_OTHER),
	ROW("downloaded by",			SEPM_OTHER),
	ROW("duration (seconds)",		SEPM_OTHER),
	ROW("event insert time",		SEPM_OTHER),
	ROW("file path",			SEPM_OTHER),
	ROW("file size (bytes)",		SEPM_OTHER),
	ROW("first seen",			SEPM_OTHER),
	ROW("hash type",			SEPM_OTHER),
	ROW("infected",				SEPM_OTHER),
	ROW("inserted",				SEPM_OTHER),
	ROW("intensive protection level",	SEPM_OTHER),
	ROW("last update time",			SEPM_OTHER),
	ROW("omitted",				SEPM_OTHER),
	ROW("permitted application reason",	SEPM_OTHER),
	ROW("prevalence",			SEPM_OTHER),
	ROW("requested action",			SEPM_OTHER),
	ROW("risk action",			SEPM_OTHER),
	ROW("risk level",			SEPM_OTHER),
	ROW("risk type",			SEPM_OTHER),
	ROW("scan type",			SEPM_OTHER),
	ROW("secondary action",			SEPM_OTHER),
	ROW("sensitivity",			SEPM_OTHER),
	ROW("signing timestamp",		SEPM_OTHER),
	ROW("source",				SEPM_OTHER),
	ROW("source computer",			SEPM_OTHER),
	ROW("source computer ip",		SEPM_OTHER),
	ROW("source computer name",		SEPM_OTHER),
	ROW("source ip",			SEPM_OTHER),
	ROW("threats",				SEPM_OTHER),
	ROW("total files",			SEPM_OTHER),
	ROW("url category",			SEPM_OTHER),
	ROW("url risk",				SEPM_OTHER),
	ROW("url tracking status",		SEPM_OTHER),
	ROW("user1",				SEPM_OTHER),
	ROW("user2",				SEPM_OTHER),
	ROW("web domain",			SEPM_OTHER),

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
	ROW("cids \u7279\u5f81 id",		SEPM_CIDS),
	ROW("cids \u7279\u5f81\u5b57\u7b26\u4e32", SEPM_CIDS),
	ROW("\u5165\u4fb5 url",			SEPM_INTRUSION_URL),

	/* French, 14.x */
	ROW("ip de l'h\u00f4te local",		SEPM_LOCAL_IP),
	ROW("port local",			SEPM_LOCAL_PORT),
	ROW("adresse ip de l'h\u00f4te distant", SEPM_REMOTE_IP),
	ROW("nom de l'h\u00f4te distant",	SEPM_REMOTE_NAME),
	ROW("port distant",			SEPM_REMOTE_PORT),
	ROW("commencer",			SEPM_BEGIN),
	ROW("r\u00e8gle",			SEPM_RULE),
	ROW("type d'action",			SEPM_ACTION_TYPE),
	ROW("id du p\u00e9riph\u00e9rique",	SEPM_DEVICE_ID),

	/* Japanese, risk */
	ROW("ip \u30a2\u30c9\u30ec\u30b9",	SEPM_IP_ADDRESS),
	ROW("\u30b3\u30f3\u30d4\u30e5\u30fc\u30bf\u540d", SEPM_COMPUTER),
	ROW("\u30ea\u30b9\u30af\u540d",		SEPM_RISK_NAME),
	ROW("\u4ef6\u6570",			SEPM_OCCURRENCES),
	ROW("\u5b9f\u969b\u306e\u51e6\u7406",	SEPM_OTHER),
};
/* clang-format on */

enum { LABEL_ROWS = sizeof(label_rows) / sizeof(label_rows[0]) };
_Static_assert(LABEL_ROWS * 2 < SEPM_LABEL_SLOTS, "half of the slots are free");

/* Length, first, middle and last byte tell nearly all labels apart. */
static unsigned
label_slot(struct span folded)
{
	unsigned first = (unsigned char)folded.p[0];
	unsigned middle = (unsigned char)folded.p[folded.n / 2];
	unsigned last = (unsigned char)folded.p[folded.n - 1];

	return ((unsigned)folded.n * 37 + first * 5 + middle * 131 +
		   last * 17) %
	       SEPM_LABEL_SLOTS;
}

void
sepm_labels_init(struct sepm_labels *labels)
{
	*labels = (struct sepm_labels){{0}};
	for (unsigned row = 0; row < LABEL_ROWS; row++) {
		unsigned i = label_slot(label_rows[row].text);

		while (labels->slot[i] != 0)
			i = (i + 1) % SEPM_LABEL_SLOTS;
		labels->slot[i] = (uint16_t)(row + 1);
	}
}

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

static enum sepm_label
label_look_up(const struct sepm_labels *labels, struct span folded)
{
	unsigned i;

	if (folded.n == 0)
		return SEPM_NO_LABEL;
	for (i = label_slot(folded); labels->slot[i] != 0;
	     i = (i + 1) % SEPM_LABEL_SLOTS) {
		const struct label_row *row = &label_rows[labels->slot[i] - 1];

		if (span_eq(row->text, folded))
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

	*number = 0;
	if (text.n == 0 || text.n > LABEL_MAX)
		return SEPM_NO_LABEL;
	folded = label_fold(text, buf);
	label = label_look_up(labels, folded);
	if (label == SEPM_AGENT_MAC || label == SEPM_AGENT_GATEWAY)
		return SEPM_NO_LABEL; /* without its number it is another's */
	if (label != SEPM_NO_LABEL ||
	    !label_split_number(folded, &base, number))
		return label;
	label = label_numbered(label_look_up(labels, base));
	if (label == SEPM_NO_LABEL)
		*number = 0;
	return label;
}

bool
sepm_label_begins(struct span text)
{
	char buf[LABEL_MAX];
	struct span folded;

	if (text.n == 0 || text.n > LABEL_MAX ||
	    (span_isalpha(span_at(text, 0)) &&
		span_lower(span_at(text, 0)) == span_at(text, 0)))
		return false;
	folded = label_fold(text, buf);
	for (size_t i = 0; i < LABEL_ROWS; i++)
		if (span_starts(label_rows[i].text, folded))
			return true;
	return false;
}
