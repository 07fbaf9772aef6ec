/*
 * product - what batch.h has to know of each product: where records go, how
 * they are wrapped, and what the answers mean.
 */
#ifndef SEPMLOG_UPLOAD_PRODUCT_H
#define SEPMLOG_UPLOAD_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "body.h"
#include "records.h"

enum { PRODUCT_REASON = 160 };

enum item_state {
	ITEM_WAITING,
	ITEM_TAKEN, /* it is there, now or before */
	ITEM_AGAIN, /* not now */
	ITEM_BAD,   /* never */
};

/* A record of a batch. */
struct item {
	struct span text;
	uint64_t number, end; /* see struct record_line */
	char id[RECORDS_ID + 1];
	enum item_state state;
	char reason[PRODUCT_REASON]; /* if it is bad */
};

/* What goes in one request. */
struct shipment {
	const struct batch_options *options;
	const struct records_name *name;
	int64_t written; /* the file, UTC microseconds: for records that do not
			  * say when they were */
	struct item *item;
	size_t count;
};

enum verdict {
	VERDICT_TAKEN,   /* all of it */
	VERDICT_ITEMS,   /* each item's state says it */
	VERDICT_BAD,     /* one or more records are bad: `at` is the first, if
			  * it is below `count` */
	VERDICT_SMALLER, /* the request is too large */
	VERDICT_AGAIN,   /* not now */
	VERDICT_DOWN,    /* not before something there, or here, is changed */
};

struct answer {
	long status;
	struct span text;      /* its start */
	bool whole;            /* all of it */
	const char *exception; /* ClickHouse: X-ClickHouse-Exception-Code */
};

struct judgement {
	enum verdict verdict;
	size_t at;
	const char *hint; /* NULL: none */
};

struct product {
	const char *name;
	const char *content_type;
	const char *scheme; /* of a token in `Authorization` */
	enum product_key {
		PRODUCT_INDEX = 1,
		PRODUCT_TABLE = 2,
		PRODUCT_TENANT = 4,
		PRODUCT_SOURCETYPE = 8,
		PRODUCT_DEDUPLICATE = 16,
	} may,
	    must;       /* which of the options */
	bool has_codes; /* that say more than the status: `judge` sees all */
	/* A record that, wrapped, is a longer line is left out by the server,
	 * which answers as if it were there. 0: no. */
	size_t longest;
	/* Behind the URL of the server; false: no room. */
	bool (*path)(const struct shipment *s, char *path, size_t size);
	void (*wrap)(const struct shipment *s, struct body *body);
	/* Of an answer that is no matter of HTTP alone. */
	void (*judge)(const struct answer *answer, struct shipment *s,
	    struct judgement *j);
};

extern const struct product products[];
extern const size_t products_count;

/* `text` with the stream for `%stream`. False: no room. */
bool product_name(const char *text, const char *stream, char *out, size_t size);

/* Bytes of a record in a request, at most, without what is around it. */
size_t product_size(const struct records_name *name, struct span text);

#endif
