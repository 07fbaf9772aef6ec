#include "peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool
allowed(const struct config *config, const struct in6_addr *address)
{
	if (config->allows == 0)
		return true;
	for (size_t i = 0; i < config->allows; i++)
		if (config_cidr_holds(&config->allow[i], address))
			return true;
	return false;
}

static uint16_t
port_of(const struct sockaddr *from)
{
	return ntohs(
	    from->sa_family == AF_INET6
		? ((const struct sockaddr_in6 *)(const void *)from)->sin6_port
		: ((const struct sockaddr_in *)(const void *)from)->sin_port);
}

void
peer_init(
    struct peer *peer, const struct sockaddr *from, const struct config *config)
{
	bool v4;

	peer->address = config_address(from);
	peer->port = port_of(from);
	peer->row = NULL;
	v4 = IN6_IS_ADDR_V4MAPPED(&peer->address);
	if (inet_ntop(v4 ? AF_INET : AF_INET6,
		&peer->address.s6_addr[v4 ? 12 : 0], peer->text,
		sizeof peer->text) == NULL)
		peer->text[0] = '\0';
	peer->length = (uint8_t)strlen(peer->text);
	peer_configure(peer, config);
}

void
peer_configure(struct peer *peer, const struct config *config)
{
	peer->allowed = allowed(config, &peer->address);
	peer->source = config_source_of(config, &peer->address);
}

const char *
peer_name(const struct peer *peer, const char *transport, char out[PEER_NAME])
{
	bool v4 = IN6_IS_ADDR_V4MAPPED(&peer->address);

	snprintf(out, PEER_NAME, v4 ? "%s %s:%u" : "%s [%s]:%u", transport,
	    peer->text, (unsigned)peer->port);
	return out;
}

struct peer *
peer_cache_find(struct peer_cache *cache, const struct sockaddr *from,
    const struct config *config)
{
	struct in6_addr address = config_address(from);
	const uint8_t *a = address.s6_addr;
	struct peer *peer =
	    &cache->peers[(a[15] ^ a[14] ^ a[13] ^ a[7]) % PEER_CACHE];

	if (peer->source == NULL ||
	    memcmp(&peer->address, &address, sizeof address) != 0)
		peer_init(peer, from, config);
	peer->port = port_of(from);
	return peer;
}
