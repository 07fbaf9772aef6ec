/*
 * privacy - records without the names of people and machines.
 *
 * A policy says for each field of a record what a stream gets to see of it.
 * privacy_apply makes a second record of one, so that other streams still have
 * the first. What holds a name in a place of its own is easy; names also stand
 * in paths (`C:/Users/jdoe/...`), in texts and in values that SEPM did not
 * announce. PRIVACY_SCRUB looks there for all that the same record has in
 * fields of its own that do not stay, for names of profiles, and for hosts
 * of UNC paths.
 *
 * Of the bytes of the message itself nothing stays: `original` of the second
 * record is a keyed hash of it, or empty.
 *
 * What could not be kept within bounds is left out, never let through.
 */
#ifndef SEPMLOG_PRIVACY_H
#define SEPMLOG_PRIVACY_H

#include <stdbool.h>
#include <stdint.h>

#include "pseudonym.h"
#include "record.h"

enum { PRIVACY_CHARACTERS = 6 /* that may stay of a name, at most */ };

enum privacy_action {
	PRIVACY_KEEP,
	PRIVACY_DROP,
	PRIVACY_HMAC,
	PRIVACY_PREFIX,   /* prefix-preserving; of addresses */
	PRIVACY_TRUNCATE, /* to a network, a host, the first characters */
	PRIVACY_SCRUB,    /* without the names in it */
	PRIVACY_ACTIONS
};

/* `keep`, `drop`, `hmac`, `prefix_preserving`, `truncate`, `scrub` */
extern const struct span privacy_action_name[PRIVACY_ACTIONS];

/* What fields have in common, as policies name it. */
enum privacy_group {
	PRIVACY_USERS,
	PRIVACY_HOSTS,
	PRIVACY_NAMES, /* of domains, sites, groups */
	PRIVACY_ADDRESSES,
	PRIVACY_MACS,
	PRIVACY_IDS, /* of machines */
	PRIVACY_PATHS,
	PRIVACY_URLS,
	PRIVACY_TEXTS, /* that can hold anything */
	PRIVACY_EXTRA, /* what SEPM did not announce */
	PRIVACY_EVENT_KEY,
	PRIVACY_UNPARSED, /* the bytes of what is not understood */
	PRIVACY_OTHERS,   /* other texts */
	PRIVACY_FIXED,    /* numbers, times, words of a list: kept or not */
	PRIVACY_GROUPS
};

struct privacy_group_info {
	struct span name; /* `users`; empty for what no policy names */
	unsigned actions; /* that it can have: bits */
	/* where a policy does not say; PRIVACY_ACTIONS: it has to */
	enum privacy_action otherwise;
};

extern const struct privacy_group_info privacy_group_info[PRIVACY_GROUPS];

enum privacy_group privacy_group_of(enum record_field field);

/* Of a stream. Constant once loaded. */
struct privacy_policy {
	uint8_t action[RECORD_FIELD_COUNT]; /* enum privacy_action */
	unsigned ipv4, ipv6; /* bits of a network that PRIVACY_TRUNCATE keeps */
	unsigned characters; /* of a text; 1 to PRIVACY_CHARACTERS */
	bool digest;         /* `original` is wanted: of OCSF */
};

struct privacy;

/*
 * For messages of at most `n` bytes, under the key; it has the memory that
 * records are made in. NULL: see pseudonym_new. One per thread.
 */
struct privacy *privacy_new(struct span key, struct span id, size_t n);
void privacy_free(struct privacy *privacy);

/* See pseudonym_seal. */
void privacy_seal(struct privacy *privacy, struct vault_notes *notes);

/* The record as the policy lets it be seen, good until the next call; it
 * borrows from the other one, too. */
const struct record *privacy_apply(struct privacy *privacy,
    const struct privacy_policy *policy, const struct record *record);

#endif
