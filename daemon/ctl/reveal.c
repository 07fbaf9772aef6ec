/*
 * sepmlogctl reveal - what tokens stand for, for the holder of the private key.
 *
 * The files of the vault are read in the order of their names, which begin with
 * the time; the first value of a token counts. Each token is written down in
 * the audit file, durably, before anything is shown.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "escaped.h"
#include "keyfile.h"
#include "pseudonym.h"
#include "reveal_audit.h"
#include "settings.h"
#include "shown.h"
#include "spool/disk.h"
#include "vaulter.h"

enum { WHY = 512, FILES = 1 << 20, REASON = 1024 };

static const char usage_text[] =
    "usage: sepmlogctl reveal --key FILE --reason TEXT [OPTION...] TOKEN...\n"
    "\n"
    "Shows what tokens of private streams stand for, if the daemon has sealed\n"
    "it (privacy.vault), and pseudonyms of addresses. Who asks, when and why\n"
    "is written down first.\n"
    "\n"
    "  -k, --key FILE      the private key, which its owner alone may read\n"
    "  -r, --reason TEXT   why: for the audit file\n"
    "  -V, --vault DIR     the vault (default: that of the configuration)\n"
    "  -a, --audit FILE    where it is written down (default:\n"
    "                      DIR/reveal.jsonl)\n"
    "  -p, --privacy-key FILE\n"
    "                      privacy.key_file, for addresses (default: that of\n"
    "                      the configuration)\n"
    "  -c, --config FILE   the configuration (" CTL_CONFIG ")\n"
    "  -h, --help\n"
    "\n"
    "Exit: 0 all were found, 1 one was not, or part of the vault cannot be\n"
    "read, 2 wrong use, 3 it could not run and has shown nothing.\n";

struct wanted {
	const char *token;
	bool address; /* by the key of pseudonyms, not from the vault */
	bool found, cut;
	char *value; /* to be freed; NULL: none */
	size_t n;
};

struct reveal {
	const char *key_file, *reason, *vault, *audit_file, *privacy_key;
	const char *config;
	struct settings *settings;    /* NULL: not needed */
	char *directory, *audit_path; /* owned */

	uint8_t key[HPKE_KEY];
	struct wanted *wanted;
	size_t count;
	size_t sought; /* of the vault, and not found yet */
	bool addresses;

	char **names; /* of the vault's files */
	size_t files;
	bool no_memory;
	unsigned others;    /* files for another key */
	bool damaged, told; /* told: of the file that is read */
	char frame[VAULT_FRAME], message[VAULT_MESSAGE];
};

static bool __attribute__((format(printf, 1, 2))) says(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_list("sepmlogctl reveal: ", format, args);
	va_end(args);
	return false;
}

/* --- what is asked for --- */

static bool
is_address(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 ||
	       inet_pton(AF_INET6, text, bytes) == 1;
}

/* `u1:mzxw6ytboi4dcmrq`, or a MAC. Of two with something between them, as of
 * user and domain, each is a token. */
static bool
is_token(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n <= PSEUDONYM_TOKEN && strchr(text, ':') != NULL &&
	       strspn(text, "0123456789:abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == n;
}

static bool
take_wanted(struct reveal *r, int argc, char **argv)
{
	r->wanted = calloc((size_t)argc, sizeof *r->wanted);
	if (r->wanted == NULL)
		return says("no memory");
	for (int i = 0; i < argc; i++) {
		struct wanted *w = &r->wanted[r->count++];

		w->token = argv[i];
		w->address = is_address(argv[i]);
		r->addresses |= w->address;
		r->sought += !w->address;
		if (!w->address && !is_token(argv[i]))
			return says(
			    "%s: not a token, which looks like "
			    "u1:mzxw6ytboi4dcmrq, a MAC or an address; of "
			    "a user with a domain give each token by itself",
			    argv[i]);
	}
	return true;
}

/* What no option says. */
static bool
take_config(struct reveal *r)
{
	const struct config *config;

	if (r->vault != NULL && (!r->addresses || r->privacy_key != NULL) &&
	    r->config == NULL)
		return true;
	r->settings =
	    settings_load(r->config != NULL ? r->config : CTL_CONFIG, stderr);
	if (r->settings == NULL)
		return false;
	config = settings_config(r->settings);
	if (r->privacy_key == NULL)
		r->privacy_key = config->privacy.key_file;
	if (r->vault != NULL)
		return true;
	if (asprintf(&r->directory, "%s/" VAULTER_DIRECTORY,
		config->spool.directory) < 0) {
		r->directory = NULL;
		return says("no memory");
	}
	r->vault = r->directory;
	return true;
}

/* --- addresses --- */

static bool
keep(struct wanted *w, struct span value, bool cut)
{
	w->value = malloc(value.n + 1);
	if (w->value == NULL)
		return says("no memory");
	memcpy(w->value, value.p, value.n);
	w->n = value.n;
	w->cut = cut;
	w->found = true;
	return true;
}

static bool
read_addresses(struct reveal *r)
{
	char why[WHY], out[PSEUDONYM_ADDRESS_MAX + 1], *end;
	struct pseudonym *pseudonym;
	bool good = true;

	if (!r->addresses)
		return true;
	if (r->privacy_key == NULL)
		return says("addresses need the key of pseudonyms: give it by "
			    "--privacy-key");
	pseudonym = keyfile_pseudonym(r->privacy_key, "u", why, sizeof why);
	if (pseudonym == NULL)
		return says("%s", why);
	for (size_t i = 0; good && i < r->count; i++) {
		struct wanted *w = &r->wanted[i];

		if (!w->address)
			continue;
		end =
		    pseudonym_real_address(pseudonym, span_str(w->token), out);
		good = end == NULL || keep(w, span_between(out, end), false);
	}
	pseudonym_free(pseudonym);
	return good;
}

/* --- the vault --- */

static void
look_at(struct reveal *r, const struct vault_entry *entry)
{
	for (size_t i = 0; i < r->count; i++) {
		struct wanted *w = &r->wanted[i];

		if (w->address || w->found ||
		    !span_eq(span_str(w->token), entry->token))
			continue;
		if (keep(w, entry->value, entry->cut))
			r->sought--;
		else
			r->no_memory = true;
	}
}

static void
damaged(struct reveal *r, const char *name, uint64_t at, const char *what)
{
	if (!r->told)
		says("%s/%s: %s at byte %" PRIu64, r->vault, name, what, at);
	r->told = r->damaged = true;
}

enum got { GOT_ALL, GOT_END, GOT_LESS, GOT_ERROR };

static enum got
get(int fd, uint64_t at, char *out, size_t n)
{
	size_t got;

	if (!disk_read(fd, at, out, n, &got))
		return GOT_ERROR;
	return got == n ? GOT_ALL : got == 0 ? GOT_END : GOT_LESS;
}

/* All of the frame at `at`, its length in *n. False, and it has been told:
 * there is none, and nothing can be found behind it. */
static bool
get_frame(struct reveal *r, int fd, const char *name, uint64_t at, size_t *n)
{
	enum got got = get(fd, at, r->frame, VAULT_LENGTH);

	if (got == GOT_END)
		return false;
	*n = got == GOT_ALL ? vault_frame_size(r->frame) : 0;
	if (got == GOT_ALL && *n == 0) {
		damaged(r, name, at, "damaged or changed");
		return false;
	}
	if (got == GOT_ALL)
		got = get(fd, at + VAULT_LENGTH, r->frame + VAULT_LENGTH, *n);
	if (got == GOT_ERROR)
		damaged(r, name, at, "cannot be read");
	else if (got != GOT_ALL) /* it is just written, or that was killed */
		says("%s/%s: ends within an entry, at byte %" PRIu64
		     ": what was not written whole is ignored",
		    r->vault, name, at);
	*n += VAULT_LENGTH;
	return got == GOT_ALL;
}

/* What one does not open, the next one may: each has its own nonce. */
static void
read_frames(struct reveal *r, int fd, const char *name, struct hpke *hpke)
{
	struct vault_entry entry;
	struct span message;
	uint64_t at = VAULT_HEADER;
	size_t n;

	while (
	    r->sought > 0 && !r->no_memory && get_frame(r, fd, name, at, &n)) {
		if (vault_unseal(
			hpke, span_of(r->frame, n), r->message, &message))
			while (vault_next(&message, &entry))
				look_at(r, &entry);
		else
			damaged(r, name, at, "damaged or changed");
		OPENSSL_cleanse(r->message, sizeof r->message);
		at += n;
	}
}

static void
read_file(struct reveal *r, int fd, const char *name)
{
	char header[VAULT_HEADER];
	struct hpke *hpke = NULL;
	size_t n;

	if (!disk_read(fd, 0, header, sizeof header, &n)) {
		damaged(r, name, 0, "cannot be read");
		return;
	}
	if (n < VAULT_HEADER) {
		says("%s/%s: ends before its first entry", r->vault, name);
		return;
	}
	switch (vault_open(span_of(header, n), r->key, &hpke)) {
	case VAULT_OPENED:
		break;
	case VAULT_OTHER_KEY:
		r->others++;
		return;
	case VAULT_NO_VAULT:
		damaged(r, name, 0, "not a file of the vault, or changed");
		return;
	case VAULT_NO_MEMORY:
		r->no_memory = true;
		return;
	}
	read_frames(r, fd, name, hpke);
	hpke_free(hpke);
}

static void
name_cb(void *arg, const char *name)
{
	struct reveal *r = arg;
	size_t n = strlen(name), suffix = strlen(VAULTER_SUFFIX);

	if (n <= suffix || strcmp(name + n - suffix, VAULTER_SUFFIX) != 0)
		return;
	if (r->files == FILES || (r->names[r->files] = strdup(name)) == NULL)
		r->no_memory = true;
	else
		r->files++;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
read_files(struct reveal *r, int dir)
{
	struct stat st;
	int fd;

	for (size_t i = 0; i < r->files && r->sought > 0 && !r->no_memory;
	     i++) {
		r->told = false;
		fd = disk_open(dir, r->names[i], &st);
		if (fd < 0) {
			says("%s/%s: %s", r->vault, r->names[i],
			    strerror(errno));
			r->damaged = true;
			continue;
		}
		read_file(r, fd, r->names[i]);
		disk_close(&fd);
	}
}

static bool
read_vault(struct reveal *r)
{
	int dir = open(r->vault, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool listed;

	if (dir < 0)
		return says("%s: %s: is there `vault` in the configuration, "
			    "and has a private stream had a record?",
		    r->vault, strerror(errno));
	r->names = calloc(FILES, sizeof *r->names);
	listed = r->names != NULL && disk_list(dir, name_cb, r);
	if (listed && !r->no_memory) {
		qsort(r->names, r->files, sizeof *r->names, by_name);
		read_files(r, dir);
	}
	disk_close(&dir);
	if (!listed && !r->no_memory && r->names != NULL)
		return says("%s: %s", r->vault, strerror(errno));
	if (r->names == NULL || r->no_memory)
		return says("no memory");
	if (r->others > 0 && r->sought > 0)
		says("%u files are sealed for another key", r->others);
	return true;
}

/* --- answers --- */

static bool
write_down(struct reveal *r)
{
	char why[WHY];
	struct reveal_audit *audit;
	bool done = true;

	if (r->audit_file == NULL &&
	    asprintf(&r->audit_path, "%s/reveal.jsonl", r->vault) < 0) {
		r->audit_path = NULL;
		return says("no memory");
	}
	if (r->audit_file == NULL)
		r->audit_file = r->audit_path;
	audit = reveal_audit_open(r->audit_file, r->reason, why, sizeof why);
	if (audit == NULL)
		return says("%s", why);
	for (size_t i = 0; done && i < r->count; i++)
		done = reveal_audit_add(
		    audit, r->wanted[i].token, r->wanted[i].found);
	done = done && reveal_audit_sync(audit);
	if (!done)
		says("%s: %s: nothing is revealed that is not written down",
		    r->audit_file, strerror(errno));
	reveal_audit_close(audit);
	return done;
}

static void
print(const struct wanted *w)
{
	struct span rest = span_of(w->value, w->n), piece;
	char room[ESCAPED_ROOM];

	printf("%s\t", w->token);
	while (rest.n > 0) {
		piece = escaped_next(&rest, ESCAPED_TERMINAL, room);
		fwrite(piece.p, 1, piece.n, stdout);
	}
	if (w->cut)
		printf(" ... (its first %d bytes)", VAULT_VALUE_MAX);
	putchar('\n');
}

static enum ctl_exit
answer(const struct reveal *r)
{
	bool all = true;

	for (size_t i = 0; i < r->count; i++) {
		if (r->wanted[i].found)
			print(&r->wanted[i]);
		else
			says("%s: not found", r->wanted[i].token);
		all = all && r->wanted[i].found;
	}
	if (fflush(stdout) != 0) {
		says("standard output: %s", strerror(errno));
		return CTL_FAILED;
	}
	return all && !r->damaged ? CTL_DONE : CTL_FINDINGS;
}

/* --- the command --- */

static int
phrase_cb(char *text, int size, int writing, void *arg)
{
	const struct reveal *r = arg;
	char prompt[WHY], *phrase;
	int n = 0;

	(void)writing;
	snprintf(prompt, sizeof prompt, "pass phrase of %s: ", r->key_file);
	phrase = getpass(prompt);
	if (phrase == NULL)
		return 0;
	if (strlen(phrase) <= (size_t)size) {
		n = (int)strlen(phrase);
		memcpy(text, phrase, (size_t)n);
	}
	OPENSSL_cleanse(phrase, strlen(phrase));
	return n;
}

static enum ctl_exit
run(struct reveal *r)
{
	char why[WHY];

	if (!take_config(r))
		return CTL_FAILED;
	if (!keyfile_private(
		r->key_file, phrase_cb, r, r->key, why, sizeof why)) {
		says("%s", why);
		return CTL_FAILED;
	}
	if (!read_addresses(r) || (r->sought > 0 && !read_vault(r)) ||
	    !write_down(r))
		return CTL_FAILED;
	return answer(r);
}

static void
reveal_free(struct reveal *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->wanted[i].value != NULL)
			OPENSSL_cleanse(r->wanted[i].value, r->wanted[i].n);
		free(r->wanted[i].value);
	}
	for (size_t i = 0; i < r->files; i++)
		free(r->names[i]);
	free(r->names);
	free(r->wanted);
	free(r->directory);
	free(r->audit_path);
	settings_free(r->settings);
	OPENSSL_cleanse(r, sizeof *r);
	free(r);
}

/* A reason of blanks is none. */
static bool
is_reason(const char *text)
{
	struct span reason = span_trim(span_str(text));

	return reason.n > 0 && reason.n <= REASON;
}

static bool
take_options(struct reveal *r, int argc, char **argv, bool *help)
{
	static const struct option longs[] = {
	    {"key", required_argument, NULL, 'k'},
	    {"reason", required_argument, NULL, 'r'},
	    {"vault", required_argument, NULL, 'V'},
	    {"audit", required_argument, NULL, 'a'},
	    {"privacy-key", required_argument, NULL, 'p'},
	    {"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(
		    argc, argv, "k:r:V:a:p:c:h", longs, NULL)) != -1) {
		const char **to = option == 'k'   ? &r->key_file
				  : option == 'r' ? &r->reason
				  : option == 'V' ? &r->vault
				  : option == 'a' ? &r->audit_file
				  : option == 'p' ? &r->privacy_key
				  : option == 'c' ? &r->config
						  : NULL;

		*help = option == 'h';
		if (to == NULL)
			return false;
		*to = optarg;
	}
	if (r->key_file == NULL || r->reason == NULL || optind == argc)
		return false;
	if (!is_reason(r->reason))
		return says("--reason: say why, in 1 to %d bytes", REASON);
	return take_wanted(r, argc - optind, argv + optind);
}

enum ctl_exit
ctl_reveal(int argc, char **argv)
{
	struct reveal *r = calloc(1, sizeof *r);
	enum ctl_exit status = CTL_USAGE;
	bool help = false;

	if (r == NULL) {
		says("no memory");
		return CTL_FAILED;
	}
	if (take_options(r, argc, argv, &help)) {
		status = run(r);
	} else if (help) {
		fputs(usage_text, stdout);
		status = CTL_DONE;
	} else {
		fputs(usage_text, stderr);
	}
	reveal_free(r);
	return status;
}
