/* The header alone: what is peeled and what is left are parts of the input. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "syslog_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span whole;

static void
check_inside(struct span part)
{
	if (part.n > 0 &&
	    (part.p < whole.p || span_end(part) > span_end(whole)))
		abort();
}

static void
piece_cb(void *arg, struct span piece, struct span key, const char *why)
{
	(void)arg;
	(void)key;
	(void)why;
	check_inside(piece);
}

static bool
same_part(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || a.p == b.p);
}

static bool
same_stamp(bool has, const struct timestamp *a, const struct timestamp *b)
{
	return !has ||
	       (a->kind == b->kind && a->has_offset == b->has_offset &&
		   a->offset == b->offset && a->microsecond == b->microsecond &&
		   memcmp(&a->civil, &b->civil, sizeof(a->civil)) == 0);
}

/* Without an explanation a plain header is taken in one go. */
static void
check_same(const struct syslog_header *a, const struct sepm_labels *labels)
{
	struct syslog_header b;

	syslog_header_peel(whole, labels, &b, NULL, NULL);
	if (a->facility != b.facility || a->severity != b.severity ||
	    a->tagged != b.tagged || a->has_stamp != b.has_stamp ||
	    a->has_dated != b.has_dated ||
	    !same_stamp(a->has_stamp, &a->stamp, &b.stamp) ||
	    !same_stamp(a->has_dated, &a->dated, &b.dated) ||
	    !same_part(a->severity_word, b.severity_word) ||
	    !same_part(a->name_after_tag, b.name_after_tag) ||
	    !same_part(a->name_before_tag, b.name_before_tag) ||
	    !same_part(a->body, b.body))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sepm_labels labels;
	struct syslog_header h;

	sepm_labels_init(&labels);
	whole = span_of((const char *)data, size);
	syslog_header_peel(whole, &labels, &h, piece_cb, NULL);
	check_inside(h.body);
	check_inside(h.name_after_tag);
	check_inside(h.name_before_tag);
	check_inside(h.severity_word);
	if (h.facility < -1 || h.facility > 23 || h.severity < -1 ||
	    h.severity > 7)
		abort();
	if (h.has_dated && !h.has_stamp)
		abort();
	check_same(&h, &labels);
	return 0;
}
