/*
 * sftp_client - the requests of SFTP version 3 that a delivery needs
 * (draft-ietf-secsh-filexfer-02; extensions: OpenSSH's PROTOCOL, and of
 * draft-ietf-secsh-filexfer-extensions-00, 3, `check-file`).
 *
 * Writes and reads are pipelined: the server is never left waiting for the next
 * one. Calls block as those of ssh_link.h do.
 */
#ifndef SEPMLOG_UPLOAD_SFTP_CLIENT_H
#define SEPMLOG_UPLOAD_SFTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ssh_link.h"
#include "target.h"

enum sftp_status {
	SFTP_OK,
	SFTP_ABSENT,  /* no such file */
	SFTP_DENIED,  /* permission denied */
	SFTP_FAILED,  /* any other answer: `why` */
	SFTP_LOCAL,   /* the file here cannot be read: `why` */
	SFTP_LOST,    /* no more use: `why` */
	SFTP_STOPPED, /* no more use, as requests were under way */
};

enum {
	SFTP_HANDLE = 256,             /* bytes at most, by the draft */
	SFTP_OPEN_WRITE = 0x02 | 0x08, /* write, create */
	SFTP_OPEN_REWRITE = 0x02 | 0x08 | 0x10, /* and truncate */
	SFTP_OPEN_READ = 0x01,
};

struct sftp_client;

struct sftp_handle {
	size_t n;
	unsigned char bytes[SFTP_HANDLE];
};

struct sftp_attributes {
	bool is_file; /* a regular one */
	uint64_t size;
};

/* NULL: `why` (of `size` bytes) says what is wrong and what to do; *status is
 * SFTP_LOST or SFTP_STOPPED. */
struct sftp_client *sftp_client_open(const struct ssh_login *login,
    const atomic_bool *stop, enum sftp_status *status, char *why, size_t size);
void sftp_client_close(struct sftp_client *client);

/* The flag that calls look at from now on. */
void sftp_client_stop(struct sftp_client *client, const atomic_bool *stop);
/* After any answer but OK and STOPPED: what the server, or the connection,
 * said. */
const char *sftp_client_why(const struct sftp_client *client);
void sftp_client_set_why(struct sftp_client *client, const char *why);
/* After LOST. */
bool sftp_client_is_lost(const struct sftp_client *client);

/* Of what the name itself is: links are not followed. */
enum sftp_status sftp_client_look(struct sftp_client *client, const char *path,
    struct sftp_attributes *attributes);
enum sftp_status sftp_client_open_file(struct sftp_client *client,
    const char *path, unsigned flags, struct sftp_handle *handle);
enum sftp_status sftp_client_size(struct sftp_client *client,
    const struct sftp_handle *handle, uint64_t *size);
/* OK as well if the server does not offer it. */
enum sftp_status sftp_client_sync(
    struct sftp_client *client, const struct sftp_handle *handle);
enum sftp_status sftp_client_close_file(
    struct sftp_client *client, const struct sftp_handle *handle);
/* In one step if the server can (posix-rename@openssh.com). */
enum sftp_status sftp_client_rename(
    struct sftp_client *client, const char *from, const char *to);
enum sftp_status sftp_client_remove(
    struct sftp_client *client, const char *path);
/* The SHA-256 that the server finds of a file. *told: it can do that. */
enum sftp_status sftp_client_hash(struct sftp_client *client, const char *path,
    uint8_t sum[SHA256_SIZE], bool *told);

/* Writes the file's bytes from `from` to its end at the same place there.
 * watch->sent grows as the server takes them. */
enum sftp_status sftp_client_write(struct sftp_client *client,
    const struct sftp_handle *handle, const struct target_file *file,
    uint64_t from, struct target_watch *watch);

/* Gets `n` bytes at most as the file has them; false ends the reading. */
typedef bool sftp_bytes_cb(void *arg, const void *bytes, size_t n);
/* Reads [from, to) in order. SFTP_FAILED as well if the file ends before, and
 * OK if the callback ended it. */
enum sftp_status sftp_client_read(struct sftp_client *client,
    const struct sftp_handle *handle, uint64_t from, uint64_t to,
    sftp_bytes_cb *cb, void *arg);

#endif
