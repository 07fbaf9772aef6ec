/*
 * floor - the least that a receiver can do: take the bytes from the kernel,
 * and give them back to it for a file, without a look at them.
 *
 * Until SIGTERM; then it prints one JSON object: bytes and datagrams, and when
 * the last of them was dealt with.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "moment.h"
#include "store.h"

static const char usage_text[] =
    "usage: floor [option...] PORT\n"
    "  --out FILE            write what comes to FILE; else discard it\n"
    "  --store FILE          the same, synced and with its SHA-256 (store.h)\n"
    "  --expand PERCENT      write so many bytes for 100 received (100)\n"
    "  --receive-buffer N    bytes of the UDP socket's queue\n";

enum {
	READ_SIZE = 256 << 10,
	DATAGRAMS = 64, /* for each system call */
	DATAGRAM_SIZE = 2048,
	MAX_PERCENT = 1000,
};

struct floor {
	int epoll, tcp, udp, signals, out;
	struct store *store;
	unsigned percent;
	int receive_buffer; /* 0: the system's default */
	uint64_t bytes, datagrams;
	double last;
};

static void
usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

static void
watch(const struct floor *f, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		err(3, "epoll");
}

static int
open_socket(int type, uint16_t port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
		err(3, "port %u", port);
	return fd;
}

static void
open_udp(struct floor *f, uint16_t port)
{
	const int *size = &f->receive_buffer;

	f->udp = open_socket(SOCK_DGRAM, port);
	/* Only root may have more than net.core.rmem_max. */
	if (*size > 0 && setsockopt(f->udp, SOL_SOCKET, SO_RCVBUFFORCE, size,
			     sizeof *size) != 0)
		setsockopt(f->udp, SOL_SOCKET, SO_RCVBUF, size, sizeof *size);
	watch(f, f->udp);
}

static void
open_tcp(struct floor *f, uint16_t port)
{
	f->tcp = open_socket(SOCK_STREAM, port);
	if (listen(f->tcp, 128) != 0)
		err(3, "listen");
	watch(f, f->tcp);
}

static void
open_signals(struct floor *f)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	f->signals = signalfd(-1, &set, 0);
	watch(f, f->signals);
}

/* As many bytes as records would have; which ones they are costs nothing. */
static void
write_out(const struct floor *f, char *bytes, size_t n)
{
	struct iovec pieces[MAX_PERCENT / 100 + 1];
	size_t left = n * f->percent / 100, wanted = left;
	int count = 0;

	for (; left > 0; count++) {
		size_t size = left < n ? left : n;

		pieces[count] = (struct iovec){bytes, size};
		left -= size;
	}
	for (int i = 0; i < count && f->store != NULL; i++)
		store_put(f->store, pieces[i].iov_base, pieces[i].iov_len);
	if (f->out >= 0 && writev(f->out, pieces, count) != (ssize_t)wanted)
		err(3, "write");
}

static void
take_stream(struct floor *f, int fd)
{
	static char bytes[READ_SIZE];
	ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n > 0) {
		write_out(f, bytes, (size_t)n);
		f->bytes += (uint64_t)n;
		f->last = moment_of_day();
	} else if (n == 0 || errno != EAGAIN) {
		close(fd);
	}
}

static void
take_connection(const struct floor *f)
{
	int fd = accept(f->tcp, NULL, NULL);

	if (fd >= 0)
		watch(f, fd);
}

/* Lines of a file, one behind the other; datagrams come without a line feed. */
static size_t
gather(const struct mmsghdr *messages, int count, char *lines)
{
	size_t n = 0;

	for (int i = 0; i < count; i++) {
		memcpy(lines + n, messages[i].msg_hdr.msg_iov->iov_base,
		    messages[i].msg_len);
		n += messages[i].msg_len;
		lines[n++] = '\n';
	}
	return n;
}

static void
take_datagrams(struct floor *f)
{
	static char bytes[DATAGRAMS][DATAGRAM_SIZE];
	static char lines[DATAGRAMS * (DATAGRAM_SIZE + 1)];
	struct mmsghdr messages[DATAGRAMS] = {0};
	struct iovec pieces[DATAGRAMS];
	int count;

	for (int i = 0; i < DATAGRAMS; i++) {
		pieces[i] = (struct iovec){bytes[i], DATAGRAM_SIZE};
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	count = recvmmsg(f->udp, messages, DATAGRAMS, MSG_DONTWAIT, NULL);
	if (count <= 0)
		return;
	for (int i = 0; i < count; i++)
		f->bytes += messages[i].msg_len;
	f->datagrams += (uint64_t)count;
	if (f->out >= 0 || f->store != NULL)
		write_out(f, lines, gather(messages, count, lines));
	f->last = moment_of_day();
}

/* Until a signal comes. */
static void
run(struct floor *f)
{
	struct epoll_event events[64];

	for (;;) {
		int count = epoll_wait(f->epoll, events, 64, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == f->signals)
				return;
			if (fd == f->tcp)
				take_connection(f);
			else if (fd == f->udp)
				take_datagrams(f);
			else
				take_stream(f, fd);
		}
	}
}

static unsigned
read_number(const char *text, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n == 0 || n > max)
		errx(2, "%s: not a number from 1 to %u", text, max);
	return (unsigned)n;
}

static void
open_out(struct floor *f, const char *path)
{
	f->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
	if (f->out < 0)
		err(3, "%s", path);
}

static uint16_t
read_command(struct floor *f, int argc, char **argv)
{
	static const struct option options[] = {
	    {"out", required_argument, NULL, 'o'},
	    {"store", required_argument, NULL, 's'},
	    {"expand", required_argument, NULL, 'e'},
	    {"receive-buffer", required_argument, NULL, 'r'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'o')
			open_out(f, optarg);
		else if (option == 's')
			f->store = store_open(optarg);
		else if (option == 'e')
			f->percent = read_number(optarg, MAX_PERCENT);
		else if (option == 'r')
			f->receive_buffer = (int)read_number(optarg, 1 << 30);
		else
			usage();
	}
	if (argc - optind != 1)
		usage();
	return (uint16_t)read_number(argv[optind], 65535);
}

int
main(int argc, char **argv)
{
	struct floor f = {.out = -1, .percent = 100};
	uint16_t port;

	f.epoll = epoll_create1(0);
	open_signals(&f); /* before there is a thread that has them */
	port = read_command(&f, argc, argv);
	open_udp(&f, port);
	open_tcp(&f, port);
	run(&f);
	if (f.store != NULL)
		f.last = store_close(f.store);
	printf("{\"bytes\": %llu, \"datagrams\": %llu, \"last\": %.6f}\n",
	    (unsigned long long)f.bytes, (unsigned long long)f.datagrams,
	    f.last);
	if (f.out >= 0 && close(f.out) != 0)
		err(3, "close");
	return fflush(stdout) != 0;
}
