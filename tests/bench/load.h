/*
 * load - send numbered messages of a corpus as fast as they are taken, or at
 * a rate.
 *
 * The messages are numbered in the order in which they are sent. A transport
 * that breaks ends the program.
 */
#ifndef SEPMLOG_BENCH_LOAD_H
#define SEPMLOG_BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "corpus.h"

struct load_options {
	struct sockaddr_in to;
	uint64_t count; /* messages */
	size_t sockets; /* connections, or sources of datagrams */
	size_t batch;   /* UDP: most datagrams for each system call */
	double rate;    /* UDP: messages a second; 0: no limit */
	double seconds; /* ends after that in any case */
	bool tls;       /* TCP: inside TLS; whoever answers is believed */
};

struct load_result {
	uint64_t sent, bytes;
	double start;   /* of the clock of the day, in seconds */
	double seconds; /* until the kernel had taken the last message */
};

struct load_result load_tcp(
    const struct load_options *options, struct corpus *corpus);
struct load_result load_udp(
    const struct load_options *options, struct corpus *corpus);

#endif
