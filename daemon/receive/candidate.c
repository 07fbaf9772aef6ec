#include "candidate.h"

#include <stdlib.h>
#include <string.h>

#include "keyfile.h"
#include "log.h"

struct settings *
origin_load(const struct origin *origin, FILE *errors)
{
	if (origin->text.n > 0)
		return settings_from_text(origin->name, origin->text, errors);
	return settings_load(origin->name, errors);
}

static void
log_lines(char *text)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			log_warnx("%s", line);
}

/* The settings, and the files that they name. */
static bool
load(struct candidate *c, const struct origin *origin, FILE *errors)
{
	c->settings = origin_load(origin, errors);
	if (c->settings == NULL)
		return false;
	c->config = settings_config(c->settings);
	return credentials_load(
	    &c->credentials, c->config, origin->name, errors);
}

/* What is wrong with them goes to the log. */
static bool
load_logged(struct candidate *c, const struct origin *origin)
{
	char *text = NULL;
	size_t size;
	bool good;
	FILE *errors = open_memstream(&text, &size);

	if (errors == NULL) {
		log_warn("%s", origin->name);
		return false;
	}
	good = load(c, origin, errors);
	if (fclose(errors) == 0)
		log_lines(text);
	free(text);
	return good;
}

bool
candidate_build(struct candidate *c, const struct origin *origin,
    const struct endpoints *have, struct counters *counters,
    struct audit *audit)
{
	char why[512];

	*c = (struct candidate){0};
	if (!load_logged(c, origin))
		goto fail;
	if (!endpoints_open(&c->endpoints, c->config, have, why, sizeof why)) {
		log_warnx("%s: %s", origin->name, why);
		goto fail;
	}
	c->pipeline = pipeline_new(c->config, counters, audit, why, sizeof why);
	if (c->pipeline == NULL ||
	    !keyfile_vault(c->config, &c->vault, why, sizeof why)) {
		log_warnx("%s: %s", origin->name, why);
		goto fail;
	}
	return true;
fail:
	candidate_clear(c, have);
	return false;
}

void
candidate_apply(struct candidate *c)
{
	credentials_apply(&c->credentials, &c->endpoints);
}

void
candidate_clear(struct candidate *c, const struct endpoints *keep)
{
	pipeline_free(c->pipeline);
	credentials_clear(&c->credentials);
	endpoints_close(&c->endpoints, keep);
	settings_free(c->settings);
	*c = (struct candidate){0};
}
