/*
 * Sessions over loopback with a client that does what none should: a call
 * ends in time, gives no byte too much, and says what went wrong.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "run.h"

enum {
	ROOM = 65536,
	FLOOD = 3000,
	STRIDE = 5, /* of allocations; each one takes a handshake */
};

static char root[64], certificate_path[96], key_path[96], why[512];
static struct tls *tls;
static SSL_CTX *client_context;
static SSL *client;
static struct channel server;
static char buffer[ROOM];

/* --- memory --- */

/* The next allocation of the library to fail; below 0: none. */
static long until_failure = -1;

static bool
is_to_fail(void)
{
	return until_failure >= 0 && until_failure-- == 0;
}

static void *
take(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return is_to_fail() ? NULL : malloc(n);
}

static void *
take_more(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return is_to_fail() ? NULL : realloc(p, n);
}

static void
give_back(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* --- a certificate --- */

static void
sign(X509 *x, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
}

static void
write_files(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *file;

	sign(x, key);
	file = fopen(certificate_path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(PEM_write_X509(file, x), 1);
	fclose(file);
	file = fopen(key_path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(
	    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	ck_assert_int_eq(chmod(key_path, 0600), 0);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* Asks for a certificate, which the client has, but not for one like that. */
static void
load(bool permits_nobody)
{
	struct config_peer nobody = {.kind = CONFIG_PEER_FINGERPRINT};
	struct config_listen listen = {
	    .transport = CONFIG_TLS,
	    .files = {.certificate = certificate_path, .key = key_path},
	    .permitted = &nobody,
	    .permitted_count = permits_nobody,
	};

	tls = tls_load(&listen, why, sizeof why);
	ck_assert_msg(tls != NULL, "%s", why);
}

/* --- two ends --- */

static void
connect_pair(int ends[2])
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0), size = 1 << 20, on = 1;

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	ck_assert_int_eq(
	    bind(listener, (struct sockaddr *)(void *)&address, n), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(
	    getsockname(listener, (struct sockaddr *)(void *)&address, &n), 0);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(
	    connect(ends[0], (struct sockaddr *)(void *)&address, n), 0);
	ends[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	ck_assert_int_ge(ends[1], 0);
	close(listener);
	/* What is written is there to be read. */
	setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
}

static void
meet(void)
{
	int ends[2];

	connect_pair(ends);
	ck_assert(channel_open(&server, ends[1], tls));
	client = SSL_new(client_context);
	ck_assert_int_eq(SSL_set_fd(client, ends[0]), 1);
	SSL_set_connect_state(client);
}

static void
begin(bool permits_nobody)
{
	load(permits_nobody);
	client_context = SSL_CTX_new(TLS_client_method());
	ck_assert_int_eq(SSL_CTX_use_certificate_file(client_context,
			     certificate_path, SSL_FILETYPE_PEM),
	    1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(
			     client_context, key_path, SSL_FILETYPE_PEM),
	    1);
	meet();
}

static int
client_fd(void)
{
	return SSL_get_fd(client);
}

/* The client's turn at the handshake. */
static void
client_shakes(void)
{
	char byte;
	int result;

	do {
		ERR_clear_error();
		result = SSL_do_handshake(client);
	} while (SSL_get_error(client, result) == SSL_ERROR_WANT_READ &&
		 recv(client_fd(), &byte, 1, MSG_PEEK) == 1);
}

/* Up to the client's last words, which the server has not read. */
static void
shake_halfway(void)
{
	SSL_set_mode(client, SSL_MODE_AUTO_RETRY);
	client_shakes();
	ck_assert_int_eq(channel_shake(&server, why), CHANNEL_READ);
	client_shakes();
	ck_assert(SSL_is_init_finished(client));
}

static void
shake(void)
{
	shake_halfway();
	ck_assert_int_eq(channel_shake(&server, why), CHANNEL_DONE);
}

static void
setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	snprintf(root, sizeof root, "/tmp/channel-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(certificate_path, sizeof certificate_path, "%s/own.pem", root);
	snprintf(key_path, sizeof key_path, "%s/own.key", root);
	write_files();
}

static void
part(void)
{
	int fd = client_fd();

	SSL_free(client);
	close(fd);
	channel_close(&server);
}

static void
teardown(void)
{
	part();
	SSL_CTX_free(client_context);
	tls_release(tls);
	unlink(certificate_path);
	unlink(key_path);
	rmdir(root);
}

/* --- cases --- */

static int
unread(void)
{
	int n = 0;

	ck_assert_int_eq(ioctl(server.fd, FIONREAD, &n), 0);
	return n;
}

/* Until all that the client has sent has arrived. */
static void
settle(void)
{
	int n = 0;

	do {
		ck_assert_int_eq(ioctl(client_fd(), SIOCOUTQ, &n), 0);
		if (n > 0)
			usleep(1000);
	} while (n > 0);
}

START_TEST(what_gives_no_bytes_has_an_end)
{
	size_t n;
	int before, turns = 0;

	begin(false);
	shake();
	for (int i = 0; i < FLOOD; i++) {
		ck_assert_int_eq(
		    SSL_key_update(client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		ck_assert_int_eq(SSL_do_handshake(client), 1);
	}
	ck_assert_int_eq(SSL_write(client, "end", 3), 3);
	settle();
	for (n = 0; n == 0; turns++) {
		before = unread();
		ck_assert_int_gt(before, 0);
		ck_assert_int_le(
		    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_READ);
		ck_assert_int_lt(unread(), before);
	}
	ck_assert_int_gt(turns, FLOOD / 256);
	ck_assert_mem_eq(buffer, "end", 3);
}
END_TEST

START_TEST(small_records_have_an_end)
{
	size_t n, sum = 0;
	int turns = 0;

	begin(false);
	shake();
	for (int i = 0; i < FLOOD; i++)
		ck_assert_int_eq(SSL_write(client, "x", 1), 1);
	settle();
	for (; sum < FLOOD; turns++) {
		ck_assert_int_eq(
		    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_DONE);
		ck_assert_int_le(n, 256);
		sum += n;
	}
	ck_assert_int_gt(turns, FLOOD / 256);
	ck_assert_int_eq(
	    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_READ);
}
END_TEST

START_TEST(nothing_is_read_before_the_handshake_is_done)
{
	size_t n;

	begin(true);
	shake_halfway();
	ck_assert_int_eq(SSL_write(client, "secret", 6), 6);
	ck_assert_int_eq(
	    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_READ);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(channel_shake(&server, why), CHANNEL_REFUSED);
	ck_assert_ptr_nonnull(strstr(why, "permitted_peers"));
	ck_assert_int_eq(
	    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_READ);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(failure_behind_good_bytes_is_told)
{
	static const char junk[] = "\x17\x03\x03\x00\x20"
				   "0123456789abcdef0123456789abcdef";
	size_t n;

	begin(false);
	shake();
	ck_assert_int_eq(SSL_write(client, "good", 4), 4);
	ck_assert_int_eq(write(client_fd(), junk, sizeof junk - 1),
	    (ssize_t)sizeof junk - 1);
	ck_assert_int_eq(
	    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_DONE);
	ck_assert_uint_eq(n, 4);
	ck_assert_str_ne(why, "");
	ck_assert(channel_is_pending(&server));
	ck_assert_int_eq(
	    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_END);
	ck_assert_str_eq(why, "");
	/* as at a stop that comes between */
	channel_shut(&server);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

START_TEST(ends_need_no_reason)
{
	size_t n;

	begin(false);
	shake();
	ck_assert_int_eq(SSL_write(client, "last", 4), 4);
	if (_i == 1)
		ck_assert_int_ge(SSL_shutdown(client), 0);
	ck_assert_int_eq(shutdown(client_fd(), SHUT_WR), 0);
	ck_assert_int_eq(
	    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_DONE);
	ck_assert_uint_eq(n, 4);
	ck_assert_str_eq(why, "");
	ck_assert_int_eq(
	    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_END);
	ck_assert_str_eq(why, "");
}
END_TEST

START_TEST(reads_on_after_its_own_goodbye)
{
	size_t n;

	begin(false);
	shake();
	channel_shut(&server);
	channel_shut(&server); /* as channel_close will */
	ck_assert_int_eq(SSL_write(client, "late", 4), 4);
	ck_assert_int_eq(
	    channel_read(&server, buffer, ROOM, &n, why), CHANNEL_DONE);
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(SSL_read(client, buffer, ROOM), 0);
	ck_assert_int_eq(SSL_get_error(client, 0), SSL_ERROR_ZERO_RETURN);
}
END_TEST

/* A handshake in which one allocation of the server's fails. */
static enum channel_status
shake_without(long allocation)
{
	enum channel_status status = CHANNEL_READ;

	for (int turn = 0; turn < 2 && status == CHANNEL_READ; turn++) {
		client_shakes();
		until_failure = allocation;
		status = channel_shake(&server, why);
		allocation = until_failure;
		until_failure = -1;
	}
	until_failure = allocation;
	return status;
}

START_TEST(want_of_memory_lets_nobody_in)
{
	enum channel_status status = CHANNEL_READ;
	bool failed = true;

	begin(true);
	ck_assert_int_eq(shake_without(-1), CHANNEL_REFUSED);
	for (long n = 0; failed; n += STRIDE) {
		part();
		meet();
		why[0] = '\0';
		status = shake_without(n);
		failed = until_failure < 0;
		until_failure = -1;
		ck_assert_msg(status != CHANNEL_DONE, "allocation %ld", n);
		ck_assert_msg(status != CHANNEL_FAILED || why[0] != '\0',
		    "allocation %ld", n);
	}
	/* Without a failure it was as at first. */
	ck_assert_int_eq(status, CHANNEL_REFUSED);
	ck_assert_ptr_nonnull(strstr(why, "permitted_peers"));
}
END_TEST

START_TEST(mode_of_a_file_is_a_change)
{
	begin(false);
	ck_assert(!tls_has_changed(tls));
	ck_assert_int_eq(chmod(key_path, 0400), 0);
	ck_assert(tls_has_changed(tls));
	ck_assert(!tls_has_changed(tls));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("channel");
	TCase *tc = tcase_create("channel");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_gives_no_bytes_has_an_end);
	tcase_add_test(tc, small_records_have_an_end);
	tcase_add_test(tc, nothing_is_read_before_the_handshake_is_done);
	tcase_add_test(tc, failure_behind_good_bytes_is_told);
	tcase_add_loop_test(tc, ends_need_no_reason, 0, 2);
	tcase_add_test(tc, reads_on_after_its_own_goodbye);
	tcase_add_test(tc, want_of_memory_lets_nobody_in);
	tcase_add_test(tc, mode_of_a_file_is_a_change);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	/* Before the library's first allocation. */
	if (CRYPTO_set_mem_functions(take, take_more, give_back) != 1)
		return EXIT_FAILURE;
	return run_suite(suite());
}
