/*
 * YAML text to a tree of nodes; the one file that knows libyaml.
 *
 * libyaml's events are used rather than its documents: they show the aliases,
 * which a configuration does not need and which could make a small file a
 * huge tree or an endless one. They are errors here, and so are tags.
 */
#include <stdio.h>
#include <yaml.h>

#include "config_internal.h"
#include "text.h"

enum {
	YAML_MAX_TEXT = 1024 * 1024,
	YAML_MAX_DEPTH = 16,
};

struct builder {
	struct pool *pool;
	struct config_errors *errors;
	struct node *root;
	struct node *open[YAML_MAX_DEPTH]; /* lists and maps, outermost first */
	unsigned depth;
	unsigned documents;
	/* The key that waits for its value. */
	bool has_key;
	struct span key;
	yaml_mark_t key_mark;
};

static void
complain(struct builder *b, const yaml_mark_t *mark, const char *what)
{
	config_error_add(b->errors, (unsigned)mark->line + 1,
	    (unsigned)mark->column + 1, "", what);
}

/* No memory: true is the answer of a builder step that went well. */
static bool
no_memory(struct builder *b)
{
	b->errors->incomplete = true;
	return false;
}

/* The innermost open list or map; NULL: the document. */
static struct node *
innermost(const struct builder *b)
{
	return b->depth > 0 ? b->open[b->depth - 1] : NULL;
}

/* A node below the innermost open one, under the key that waits. */
static struct node *
add_node(struct builder *b, enum node_kind kind, const yaml_mark_t *mark)
{
	struct node *parent = innermost(b);
	struct node *node = pool_take(b->pool, 1, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	node->line = (unsigned)mark->line + 1;
	node->column = (unsigned)mark->column + 1;
	node->key = b->key;
	node->key_line = (unsigned)b->key_mark.line + 1;
	node->key_column = (unsigned)b->key_mark.column + 1;
	node->parent = parent;
	b->has_key = false;
	b->key = (struct span){0};
	if (!parent) {
		b->root = node;
		return node;
	}
	node->index = parent->count++;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	return node;
}

static bool
wants_key(const struct builder *b)
{
	const struct node *at = innermost(b);

	return at && at->kind == NODE_MAP && !b->has_key;
}

/* Bytes below blank, DEL, and C1 as UTF-8: only escapes can bring them. */
static bool
has_control(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		int c = span_at(text, i), next = span_at(text, i + 1);

		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && next >= 0x80 && next <= 0x9f))
			return true;
	}
	return false;
}

static bool
is_none(const yaml_event_t *event, struct span text)
{
	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (text.n == 0 || span_eq(text, SPAN("~")) ||
		   span_eq(text, SPAN("null")));
}

static void
check_properties(struct builder *b, const yaml_event_t *event,
    const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		complain(b, &event->start_mark, "anchors are not supported");
	if (tag)
		complain(b, &event->start_mark, "tags are not supported");
}

static bool
on_alias(struct builder *b, const yaml_event_t *event)
{
	complain(b, &event->start_mark, "aliases are not supported");
	if (wants_key(b))
		return false;
	return add_node(b, NODE_SKIP, &event->start_mark) || no_memory(b);
}

static bool
on_scalar(struct builder *b, const yaml_event_t *event)
{
	struct span text = span_of(
	    (const char *)event->data.scalar.value, event->data.scalar.length);
	bool key = wants_key(b);
	struct node *node;
	char *copy;

	check_properties(
	    b, event, event->data.scalar.anchor, event->data.scalar.tag);
	if (has_control(text)) {
		complain(b, &event->start_mark,
		    "a line break or another control character in a text");
		if (key)
			return false;
		return add_node(b, NODE_SKIP, &event->start_mark) ||
		       no_memory(b);
	}
	copy = pool_text(b->pool, text);
	if (!copy)
		return no_memory(b);
	if (key) {
		b->has_key = true;
		b->key = span_of(copy, text.n);
		b->key_mark = event->start_mark;
		return true;
	}
	node = add_node(b, is_none(event, text) ? NODE_NONE : NODE_TEXT,
	    &event->start_mark);
	if (!node)
		return no_memory(b);
	node->text = span_of(copy, text.n);
	return true;
}

static bool
on_open(struct builder *b, const yaml_event_t *event, enum node_kind kind)
{
	struct node *node;

	if (wants_key(b)) {
		complain(b, &event->start_mark,
		    "a list or map where a key should be");
		return false;
	}
	if (b->depth == YAML_MAX_DEPTH) {
		complain(b, &event->start_mark, "too many levels");
		return false;
	}
	node = add_node(b, kind, &event->start_mark);
	if (!node)
		return no_memory(b);
	b->open[b->depth++] = node;
	return true;
}

static bool
on_close(struct builder *b)
{
	b->depth--;
	return true;
}

static bool
on_document(struct builder *b, const yaml_event_t *event)
{
	if (b->documents++ == 0)
		return true;
	complain(b, &event->start_mark, "a second document; only one is read");
	return false;
}

static bool
on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, event);
	case YAML_ALIAS_EVENT:
		return on_alias(b, event);
	case YAML_SCALAR_EVENT:
		return on_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		check_properties(b, event, event->data.sequence_start.anchor,
		    event->data.sequence_start.tag);
		return on_open(b, event, NODE_LIST);
	case YAML_MAPPING_START_EVENT:
		check_properties(b, event, event->data.mapping_start.anchor,
		    event->data.mapping_start.tag);
		return on_open(b, event, NODE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(b);
	default:
		return true;
	}
}

/* For errors that libyaml and text_valid_utf8 place by offset only. */
static void
complain_at_offset(
    struct builder *b, struct span text, size_t offset, const char *what)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < offset && i < text.n; i++) {
		if (text.p[i] == '\n') {
			line++;
			column = 1;
		} else if ((text.p[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	config_error_add(b->errors, line, column, "", what);
}

static void
complain_syntax(
    struct builder *b, struct span text, const yaml_parser_t *parser)
{
	char what[256];

	if (parser->error == YAML_MEMORY_ERROR) {
		no_memory(b);
	} else if (parser->error == YAML_READER_ERROR) {
		complain_at_offset(
		    b, text, parser->problem_offset, parser->problem);
	} else if (parser->context) {
		snprintf(what, sizeof(what), "YAML: %s, %s (line %zu)",
		    parser->problem, parser->context,
		    parser->context_mark.line + 1);
		complain(b, &parser->problem_mark, what);
	} else {
		snprintf(what, sizeof(what), "YAML: %s", parser->problem);
		complain(b, &parser->problem_mark, what);
	}
}

static bool
run_parser(struct builder *b, struct span text, yaml_parser_t *parser)
{
	yaml_event_t event;
	bool going, last;

	do {
		if (!yaml_parser_parse(parser, &event)) {
			complain_syntax(b, text, parser);
			return false;
		}
		last = event.type == YAML_STREAM_END_EVENT;
		going = on_event(b, &event);
		yaml_event_delete(&event);
	} while (going && !last);
	return going;
}

bool
config_yaml(struct span text, struct pool *pool, struct config_errors *errors,
    struct node **root)
{
	struct builder b = {.pool = pool, .errors = errors};
	yaml_parser_t parser;
	bool built;

	if (text.n > YAML_MAX_TEXT) {
		config_error_add(errors, 0, 0, "", "larger than 1MiB");
		return false;
	}
	if (span_starts(text, SPAN("\xef\xbb\xbf")))
		text = span_skip(text, 3);
	if (text_valid_utf8(text) < text.n) {
		complain_at_offset(&b, text, text_valid_utf8(text),
		    "bytes that are not UTF-8");
		return false;
	}
	if (!yaml_parser_initialize(&parser))
		return no_memory(&b);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &parser, (const unsigned char *)text.p, text.n);
	built = run_parser(&b, text, &parser);
	yaml_parser_delete(&parser);
	*root = b.root;
	return built;
}
