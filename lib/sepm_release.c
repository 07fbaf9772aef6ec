/*
 * What a line tells of the release that wrote it. Traffic has changed the most;
 * of the other logs a few fields are younger than the log itself. In languages
 * whose older labels are not known less is told.
 */
#include "sepm_read.h"

static bool
is_called(const struct sepm_body *body, enum sepm_label label, struct span text)
{
	for (size_t i = 0; i < body->count; i++)
		if (body->piece[i].id == label)
			return span_eq(body->piece[i].label, text);
	return false;
}

static bool
has_hashes(const struct sepm_body *body)
{
	return sepm_has(body, SEPM_SHA256) || sepm_has(body, SEPM_MD5);
}

static enum record_release
old_traffic(const struct sepm_body *body)
{
	if (has_hashes(body))
		return RECORD_RELEASE_14_0;
	return sepm_has(body, SEPM_ACTION) ? RECORD_RELEASE_12_1
					   : RECORD_RELEASE_11;
}

static enum record_release
new_traffic(const struct sepm_body *body)
{
	if (!has_hashes(body))
		return RECORD_RELEASE_14_2_BARE;
	if (is_called(body, SEPM_LOCAL_IP, SPAN("Local Host")))
		return RECORD_RELEASE_14_2;
	if (!is_called(body, SEPM_LOCAL_IP, SPAN("Local Host IP")))
		return RECORD_RELEASE_14_2_ON;
	return is_called(body, SEPM_END, SPAN("End Time"))
		   ? RECORD_RELEASE_14_3
		   : RECORD_RELEASE_14_3_EARLY;
}

enum record_release
sepm_release(const struct sepm_body *body)
{
	if ((body->record->flags & RECORD_TRUNCATED) != 0 || body->ordered)
		return RECORD_RELEASE_UNTOLD;
	if (sepm_has(body, SEPM_CORRELATION_ID))
		return RECORD_RELEASE_14_3_LATER;
	if (body->sepm != SEPM_NO_PIECE)
		return RECORD_RELEASE_14_3_RU1;
	if (sepm_has(body, SEPM_URL_RISK))
		return RECORD_RELEASE_14_3_RU1_ON;
	if (body->record->type != RECORD_TRAFFIC)
		return RECORD_RELEASE_UNTOLD;
	return sepm_is_new_style(body) ? new_traffic(body) : old_traffic(body);
}
