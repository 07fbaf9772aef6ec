#include "demo.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* An IPv6 address needs brackets before its port. */
static void
put_listen(FILE *out, const char *address)
{
	static const char *const transports[] = {"udp", "tcp"};
	bool v6 = strchr(address, ':') != NULL;

	for (size_t i = 0; i < 2; i++) {
		fprintf(out, "  - %s: ", transports[i]);
		fprintf(out, v6 ? "'[%s]:5514'\n" : "'%s:5514'\n", address);
	}
}

char *
demo_text(const char *directory, const char *address)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	fputs("listen:\n", out);
	put_listen(out, address != NULL ? address : "127.0.0.1");
	if (address == NULL && has_v6())
		put_listen(out, "::1");
	fputs(spool, out);
	put_quoted(out, directory);
	fputs("\nstatus: { listen: '127.0.0.1:9514' }\n", out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
