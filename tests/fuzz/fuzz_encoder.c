/* A record of any text in any field, made from the input, to every format. */
#include <stdint.h>

#include "receive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA = 1 << 16 };

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
		if (record_field_info[f].kind == RECORD_UINT)
			record_set_number(r, f, n * UINT64_C(0x123456789));
		else if (record_field_info[f].kind == RECORD_TIME)
			record_set_time(r, f, (int64_t)n * 86399 - 86400);
		if (text_valid_utf8(text) != text.n &&
		    !text_decode(text, &text_windows_1252, arena, &text))
			continue;
		if (record_field_info[f].kind == RECORD_TEXT)
			record_set_text(r, f, text);
		if (f == RECORD_F_EXTRA && n > 1 &&
		    r->extras < RECORD_MAX_EXTRA) {
			r->extra[r->extras++] =
			    (struct record_extra){text, text};
			record_mark(r, RECORD_F_EXTRA);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena arena;
	static struct record record;

	if (size > RECEIVE_MAX)
		return 0;
	if (arena.base == NULL && !arena_init(&arena, ARENA))
		abort();
	arena_reset(&arena);
	record_reset(&record);
	record.type = RECORD_TRAFFIC;
	record_set_text(&record, RECORD_F_TYPE, SPAN("traffic"));
	record.original = span_of((const char *)data, size);
	fill(&record, record.original, &arena);
	/* label and value of an extra come from the same bytes here */
	receive_encode(&record, 4 * size);
	return 0;
}
