#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	ANSWER = 16 << 20, /* most bytes */
	TIMEOUT = 10,      /* s */
};

static int
dial(const struct config_status *where)
{
	const struct timeval patience = {.tv_sec = TIMEOUT};
	int fd = socket(where->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (const struct sockaddr *)(const void *)&where->addr,
		where->addr_len) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static bool
send_request(int fd, const char *path)
{
	char text[128];
	int n = snprintf(text, sizeof text,
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	    path);

	return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* All that comes, with a NUL behind it; to be freed. */
static char *
receive(int fd)
{
	char *text = malloc(ANSWER + 1);
	size_t n = 0;
	ssize_t got = 1;

	while (text != NULL && got > 0 && n < ANSWER) {
		got = recv(fd, text + n, ANSWER - n, 0);
		n += got > 0 ? (size_t)got : 0;
	}
	if (text != NULL && got < 0) {
		int error = errno;

		free(text);
		errno = error == EAGAIN ? ETIMEDOUT : error;
		return NULL;
	}
	if (text != NULL)
		text[n] = '\0';
	return text;
}

char *
ask(const struct config_status *where, const char *path, unsigned *code)
{
	int fd = dial(where);
	char *text = NULL, *body;

	if (fd < 0)
		return NULL;
	if (send_request(fd, path))
		text = receive(fd);
	close(fd);
	if (text == NULL)
		return NULL;
	body = strstr(text, "\r\n\r\n");
	if (body == NULL || sscanf(text, "HTTP/1.%*1[01] %3u", code) != 1) {
		free(text);
		errno = EPROTO;
		return NULL;
	}
	memmove(text, body + 4, strlen(body + 4) + 1);
	return text;
}

const char *
ask_why(void)
{
	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
		return "nobody answers; is sepmlogd running? (systemctl "
		       "status sepmlogd)";
	case EACCES:
		return "permission denied; be root or a member of its group "
		       "(sepmlog)";
	default:
		return strerrordesc_np(errno);
	}
}
