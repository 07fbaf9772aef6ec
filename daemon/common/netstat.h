/*
 * netstat - what the kernel counts of datagrams, of all sockets of a network
 * (/proc/net/snmp, of IPv6 /proc/net/snmp6).
 */
#ifndef SEPMLOG_NETSTAT_H
#define SEPMLOG_NETSTAT_H

#include <stdbool.h>
#include <stdint.h>

struct netstat {
	int v4, v6; /* -1: there is none */
};

/* Sums since the network is. */
struct netstat_udp {
	uint64_t no_ports; /* came to a port where nobody listens */
	uint64_t buffer; /* were dropped for want of room in a receive buffer */
	uint64_t memory; /* and for want of any (net.ipv4.udp_mem) */
};

/* What to do when no_ports rises. */
extern const char netstat_wrong_port[];

/* The files `snmp` and `snmp6` in a directory; /proc/self/net has those of the
 * process' own network. A file that is not there counts nothing. */
void netstat_open(struct netstat *netstat, const char *directory);
void netstat_close(struct netstat *netstat);
/* False: neither can be read. */
bool netstat_read(const struct netstat *netstat, struct netstat_udp *udp);

#endif
