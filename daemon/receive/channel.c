#include "channel.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * As long as its peer sends what gives no bytes, such as requests for new keys
 * or to negotiate again, a session reads on. The others want their turn, too:
 * after so many reads, two for each record, it has to wait like a session that
 * has read everything; the loop comes back to it, as the socket has more.
 */
enum { READS = 256 };

static long
limit_reads_cb(BIO *bio, int what, const char *data, size_t size, int number,
    long argument, int result, size_t *done)
{
	struct channel *c = (void *)BIO_get_callback_arg(bio);

	(void)data;
	(void)size;
	(void)number;
	(void)argument;
	(void)done;
	if (what != BIO_CB_READ || c->reads-- > 0)
		return result;
	c->reads = 0;
	BIO_clear_retry_flags(bio);
	BIO_set_retry_read(bio);
	return -1;
}

static void
limit_reads(struct channel *c)
{
	BIO *bio = SSL_get_rbio(c->session);

	BIO_set_callback_arg(bio, (void *)c);
	BIO_set_callback_ex(bio, limit_reads_cb);
}

bool
channel_open(struct channel *c, int fd, struct tls *tls)
{
	*c = (struct channel){.fd = fd, .shaken = tls == NULL};
	if (tls == NULL)
		return true;
	c->session = tls_session(tls, fd);
	if (c->session == NULL)
		return false;
	c->tls = tls_hold(tls);
	limit_reads(c);
	return true;
}

void
channel_close(struct channel *c)
{
	if (c->session != NULL) {
		if (c->shaken)
			channel_shut(c);
		SSL_free(c->session);
		tls_release(c->tls);
	}
	close(c->fd);
}

/* The session is of no use any more: the peer is gone without close_notify,
 * or it does not keep to the protocol. */
static enum channel_status
break_off(struct channel *c, enum channel_status status)
{
	c->broken = true;
	ERR_clear_error();
	return status;
}

/* What has become of a call on the session. A peer that is gone without
 * close_notify has ended: what it said before counts (RFC 5425 4.4). */
static enum channel_status
status_of(struct channel *c, int result, char why[CHANNEL_WHY])
{
	int error = errno;

	switch (SSL_get_error(c->session, result)) {
	case SSL_ERROR_NONE:
		return CHANNEL_DONE;
	case SSL_ERROR_WANT_READ:
		return CHANNEL_READ;
	case SSL_ERROR_WANT_WRITE:
		return CHANNEL_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return CHANNEL_END;
	case SSL_ERROR_SYSCALL:
		snprintf(why, CHANNEL_WHY, "%s",
		    error != 0 ? strerrordesc_np(error) : "closed by the peer");
		return break_off(c, CHANNEL_END);
	default:
		break;
	}
	if (ERR_GET_REASON(ERR_peek_error()) ==
	    SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		snprintf(why, CHANNEL_WHY, "closed by the peer");
		return break_off(c, CHANNEL_END);
	}
	tls_reason(c->session, why, CHANNEL_WHY);
	return break_off(c, CHANNEL_FAILED);
}

enum channel_status
channel_shake(struct channel *c, char why[CHANNEL_WHY])
{
	enum channel_status status;

	if (c->shaken)
		return CHANNEL_DONE;
	ERR_clear_error();
	errno = 0;
	c->reads = READS;
	status = status_of(c, SSL_do_handshake(c->session), why);
	if (status != CHANNEL_DONE)
		return status;
	if (!tls_permits(c->tls, c->session, why, CHANNEL_WHY))
		return CHANNEL_REFUSED;
	c->shaken = true;
	return CHANNEL_DONE;
}

static enum channel_status
read_plain(struct channel *c, char *buffer, size_t size, size_t *n)
{
	ssize_t got = recv(c->fd, buffer, size, 0);

	if (got > 0) {
		*n = (size_t)got;
		return CHANNEL_DONE;
	}
	/* A reset says the same as an end: no more bytes. */
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? CHANNEL_READ
							      : CHANNEL_END;
}

/* One record after the other, while there is room and they are there. */
static enum channel_status
read_session(struct channel *c, char *buffer, size_t size, size_t *n,
    char why[CHANNEL_WHY])
{
	enum channel_status status = CHANNEL_DONE;
	size_t got;

	c->reads = READS;
	while (status == CHANNEL_DONE && *n < size) {
		ERR_clear_error();
		errno = 0;
		got = 0;
		status = status_of(c,
		    SSL_read_ex(c->session, buffer + *n, size - *n, &got), why);
		*n += got;
	}
	/* An end needs no reason. */
	if (status != CHANNEL_FAILED)
		why[0] = '\0';
	c->more = status == CHANNEL_DONE;
	if (*n == 0)
		return status;
	c->ended = status == CHANNEL_END || status == CHANNEL_FAILED;
	return CHANNEL_DONE;
}

enum channel_status
channel_read(struct channel *c, char *buffer, size_t size, size_t *n,
    char why[CHANNEL_WHY])
{
	*n = 0;
	why[0] = '\0';
	if (c->ended)
		return CHANNEL_END;
	/* SSL_read would finish the handshake and ask nobody whether the peer
	 * may send. */
	if (!c->shaken)
		return CHANNEL_READ;
	if (c->session == NULL)
		return read_plain(c, buffer, size, n);
	return read_session(c, buffer, size, n, why);
}

bool
channel_is_pending(const struct channel *c)
{
	/* SSL_has_pending counts half a record, too, which is no more than
	 * half of one until the socket can be read again. */
	return c->ended || c->more;
}

bool
channel_is_inside(const struct channel *c)
{
	if (c->session == NULL || c->more || c->ended)
		return false;
	/* The library takes the header for itself: there is nothing pending
	 * then, but it waits for the body. */
	return SSL_has_pending(c->session) == 1 ||
	       strcmp(SSL_rstate_string(c->session), "RB") == 0;
}

void
channel_shut(struct channel *c)
{
	if (c->session != NULL && c->shaken && !c->broken) {
		ERR_clear_error();
		(void)SSL_shutdown(c->session);
	}
	(void)shutdown(c->fd, SHUT_WR);
}
