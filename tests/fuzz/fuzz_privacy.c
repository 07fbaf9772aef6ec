/* A record of any text in any field, made from the input, under policies of any
 * actions: what comes out is within the bounds of a line, and a user is nowhere
 * in it. */
#include <stdint.h>

#include "privacy.h"
#include "receive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA = 1 << 16 };

static struct privacy_policy policy;

/* Bits of the input choose among what each group can have. */
static void
choose(const uint8_t *data, size_t size)
{
	policy = (struct privacy_policy){
	    .ipv4 = 24, .ipv6 = 48, .characters = 1 + data[0] % 6};
	for (size_t f = 0; f < RECORD_FIELD_COUNT; f++) {
		enum privacy_group group =
		    privacy_group_of((enum record_field)f);
		unsigned action =
		    (data[(size_t)group % size] + (unsigned)group) %
		    PRIVACY_ACTIONS;

		while ((privacy_group_info[group].actions >> action & 1) == 0)
			action = (action + 1) % PRIVACY_ACTIONS;
		policy.action[f] = (uint8_t)action;
	}
}

/* Fields by their first byte, texts up to the next 0xff; not UTF-8: decoded. */
static void
fill(struct record *r, struct span in, struct arena *arena)
{
	while (in.n > 1) {
		enum record_field f = (enum record_field)(
		    (unsigned char)in.p[0] % RECORD_FIELD_COUNT);
		struct span text = span_skip(in, 1);
		size_t n = span_find(text, '\xff');

		in = span_skip(text, n + 1);
		text = span_take(text, n);
		if (text_valid_utf8(text) != text.n &&
		    !text_decode(text, &text_windows_1252, arena, &text))
			continue;
		if (record_field_info[f].kind == RECORD_TEXT)
			record_set_text(r, f, text);
		else if (f == RECORD_F_EXTRA)
			record_add_extra(r, text, text);
	}
}

/* A name that no token has in it. */
static bool
is_telling(struct span user)
{
	bool other = false;

	for (size_t i = 0; i < user.n; i++) {
		int c = (unsigned char)user.p[i];

		if (c < ' ' || strchr("/\\@:*.", c) != NULL)
			return false;
		other = other || (!span_isalpha(c) && !span_isdigit(c));
	}
	return other && user.n >= 6 && user.n <= 64;
}

static void
check_without(const struct record *r, struct span user)
{
	char name[64], *folded;
	struct span text;

	pseudonym_fold(user, name);
	for (size_t f = 0; f < RECORD_FIELD_COUNT; f++) {
		if (!record_has(r, (enum record_field)f) ||
		    record_field_info[f].kind != RECORD_TEXT ||
		    policy.action[f] != PRIVACY_SCRUB)
			continue;
		text = r->value[f].text;
		folded = malloc(text.n);
		pseudonym_fold(text, folded);
		for (size_t i = 0; i < text.n; i++)
			if (pseudonym_found(span_of(folded, text.n), i,
				span_of(name, user.n)))
				abort();
		free(folded);
	}
}

/* One that Windows has stays. */
static bool
stays(const struct record *seen, struct span user)
{
	return span_eq(record_text(seen, RECORD_F_USER), user);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena arena;
	static struct record record;
	static struct privacy *privacy;
	const struct record *seen;
	struct span user;

	if (size == 0 || size > RECEIVE_MAX)
		return 0;
	if (privacy == NULL)
		privacy = privacy_new(SPAN("0123456789abcdef0123456789abcdef"),
		    SPAN("k2345678"), 4 * RECEIVE_MAX);
	if (privacy == NULL ||
	    (arena.base == NULL && !arena_init(&arena, ARENA)))
		abort();
	arena_reset(&arena);
	record_reset(&record);
	record.type = RECORD_TRAFFIC;
	record_set_text(&record, RECORD_F_TYPE, SPAN("traffic"));
	record.original = span_of((const char *)data, size);
	choose(data, size);
	fill(&record, record.original, &arena);
	seen = privacy_apply(privacy, &policy, &record);
	user = record_text(&record, RECORD_F_USER);
	if (policy.action[RECORD_F_USER] == PRIVACY_HMAC && is_telling(user) &&
	    !stays(seen, user))
		check_without(seen, user);
	receive_encode(seen, 4 * size);
	return 0;
}
