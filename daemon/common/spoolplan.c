#include "spoolplan.h"

#include <stdlib.h>
#include <string.h>

#include "encode.h"

enum { EXTENSION = 8 };

/* clang-format off */
static const enum spool_compress compressions[] = {
	[CONFIG_NONE] = SPOOL_NONE,
	[CONFIG_GZIP] = SPOOL_GZIP,
	[CONFIG_ZSTD] = SPOOL_ZSTD,
};
/* clang-format on */

void
spoolplan_free(struct spoolplan *plan)
{
	if (plan == NULL)
		return;
	free(plan->names);
	free(plan->streams);
	free(plan);
}

/* Copies a string to *at and moves *at behind it. */
static const char *
put_string(char **at, struct span text)
{
	char *copy = *at;

	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	*at += text.n + 1;
	return copy;
}

static size_t
strings_size(const struct config *config)
{
	size_t n = strlen(config->spool.directory) + 1;

	for (size_t i = 0; i < config->stream_count; i++)
		n += strlen(config->streams[i].name) + 1 + EXTENSION;
	return n;
}

struct spool_options
spoolplan_options(const struct config *config, size_t line)
{
	const struct config_spool *c = &config->spool;
	size_t buffer = (size_t)c->buffer;

	/* Less room than for two lines would never be enough for one. */
	if (buffer < 2 * line)
		buffer = 2 * line;
	return (struct spool_options){
	    .rotate_size = c->rotate_size,
	    .rotate_age = c->rotate_age,
	    .commit_interval = c->commit_interval,
	    .commit_bytes = c->commit_bytes,
	    .compress = compressions[c->compress],
	    .quota = c->quota,
	    .min_free = c->min_free,
	    .min_free_percent = c->min_free_percent,
	    .drop_oldest = c->on_full == CONFIG_DROP_OLDEST,
	    .buffer = buffer,
	    .ledger =
		{
		    .size = config->ledger.size,
		    .age = config->ledger.keep,
		    .checksum = config->ledger.checksum,
		},
	};
}

struct spoolplan *
spoolplan_new(const struct config *config, size_t line)
{
	struct spoolplan *plan = calloc(1, sizeof *plan);
	char *at;

	if (plan == NULL)
		return NULL;
	plan->count = config->stream_count;
	plan->streams = calloc(plan->count + 1, sizeof *plan->streams);
	at = plan->names = malloc(strings_size(config));
	if (plan->streams == NULL || plan->names == NULL) {
		spoolplan_free(plan);
		return NULL;
	}
	plan->options = spoolplan_options(config, line);
	plan->options.directory =
	    put_string(&at, span_str(config->spool.directory));
	for (size_t i = 0; i < plan->count; i++) {
		const struct config_stream *s = &config->streams[i];
		struct span extension = encode_format_name[s->format];

		plan->streams[i] = (struct spool_stream_options){
		    .name = put_string(&at, span_str(s->name)),
		    .extension = put_string(&at, extension),
		    .header = s->format == ENCODE_CSV ? encode_csv_header
						      : span_of("", 0),
		};
	}
	return plan;
}
