#include "shown.h"

#include <stdio.h>

enum { LINE = 6144 }; /* a path and what is said of it */

size_t
shown(const char *text, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (; *text != '\0' && n + SHOWN_BYTE < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c < 0x7f && c != '\\') {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
	return n;
}

void
complain_list(const char *prefix, const char *format, va_list args)
{
	char text[LINE], line[SHOWN_BYTE * LINE];

	if (vsnprintf(text, sizeof(text), format, args) < 0)
		return;
	shown(text, line, sizeof(line));
	fprintf(stderr, "%s%s\n", prefix, line);
}

void
complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_list("", format, args);
	va_end(args);
}
