/*
 * event - what the formats of others ask of a record.
 *
 * SEPM knows a client's side and another one; most formats know a source and a
 * destination. Inbound, the other side is the source; outbound, the client;
 * of an unknown direction there is neither, as a guess would make connections
 * that never were.
 */
#ifndef SEPMLOG_EVENT_H
#define SEPMLOG_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

/* What stands in a line more than once is a name: cut to so much. */
enum { EVENT_COPY = 255 };

#define EVENT_NO_FIELD RECORD_FIELD_COUNT

/* Where the values of one end of a connection are; EVENT_NO_FIELD: nowhere. */
struct event_end {
	enum record_field ip, port, mac, name;
};

extern const struct event_end event_local, event_remote;

/* NULL: unknown. A risk that came over the network has a source only. */
const struct event_end *event_source(const struct record *r);
const struct event_end *event_destination(const struct record *r);

/* Whether the client is the destination: inbound, or struck by a risk. */
bool event_is_target(const struct record *r);

/* Whether the ports are such: of Ethernet, one is the type of the frame. */
bool event_has_ports(const struct record *r);

/* Begin, else the time of the event, of the message, of receipt, in seconds.
 * False: there is none. */
bool event_time(const struct record *r, int64_t *seconds);

/* Number of the protocol above IP (IANA), or -1: none, or not told. */
int event_protocol(const struct record *r);
/* Its word at the IANA; empty for -1. */
struct span event_protocol_word(int number);

/* Code of the syslog severity, 0 to 7; 8: absent. */
unsigned event_severity(const struct record *r);

/* The number of the signature that struck; the field is `0` where none did. */
bool event_has_signature(const struct record *r);

/* 4, 6, or 0 when it is no address. */
int event_family(struct span ip);
/* Of both ends, or of the one that is there; 0: none, or they differ. */
int event_families(const struct record *r);
/* Is it that of one machine? Inbound datagrams to many have such a one for
 * their local side. */
bool event_is_unicast(struct span ip);

/* What is behind the last slash of a path, of either kind. */
struct span event_base_name(struct span path);
bool event_is_path(struct span text);

/* At most EVENT_COPY bytes, whole characters. */
struct span event_copy(struct span text);
/* At most `n` bytes, whole characters. */
struct span event_cut(struct span text, size_t n);

enum event_hash { EVENT_NO_HASH, EVENT_MD5, EVENT_SHA1, EVENT_SHA256 };
enum { EVENT_HASH_MAX = 64 };
/* What a hash is, by its digits, and its digits in lower case. */
enum event_hash event_hash(struct span text, char lower[EVENT_HASH_MAX]);

/* A number written in digits; false: it is not, or too large. */
bool event_number(struct span text, uint64_t *number);

#endif
