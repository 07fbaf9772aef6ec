/*
 * sftp - files to a directory of an SSH server.
 *
 * SFTP version 3 (draft-ietf-secsh-filexfer-02) over libssh, with the server's
 * key from a known_hosts file. Only Ed25519 and RSA with SHA-2 are used
 * (RFC 8709, RFC 8332), for the server and for the login. A file is written as
 * `.NAME.part`, synced if the server can (fsync@openssh.com), its size or its
 * content checked, and then renamed to NAME. What a broken delivery left is
 * gone on with. A NAME that is there with the same content is a delivery; with
 * other content the file is refused, and nothing is overwritten.
 */
#ifndef SEPMLOG_UPLOAD_SFTP_H
#define SEPMLOG_UPLOAD_SFTP_H

#include <stdbool.h>
#include <stdint.h>

#include "target.h"

struct sftp_options {
	char *host;
	unsigned port; /* 0: 22 */
	char *user;
	char *known_hosts; /* sshd(8), SSH_KNOWN_HOSTS FILE FORMAT */
	/* One of these two, or both: the key is tried first. */
	char *password_file;
	char *key_file;
	char *passphrase_file; /* of key_file; NULL: it has none */
	char *directory;       /* must be there; NULL: that of the login */
	uint64_t timeout;      /* ms without an answer; 0: 60 s */
	/* Read each file back and compare, not just its size. */
	bool verify;
};

extern const struct target_kind target_sftp;

#endif
