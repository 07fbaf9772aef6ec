/*
 * sepm_read - the fields of a body whose type is known; shared by sepm_read.c
 * and sepm_cut.c.
 */
#ifndef SEPMLOG_SEPM_READ_H
#define SEPMLOG_SEPM_READ_H

#include "sepm_shape.h"

enum { SEPM_PLACES = 2 * SEPM_RUN + 2 }; /* of all runs of a type */

/* A field told by its place: these pieces, the commas between them its own. */
struct sepm_place {
	size_t piece, last;
	struct sepm_field read;
	const char *why;
};

struct sepm_reading {
	struct sepm_body *body;
	struct record *record;
	const struct sepm_shape *shape;
	struct sepm_place place[SEPM_PLACES];
	size_t places;
	size_t locals, remotes; /* seen so far */
	struct sepm_ports ports;
	/* Slot + 1 of each numbered group of the agent-info block. */
	unsigned char group[100];
};

/* Finds the fields that are told by their place. */
void sepm_find_places(struct sepm_reading *reading);

/* The place that the piece belongs to; NULL: none. */
const struct sepm_place *sepm_place_of(
    const struct sepm_reading *reading, size_t piece);

/* sepm_cut.c: has traffic of this body labels that came with the hashes? Then
 * these end it as a rule. */
bool sepm_is_new_style(const struct sepm_body *body);

/* sepm_release.c: of a body that is whole, its client and SEPM found. */
enum record_release sepm_release(const struct sepm_body *body);

/* sepm_cut.c: was the record cut on its way? */
bool sepm_is_cut(const struct sepm_reading *reading);

/* sepm_cut.c: takes the incomplete last field away. */
void sepm_drop_cut_field(struct sepm_reading *reading);

#endif
