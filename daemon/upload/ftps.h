/*
 * ftps - files to an FTP server over TLS (RFC 4217, AUTH TLS on the port of
 * FTP).
 *
 * Login and content only go over TLS 1.2, whose sessions can be used again for
 * the data, as servers want it; the server's certificate is checked. A file is
 * written to `.NAME.part`, its size compared, then renamed. A part that is
 * there is gone on with (APPE) if its end, read back, is that of the file at
 * the same place.
 */
#ifndef SEPMLOG_UPLOAD_FTPS_H
#define SEPMLOG_UPLOAD_FTPS_H

#include <stdbool.h>
#include <stdint.h>

#include "target.h"
#include "web.h"

/* NULL where not said. */
struct ftps_options {
	char *host;
	unsigned port;
	char *directory; /* relative to that of the login, or from / on */
	bool verify;     /* read each file back */
	struct web_access access;
};

extern const struct target_kind target_ftps;

#endif
