/*
 * settings - a configuration and all that it refers to.
 *
 * config_parse with the zones and code pages of this system, which live as
 * long as the settings do. Errors are printed as a person wants them:
 *
 *   sepmlogd.yaml:12:18: max_connections: '70000' is out of range: 1 to 65536
 */
#ifndef SEPMLOG_SETTINGS_H
#define SEPMLOG_SETTINGS_H

#include <stdio.h>

#include "config.h"

struct settings;

/* The settings in a file of at most 1 MiB. NULL: see what was printed to
 * `errors`. */
struct settings *settings_load(const char *path, FILE *errors);

/* The same from text; `name` stands for the file in errors. */
struct settings *settings_from_text(
    const char *name, struct span text, FILE *errors);

/* Good as long as the settings. */
const struct config *settings_config(const struct settings *settings);

void settings_free(struct settings *settings);

/* The errors of any configuration file, a line each. */
void settings_print_errors(
    const char *name, const struct config_errors *errors, FILE *out);

#endif
