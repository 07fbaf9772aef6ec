/*
 * batch - records in batches to what takes them by HTTPS: Splunk's HTTP Event
 * Collector, Elasticsearch and OpenSearch, Loki, VictoriaLogs, ClickHouse
 * (product.h has what is of each).
 *
 * After each batch that was taken, how far the file is is journalled. A batch
 * whose answer was lost is sent again; Elasticsearch, Loki and ClickHouse then
 * know its records, Splunk and VictoriaLogs do not.
 *
 * A record that the product will not take goes to
 * upload/quarantine/FILE@TARGET.rejects, and the file goes on; a file of which
 * no record is taken is refused. One may be there twice, after a crash.
 */
#ifndef SEPMLOG_UPLOAD_BATCH_H
#define SEPMLOG_UPLOAD_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "target.h"
#include "web.h"

struct product;

/* NULL where not said. */
struct batch_options {
	const struct product *product;
	char *url;        /* of the server, without the product's path */
	char *index;      /* Splunk, Elasticsearch: `%stream` is the stream */
	char *table;      /* ClickHouse: the same */
	char *tenant;     /* Loki: X-Scope-OrgID */
	char *sourcetype; /* Splunk */
	bool deduplicate; /* ClickHouse: say which block it is */
	uint64_t batch_size; /* bytes of records */
	unsigned batch_records;
	bool gzip;
	struct web_access access; /* a token is sent as the product wants */
};

extern const struct target_kind target_batch;

#endif
