#include "sepm_label.h"

#include "sepm_language.h"

enum { LABEL_MAX = 64 }; /* bytes of the longest label looked up */

/* What stands for an ASCII character: blanks of any kind, the apostrophe. */
static const struct {
	struct span from;
	char to;
} folds[] = {
    {{"\u00a0", 2}, ' '},
    {{"\u202f", 3}, ' '},
    {{"\u3000", 3}, ' '},
    {{"\u2019", 3}, '\''},
};

enum { FOLDS = sizeof(folds) / sizeof(folds[0]) };

/* Folds into out (LABEL_MAX bytes); the folded text is never longer. */
static struct span
label_fold(struct span text, char *out)
{
	size_t n = 0;

	while (text.n > 0) {
		size_t used = 1;
		int c = span_lower(span_at(text, 0));

		for (size_t i = 0; c >= 0x80 && i < FOLDS; i++)
			if (span_starts(text, folds[i].from)) {
				c = (unsigned char)folds[i].to;
				used = folds[i].from.n;
			}
		out[n++] = (char)c;
		text = span_skip(text, used);
	}
	return span_trim(span_of(out, n));
}

/* Length, first, middle and last byte tell nearly all labels apart. */
static unsigned
label_slot(struct span text)
{
	unsigned first = (unsigned char)text.p[0];
	unsigned middle = (unsigned char)text.p[text.n / 2];
	unsigned last = (unsigned char)text.p[text.n - 1];

	return ((unsigned)text.n * 37 + first * 5 + middle * 131 + last * 17) %
	       SEPM_LABEL_SLOTS;
}

static void
label_enter(uint16_t slots[SEPM_LABEL_SLOTS], struct span text, unsigned row)
{
	unsigned i = label_slot(text);

	while (slots[i] != 0)
		i = (i + 1) % SEPM_LABEL_SLOTS;
	slots[i] = (uint16_t)(row + 1);
}

/* These mean something only with their number. */
static enum sepm_label
label_unnumbered(enum sepm_label label)
{
	return label == SEPM_AGENT_MAC || label == SEPM_AGENT_GATEWAY
		   ? SEPM_NO_LABEL
		   : label;
}

static void
label_lay_out(struct sepm_guess *guess, const struct sepm_label_row *row)
{
	size_t n = row->text.n;

	guess->label = label_unnumbered(row->label);
	if (guess->label == SEPM_NO_LABEL || n >= SEPM_GUESS)
		return;
	memcpy(guess->text, row->text.p, n);
	guess->text[n] = ':';
	guess->n = (unsigned)n + 1;
	guess->mask = UINT32_MAX >> (SEPM_GUESS - guess->n);
}

static void
label_add(struct sepm_labels *labels, const struct sepm_label_row *row)
{
	char buf[LABEL_MAX];
	unsigned i = labels->rows++;

	labels->row[i] = row;
	label_enter(labels->exact, row->text, i);
	label_enter(labels->folded, label_fold(row->text, buf), i);
	label_lay_out(&labels->guess[i], row);
}

void
sepm_labels_init(struct sepm_labels *labels)
{
	memset(labels, 0, sizeof(*labels));
	for (size_t i = 0; i < SEPM_LANGUAGES; i++)
		for (size_t j = 0; j < sepm_languages[i].count; j++)
			label_add(labels, &sepm_languages[i].rows[j]);
}

/* The row of a label as SEPM writes it, + 1: nearly all are. */
static unsigned
label_find_exact(const struct sepm_labels *labels, struct span text)
{
	const uint16_t *slots = labels->exact;

	for (unsigned i = label_slot(text); slots[i] != 0;
	     i = (i + 1) % SEPM_LABEL_SLOTS)
		if (span_eq(labels->row[slots[i] - 1]->text, text))
			return slots[i];
	return 0;
}

static enum sepm_label
label_find_folded(const struct sepm_labels *labels, struct span folded)
{
	const uint16_t *slots = labels->folded;
	char buf[LABEL_MAX];

	if (folded.n == 0)
		return SEPM_NO_LABEL;
	for (unsigned i = label_slot(folded); slots[i] != 0;
	     i = (i + 1) % SEPM_LABEL_SLOTS) {
		const struct sepm_label_row *row = labels->row[slots[i] - 1];

		if (span_eq(label_fold(row->text, buf), folded))
			return row->label;
	}
	return SEPM_NO_LABEL;
}

/* `ip address 12` to `ip address` and 12; false without a number of 1 to 99. */
static bool
label_split_number(struct span folded, struct span *base, unsigned *number)
{
	size_t n = folded.n;
	unsigned value = 0, unit = 1;

	while (n > 0 && unit <= 10 &&
	       span_isdigit((unsigned char)folded.p[n - 1])) {
		value += (unsigned)(folded.p[n - 1] - '0') * unit;
		unit *= 10;
		n--;
	}
	*base = span_trim(span_take(folded, n));
	*number = value;
	return value > 0;
}

static enum sepm_label
label_numbered(enum sepm_label base)
{
	switch (base) {
	case SEPM_IP_ADDRESS:
		return SEPM_AGENT_IP;
	case SEPM_AGENT_MAC:
	case SEPM_AGENT_GATEWAY:
		return base;
	default:
		return SEPM_NO_LABEL;
	}
}

enum sepm_label
sepm_label_find(
    const struct sepm_labels *labels, struct span text, unsigned *number)
{
	char buf[LABEL_MAX];
	struct span folded, base;
	enum sepm_label label;
	unsigned row;

	*number = 0;
	if (text.n == 0 || text.n > LABEL_MAX)
		return SEPM_NO_LABEL;
	row = label_find_exact(labels, text);
	if (row != 0)
		return label_unnumbered(labels->row[row - 1]->label);
	folded = label_fold(text, buf);
	label = label_find_folded(labels, folded);
	if (label != SEPM_NO_LABEL ||
	    !label_split_number(folded, &base, number))
		return label_unnumbered(label);
	label = label_numbered(label_find_folded(labels, base));
	if (label == SEPM_NO_LABEL)
		*number = 0;
	return label;
}

const struct sepm_guess *
sepm_label_guess(const struct sepm_labels *labels, struct span text)
{
	unsigned row;

	if (text.n == 0 || text.n > LABEL_MAX)
		return NULL;
	row = label_find_exact(labels, text);
	return row != 0 && labels->guess[row - 1].n > 0
		   ? &labels->guess[row - 1]
		   : NULL;
}

bool
sepm_label_begins(struct span text)
{
	if (text.n == 0)
		return false;
	for (size_t i = 0; i < SEPM_LANGUAGES; i++)
		for (size_t j = 0; j < sepm_languages[i].count; j++)
			if (span_starts(sepm_languages[i].rows[j].text, text))
				return true;
	return false;
}
