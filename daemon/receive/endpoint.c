#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static const struct {
	const char *word;
	int type;
} transports[] = {
    [CONFIG_UDP] = {"udp", SOCK_DGRAM},
    [CONFIG_TCP] = {"tcp", SOCK_STREAM},
    [CONFIG_TLS] = {"tls", SOCK_STREAM},
};

/* clang-format off */
static const struct {
	int error;
	const char *advice;
} advice[] = {
	{ EACCES,        "ports below 1024 need systemd's socket units, "
	                 "CAP_NET_BIND_SERVICE, or another port" },
	{ EPERM,         "a daemon whose sockets all came from systemd opens no "
	                 "others: add a socket unit, or restart it without" },
	{ EADDRINUSE,    "another socket has this port (see `ss -lnup` and "
	                 "`ss -lntp`); [::] takes IPv4, too" },
	{ EADDRNOTAVAIL, "no interface of this machine has this address" },
	{ EAFNOSUPPORT,  "the unit lets the daemon open no sockets: a socket "
	                 "unit has to: systemctl enable --now "
	                 "sepmlogd-tls.socket sepmlogd; elsewhere: "
	                 "no IPv6 here, listen on 0.0.0.0 instead of [::]" },
};
/* clang-format on */

static const struct sockaddr *
as_sockaddr(const struct sockaddr_storage *address)
{
	return (const struct sockaddr *)(const void *)address;
}

static void
set_transport(struct endpoint *e, enum config_transport transport)
{
	const struct sockaddr_in *v4 = (const void *)&e->address;
	const struct sockaddr_in6 *v6 = (const void *)&e->address;
	bool is_v6 = e->address.ss_family == AF_INET6;
	char host[INET6_ADDRSTRLEN] = "?";

	e->transport = transport;
	inet_ntop(e->address.ss_family,
	    is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, host,
	    sizeof host);
	snprintf(e->name, sizeof e->name, is_v6 ? "%s [%s]:%u" : "%s %s:%u",
	    transports[transport].word, host,
	    ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
}

static struct endpoint *
endpoint_new(enum config_transport transport, int fd,
    const struct sockaddr_storage *address)
{
	struct endpoint *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	e->fd = fd;
	e->address = *address;
	set_transport(e, transport);
	return e;
}

void
endpoint_apply(
    struct endpoint *e, const struct config_listen *entry, struct tls *tls)
{
	struct tls *before = e->tls;

	set_transport(e, entry->transport);
	e->tls = tls != NULL ? tls_hold(tls) : NULL;
	tls_release(before);
}

static void
endpoint_close(struct endpoint *e)
{
	/* Of a list without one none is closed.
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	close(e->fd);
	tls_release(e->tls);
	free(e);
}

static bool
list_new(struct endpoints *set, size_t count, char *why, size_t size)
{
	*set = (struct endpoints){0};
	set->list = calloc(count > 0 ? count : 1, sizeof(struct endpoint *));
	if (set->list == NULL)
		snprintf(why, size, "no memory");
	return set->list != NULL;
}

bool
endpoints_hold(const struct endpoints *set, const struct endpoint *one)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->list[i] == one)
			return true;
	return false;
}

void
endpoints_close(struct endpoints *set, const struct endpoints *keep)
{
	for (size_t i = 0; i < set->count; i++)
		if (keep == NULL || !endpoints_hold(keep, set->list[i]))
			endpoint_close(set->list[i]);
	free(set->list);
	*set = (struct endpoints){0};
}

bool
endpoint_is_public(const struct endpoint *e)
{
	struct in6_addr address = config_address(as_sockaddr(&e->address));

	if (IN6_IS_ADDR_V4MAPPED(&address))
		return address.s6_addr[12] != 127;
	return !IN6_IS_ADDR_LOOPBACK(&address);
}

/* Of the network that a socket is in; 0: not known. */
static uint64_t
network_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof cookie;

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n) == 0
		   ? cookie
		   : 0;
}

bool
endpoints_are_here(const struct endpoints *set)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t here = fd >= 0 ? network_of(fd) : 0;

	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < set->count; i++)
		if (network_of(set->list[i]->fd) != here)
			return false;
	return true;
}

/* --- handed over --- */

static int
socket_option(int fd, int option)
{
	int value;
	socklen_t n = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &n) == 0 ? value : -1;
}

/* What kind of listener is it? False: none of ours. */
static bool
transport_of(int fd, enum config_transport *transport)
{
	int type = socket_option(fd, SO_TYPE);

	*transport = type == SOCK_DGRAM ? CONFIG_UDP : CONFIG_TCP;
	return type == SOCK_DGRAM ||
	       (type == SOCK_STREAM && socket_option(fd, SO_ACCEPTCONN) == 1);
}

static struct endpoint *
endpoint_of_passed(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t n = sizeof address;
	enum config_transport transport;
	struct endpoint *e;

	if (getsockname(fd, (struct sockaddr *)(void *)&address, &n) < 0 ||
	    (address.ss_family != AF_INET && address.ss_family != AF_INET6) ||
	    !transport_of(fd, &transport))
		return NULL;
	/* The manager hands them over blocking unless told otherwise. */
	if (evutil_make_socket_nonblocking(fd) < 0)
		return NULL;
	e = endpoint_new(transport, fd, &address);
	if (e != NULL)
		e->passed = true;
	return e;
}

/* What it listens at is for status_new to see. */
static bool
take_status(int fd, int *status)
{
	enum config_transport transport;

	if (*status >= 0 || !transport_of(fd, &transport) ||
	    transport == CONFIG_UDP || evutil_make_socket_nonblocking(fd) < 0)
		return false;
	*status = fd;
	return true;
}

static bool
take_endpoint(int fd, struct endpoints *passed)
{
	struct endpoint *e = endpoint_of_passed(fd);

	if (e != NULL)
		passed->list[passed->count++] = e;
	return e != NULL;
}

bool
endpoints_passed(struct endpoints *passed, struct fdstore_kept *kept,
    int *status, char *why, size_t size)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	bool good = list_new(passed, n > 0 ? (size_t)n : 0, why, size);

	*status = -1;
	for (int i = 0; i < n && good; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (fdstore_collect(kept, fd, names[i]))
			continue;
		good = strcmp(names[i], "status") == 0
			   ? take_status(fd, status)
			   : take_endpoint(fd, passed);
		if (!good)
			snprintf(why, size,
			    "socket %d (%s) from the service manager is no "
			    "UDP or listening TCP socket; one for the status "
			    "needs FileDescriptorName=status",
			    fd, names[i]);
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return good;
}

/* --- bound by ourselves --- */

bool
endpoint_same_address(
    const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return a6->sin6_port == b6->sin6_port &&
		       a6->sin6_scope_id == b6->sin6_scope_id &&
		       IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
	return a4->sin_port == b4->sin_port &&
	       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

static struct endpoint *
find(const struct endpoints *have, const struct config_listen *entry)
{
	for (size_t i = 0; i < have->count; i++)
		if (transports[have->list[i]->transport].type ==
			transports[entry->transport].type &&
		    endpoint_same_address(
			&have->list[i]->address, &entry->addr))
			return have->list[i];
	return NULL;
}

/*
 * [::] takes IPv4, too: one socket for everyone. Any other IPv6 address stays
 * by itself, so that it does not get into the way of an IPv4 entry.
 */
static int
only_v6(const struct config_listen *entry)
{
	const struct sockaddr_in6 *v6 = (const void *)&entry->addr;

	return !IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) &&
	       !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
}

static bool
prepare(int fd, const struct config_listen *entry)
{
	int on = 1, only = only_v6(entry);

	/* UDP without it: a second daemon must not share the port silently. */
	if (entry->transport != CONFIG_UDP &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		return false;
	return entry->addr.ss_family != AF_INET6 ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) ==
		   0;
}

/* A socket for the entry, or -1 and errno. */
static int
bind_entry(const struct config_listen *entry)
{
	int type = transports[entry->transport].type;
	int fd = socket(
	    entry->addr.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -1;
	if (prepare(fd, entry) &&
	    bind(fd, as_sockaddr(&entry->addr), entry->addr_len) == 0 &&
	    (entry->transport == CONFIG_UDP || listen(fd, BACKLOG) == 0))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
say_why(const struct config_listen *entry, int error, char *why, size_t size)
{
	const char *hint = NULL;

	for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++)
		if (advice[i].error == error)
			hint = advice[i].advice;
	snprintf(why, size, "%s %s: %s%s%s", transports[entry->transport].word,
	    entry->text, strerrordesc_np(error), hint ? ": " : "",
	    hint ? hint : "");
}

static struct endpoint *
endpoint_bind(const struct config_listen *entry, char *why, size_t size)
{
	int fd = bind_entry(entry);
	struct endpoint *e;

	if (fd < 0) {
		say_why(entry, errno, why, size);
		return NULL;
	}
	e = endpoint_new(entry->transport, fd, &entry->addr);
	if (e == NULL) {
		close(fd);
		snprintf(why, size, "no memory");
	}
	return e;
}

bool
endpoints_open(struct endpoints *open, const struct config *config,
    const struct endpoints *have, char *why, size_t size)
{
	if (!list_new(open, config->listens, why, size))
		return false;
	for (size_t i = 0; i < config->listens; i++) {
		struct endpoint *e = find(have, &config->listen[i]);

		/* An address that is listed twice is in use, then. */
		if (e == NULL || endpoints_hold(open, e))
			e = endpoint_bind(&config->listen[i], why, size);
		if (e == NULL) {
			endpoints_close(open, have);
			return false;
		}
		open->list[open->count++] = e;
	}
	return true;
}
