#include "show_put.h"

#include "escaped.h"

static void
put(struct evbuffer *out, struct span text, enum escaped_for where)
{
	char room[ESCAPED_ROOM];
	struct span piece;

	while (text.n > 0) {
		piece = escaped_next(&text, where, room);
		evbuffer_add(out, piece.p, piece.n);
	}
}

void
show_put_html(struct evbuffer *out, struct span text)
{
	put(out, text, ESCAPED_HTML);
}

void
show_put_quoted(struct evbuffer *out, struct span text)
{
	evbuffer_add(out, "\"", 1);
	put(out, text, ESCAPED_QUOTED);
	evbuffer_add(out, "\"", 1);
}
