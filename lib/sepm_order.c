/*
 * Traffic in a language that nobody has told us. Its labels are unknown, but
 * the order of its fields is the same in every language, and so are addresses,
 * protocols and times. Where all of them stand in their places, it is traffic,
 * and the places say what the labels mean. Anything less is not guessed.
 */
#include "sepm.h"

struct order_row {
	enum sepm_label label, repeated; /* new style, old style */
	bool (*fits)(const struct sepm_context *, struct span);
};

static bool
fits_ip(const struct sepm_context *context, struct span value)
{
	struct span ip;

	return sepm_read_ip(value, context->arena, &ip) != SEPM_WRONG;
}

static bool
fits_mac(const struct sepm_context *context, struct span value)
{
	struct span mac;

	return sepm_read_mac(value, context->arena, &mac) != SEPM_WRONG;
}

static bool
fits_port(const struct sepm_context *context, struct span value)
{
	uint64_t port;

	(void)context;
	return sepm_read_number(value, UINT16_MAX, &port) == SEPM_VALUE;
}

static bool
fits_count(const struct sepm_context *context, struct span value)
{
	uint64_t count;

	(void)context;
	return sepm_read_number(value, INT64_MAX, &count) == SEPM_VALUE;
}

static bool
fits_time(const struct sepm_context *context, struct span value)
{
	int64_t time;
	bool twice;

	return sepm_read_time(value, TIMESTAMP_ISO, &context->clock, &time,
		   &twice) == SEPM_VALUE;
}

static bool
fits_text(const struct sepm_context *context, struct span value)
{
	(void)context;
	(void)value;
	return true;
}

/* clang-format off */
static const struct order_row ends[] = {
	{ SEPM_LOCAL_IP,	SEPM_LOCAL,		fits_ip },
	{ SEPM_LOCAL_PORT,	SEPM_LOCAL,		fits_port },
	{ SEPM_LOCAL_MAC,	SEPM_LOCAL,		fits_mac },
	{ SEPM_REMOTE_IP,	SEPM_REMOTE,		fits_ip },
	{ SEPM_REMOTE_NAME,	SEPM_REMOTE,		fits_text },
	{ SEPM_REMOTE_PORT,	SEPM_REMOTE,		fits_port },
	{ SEPM_REMOTE_MAC,	SEPM_REMOTE,		fits_mac },
};

/* Behind protocol and direction. */
static const struct order_row rest[] = {
	{ SEPM_BEGIN,		SEPM_BEGIN,		fits_time },
	{ SEPM_END,		SEPM_END,		fits_time },
	{ SEPM_OCCURRENCES,	SEPM_OCCURRENCES,	fits_count },
	{ SEPM_APPLICATION,	SEPM_APPLICATION,	fits_text },
	{ SEPM_RULE,		SEPM_RULE,		fits_text },
	{ SEPM_LOCATION,	SEPM_LOCATION,		fits_text },
	{ SEPM_USER,		SEPM_USER,		fits_text },
	{ SEPM_DOMAIN,		SEPM_DOMAIN,		fits_text },
	{ SEPM_ACTION,		SEPM_ACTION,		fits_text },
};
/* clang-format on */

enum {
	ENDS = sizeof(ends) / sizeof(ends[0]),
	REST = sizeof(rest) / sizeof(rest[0]),
	BETWEEN = 2, /* protocol and direction */
	ORDERED = ENDS + BETWEEN + REST,
	APPLICATION = 3, /* its row in rest */
};

static bool
is_hash(const struct sepm_piece *piece)
{
	return piece->id == SEPM_SHA256 || piece->id == SEPM_MD5;
}

/* Could the piece be the field of that row? */
static bool
fits(const struct sepm_body *body, size_t i, const struct order_row *row)
{
	const struct sepm_piece *piece = &body->piece[i];

	return (piece->id == SEPM_CANDIDATE || piece->id == row->label ||
		   piece->id == row->repeated) &&
	       row->fits(body->context, piece->value);
}

static bool
is_order(const struct sepm_body *body, size_t from)
{
	const struct sepm_piece *between = &body->piece[from + ENDS];

	for (size_t i = 0; i < ENDS; i++)
		if (!fits(body, from + i, &ends[i]))
			return false;
	if (between[0].id != SEPM_NO_LABEL || between[1].id != SEPM_NO_LABEL ||
	    !sepm_is_protocol(between[0].value))
		return false;
	for (size_t i = 0; i < REST; i++)
		if (!fits(body, from + ENDS + BETWEEN + i, &rest[i]))
			return false;
	return true;
}

static void
set_label(struct sepm_body *body, size_t i, enum sepm_label label)
{
	body->piece[i].id = label;
	body->labels[label / 64] |= (uint64_t)1 << label % 64;
}

bool
sepm_order(struct sepm_body *body)
{
	size_t from = body->first, behind;
	bool old;

	while (from < body->count && is_hash(&body->piece[from]))
		from++;
	behind = from + ORDERED;
	if (body->first == 0 || behind > body->count || !is_order(body, from))
		return false;
	for (size_t i = behind; i < body->count; i++)
		if (!is_hash(&body->piece[i]))
			return false;
	/* `Local:` three times over: the old style, in any language */
	old = span_eq(body->piece[from].label, body->piece[from + 1].label);
	for (size_t i = 0; i < ENDS; i++)
		set_label(
		    body, from + i, old ? ends[i].repeated : ends[i].label);
	for (size_t i = 0; i < REST; i++)
		set_label(body, from + ENDS + BETWEEN + i, rest[i].label);
	body->begin = from + ENDS + BETWEEN;
	body->application = body->begin + APPLICATION;
	body->ordered = true;
	return true;
}
