#include "fit.h"

#include <string.h>
#include <unistd.h>

#include "settings.h"

#define USUAL "/etc/sepmlogd/sepmlogd.yaml"

struct fit {
	const struct plan *plan;
	const char *path, *other;
	const struct config *config;
	FILE *errors;
	bool good;
};

static void
complain(struct fit *f, const struct plan_target *target,
    const struct config_stream *stream, const char *needs, struct span has)
{
	fprintf(f->errors,
	    "%s:%u:%u: %s: preset %s needs %s, but stream %s of %s has %.*s\n",
	    f->path, target->line, target->column, target->name,
	    target->preset->name, needs, stream->name, f->other, (int)has.n,
	    has.p);
	f->good = false;
}

static void
check_stream(struct fit *f, const struct plan_target *target,
    const struct config_stream *stream)
{
	static const unsigned packing[] = {
	    [CONFIG_NONE] = PRESET_PLAIN,
	    [CONFIG_GZIP] = PRESET_GZIP,
	    [CONFIG_ZSTD] = 0,
	};
	static const char *const names[] = {
	    [CONFIG_NONE] = "none",
	    [CONFIG_GZIP] = "gzip",
	    [CONFIG_ZSTD] = "zstd",
	};
	enum config_compress compress = f->config->spool.compress;
	char needs[64];

	if (stream->format != target->preset->format) {
		snprintf(needs, sizeof needs, "format: %s",
		    encode_format_name[target->preset->format].p);
		complain(f, target, stream, needs,
		    encode_format_name[stream->format]);
	}
	if ((target->preset->packing & packing[compress]) == 0)
		complain(f, target, stream, "compress: gzip",
		    span_str(names[compress]));
}

static void
check_target(struct fit *f, const struct plan_target *target)
{
	const struct config_stream *stream = f->config->streams;

	if (target->preset == NULL)
		return;
	for (size_t i = 0; i < f->config->stream_count; i++)
		if (plan_wants(target, span_str(stream[i].name)))
			check_stream(f, target, &stream[i]);
}

static bool
has_presets(const struct plan *plan)
{
	for (size_t i = 0; i < plan->target_count; i++)
		if (plan->targets[i].preset != NULL)
			return true;
	return false;
}

bool
fit_check(
    const struct plan *plan, const char *path, const char *other, FILE *errors)
{
	struct fit f = {.plan = plan,
	    .path = path,
	    .other = other != NULL ? other : USUAL,
	    .errors = errors,
	    .good = true};
	struct settings *settings;

	if (other == NULL && (!has_presets(plan) || access(USUAL, R_OK) != 0))
		return true;
	settings = settings_load(f.other, errors);
	if (settings == NULL)
		return false;
	f.config = settings_config(settings);
	if (strcmp(f.config->spool.directory, plan->spool) == 0) {
		for (size_t i = 0; i < plan->target_count; i++)
			check_target(&f, &plan->targets[i]);
	} else if (other != NULL) {
		fprintf(errors,
		    "%s: its spool is %s, and that of %s is %s: name the "
		    "configuration of the same spool\n",
		    f.other, f.config->spool.directory, path, plan->spool);
		f.good = false;
	}
	settings_free(settings);
	return f.good;
}
