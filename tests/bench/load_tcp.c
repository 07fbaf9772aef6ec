#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "moment.h"

enum { CHUNK = 256 << 10 }; /* bytes for each system call, at least */

/*
 * Each connection has a part of the corpus of its own: a frame is numbered
 * where it lies, and must stay as it is until the kernel has taken it.
 */
struct connection {
	int fd;
	SSL *tls; /* NULL: plain */
	struct corpus_message *first, *end, *next;
	uint64_t left;  /* messages not yet numbered */
	const char *at; /* numbered, and not yet taken by the kernel */
	size_t pending;
};

static int
open_connection(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int room = 4 << 20;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) != 0 ||
	    connect(fd, (const struct sockaddr *)to, sizeof *to) != 0)
		err(3, "tcp");
	return fd;
}

static SSL_CTX *
new_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL)
		errx(3, "tls");
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return context;
}

static SSL *
open_tls(SSL_CTX *context, int fd)
{
	SSL *tls = SSL_new(context);

	if (tls == NULL || SSL_set_fd(tls, fd) != 1 || SSL_connect(tls) != 1)
		errx(3, "tls handshake");
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		err(3, "tls");
	return tls;
}

static void
init_connection(struct connection *c, const struct load_options *options,
    SSL_CTX *context, struct corpus *corpus, size_t index)
{
	size_t part = corpus->count / options->sockets;

	c->fd = open_connection(&options->to);
	if (context != NULL)
		c->tls = open_tls(context, c->fd);
	c->first = c->next = corpus->message + index * part;
	c->end = c->first + part;
	c->left = options->count / options->sockets +
		  (index < options->count % options->sockets ? 1 : 0);
	c->pending = 0;
}

/* Numbers the next frames, up to the end of the part. */
static void
fill(struct connection *c, struct load_result *result)
{
	if (c->next == c->end)
		c->next = c->first;
	c->at = c->next->frame;
	while (c->left > 0 && c->next < c->end && c->pending < CHUNK) {
		corpus_number(c->next, result->sent++);
		c->pending += c->next->size;
		c->next++;
		c->left--;
	}
	result->bytes += c->pending;
}

/* What was taken; 0: nothing just now. */
static size_t
give_tls(SSL *tls, const char *bytes, size_t n)
{
	size_t taken = 0;

	if (SSL_write_ex(tls, bytes, n, &taken) != 1 &&
	    SSL_get_error(tls, 0) != SSL_ERROR_WANT_WRITE)
		errx(3, "tls write");
	return taken;
}

static size_t
give(const struct connection *c, const char *bytes, size_t n)
{
	ssize_t taken;

	if (c->tls != NULL)
		return give_tls(c->tls, bytes, n);
	taken = send(c->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (taken < 0 && errno != EAGAIN)
		err(3, "send");
	return taken > 0 ? (size_t)taken : 0;
}

/* Says that it is over and waits until the other side has seen that: what it
 * said meanwhile (session tickets), not read, would make a reset of our end,
 * and that takes away what it has not read yet. */
static void
end_tls(SSL *tls, int fd)
{
	struct timeval most = {.tv_sec = 10};
	char bytes[4096];

	SSL_shutdown(tls);
	SSL_free(tls);
	if (shutdown(fd, SHUT_WR) != 0 || fcntl(fd, F_SETFL, 0) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) != 0)
		err(3, "tls");
	while (recv(fd, bytes, sizeof bytes, 0) > 0)
		;
}

static void
close_connection(const struct connection *c)
{
	if (c->tls != NULL)
		end_tls(c->tls, c->fd);
	close(c->fd);
}

/*
 * One send, so that all connections take turns however fast one of them is.
 * False: all is sent.
 */
static bool
push(struct connection *c, struct load_result *result)
{
	size_t n;

	if (c->pending == 0)
		fill(c, result);
	if (c->pending == 0)
		return false;
	n = give(c, c->at, c->pending);
	c->at += n;
	c->pending -= n;
	return true;
}

struct load_result
load_tcp(const struct load_options *options, struct corpus *corpus)
{
	struct connection *connections =
	    calloc(options->sockets, sizeof *connections);
	struct pollfd *polls = calloc(options->sockets, sizeof *polls);
	SSL_CTX *context = options->tls ? new_context() : NULL;
	struct load_result result = {0};
	size_t open = options->sockets;
	double start;

	if (connections == NULL || polls == NULL)
		err(3, "tcp");
	for (size_t i = 0; i < options->sockets; i++) {
		init_connection(&connections[i], options, context, corpus, i);
		polls[i] =
		    (struct pollfd){.fd = connections[i].fd, .events = POLLOUT};
	}
	result.start = moment_of_day();
	start = moment_steady();
	while (open > 0 && moment_steady() - start < options->seconds) {
		if (poll(polls, options->sockets, 100) < 0)
			err(3, "poll");
		for (size_t i = 0; i < options->sockets; i++) {
			if (polls[i].revents == 0 ||
			    push(&connections[i], &result))
				continue;
			close_connection(&connections[i]);
			polls[i].fd = -1;
			open--;
		}
	}
	result.seconds = moment_steady() - start;
	if (open > 0)
		errx(3, "not all was taken within %g s", options->seconds);
	SSL_CTX_free(context);
	free(connections);
	free(polls);
	return result;
}
