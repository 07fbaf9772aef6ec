#include "secret.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* --- who can read the file --- */

/* An access control list as the kernel gives it (linux/posix_acl_xattr.h),
 * little endian: a version, then the entries. */
enum {
	ACL_VERSION = 2,
	ACL_HEAD = 4,
	ACL_ENTRY = 8,
	ACL_MAX = ACL_HEAD + 32 * ACL_ENTRY,
	ACL_READ = 4,
	ACL_USER_OBJ = 0x01,
	ACL_USER = 0x02,
	ACL_MASK = 0x10,
};

static bool
entry_is_private(const unsigned char *entry)
{
	uint16_t tag, permits;
	uint32_t id;

	memcpy(&tag, entry, sizeof tag);
	memcpy(&permits, entry + 2, sizeof permits);
	memcpy(&id, entry + 4, sizeof id);
	tag = le16toh(tag);
	if ((le16toh(permits) & ACL_READ) == 0)
		return true;
	return tag == ACL_USER_OBJ || tag == ACL_MASK ||
	       (tag == ACL_USER && le32toh(id) == geteuid());
}

/* With a list, the bits of the group in the mode are the list's mask, and say
 * nothing of a group. */
static bool
list_is_private(int fd)
{
	unsigned char list[ACL_MAX];
	ssize_t n = fgetxattr(fd, "system.posix_acl_access", list, sizeof list);
	uint32_t version;

	if (n < ACL_HEAD)
		return false;
	memcpy(&version, list, sizeof version);
	if (le32toh(version) != ACL_VERSION)
		return false;
	for (ssize_t at = ACL_HEAD; at + ACL_ENTRY <= n; at += ACL_ENTRY)
		if (!entry_is_private(list + at))
			return false;
	return true;
}

static bool
is_private(int fd, const struct stat *st)
{
	return (st->st_mode & (S_IRWXG | S_IRWXO)) == 0 || list_is_private(fd);
}

/* --- reading --- */

static bool
check(int fd, const char *path, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(why, size,
		    "%s: not a file; name one that holds the secret alone",
		    path);
		return false;
	}
	if (!is_private(fd, &st)) {
		snprintf(why, size, "%s: others can read it; chmod 600 %s",
		    path, path);
		return false;
	}
	if (st.st_size > SECRET_MAX) {
		snprintf(why, size,
		    "%s: more than %d KiB; name a file that holds the secret "
		    "alone",
		    path, SECRET_MAX / 1024);
		return false;
	}
	return true;
}

static bool
take(int fd, struct secret *secret)
{
	ssize_t got;

	/* not stdio, which would leave a copy in its buffer */
	secret->text = calloc(1, SECRET_MAX + 1);
	if (secret->text == NULL)
		return false;
	do {
		got =
		    read(fd, secret->text + secret->n, SECRET_MAX - secret->n);
		if (got > 0)
			secret->n += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	return got == 0;
}

static void
trim(struct secret *secret)
{
	if (secret->n > 0 && secret->text[secret->n - 1] == '\n') {
		secret->n--;
		if (secret->n > 0 && secret->text[secret->n - 1] == '\r')
			secret->n--;
	}
	secret->text[secret->n] = '\0';
}

bool
secret_read(const char *path, struct secret *secret, char *why, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	*secret = (struct secret){0};
	if (fd < 0) {
		snprintf(why, size,
		    "%s: %s; it must be there and readable by the user that "
		    "the program runs as",
		    path, strerrordesc_np(errno));
		return false;
	}
	if (!check(fd, path, why, size))
		goto fail;
	if (!take(fd, secret)) {
		snprintf(why, size, "%s: %s; it cannot be read", path,
		    strerrordesc_np(errno));
		goto fail;
	}
	trim(secret);
	if (secret->n == 0) {
		snprintf(
		    why, size, "%s: empty; write the secret into it", path);
		goto fail;
	}
	close(fd);
	return true;
fail:
	close(fd);
	secret_clear(secret);
	return false;
}

bool
secret_can_read(const char *const *files, size_t count, char *why, size_t size)
{
	struct secret secret;

	for (size_t i = 0; i < count; i++) {
		if (files[i] == NULL)
			continue;
		if (!secret_read(files[i], &secret, why, size))
			return false;
		secret_clear(&secret);
	}
	return true;
}

void
secret_clear(struct secret *secret)
{
	if (secret->text != NULL)
		explicit_bzero(secret->text, SECRET_MAX + 1);
	free(secret->text);
	*secret = (struct secret){0};
}
