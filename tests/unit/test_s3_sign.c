#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3_sign.h"

/*
 * The examples of "Authenticating Requests: Using the Authorization Header
 * (AWS Signature Version 4)" in the Amazon S3 API reference, with its keys,
 * which are nobody's.
 */
static const struct s3_keys keys = {
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define WELCOME                                                                \
	"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define HOST                                                                   \
	{                                                                      \
		"host", "examplebucket.s3.amazonaws.com"                       \
	}
#define DATE                                                                   \
	{                                                                      \
		"x-amz-date", "20130524T000000Z"                               \
	}

static const struct example {
	const char *method, *path, *query, *payload;
	struct s3_header headers[8];
	size_t count;
	const char *names, *signature;
} examples[] = {
    {"GET", "/test.txt", "", EMPTY,
	{HOST, {"range", "bytes=0-9"}, {"x-amz-content-sha256", EMPTY}, DATE},
	4, "host;range;x-amz-content-sha256;x-amz-date",
	"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT", "/test%24file.text", "", WELCOME,
	{{"date", "Fri, 24 May 2013 00:00:00 GMT"}, HOST,
	    {"x-amz-content-sha256", WELCOME}, DATE,
	    {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
	5, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET", "/", "lifecycle=", EMPTY,
	{HOST, {"x-amz-content-sha256", EMPTY}, DATE}, 3,
	"host;x-amz-content-sha256;x-amz-date",
	"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET", "/", "max-keys=2&prefix=J", EMPTY,
	{HOST, {"x-amz-content-sha256", EMPTY}, DATE}, 3,
	"host;x-amz-content-sha256;x-amz-date",
	"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static struct s3_request
request_of(const struct example *e)
{
	struct s3_request r = {.method = e->method,
	    .path = e->path,
	    .query = e->query,
	    .headers = e->headers,
	    .header_count = e->count,
	    .region = "us-east-1",
	    .service = "s3",
	    .date = "20130524T000000Z"};

	ck_assert(sha256_read(span_str(e->payload), r.payload));
	return r;
}

START_TEST(published_examples)
{
	const struct example *e = &examples[_i];
	struct s3_request r = request_of(e);
	char got[S3_AUTHORIZATION], want[S3_AUTHORIZATION];

	snprintf(want, sizeof want,
	    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
	    "us-east-1/s3/aws4_request,SignedHeaders=%s,Signature=%s",
	    e->names, e->signature);
	ck_assert(s3_sign(&r, &keys, got));
	ck_assert_str_eq(got, want);
}
END_TEST

START_TEST(each_part_is_signed)
{
	struct s3_request r = request_of(&examples[0]), other = r;
	char one[S3_AUTHORIZATION], two[S3_AUTHORIZATION];

	ck_assert(s3_sign(&r, &keys, one));
	other.payload[0] ^= 1;
	ck_assert(s3_sign(&other, &keys, two));
	ck_assert_str_ne(one, two);
	other = r;
	other.path = "/test.tx";
	ck_assert(s3_sign(&other, &keys, two));
	ck_assert_str_ne(one, two);
}
END_TEST

START_TEST(too_long_is_said)
{
	struct s3_request r = request_of(&examples[0]);
	char got[S3_AUTHORIZATION], *path = malloc(10000);

	memset(path, 'a', 10000);
	path[9999] = '\0';
	r.path = path;
	ck_assert(!s3_sign(&r, &keys, got));
	free(path);
}
END_TEST

START_TEST(names_are_encoded)
{
	char out[32];

	ck_assert(s3_encode("a/b c~\xc3\xa4", true, out, sizeof out));
	ck_assert_str_eq(out, "a/b%20c~%C3%A4");
	ck_assert(s3_encode("a/b", false, out, sizeof out));
	ck_assert_str_eq(out, "a%2Fb");
	ck_assert(s3_encode("1234567", true, out, 8));
	ck_assert(!s3_encode("12345678", true, out, 8));
	ck_assert(!s3_encode("1234567 ", true, out, 9));
}
END_TEST

START_TEST(dates_are_utc)
{
	char date[S3_DATE];

	s3_date(1369353600, date);
	ck_assert_str_eq(date, "20130524T000000Z");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("s3_sign");
	TCase *tcase = tcase_create("s3_sign");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, published_examples, 0,
	    (int)(sizeof examples / sizeof examples[0]));
	tcase_add_test(tcase, each_part_is_signed);
	tcase_add_test(tcase, too_long_is_said);
	tcase_add_test(tcase, names_are_encoded);
	tcase_add_test(tcase, dates_are_utc);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
