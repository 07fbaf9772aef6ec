/*
 * ssh_secrets - the files of a login to an SSH server.
 */
#ifndef SEPMLOG_UPLOAD_SSH_SECRETS_H
#define SEPMLOG_UPLOAD_SSH_SECRETS_H

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stddef.h>

#include "secret.h"

/* NULL where not said. */
struct ssh_files {
	const char *host, *user; /* for what is said */
	unsigned port;
	const char *known_hosts; /* must be readable */
	/* One of these two, or both. */
	const char *password;
	const char *key;
	const char *passphrase; /* of the key; NULL: it has none */
};

struct ssh_secrets {
	struct secret password; /* zeroed: none */
	ssh_key key;            /* NULL: none */
};

/* False: *secrets is zeroed, and `why` (of `size` bytes) says what is wrong and
 * what to do. */
bool ssh_secrets_read(const struct ssh_files *files,
    struct ssh_secrets *secrets, char *why, size_t size);
/* Wipes and frees them. */
void ssh_secrets_clear(struct ssh_secrets *secrets);

#endif
