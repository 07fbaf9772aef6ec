/*
 * https - files to a web server, by PUT or POST (RFC 9110).
 *
 * TLS 1.2 or later, and the server's certificate is always checked. Redirects
 * are not followed. Each request says the content's SHA-256 (Content-Digest,
 * RFC 9530). With PUT a HEAD asks what size the server has then; `rename` puts
 * to a hidden name first, which MOVE (RFC 4918 9.9) makes the real one, for
 * servers that show files before they are whole.
 *
 * Answers: 2xx delivered; 400, 408, 425, 429 and 5xx again, Retry-After obeyed;
 * 401, 403, 404, 405, 407, 409, 423 and redirects again, as the target itself
 * is not as it should be; any other 4xx refuses the file.
 */
#ifndef SEPMLOG_UPLOAD_HTTPS_H
#define SEPMLOG_UPLOAD_HTTPS_H

#include <stdbool.h>
#include <stdint.h>

#include "target.h"
#include "web.h"

enum https_method { HTTPS_PUT, HTTPS_POST };

/* NULL where not said. */
struct https_options {
	char *url; /* `{name}` in it is the file's; else PUT adds `/NAME` */
	enum https_method method;
	bool rename; /* PUT only */
	bool verify; /* PUT only: ask for the size */
	char *content_type;
	struct web_access access; /* its login is in Authorization */
};

extern const struct target_kind target_https;

#endif
