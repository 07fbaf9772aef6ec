/*
 * A connection is plain or TLS (channel.h); a TLS one shakes hands first, under
 * a limit of its own in number and time.
 *
 * A wake-up reads one connection once, READ bytes at most. The bytes it has
 * kept from last time are put in front of them, whole frames are taken, and
 * the rest is kept. When there is no room for a message, all of that is kept
 * (`held`), the connection's event is taken out, and the same bytes are looked
 * at again when it is resumed: framing has not moved past them.
 *
 * Connections stop one by one, when their event fires and finds no room:
 * thousands that are silent cost nothing.
 */
#include "tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "framing.h"
#include "log.h"
#include "peer.h"
#include "tally.h"

enum {
	READ = 262144, /* per wake-up and connection */
	SOURCE_GATES = 256,
	ACCEPTS = 64,     /* per wake-up */
	BACKLOG = 4096,   /* at the end */
	FRAME_EXTRA = 16, /* what framing keeps besides a message */
	SMALLEST_KEPT = 256,
	KEEPALIVE_IDLE = 60, /* s */
	KEEPALIVE_INTERVAL = 10,
	KEEPALIVE_COUNT = 6,
};

struct conn {
	TAILQ_ENTRY(conn) all;
	TAILQ_ENTRY(conn) stopped; /* if `resting` */
	struct tcp *tcp;
	struct event event;
	short wanted; /* what it waits for: EV_READ or EV_WRITE */
	struct channel channel;
	bool resting; /* its event is not added */
	bool held;    /* what is kept has not been looked at to its end */
	bool stored;  /* to go over to the next process */
	struct tally_entry *source;
	struct framing framing;
	char *kept; /* NULL: nothing */
	size_t kept_n, kept_size;
	uint64_t since; /* of the unfinished frame, record of TLS or handshake;
			   0: none */
	struct peer peer;
};

TAILQ_HEAD(conns, conn);

struct tcp {
	struct event_base *base;
	const struct config *config;
	struct pipeline *pipeline;
	struct counters *counters;
	struct audit *audit;
	struct tally *tally;

	char *buffer; /* what is kept, and a read */
	size_t buffer_size;
	struct conns all, stopped;
	unsigned connections, descriptors;
	unsigned sessions;   /* of TLS */
	unsigned handshakes; /* of them, not finished */
	uint64_t last_read, last_session_read;
	bool starved; /* for descriptors, and that was told */

	struct log_gate refused, over, overdue, failed, starving;
	struct log_gate gates[SOURCE_GATES]; /* by source address */
};

struct tcp *
tcp_new(struct event_base *base, struct counters *counters, struct audit *audit)
{
	struct tcp *tcp = calloc(1, sizeof *tcp);

	if (tcp == NULL)
		return NULL;
	tcp->tally = tally_new();
	if (tcp->tally == NULL) {
		free(tcp);
		return NULL;
	}
	tcp->base = base;
	tcp->counters = counters;
	tcp->audit = audit;
	TAILQ_INIT(&tcp->all);
	TAILQ_INIT(&tcp->stopped);
	return tcp;
}

static bool
make_buffer(struct tcp *tcp, size_t size)
{
	char *buffer;

	if (size <= tcp->buffer_size)
		return true;
	buffer = realloc(tcp->buffer, size);
	if (buffer == NULL)
		return false;
	/* A burst is no time to ask the kernel for memory. */
	if (tcp->buffer == NULL)
		memset(buffer, 0, READ + SMALLEST_KEPT);
	tcp->buffer = buffer;
	tcp->buffer_size = size;
	return true;
}

bool
tcp_prepare(struct tcp *tcp, const struct config *config)
{
	/* Connections may still keep what an older, larger one let them. */
	return make_buffer(
	    tcp, (size_t)config->max_message + FRAME_EXTRA + 2 * READ);
}

unsigned
tcp_connections(const struct tcp *tcp)
{
	return tcp->connections;
}

unsigned
tcp_sessions(const struct tcp *tcp)
{
	return tcp->sessions;
}

uint64_t
tcp_last_read(const struct tcp *tcp, bool sessions_only)
{
	return sessions_only ? tcp->last_session_read : tcp->last_read;
}

/* --- what a connection keeps --- */

static void
conn_forget(struct conn *c)
{
	free(c->kept);
	c->kept = NULL;
	c->kept_n = c->kept_size = 0;
}

static bool
conn_make_room(struct conn *c, size_t n)
{
	size_t size = c->kept_size > 0 ? c->kept_size : SMALLEST_KEPT;
	char *kept;

	if (n <= c->kept_size)
		return true;
	while (size < n)
		size *= 2;
	kept = realloc(c->kept, size);
	if (kept == NULL)
		return false;
	c->kept = kept;
	c->kept_size = size;
	return true;
}

/* Keeps `rest`, of which the first `same` bytes are those kept already. */
static bool
conn_keep(struct conn *c, struct span rest, size_t same)
{
	if (rest.n == 0) {
		conn_forget(c);
		return true;
	}
	/* The beginning of a message does not need what a long one left. */
	if (same == 0 && c->kept_size > SMALLEST_KEPT + 4 * rest.n)
		conn_forget(c);
	if (!conn_make_room(c, rest.n))
		return false;
	if (same > rest.n)
		same = rest.n;
	memcpy(c->kept + same, rest.p + same, rest.n - same);
	c->kept_n = rest.n;
	return true;
}

static void
conn_free(struct conn *c)
{
	struct tcp *tcp = c->tcp;

	if (c->resting)
		TAILQ_REMOVE(&tcp->stopped, c, stopped);
	else
		event_del(&c->event);
	TAILQ_REMOVE(&tcp->all, c, all);
	tcp->connections--;
	tcp->handshakes -= !c->channel.shaken;
	tcp->sessions -= c->channel.session != NULL;
	tally_drop(c->source);
	audit_release(c->peer.row);
	channel_close(&c->channel);
	free(c->kept);
	free(c);
}

static void
conn_rest(struct conn *c)
{
	event_del(&c->event);
	c->resting = true;
	TAILQ_INSERT_TAIL(&c->tcp->stopped, c, stopped);
}

static void read_cb(evutil_socket_t fd, short what, void *arg);

/* Takes the event out of the loop and puts it in again for `what`. */
static void
conn_wait(struct conn *c, short what)
{
	struct tcp *tcp = c->tcp;

	if (c->wanted == what)
		return;
	event_del(&c->event);
	c->wanted = what;
	event_assign(&c->event, tcp->base, c->channel.fd,
	    (short)(what | EV_PERSIST), read_cb, c);
	/* There was memory for it before. */
	(void)event_add(&c->event, NULL);
}

static const char *
conn_transport(const struct conn *c)
{
	return c->channel.session != NULL ? "tls" : "tcp";
}

/* --- messages --- */

static void
conn_put(struct conn *c, const struct framing_frame *frame)
{
	struct message message = {
	    .bytes = frame->bytes,
	    .length = frame->length,
	    .unterminated = frame->unterminated,
	    .peer = peer_text(&c->peer),
	    .transport = span_of(conn_transport(c), 3),
	};

	if (c->channel.session != NULL) {
		c->tcp->counters->tls++;
		c->peer.row->tls++;
	} else {
		c->tcp->counters->tcp++;
		c->peer.row->tcp++;
	}
	pipeline_put(c->tcp->pipeline, &message, c->peer.source, c->peer.row);
}

/* What is left, after the end or instead of one. There is room for it. */
static void
conn_put_unfinished(struct conn *c)
{
	struct framing_frame frame;

	if (framing_finish(&c->framing, span_of(c->kept, c->kept_n), &frame) ==
	    FRAMING_FRAME)
		conn_put(c, &frame);
	conn_forget(c);
}

enum taken {
	TAKEN,       /* all whole frames */
	TAKEN_HELD,  /* no room for more */
	TAKEN_FAILED /* no memory for the rest */
};

/* Takes the frames of `in`, whose first kept_n bytes are those kept. */
static enum taken
conn_take(struct conn *c, struct span in)
{
	struct tcp *tcp = c->tcp;
	size_t used = 0, keep = 0, same = c->kept_n;
	enum framing_status status = FRAMING_MORE;
	struct framing_frame frame;
	bool room;

	while ((room = pipeline_room(tcp->pipeline))) {
		status = framing_next(&c->framing, in, &frame, &used, &keep);
		if (used > 0) {
			/* The old frame is gone: another one begins here. */
			c->since = 0;
			same = 0;
			in = span_skip(in, used);
		}
		if (status == FRAMING_MORE)
			break;
		c->framing.max = (size_t)tcp->config->max_message;
		conn_put(c, &frame);
	}
	if (room)
		in = span_take(in, keep);
	if (!conn_keep(c, in, same))
		return TAKEN_FAILED;
	c->held = !room;
	if (in.n == 0)
		c->since = 0;
	else if (c->since == 0)
		c->since = pipeline_now(tcp->pipeline);
	return room ? TAKEN : TAKEN_HELD;
}

/* --- reading --- */

/* For what a single sender could fill the log with. Those that share one share
 * its line a minute, too: who has a network of addresses gets no more. */
static struct log_gate *
gate_of(struct tcp *tcp, const struct in6_addr *address)
{
	const uint8_t *a = address->s6_addr;

	return &tcp->gates[(a[15] ^ a[14] << 3 ^ a[13] << 5 ^ a[7]) %
			   SOURCE_GATES];
}

/* What its peer has done wrong: once a minute for each. */
static void
conn_tell(struct conn *c, struct log_gate *gate, const char *what)
{
	char name[PEER_NAME];
	uint64_t held;

	if (log_gate_open(gate, pipeline_now(c->tcp->pipeline), &held))
		log_warnx("%s: %s, closed (%llu more before)",
		    peer_name(&c->peer, conn_transport(c), name), what,
		    (unsigned long long)held);
}

static void
conn_complain(struct conn *c, const char *what)
{
	conn_tell(c, gate_of(c->tcp, &c->peer.address), what);
}

/* The buffer, begun with what is kept. */
static char *
conn_begin(struct conn *c)
{
	if (c->kept_n > 0)
		memcpy(c->tcp->buffer, c->kept, c->kept_n);
	return c->tcp->buffer;
}

static void
conn_fail(struct conn *c, const char *what)
{
	conn_tell(c, &c->tcp->failed, what);
	conn_free(c);
}

/* What is held from last time. */
static enum taken
conn_take_held(struct conn *c)
{
	if (!c->held)
		return TAKEN;
	return conn_take(c, span_of(conn_begin(c), c->kept_n));
}

/* The beginning of a record is that of a message that we do not see yet. */
static void
conn_time_record(struct conn *c)
{
	if (!channel_is_inside(&c->channel)) {
		if (c->kept_n == 0)
			c->since = 0;
	} else if (c->since == 0) {
		c->since = pipeline_now(c->tcp->pipeline);
	}
}

static enum taken
conn_read(struct conn *c, bool *open)
{
	char *buffer = conn_begin(c), why[CHANNEL_WHY];
	enum taken taken = TAKEN;
	size_t n;
	enum channel_status status =
	    channel_read(&c->channel, buffer + c->kept_n, READ, &n, why);

	*open = status != CHANNEL_END && status != CHANNEL_FAILED;
	conn_wait(c, status == CHANNEL_WRITE ? EV_WRITE : EV_READ);
	if (why[0] != '\0')
		conn_complain(c, why);
	if (n > 0) {
		c->tcp->last_read = pipeline_now(c->tcp->pipeline);
		if (c->channel.session != NULL)
			c->tcp->last_session_read = c->tcp->last_read;
		taken = conn_take(c, span_of(buffer, c->kept_n + n));
	}
	conn_time_record(c);
	return taken;
}

/*
 * One turn of a connection. Room for a message is sure before it is read, so
 * that its end, if that is what we read, can be stored. False: it is closed.
 */
static bool
conn_turn(struct conn *c)
{
	bool open = true;
	enum taken taken = conn_take_held(c);

	if (taken == TAKEN && pipeline_room(c->tcp->pipeline))
		taken = conn_read(c, &open);
	else if (taken == TAKEN)
		taken = TAKEN_HELD;

	if (taken == TAKEN_FAILED) {
		c->tcp->counters->abandoned++;
		c->peer.row->abandoned++;
		conn_fail(c, "no memory for an unfinished message");
		return false;
	}
	if (!open) {
		conn_put_unfinished(c);
		conn_free(c);
		return false;
	}
	if (taken == TAKEN_HELD)
		conn_rest(c);
	else if (channel_is_pending(&c->channel))
		event_active(&c->event, EV_READ, 0);
	return true;
}

/* --- handshakes --- */

/* The handshake is over without a session. */
static void
conn_turn_away(struct conn *c, bool permitted, const char *why)
{
	if (permitted) {
		c->tcp->counters->handshake_failures++;
		c->peer.row->handshakes++;
	} else {
		c->tcp->counters->not_permitted++;
		c->peer.row->not_permitted++;
	}
	conn_complain(c, why);
	conn_free(c);
}

static void
conn_shake(struct conn *c)
{
	char why[CHANNEL_WHY] = "closed by the peer";

	switch (channel_shake(&c->channel, why)) {
	case CHANNEL_DONE:
		c->tcp->handshakes--;
		c->since = 0;
		conn_wait(c, EV_READ);
		/* what came with the end of it */
		event_active(&c->event, EV_READ, 0);
		break;
	case CHANNEL_READ:
		conn_wait(c, EV_READ);
		break;
	case CHANNEL_WRITE:
		conn_wait(c, EV_WRITE);
		break;
	case CHANNEL_REFUSED:
		conn_turn_away(c, false, why);
		break;
	case CHANNEL_END:
	case CHANNEL_FAILED:
		conn_turn_away(c, true, why);
		break;
	}
}

static void
read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct pipeline *pipeline = c->tcp->pipeline;
	bool room = pipeline_begin(pipeline);

	(void)fd;
	(void)what;
	if (!c->channel.shaken) {
		conn_shake(c);
		return;
	}
	if (!room) {
		conn_rest(c);
		return;
	}
	conn_turn(c);
	pipeline_end(pipeline);
}

void
tcp_resume(struct tcp *tcp)
{
	struct conns again = TAILQ_HEAD_INITIALIZER(again);
	struct conn *c;

	TAILQ_CONCAT(&again, &tcp->stopped, stopped);
	while ((c = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, c, stopped);
		if (event_add(&c->event, NULL) < 0) {
			TAILQ_INSERT_TAIL(&tcp->stopped, c, stopped);
			continue;
		}
		c->resting = false;
		/* The time we made it wait is not the peer's. */
		if (c->since != 0)
			c->since = pipeline_now(tcp->pipeline);
		/* Its peer may have nothing more to say. */
		if (c->held || channel_is_pending(&c->channel))
			event_active(&c->event, EV_READ, 0);
	}
}

/* --- accepting --- */

static void
refuse(struct tcp *tcp, const struct peer *peer, struct log_gate *gate,
    const char *why)
{
	char name[PEER_NAME];
	uint64_t held;

	if (log_gate_open(gate, pipeline_now(tcp->pipeline), &held))
		log_warnx("%s: %s (%llu more before)",
		    peer_name(peer, "tcp", name), why,
		    (unsigned long long)held);
}

/* May the peer have a connection? */
static bool
admit(struct tcp *tcp, const struct endpoint *e, const struct peer *peer,
    const struct tally_entry *source)
{
	const struct config *config = tcp->config;

	if (tcp->connections >= config->max_connections) {
		tcp->counters->over_limit++;
		peer->row->over_limit++;
		refuse(
		    tcp, peer, &tcp->over, "max_connections reached, closed");
		return false;
	}
	if (tally_count(source) > config->max_connections_per_source) {
		tcp->counters->over_source++;
		peer->row->over_source++;
		refuse(tcp, peer, &tcp->over,
		    "max_connections_per_source reached, closed");
		return false;
	}
	if (e->tls != NULL && tcp->handshakes >= config->max_handshakes) {
		tcp->counters->over_handshakes++;
		peer->row->over_handshakes++;
		refuse(tcp, peer, &tcp->over, "max_handshakes reached, closed");
		return false;
	}
	return true;
}

/* Finds peers that are gone without a word; nothing else ends a silent one. */
static void
keep_alive(int fd)
{
	static const struct {
		int level, option, value;
	} options[] = {
	    {SOL_SOCKET, SO_KEEPALIVE, 1},
	    {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE},
	    {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL},
	    {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		(void)setsockopt(fd, options[i].level, options[i].option,
		    &options[i].value, sizeof options[i].value);
}

/* Takes over `fd` and `source`. False: no memory, nothing is taken. */
static bool
conn_open(struct tcp *tcp, int fd, struct tls *tls, const struct peer *peer,
    struct tally_entry *source)
{
	struct conn *c = calloc(1, sizeof *c);

	if (c == NULL)
		return false;
	c->wanted = EV_READ;
	event_assign(
	    &c->event, tcp->base, fd, EV_READ | EV_PERSIST, read_cb, c);
	if (event_add(&c->event, NULL) < 0) {
		free(c);
		return false;
	}
	if (!channel_open(&c->channel, fd, tls)) {
		event_del(&c->event);
		free(c);
		return false;
	}
	c->tcp = tcp;
	tcp->handshakes += !c->channel.shaken;
	tcp->sessions += tls != NULL;
	if (!c->channel.shaken)
		c->since = pipeline_now(tcp->pipeline);
	c->peer = *peer;
	audit_hold(c->peer.row);
	c->source = source;
	framing_init(&c->framing, (size_t)tcp->config->max_message);
	TAILQ_INSERT_TAIL(&tcp->all, c, all);
	tcp->connections++;
	return true;
}

static void
welcome(struct tcp *tcp, const struct endpoint *e, int fd,
    const struct sockaddr_storage *from)
{
	struct tally_entry *source;
	struct peer peer;

	peer_init(
	    &peer, (const struct sockaddr *)(const void *)from, tcp->config);
	peer.row = audit_row(tcp->audit, &peer.address);
	if (!peer.allowed) {
		tcp->counters->tcp_refused++;
		peer.row->connections++;
		refuse(tcp, &peer, &tcp->refused, "not in `allow`, refused");
		close(fd);
		return;
	}
	source = tally_add(tcp->tally, &peer.address);
	if (source == NULL) {
		close(fd);
		return;
	}
	keep_alive(fd);
	if (!admit(tcp, e, &peer, source) ||
	    !conn_open(tcp, fd, e->tls, &peer, source)) {
		tally_drop(source);
		close(fd);
	}
}

static void
rest(struct endpoint *e)
{
	event_del(&e->event);
	e->resting = true;
}

/*
 * Out of descriptors or memory: the next try would fail at once, again and
 * again. The peers wait in the backlog until the next tick.
 */
static void
starve(struct tcp *tcp, struct endpoint *e, int error)
{
	uint64_t held;

	tcp->counters->accept_pauses++;
	audit_pause(tcp->audit, e->name);
	rest(e);
	if (!log_gate_open(&tcp->starving, pipeline_now(tcp->pipeline), &held))
		return;
	tcp->starved = true;
	log_warnx("%s: %s: no new connections for now, %u are open%s", e->name,
	    strerrordesc_np(error), tcp->connections,
	    error == EMFILE ? "; raise LimitNOFILE (ulimit -n)" : "");
}

/* accept(2): errors of one connection that was gone before we came. */
static bool
is_of_one_peer(int error)
{
	static const int errors[] = {ECONNABORTED, EINTR, EPROTO, EPERM,
	    ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENONET, ENOPROTOOPT,
	    EOPNOTSUPP};

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (errors[i] == error)
			return true;
	return false;
}

static void
accepted(struct tcp *tcp, const struct endpoint *e, int fd,
    const struct sockaddr_storage *from)
{
	if (tcp->starved)
		log_info("%s: accepting again", e->name);
	tcp->starved = false;
	welcome(tcp, e, fd, from);
}

/* Accepts one. False: no more for now. */
static bool
accept_one(struct tcp *tcp, struct endpoint *e)
{
	struct sockaddr_storage from;
	socklen_t n = sizeof from;
	int fd;

	if (tcp->connections >= tcp->descriptors) {
		starve(tcp, e, EMFILE);
		return false;
	}
	fd = accept4(e->fd, (struct sockaddr *)(void *)&from, &n,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		accepted(tcp, e, fd, &from);
		return true;
	}
	if (is_of_one_peer(errno))
		return true;
	if (errno != EAGAIN)
		starve(tcp, e, errno);
	return false;
}

static void
accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct endpoint *e = arg;
	struct tcp *tcp = e->owner;

	(void)fd;
	(void)what;
	if (!pipeline_begin(tcp->pipeline)) {
		rest(e);
		return;
	}
	for (int i = 0; i < ACCEPTS && accept_one(tcp, e); i++)
		;
}

void
tcp_resume_endpoint(struct tcp *tcp, struct endpoint *e)
{
	if (!e->resting || tcp->connections >= tcp->descriptors)
		return;
	if (event_add(&e->event, NULL) < 0)
		return;
	e->resting = false;
}

void
tcp_attach(struct tcp *tcp, struct endpoint *e)
{
	if (e->owner != NULL)
		return;
	e->owner = tcp;
	event_assign(
	    &e->event, tcp->base, e->fd, EV_READ | EV_PERSIST, accept_cb, e);
	e->resting = event_add(&e->event, NULL) != 0;
}

void
tcp_empty(struct tcp *tcp, struct endpoint *e)
{
	for (int i = 0; i < BACKLOG && accept_one(tcp, e); i++)
		;
}

void
tcp_detach(struct tcp *tcp, struct endpoint *e)
{
	(void)tcp;
	event_del(&e->event);
	e->owner = NULL;
}

/* --- all connections --- */

/* For each one; the body may free it. */
#define EACH_CONN(c, next, tcp)                                                \
	for ((c) = TAILQ_FIRST(&(tcp)->all);                                   \
	     (c) != NULL && ((next) = TAILQ_NEXT(c, all), true); (c) = (next))

void
tcp_configure(struct tcp *tcp, const struct config *config,
    struct pipeline *pipeline, unsigned descriptors)
{
	struct conn *c, *next;

	tcp->config = config;
	tcp->pipeline = pipeline;
	tcp->descriptors = descriptors;
	EACH_CONN(c, next, tcp)
	{
		peer_configure(&c->peer, config);
		if (!c->peer.allowed) {
			tcp->counters->tcp_refused++;
			c->peer.row->connections++;
			conn_fail(c, "no longer in `allow`");
		}
	}
}

static void
end_overdue(struct conn *c)
{
	struct tcp *tcp = c->tcp;
	const char *what = "message not finished within frame_timeout, kept as "
			   "it is";

	if (c->kept_n == 0)
		what = "TLS record not finished within frame_timeout";
	conn_put_unfinished(c);
	tcp->counters->frame_timeouts++;
	c->peer.row->timeouts++;
	conn_tell(c, &tcp->overdue, what);
	conn_free(c);
}

/* A handshake needs no room for messages: it ends in time whatever the disk
 * does. */
static void
end_handshakes(struct tcp *tcp, uint64_t now)
{
	struct conn *c, *next;

	if (tcp->handshakes == 0)
		return;
	EACH_CONN(c, next, tcp)
	{
		if (c->channel.shaken ||
		    now - c->since < tcp->config->handshake_timeout)
			continue;
		tcp->counters->handshake_timeouts++;
		c->peer.row->handshakes++;
		conn_complain(
		    c, "handshake not finished within handshake_timeout");
		conn_free(c);
	}
}

void
tcp_tick(struct tcp *tcp)
{
	bool room = pipeline_begin(tcp->pipeline);
	uint64_t now = pipeline_now(tcp->pipeline);
	struct conn *c, *next;

	end_handshakes(tcp, now);
	if (!room)
		return;
	EACH_CONN(c, next, tcp)
	{
		if (c->since == 0 || c->held || !c->channel.shaken ||
		    now - c->since < tcp->config->frame_timeout)
			continue;
		if (!pipeline_room(tcp->pipeline))
			break;
		end_overdue(c);
	}
	pipeline_end(tcp->pipeline);
}

/* --- from one process to the next --- */

void
tcp_read_all(struct tcp *tcp)
{
	struct conn *c, *next;

	if (!pipeline_begin(tcp->pipeline))
		return;
	EACH_CONN(c, next, tcp)
	{
		if (!c->resting && c->channel.shaken)
			conn_turn(c);
	}
	pipeline_end(tcp->pipeline);
}

static bool
conn_store(struct conn *c, struct fdstore *store)
{
	struct handover_conn state = {
	    .port = c->peer.port,
	    .framing = c->framing,
	    .kept = span_of(c->kept, c->kept_n),
	};

	memcpy(state.address, &c->peer.address, sizeof state.address);
	return fdstore_add(store, c->channel.fd, &state);
}

struct tcp_stored
tcp_store(struct tcp *tcp, struct fdstore *store)
{
	struct tcp_stored sum = {0};
	struct conn *c;

	TAILQ_FOREACH(c, &tcp->all, all)
	{
		/* a session's keys cannot be given away */
		c->stored = c->channel.session == NULL && conn_store(c, store);
		if (!c->stored)
			continue;
		sum.connections++;
		sum.unfinished += c->kept_n > 0;
		sum.bytes += c->kept_n;
	}
	return sum;
}

void
tcp_release(struct tcp *tcp)
{
	struct conn *c, *next;

	EACH_CONN(c, next, tcp)
	{
		if (c->stored)
			conn_free(c);
	}
}

/* The peer of a socket, or of its state: a socket that is gone knows none,
 * but may have bytes to read. */
static bool
find_peer(struct tcp *tcp, int fd, const struct handover_conn *state,
    struct peer *peer)
{
	struct sockaddr_storage from = {0};
	struct sockaddr_in6 *v6 = (void *)&from;
	socklen_t n = sizeof from;

	if (getpeername(fd, (struct sockaddr *)(void *)&from, &n) < 0) {
		if (state == NULL)
			return false;
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(state->port);
		memcpy(&v6->sin6_addr, state->address, sizeof v6->sin6_addr);
	}
	if (from.ss_family != AF_INET && from.ss_family != AF_INET6)
		return false;
	peer_init(
	    peer, (const struct sockaddr *)(const void *)&from, tcp->config);
	peer->row = audit_row(tcp->audit, &peer->address);
	return true;
}

/* What is kept is looked at first of all, whatever there is to read. */
static bool
conn_load(struct conn *c, const struct handover_conn *state)
{
	if (!make_buffer(c->tcp, state->kept.n + READ) ||
	    !conn_keep(c, state->kept, 0))
		return false;
	c->framing = state->framing;
	c->held = c->kept_n > 0;
	if (c->held)
		event_active(&c->event, EV_READ, 0);
	return true;
}

/* NULL: told and counted. Takes over `fd`. */
static struct conn *
open_again(struct tcp *tcp, int fd, const struct peer *peer)
{
	struct tally_entry *source;

	if (!peer->allowed) {
		tcp->counters->tcp_refused++;
		peer->row->connections++;
		refuse(tcp, peer, &tcp->failed, "no longer in `allow`, closed");
		return NULL;
	}
	if (tcp->connections >= tcp->descriptors) {
		tcp->counters->over_limit++;
		peer->row->over_limit++;
		refuse(tcp, peer, &tcp->over,
		    "no descriptor for it, closed; raise LimitNOFILE");
		return NULL;
	}
	source = tally_add(tcp->tally, &peer->address);
	if (source != NULL && conn_open(tcp, fd, NULL, peer, source))
		return TAILQ_LAST(&tcp->all, conns);
	if (source != NULL)
		tally_drop(source);
	tcp->counters->abandoned++;
	peer->row->abandoned++;
	refuse(tcp, peer, &tcp->failed, "no memory for it, closed");
	return NULL;
}

bool
tcp_take_over(struct tcp *tcp, int fd, const struct handover_conn *state)
{
	struct conn *c = NULL;
	struct peer peer;

	if (evutil_make_socket_nonblocking(fd) == 0 &&
	    find_peer(tcp, fd, state, &peer))
		c = open_again(tcp, fd, &peer);
	if (c == NULL) {
		close(fd);
		return false;
	}
	if (state == NULL || conn_load(c, state))
		return true;
	tcp->counters->abandoned++;
	peer.row->abandoned++;
	conn_fail(c, "no memory for an unfinished message");
	return false;
}

void
tcp_say_goodbye(struct tcp *tcp, bool sessions_only)
{
	struct conn *c;

	TAILQ_FOREACH(c, &tcp->all, all)
	{
		if (!sessions_only || c->channel.session != NULL)
			channel_shut(&c->channel);
	}
}

/* Bytes that there was no room for. */
static uint64_t
conn_finish(struct conn *c)
{
	uint64_t lost = 0;

	if (conn_take_held(c) == TAKEN && pipeline_room(c->tcp->pipeline))
		conn_put_unfinished(c);
	else
		lost = c->kept_n;
	conn_free(c);
	return lost;
}

uint64_t
tcp_finish(struct tcp *tcp)
{
	struct conn *c, *next;
	uint64_t lost = 0;

	(void)pipeline_begin(tcp->pipeline);
	EACH_CONN(c, next, tcp)
	lost += conn_finish(c);
	pipeline_end(tcp->pipeline);
	return lost;
}

void
tcp_free(struct tcp *tcp)
{
	struct conn *c, *next;

	if (tcp == NULL)
		return;
	EACH_CONN(c, next, tcp)
	conn_free(c);
	tally_free(tcp->tally);
	free(tcp->buffer);
	free(tcp);
}
