/*
 * text - UTF-8, code pages and base64.
 */
#ifndef SEPMLOG_TEXT_H
#define SEPMLOG_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "span.h"

/*
 * How the bytes of a code page become code points of the basic plane. Every
 * byte has one, so decoding never fails: bytes that a code page leaves open
 * become the C1 control or private use code point of their own.
 */
struct text_codepage {
	const char *name; /* as the configuration spells it */
	uint16_t single[256];
	/* Double-byte code pages: pairs[lead << 8 | trail], 0 where the two are
	 * no character; NULL for single-byte ones. */
	const uint16_t *pairs;
};

extern const struct text_codepage text_windows_1252;

/* Bytes of the longest valid UTF-8 prefix (RFC 3629: no overlong forms, no
 * surrogates, nothing past U+10FFFF); in.n when all of it is valid. */
size_t text_valid_utf8(struct span in);

/*
 * Decodes text that is not valid UTF-8: with a single-byte code page the valid
 * UTF-8 sequences stay and every other byte is looked up; with a double-byte
 * one all of it is looked up. False when the arena is full.
 */
bool text_decode(struct span in, const struct text_codepage *codepage,
    struct arena *arena, struct span *out);

/* Writes a code point as UTF-8 to out (room for 4 bytes); answers its length.
 * Surrogates and what is past U+10FFFF become U+FFFD. */
size_t text_put_utf8(uint32_t code, char *out);

/* RFC 4648 base64 with padding; writes TEXT_BASE64_SIZE(in.n) bytes. */
#define TEXT_BASE64_SIZE(n) (((n) + 2) / 3 * 4)
void text_base64(struct span in, char *out);

#endif
