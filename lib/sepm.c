/*
 * What a body is. The type is told from the labels that are there and from
 * the bare fields between them (formats: decision list); the order of the
 * tests matters. Each type then says which field is the client.
 */
#include "sepm.h"

static const char *const reason_empty = "nothing behind SEPM's tag";
static const char *const reason_foreign =
    "not SEPM: neither its tag nor the shape of one of its logs";
static const char *const reason_unknown = "no known shape of a SEPM log";
static const char *const reason_tail =
    "the tail of a record that was cut in two";
static const char *const reason_cut = "cut before the log can be told";

static bool
is_bare(const struct sepm_body *body, size_t i)
{
	return i < body->count && body->piece[i].id == SEPM_NO_LABEL;
}

/* Bare fields directly before field `i`. */
static size_t
bare_before(const struct sepm_body *body, size_t i)
{
	size_t n = 0;

	while (n < i && is_bare(body, i - n - 1))
		n++;
	return n;
}

static bool
has_local(const struct sepm_body *body)
{
	return body->locals > 0 || sepm_has(body, SEPM_LOCAL_IP);
}

static bool
has_remote(const struct sepm_body *body)
{
	return body->remotes > 0 || sepm_has(body, SEPM_REMOTE_IP);
}

static bool
has_cids(const struct sepm_body *body)
{
	return sepm_has(body, SEPM_CIDS_ID) ||
	       sepm_has(body, SEPM_CIDS_STRING) ||
	       sepm_has(body, SEPM_CIDS_SUBID);
}

/* *direction*, *protocol* and a slot before `Begin`: a bare one, or the
 * labelled intrusion id. */
static bool
is_security(const struct sepm_body *body)
{
	size_t slot, run;

	if (has_cids(body))
		return true;
	if (body->begin == body->count || body->begin < 3)
		return false;
	slot = body->begin - 1;
	if (!is_bare(body, slot) && body->piece[slot].id != SEPM_INTRUSION_ID)
		return false;
	run = bare_before(body, slot);
	return run >= 2 && sepm_is_direction(body->piece[slot - 2].value) &&
	       sepm_is_protocol(body->piece[slot - 1].value);
}

static bool
is_packet(const struct sepm_body *body)
{
	size_t i = body->application;

	return i < body->count && i > 0 && body->begin == body->count &&
	       is_bare(body, i - 1) &&
	       (sepm_is_direction(body->piece[i - 1].value) ||
		   sepm_has(body, SEPM_ACTION)) &&
	       has_local(body) && has_remote(body);
}

static bool
is_traffic(const struct sepm_body *body)
{
	size_t run = bare_before(body, body->begin);

	if (!has_local(body) || !has_remote(body) ||
	    body->begin == body->count || is_security(body))
		return false;
	return sepm_has(body, SEPM_RULE) ||
	       (run >= 2 &&
		   sepm_is_direction(body->piece[body->begin - 1].value));
}

/*
 * Cut before `Begin`: a MAC beside a port is in no other log (packet has no
 * MAC; security has no port so early), nor is a third `Local:`.
 */
static bool
is_traffic_head(const struct sepm_body *body)
{
	return body->begin == body->count && !has_cids(body) &&
	       body->application == body->count &&
	       (body->locals >= 3 || (sepm_has(body, SEPM_LOCAL_PORT) &&
					 sepm_has(body, SEPM_LOCAL_MAC)));
}

static bool
is_behavior(const struct sepm_body *body)
{
	return body->begin < body->count && sepm_has(body, SEPM_RULE) &&
	       (sepm_has(body, SEPM_ACTION_TYPE) ||
		   sepm_has(body, SEPM_DEVICE_ID)) &&
	       !has_local(body) && !has_remote(body);
}

static bool
is_label(const struct sepm_body *body, size_t i, enum sepm_label label)
{
	return i < body->count && body->piece[i].id == label;
}

/*
 * The logs that begin with `Site`, `Server`: what follows these, `Domain` and
 * `Admin` is a text, labelled or not, and as many bare fields as tell them
 * apart. What reads like a label there is text, too.
 */
static enum record_type
site_type(const struct sepm_body *body)
{
	size_t i = body->first, texts;

	if (!is_label(body, i, SEPM_SITE) ||
	    !is_label(body, i + 1, SEPM_SERVER))
		return RECORD_UNPARSED;
	i += 2;
	if (!is_label(body, i, SEPM_DOMAIN))
		return i < body->count ? RECORD_SERVER_SYSTEM : RECORD_UNPARSED;
	i++;
	texts = body->count - i;
	if (is_label(body, i, SEPM_ADMIN)) {
		if (texts < 2)
			return RECORD_UNPARSED;
		return texts == 2 ? RECORD_ADMIN : RECORD_POLICY;
	}
	return texts >= 4 ? RECORD_AGENT_ACTIVITY : RECORD_UNPARSED;
}

/* The client and `Category`, or an empty client. */
static bool
is_agent_system(const struct sepm_body *body)
{
	return is_label(body, body->first, SEPM_CATEGORY) && body->first >= 1 &&
	       body->first <= 2;
}

static enum record_type
tell_type(const struct sepm_body *body)
{
	if (sepm_has(body, SEPM_DETECTION_TYPE))
		return RECORD_PROACTIVE;
	if (sepm_has(body, SEPM_RISK_NAME))
		return RECORD_RISK;
	if (is_agent_system(body))
		return RECORD_AGENT_SYSTEM;
	if (is_packet(body))
		return RECORD_PACKET;
	if (is_traffic(body))
		return RECORD_TRAFFIC;
	if (is_security(body))
		return RECORD_SECURITY;
	if (is_label(body, body->first, SEPM_SCAN_ID))
		return RECORD_SCAN;
	if (is_behavior(body))
		return RECORD_BEHAVIOR;
	if (site_type(body) != RECORD_UNPARSED)
		return site_type(body);
	return is_traffic_head(body) ? RECORD_TRAFFIC : RECORD_UNPARSED;
}

/*
 * Without SEPM's tag one known word is not enough: other products use the same
 * labels. Is the shape strong enough to be SEPM's all the same?
 */
static bool
is_strong(const struct sepm_body *body, enum record_type type)
{
	switch (type) {
	case RECORD_RISK:
	case RECORD_PROACTIVE:
	case RECORD_SCAN:
		return sepm_has(body, SEPM_COMPUTER);
	case RECORD_AGENT_SYSTEM:
		return sepm_has(body, SEPM_EVENT_DESCRIPTION) ||
		       sepm_has(body, SEPM_EVENT_TIME) ||
		       sepm_has(body, SEPM_GROUP);
	case RECORD_TRAFFIC:
		return body->begin < body->count;
	default:
		return true;
	}
}

/*
 * The tail of a record that was cut on its way begins in the middle of the
 * order and has no client. The logs of the management server and some risk
 * logs begin with a label as a rule.
 */
static bool
is_tail(const struct sepm_body *body, enum record_type type)
{
	switch (type) {
	case RECORD_TRAFFIC:
	case RECORD_PACKET:
	case RECORD_SECURITY:
	case RECORD_BEHAVIOR:
		return body->first == 0;
	case RECORD_UNPARSED:
		return body->first == 0 && !is_label(body, 0, SEPM_SITE) &&
		       !is_label(body, 0, SEPM_SCAN_ID);
	default:
		return false;
	}
}

/* --- client and SEPM --- */

/* Which bare field is the client; SEPM_NO_PIECE: none is. A bare field before
 * it is the SEPM. */
static size_t
client_piece(const struct sepm_body *body, enum record_type type)
{
	size_t first = body->first, begin = body->begin;
	bool described;

	switch (type) {
	case RECORD_TRAFFIC:
	case RECORD_PACKET:
	case RECORD_AGENT_SYSTEM:
		return first > 0 ? first - 1 : SEPM_NO_PIECE;
	case RECORD_SECURITY:
		/* 12.1: a bare description between the client and the rest */
		described =
		    first >= 2 && (is_label(body, first, SEPM_LOCAL) ||
				      is_label(body, first, SEPM_LOCAL_IP));
		if (described)
			return first - 2;
		return first > 0 ? first - 1 : SEPM_NO_PIECE;
	case RECORD_BEHAVIOR:
		/* five bare fields before `Begin`; six with the SEPM */
		return begin >= 5 ? begin - 5 : SEPM_NO_PIECE;
	default:
		return SEPM_NO_PIECE;
	}
}

/* Which bare field is the SEPM, put in front of everything (14.3 RU1). */
static size_t
sepm_piece(const struct sepm_body *body, enum record_type type, size_t client)
{
	switch (type) {
	case RECORD_RISK:
	case RECORD_PROACTIVE:
		/* the event text is the last bare field in front */
		return body->first == 2 ? 0 : SEPM_NO_PIECE;
	case RECORD_BEHAVIOR:
		return client == 1 && body->context->name_before_tag.n == 0
			   ? 0
			   : SEPM_NO_PIECE;
	case RECORD_SCAN:
	case RECORD_ADMIN:
	case RECORD_POLICY:
	case RECORD_AGENT_ACTIVITY:
	case RECORD_SERVER_SYSTEM:
		return body->first == 1 ? 0 : SEPM_NO_PIECE;
	default:
		return client != SEPM_NO_PIECE && client > 0 ? client - 1
							     : SEPM_NO_PIECE;
	}
}

static void
set_host(struct sepm_body *body, size_t i, const char *why)
{
	const struct sepm_piece *piece = &body->piece[i];

	sepm_explain(body->context, piece->raw, SPAN("host"), why);
	record_set_text(body->record, RECORD_F_HOST, piece->value);
}

/* Notes which fields are the client and the SEPM, and sets both. A client that
 * has a label, or stands at the end, is read like any other field. */
static void
set_names(struct sepm_body *body, enum record_type type)
{
	const struct sepm_context *context = body->context;
	struct span name = context->name_after_tag;

	body->client = client_piece(body, type);
	body->sepm = sepm_piece(body, type, body->client);
	if (body->client != SEPM_NO_PIECE)
		set_host(body, body->client,
		    "the client: the bare field before the first label");
	if (name.n == 0 && body->sepm != SEPM_NO_PIECE) {
		name = body->piece[body->sepm].value;
		sepm_explain(context, body->piece[body->sepm].raw, SPAN("sepm"),
		    "one more bare field in front (14.3 RU1)");
	}
	if (name.n == 0)
		name = context->name_before_tag;
	record_set_text(body->record, RECORD_F_SEPM, name);
}

/* --- the whole --- */

static const char *
refuse(const struct sepm_body *body, const char *reason)
{
	record_set_text(body->record, RECORD_F_SEPM,
	    body->context->name_after_tag.n > 0
		? body->context->name_after_tag
		: body->context->name_before_tag);
	return reason;
}

const char *
sepm_parse(struct sepm_body *body, struct span text,
    const struct sepm_context *context, struct record *record)
{
	enum record_type type;

	text = span_trim(text);
	if (sepm_course_read(&body->courses, text, context, record))
		return NULL;
	body->context = context;
	body->record = record;
	if (text.n == 0)
		return refuse(
		    body, context->tagged ? reason_empty : reason_foreign);
	text = sepm_unquote(body, text);
	sepm_split(body, text);
	type = tell_type(body);
	if (context->tagged &&
	    (type == RECORD_UNPARSED ||
		(type == RECORD_TRAFFIC && body->begin == body->count)) &&
	    sepm_order(body))
		type = RECORD_TRAFFIC;
	if (!context->tagged &&
	    (type == RECORD_UNPARSED || !is_strong(body, type)))
		return refuse(body, reason_foreign);
	if (is_tail(body, type))
		return refuse(body, reason_tail);
	if (type == RECORD_UNPARSED)
		return refuse(
		    body, has_local(body) ? reason_cut : reason_unknown);
	record->type = type;
	set_names(body, type);
	sepm_read(body);
	return NULL;
}
