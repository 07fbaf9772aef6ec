#include "ssh_link.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TICK = 250 /* ms between two looks at *stop */ };

/* No SHA-1 signatures, no DSA; ECDSA fails silently with a bad random number,
 * and who has it has one of these, too. */
#define KEYS "ssh-ed25519,rsa-sha2-512,rsa-sha2-256"
/* AES first: every server processor has instructions for it. */
#define CIPHERS                                                                \
	"aes256-gcm@openssh.com,aes128-gcm@openssh.com,"                       \
	"chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr"

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3))) static enum ssh_link_status
lost(struct ssh_link *link, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(link->why, sizeof link->why, format, args);
	va_end(args);
	return SSH_LINK_LOST;
}

/* --- waiting --- */

struct patience {
	int64_t end;
};

static struct patience
patience_of(const struct ssh_link *link)
{
	return (struct patience){now_ms() + (int64_t)link->timeout * 1000};
}

static enum ssh_link_status
may_wait(struct ssh_link *link, struct patience patience, const char *what)
{
	if (atomic_load(link->stop))
		return SSH_LINK_STOPPED;
	if (now_ms() >= patience.end)
		return lost(link,
		    "no answer to %s for %u s; check that the server is "
		    "reachable and not overloaded",
		    what, link->timeout);
	return SSH_LINK_OK;
}

/* Until the session's socket has something to do, or a tick is over. */
static enum ssh_link_status
wait_a_tick(struct ssh_link *link, struct patience patience, const char *what)
{
	struct pollfd p = {
	    .fd = ssh_get_fd(link->session),
	    .events = POLLIN,
	};
	enum ssh_link_status status = may_wait(link, patience, what);

	if (status != SSH_LINK_OK)
		return status;
	if ((ssh_get_poll_flags(link->session) & SSH_WRITE_PENDING) != 0)
		p.events |= POLLOUT;
	poll(&p, 1, TICK);
	return SSH_LINK_OK;
}

/* --- connecting --- */

/* 0, or an errno; EINPROGRESS: not yet. */
static int
connect_state(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t n = sizeof(int);
	int error;

	if (poll(&p, 1, TICK) <= 0)
		return EINPROGRESS;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 ? errno
								    : error;
}

static enum ssh_link_status
connect_to(struct ssh_link *link, const struct addrinfo *address, int *fd)
{
	struct patience patience = patience_of(link);
	enum ssh_link_status status;
	int error = 0;

	*fd = socket(
	    address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return lost(link, "socket: %s", strerrordesc_np(errno));
	if (connect(*fd, address->ai_addr, address->ai_addrlen) < 0)
		error = errno;
	while (error == EINPROGRESS || error == EINTR) {
		status = may_wait(link, patience, "the connection request");
		if (status != SSH_LINK_OK)
			goto fail;
		error = connect_state(*fd);
	}
	if (error == 0)
		return SSH_LINK_OK;
	status = lost(link,
	    "cannot connect: %s; check host, port, the network and that the "
	    "server runs",
	    strerrordesc_np(error));
fail:
	close(*fd);
	*fd = -1;
	return status;
}

static enum ssh_link_status
dial(struct ssh_link *link, const struct ssh_login *login, int *fd)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	enum ssh_link_status status = SSH_LINK_LOST;
	struct addrinfo *list;
	char port[16];
	int error;

	snprintf(port, sizeof port, "%u", login->port);
	error = getaddrinfo(login->host, port, &hints, &list);
	if (error != 0)
		return lost(link,
		    "cannot look up %s: %s; check the host's name and the "
		    "resolver",
		    login->host, gai_strerror(error));
	for (struct addrinfo *a = list; a != NULL && status == SSH_LINK_LOST;
	     a = a->ai_next)
		status = connect_to(link, a, fd);
	freeaddrinfo(list);
	return status;
}

static bool
set_options(ssh_session s, const struct ssh_login *login, int fd)
{
	static const bool off = false;
	static const int level = SSH_LOG_NOLOG;

	/* a user's own configuration has no say in what a daemon does */
	return ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &off) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_LOG_VERBOSITY, &level) == 0 &&
	       /* there may be no home */
	       ssh_options_set(s, SSH_OPTIONS_SSH_DIR, "/nonexistent") == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_HOST, login->host) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_PORT, &login->port) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_USER, login->user) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_KNOWNHOSTS, login->known_hosts) ==
		   0 &&
	       ssh_options_set(
		   s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, login->known_hosts) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_HOSTKEYS, KEYS) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, KEYS) ==
		   0 &&
	       ssh_options_set(s, SSH_OPTIONS_CIPHERS_C_S, CIPHERS) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_CIPHERS_S_C, CIPHERS) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_COMPRESSION, "no") == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_FD, &fd) == 0;
}

static enum ssh_link_status
shake_hands(struct ssh_link *link)
{
	struct patience patience = patience_of(link);
	enum ssh_link_status status;
	int rc;

	while ((rc = ssh_connect(link->session)) == SSH_AGAIN) {
		status = wait_a_tick(link, patience, "the key exchange");
		if (status != SSH_LINK_OK)
			return status;
	}
	if (rc == SSH_OK)
		return SSH_LINK_OK;
	return lost(link,
	    "%s; it must speak SSH 2 with a host key of Ed25519 or RSA",
	    ssh_get_error(link->session));
}

/* --- the server's key --- */

/* "SHA256:...", as ssh-keygen -l shows it. */
static void
fingerprint(ssh_session session, char *text, size_t size)
{
	unsigned char *hash = NULL;
	char *words = NULL;
	ssh_key key = NULL;
	size_t n;

	snprintf(text, size, "unknown");
	if (ssh_get_server_publickey(session, &key) != SSH_OK)
		return;
	if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &n) ==
	    0)
		words = ssh_get_fingerprint_hash(
		    SSH_PUBLICKEY_HASH_SHA256, hash, n);
	if (words != NULL)
		snprintf(text, size, "%s %s",
		    ssh_key_type_to_char(ssh_key_type(key)), words);
	ssh_string_free_char(words);
	ssh_clean_pubkey_hash(&hash);
	ssh_key_free(key);
}

static enum ssh_link_status
check_server(struct ssh_link *link, const struct ssh_login *login)
{
	char print[128];

	fingerprint(link->session, print, sizeof print);
	switch (ssh_session_is_known_server(link->session)) {
	case SSH_KNOWN_HOSTS_OK:
		return SSH_LINK_OK;
	case SSH_KNOWN_HOSTS_CHANGED:
	case SSH_KNOWN_HOSTS_OTHER:
		return lost(link,
		    "the server's key is not the one in %s, but %s: somebody "
		    "may be in between; if the server's administrator "
		    "confirms this key, replace the line",
		    login->known_hosts, print);
	case SSH_KNOWN_HOSTS_UNKNOWN:
	case SSH_KNOWN_HOSTS_NOT_FOUND:
		return lost(link,
		    "the server's key %s is not in %s; compare it with the "
		    "server's own, and add the line that ssh-keyscan -p %u %s "
		    "prints",
		    print, login->known_hosts, login->port, login->host);
	default:
		return lost(link, "%s: %s; check the file's lines (sshd(8))",
		    login->known_hosts, ssh_get_error(link->session));
	}
}

/* --- logging in --- */

typedef int login_fn(ssh_session session, const struct ssh_login *login);

static int
login_none(ssh_session session, const struct ssh_login *login)
{
	(void)login;
	return ssh_userauth_none(session, NULL);
}

static int
login_key(ssh_session session, const struct ssh_login *login)
{
	return ssh_userauth_publickey(session, NULL, login->key);
}

static int
login_password(ssh_session session, const struct ssh_login *login)
{
	return ssh_userauth_password(session, NULL, login->password->text);
}

/* Servers with PAM ask for the password in this way (RFC 4256). */
static int
login_question(ssh_session session, const struct ssh_login *login)
{
	int rc = ssh_userauth_kbdint(session, NULL, NULL);

	while (rc == SSH_AUTH_INFO) {
		for (int i = 0; i < ssh_userauth_kbdint_getnprompts(session);
		     i++)
			ssh_userauth_kbdint_setanswer(
			    session, (unsigned)i, login->password->text);
		rc = ssh_userauth_kbdint(session, NULL, NULL);
	}
	return rc;
}

static enum ssh_link_status
try_login(struct ssh_link *link, const struct ssh_login *login, login_fn *fn,
    bool *in)
{
	struct patience patience = patience_of(link);
	enum ssh_link_status status;
	int rc;

	while ((rc = fn(link->session, login)) == SSH_AUTH_AGAIN) {
		status = wait_a_tick(link, patience, "the login");
		if (status != SSH_LINK_OK)
			return status;
	}
	*in = rc == SSH_AUTH_SUCCESS;
	if (rc == SSH_AUTH_ERROR && !ssh_is_connected(link->session))
		return lost(link,
		    "the server closed the connection at login: "
		    "%s; see its log",
		    ssh_get_error(link->session));
	return SSH_LINK_OK;
}

static enum ssh_link_status
log_in(struct ssh_link *link, const struct ssh_login *login)
{
	static const struct {
		int method;
		login_fn *fn;
	} ways[] = {
	    {SSH_AUTH_METHOD_PUBLICKEY, login_key},
	    {SSH_AUTH_METHOD_PASSWORD, login_password},
	    {SSH_AUTH_METHOD_INTERACTIVE, login_question},
	};
	enum ssh_link_status status;
	bool in = false;
	int offered;

	status = try_login(link, login, login_none, &in);
	for (size_t i = 0;
	     i < sizeof ways / sizeof ways[0] && status == SSH_LINK_OK && !in;
	     i++) {
		offered = ssh_userauth_list(link->session, NULL);
		if ((offered & ways[i].method) == 0)
			continue;
		if (ways[i].fn == login_key ? login->key == NULL
					    : login->password == NULL)
			continue;
		status = try_login(link, login, ways[i].fn, &in);
	}
	if (status != SSH_LINK_OK || in)
		return status;
	return lost(link,
	    "the login of %s was denied; check the user, the password or key "
	    "file, and what the server allows",
	    login->user);
}

/* --- the subsystem, or a command --- */

static int
request(struct ssh_link *link, const char *subsystem, const char *command)
{
	return subsystem != NULL
		   ? ssh_channel_request_subsystem(link->channel, subsystem)
		   : ssh_channel_request_exec(link->channel, command);
}

static enum ssh_link_status
start(struct ssh_link *link, const char *subsystem, const char *command)
{
	struct patience patience = patience_of(link);
	enum ssh_link_status status = SSH_LINK_OK;
	bool is_open = false;
	int rc;

	link->channel = ssh_channel_new(link->session);
	if (link->channel == NULL)
		return lost(link, "no memory");
	while (status == SSH_LINK_OK) {
		rc = is_open ? request(link, subsystem, command)
			     : ssh_channel_open_session(link->channel);
		if (rc == SSH_AGAIN)
			status = wait_a_tick(link, patience,
			    "the request for SFTP or a command");
		else if (rc != SSH_OK)
			break;
		else if (is_open)
			return SSH_LINK_OK;
		else
			is_open = true;
	}
	if (status != SSH_LINK_OK)
		return status;
	return lost(link,
	    "the server does not start %s: %s; its configuration must allow "
	    "it to this user",
	    subsystem != NULL ? subsystem : command,
	    ssh_get_error(link->session));
}

static enum ssh_link_status
open_session(
    struct ssh_link *link, const struct ssh_login *login, const char *subsystem)
{
	enum ssh_link_status status;
	int fd = -1;

	status = dial(link, login, &fd);
	if (status != SSH_LINK_OK)
		return status;
	link->session = ssh_new();
	if (link->session == NULL || !set_options(link->session, login, fd)) {
		close(fd);
		return lost(link, "SSH cannot be set up: no memory, or a value "
				  "of the options is not valid");
	}
	/* from here on the session owns the socket */
	ssh_set_blocking(link->session, 0);
	status = shake_hands(link);
	if (status == SSH_LINK_OK)
		status = check_server(link, login);
	if (status == SSH_LINK_OK)
		status = log_in(link, login);
	if (status == SSH_LINK_OK && subsystem != NULL)
		status = start(link, subsystem, NULL);
	return status;
}

bool
ssh_link_is_openssh(const struct ssh_link *link)
{
	const char *banner =
	    link->session != NULL ? ssh_get_serverbanner(link->session) : NULL;

	return banner != NULL && strstr(banner, "OpenSSH") != NULL;
}

enum ssh_link_status
ssh_link_open(struct ssh_link *link, const struct ssh_login *login,
    const char *subsystem, const atomic_bool *stop)
{
	enum ssh_link_status status;

	*link = (struct ssh_link){.timeout = login->timeout, .stop = stop};
	status = open_session(link, login, subsystem);
	if (status != SSH_LINK_OK)
		ssh_link_close(link);
	return status;
}

enum ssh_link_status
ssh_link_run(struct ssh_link *link, const char *command)
{
	ssh_channel_free(link->channel);
	link->channel = NULL;
	return start(link, NULL, command);
}

void
ssh_link_close(struct ssh_link *link)
{
	if (link->session == NULL)
		return;
	ssh_channel_free(link->channel);
	ssh_disconnect(link->session);
	ssh_free(link->session);
	link->session = NULL;
	link->channel = NULL;
}

/* --- bytes --- */

static enum ssh_link_status
broken(struct ssh_link *link)
{
	const char *error = ssh_get_error(link->session);

	return lost(link,
	    "the connection broke: %s; it is tried again, see the server's log "
	    "if it stays so",
	    error[0] != '\0' ? error : "the server ended it");
}

static bool
is_over(const struct ssh_link *link)
{
	return !ssh_is_connected(link->session) ||
	       ssh_channel_is_eof(link->channel) ||
	       ssh_channel_is_closed(link->channel);
}

/* What libssh holds back in a session that does not block is sent at once: else
 * it waits for an event of the socket that may be long in coming. */
static enum ssh_link_status
flush(struct ssh_link *link)
{
	struct patience patience = patience_of(link);
	enum ssh_link_status status;
	int rc;

	while ((rc = ssh_blocking_flush(link->session, TICK)) == SSH_AGAIN) {
		status = may_wait(link, patience, "what was sent");
		if (status != SSH_LINK_OK)
			return status;
	}
	return rc == SSH_OK ? SSH_LINK_OK : broken(link);
}

enum ssh_link_status
ssh_link_write(struct ssh_link *link, const void *bytes, size_t n)
{
	struct patience patience = patience_of(link);
	enum ssh_link_status status;
	const char *p = bytes;
	int put;

	while (n > 0) {
		if (is_over(link))
			return broken(link);
		put = ssh_channel_write(link->channel, p, (uint32_t)n);
		if (put < 0 && put != SSH_AGAIN)
			return broken(link);
		if (put > 0) {
			p += put;
			n -= (size_t)put;
			patience = patience_of(link);
			status = flush(link);
		} else {
			status = wait_a_tick(link, patience, "what was sent");
		}
		if (status != SSH_LINK_OK)
			return status;
	}
	return SSH_LINK_OK;
}

enum ssh_link_status
ssh_link_read(struct ssh_link *link, void *bytes, size_t n)
{
	struct patience patience = patience_of(link);
	enum ssh_link_status status;
	char *p = bytes;
	int got;

	while (n > 0) {
		got = ssh_channel_read_timeout(
		    link->channel, p, (uint32_t)n, 0, TICK);
		if (got < 0 && got != SSH_AGAIN)
			return broken(link);
		if (got > 0) {
			p += got;
			n -= (size_t)got;
			patience = patience_of(link);
			continue;
		}
		if (is_over(link))
			return broken(link);
		status = may_wait(link, patience, "a request");
		if (status != SSH_LINK_OK)
			return status;
	}
	return SSH_LINK_OK;
}

/* Some of what it says, of either kind; 0: nothing for now. */
static int
hear(struct ssh_link *link, char *text, size_t size, size_t *n)
{
	char more[512];
	int got =
	    ssh_channel_read_timeout(link->channel, more, sizeof more, 0, TICK);
	size_t room = size - 1 - *n;

	if (got == 0 || got == SSH_AGAIN)
		got = ssh_channel_read_nonblocking(
		    link->channel, more, sizeof more, 1);
	if (got <= 0)
		return got == SSH_EOF || got == SSH_AGAIN ? 0 : got;
	room = (size_t)got < room ? (size_t)got : room;
	memcpy(text + *n, more, room);
	*n += room;
	text[*n] = '\0';
	return got;
}

enum ssh_link_status
ssh_link_finish(
    struct ssh_link *link, int *exit_status, char *text, size_t size)
{
	struct patience patience = patience_of(link);
	enum ssh_link_status status;
	size_t n = 0;
	int got;

	text[0] = '\0';
	if (ssh_channel_send_eof(link->channel) != SSH_OK)
		return broken(link);
	status = flush(link);
	while (status == SSH_LINK_OK) {
		got = hear(link, text, size, &n);
		if (got < 0)
			return broken(link);
		*exit_status = ssh_channel_get_exit_status(link->channel);
		if (got == 0 && *exit_status >= 0 &&
		    ssh_channel_is_eof(link->channel))
			return SSH_LINK_OK;
		if (got == 0 && ssh_channel_is_closed(link->channel))
			return *exit_status >= 0 ? SSH_LINK_OK : broken(link);
		status = may_wait(link, patience, "the end of a command");
	}
	return status;
}
