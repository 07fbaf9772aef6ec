/*
 * candidate - a configuration with all that it needs to run, before it does.
 *
 * Everything that can fail happens while it is built: what runs is not touched
 * until the candidate takes its place.
 */
#ifndef SEPMLOGD_CANDIDATE_H
#define SEPMLOGD_CANDIDATE_H

#include <stdbool.h>

#include "config.h"
#include "counters.h"
#include "credentials.h"
#include "endpoint.h"
#include "pipeline.h"
#include "settings.h"
#include "vaulter.h"

/* Where configurations come from: a file, or a text that stands for one. */
struct origin {
	const char *name; /* the file's path */
	struct span text; /* if not empty: instead of the file's */
};

struct candidate {
	struct settings *settings;
	const struct config *config; /* of them */
	struct endpoints endpoints;  /* as they are, until candidate_apply */
	struct credentials credentials;
	struct pipeline *pipeline; /* without its spool */
	struct vaulter_key vault;
};

struct settings *origin_load(const struct origin *origin, FILE *errors);

/* Takes what fits of `have`. False: every reason has been logged, and all is
 * as before. */
bool candidate_build(struct candidate *candidate, const struct origin *origin,
    const struct endpoints *have, struct counters *counters,
    struct audit *audit);

/* Its endpoints are what the configuration says from now on. */
void candidate_apply(struct candidate *candidate);

/* Frees it, without those endpoints that `keep` (may be NULL) holds. */
void candidate_clear(struct candidate *candidate, const struct endpoints *keep);

#endif
