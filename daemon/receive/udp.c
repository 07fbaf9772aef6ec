/*
 * One batch of datagrams for all sockets. When there is no room for the next
 * of them, the rest of the batch waits in place, and no socket is read before
 * it is done.
 */
#include "udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "peer.h"

enum {
	BATCH = 64,
	BATCHES = 4, /* in a wake-up */
	DATAGRAM = 65536,
	/*
	 * Buffers 64 KiB apart would share their cache lines: some lines more
	 * spread the beginnings, which is where short datagrams are.
	 */
	STRIDE = DATAGRAM + 576,
	COMMON = 1500, /* bytes of a datagram: what an Ethernet frame carries */
	EMPTY_MS = 1000,
	GIVE_UP = 10 * 1000 * 1000, /* more than any queue holds */
};

struct udp {
	struct event_base *base;
	const struct config *config;
	struct pipeline *pipeline;
	struct counters *counters;
	struct audit *audit;

	char *memory;
	struct mmsghdr headers[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage from[BATCH];
	unsigned next, count; /* of the batch: not yet taken */

	struct peer_cache peers;
	struct log_gate refused, failed;
};

struct udp *
udp_new(struct event_base *base, struct counters *counters, struct audit *audit)
{
	struct udp *udp = calloc(1, sizeof *udp);

	if (udp == NULL)
		return NULL;
	/* Beyond COMMON only the pages that datagrams reach are ever there. */
	udp->memory = malloc((size_t)BATCH * STRIDE);
	if (udp->memory == NULL) {
		free(udp);
		return NULL;
	}
	udp->base = base;
	udp->counters = counters;
	udp->audit = audit;
	for (size_t i = 0; i < BATCH; i++) {
		struct msghdr *h = &udp->headers[i].msg_hdr;

		udp->iov[i].iov_base = udp->memory + i * STRIDE;
		/* A burst is no time to ask the kernel for memory. */
		memset(udp->iov[i].iov_base, 0, COMMON);
		h->msg_iov = &udp->iov[i];
		h->msg_iovlen = 1;
		h->msg_name = &udp->from[i];
	}
	return udp;
}

void
udp_free(struct udp *udp)
{
	if (udp == NULL)
		return;
	free(udp->memory);
	free(udp);
}

void
udp_configure(
    struct udp *udp, const struct config *config, struct pipeline *pipeline)
{
	udp->config = config;
	udp->pipeline = pipeline;
	memset(&udp->peers, 0, sizeof udp->peers);
}

/* --- reading --- */

static void
rest(struct endpoint *e)
{
	event_del(&e->event);
	e->resting = true;
}

/* The next batch. False: there is none. */
static bool
receive(struct udp *udp, struct endpoint *e)
{
	size_t max = (size_t)udp->config->max_message;
	uint64_t held;
	int n;

	for (size_t i = 0; i < BATCH; i++) {
		udp->headers[i].msg_hdr.msg_namelen = sizeof udp->from[i];
		udp->iov[i].iov_len = max < DATAGRAM ? max : DATAGRAM;
	}
	/* MSG_TRUNC: msg_len is the length before the cut. */
	n = recvmmsg(
	    e->fd, udp->headers, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
	udp->next = 0;
	udp->count = n > 0 ? (unsigned)n : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		if (log_gate_open(
			&udp->failed, pipeline_now(udp->pipeline), &held))
			log_warn("%s: cannot be read", e->name);
		rest(e);
	}
	return n > 0;
}

static void
refuse(struct udp *udp, const struct peer *peer)
{
	char name[PEER_NAME];
	uint64_t held;

	udp->counters->udp_refused++;
	peer->row->datagrams++;
	if (log_gate_open(&udp->refused, pipeline_now(udp->pipeline), &held))
		log_warnx("%s: not in `allow`, refused (%llu more before)",
		    peer_name(peer, "udp", name), (unsigned long long)held);
}

static void
take(struct udp *udp, unsigned i)
{
	const struct mmsghdr *h = &udp->headers[i];
	struct peer *peer = peer_cache_find(&udp->peers,
	    (const struct sockaddr *)(const void *)&udp->from[i], udp->config);
	size_t kept = h->msg_len;
	struct message message;

	if (peer->row == NULL)
		peer->row = audit_row(udp->audit, &peer->address);
	if (!peer->allowed) {
		refuse(udp, peer);
		return;
	}
	udp->counters->udp++;
	peer->row->udp++;
	if (kept > udp->iov[i].iov_len)
		kept = udp->iov[i].iov_len;
	message = (struct message){
	    .bytes = span_of(udp->iov[i].iov_base, kept),
	    .length = h->msg_len,
	    .peer = peer_text(peer),
	    .transport = SPAN("udp"),
	};
	pipeline_put(udp->pipeline, &message, peer->source, peer->row);
}

/* Takes the rest of the batch. False: no room. */
static bool
take_batch(struct udp *udp)
{
	while (udp->next < udp->count) {
		if (!pipeline_room(udp->pipeline))
			return false;
		take(udp, udp->next++);
	}
	return true;
}

/* What the kernel says of the socket's memory. False: nothing. */
static bool
look_at_memory(const struct endpoint *e, uint32_t info[SK_MEMINFO_VARS])
{
	socklen_t n = SK_MEMINFO_VARS * sizeof info[0];

	return getsockopt(e->fd, SOL_SOCKET, SO_MEMINFO, info, &n) == 0;
}

/*
 * Of a burst: how much waits, once in a wake-up, so that a few datagrams cost
 * nothing. What the first batch took counts still, as a rule: the kernel gives
 * memory back by the quarter of the buffer.
 */
static void
look_at_burst(const struct udp *udp, struct endpoint *e)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	struct fill_mark waiting;

	if (!look_at_memory(e, info))
		return;
	waiting = (struct fill_mark){info[SK_MEMINFO_RMEM_ALLOC],
	    info[SK_MEMINFO_RCVBUF], pipeline_now(udp->pipeline)};
	fill_burst(&e->fill, &waiting);
}

static void
read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct endpoint *e = arg;
	struct udp *udp = e->owner;

	(void)fd;
	(void)what;
	if (!pipeline_begin(udp->pipeline)) {
		rest(e);
		return;
	}
	for (int i = 0; i < BATCHES && receive(udp, e); i++) {
		/* A batch that is not full was all there is. */
		bool more = udp->count == BATCH;

		if (!more)
			fill_calm(&e->fill);
		else if (i == 0)
			look_at_burst(udp, e);
		if (!take_batch(udp)) {
			rest(e);
			break;
		}
		if (!more)
			break;
	}
	pipeline_end(udp->pipeline);
}

void
udp_empty(struct udp *udp, struct endpoint *e)
{
	uint64_t until = 0;

	/* The rest of the last batch lies where the next one would. */
	while (udp_resume(udp) && pipeline_begin(udp->pipeline)) {
		bool more;

		if (until == 0)
			until = pipeline_now(udp->pipeline) + EMPTY_MS;
		more = receive(udp, e) && take_batch(udp) &&
		       pipeline_now(udp->pipeline) < until;
		pipeline_end(udp->pipeline);
		if (!more)
			break;
	}
}

bool
udp_resume(struct udp *udp)
{
	bool done;

	if (udp->next == udp->count)
		return true;
	if (!pipeline_begin(udp->pipeline))
		return false;
	done = take_batch(udp);
	pipeline_end(udp->pipeline);
	return done;
}

void
udp_resume_endpoint(struct udp *udp, struct endpoint *e)
{
	(void)udp;
	if (e->resting && event_add(&e->event, NULL) == 0)
		e->resting = false;
}

void
udp_forget_rows(struct udp *udp)
{
	for (size_t i = 0; i < PEER_CACHE; i++)
		udp->peers.peers[i].row = NULL;
}

unsigned
udp_give_up(struct udp *udp, struct endpoint *e)
{
	unsigned n = 0;

	while (
	    n < GIVE_UP && recv(e->fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		n++;
	udp->counters->abandoned += n;
	return n;
}

unsigned
udp_pending(const struct udp *udp)
{
	return udp->count - udp->next;
}

/* --- sockets --- */

static int
buffer_size(int fd)
{
	int size = 0;
	socklen_t n = sizeof size;

	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &n) < 0)
		return 0;
	/* The kernel doubles what is asked for, and answers that. */
	return size / 2;
}

/* What we may ask for: the kernel cuts it at net.core.rmem_max, for a socket of
 * any family. 0: not known. */
static int
allowed_buffer(int size)
{
	int pair[2], allowed = 0;

	/* Not socket(2): the sandbox lets a reload have no new one. */
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	if (setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0)
		allowed = buffer_size(pair[0]);
	close(pair[0]);
	close(pair[1]);
	return allowed;
}

static void
set_buffer(struct endpoint *e, uint64_t want)
{
	int size = want < INT32_MAX / 2 ? (int)want : INT32_MAX / 2;
	int got;

	/* A socket unit may have given it more than we may ask for. */
	e->wanted = size;
	e->buffer = buffer_size(e->fd);
	if (e->buffer >= size)
		return;
	/* And that must not become less by asking for more. */
	if (setsockopt(e->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) <
		0 &&
	    allowed_buffer(size) > e->buffer)
		(void)setsockopt(
		    e->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	got = e->buffer = buffer_size(e->fd);
	if (got < size)
		log_warnx("%s: receive_buffer is %d bytes instead of %d: "
			  "bursts may be dropped; "
			  "run `sysctl -w net.core.rmem_max=%d`",
		    e->name, got, size, size);
}

/* The kernel's count of datagrams it had no room for, since the socket is. */
static uint32_t
drops_of(const struct endpoint *e)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};

	return look_at_memory(e, info) ? info[SK_MEMINFO_DROPS] : e->drops;
}

void
udp_count_drops(struct udp *udp, struct endpoint *e)
{
	/* Right over its wrap, too. */
	uint32_t drops = drops_of(e), new = drops - e->drops;

	if (new == 0)
		return;
	udp->counters->kernel_drops += new;
	audit_drops(udp->audit, e->name, new);
	fill_over(&e->fill, (uint32_t)e->buffer * 2, clock_ms());
	e->dropped += new;
	e->drops = drops;
}

void
udp_attach(struct udp *udp, struct endpoint *e)
{
	set_buffer(e, udp->config->receive_buffer);
	if (e->owner != NULL)
		return;
	e->owner = udp;
	e->drops = drops_of(e);
	if (e->drops > 0)
		log_warnx("%s: the kernel dropped %u datagrams before this "
			  "start",
		    e->name, (unsigned)e->drops);
	event_assign(
	    &e->event, udp->base, e->fd, EV_READ | EV_PERSIST, read_cb, e);
	e->resting = event_add(&e->event, NULL) != 0;
}

void
udp_detach(struct udp *udp, struct endpoint *e)
{
	(void)udp;
	event_del(&e->event);
	e->owner = NULL;
}
