#include "store.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "moment.h"

enum {
	PAGE = 4096,
	BUFFERS = 4,           /* together as large as sepmlogd's own buffer */
	BUFFER_SIZE = 4 << 20, /* what is synced at once */
	RESERVED = 64 << 20,   /* room that a file gets beforehand */
	INTERVAL_MS = 100,     /* before what lies there is written, too */
};

struct buffer {
	char *bytes;
	size_t n;
};

struct store {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct buffer buffer[BUFFERS];
	size_t filling, writing; /* counted on, beyond BUFFERS */
	bool ending;
	EVP_MD_CTX *hash;
	int fd;
	off_t size, reserved;
	double last;
};

static void
reserve(struct store *s, size_t n)
{
	if (s->size + (off_t)n <= s->reserved)
		return;
	if (fallocate(s->fd, FALLOC_FL_KEEP_SIZE, s->reserved, RESERVED) != 0)
		err(3, "fallocate");
	s->reserved += RESERVED;
}

/* Whole pages: what is written before a buffer is full is padded. */
static void
write_buffer(struct store *s, const struct buffer *b)
{
	size_t pages = (b->n + PAGE - 1) / PAGE * PAGE;

	if (EVP_DigestUpdate(s->hash, b->bytes, b->n) != 1)
		errx(3, "sha256");
	reserve(s, pages);
	memset(b->bytes + b->n, 0, pages - b->n);
	if (pwrite(s->fd, b->bytes, pages, s->size) != (ssize_t)pages)
		err(3, "write");
	s->last = moment_of_day();
	if (fdatasync(s->fd) != 0)
		err(3, "fdatasync");
	s->size += (off_t)pages;
}

/* With the lock. Waits for a full buffer, or as long as one may lie there;
 * false: there will be none. */
static bool
next_buffer(struct store *s)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += INTERVAL_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	while (s->writing == s->filling && !s->ending)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) ==
		    ETIMEDOUT)
			break;
	if (s->writing == s->filling && s->buffer[s->filling % BUFFERS].n > 0)
		s->filling++;
	return s->writing < s->filling || !s->ending;
}

static void *
run(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->lock);
	while (next_buffer(s)) {
		struct buffer *b = &s->buffer[s->writing % BUFFERS];

		if (s->writing == s->filling)
			continue;
		pthread_mutex_unlock(&s->lock);
		write_buffer(s, b);
		pthread_mutex_lock(&s->lock);
		b->n = 0;
		s->writing++;
		pthread_cond_signal(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct store *
store_open(const char *path)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL)
		err(3, "store");
	s->fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0644);
	if (s->fd < 0)
		err(3, "%s", path);
	for (size_t i = 0; i < BUFFERS; i++) {
		s->buffer[i].bytes = aligned_alloc(PAGE, BUFFER_SIZE);
		if (s->buffer[i].bytes == NULL)
			err(3, "store");
	}
	s->hash = EVP_MD_CTX_new();
	if (s->hash == NULL ||
	    EVP_DigestInit_ex(s->hash, EVP_sha256(), NULL) != 1)
		errx(3, "sha256");
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if ((errno = pthread_create(&s->thread, NULL, run, s)) != 0)
		err(3, "thread");
	return s;
}

void
store_put(struct store *s, const char *bytes, size_t n)
{
	pthread_mutex_lock(&s->lock);
	while (n > 0) {
		struct buffer *b = &s->buffer[s->filling % BUFFERS];
		size_t part;

		if (s->filling - s->writing == BUFFERS) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		part = n < BUFFER_SIZE - b->n ? n : BUFFER_SIZE - b->n;
		memcpy(b->bytes + b->n, bytes, part);
		b->n += part;
		bytes += part;
		n -= part;
		if (b->n == BUFFER_SIZE) {
			s->filling++;
			pthread_cond_signal(&s->changed);
		}
	}
	pthread_mutex_unlock(&s->lock);
}

double
store_close(struct store *s)
{
	double last;

	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	if (close(s->fd) != 0)
		err(3, "close");
	last = s->last;
	for (size_t i = 0; i < BUFFERS; i++)
		free(s->buffer[i].bytes);
	EVP_MD_CTX_free(s->hash);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	free(s);
	return last;
}
