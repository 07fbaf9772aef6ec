#include "preset.h"

#define GIB ((uint64_t)1 << 30)
#define ANY (PRESET_PLAIN | PRESET_GZIP | PRESET_ZIP)
#define LINES (PRESET_PLAIN | PRESET_GZIP)

/* clang-format off */
const struct preset presets[PRESETS] = {
	/* name, shape, format, packing, most, days, user */
	{ "cloudsoc-syslog", PRESET_SYSLOG, ENCODE_RAW, ANY, 0, 0, false },
	{ "cloudsoc-csv",    PRESET_CSV,    ENCODE_CSV, ANY, 0, 0, false },
	{ "defender-cef",    PRESET_CEF,    ENCODE_CEF, ANY, 5 * GIB, 90, false },
	{ "defender-csv",    PRESET_CSV,    ENCODE_CSV, ANY, 5 * GIB, 90, false },
	{ "netskope-csv",    PRESET_CSV,    ENCODE_CSV,
	  PRESET_GZIP | PRESET_ZIP, 0, 90, false },
	{ "skyhigh-csv",     PRESET_CSV,    ENCODE_CSV, ANY, 5 * GIB, 0, true },
	{ "splunk",          PRESET_SYSLOG, ENCODE_RAW, LINES, 0, 0, false },
	{ "elastic",         PRESET_ECS,    ENCODE_ECS, LINES, 0, 0, false },
	{ "sentinel-raw",    PRESET_SYSLOG, ENCODE_RAW, LINES, 0, 0, false },
};
/* clang-format on */

const struct preset *
preset_find(struct span name)
{
	for (size_t i = 0; i < PRESETS; i++)
		if (span_eq(name, span_str(presets[i].name)))
			return &presets[i];
	return NULL;
}
