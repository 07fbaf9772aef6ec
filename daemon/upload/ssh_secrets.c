#include "ssh_secrets.h"

#include <stdio.h>
#include <unistd.h>

static bool
read_key(
    const struct ssh_files *f, struct ssh_secrets *s, char *why, size_t size)
{
	const char *path = f->key;
	struct secret key = {0}, passphrase = {0};
	enum ssh_keytypes_e type;
	bool good = false;

	if (f->passphrase != NULL &&
	    !secret_read(f->passphrase, &passphrase, why, size))
		return false;
	if (!secret_read(path, &key, why, size))
		goto done;
	if (ssh_pki_import_privkey_base64(
		key.text, passphrase.text, NULL, NULL, &s->key) != SSH_OK) {
		snprintf(why, size,
		    "%s: not a private key that can be used; it must be one of "
		    "ssh-keygen(1), and a passphrase needs `passphrase_file`",
		    path);
		goto done;
	}
	type = ssh_key_type(s->key);
	good = type == SSH_KEYTYPE_ED25519 || type == SSH_KEYTYPE_RSA;
	if (!good)
		snprintf(why, size,
		    "%s: a key of type %s; make one with ssh-keygen -t ed25519",
		    path, ssh_key_type_to_char(type));
done:
	secret_clear(&key);
	secret_clear(&passphrase);
	return good;
}

static bool
read_all(
    const struct ssh_files *f, struct ssh_secrets *s, char *why, size_t size)
{
	if (f->password == NULL && f->key == NULL) {
		snprintf(why, size, "needs `key_file` or `password_file`");
		return false;
	}
	if (f->password != NULL &&
	    !secret_read(f->password, &s->password, why, size))
		return false;
	return f->key == NULL || read_key(f, s, why, size);
}

static bool
check(const struct ssh_files *o, char *why, size_t size)
{
	if (o->host == NULL || o->user == NULL || o->known_hosts == NULL) {
		snprintf(why, size, "needs `host`, `user` and `known_hosts`");
		return false;
	}
	if (access(o->known_hosts, R_OK) == 0)
		return true;
	snprintf(why, size,
	    "%s: %m; write the server's key into it: ssh-keyscan -p %u %s "
	    "prints it, compare it with the server's own",
	    o->known_hosts, o->port, o->host);
	return false;
}

bool
ssh_secrets_read(const struct ssh_files *files, struct ssh_secrets *secrets,
    char *why, size_t size)
{
	*secrets = (struct ssh_secrets){0};
	if (check(files, why, size) && read_all(files, secrets, why, size))
		return true;
	ssh_secrets_clear(secrets);
	return false;
}

void
ssh_secrets_clear(struct ssh_secrets *secrets)
{
	secret_clear(&secrets->password);
	ssh_key_free(secrets->key);
	secrets->key = NULL;
}
