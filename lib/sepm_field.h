/*
 * sepm_field - a value into its field, as the tables of bodies and of CSV
 * columns say it.
 */
#ifndef SEPMLOG_SEPM_FIELD_H
#define SEPMLOG_SEPM_FIELD_H

#include "sepm.h"

/* Reads `text` into its field of *record, which is not set when the answer is
 * not SEPM_VALUE. `times` are the kinds of stamps taken (timestamp.h). */
enum sepm_value sepm_field_read(const struct sepm_context *context,
    const struct sepm_field *field, unsigned times, struct span text,
    struct record *record);

/* Where the ports of a record came from. */
struct sepm_ports {
	struct span label[2], text[2]; /* local, remote */
};

/* Remembers where a field came from, if it is a port. */
void sepm_ports_note(struct sepm_ports *ports, enum record_field field,
    struct span label, struct span text);

/*
 * Once the protocol is known: the two numbers of ICMP are no ports but `icmp`,
 * where 0 is a value; one alone is neither and goes to extra. Any other port 0
 * is absent.
 */
void sepm_settle_ports(const struct sepm_context *context,
    const struct sepm_ports *ports, struct record *record);

#endif
