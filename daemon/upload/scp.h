/*
 * scp - files to an SSH server that has no SFTP, by the protocol of scp -t.
 *
 * It is spoken here, over a command of ssh_link.h: libssh's own is deprecated,
 * and cannot be stopped. The protocol has no rename and cannot go on where it
 * broke: `rename` writes to `.NAME.part`, and a command of the shell compares
 * the size and renames. Without it a broken delivery is seen under its name
 * until the next try.
 */
#ifndef SEPMLOG_UPLOAD_SCP_H
#define SEPMLOG_UPLOAD_SCP_H

#include <stdbool.h>
#include <stdint.h>

#include "target.h"

/* NULL where not said; as sftp.h has it. */
struct scp_options {
	char *host;
	unsigned port;
	char *user;
	char *known_hosts;
	char *password_file;
	char *key_file;
	char *passphrase_file;
	char *directory;  /* must be there; NULL: that of the login */
	bool rename;      /* needs wc and mv there */
	uint64_t timeout; /* ms without an answer */
};

extern const struct target_kind target_scp;

#endif
