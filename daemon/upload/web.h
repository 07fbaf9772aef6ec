/*
 * web - what the targets over HTTPS have in common: a connection of libcurl,
 * and the requests of one delivery on it.
 *
 * TLS 1.2 or later, the server's certificate is always checked, redirects are
 * not followed, and nothing is taken from the environment.
 */
#ifndef SEPMLOG_UPLOAD_WEB_H
#define SEPMLOG_UPLOAD_WEB_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "secret.h"
#include "target.h"

enum {
	WEB_ANSWER = 160, /* bytes of an answer's body that a reason repeats */
	WEB_HEADER = 1200,
};

/* How to get to a server, and as whom. NULL where not said. */
struct web_access {
	char *ca;          /* PEM; NULL: the system's */
	char *certificate; /* of ours, PEM ... */
	char *key;         /* ... and its key */
	char *token_file;  /* one secret at most; read again for each file */
	char *user;
	char *password_file;
	char *proxy;
	uint64_t timeout; /* ms without a byte; also to connect */
};

struct web {
	CURL *curl;
	const struct web_access *access;
	char error[CURL_ERROR_SIZE];
};

/* Can all files of it be read? `access` must live as long. False: `why` (of
 * `size` bytes) says what is wrong and what to do. */
bool web_open(
    struct web *web, const struct web_access *access, char *why, size_t size);
void web_close(struct web *web);
/* Can this user read these PEM files? NULL: it need not be there. */
bool web_can_read(
    const char *const *files, size_t count, char *why, size_t size);

struct web_work {
	struct web *web;
	const struct target_file *file;
	struct target_watch *watch;
	struct target_result *result;
	struct secret secret; /* of the login; empty: none */
	struct curl_slist *headers;
	uint64_t from, to; /* of the file: what the request has */
	uint64_t at;       /* the next byte to send */
	int error;         /* of a read */
	size_t n;
	char answer[WEB_ANSWER + 1];
	/* All of the answer as it is, cut off at `body_size`, a NUL after it.
	 * NULL: not wanted. */
	char *body;
	size_t body_size, body_n;
	bool body_cut;
	/* What else than the secret a reason must not show, even if the server
	 * repeats it; NULL: none. */
	const char *hidden;
	/* Sees what is sent; NULL bytes: it begins, or begins again. May be
	 * NULL: then the sending can go on from anywhere. */
	void (*sees)(struct web_work *work, const char *bytes, size_t n);
};

#define WEB_SET(w, option, value)                                              \
	((void)curl_easy_setopt((w)->web->curl, option, value))

/* Reads the secret: each time, as tokens are renewed. False: the result says
 * why. */
bool web_read_secret(struct web_work *work);
/* After all requests: nothing of the secret, or the headers, stays. */
void web_end(struct web_work *work);

/* What all requests have, with no headers yet; the connection stays. */
void web_begin(struct web_work *work, const char *url);
/* By name and password (RFC 7617), or by the token (RFC 6750), if the access
 * has one. */
void web_set_login(struct web_work *work);
/* The request has the file, or [from, to) of it, as its content. */
void web_set_content(struct web_work *work);
void web_set_part(struct web_work *work, uint64_t from, uint64_t to);
/* False: no memory, or it is too long. */
bool web_add_header(struct web_work *work, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A header of the answer, or NULL. */
const char *web_header(struct web_work *work, const char *name);

/* It failed, for this reason: to be tried again. */
void web_again(struct web_work *work, bool target_down, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The answer's status; what it says of when to come again is in the result. */
long web_status(struct web_work *work);
/*
 * There is no answer, and `code` is not CURLE_OK: web_again, with what libcurl
 * says and `hint`; behind `what:`, which may be NULL. If it was the file, or a
 * proxy that lets nothing through, that is told instead.
 */
void web_no_answer(struct web_work *work, CURLcode code, bool target_down,
    const char *what, const char *hint);

#endif
