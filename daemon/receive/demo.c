#include "demo.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char listen_v4[] = "listen:\n"
				"  - udp: \"127.0.0.1:5514\"\n"
				"  - tcp: \"127.0.0.1:5514\"\n";
static const char listen_v6[] = "  - udp: \"[::1]:5514\"\n"
				"  - tcp: \"[::1]:5514\"\n";
static const char spool[] = "spool:\n"
			    "  rotate: { age: 1m }\n"
			    "  compress: none\n"
			    "  directory: ";

/* Containers often have no IPv6. */
static bool
has_v6(void)
{
	struct sockaddr_in6 any_port = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool good;

	if (fd < 0)
		return false;
	good = bind(fd, (const struct sockaddr *)(const void *)&any_port,
		   sizeof any_port) == 0;
	close(fd);
	return good;
}

/* As a double-quoted YAML scalar. */
static void
put_quoted(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

char *
demo_text(const char *directory)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	fputs(listen_v4, out);
	if (has_v6())
		fputs(listen_v6, out);
	fputs(spool, out);
	put_quoted(out, directory);
	putc('\n', out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
