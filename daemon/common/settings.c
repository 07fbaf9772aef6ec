#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codepage.h"
#include "file.h"
#include "settings.h"
#include "zonefile.h"

enum { SETTINGS_MAX = 1024 * 1024 };

/* What many sources name is loaded once. */
struct loaded_zone {
	struct loaded_zone *next;
	struct zone *zone;
	char name[];
};

struct loaded_codepage {
	struct loaded_codepage *next;
	struct text_codepage *codepage;
};

struct settings {
	struct config *config;
	struct loaded_zone *zones;
	struct loaded_codepage *codepages;
};

static struct loaded_zone *
load_zone(const char *name)
{
	size_t size = strlen(name) + 1;
	struct loaded_zone *loaded = malloc(sizeof(*loaded) + size);

	if (!loaded)
		return NULL;
	loaded->zone = zonefile_load(name);
	if (!loaded->zone) {
		free(loaded);
		return NULL;
	}
	memcpy(loaded->name, name, size);
	return loaded;
}

static const struct zone *
zone_cb(void *arg, const char *name)
{
	struct settings *settings = arg;
	struct loaded_zone *z = settings->zones;

	while (z && strcmp(z->name, name) != 0)
		z = z->next;
	if (z)
		return z->zone;
	z = load_zone(name);
	if (!z)
		return NULL;
	z->next = settings->zones;
	settings->zones = z;
	return z->zone;
}

static struct loaded_codepage *
load_codepage(const char *name)
{
	struct loaded_codepage *loaded = malloc(sizeof(*loaded));

	if (!loaded)
		return NULL;
	loaded->codepage = codepage_load(name);
	if (!loaded->codepage) {
		free(loaded);
		return NULL;
	}
	return loaded;
}

static const struct text_codepage *
codepage_cb(void *arg, const char *name)
{
	struct settings *settings = arg;
	struct loaded_codepage *c = settings->codepages;

	while (c && strcmp(c->codepage->name, name) != 0)
		c = c->next;
	if (c)
		return c->codepage;
	c = load_codepage(name);
	if (!c)
		return NULL;
	c->next = settings->codepages;
	settings->codepages = c;
	return c->codepage;
}

void
settings_print_errors(
    const char *name, const struct config_errors *errors, FILE *out)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct config_error *e = &errors->list[i];

		if (e->line == 0)
			fprintf(out, "%s: %s\n", name, e->text);
		else
			fprintf(out, "%s:%u:%u: %s\n", name, e->line, e->column,
			    e->text);
	}
	if (errors->incomplete)
		fprintf(out, "%s: out of memory\n", name);
}

struct settings *
settings_from_text(const char *name, struct span text, FILE *errors)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	struct config_lookup lookup = {
	    .zone = zone_cb, .codepage = codepage_cb, .arg = settings};
	struct config_errors found;

	if (!settings) {
		fprintf(errors, "%s: out of memory\n", name);
		return NULL;
	}
	settings->config = config_parse(text, &lookup, &found);
	settings_print_errors(name, &found, errors);
	config_errors_clear(&found);
	if (settings->config)
		return settings;
	settings_free(settings);
	return NULL;
}

struct settings *
settings_load(const char *path, FILE *errors)
{
	struct settings *settings;
	size_t n;
	char *text = file_read(path, SETTINGS_MAX, &n);

	if (!text) {
		fprintf(errors, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	settings = settings_from_text(path, span_of(text, n), errors);
	free(text);
	return settings;
}

const struct config *
settings_config(const struct settings *settings)
{
	return settings->config;
}

void
settings_free(struct settings *settings)
{
	struct loaded_zone *z;
	struct loaded_codepage *c;

	if (!settings)
		return;
	config_free(settings->config);
	while ((z = settings->zones)) {
		settings->zones = z->next;
		zone_free(z->zone);
		free(z);
	}
	while ((c = settings->codepages)) {
		settings->codepages = c->next;
		codepage_free(c->codepage);
		free(c);
	}
	free(settings);
}
