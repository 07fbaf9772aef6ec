#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* RFC 5425 4.2.1 and RFC 9662 3; 1.3 has no others. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

enum {
	SECURITY = 2, /* 112 bits: RSA of 2048, no SHA-1 */
	FILES = 4,
	NAME = 100, /* of a peer's name, in the log */
};

/* A file as it was when it was loaded. */
struct seen {
	char *path; /* NULL: not configured */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct tls {
	unsigned holders;
	SSL_CTX *context;
	struct seen files[FILES];
	struct config_peer *permitted;
	size_t permitted_count;
	int64_t expires;
	bool stale; /* its files have changed since */
};

/* --- errors --- */

/* The first error of the library's queue, which tells most; empties it. */
static const char *
library_error(char *text, size_t size)
{
	unsigned long error = ERR_get_error();
	const char *reason = ERR_reason_error_string(error);

	snprintf(text, size, "%s", reason != NULL ? reason : "unknown error");
	ERR_clear_error();
	return text;
}

static bool
wrong(char *why, size_t size, const char *path, const char *advice)
{
	char text[160];

	snprintf(why, size, "%s: %s; %s", path,
	    library_error(text, sizeof text), advice);
	return false;
}

/* --- files --- */

static void
look(struct seen *seen)
{
	struct stat st;

	if (stat(seen->path, &st) < 0)
		st = (struct stat){0};
	seen->device = st.st_dev;
	seen->inode = st.st_ino;
	seen->size = st.st_size;
	/* not st_mtim: what was unreadable changes by its mode or owner */
	seen->changed = st.st_ctim;
}

static bool
same_file(const struct seen *a, const struct seen *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

bool
tls_has_changed(struct tls *tls)
{
	bool changed = false;

	for (size_t i = 0; i < FILES; i++) {
		struct seen now = tls->files[i];

		if (now.path == NULL)
			continue;
		look(&now);
		changed = changed || !same_file(&now, &tls->files[i]);
		tls->files[i] = now;
	}
	tls->stale = tls->stale || changed;
	return changed;
}

bool
tls_is_stale(const struct tls *tls)
{
	return tls->stale;
}

/* All of them, before they are read: what changes meanwhile is seen later. */
static bool
remember_files(struct tls *tls, const struct config_tls_files *files)
{
	const char *const paths[FILES] = {
	    files->certificate, files->key, files->client_ca, files->crl};

	for (size_t i = 0; i < FILES; i++) {
		if (paths[i] == NULL)
			continue;
		tls->files[i].path = strdup(paths[i]);
		if (tls->files[i].path == NULL)
			return false;
		look(&tls->files[i]);
	}
	return true;
}

static bool
readable(const char *path, char *why, size_t size)
{
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		snprintf(why, size,
		    "%s: %s; it must be readable by the user that the daemon "
		    "runs as",
		    path, strerrordesc_np(errno));
		return false;
	}
	fclose(file);
	return true;
}

/* --- own certificate and key --- */

static int64_t
seconds_of(const ASN1_TIME *time)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static bool
use_certificate(struct tls *tls, const char *path, char *why, size_t size)
{
	if (!readable(path, why, size))
		return false;
	if (SSL_CTX_use_certificate_chain_file(tls->context, path) != 1)
		return wrong(why, size, path,
		    "needs a certificate in PEM, its chain behind it");
	tls->expires = seconds_of(
	    X509_get0_notAfter(SSL_CTX_get0_certificate(tls->context)));
	return true;
}

/* A daemon has nobody to ask. */
static int
no_password_cb(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool
use_key(struct tls *tls, const char *path, char *why, size_t size)
{
	struct stat st;

	if (!readable(path, why, size))
		return false;
	if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) != 0) {
		snprintf(why, size,
		    "%s: every user can read it; chmod 0640 or less", path);
		return false;
	}
	SSL_CTX_set_default_passwd_cb(tls->context, no_password_cb);
	if (SSL_CTX_use_PrivateKey_file(tls->context, path, SSL_FILETYPE_PEM) !=
		1 ||
	    SSL_CTX_check_private_key(tls->context) != 1)
		return wrong(why, size, path,
		    "needs the private key of the certificate, in PEM, without "
		    "a password");
	return true;
}

/* --- whom it trusts --- */

static bool
use_crl(struct tls *tls, const char *path, char *why, size_t size)
{
	X509_STORE *store = SSL_CTX_get_cert_store(tls->context);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

	if (!readable(path, why, size))
		return false;
	if (lookup == NULL ||
	    X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
		return wrong(why, size, path, "needs a revocation list in PEM");
	/* of the peer's own certificate: a list of each CA in between is
	 * seldom at hand */
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return true;
}

static bool
use_ca(struct tls *tls, const char *path, char *why, size_t size)
{
	STACK_OF(X509_NAME) * names;

	if (!readable(path, why, size))
		return false;
	names = SSL_load_client_CA_file(path);
	if (names == NULL ||
	    SSL_CTX_load_verify_file(tls->context, path) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return wrong(
		    why, size, path, "needs certificates of CAs in PEM");
	}
	SSL_CTX_set_client_CA_list(tls->context, names);
	return true;
}

/* With a fingerprint the certificate need not be anyone's but its own; it must
 * be sound all the same. */
static int
unsigned_cb(int good, X509_STORE_CTX *store)
{
	switch (X509_STORE_CTX_get_error(store)) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	default:
		return good;
	}
}

static bool
use_peers(
    struct tls *tls, const struct config_listen *listen, char *why, size_t size)
{
	const struct config_tls_files *files = &listen->files;
	const int asked = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT |
			  SSL_VERIFY_CLIENT_ONCE;

	if (files->client_ca == NULL && listen->permitted_count == 0)
		return true; /* encrypted, and anyone may send */
	SSL_CTX_set_verify(
	    tls->context, asked, files->client_ca ? NULL : unsigned_cb);
	return (files->client_ca == NULL ||
		   use_ca(tls, files->client_ca, why, size)) &&
	       (files->crl == NULL || use_crl(tls, files->crl, why, size));
}

/* --- the policy --- */

static bool
set_policy(SSL_CTX *context)
{
	SSL_CTX_set_security_level(context, SECURITY);
	SSL_CTX_set_options(
	    context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
			 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	/* what is idle holds no buffers */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_num_tickets(context, 0) == 1 &&
	       SSL_CTX_set_cipher_list(context, CIPHERS) == 1;
}

/* --- permitted peers --- */

static bool
copy_permitted(struct tls *tls, const struct config_listen *listen)
{
	tls->permitted =
	    calloc(listen->permitted_count + 1, sizeof *tls->permitted);
	if (tls->permitted == NULL)
		return false;
	for (size_t i = 0; i < listen->permitted_count; i++) {
		struct config_peer *peer = &tls->permitted[i];

		*peer = listen->permitted[i];
		tls->permitted_count++;
		if (peer->text == NULL)
			continue;
		peer->text = strdup(peer->text);
		if (peer->text == NULL)
			return false;
	}
	return true;
}

static bool
has_fingerprint(X509 *certificate, const unsigned char *fingerprint)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n;

	return X509_digest(certificate, EVP_sha256(), digest, &n) == 1 &&
	       n == CONFIG_FINGERPRINT && memcmp(digest, fingerprint, n) == 0;
}

/* RFC 5425 5.2: a dNSName, wildcards only as a whole first label; the subject
 * says nothing. */
static bool
has_name(X509 *certificate, const char *name, unsigned flags)
{
	flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
		 X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	return X509_check_host(certificate, name, strlen(name), flags, NULL) ==
	       1;
}

static bool
matches(X509 *certificate, const struct config_peer *peer)
{
	switch (peer->kind) {
	case CONFIG_PEER_NAME:
		return has_name(certificate, peer->text, 0);
	case CONFIG_PEER_SUBDOMAIN:
		return has_name(certificate, peer->text,
		    X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS);
	case CONFIG_PEER_ADDRESS:
		return X509_check_ip_asc(certificate, peer->text, 0) == 1;
	case CONFIG_PEER_FINGERPRINT:
		return has_fingerprint(certificate, peer->fingerprint);
	}
	return false;
}

static void
subject_of(X509 *certificate, char name[NAME])
{
	if (X509_NAME_oneline(X509_get_subject_name(certificate), name, NAME) ==
	    NULL)
		name[0] = '\0';
}

bool
tls_permits(const struct tls *tls, SSL *session, char *why, size_t size)
{
	X509 *certificate = SSL_get0_peer_certificate(session);
	char name[NAME];

	if (tls->permitted_count == 0)
		return true;
	if (certificate == NULL) {
		snprintf(why, size, "shows no certificate");
		return false;
	}
	for (size_t i = 0; i < tls->permitted_count; i++)
		if (matches(certificate, &tls->permitted[i]))
			return true;
	subject_of(certificate, name);
	snprintf(
	    why, size, "certificate of %s is not in `permitted_peers`", name);
	return false;
}

/* --- life --- */

struct tls *
tls_load(const struct config_listen *listen, char *why, size_t size)
{
	const struct config_tls_files *files = &listen->files;
	struct tls *tls = calloc(1, sizeof *tls);

	ERR_clear_error();
	snprintf(why, size, "no memory");
	if (tls == NULL)
		return NULL;
	tls->holders = 1;
	tls->context = SSL_CTX_new(TLS_server_method());
	if (tls->context != NULL && set_policy(tls->context) &&
	    copy_permitted(tls, listen) && remember_files(tls, files) &&
	    use_certificate(tls, files->certificate, why, size) &&
	    use_key(tls, files->key, why, size) &&
	    use_peers(tls, listen, why, size))
		return tls;
	tls_release(tls);
	return NULL;
}

struct tls *
tls_hold(struct tls *tls)
{
	tls->holders++;
	return tls;
}

void
tls_release(struct tls *tls)
{
	if (tls == NULL || --tls->holders > 0)
		return;
	SSL_CTX_free(tls->context);
	for (size_t i = 0; i < FILES; i++)
		free(tls->files[i].path);
	for (size_t i = 0; i < tls->permitted_count; i++)
		free(tls->permitted[i].text);
	free(tls->permitted);
	free(tls);
}

int64_t
tls_expires(const struct tls *tls)
{
	return tls->expires;
}

SSL *
tls_session(struct tls *tls, int fd)
{
	SSL *session = SSL_new(tls->context);

	if (session == NULL)
		return NULL;
	if (SSL_set_fd(session, fd) != 1) {
		SSL_free(session);
		return NULL;
	}
	SSL_set_accept_state(session);
	return session;
}

/* Where it is not the peer's certificate that is to be replaced. */
static const char *
advice_on(long verdict)
{
	switch (verdict) {
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return "; add its authority's list to `crl`";
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return "; put a current list into the file of `crl`, it is "
		       "loaded by itself";
	default:
		return "";
	}
}

/* One that is not good is not yet the session's. */
static X509 *
judged_certificate(const SSL *session)
{
	X509 *certificate = SSL_get0_peer_certificate(session);

	return certificate != NULL
		   ? certificate
		   : sk_X509_value(SSL_get0_verified_chain(session), 0);
}

void
tls_reason(SSL *session, char *why, size_t size)
{
	long verdict = SSL_get_verify_result(session);
	X509 *certificate = judged_certificate(session);
	char name[NAME] = "", text[160];

	if (verdict == X509_V_OK) {
		snprintf(why, size, "%s", library_error(text, sizeof text));
		return;
	}
	if (certificate != NULL)
		subject_of(certificate, name);
	snprintf(why, size, "certificate of %s: %s%s", name,
	    X509_verify_cert_error_string(verdict), advice_on(verdict));
	ERR_clear_error();
}
