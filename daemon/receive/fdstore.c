/*
 * The manager answers nothing, and drops silently what it does not want. Two
 * things tell us even so: a barrier (sd_notify_barrier(3)) returns when all
 * before it has been dealt with, and a pipe whose other end we gave away hangs
 * up when that end was dropped.
 *
 * Connections are many, and systemd compares each descriptor that it is given
 * with all that it has: thousands keep it busy for half a minute. So they wait
 * in the queue of one local socket (SCM_RIGHTS), which is all that it gets. A
 * connection's cookie tells which is which.
 *
 * They are given when we stop, not when they are accepted, which would let them
 * outlive a kill, too: where they stand would not be known then, what was read
 * and not yet written would be missing without anyone noticing it, and every
 * end of a connection would have to wait for the manager. A sender that is cut
 * off knows.
 */
#include "fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* `stored` is what systemd itself calls what has no name. */
#define OURS "stored"
#define CONNS OURS "-connections"
#define PROBE OURS "-probe"

/* What a message in that socket carries. */
#define STATE 'S'
#define CONN 'C'

enum {
	BATCH = 250, /* SCM_MAX_FD is 253 */
	/* States are memory, of which we have what MemoryMax says. */
	STATES_MAX = 128 * 1024 * 1024,
	ANSWER_US = 2 * 1000 * 1000,
	GIVE_US = 10 * 1000 * 1000,
	NOEXEC_SEAL = 8, /* MFD_NOEXEC_SEAL, which older headers lack */
	SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
};

union ancillary {
	struct cmsghdr header;
	char room[CMSG_SPACE(BATCH * sizeof(int))];
};

struct fdstore {
	int file;
	uint64_t bytes;
	size_t count, size;
	int *fds;
};

/* --- the manager --- */

static bool
give(const char *name, int fd)
{
	char text[64];

	/* Without FDPOLL=0 a connection that its peer closes would be dropped,
	 * and with it what the peer said last. */
	snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	return sd_pid_notify_with_fds(0, 0, text, &fd, 1) > 0;
}

static void
take_back(const char *name)
{
	(void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

static bool
hangs_up(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) != 0;
}

/* Gives one end of a pipe away. Is it kept, once all has been dealt with? Then
 * there was a place for everything given before it, too. */
static bool
keeps(uint64_t wait)
{
	int ends[2];
	bool kept;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	kept = give(PROBE, ends[1]);
	close(ends[1]);
	kept = kept && sd_notify_barrier(0, wait) > 0 && !hangs_up(ends[0]);
	close(ends[0]);
	if (kept)
		take_back(PROBE);
	return kept;
}

bool
fdstore_offered(void)
{
	return getenv("NOTIFY_SOCKET") != NULL && keeps(ANSWER_US);
}

/* --- leaving --- */

/* Since Linux 6.3 it may have to be said that nothing will be executed. */
static int
memory_file(void)
{
	int fd = memfd_create(
	    "sepmlogd-state", MFD_CLOEXEC | MFD_ALLOW_SEALING | NOEXEC_SEAL);

	if (fd >= 0 || errno != EINVAL)
		return fd;
	return memfd_create("sepmlogd-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

struct fdstore *
fdstore_new(void)
{
	struct fdstore *store = calloc(1, sizeof *store);

	if (store == NULL)
		return NULL;
	store->file = memory_file();
	if (store->file < 0) {
		free(store);
		return NULL;
	}
	store->bytes = HANDOVER_HEADER;
	return store;
}

static bool
make_room(struct fdstore *store)
{
	size_t size = store->size > 0 ? 2 * store->size : BATCH;
	int *fds;

	if (store->count < store->size)
		return true;
	fds = reallocarray(store->fds, size, sizeof *fds);
	if (fds == NULL)
		return false;
	store->fds = fds;
	store->size = size;
	return true;
}

static bool
cookie_of(int fd, uint64_t *cookie)
{
	socklen_t n = sizeof *cookie;

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &n) == 0;
}

bool
fdstore_add(struct fdstore *store, int fd, struct handover_conn *state)
{
	char head[HANDOVER_RECORD];
	size_t n = sizeof head + state->kept.n;
	struct iovec parts[] = {
	    {head, sizeof head}, {(void *)state->kept.p, state->kept.n}};

	if (state->kept.n > HANDOVER_MAX_KEPT ||
	    store->bytes + n > STATES_MAX || !make_room(store) ||
	    !cookie_of(fd, &state->cookie))
		return false;
	handover_put_conn(head, state);
	if (pwritev(store->file, parts, 2, (off_t)store->bytes) != (ssize_t)n)
		return false;
	store->bytes += n;
	store->fds[store->count++] = fd;
	return true;
}

/* Nothing can be changed from here on. */
static bool
seal(struct fdstore *store)
{
	char header[HANDOVER_HEADER];

	handover_put_header(header, (uint32_t)store->count, store->bytes);
	return ftruncate(store->file, (off_t)store->bytes) == 0 &&
	       pwrite(store->file, header, sizeof header, 0) == sizeof header &&
	       fcntl(store->file, F_ADD_SEALS, SEALS) == 0;
}

/* Up to BATCH descriptors as one message of the socket. */
static bool
put(int to, char kind, const int *fds, size_t count)
{
	struct iovec data = {&kind, 1};
	union ancillary ancillary;
	struct msghdr message = {
	    .msg_iov = &data,
	    .msg_iovlen = 1,
	    .msg_control = ancillary.room,
	    .msg_controllen = CMSG_SPACE(count * sizeof *fds),
	};
	struct cmsghdr *c = &ancillary.header;

	memset(&ancillary, 0, sizeof ancillary);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof *fds);
	memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
	return sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static bool
put_all(const struct fdstore *store, int to)
{
	for (size_t i = 0; i < store->count; i += BATCH) {
		size_t n = store->count - i;

		if (!put(to, CONN, store->fds + i, n < BATCH ? n : BATCH))
			return false;
	}
	return true;
}

bool
fdstore_give(struct fdstore *store)
{
	int ends[2];
	bool given;

	if (!seal(store) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	given = put(ends[0], STATE, &store->file, 1) &&
		put_all(store, ends[0]) && give(CONNS, ends[1]) &&
		keeps(GIVE_US);
	close(ends[0]);
	close(ends[1]);
	if (!given)
		fdstore_forget();
	return given;
}

void
fdstore_free(struct fdstore *store)
{
	close(store->file);
	free(store->fds);
	free(store);
}

/* --- arriving --- */

static void
collect(int **list, size_t *count, int fd)
{
	int *longer = reallocarray(*list, *count + 1, sizeof *longer);

	if (longer == NULL) {
		close(fd);
		return;
	}
	*list = longer;
	longer[(*count)++] = fd;
}

bool
fdstore_collect(struct fdstore_kept *kept, int fd, const char *name)
{
	if (strncmp(name, OURS, strlen(OURS)) != 0)
		return false;
	if (strcmp(name, CONNS) == 0) {
		collect(&kept->sockets, &kept->socket_count, fd);
		return true;
	}
	close(fd);
	take_back(name);
	kept->unknown += strcmp(name, PROBE) != 0;
	return true;
}

static void
take_one(struct fdstore_kept *kept, char kind, int fd)
{
	if (kind == CONN) {
		collect(&kept->conns, &kept->conn_count, fd);
	} else if (kind == STATE) {
		collect(&kept->files, &kept->file_count, fd);
	} else {
		close(fd);
		kept->unknown++;
	}
}

/* Takes a message out of the socket. False: there is none. */
static bool
take(struct fdstore_kept *kept, int from)
{
	char kind;
	struct iovec data = {&kind, 1};
	union ancillary ancillary;
	struct msghdr message = {
	    .msg_iov = &data,
	    .msg_iovlen = 1,
	    .msg_control = ancillary.room,
	    .msg_controllen = sizeof ancillary.room,
	};
	struct cmsghdr *c;
	size_t n;
	int fds[BATCH];

	if (recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
		return false;
	kept->cut = kept->cut || (message.msg_flags & MSG_CTRUNC) != 0;
	c = CMSG_FIRSTHDR(&message);
	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS)
		return true;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
	memcpy(fds, CMSG_DATA(c), n * sizeof *fds);
	for (size_t i = 0; i < n; i++)
		take_one(kept, kind, fds[i]);
	return true;
}

static int
by_cookie(const void *a, const void *b)
{
	const struct handover_conn *x = a, *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

/* Only a sealed file can be looked at without being changed meanwhile. */
static struct span
map(struct fdstore_kept *kept, int fd)
{
	struct stat st;

	if ((fcntl(fd, F_GET_SEALS) & SEALS) != SEALS || fstat(fd, &st) < 0 ||
	    st.st_size <= 0 || st.st_size > STATES_MAX)
		return SPAN("");
	kept->map_size = (size_t)st.st_size;
	kept->map = mmap(NULL, kept->map_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (kept->map == MAP_FAILED) {
		kept->map = NULL;
		return SPAN("");
	}
	return span_of(kept->map, kept->map_size);
}

const char *
fdstore_read(struct fdstore_kept *kept)
{
	struct span in;
	uint32_t records, i;

	for (size_t n = 0; n < kept->socket_count; n++)
		while (take(kept, kept->sockets[n]))
			continue;
	if (kept->file_count != 1)
		return kept->file_count > 1   ? "more than one file of states"
		       : kept->conn_count > 0 ? "no file of states"
					      : NULL;
	in = map(kept, kept->files[0]);
	if (!handover_open(&in, &records) || records > in.n / HANDOVER_RECORD)
		return "the file of states is not of this version, or damaged";
	kept->states = calloc(records > 0 ? records : 1, sizeof *kept->states);
	if (kept->states == NULL)
		return "no memory for the states";
	for (i = 0; i < records; i++)
		if (!handover_next(&in, &kept->states[i]))
			break;
	kept->state_count = i;
	qsort(kept->states, i, sizeof *kept->states, by_cookie);
	if (kept->cut)
		return "descriptors ran out, so some end; raise LimitNOFILE";
	return i == records ? NULL : "a state is damaged";
}

const struct handover_conn *
fdstore_state(const struct fdstore_kept *kept, int fd)
{
	struct handover_conn wanted = {0};

	if (kept->state_count == 0 || !cookie_of(fd, &wanted.cookie))
		return NULL;
	return bsearch(&wanted, kept->states, kept->state_count,
	    sizeof *kept->states, by_cookie);
}

void
fdstore_forget(void)
{
	take_back(CONNS);
	take_back(PROBE);
}

void
fdstore_clear(struct fdstore_kept *kept)
{
	if (kept->map != NULL)
		munmap(kept->map, kept->map_size);
	for (size_t i = 0; i < kept->file_count; i++)
		close(kept->files[i]);
	for (size_t i = 0; i < kept->socket_count; i++)
		close(kept->sockets[i]);
	free(kept->sockets);
	free(kept->states);
	free(kept->files);
	free(kept->conns);
	*kept = (struct fdstore_kept){0};
}
