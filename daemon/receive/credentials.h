/*
 * credentials - the TLS of all listeners of one configuration: loaded
 * together, kept in step with their files, and watched for their end.
 */
#ifndef SEPMLOGD_CREDENTIALS_H
#define SEPMLOGD_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config.h"
#include "endpoint.h"
#include "tls.h"

/* Zeroed: of a configuration without TLS. */
struct credentials {
	const struct config *config; /* borrowed */
	struct tls **tls; /* of each `listen` entry; NULL for those without */
	int *warned;      /* of each, how urgent the last warning was */
};

/* Loads all. False: see what was printed to `errors`, a line for each that
 * cannot be used; `name` stands for the configuration in them. Clear it
 * either way. */
bool credentials_load(struct credentials *credentials,
    const struct config *config, const char *name, FILE *errors);
void credentials_clear(struct credentials *credentials);

/* The endpoints of the same configuration are what its entries say. */
void credentials_apply(
    const struct credentials *credentials, struct endpoints *endpoints);

/*
 * Loads again what has changed on the disk. One that cannot be loaded is
 * logged, and what there was before stays in use.
 */
void credentials_refresh(
    struct credentials *credentials, struct endpoints *endpoints);

/* When the first certificate ends (UTC seconds); INT64_MAX: there is none. */
int64_t credentials_expire(const struct credentials *credentials);

/* Have files changed that could not be loaded? */
bool credentials_are_stale(const struct credentials *credentials);

/* Warns of each certificate 30, 7 and 1 days before its end, and when that has
 * come. `now` is UTC seconds. */
void credentials_warn(struct credentials *credentials, int64_t now);

#endif
