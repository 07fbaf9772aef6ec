/*
 * A Kafka cluster for tests: librdkafka's mock brokers, on loopback.
 *
 *   kafka_mock BROKERS
 *
 * Prints `bootstraps HOST:PORT,...`, then does what it is told, a line each,
 * and says `ok` after each:
 *
 *   topic NAME PARTITIONS
 *   errors API CODE COUNT   the next COUNT requests of that kind fail so
 *   topic-error NAME CODE   0: none
 *   down BROKER / up BROKER
 *   rtt BROKER MS
 *   read TOPIC              before `ok`: a line of each message there,
 *                           PARTITION OFFSET KEY ID STREAM VALUE, in hex but
 *                           for the numbers; `-` is empty
 *
 * Ends with its standard input.
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT = 10000, PARTITIONS = 64 };

static void
die(const char *what)
{
	fprintf(stderr, "kafka_mock: %s\n", what);
	exit(1);
}

static rd_kafka_t *
client(rd_kafka_type_t type, const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char error[256];
	rd_kafka_t *rk;
	const char *const options[][2] = {
	    {"bootstrap.servers", brokers},
	    {"group.id", "readers"},
	    {"enable.partition.eof", "true"},
	    {"auto.offset.reset", "earliest"},
	    {"log_level", "0"},
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (type == RD_KAFKA_PRODUCER && i < 4)
			continue;
		if (rd_kafka_conf_set(conf, options[i][0], options[i][1], error,
			sizeof error) != RD_KAFKA_CONF_OK)
			die(error);
	}
	rk = rd_kafka_new(type, conf, error, sizeof error);
	if (rk == NULL)
		die(error);
	return rk;
}

static void
print_hex(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	putchar(' ');
	if (n == 0)
		putchar('-');
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
}

static void
print_header(const rd_kafka_message_t *m, const char *name)
{
	rd_kafka_headers_t *headers;
	const void *value = NULL;
	size_t n = 0;

	if (rd_kafka_message_headers(m, &headers) ==
		RD_KAFKA_RESP_ERR_NO_ERROR &&
	    rd_kafka_header_get_last(headers, name, &value, &n) !=
		RD_KAFKA_RESP_ERR_NO_ERROR)
		n = 0;
	print_hex(value, n);
}

static void
print_message(const rd_kafka_message_t *m)
{
	printf("%" PRId32 " %" PRId64, m->partition, m->offset);
	print_hex(m->key, m->key_len);
	print_header(m, "id");
	print_header(m, "stream");
	print_hex(m->payload, m->len);
	putchar('\n');
}

/* Its partitions, all from their start. */
static int
assign(rd_kafka_t *rk, const char *name)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	const struct rd_kafka_metadata *m;
	rd_kafka_topic_partition_list_t *list;
	int count = 0;

	if (rd_kafka_metadata(rk, 0, topic, &m, WAIT) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		die("no metadata");
	if (m->topic_cnt == 1)
		count = m->topics[0].partition_cnt;
	list = rd_kafka_topic_partition_list_new(count);
	for (int i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, name, i)->offset =
		    RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_metadata_destroy(m);
	rd_kafka_topic_destroy(topic);
	return count;
}

static void
read_all(const char *brokers, const char *name)
{
	rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, brokers);
	rd_kafka_message_t *m;
	int left = assign(rk, name);

	while (left > 0) {
		m = rd_kafka_consumer_poll(rk, WAIT);
		if (m == NULL)
			die("nothing comes");
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			left--;
		else if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			print_message(m);
		rd_kafka_message_destroy(m);
	}
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

static void
push_errors(rd_kafka_mock_cluster_t *cluster, int api, int code, int count)
{
	rd_kafka_resp_err_t error = (rd_kafka_resp_err_t)code;

	for (int i = 0; i < count; i++)
		rd_kafka_mock_push_request_errors_array(
		    cluster, (int16_t)api, 1, &error);
}

static bool
command(rd_kafka_mock_cluster_t *cluster, const char *line)
{
	char name[256];
	int a, b, c;

	if (sscanf(line, "topic %255s %d", name, &a) == 2)
		return rd_kafka_mock_topic_create(cluster, name, a, 1) ==
		       RD_KAFKA_RESP_ERR_NO_ERROR;
	if (sscanf(line, "errors %d %d %d", &a, &b, &c) == 3) {
		push_errors(cluster, a, b, c);
		return true;
	}
	if (sscanf(line, "topic-error %255s %d", name, &a) == 2) {
		rd_kafka_mock_topic_set_error(
		    cluster, name, (rd_kafka_resp_err_t)a);
		return true;
	}
	if (sscanf(line, "down %d", &a) == 1)
		return rd_kafka_mock_broker_set_down(cluster, a) ==
		       RD_KAFKA_RESP_ERR_NO_ERROR;
	if (sscanf(line, "up %d", &a) == 1)
		return rd_kafka_mock_broker_set_up(cluster, a) ==
		       RD_KAFKA_RESP_ERR_NO_ERROR;
	if (sscanf(line, "rtt %d %d", &a, &b) == 2)
		return rd_kafka_mock_broker_set_rtt(cluster, a, b) ==
		       RD_KAFKA_RESP_ERR_NO_ERROR;
	if (sscanf(line, "read %255s", name) == 1) {
		read_all(rd_kafka_mock_cluster_bootstraps(cluster), name);
		return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL);
	rd_kafka_mock_cluster_t *cluster;
	char line[512];

	cluster = rd_kafka_mock_cluster_new(rk, argc > 1 ? atoi(argv[1]) : 1);
	if (cluster == NULL)
		die("no mock cluster");
	printf("bootstraps %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL) {
		if (!command(cluster, line))
			die(line);
		puts("ok");
		fflush(stdout);
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}
