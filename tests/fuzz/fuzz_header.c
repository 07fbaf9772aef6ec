/* The header alone: what is peeled and what is left are parts of the input. */
#include <stdint.h>
#include <stdlib.h>

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
	return 0;
}
