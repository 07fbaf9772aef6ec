#include "sftp_client.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The draft's numbers. */
enum {
	INIT = 1,
	VERSION = 2,
	OPEN = 3,
	CLOSE = 4,
	READ = 5,
	WRITE = 6,
	LSTAT = 7,
	FSTAT = 8,
	REMOVE = 13,
	RENAME = 18,
	STATUS = 101,
	HANDLE = 102,
	DATA = 103,
	ATTRS = 105,
	EXTENDED = 200,
	EXTENDED_REPLY = 201,

	STATUS_OK = 0,
	STATUS_EOF = 1,
	STATUS_NO_SUCH_FILE = 2,
	STATUS_PERMISSION_DENIED = 3,

	HAS_SIZE = 1,
	HAS_OWNER = 2,
	HAS_MODE = 4,
	MODE_TYPE = 0170000,
	MODE_FILE = 0100000,
};

enum {
	HEAD = 4 + 1 + 4, /* length, type, id */
	/* every server takes a message of 34000 bytes (draft, 3) */
	WRITE_PLAIN = 32 * 1024,
	/* and OpenSSH one of 256 KiB, as it says (limits@openssh.com) */
	MESSAGE = 256 * 1024,
	WRITE_ROOM = MESSAGE - 1024,
	/* bytes under way: OpenSSH's window is 2 MiB */
	UNDER_WAY = 2 * 1024 * 1024,
	REQUESTS = UNDER_WAY / WRITE_PLAIN,
	READ_ONE = 32 * 1024,
	READ_MANY = 32,
	WHY = SSH_LINK_WHY,
};

struct sftp_client {
	struct ssh_link link;
	uint32_t id;               /* of the last request */
	bool sync, rename, limits; /* what the server offers */
	bool hash;                 /* it has not said that it cannot */
	size_t write_most;
	char why[WHY];
	size_t n;                   /* of `out` */
	unsigned char out[MESSAGE]; /* the request being made */
	unsigned char in[MESSAGE];  /* the last answer, from its type on */
	size_t in_n, in_at;
	unsigned char read[READ_MANY * READ_ONE];
};

static enum sftp_status
of_link(enum ssh_link_status status)
{
	if (status == SSH_LINK_OK)
		return SFTP_OK;
	return status == SSH_LINK_STOPPED ? SFTP_STOPPED : SFTP_LOST;
}

static enum sftp_status
failed(struct sftp_client *c, const char *why)
{
	snprintf(c->why, sizeof c->why, "%s", why);
	return SFTP_FAILED;
}

/* What the server may not send. */
static enum sftp_status
malformed(struct sftp_client *c)
{
	snprintf(c->link.why, sizeof c->link.why,
	    "the server's answer is not one of SFTP version 3; check that no "
	    "start-up file of the login prints text");
	return SFTP_LOST;
}

/* --- requests --- */

static void
put_u32(struct sftp_client *c, uint32_t value)
{
	uint32_t wire = htobe32(value);

	memcpy(c->out + c->n, &wire, sizeof wire);
	c->n += sizeof wire;
}

static void
put_u64(struct sftp_client *c, uint64_t value)
{
	uint64_t wire = htobe64(value);

	memcpy(c->out + c->n, &wire, sizeof wire);
	c->n += sizeof wire;
}

static void
put_bytes(struct sftp_client *c, const void *bytes, size_t n)
{
	put_u32(c, (uint32_t)n);
	memcpy(c->out + c->n, bytes, n);
	c->n += n;
}

static void
put_text(struct sftp_client *c, const char *text)
{
	put_bytes(c, text, strlen(text));
}

static void
put_handle(struct sftp_client *c, const struct sftp_handle *handle)
{
	put_bytes(c, handle->bytes, handle->n);
}

static void
begin(struct sftp_client *c, unsigned char type)
{
	c->n = 4; /* the length */
	c->out[c->n++] = type;
	put_u32(c, ++c->id);
}

static enum sftp_status
send_request(struct sftp_client *c)
{
	uint32_t wire = htobe32((uint32_t)c->n - 4);

	memcpy(c->out, &wire, sizeof wire);
	return of_link(ssh_link_write(&c->link, c->out, c->n));
}

/* --- answers --- */

static bool
get_u32(struct sftp_client *c, uint32_t *value)
{
	if (c->in_n - c->in_at < sizeof *value)
		return false;
	memcpy(value, c->in + c->in_at, sizeof *value);
	*value = be32toh(*value);
	c->in_at += sizeof *value;
	return true;
}

static bool
get_u64(struct sftp_client *c, uint64_t *value)
{
	if (c->in_n - c->in_at < sizeof *value)
		return false;
	memcpy(value, c->in + c->in_at, sizeof *value);
	*value = be64toh(*value);
	c->in_at += sizeof *value;
	return true;
}

/* In place. */
static bool
get_bytes(struct sftp_client *c, const unsigned char **bytes, uint32_t *n)
{
	if (!get_u32(c, n) || c->in_n - c->in_at < *n)
		return false;
	*bytes = c->in + c->in_at;
	c->in_at += *n;
	return true;
}

static enum sftp_status
receive(struct sftp_client *c)
{
	enum sftp_status status;
	uint32_t n;

	status = of_link(ssh_link_read(&c->link, &n, sizeof n));
	if (status != SFTP_OK)
		return status;
	n = be32toh(n);
	if (n == 0 || n > sizeof c->in)
		return malformed(c);
	c->in_n = n;
	c->in_at = 1; /* behind the type */
	return of_link(ssh_link_read(&c->link, c->in, n));
}

static enum sftp_status
receive_answer(struct sftp_client *c, uint32_t *id)
{
	enum sftp_status status = receive(c);

	if (status == SFTP_OK && !get_u32(c, id))
		return malformed(c);
	return status;
}

/* Of a STATUS answer, behind its id. */
static enum sftp_status
read_status(struct sftp_client *c)
{
	const unsigned char *text;
	uint32_t code, n;

	if (c->in[0] != STATUS || !get_u32(c, &code))
		return malformed(c);
	if (!get_bytes(c, &text, &n))
		n = 0;
	snprintf(c->why, sizeof c->why, "%.*s (status %u)",
	    (int)(n < WHY / 2 ? n : WHY / 2), n > 0 ? (const char *)text : "",
	    code);
	switch (code) {
	case STATUS_OK:
		return SFTP_OK;
	case STATUS_NO_SUCH_FILE:
		return SFTP_ABSENT;
	case STATUS_PERMISSION_DENIED:
		return SFTP_DENIED;
	default:
		return SFTP_FAILED;
	}
}

/* The answer to the one request that is under way, of type `type` or STATUS,
 * which is OK only if it is what is wanted. */
static enum sftp_status
ask(struct sftp_client *c, unsigned char type)
{
	enum sftp_status status = send_request(c);
	uint32_t id;

	if (status == SFTP_OK)
		status = receive_answer(c, &id);
	if (status != SFTP_OK)
		return status;
	if (id != c->id)
		return malformed(c);
	if (c->in[0] == STATUS) {
		status = read_status(c);
		return status == SFTP_OK && type != STATUS ? malformed(c)
							   : status;
	}
	return c->in[0] == type ? SFTP_OK : malformed(c);
}

/* --- opening --- */

static void
read_extension(struct sftp_client *c, const unsigned char *name, uint32_t n)
{
	const struct {
		const char *name;
		bool *offered;
	} known[] = {
	    {"fsync@openssh.com", &c->sync},
	    {"posix-rename@openssh.com", &c->rename},
	    {"limits@openssh.com", &c->limits},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (n == strlen(known[i].name) &&
		    memcmp(name, known[i].name, n) == 0)
			*known[i].offered = true;
}

static enum sftp_status
greet(struct sftp_client *c)
{
	const unsigned char *name, *data;
	enum sftp_status status;
	uint32_t version, n, data_n;

	c->n = 4;
	c->out[c->n++] = INIT;
	put_u32(c, 3);
	status = send_request(c);
	if (status == SFTP_OK)
		status = receive(c);
	if (status != SFTP_OK)
		return status;
	if (c->in[0] != VERSION || !get_u32(c, &version) || version != 3)
		return malformed(c);
	while (get_bytes(c, &name, &n) && get_bytes(c, &data, &data_n))
		read_extension(c, name, n);
	return SFTP_OK;
}

/* What is longer than a plain write only where the server says so. */
static enum sftp_status
ask_limits(struct sftp_client *c)
{
	uint64_t packet, read, most;
	enum sftp_status status;

	c->write_most = WRITE_PLAIN;
	if (!c->limits)
		return SFTP_OK;
	begin(c, EXTENDED);
	put_text(c, "limits@openssh.com");
	status = ask(c, EXTENDED_REPLY);
	if (status != SFTP_OK)
		return status == SFTP_LOST || status == SFTP_STOPPED ? status
								     : SFTP_OK;
	if (!get_u64(c, &packet) || !get_u64(c, &read) || !get_u64(c, &most))
		return malformed(c);
	if (most > WRITE_PLAIN)
		c->write_most = most < WRITE_ROOM ? (size_t)most : WRITE_ROOM;
	return SFTP_OK;
}

struct sftp_client *
sftp_client_open(const struct ssh_login *login, const atomic_bool *stop,
    enum sftp_status *status, char *why, size_t size)
{
	struct sftp_client *c = calloc(1, sizeof *c);

	*status = SFTP_LOST;
	if (c == NULL) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	*status = of_link(ssh_link_open(&c->link, login, "sftp", stop));
	if (*status == SFTP_OK)
		*status = greet(c);
	if (*status == SFTP_OK)
		*status = ask_limits(c);
	c->hash = !ssh_link_is_openssh(&c->link);
	if (*status == SFTP_OK)
		return c;
	snprintf(why, size, "%s", c->link.why);
	sftp_client_close(c);
	return NULL;
}

void
sftp_client_close(struct sftp_client *c)
{
	if (c == NULL)
		return;
	ssh_link_close(&c->link);
	free(c);
}

void
sftp_client_stop(struct sftp_client *c, const atomic_bool *stop)
{
	c->link.stop = stop;
}

const char *
sftp_client_why(const struct sftp_client *c)
{
	return c->link.why[0] != '\0' ? c->link.why : c->why;
}

void
sftp_client_set_why(struct sftp_client *c, const char *why)
{
	snprintf(c->why, sizeof c->why, "%s", why);
}

bool
sftp_client_is_lost(const struct sftp_client *c)
{
	return c->link.why[0] != '\0';
}

/* --- one request, one answer --- */

static enum sftp_status
read_attributes(struct sftp_client *c, struct sftp_attributes *attributes)
{
	uint32_t flags, owner, group, mode;

	*attributes = (struct sftp_attributes){.is_file = true};
	if (!get_u32(c, &flags))
		return malformed(c);
	if ((flags & HAS_SIZE) == 0)
		return failed(c, "the server does not tell sizes of files");
	if (!get_u64(c, &attributes->size))
		return malformed(c);
	if ((flags & HAS_OWNER) != 0 &&
	    !(get_u32(c, &owner) && get_u32(c, &group)))
		return malformed(c);
	if ((flags & HAS_MODE) == 0)
		return SFTP_OK;
	if (!get_u32(c, &mode))
		return malformed(c);
	attributes->is_file = (mode & MODE_TYPE) == MODE_FILE;
	return SFTP_OK;
}

enum sftp_status
sftp_client_look(
    struct sftp_client *c, const char *path, struct sftp_attributes *attributes)
{
	enum sftp_status status;

	begin(c, LSTAT);
	put_text(c, path);
	status = ask(c, ATTRS);
	return status == SFTP_OK ? read_attributes(c, attributes) : status;
}

enum sftp_status
sftp_client_open_file(struct sftp_client *c, const char *path, unsigned flags,
    struct sftp_handle *handle)
{
	const unsigned char *bytes;
	enum sftp_status status;
	uint32_t n;

	begin(c, OPEN);
	put_text(c, path);
	put_u32(c, flags);
	put_u32(c, 0); /* no attributes: the server's umask */
	status = ask(c, HANDLE);
	if (status != SFTP_OK)
		return status;
	if (!get_bytes(c, &bytes, &n) || n > sizeof handle->bytes)
		return malformed(c);
	memcpy(handle->bytes, bytes, n);
	handle->n = n;
	return SFTP_OK;
}

enum sftp_status
sftp_client_size(
    struct sftp_client *c, const struct sftp_handle *handle, uint64_t *size)
{
	struct sftp_attributes attributes;
	enum sftp_status status;

	begin(c, FSTAT);
	put_handle(c, handle);
	status = ask(c, ATTRS);
	if (status == SFTP_OK)
		status = read_attributes(c, &attributes);
	if (status == SFTP_OK)
		*size = attributes.size;
	return status;
}

enum sftp_status
sftp_client_sync(struct sftp_client *c, const struct sftp_handle *handle)
{
	if (!c->sync)
		return SFTP_OK;
	begin(c, EXTENDED);
	put_text(c, "fsync@openssh.com");
	put_handle(c, handle);
	return ask(c, STATUS);
}

enum sftp_status
sftp_client_close_file(struct sftp_client *c, const struct sftp_handle *handle)
{
	begin(c, CLOSE);
	put_handle(c, handle);
	return ask(c, STATUS);
}

enum sftp_status
sftp_client_rename(struct sftp_client *c, const char *from, const char *to)
{
	if (c->rename) {
		begin(c, EXTENDED);
		put_text(c, "posix-rename@openssh.com");
	} else {
		begin(c, RENAME);
	}
	put_text(c, from);
	put_text(c, to);
	return ask(c, STATUS);
}

enum sftp_status
sftp_client_remove(struct sftp_client *c, const char *path)
{
	begin(c, REMOVE);
	put_text(c, path);
	return ask(c, STATUS);
}

/* Some servers put the extension's name before that of the algorithm. */
static bool
read_hash(struct sftp_client *c, uint8_t sum[SHA256_SIZE])
{
	struct span name;
	const unsigned char *bytes;
	uint32_t n;

	do {
		if (!get_bytes(c, &bytes, &n))
			return false;
		name = span_of((const char *)bytes, n);
	} while (span_eq(name, SPAN("check-file")));
	if (!span_eq(name, SPAN("sha256")) || c->in_n - c->in_at != SHA256_SIZE)
		return false;
	memcpy(sum, c->in + c->in_at, SHA256_SIZE);
	return true;
}

/* Version 3 has no place to offer it, so it is tried, which the draft allows;
 * but OpenSSH, which has not had it so far, would log that as an error. */
enum sftp_status
sftp_client_hash(struct sftp_client *c, const char *path,
    uint8_t sum[SHA256_SIZE], bool *told)
{
	enum sftp_status status;

	*told = false;
	if (!c->hash)
		return SFTP_OK;
	begin(c, EXTENDED);
	put_text(c, "check-file-name");
	put_text(c, path);
	put_text(c, "sha256");
	put_u64(c, 0); /* from the start */
	put_u64(c, 0); /* to the end */
	put_u32(c, 0); /* as one block */
	status = ask(c, EXTENDED_REPLY);
	if (status == SFTP_LOST || status == SFTP_STOPPED)
		return status;
	*told = c->hash = status == SFTP_OK && read_hash(c, sum);
	return SFTP_OK;
}

/* --- many writes under way --- */

struct writing {
	struct sftp_client *client;
	const struct sftp_handle *handle;
	const struct target_file *file;
	struct target_watch *watch;
	uint64_t at;
	unsigned count; /* under way */
	size_t bytes;   /* of them */
	/* of each, 0: answered; the place is its id's */
	uint32_t length[REQUESTS];
	enum sftp_status status; /* the first that is not OK */
};

static bool
can_send(const struct writing *w)
{
	return w->status == SFTP_OK && w->at < w->file->size &&
	       w->bytes < UNDER_WAY && w->count < REQUESTS &&
	       w->length[(w->client->id + 1) % REQUESTS] == 0;
}

static enum sftp_status
send_write(struct writing *w)
{
	struct sftp_client *c = w->client;
	uint64_t left = w->file->size - w->at;
	size_t n = left < c->write_most ? (size_t)left : c->write_most;
	enum sftp_status status;

	if (w->watch->pace != NULL)
		w->watch->pace(w->watch->context, n);
	begin(c, WRITE);
	put_handle(c, w->handle);
	put_u64(c, w->at);
	n = target_read(w->file, w->at, c->out + c->n + 4, n);
	if (n == 0) {
		c->id--; /* was not sent */
		snprintf(c->why, sizeof c->why, "it cannot be read here: %s",
		    target_read_why(errno));
		return SFTP_LOCAL;
	}
	put_u32(c, (uint32_t)n);
	c->n += n;
	status = send_request(c);
	if (status != SFTP_OK)
		return status;
	w->length[c->id % REQUESTS] = (uint32_t)n;
	w->at += n;
	w->bytes += n;
	w->count++;
	return SFTP_OK;
}

static enum sftp_status
take_answer(struct writing *w)
{
	struct sftp_client *c = w->client;
	enum sftp_status status;
	uint32_t id, *length;

	status = receive_answer(c, &id);
	if (status != SFTP_OK)
		return status;
	length = &w->length[id % REQUESTS];
	if (c->id - id >= REQUESTS || *length == 0)
		return malformed(c);
	status = read_status(c);
	if (status == SFTP_OK)
		w->watch->sent += *length;
	w->bytes -= *length;
	w->count--;
	*length = 0;
	return status;
}

static bool
is_usable(enum sftp_status status)
{
	return status != SFTP_LOST && status != SFTP_STOPPED;
}

enum sftp_status
sftp_client_write(struct sftp_client *c, const struct sftp_handle *handle,
    const struct target_file *file, uint64_t from, struct target_watch *watch)
{
	struct writing w = {.client = c,
	    .handle = handle,
	    .file = file,
	    .watch = watch,
	    .at = from,
	    .status = SFTP_OK};
	enum sftp_status status;
	char why[WHY] = "";

	/* After the first failure, those under way are still waited for: the
	 * connection stays in use. */
	while (can_send(&w) || w.count > 0) {
		status = can_send(&w) ? send_write(&w) : take_answer(&w);
		if (!is_usable(status))
			return status;
		if (status != SFTP_OK && w.status == SFTP_OK) {
			w.status = status;
			memcpy(why, c->why, sizeof why);
		}
	}
	if (w.status != SFTP_OK)
		memcpy(c->why, why, sizeof why);
	return w.status;
}

/* --- many reads under way --- */

/* Some at once, then all their answers: in order, and simple. */
struct reading {
	struct sftp_client *client;
	const struct sftp_handle *handle;
	uint64_t at;
	size_t n;       /* wanted, from `at` */
	uint32_t first; /* id */
	size_t got[READ_MANY];
};

static size_t
wanted(const struct reading *r, size_t i)
{
	size_t left = r->n - i * READ_ONE;

	return left < READ_ONE ? left : READ_ONE;
}

static enum sftp_status
send_read(struct reading *r, uint64_t at, size_t n)
{
	begin(r->client, READ);
	put_handle(r->client, r->handle);
	put_u64(r->client, at);
	put_u32(r->client, (uint32_t)n);
	return send_request(r->client);
}

static enum sftp_status
take_data(struct reading *r, size_t i)
{
	struct sftp_client *c = r->client;
	const unsigned char *bytes;
	uint32_t n;

	if (c->in[0] == STATUS) {
		enum sftp_status status = read_status(c);

		return status == SFTP_OK ? malformed(c) : status;
	}
	if (c->in[0] != DATA || !get_bytes(c, &bytes, &n) || n == 0 ||
	    n > wanted(r, i) - r->got[i])
		return malformed(c);
	memcpy(c->read + i * READ_ONE + r->got[i], bytes, n);
	r->got[i] += n;
	return SFTP_OK;
}

/* What an answer was short of. */
static enum sftp_status
complete(struct reading *r, size_t i)
{
	enum sftp_status status = SFTP_OK;
	uint32_t id;

	while (status == SFTP_OK && r->got[i] < wanted(r, i)) {
		status = send_read(r, r->at + i * READ_ONE + r->got[i],
		    wanted(r, i) - r->got[i]);
		if (status == SFTP_OK)
			status = receive_answer(r->client, &id);
		if (status == SFTP_OK)
			status = id == r->client->id ? take_data(r, i)
						     : malformed(r->client);
	}
	return status;
}

static enum sftp_status
read_some(struct reading *r)
{
	size_t count = (r->n + READ_ONE - 1) / READ_ONE;
	enum sftp_status status, first = SFTP_OK;
	uint32_t id;

	memset(r->got, 0, sizeof r->got);
	r->first = r->client->id + 1;
	for (size_t i = 0; i < count; i++) {
		status = send_read(r, r->at + i * READ_ONE, wanted(r, i));
		if (status != SFTP_OK)
			return status;
	}
	for (size_t i = 0; i < count; i++) {
		status = receive_answer(r->client, &id);
		if (status == SFTP_OK)
			status = id - r->first < count
				     ? take_data(r, id - r->first)
				     : malformed(r->client);
		if (!is_usable(status))
			return status;
		if (first == SFTP_OK)
			first = status;
	}
	for (size_t i = 0; i < count && first == SFTP_OK; i++)
		first = complete(r, i);
	return first;
}

enum sftp_status
sftp_client_read(struct sftp_client *c, const struct sftp_handle *handle,
    uint64_t from, uint64_t to, sftp_bytes_cb *cb, void *arg)
{
	struct reading r = {.client = c, .handle = handle, .at = from};
	enum sftp_status status;

	while (r.at < to) {
		r.n = to - r.at < sizeof c->read ? (size_t)(to - r.at)
						 : sizeof c->read;
		status = read_some(&r);
		if (status != SFTP_OK)
			return status;
		if (!cb(arg, c->read, r.n))
			return SFTP_OK;
		r.at += r.n;
	}
	return SFTP_OK;
}
