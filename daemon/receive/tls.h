/*
 * tls - what a TLS listener goes by: its certificate and key, whom it trusts,
 * and whom it lets in (RFC 5425, with RFC 9662's list of ciphers).
 *
 * TLS 1.2 with ephemeral keys and AEAD only, and 1.3; no compression, no
 * renegotiation, no tickets. All files are read when it is loaded: one that is
 * replaced later takes effect when all of them have been loaded anew.
 */
#ifndef SEPMLOGD_TLS_H
#define SEPMLOGD_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

struct tls;

/*
 * For a listener of CONFIG_TLS, whose names are copied. NULL: `why` (of `size`
 * bytes) says what is wrong with which file, and what to do. Counted: each
 * session keeps the one that it began with.
 */
struct tls *tls_load(
    const struct config_listen *listen, char *why, size_t size);
struct tls *tls_hold(struct tls *tls);
void tls_release(struct tls *tls); /* may be NULL */

/* Is one of the files not the one that was loaded? Says so once for each
 * change, whether or not it can be loaded. */
bool tls_has_changed(struct tls *tls);

/* Has it said so, and is still in use? */
bool tls_is_stale(const struct tls *tls);

/* When its certificate ends (UTC seconds). */
int64_t tls_expires(const struct tls *tls);

/* A session at a connected socket, which stays the caller's; NULL: no memory.
 * Free it with SSL_free. */
SSL *tls_session(struct tls *tls, int fd);

/*
 * May the peer of a session whose handshake is done send? False: `why` says
 * why not.
 */
bool tls_permits(const struct tls *tls, SSL *session, char *why, size_t size);

/* What a call on the session that failed has left behind, in words: the
 * verdict on the peer's certificate if there is one. */
void tls_reason(SSL *session, char *why, size_t size);

#endif
