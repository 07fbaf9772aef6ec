/*
 * sepmlogctl doctor - why does nothing arrive? What the daemon knows itself
 * (sepmlogctl status), and what only someone beside it can see: that it does
 * not run, that nobody listens, what the kernel refuses.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "ctl.h"
#include "netstat.h"
#include "settings.h"
#include "uploads.h"

enum {
	LINE = 512,
	LISTENING = 10, /* TCP_LISTEN, as /proc/net/tcp says it */
	PAUSE = 2,      /* s in which counters may rise */
};

static const char usage_text[] =
    "usage: sepmlogctl doctor [OPTION...]\n"
    "\n"
    "Looks for whatever keeps messages from arriving or being stored, and\n"
    "says how it is known and what to do. Takes two seconds.\n"
    "\n"
    "  -c, --config FILE  of the daemon (" CTL_CONFIG ")\n"
    "  -h, --help\n"
    "\n"
    "Exit: 0 nothing is wrong, 1 there are findings, 2 wrong use, 3 it could\n"
    "not look.\n";

struct doctor {
	const struct config *config;
	unsigned findings;
};

static void __attribute__((format(printf, 2, 3)))
good(const char *what, const char *format, ...)
{
	va_list args;

	printf("ok %s: ", what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void __attribute__((format(printf, 3, 4)))
finding(struct doctor *d, const char *cure, const char *format, ...)
{
	va_list args;

	d->findings++;
	printf("!! ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n   %s\n", cure);
}

/* --- what the kernel says --- */

static void
look_at_counters(struct doctor *d)
{
	const struct timespec pause = {.tv_sec = PAUSE};
	struct netstat_udp before, now;
	struct netstat netstat;
	bool seen;

	netstat_open(&netstat, "/proc/self/net");
	seen = netstat_read(&netstat, &before);
	nanosleep(&pause, NULL);
	seen = seen && netstat_read(&netstat, &now);
	netstat_close(&netstat);
	if (!seen)
		return;
	if (now.no_ports > before.no_ports)
		finding(d, netstat_wrong_port,
		    "%" PRIu64 " datagrams came in %d seconds to ports where "
		    "nobody listens.",
		    now.no_ports - before.no_ports, PAUSE);
	if (now.memory > before.memory)
		finding(d, "Raise the sysctl net.ipv4.udp_mem.",
		    "The kernel has no memory for datagrams: %" PRIu64
		    " dropped in %d seconds.",
		    now.memory - before.memory, PAUSE);
	if (now.buffer > before.buffer)
		finding(d,
		    "If they are sepmlogd's: raise receive_buffer and "
		    "net.core.rmem_max.",
		    "Receive buffers are full: %" PRIu64
		    " datagrams dropped in %d seconds.",
		    now.buffer - before.buffer, PAUSE);
	if (now.no_ports == before.no_ports && now.memory == before.memory &&
	    now.buffer == before.buffer)
		good("kernel", "no datagram was dropped in %d seconds", PAUSE);
}

/* --- who listens --- */

/* Does a line of /proc/net/{udp,tcp}* stand for a listener at the port? */
static bool
is_listener(const char *line, in_port_t port, bool tcp)
{
	unsigned local, state;

	return sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x",
		   &local, &state) == 2 &&
	       local == port && (!tcp || state == LISTENING);
}

static bool
anyone_in(const char *path, in_port_t port, bool tcp)
{
	FILE *file = fopen(path, "re");
	char line[LINE];
	bool found = false;

	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof line, file) != NULL)
		found = is_listener(line, port, tcp);
	fclose(file);
	return found;
}

static bool
anyone_at(in_port_t port, bool tcp)
{
	return anyone_in(tcp ? "/proc/net/tcp" : "/proc/net/udp", port, tcp) ||
	       anyone_in(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", port, tcp);
}

static in_port_t
port_of(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return ntohs(
		    ((const struct sockaddr_in6 *)(const void *)address)
			->sin6_port);
	return ntohs(
	    ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static void
look_at_listeners(struct doctor *d)
{
	static const struct {
		const char *name, *unit;
	} kinds[] = {
	    [CONFIG_UDP] = {"udp", "sepmlogd-udp.socket"},
	    [CONFIG_TCP] = {"tcp", "sepmlogd-tcp.socket"},
	    [CONFIG_TLS] = {"tls", "sepmlogd-tls.socket"},
	};

	for (size_t i = 0; i < d->config->listens; i++) {
		const struct config_listen *l = &d->config->listen[i];
		char cure[LINE];

		if (anyone_at(port_of(&l->addr), l->transport != CONFIG_UDP)) {
			good("listening", "%s %s", kinds[l->transport].name,
			    l->text);
			continue;
		}
		snprintf(cure, sizeof cure,
		    "systemctl enable --now %s sepmlogd.service (if it runs, "
		    "after systemctl stop sepmlogd.service); journalctl -u "
		    "sepmlogd says why if that fails.",
		    kinds[l->transport].unit);
		finding(d, cure, "Nobody listens at %s %s.",
		    kinds[l->transport].name, l->text);
	}
}

/* --- the spool --- */

static void
look_at_spool(struct doctor *d)
{
	const char *path = d->config->spool.directory;
	struct statvfs fs;
	double room, inodes;

	if (statvfs(path, &fs) < 0) {
		finding(d,
		    "systemd-tmpfiles --create makes it; or make it for the "
		    "user of the service.",
		    "%s: %s.", path, strerrordesc_np(errno));
		return;
	}
	room = 100.0 * (double)fs.f_bavail /
	       (double)(fs.f_blocks > 0 ? fs.f_blocks : 1);
	inodes = fs.f_files > 0
		     ? 100.0 * (double)fs.f_favail / (double)fs.f_files
		     : 100;
	if (fs.f_flag & ST_RDONLY)
		finding(d, "Look at the kernel's log; then mount it again.",
		    "%s is mounted read-only.", path);
	else if (room < d->config->spool.min_free_percent || inodes < 1)
		finding(d, "Make room, or lower spool.min_free.",
		    "%s: its disk has %.1f %% of its space and %.1f %% of its "
		    "inodes left.",
		    path, room, inodes);
	else
		good("disk", "%s: %.0f %% free", path, room);
}

/* --- the uploader --- */

static void
look_at_target(struct doctor *d, const struct delivery *t)
{
	char since[LINE];

	if (!t->fails) {
		good("upload", "%s: %" PRIu64 " files wait", t->name,
		    t->waiting);
		return;
	}
	uploads_since(t->since, since, sizeof since);
	finding(d,
	    "What has failed is tried again by itself, at most every five "
	    "minutes; nothing is lost meanwhile while spool.quota lasts.",
	    "The target %s has failed for %s, and %" PRIu64
	    " files wait for it: %s",
	    t->name, since, t->waiting, t->reason);
}

static void
look_at_uploads(struct doctor *d)
{
	struct deliveries seen;
	char ago[LINE];

	if (!deliveries_read(d->config->spool.directory, &seen))
		return; /* there is none */
	if (!uploads_is_fresh(&seen)) {
		uploads_since(seen.written, ago, sizeof ago);
		finding(d,
		    "systemctl start sepmlog-upload.service; journalctl -u "
		    "sepmlog-upload says why if that fails. If none is wanted "
		    "any more, remove upload/status in the spool.",
		    "sepmlog-upload has not been seen for %s.", ago);
		return;
	}
	for (size_t i = 0; i < seen.count; i++)
		look_at_target(d, &seen.target[i]);
}

/* --- what the daemon says --- */

static void
look_at_daemon(struct doctor *d)
{
	const struct config_status *where = &d->config->status;
	unsigned code = 0;
	char *text;

	if (where->listen == NULL) {
		finding(d,
		    "Add `status: { listen: /run/sepmlogd/status.sock }` and "
		    "restart it.",
		    "sepmlogd cannot be asked: there is no status.listen.");
		return;
	}
	text = ask(where, "/warnings.txt", &code);
	if (text == NULL) {
		finding(d, ask_why(), "sepmlogd does not answer at %s.",
		    where->listen);
		return;
	}
	if (*text == '\0')
		good("sepmlogd", "it answers, and warns of nothing");
	d->findings += *text != '\0';
	fputs(text, stdout);
	free(text);
}

/* --- all of it --- */

static enum ctl_exit
examine(const char *path)
{
	struct settings *settings = settings_load(path, stdout);
	struct doctor d = {0};

	if (settings == NULL) {
		printf("!! The configuration has errors: a start or reload "
		       "is refused.\n   Mend the lines above; sepmlogd -n "
		       "checks it.\n");
		return CTL_FINDINGS;
	}
	d.config = settings_config(settings);
	good("configuration", "%s", path);
	look_at_listeners(&d);
	look_at_spool(&d);
	look_at_uploads(&d);
	look_at_counters(&d);
	look_at_daemon(&d);
	settings_free(settings);
	return d.findings > 0 ? CTL_FINDINGS : CTL_DONE;
}

enum ctl_exit
ctl_doctor(int argc, char **argv)
{
	static const struct option names[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	const char *config = CTL_CONFIG;
	int option;

	while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1)
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return CTL_DONE;
		default:
			fputs(usage_text, stderr);
			return CTL_USAGE;
		}
	if (optind < argc) {
		fputs(usage_text, stderr);
		return CTL_USAGE;
	}
	return examine(config);
}
