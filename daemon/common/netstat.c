#include "netstat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 10, PATH = 256 };

const char netstat_wrong_port[] =
    "SEPM may send to another port than those of `listen`: compare them. "
    "`tcpdump -ni any udp` shows which.";

static int
open_in(const char *directory, const char *name)
{
	char path[PATH];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void
netstat_open(struct netstat *n, const char *directory)
{
	n->v4 = open_in(directory, "snmp");
	n->v6 = open_in(directory, "snmp6");
}

void
netstat_close(struct netstat *n)
{
	if (n->v4 >= 0)
		close(n->v4);
	if (n->v6 >= 0)
		close(n->v6);
	n->v4 = n->v6 = -1;
}

/* All of it, as it is now. */
static bool
read_text(int fd, char text[FILE_MAX])
{
	size_t n = 0;
	ssize_t got = fd >= 0 ? 1 : -1;

	while (got > 0 && n < FILE_MAX - 1) {
		got = pread(fd, text + n, FILE_MAX - 1 - n, (off_t)n);
		n += got > 0 ? (size_t)got : 0;
	}
	text[n] = '\0';
	return got >= 0;
}

/* The number under `name` in the two lines that begin with `Udp:`; 0: none. */
static uint64_t
column(const char *text, const char *name)
{
	const char *names = strstr(text, "\nUdp: ");
	const char *values =
	    names != NULL ? strstr(names + 1, "\nUdp: ") : NULL;
	size_t length = strlen(name);
	uint64_t value = 0;

	if (values == NULL)
		return 0;
	for (names += 5, values += 5; *names == ' ' && *values == ' ';
	     names += strcspn(names, " \n"), values += strcspn(values, " \n")) {
		values += strspn(values, " ");
		names += strspn(names, " ");
		if (strncmp(names, name, length) == 0 &&
		    strchr(" \n", names[length]) != NULL)
			sscanf(values, "%" SCNu64, &value);
	}
	return value;
}

/* The number behind `name` at the begin of a line; 0: none. */
static uint64_t
row(const char *text, const char *name)
{
	const char *line = strstr(text, name);
	uint64_t value = 0;

	if (line != NULL)
		sscanf(line + strlen(name), "%" SCNu64, &value);
	return value;
}

bool
netstat_read(const struct netstat *n, struct netstat_udp *udp)
{
	char text[FILE_MAX];
	bool v4 = read_text(n->v4, text), v6;

	*udp = (struct netstat_udp){0};
	if (v4) {
		udp->no_ports = column(text, "NoPorts");
		udp->buffer = column(text, "RcvbufErrors");
		udp->memory = column(text, "MemErrors");
	}
	v6 = read_text(n->v6, text);
	if (v6) {
		udp->no_ports += row(text, "\nUdp6NoPorts");
		udp->buffer += row(text, "\nUdp6RcvbufErrors");
		udp->memory += row(text, "\nUdp6MemErrors");
	}
	return v4 || v6;
}
