/*
 * kafka - records, or whole files, to a topic of Apache Kafka.
 *
 * The producer is idempotent (acks=all): within one session nothing is there
 * twice, whatever is sent again. Where a file has got to is journalled once
 * its records are acknowledged, and no more than `unacknowledged` records are
 * sent beyond that: so many may come again after this process was killed, with
 * the same id in the header `id`.
 *
 * A file is read through once before its first record is sent. One that is
 * broken, or has a record above `message_size`, is refused as a whole.
 */
#ifndef SEPMLOG_UPLOAD_KAFKA_H
#define SEPMLOG_UPLOAD_KAFKA_H

#include <stdbool.h>
#include <stdint.h>

#include "target.h"

enum kafka_send { KAFKA_RECORDS, KAFKA_FILES };
enum kafka_sasl { KAFKA_NONE, KAFKA_PLAIN, KAFKA_SCRAM_256, KAFKA_SCRAM_512 };

/* NULL where not said. */
struct kafka_options {
	char *brokers; /* `a:9092,b:9092` */
	char *topic;   /* `%stream` in it is the file's stream */
	enum kafka_send send;
	const char *compression; /* none, gzip, snappy, lz4, zstd */
	uint64_t message_size;
	unsigned unacknowledged; /* records */
	uint64_t buffer;         /* bytes that librdkafka holds */
	bool tls;
	char *ca;          /* PEM; NULL: the system's */
	char *certificate; /* of ours, PEM ... */
	char *key;         /* ... and its key */
	enum kafka_sasl sasl;
	char *user;
	char *password_file;
	uint64_t timeout; /* ms until a record is acknowledged */
};

extern const struct target_kind target_kafka;

#endif
