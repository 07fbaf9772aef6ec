/*
 * defender - files to the cloud discovery of Microsoft Defender for Cloud Apps.
 *
 * The three requests of its "Cloud discovery API", as published: GET
 * /api/v1/discovery/upload_url/ says a URL, PUT puts the file there (in blocks
 * above 64 MiB: "Put Block" of the Azure Blob service), POST
 * /api/v1/discovery/done_upload/ has it processed. The journal has the URL and
 * how far it got, so that another try goes on at that request. A URL that is
 * not taken any more is asked for again.
 *
 * Nothing says whether a file was processed already: where the last answer was
 * lost and the URL is not taken twice, the file goes a second time.
 */
#ifndef SEPMLOG_UPLOAD_DEFENDER_H
#define SEPMLOG_UPLOAD_DEFENDER_H

#include <stdint.h>

#include "target.h"
#include "web.h"

/* NULL where not said. */
struct defender_options {
	char *url;          /* of the tenant: https://HOST */
	char *source;       /* what the files are: GENERIC_CEF */
	char *input_stream; /* the name of the data source there */
	struct web_access access;
};

extern const struct target_kind target_defender;

#endif
