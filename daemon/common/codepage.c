/*
 * iconv is asked once for each byte and, in double-byte code pages, for each
 * pair; what it answers becomes the table that text_decode reads. Decoding
 * itself then needs no iconv, which could fail and keeps state.
 */
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "codepage.h"

enum {
	CODEPAGE_PAIRS = 0x10000,
	PRIVATE_USE = 0xf700, /* and the byte, for those without a meaning */
};

/* clang-format off */
static const struct {
	const char *name;
	const char *iconv;
} codepages[] = {
	{ "windows-874",  "CP874" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "windows-1252", "CP1252" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "iso-8859-1",   "ISO-8859-1" },
	{ "iso-8859-2",   "ISO-8859-2" },
	{ "iso-8859-3",   "ISO-8859-3" },
	{ "iso-8859-4",   "ISO-8859-4" },
	{ "iso-8859-5",   "ISO-8859-5" },
	{ "iso-8859-6",   "ISO-8859-6" },
	{ "iso-8859-7",   "ISO-8859-7" },
	{ "iso-8859-8",   "ISO-8859-8" },
	{ "iso-8859-9",   "ISO-8859-9" },
	{ "iso-8859-10",  "ISO-8859-10" },
	{ "iso-8859-11",  "ISO-8859-11" },
	{ "iso-8859-13",  "ISO-8859-13" },
	{ "iso-8859-14",  "ISO-8859-14" },
	{ "iso-8859-15",  "ISO-8859-15" },
	{ "iso-8859-16",  "ISO-8859-16" },
	{ "koi8-r",       "KOI8-R" },
	{ "koi8-u",       "KOI8-U" },
	{ "cp437",        "CP437" },
	{ "cp850",        "CP850" },
	{ "cp852",        "CP852" },
	{ "cp866",        "CP866" },
	{ "cp932",        "CP932" },
	{ "cp936",        "CP936" },
	{ "cp949",        "CP949" },
	{ "cp950",        "CP950" },
};
/* clang-format on */

/* The pairs live behind the code page, so that both are freed as one. */
struct owned {
	struct text_codepage page;
	uint16_t pairs[];
};

enum meaning {
	MEANS_CODE,    /* *code is set */
	MEANS_LEAD,    /* more bytes are needed */
	MEANS_NOTHING, /* no character, or none that a table can hold */
};

static enum meaning
ask(iconv_t cd, const unsigned char *bytes, size_t n, uint16_t *code)
{
	char in_bytes[2] = {(char)bytes[0], n > 1 ? (char)bytes[1] : '\0'};
	unsigned char out_bytes[8];
	char *in = in_bytes, *out = (char *)out_bytes;
	size_t room = sizeof(out_bytes), left = n;
	bool fits;

	iconv(cd, NULL, NULL, NULL, NULL);
	if (iconv(cd, &in, &left, &out, &room) == (size_t)-1)
		return errno == EINVAL ? MEANS_LEAD : MEANS_NOTHING;
	/* Letters that may take an accent are held back: see windows-1258. */
	iconv(cd, NULL, NULL, &out, &room);
	fits = room == sizeof(out_bytes) - 2;
	if (!fits)
		return MEANS_NOTHING;
	*code = (uint16_t)(out_bytes[0] | out_bytes[1] << 8);
	return MEANS_CODE;
}

static uint16_t
own_code(unsigned byte)
{
	return (uint16_t)(byte < 0xa0 ? byte : PRIVATE_USE + byte);
}

/* Fills `single`; marks the bytes that start a pair. Answers their number. */
static size_t
fill_single(iconv_t cd, uint16_t *single, bool *lead)
{
	size_t leads = 0;

	for (unsigned i = 0; i < 256; i++) {
		unsigned char byte = (unsigned char)i;
		enum meaning meaning = ask(cd, &byte, 1, &single[i]);

		lead[i] = meaning == MEANS_LEAD;
		leads += lead[i];
		if (meaning != MEANS_CODE)
			single[i] = own_code(i);
	}
	return leads;
}

static void
fill_pairs(iconv_t cd, const bool *lead, uint16_t *pairs)
{
	for (unsigned i = 0; i < CODEPAGE_PAIRS; i++) {
		unsigned char bytes[2] = {
		    (unsigned char)(i >> 8), (unsigned char)i};

		if (lead[bytes[0]] &&
		    ask(cd, bytes, 2, &pairs[i]) != MEANS_CODE)
			pairs[i] = 0;
	}
}

static struct owned *
build(const char *name, iconv_t cd)
{
	struct text_codepage page = {.name = name};
	bool lead[256];
	size_t pairs =
	    fill_single(cd, page.single, lead) > 0 ? CODEPAGE_PAIRS : 0;
	struct owned *owned =
	    calloc(1, sizeof(*owned) + pairs * sizeof(owned->pairs[0]));

	if (!owned)
		return NULL;
	owned->page = page;
	if (pairs > 0) {
		fill_pairs(cd, lead, owned->pairs);
		owned->page.pairs = owned->pairs;
	}
	return owned;
}

struct text_codepage *
codepage_load(const char *name)
{
	const size_t count = sizeof(codepages) / sizeof(codepages[0]);
	struct owned *owned;
	size_t i = 0;
	iconv_t cd;

	while (i < count && strcmp(codepages[i].name, name) != 0)
		i++;
	if (i == count)
		return NULL;
	cd = iconv_open("UTF-16LE", codepages[i].iconv);
	if (cd == (iconv_t)-1)
		return NULL;
	owned = build(codepages[i].name, cd);
	iconv_close(cd);
	return owned ? &owned->page : NULL;
}

void
codepage_free(struct text_codepage *codepage)
{
	/* The first member of what was allocated. */
	free(codepage);
}
