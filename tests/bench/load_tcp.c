#include <err.h>
#include <errno.h>
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

static void
init_connection(struct connection *c, const struct load_options *options,
    struct corpus *corpus, size_t index)
{
	size_t part = corpus->count / options->sockets;

	c->fd = open_connection(&options->to);
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

/*
 * One send, so that all connections take turns however fast one of them is.
 * False: all is sent.
 */
static bool
push(struct connection *c, struct load_result *result)
{
	ssize_t n;

	if (c->pending == 0)
		fill(c, result);
	if (c->pending == 0)
		return false;
	n = send(c->fd, c->at, c->pending, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		err(3, "send");
	if (n > 0) {
		c->at += n;
		c->pending -= (size_t)n;
	}
	return true;
}

struct load_result
load_tcp(const struct load_options *options, struct corpus *corpus)
{
	struct connection *connections =
	    calloc(options->sockets, sizeof *connections);
	struct pollfd *polls = calloc(options->sockets, sizeof *polls);
	struct load_result result = {0};
	size_t open = options->sockets;
	double start;

	if (connections == NULL || polls == NULL)
		err(3, "tcp");
	for (size_t i = 0; i < options->sockets; i++) {
		init_connection(&connections[i], options, corpus, i);
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
			close(polls[i].fd);
			polls[i].fd = -1;
			open--;
		}
	}
	result.seconds = moment_steady() - start;
	if (open > 0)
		errx(3, "not all was taken within %g s", options->seconds);
	free(connections);
	free(polls);
	return result;
}
