/*
 * A record goes through twice. First all fields whose action is another than
 * PRIVACY_SCRUB; what was in those that name someone, and what became of it,
 * is a pair to look for. Then the texts to be scrubbed, each in one pass.
 *
 * Why a line is still within encode_bound: a value made new has REWRITTEN bytes
 * at most (a user with its domain, two tokens). In a scrubbed text a byte that
 * stays costs what it did; a token, in two cells, costs 2 for each of its bytes
 * where each byte it stands for was counted with PER_BYTE. What short names
 * lack in that is added up, and has to stay under what the field is given
 * besides: else the whole text becomes a token.
 */
#include "privacy.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "arena.h"
#include "encode.h"

enum {
	PER_BYTE = ENCODE_PER_BYTE,
	REWRITTEN = ENCODE_REWRITTEN,

	ADDRESS_TEXT = INET6_ADDRSTRLEN,
	/* more than a record has fields, and addresses, that name someone */
	PAIRS = 96,
	PAIR_TEXT = 48,
	DOMAIN_MAX = 255, /* bytes of one that stays, in a user */
	MADE = REWRITTEN + 2 * DOMAIN_MAX,
};

_Static_assert(2 * PSEUDONYM_TOKEN + 1 <= REWRITTEN, "a user and its domain");
_Static_assert((int)PSEUDONYM_TOKEN <= (int)PAIR_TEXT, "a token");
_Static_assert((int)ADDRESS_TEXT <= (int)PAIR_TEXT, "an address");
_Static_assert(4 * PRIVACY_CHARACTERS <= PSEUDONYM_TOKEN, "a part of a name");

/* What was there, folded, and what is there now. */
struct pair {
	struct span from;
	bool whole; /* not next to a letter or digit: an address */
	size_t n;
	char to[PAIR_TEXT];
};

struct privacy {
	struct pseudonym *pseudonym;
	struct arena arena;
	char *folded; /* of the text that is scrubbed */
	size_t folded_size;

	/* of the record in work */
	const struct privacy_policy *policy;
	uint64_t first[4]; /* bytes that a pair begins with */
	size_t pairs;
	struct pair pair[PAIRS];
	uint8_t digest[SHA256_SIZE];
	struct record record;
};

/* --- tables --- */

/* clang-format off */
const struct span privacy_action_name[PRIVACY_ACTIONS] = {
	[PRIVACY_KEEP] = {"keep", 4},
	[PRIVACY_DROP] = {"drop", 4},
	[PRIVACY_HMAC] = {"hmac", 4},
	[PRIVACY_PREFIX] = {"prefix_preserving", 17},
	[PRIVACY_TRUNCATE] = {"truncate", 8},
	[PRIVACY_SCRUB] = {"scrub", 5},
};

#define CAN(action)	(1u << PRIVACY_##action)
#define SIMPLE		(CAN(KEEP) | CAN(DROP))
#define TOKEN		(SIMPLE | CAN(HMAC))
#define PART		(TOKEN | CAN(TRUNCATE))
#define ANY		(PART | CAN(SCRUB))

const struct privacy_group_info privacy_group_info[PRIVACY_GROUPS] = {
	[PRIVACY_USERS] = {{"users", 5}, PART, PRIVACY_HMAC},
	[PRIVACY_HOSTS] = {{"hosts", 5}, PART, PRIVACY_HMAC},
	[PRIVACY_NAMES] = {{"names", 5}, PART, PRIVACY_HMAC},
	[PRIVACY_ADDRESSES] =
	    {{"addresses", 9}, PART | CAN(PREFIX), PRIVACY_PREFIX},
	[PRIVACY_MACS] = {{"macs", 4}, PART, PRIVACY_HMAC},
	[PRIVACY_IDS] = {{"ids", 3}, TOKEN, PRIVACY_HMAC},
	[PRIVACY_PATHS] = {{"paths", 5}, ANY, PRIVACY_SCRUB},
	[PRIVACY_URLS] = {{"urls", 4}, ANY, PRIVACY_TRUNCATE},
	[PRIVACY_TEXTS] = {{"texts", 5}, ANY, PRIVACY_DROP},
	[PRIVACY_EXTRA] =
	    {{"extra", 5}, TOKEN | CAN(SCRUB), PRIVACY_DROP},
	[PRIVACY_EVENT_KEY] = {{"event_key", 9}, TOKEN, PRIVACY_HMAC},
	[PRIVACY_UNPARSED] = {{"unparsed", 8}, SIMPLE, PRIVACY_ACTIONS},
	[PRIVACY_OTHERS] = {{"others", 6}, ANY, PRIVACY_SCRUB},
	[PRIVACY_FIXED] = {{"", 0}, SIMPLE, PRIVACY_KEEP},
};

/* 0 is PRIVACY_USERS, so all of these are one more; 0: by its kind. */
#define IN(field, group) [RECORD_F_##field] = PRIVACY_##group + 1
static const uint8_t field_group[RECORD_FIELD_COUNT] = {
	IN(USER, USERS), IN(USER1, USERS), IN(USER2, USERS), IN(ADMIN, USERS),
	IN(SEPM, HOSTS), IN(HOST, HOSTS), IN(REMOTE_NAME, HOSTS),
	IN(SERVER_NAME, HOSTS), IN(COMPUTER_NAME, HOSTS),
	IN(SOURCE_COMPUTER_NAME, HOSTS),
	IN(DOMAIN, NAMES), IN(DOMAIN_NAME, NAMES), IN(SITE_NAME, NAMES),
	IN(SITE, NAMES), IN(GROUP_NAME, NAMES),
	IN(LOCAL_IP, ADDRESSES), IN(REMOTE_IP, ADDRESSES),
	IN(CURRENT_IP_ADDRESS, ADDRESSES), IN(IP_ADDRESS, ADDRESSES),
	IN(SOURCE_COMPUTER_IP, ADDRESSES), IN(PEER, ADDRESSES),
	IN(ADDRESSES, ADDRESSES),
	IN(LOCAL_MAC, MACS), IN(REMOTE_MAC, MACS),
	IN(HARDWARE_KEY, IDS), IN(DEVICE_ID, IDS), IN(COMPUTER_ID, IDS),
	IN(AGENT_ID, IDS),
	IN(APPLICATION, PATHS), IN(FILE_PATH, PATHS), IN(PROCESS, PATHS),
	IN(MODULE, PATHS), IN(PARAMETERS, PATHS), IN(COMMAND, PATHS),
	IN(DOWNLOADED_BY, PATHS), IN(APPLICATION_NAME, PATHS),
	IN(INTRUSION_URL, URLS), IN(INTRUSION_PAYLOAD_URL, URLS),
	IN(DOWNLOAD_SITE, URLS), IN(WEB_DOMAIN, URLS),
	IN(EVENT_DESCRIPTION, TEXTS), IN(DESCRIPTION, TEXTS),
	IN(START_TEXT, TEXTS), IN(END_TEXT, TEXTS), IN(CUT, TEXTS),
	IN(EXTRA, EXTRA), IN(EVENT_KEY, EVENT_KEY),
	IN(RAW, UNPARSED), IN(RAW_BASE64, UNPARSED),
};

/* Accounts and names that every Windows has: they name nobody. */
static const struct span of_nobody[] = {
	{"-", 1}, {"none", 4}, {"n/a", 3}, {"unknown", 7}, {"default", 7},
	{"default user", 12}, {"all users", 9}, {"public", 6}, {"system", 6},
	{"local system", 12}, {"local service", 13}, {"network service", 15},
	{"localservice", 12}, {"networkservice", 14}, {"anonymous logon", 15},
	{"anonymous", 9}, {"nt authority", 12}, {"localhost", 9},
	{"workgroup", 9}, {"systemprofile", 13},
};

/* Directories that have one for each user in them. */
static const struct span profiles[] = {
	{"users", 5}, {"documents and settings", 22}, {"home", 4},
	{"profiles", 8}, {"docume~1", 8}, {"dokumente und einstellungen", 27},
	{"homes", 5}, {"users$", 6}, {"home$", 5}, {"profiles$", 9},
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool
is_one_of(struct span text, const struct span *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (span_caseeq(text, list[i]))
			return true;
	return false;
}

static bool
is_of_nobody(struct span text)
{
	return is_one_of(text, of_nobody, COUNT(of_nobody));
}

enum privacy_group
privacy_group_of(enum record_field field)
{
	if (field_group[field] != 0)
		return (enum privacy_group)(field_group[field] - 1);
	return record_field_info[field].kind == RECORD_TEXT ? PRIVACY_OTHERS
							    : PRIVACY_FIXED;
}

static enum pseudonym_kind
kind_of(enum privacy_group group)
{
	static const uint8_t kinds[PRIVACY_GROUPS] = {
	    [PRIVACY_USERS] = PSEUDONYM_USER,
	    [PRIVACY_HOSTS] = PSEUDONYM_HOST,
	    [PRIVACY_NAMES] = PSEUDONYM_NAME,
	    [PRIVACY_ADDRESSES] = PSEUDONYM_ADDRESS,
	    [PRIVACY_MACS] = PSEUDONYM_MAC,
	    [PRIVACY_IDS] = PSEUDONYM_ID,
	    [PRIVACY_PATHS] = PSEUDONYM_PATH,
	    [PRIVACY_URLS] = PSEUDONYM_TEXT,
	    [PRIVACY_TEXTS] = PSEUDONYM_TEXT,
	    [PRIVACY_EXTRA] = PSEUDONYM_TEXT,
	    [PRIVACY_EVENT_KEY] = PSEUDONYM_EVENT,
	    [PRIVACY_UNPARSED] = PSEUDONYM_TEXT,
	    [PRIVACY_OTHERS] = PSEUDONYM_TEXT,
	};

	return (enum pseudonym_kind)kinds[group];
}

/* --- memory --- */

struct privacy *
privacy_new(struct span key, struct span id, size_t n)
{
	struct privacy *x = calloc(1, sizeof(*x));
	/* decoded, a byte has become three; tokens for short names at most
	 * double that, and each field is given as much besides as a line is */
	size_t text = 3 * n + REWRITTEN;

	if (!x)
		return NULL;
	x->pseudonym = pseudonym_new(key, id);
	x->folded = malloc(text);
	x->folded_size = text;
	if (!x->pseudonym || !x->folded ||
	    !arena_init(&x->arena,
		4 * text + (RECORD_FIELD_COUNT + 2 * RECORD_MAX_EXTRA +
			       3 * RECORD_MAX_ADDRESSES) *
			       (size_t)REWRITTEN)) {
		privacy_free(x);
		return NULL;
	}
	return x;
}

void
privacy_free(struct privacy *x)
{
	if (!x)
		return;
	pseudonym_free(x->pseudonym);
	arena_clear(&x->arena);
	free(x->folded);
	free(x);
}

void
privacy_seal(struct privacy *x, struct vault_notes *notes)
{
	pseudonym_seal(x->pseudonym, notes);
}

/* A copy in the arena; empty when it is full. */
static struct span
keep(struct privacy *x, const char *text, size_t n)
{
	char *p = arena_take(&x->arena, n);

	if (!p)
		return SPAN("");
	memcpy(p, text, n);
	return span_of(p, n);
}

/* --- pairs to look for --- */

static void
add_pair(struct privacy *x, struct span from, struct span to, bool whole)
{
	struct pair *pair;
	char *folded;
	unsigned c;

	if (from.n == 0 || x->pairs == PAIRS || to.n > PAIR_TEXT ||
	    is_of_nobody(from))
		return;
	folded = arena_take(&x->arena, from.n);
	if (!folded)
		return;
	pseudonym_fold(from, folded);
	for (size_t i = 0; i < x->pairs; i++)
		if (span_eq(x->pair[i].from, span_of(folded, from.n)))
			return;
	pair = &x->pair[x->pairs++];
	pair->from = span_of(folded, from.n);
	pair->whole = whole;
	pair->n = to.n;
	memcpy(pair->to, to.p, to.n);
	c = (unsigned char)*folded;
	x->first[c / 64] |= UINT64_C(1) << c % 64;
}

/* --- values of their own --- */

static struct span
first_characters(struct span text, size_t characters)
{
	size_t n = 0;

	for (; n < text.n; n++) {
		bool begins = (text.p[n] & 0xc0) != 0x80;

		if (begins && characters-- == 0)
			break;
	}
	return span_take(text, n);
}

/* The bits after the first `bits` are 0. */
static void
clear_bits(uint8_t *address, size_t n, unsigned bits)
{
	for (size_t i = bits / 8; i < n; i++, bits = 0)
		address[i] &= (uint8_t)(i * 8 < bits ? 0xff00 >> bits % 8 : 0);
}

/* Its bytes, 4 or 16; 0: it is no address. */
static size_t
address_bytes(struct span text, uint8_t bytes[16])
{
	char copy[ADDRESS_TEXT];

	/* most texts: an address has a digit, or a colon, near its start */
	if (text.n < 2 || text.n >= sizeof(copy))
		return 0;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (inet_pton(AF_INET, copy, bytes) == 1)
		return 4;
	return span_find(text, ':') < text.n &&
		       inet_pton(AF_INET6, copy, bytes) == 1
		   ? 16
		   : 0;
}

static char *
put_token(
    struct privacy *x, enum pseudonym_kind kind, struct span text, char *out)
{
	return pseudonym_token(x->pseudonym, kind, text, out);
}

/* What is no address, after all, is treated as a name would be. */
static char *
put_address(
    struct privacy *x, enum privacy_action action, struct span text, char *out)
{
	const struct privacy_policy *policy = x->policy;
	uint8_t bytes[16];
	char *end = NULL;
	size_t n;

	if (action == PRIVACY_PREFIX)
		end = pseudonym_address(x->pseudonym, text, out);
	if (end)
		return end;
	n = action == PRIVACY_TRUNCATE ? address_bytes(text, bytes) : 0;
	if (n == 0)
		return put_token(x, PSEUDONYM_ADDRESS, text, out);
	clear_bits(bytes, n, n == 4 ? policy->ipv4 : policy->ipv6);
	if (!inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, out, ADDRESS_TEXT))
		return out;
	return out + strlen(out);
}

/* A name by an action other than to keep it. */
static char *
put_name(struct privacy *x, enum pseudonym_kind kind,
    enum privacy_action action, struct span text, char *out)
{
	if (action == PRIVACY_HMAC)
		return put_token(x, kind, text, out);
	if (action == PRIVACY_TRUNCATE)
		text = first_characters(text, x->policy->characters);
	else
		text = SPAN("*");
	memcpy(out, text.p, text.n);
	return out + text.n;
}

/* A piece of a user that is given with its domain; both become pairs. */
static char *
put_piece(struct privacy *x, enum record_field as, struct span text, char *out)
{
	enum privacy_action action = x->policy->action[as];
	char *end;

	if (text.n == 0)
		return out;
	if (action == PRIVACY_KEEP || is_of_nobody(text)) {
		if (text.n > DOMAIN_MAX)
			text = SPAN("*");
		memcpy(out, text.p, text.n);
		return out + text.n;
	}
	end = put_name(x, kind_of(privacy_group_of(as)), action, text, out);
	add_pair(x, text, span_between(out, end), false);
	return end;
}

static size_t
find_last(struct span text, char byte)
{
	size_t i = text.n;

	while (i > 0 && text.p[i - 1] != byte)
		i--;
	return i == 0 ? text.n : i - 1;
}

/* `jdoe`, `CORP\jdoe`, `jdoe@corp.example`: equal users have equal tokens. */
static char *
put_user(struct privacy *x, enum record_field f, struct span text, char *out)
{
	size_t at = find_last(text, '\\');

	if (at == text.n)
		at = find_last(text, '/');
	if (at < text.n) {
		out = put_piece(x, RECORD_F_DOMAIN, span_take(text, at), out);
		*out++ = text.p[at];
		return put_piece(x, f, span_skip(text, at + 1), out);
	}
	at = find_last(text, '@');
	out = put_piece(x, f, span_take(text, at), out);
	if (at == text.n)
		return out;
	*out++ = '@';
	return put_piece(x, RECORD_F_DOMAIN, span_skip(text, at + 1), out);
}

/* Some hosts are given by their address. Of a name with a domain, the first
 * label alone is looked for as well. */
static char *
put_host(
    struct privacy *x, enum privacy_action action, struct span text, char *out)
{
	enum privacy_action address = x->policy->action[RECORD_F_LOCAL_IP];
	char label[PAIR_TEXT];
	uint8_t bytes[16];
	struct span first = span_take(text, span_find(text, '.'));
	char *end;

	if (address_bytes(text, bytes) != 0) {
		if (address != PRIVACY_KEEP && address != PRIVACY_DROP)
			action = address;
		end = put_address(x, action, text, out);
		add_pair(x, text, span_between(out, end), true);
		return end;
	}
	end = put_name(x, PSEUDONYM_HOST, action, text, out);
	add_pair(x, text, span_between(out, end), false);
	if (first.n < text.n) {
		char *to = put_name(x, PSEUDONYM_HOST, action, first, label);

		add_pair(x, first, span_between(label, to), false);
	}
	return end;
}

/* The first three bytes of a MAC say who made it. */
static char *
put_mac(
    struct privacy *x, enum privacy_action action, struct span text, char *out)
{
	const struct span hidden = SPAN(":00:00:00");

	if (text.n != PSEUDONYM_MAC_SIZE)
		return put_token(x, PSEUDONYM_MAC, text, out);
	if (action == PRIVACY_HMAC)
		return pseudonym_mac(x->pseudonym, text, out);
	memcpy(out, text.p, 8);
	memcpy(out + 8, hidden.p, hidden.n);
	return out + PSEUDONYM_MAC_SIZE;
}

/* Of a URL its host, without user, path and query; in place. */
static struct span
url_host(struct span url)
{
	size_t colon = span_find(url, ':'), at;

	if (span_at(url, colon + 1) == '/' && span_at(url, colon + 2) == '/')
		url = span_skip(url, colon + 3);
	for (size_t i = 0; i < url.n; i++)
		if (strchr("/\\?#", url.p[i]) != NULL)
			url = span_take(url, i);
	at = find_last(url, '@');
	return at < url.n ? span_skip(url, at + 1) : url;
}

/* A value made new, which is REWRITTEN bytes at most. */
static struct span
rewrite(struct privacy *x, enum record_field f, enum privacy_group group,
    enum privacy_action action, struct span text)
{
	char made[MADE], *end;

	switch (group) {
	case PRIVACY_USERS:
		end = put_user(x, f, text, made);
		break;
	case PRIVACY_HOSTS:
		end = put_host(x, action, text, made);
		break;
	case PRIVACY_ADDRESSES:
		end = put_address(x, action, text, made);
		add_pair(x, text, span_between(made, end), true);
		break;
	case PRIVACY_MACS:
		end = put_mac(x, action, text, made);
		add_pair(x, text, span_between(made, end), true);
		break;
	case PRIVACY_EVENT_KEY:
		end = pseudonym_event(x->pseudonym, text, made);
		break;
	case PRIVACY_NAMES:
	case PRIVACY_IDS:
		end = put_name(x, kind_of(group), action, text, made);
		add_pair(x, text, span_between(made, end), false);
		break;
	default:
		if (action == PRIVACY_TRUNCATE)
			return first_characters(text, x->policy->characters);
		end = put_token(x, kind_of(group), text, made);
		break;
	}
	return keep(x, made, (size_t)(end - made));
}

/* What is dropped is looked for all the same. */
static void
look_for(struct privacy *x, enum record_field f, enum privacy_group group,
    struct span text)
{
	char made[MADE];

	if (group == PRIVACY_USERS)
		put_user(x, f, text, made);
	else if (group == PRIVACY_HOSTS)
		put_host(x, PRIVACY_DROP, text, made);
	else if (group == PRIVACY_ADDRESSES || group == PRIVACY_MACS)
		add_pair(x, text, SPAN("*"), true);
	else if (group == PRIVACY_NAMES || group == PRIVACY_IDS)
		add_pair(x, text, SPAN("*"), false);
}

/* --- texts with names in them --- */

struct scrub {
	struct privacy *x;
	struct span text, folded;
	char *out, *end;
	size_t at;
	size_t lack; /* see the top */
};

static bool
is_slash(int c)
{
	return c == '/' || c == '\\';
}

static bool
is_alnum(int c)
{
	return span_isdigit(c) || span_isalpha(c);
}

static bool
pair_found(const struct pair *pair, struct span text, size_t at)
{
	if (!pair->whole)
		return pseudonym_found(text, at, pair->from);
	return span_starts(span_skip(text, at), pair->from) &&
	       (at == 0 || !is_alnum((unsigned char)text.p[at - 1])) &&
	       !is_alnum(span_at(text, at + pair->from.n));
}

/* The longest pair at this place. */
static const struct pair *
pair_at(const struct privacy *x, struct span text, size_t at)
{
	unsigned char c = (unsigned char)text.p[at];
	const struct pair *best = NULL;

	if ((x->first[c / 64] >> c % 64 & 1) == 0)
		return NULL;
	for (size_t i = 0; i < x->pairs; i++)
		if ((unsigned char)*x->pair[i].from.p == c &&
		    (!best || x->pair[i].from.n > best->from.n) &&
		    pair_found(&x->pair[i], text, at))
			best = &x->pair[i];
	return best;
}

/* False: it gets too long. */
static bool
replace(struct scrub *s, size_t n, struct span to)
{
	if (2 * to.n > PER_BYTE * n)
		s->lack += 2 * to.n - PER_BYTE * n;
	if (s->lack > REWRITTEN || (size_t)(s->end - s->out) < to.n)
		return false;
	memcpy(s->out, to.p, to.n);
	s->out += to.n;
	s->at += n;
	return true;
}

/* The end of a part of a path. */
static size_t
component_end(struct span text, size_t at)
{
	while (at < text.n && strchr("/\\\"<>|*?:", text.p[at]) == NULL)
		at++;
	return at;
}

/* The part of a path at s->at is a user or a host. */
static bool
replace_component(struct scrub *s, enum record_field as)
{
	struct privacy *x = s->x;
	size_t n = component_end(s->text, s->at) - s->at;
	struct span name = span_of(s->text.p + s->at, n);
	char made[PAIR_TEXT], *end;

	if (n == 0 || x->policy->action[as] == PRIVACY_KEEP ||
	    is_of_nobody(name))
		return true;
	end = put_name(x, kind_of(privacy_group_of(as)),
	    (enum privacy_action)x->policy->action[as], name, made);
	return replace(s, n, span_between(made, end));
}

/* Does a directory of profiles end here? */
static bool
is_profiles(struct span text, size_t end)
{
	for (size_t i = 0; i < COUNT(profiles); i++) {
		size_t n = profiles[i].n;

		if (end >= n &&
		    span_caseeq(span_of(text.p + end - n, n), profiles[i]) &&
		    (end == n || !is_alnum((unsigned char)text.p[end - n - 1])))
			return true;
	}
	return false;
}

/* `\\host\share` or `//host/share`, where a path can begin. */
static bool
is_unc(struct span text, size_t at)
{
	return span_at(text, at + 1) == text.p[at] &&
	       (at == 0 || strchr(" \t\"'=(,;[<", text.p[at - 1]) != NULL);
}

/* What begins behind the slash at s->at. */
static bool
pass_slash(struct scrub *s)
{
	bool unc = is_unc(s->text, s->at);
	bool profile = is_profiles(s->text, s->at);

	*s->out++ = s->text.p[s->at++];
	while (
	    s->at < s->text.n && s->out < s->end && is_slash(s->text.p[s->at]))
		*s->out++ = s->text.p[s->at++];
	if (profile)
		return replace_component(s, RECORD_F_USER);
	return !unc || replace_component(s, RECORD_F_HOST);
}

static bool
scrub_all(struct scrub *s)
{
	const struct pair *pair;

	while (s->at < s->text.n) {
		pair = pair_at(s->x, s->folded, s->at);
		if (pair) {
			if (!replace(
				s, pair->from.n, span_of(pair->to, pair->n)))
				return false;
			continue;
		}
		if (s->end - s->out < 2)
			return false;
		if (is_slash(s->text.p[s->at])) {
			if (!pass_slash(s))
				return false;
			continue;
		}
		*s->out++ = s->text.p[s->at++];
	}
	return true;
}

/* Nothing to be found in it: most texts. */
static bool
is_clean(const struct privacy *x, struct span folded)
{
	for (size_t i = 0; i < folded.n; i++)
		if (is_slash(folded.p[i]) || pair_at(x, folded, i))
			return false;
	return true;
}

static struct span
scrub(struct privacy *x, enum privacy_group group, struct span text)
{
	struct scrub s = {.x = x, .text = text};
	size_t room = PER_BYTE / 2 * text.n + REWRITTEN;
	char token[PSEUDONYM_TOKEN];

	if (text.n > x->folded_size)
		return SPAN("");
	pseudonym_fold(text, x->folded);
	s.folded = span_of(x->folded, text.n);
	if (is_clean(x, s.folded))
		return text;
	if (room > x->arena.size - x->arena.used)
		room = x->arena.size - x->arena.used;
	s.out = x->arena.base + x->arena.used;
	s.end = s.out + room;
	text.p = s.out;
	if (!scrub_all(&s)) {
		return keep(x, token,
		    (size_t)(put_token(x, kind_of(group), s.text, token) -
			     token));
	}
	text = span_between(text.p, s.out);
	x->arena.used += text.n;
	return text;
}

/* --- the record --- */

static void
set(struct record *r, enum record_field f, struct span text)
{
	r->value[f].text = text;
	if (text.n == 0)
		record_unset(r, f);
}

/* All but what is to be scrubbed. */
static void
take_field(struct privacy *x, struct record *r, enum record_field f)
{
	enum privacy_action action = x->policy->action[f];
	enum privacy_group group = privacy_group_of(f);
	struct span text;

	if (record_field_info[f].kind != RECORD_TEXT &&
	    record_field_info[f].kind != RECORD_WORD) {
		if (action == PRIVACY_DROP)
			record_unset(r, f);
		return;
	}
	text = r->value[f].text;
	if (action == PRIVACY_DROP) {
		look_for(x, f, group, text);
		record_unset(r, f);
	} else if (group != PRIVACY_USERS || !is_of_nobody(text)) {
		set(r, f, rewrite(x, f, group, action, text));
	}
}

static struct span
group_value(struct privacy *x, enum record_field as, enum privacy_action action,
    struct span text)
{
	enum privacy_group group = privacy_group_of(as);

	if (text.n == 0 || action == PRIVACY_KEEP)
		return text;
	if (action != PRIVACY_DROP)
		return rewrite(x, as, group, action, text);
	look_for(x, as, group, text);
	return SPAN("");
}

static void
take_addresses(struct privacy *x, struct record *r)
{
	enum privacy_action action = x->policy->action[RECORD_F_ADDRESSES];
	enum privacy_action mac = x->policy->action[RECORD_F_LOCAL_MAC];

	for (size_t i = 0; i < r->addresses; i++) {
		struct record_address *a = &r->address[i];

		a->ip = group_value(x, RECORD_F_LOCAL_IP, action, a->ip);
		a->gateway =
		    group_value(x, RECORD_F_LOCAL_IP, action, a->gateway);
		a->mac = group_value(x, RECORD_F_LOCAL_MAC, mac, a->mac);
	}
	if (action == PRIVACY_DROP) {
		r->addresses = 0;
		record_unset(r, RECORD_F_ADDRESSES);
	}
}

static void
take_extra(struct privacy *x, struct record *r)
{
	enum privacy_action action = x->policy->action[RECORD_F_EXTRA];

	if (action == PRIVACY_DROP) {
		r->extras = 0;
		record_unset(r, RECORD_F_EXTRA);
	}
	for (size_t i = 0; action != PRIVACY_KEEP && i < r->extras; i++) {
		struct record_extra *e = &r->extra[i];

		e->label = scrub(x, PRIVACY_EXTRA, e->label);
		e->value = action == PRIVACY_SCRUB
			       ? scrub(x, PRIVACY_EXTRA, e->value)
			       : rewrite(x, RECORD_F_EXTRA, PRIVACY_EXTRA,
				     action, e->value);
	}
}

/* Arrays with only as much as is in them. */
static void
copy_record(struct record *to, const struct record *from)
{
	to->type = from->type;
	to->flags = from->flags;
	memcpy(to->present, from->present, sizeof(to->present));
	memcpy(to->value, from->value, sizeof(to->value));
	to->extras = from->extras;
	memcpy(to->extra, from->extra, from->extras * sizeof(*from->extra));
	to->addresses = from->addresses;
	memcpy(to->address, from->address,
	    from->addresses * sizeof(*from->address));
}

/* Does it go through scrub()? The host of a URL can be one of the record's. */
static bool
is_scrubbed(enum record_field f, enum privacy_action action)
{
	return action == PRIVACY_SCRUB ||
	       (action == PRIVACY_TRUNCATE &&
		   privacy_group_of(f) == PRIVACY_URLS);
}

static void
scrub_field(struct privacy *x, struct record *r, enum record_field f)
{
	struct span text = r->value[f].text;

	if (x->policy->action[f] == PRIVACY_TRUNCATE)
		text = url_host(text);
	set(r, f, scrub(x, privacy_group_of(f), text));
}

/* For each field there that does not stay: those that are to be scrubbed, or
 * the others. */
static void
each_field(struct privacy *x, struct record *r, bool scrubbed)
{
	for (size_t w = 0; w < RECORD_WORDS; w++) {
		uint64_t rest = r->present[w];

		for (; rest != 0; rest &= rest - 1) {
			enum record_field f = (enum record_field)(
			    64 * w + (size_t)__builtin_ctzll(rest));
			enum privacy_action action = x->policy->action[f];

			if (f == RECORD_F_EXTRA || f == RECORD_F_ADDRESSES ||
			    action == PRIVACY_KEEP ||
			    is_scrubbed(f, action) != scrubbed)
				continue;
			if (scrubbed)
				scrub_field(x, r, f);
			else
				take_field(x, r, f);
		}
	}
}

const struct record *
privacy_apply(struct privacy *x, const struct privacy_policy *policy,
    const struct record *record)
{
	struct record *r = &x->record;

	x->policy = policy;
	x->pairs = 0;
	memset(x->first, 0, sizeof(x->first));
	arena_reset(&x->arena);
	copy_record(r, record);
	r->original = SPAN("");
	if (policy->digest) {
		pseudonym_digest(x->pseudonym, record->original, x->digest);
		r->original =
		    span_of((const char *)x->digest, sizeof(x->digest));
	}
	if (record->type == RECORD_UNPARSED)
		record_set_number(
		    r, RECORD_F_ORIGINAL_LENGTH, record->original.n);
	each_field(x, r, false);
	take_addresses(x, r);
	each_field(x, r, true);
	take_extra(x, r);
	return r;
}
