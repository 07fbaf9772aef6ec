/*
 * sepm_course - traffic records whose fields stand exactly as those of an
 * earlier one.
 *
 * A SEPM writes the fields of its traffic log in one order as long as it is not
 * replaced. What the general way (sepm_split.c, sepm.c, sepm_read.c) found out
 * about one such record, all of it from labels and places, holds for the next
 * record with the same labels in the same places: that is its course. A record
 * that leaves its course anywhere is read in the general way instead, from the
 * start, so that both ways give the same record.
 */
#ifndef SEPMLOG_SEPM_COURSE_H
#define SEPMLOG_SEPM_COURSE_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"
#include "sepm_label.h"
#include "sepm_value.h"

struct sepm_context;
struct sepm_reading;

enum {
	SEPM_COURSES = 4, /* that are remembered */
	SEPM_STEPS = 48,  /* fields of a course, at most */
};

/* One field. */
struct sepm_step {
	const struct sepm_guess *guess; /* NULL: bare */
	struct span modern;             /* of a repeated label; n == 0: none */
	struct sepm_field read;
};

struct sepm_course {
	size_t steps; /* 0: none yet */
	enum record_release release;
	bool sepm;   /* the first field is the SEPM, the second the client */
	bool action; /* its end, and cut unless it is a known one */
	struct sepm_step step[SEPM_STEPS];
};

/* Zero it before first use. */
struct sepm_courses {
	struct sepm_course course[SEPM_COURSES];
	size_t last; /* that a record went */
};

/* Remembers the course of a record that was read in the general way, if it has
 * one and it is a new one. */
void sepm_course_learn(
    struct sepm_courses *courses, const struct sepm_reading *reading);

/* Reads `text`, trimmed, into *record. False: it goes no course that is known,
 * and *record is as it was. */
bool sepm_course_read(struct sepm_courses *courses, struct span text,
    const struct sepm_context *context, struct record *record);

#endif
