/*
 * ssh_link - a subsystem of an SSH server, or a command there, as a stream of
 * bytes (libssh).
 *
 * Every call blocks until it is done, the server has said nothing for
 * `timeout`, or *stop is set, which is seen within a quarter of a second. Only
 * the look-up of a name is not cut short. The process ignores SIGPIPE.
 */
#ifndef SEPMLOG_UPLOAD_SSH_LINK_H
#define SEPMLOG_UPLOAD_SSH_LINK_H

#include <libssh/libssh.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "secret.h"

enum ssh_link_status {
	SSH_LINK_OK,
	SSH_LINK_LOST,    /* `why` says what is wrong and what to do */
	SSH_LINK_STOPPED, /* *stop was set */
};

enum { SSH_LINK_WHY = 400 };

/* Where to and as whom; borrowed while a link is opened. */
struct ssh_login {
	const char *host;
	unsigned port;
	const char *user;
	const char *known_hosts;
	const struct secret *password; /* NULL: none */
	ssh_key key;                   /* NULL: none */
	unsigned timeout;              /* seconds */
};

struct ssh_link {
	ssh_session session; /* NULL: closed */
	ssh_channel channel;
	unsigned timeout;
	const atomic_bool *stop;
	char why[SSH_LINK_WHY];
};

/* By what it says of itself; false as well when it is closed. */
bool ssh_link_is_openssh(const struct ssh_link *link);

/* Connects, checks the server's key, logs in and starts a subsystem; NULL:
 * none, there will be commands. After any other answer than
 * OK, *link is closed. */
enum ssh_link_status ssh_link_open(struct ssh_link *link,
    const struct ssh_login *login, const char *subsystem,
    const atomic_bool *stop);
void ssh_link_close(struct ssh_link *link);

/* Starts a command of the user's shell, after the one before has ended. */
enum ssh_link_status ssh_link_run(struct ssh_link *link, const char *command);
/* Says that nothing more comes, and waits for its end. What it said since then,
 * cut off at `size`, is in `text`. */
enum ssh_link_status ssh_link_finish(
    struct ssh_link *link, int *exit_status, char *text, size_t size);

/* All `n` bytes. */
enum ssh_link_status ssh_link_write(
    struct ssh_link *link, const void *bytes, size_t n);
/* Exactly `n` bytes. */
enum ssh_link_status ssh_link_read(
    struct ssh_link *link, void *bytes, size_t n);

#endif
