#include "recent.h"

#include <string.h>

static size_t
keep(char *out, size_t size, struct span text)
{
	size_t n = text.n < size ? text.n : size;

	if (n > 0)
		memcpy(out, text.p, n);
	return n;
}

static void
keep_text(char *out, size_t size, struct span text)
{
	out[keep(out, size - 1, text)] = '\0';
}

void
recent_add(struct recent *recent, const struct message *message,
    struct span bytes, struct span reason)
{
	struct recent_message *one = &recent->list[recent->count++ % RECENT];

	one->received_us = message->received_us;
	one->length = (size_t)message->length;
	one->n = keep(one->bytes, sizeof one->bytes, bytes);
	keep_text(one->peer, sizeof one->peer, message->peer);
	keep_text(one->reason, sizeof one->reason, reason);
}

void
recent_blank(struct recent *recent)
{
	for (size_t i = 0; i < RECENT; i++) {
		memset(recent->list[i].bytes, 0, sizeof recent->list[i].bytes);
		recent->list[i].n = 0;
	}
}

const struct recent_message *
recent_get(const struct recent *recent, size_t index)
{
	if (index >= RECENT || index >= recent->count)
		return NULL;
	return &recent->list[(recent->count - 1 - index) % RECENT];
}
