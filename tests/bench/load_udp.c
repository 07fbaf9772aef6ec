/*
 * Datagrams are handed to the kernel by the batch (UDP_SEGMENT), as otherwise
 * the sender would need more of the processors than any receiver. Those of one
 * batch must be of one length, so the corpus is sorted by length, and the
 * batches are shuffled: lengths and kinds alternate as they do in life.
 */
#include <err.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "moment.h"

enum { MAX_PACKED = 65000 }; /* bytes that one call can take */

struct batch {
	struct corpus_message *first;
	size_t count;
};

struct batches {
	struct batch *batch;
	size_t count;
};

static int
compare_size(const void *a, const void *b)
{
	const struct corpus_message *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool
fits(
    const struct batch *batch, const struct corpus_message *message, size_t max)
{
	size_t size = batch->first->size;

	return message->size == size && batch->count < max &&
	       (batch->count + 1) * size <= MAX_PACKED;
}

static void
shuffle(struct batches *all)
{
	unsigned short seed[3] = {1, 2, 3};

	for (size_t i = all->count; i > 1; i--) {
		size_t j = (size_t)nrand48(seed) % i;
		struct batch other = all->batch[j];

		all->batch[j] = all->batch[i - 1];
		all->batch[i - 1] = other;
	}
}

static void
make_batches(struct batches *all, struct corpus *corpus, size_t max)
{
	struct corpus_message *message = corpus->message;

	all->count = 0;
	all->batch = calloc(corpus->count, sizeof *all->batch);
	if (all->batch == NULL)
		err(3, "udp");
	qsort(message, corpus->count, sizeof *message, compare_size);
	for (size_t i = 0; i < corpus->count; i++) {
		if (all->count == 0 ||
		    !fits(&all->batch[all->count - 1], &message[i], max))
			all->batch[all->count++].first = &message[i];
		all->batch[all->count - 1].count++;
	}
	shuffle(all);
}

static int *
open_sources(const struct load_options *options)
{
	int *fds = calloc(options->sockets, sizeof *fds);
	int room = 4 << 20;

	if (fds == NULL)
		err(3, "udp");
	for (size_t i = 0; i < options->sockets; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (fds[i] < 0 ||
		    setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &room,
			sizeof room) != 0 ||
		    connect(fds[i], (const struct sockaddr *)&options->to,
			sizeof options->to) != 0)
			err(3, "udp");
	}
	return fds;
}

static void
send_packed(int fd, char *packed, size_t bytes, size_t size)
{
	union {
		char bytes[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec data = {packed, bytes};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
	uint16_t segment = (uint16_t)size;

	if (bytes > size) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
		CMSG_FIRSTHDR(&message)->cmsg_level = SOL_UDP;
		CMSG_FIRSTHDR(&message)->cmsg_type = UDP_SEGMENT;
		CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(sizeof segment);
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &segment,
		    sizeof segment);
	}
	while (sendmsg(fd, &message, 0) < 0)
		if (errno != ENOBUFS && errno != EINTR)
			err(3, "sendmsg");
}

/* Numbers, packs and sends the first `count` of a batch. */
static void
send_batch(
    int fd, const struct batch *batch, size_t count, struct load_result *result)
{
	static char packed[MAX_PACKED];
	size_t size = batch->first->size;

	for (size_t i = 0; i < count; i++) {
		corpus_number(&batch->first[i], result->sent++);
		memcpy(packed + i * size, batch->first[i].frame, size);
	}
	send_packed(fd, packed, count * size, size);
	result->bytes += count * size;
}

/* Sleeps until `count` more are due. */
static void
pace(const struct load_options *options, double start, uint64_t due)
{
	struct timespec pause = {0, 30000};

	while (options->rate > 0 &&
	       (moment_steady() - start) * options->rate < (double)due)
		nanosleep(&pause, NULL);
}

struct load_result
load_udp(const struct load_options *options, struct corpus *corpus)
{
	int *fds = open_sources(options);
	struct load_result result = {0};
	struct batches all;
	double start;

	make_batches(&all, corpus, options->batch);
	/* Without it a sleep takes 50 us longer than it says. */
	prctl(PR_SET_TIMERSLACK, 1);
	result.start = moment_of_day();
	start = moment_steady();
	for (size_t i = 0; result.sent < options->count &&
			   moment_steady() - start < options->seconds;
	     i++) {
		const struct batch *batch = &all.batch[i % all.count];
		size_t count = batch->count;

		if (count > options->count - result.sent)
			count = (size_t)(options->count - result.sent);
		pace(options, start, result.sent + count);
		send_batch(fds[i % options->sockets], batch, count, &result);
	}
	result.seconds = moment_steady() - start;
	for (size_t i = 0; i < options->sockets; i++)
		close(fds[i]);
	free(fds);
	free(all.batch);
	return result;
}
