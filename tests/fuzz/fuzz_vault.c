/*
 * A file of the vault by anybody: nothing of it is read outside its bounds.
 * Behind the first byte, either such a file, or a message as it is when it was
 * opened; that is sealed, and opens to the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "vault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char opened[VAULT_MESSAGE], frame[VAULT_FRAME];

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* Reads all that entries point to. */
static void
read_message(struct span message)
{
	struct vault_entry entry;
	volatile char last;

	while (vault_next(&message, &entry)) {
		require(span_end(entry.token) == entry.value.p);
		require(span_end(entry.value) == message.p);
		if (entry.token.n > 0)
			last = entry.token.p[entry.token.n - 1];
		if (entry.value.n > 0)
			last = entry.value.p[entry.value.n - 1];
		(void)last;
	}
}

static void
read_file(struct span file, const uint8_t key[HPKE_KEY])
{
	struct hpke *hpke = NULL;
	struct span message;
	size_t n;

	if (vault_open(file, key, &hpke) != VAULT_OPENED)
		return;
	file = span_skip(file, VAULT_HEADER);
	while (file.n >= VAULT_LENGTH) {
		n = vault_frame_size(file.p);
		if (n == 0 || n > file.n - VAULT_LENGTH)
			break;
		if (vault_unseal(hpke, span_take(file, VAULT_LENGTH + n),
			opened, &message))
			read_message(message);
		file = span_skip(file, VAULT_LENGTH + n);
	}
	hpke_free(hpke);
}

static void
seal_message(struct span message, const uint8_t key[HPKE_KEY])
{
	uint8_t public[HPKE_KEY];
	char header[VAULT_HEADER];
	struct hpke *seal, *open = NULL;
	struct span again;
	size_t n;

	message = span_take(message, VAULT_MESSAGE);
	read_message(message);
	if (message.n == 0)
		return;
	require(hpke_public(key, public));
	seal = vault_begin(public, header);
	require(seal != NULL);
	require(vault_open(span_of(header, sizeof(header)), key, &open) ==
		VAULT_OPENED);
	n = vault_seal(seal, message, frame);
	require(vault_frame_size(frame) == n - VAULT_LENGTH);
	require(vault_unseal(open, span_of(frame, n), opened, &again));
	require(span_eq(again, message));
	hpke_free(seal);
	hpke_free(open);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of((const char *)data, size);
	uint8_t key[HPKE_KEY];

	memset(key, 0x42, sizeof(key));
	if (size == 0)
		return 0;
	if (data[0] == 'f')
		read_file(span_skip(bytes, 1), key);
	else
		seal_message(span_skip(bytes, 1), key);
	return 0;
}
