#include "credentials.h"

#include <stdlib.h>

#include "log.h"

enum { WHY = 512, DAY = 24 * 60 * 60 };

/* --- loading --- */

bool
credentials_load(struct credentials *c, const struct config *config,
    const char *name, FILE *errors)
{
	char why[WHY];
	bool good = true;

	*c = (struct credentials){.config = config};
	c->tls = calloc(config->listens + 1, sizeof(struct tls *));
	c->warned = calloc(config->listens + 1, sizeof(int));
	if (c->tls == NULL || c->warned == NULL) {
		fprintf(errors, "%s: no memory\n", name);
		return false;
	}
	for (size_t i = 0; i < config->listens; i++) {
		const struct config_listen *listen = &config->listen[i];

		if (listen->transport != CONFIG_TLS)
			continue;
		c->tls[i] = tls_load(listen, why, sizeof why);
		if (c->tls[i] == NULL)
			fprintf(errors, "%s:%u: tls %s: %s\n", name,
			    listen->line, listen->text, why);
		good = good && c->tls[i] != NULL;
	}
	return good;
}

void
credentials_clear(struct credentials *c)
{
	for (size_t i = 0; c->tls != NULL && i < c->config->listens; i++)
		tls_release(c->tls[i]);
	free(c->tls);
	free(c->warned);
	*c = (struct credentials){0};
}

void
credentials_apply(const struct credentials *c, struct endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->count; i++)
		endpoint_apply(
		    endpoints->list[i], &c->config->listen[i], c->tls[i]);
}

/* --- in step with the files --- */

static void
refresh(struct credentials *c, size_t i, struct endpoint *endpoint)
{
	char why[WHY];
	struct tls *tls = tls_load(&c->config->listen[i], why, sizeof why);

	if (tls == NULL) {
		log_warnx("%s: changed files are not used, those before them "
			  "are: %s",
		    endpoint->name, why);
		return;
	}
	tls_release(c->tls[i]);
	c->tls[i] = tls;
	c->warned[i] = 0;
	endpoint_apply(endpoint, &c->config->listen[i], tls);
	log_info("%s: certificate and key loaded again", endpoint->name);
}

void
credentials_refresh(struct credentials *c, struct endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->count; i++)
		if (c->tls[i] != NULL && tls_has_changed(c->tls[i]))
			refresh(c, i, endpoints->list[i]);
}

bool
credentials_are_stale(const struct credentials *c)
{
	for (size_t i = 0; c->tls != NULL && i < c->config->listens; i++)
		if (c->tls[i] != NULL && tls_is_stale(c->tls[i]))
			return true;
	return false;
}

/* --- their end --- */

int64_t
credentials_expire(const struct credentials *c)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; c->tls != NULL && i < c->config->listens; i++)
		if (c->tls[i] != NULL && tls_expires(c->tls[i]) < first)
			first = tls_expires(c->tls[i]);
	return first;
}

/* 0: not at all. */
static int
urgency(int64_t left)
{
	static const int days[] = {30, 7, 1, 0};
	int urgent = 0;

	for (size_t i = 0; i < sizeof days / sizeof days[0]; i++)
		urgent += left <= (int64_t)days[i] * DAY;
	return urgent;
}

static void
warn(const char *path, int64_t left)
{
	if (left <= 0)
		log_warnx("%s: the certificate has expired: senders that check "
			  "it do not connect; replace it, it is loaded by "
			  "itself",
		    path);
	else
		log_warnx("%s: the certificate expires in %lld days; replace "
			  "it, it is loaded by itself",
		    path, (long long)(left / DAY));
}

void
credentials_warn(struct credentials *c, int64_t now)
{
	for (size_t i = 0; c->tls != NULL && i < c->config->listens; i++) {
		int64_t left =
		    c->tls[i] != NULL ? tls_expires(c->tls[i]) - now : 0;
		int urgent = c->tls[i] != NULL ? urgency(left) : 0;

		if (urgent > c->warned[i])
			warn(c->config->listen[i].files.certificate, left);
		c->warned[i] = urgent;
	}
}
