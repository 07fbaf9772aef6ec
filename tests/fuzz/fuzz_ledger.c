/*
 * Any bytes as the files of a ledger: an account of them ends, and a line that
 * is taken for one is what its own chain value says, or is found.
 */
#include <stdint.h>
#include <stdlib.h>

#include "account.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* Every span of an entry lies in its line. */
static void
check_entry(struct span line)
{
	static struct ledger_entry entry;
	size_t i;

	if (!ledger_parse(line, &entry))
		return;
	require(entry.type.n > 0 && entry.count <= LEDGER_MEMBERS);
	require(
	    entry.body.p == line.p && entry.body.n + LEDGER_TAIL - 1 == line.n);
	for (i = 0; i < entry.count; i++) {
		const struct ledger_member *m = &entry.member[i];

		require(
		    m->key.p >= line.p && span_end(m->key) <= span_end(line));
		require(
		    m->is_number || (m->text.p >= line.p &&
					span_end(m->text) <= span_end(line)));
	}
}

/* Lines as they are, or with the chain value that they should have. */
static void
feed(struct account *account, struct span in, bool mend)
{
	static char text[LEDGER_LINE + LEDGER_TAIL];
	uint8_t chain[SHA256_SIZE] = {0};
	static struct sha256 *sha; /* as long as the process */
	struct span line;
	size_t n;

	if (!sha)
		sha = sha256_new();
	require(sha != NULL);
	while (in.n > 0) {
		n = span_find(in, '\n');
		line = span_take(in, n);
		if (mend && n < LEDGER_LINE) {
			memcpy(text, line.p, n);
			ledger_chain(sha, chain, line);
			ledger_tail(chain, text + n);
			line = span_of(text, n + LEDGER_TAIL - 1);
		}
		check_entry(line);
		account_line(account, line, n < in.n);
		in = span_skip(in, n + 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct account_options options = {0};
	struct span in = span_of((const char *)data, size);
	struct account *account = account_new(&options);
	bool has_chain = size > 0 && memmem(data, size, "\"chain\"", 7);

	require(account != NULL);
	account_begin_file(account, "1", NULL);
	feed(account, in, !has_chain);
	account_end_file(account);
	account_live(account, SPAN("traffic"), 3, 7);
	account_end(account, true);
	account_free(account);
	return 0;
}
