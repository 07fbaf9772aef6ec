#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pull.h"

enum { CONNECTION = 8192, PASSWORD = 1024 };

static bool __attribute__((format(printf, 3, 4)))
refuse(char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return false;
}

void
pull_name(const struct config_pull *p, char *out, size_t size)
{
	if (p->connection != NULL)
		snprintf(out, size, "the database of pull.connection");
	else
		snprintf(out, size, "%s:%u/%s", p->host, p->port, p->database);
}

uint64_t
pull_source(const struct config_pull *p)
{
	char name[512];
	uint64_t hash;

	pull_name(p, name, sizeof(name));
	hash = taken_hash(
	    p->connection != NULL ? span_str(p->connection) : span_str(name));
	return hash ^ taken_hash(span_str(p->view)) * 3;
}

/* --- the password --- */

/* Its first line; a password is no more than that. */
static bool
check_password(
    const char *path, char *password, size_t n, char *why, size_t size)
{
	if (n == PASSWORD)
		return refuse(why, size,
		    "pull.password_file: %s: too long for a password", path);
	if (memchr(password, '\0', n) != NULL)
		return refuse(why, size,
		    "pull.password_file: %s: a NUL byte in it: put the "
		    "password there as text",
		    path);
	password[n] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	return password[0] != '\0' ||
	       refuse(why, size,
		   "pull.password_file: %s: its first line is empty: put the "
		   "password there",
		   path);
}

static bool
read_password(
    const char *path, char password[PASSWORD + 1], char *why, size_t size)
{
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		refuse(why, size, "pull.password_file: %s: %s", path,
		    strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	n = S_ISREG(st.st_mode) ? read(fd, password, PASSWORD) : -1;
	close(fd);
	if (n < 0)
		return refuse(why, size,
		    "pull.password_file: %s: not a file that can be read",
		    path);
	if (st.st_mode & S_IRWXO) {
		explicit_bzero(password, PASSWORD);
		return refuse(why, size,
		    "pull.password_file: others may read or change %s: "
		    "chmod o= %s",
		    path, path);
	}
	return check_password(path, password, (size_t)n, why, size);
}

/* --- the string --- */

struct string {
	char *p;
	size_t n;
};

static void
put(struct string *s, const char *text)
{
	for (; *text != '\0' && s->n < CONNECTION - 1; text++)
		s->p[s->n++] = *text;
	s->p[s->n] = '\0';
}

static bool
needs_braces(const char *value)
{
	return strpbrk(value, "[]{}(),;?*=!@ ") != NULL;
}

/* `;KEY=value`, in braces where ODBC wants them: there `}` is doubled. */
static void
put_key(struct string *s, const char *key, const char *value)
{
	put(s, s->n > 0 ? ";" : "");
	put(s, key);
	put(s, "=");
	if (!needs_braces(value)) {
		put(s, value);
		return;
	}
	put(s, "{");
	for (; *value != '\0'; value++) {
		char one[] = {*value, *value == '}' ? '}' : '\0', '\0'};

		put(s, one);
	}
	put(s, "}");
}

/* Microsoft's own driver spells some keys in another way than FreeTDS. */
static void
put_server(struct string *s, const struct config_pull *p)
{
	bool require = p->tls == CONFIG_TLS_REQUIRE;
	char port[16], server[512];

	put(s, "DRIVER={");
	put(s, p->driver);
	put(s, "}");
	snprintf(port, sizeof(port), "%u", p->port);
	if (strncmp(p->driver, "ODBC Driver", 11) == 0) {
		snprintf(server, sizeof(server), "%s,%s", p->host, port);
		put(s, ";SERVER=");
		put(s, server);
		put_key(s, "Encrypt", require ? "yes" : "no");
	} else {
		put_key(s, "SERVER", p->host);
		put_key(s, "PORT", port);
		put_key(s, "ClientCharset", "UTF-8");
		put_key(s, "Encryption", require ? "require" : "off");
	}
	put_key(s, "DATABASE", p->database);
	put_key(s, "APP", "sepmlogctl");
}

char *
pull_connection(const struct config_pull *p, char *why, size_t size)
{
	char password[PASSWORD + 1] = "";
	struct string s = {.p = calloc(1, CONNECTION)};

	if (s.p == NULL) {
		refuse(why, size, "out of memory");
		return NULL;
	}
	if (p->password_file != NULL &&
	    !read_password(p->password_file, password, why, size)) {
		explicit_bzero(password, sizeof(password));
		free(s.p);
		return NULL;
	}
	if (p->connection != NULL)
		put(&s, p->connection);
	else
		put_server(&s, p);
	if (p->user != NULL) {
		put_key(&s, "UID", p->user);
		put_key(&s, "PWD", password);
	}
	explicit_bzero(password, sizeof(password));
	return s.p;
}

void
pull_connection_free(char *connection)
{
	if (connection == NULL)
		return;
	explicit_bzero(connection, CONNECTION);
	free(connection);
}
