#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_MAX = 4096 };

/* What a key is for: its name, and how one is made. */
struct purpose {
	const char *name;
	mode_t forbidden;
	size_t min; /* bytes */
	const char *mode, *make;
};

static const struct purpose of_tokens = {"privacy.key_file", S_IRWXO | S_IWGRP,
    PSEUDONYM_KEY_MIN, "g-w,o=", "make one by `openssl rand -hex 32`"};
static const struct purpose of_vault = {"privacy.vault.public_key",
    S_IWGRP | S_IWOTH, 1, "go-w",
    "make one by `openssl pkey -in PRIVATE -pubout`"};
static const struct purpose of_holder = {"--key", S_IRWXG | S_IRWXO, 1,
    "go=", "it is what `openssl genpkey -algorithm X25519` has made"};

static bool __attribute__((format(printf, 5, 6)))
refuse(const struct purpose *purpose, const char *path, char *why, size_t size,
    const char *format, ...)
{
	int n = snprintf(why, size, "%s: %s: ", purpose->name, path);
	va_list args;

	if (n < 0 || (size_t)n >= size)
		return false;
	va_start(args, format);
	vsnprintf(why + n, size - (size_t)n, format, args);
	va_end(args);
	return false;
}

/* Is it a key, and ours alone? */
static bool
check(const struct purpose *purpose, const char *path, const struct stat *st,
    ssize_t n, char *why, size_t size)
{
	if (!S_ISREG(st->st_mode) || n < 0)
		return refuse(
		    purpose, path, why, size, "not a file that can be read");
	if ((st->st_mode & purpose->forbidden) != 0)
		return refuse(purpose, path, why, size,
		    "others can read or change it: chmod %s %s", purpose->mode,
		    path);
	if (n > KEY_MAX)
		return refuse(purpose, path, why, size,
		    "has more than %d bytes: %s", KEY_MAX, purpose->make);
	if ((size_t)n < purpose->min)
		return refuse(purpose, path, why, size,
		    "has less than %zu bytes: %s", purpose->min, purpose->make);
	return true;
}

/* The bytes of the key, without line ends behind them; 0: see `why`. */
static size_t
read_key(const struct purpose *purpose, const char *path, char key[KEY_MAX + 1],
    char *why, size_t size)
{
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		refuse(purpose, path, why, size, "%s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return 0;
	}
	n = S_ISREG(st.st_mode) ? read(fd, key, KEY_MAX + 1) : -1;
	close(fd);
	while (n > 0 && (key[n - 1] == '\n' || key[n - 1] == '\r'))
		n--;
	return check(purpose, path, &st, n, why, size) ? (size_t)n : 0;
}

struct privacy *
keyfile_privacy(const struct config *config, size_t n, char *why, size_t size)
{
	char key[KEY_MAX + 1];
	struct privacy *privacy = NULL;
	size_t bytes =
	    read_key(&of_tokens, config->privacy.key_file, key, why, size);

	if (bytes > 0) {
		snprintf(why, size, "no memory");
		privacy = privacy_new(
		    span_of(key, bytes), span_str(config->privacy.key_id), n);
	}
	explicit_bzero(key, sizeof key);
	return privacy;
}

struct pseudonym *
keyfile_pseudonym(const char *path, const char *id, char *why, size_t size)
{
	char key[KEY_MAX + 1];
	struct pseudonym *pseudonym = NULL;
	size_t bytes = read_key(&of_tokens, path, key, why, size);

	if (bytes > 0) {
		snprintf(why, size, "no memory");
		pseudonym = pseudonym_new(span_of(key, bytes), span_str(id));
	}
	explicit_bzero(key, sizeof key);
	return pseudonym;
}

/* --- of the vault --- */

static bool
check_pem(const struct purpose *purpose, const char *path,
    enum hpke_read result, char *why, size_t size)
{
	switch (result) {
	case HPKE_READ:
		return true;
	case HPKE_PRIVATE:
		return refuse(purpose, path, why, size,
		    "it is the private key, which must not be on this "
		    "machine: `openssl pkey -in %s -pubout` writes the public "
		    "one, which belongs here",
		    path);
	case HPKE_OTHER_KIND:
		return refuse(purpose, path, why, size,
		    "not a key of X25519: make a pair by `openssl genpkey "
		    "-algorithm X25519`");
	case HPKE_NO_PEM:
		break;
	}
	return refuse(purpose, path, why, size,
	    "no such key in PEM, or not with that pass phrase: %s",
	    purpose->make);
}

/* Some points are on the curve, and no key. */
static bool
can_seal(const uint8_t public[HPKE_KEY])
{
	char header[VAULT_HEADER];
	struct hpke *hpke = vault_begin(public, header);

	hpke_free(hpke);
	return hpke != NULL;
}

bool
keyfile_vault(const struct config *config, struct vaulter_key *key, char *why,
    size_t size)
{
	const struct config_vault *vault = &config->privacy.vault;
	char pem[KEY_MAX + 1];
	size_t n;

	*key = (struct vaulter_key){.rotate_age = vault->rotate_age};
	if (vault->public_key == NULL || !config_is_private(config))
		return true;
	n = read_key(&of_vault, vault->public_key, pem, why, size);
	if (n == 0)
		return false;
	if (!check_pem(&of_vault, vault->public_key,
		hpke_read_public(span_of(pem, n), key->public), why, size))
		return false;
	key->set = can_seal(key->public);
	return key->set ||
	       refuse(&of_vault, vault->public_key, why, size,
		   "nothing can be sealed for this key: %s", of_vault.make);
}

bool
keyfile_private(const char *path, hpke_phrase_cb *phrase, void *arg,
    uint8_t key[HPKE_KEY], char *why, size_t size)
{
	char pem[KEY_MAX + 1];
	size_t n = read_key(&of_holder, path, pem, why, size);
	bool done =
	    n > 0 && check_pem(&of_holder, path,
			 hpke_read_private(span_of(pem, n), phrase, arg, key),
			 why, size);

	explicit_bzero(pem, sizeof pem);
	return done;
}
