/*
 * peer - a sender: its address as text, and what the configuration says of it.
 */
#ifndef SEPMLOGD_PEER_H
#define SEPMLOGD_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit.h"
#include "config.h"

struct peer {
	struct in6_addr address; /* IPv4 mapped */
	uint16_t port;
	uint8_t length;                      /* of text */
	char text[INET6_ADDRSTRLEN];         /* IPv4 as IPv4 */
	bool allowed;                        /* by `allow` */
	const struct message_source *source; /* points into the config */
	struct audit_row *row; /* of whoever counts it; NULL: not yet */
};

void peer_init(struct peer *peer, const struct sockaddr *from,
    const struct config *config);
/* Asks a new configuration about the same address. */
void peer_configure(struct peer *peer, const struct config *config);

static inline struct span
peer_text(const struct peer *peer)
{
	return span_of(peer->text, peer->length);
}

enum { PEER_NAME = sizeof "tcp []:65535" + INET6_ADDRSTRLEN };

/* For log lines: `tcp 192.0.2.7:40112`, `udp [2001:db8::7]:514`. Writes to
 * `out` and answers it. */
const char *peer_name(
    const struct peer *peer, const char *transport, char out[PEER_NAME]);

/*
 * The senders that datagrams came from of late, so that text and settings need
 * not be found for each datagram. Zero it before first use, and when the
 * configuration changes.
 */
enum { PEER_CACHE = 64 };

struct peer_cache {
	struct peer peers[PEER_CACHE];
};

/* Good until the next call. */
struct peer *peer_cache_find(struct peer_cache *cache,
    const struct sockaddr *from, const struct config *config);

#endif
