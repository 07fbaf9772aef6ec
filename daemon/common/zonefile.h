/*
 * zonefile - time zones from the system's zone files.
 */
#ifndef SEPMLOG_ZONEFILE_H
#define SEPMLOG_ZONEFILE_H

#include "zone.h"

/*
 * The zone with this IANA name (`Europe/Paris`) below $TZDIR or
 * /usr/share/zoneinfo; free it with zone_free. NULL: there is none, or no
 * memory. Names cannot lead out of the directory. UTC needs no file: see
 * zone_utc.
 */
struct zone *zonefile_load(const char *name);

#endif
