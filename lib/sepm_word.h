/*
 * sepm_word - the few words that SEPM uses for directions, actions, protocols
 * and severities, in every language known.
 *
 * Values are in the language of the client, whatever that of the labels is, so
 * that a word is looked up in all languages. ASCII letters are compared without
 * case, others as they are.
 */
#ifndef SEPMLOG_SEPM_WORD_H
#define SEPMLOG_SEPM_WORD_H

#include <stdbool.h>

#include "arena.h"
#include "span.h"

/* The words of the record for a direction, an action or a protocol; an unknown
 * word comes back in lower case (ASCII letters). n == 0: absent, or the arena
 * is full. */
struct span sepm_direction(struct span word, struct arena *arena);
struct span sepm_action(struct span word, struct arena *arena);
struct span sepm_protocol(struct span word, struct arena *arena);

/* Is it a word that is known to be one? */
bool sepm_is_direction(struct span word);
bool sepm_is_action(struct span word);
bool sepm_is_protocol(struct span word);

/* The syslog keyword for SEPM's `Critical`, `Major`, `Minor`, `Info`; n == 0
 * for any other word. */
struct span sepm_severity(struct span word);

#endif
