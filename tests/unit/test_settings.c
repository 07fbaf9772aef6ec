#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codepage.h"
#include "run.h"
#include "settings.h"
#include "zonefile.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* What is printed to it goes to *text, which is complete once it is closed. */
static FILE *
printed(char **text)
{
	static size_t n;
	FILE *f = open_memstream(text, &n);

	ck_assert_ptr_nonnull(f);
	return f;
}

static struct settings *
settings_of(const char *text, char **errors)
{
	FILE *f = printed(errors);
	struct settings *settings =
	    settings_from_text("test.yaml", span_str(text), f);

	fclose(f);
	return settings;
}

/* A file with these bytes; the caller unlinks it. */
static void
write_file(char *path, const char *bytes, size_t n)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

START_TEST(errors_name_the_file_and_the_place)
{
	char *errors;

	ck_assert_ptr_null(
	    settings_of("max_message: 1\ncode_page: utf-8\n", &errors));
	ck_assert_str_eq(errors,
	    "test.yaml:1:14: max_message: '1' is out of range: 480 to 1MiB\n"
	    "test.yaml:2:12: code_page: UTF-8 is always tried first; name the "
	    "code page of what is not UTF-8\n");
	free(errors);
}
END_TEST

START_TEST(zones_and_code_pages_are_loaded_once)
{
	char *errors;
	struct settings *settings =
	    settings_of("timezone: Europe/Paris\n"
			"code_page: cp932\n"
			"sources:\n"
			"  - { from: 192.0.2.1, timezone: Asia/Tokyo }\n"
			"  - { from: 192.0.2.2, timezone: Europe/Paris,\n"
			"      code_page: cp932 }\n",
		&errors);
	const struct config *config;

	ck_assert_str_eq(errors, "");
	ck_assert_ptr_nonnull(settings);
	config = settings_config(settings);
	ck_assert_ptr_ne(config->sources[0].read.zone, config->fallback.zone);
	ck_assert_ptr_eq(config->sources[1].read.zone, config->fallback.zone);
	ck_assert_ptr_eq(
	    config->sources[1].read.codepage, config->fallback.codepage);
	ck_assert_str_eq(config->fallback.codepage->name, "cp932");
	settings_free(settings);
	free(errors);
}
END_TEST

START_TEST(a_file_is_read_whole)
{
	char path[] = "/tmp/test_settings.XXXXXX", *errors, *text;
	size_t n = 1024 * 1024;
	FILE *f = printed(&errors);
	struct settings *settings;

	text = malloc(n);
	memset(text, '#', n);
	memcpy(text + n - 20, "\nmax_message: 480   ", 20);
	write_file(path, text, n);
	settings = settings_load(path, f);
	unlink(path);
	fclose(f);
	ck_assert_str_eq(errors, "");
	ck_assert_uint_eq(settings_config(settings)->max_message, 480);
	settings_free(settings);
	free(text);
	free(errors);
}
END_TEST

START_TEST(too_large_a_file_is_refused)
{
	char path[] = "/tmp/test_settings.XXXXXX", expected[128];
	char *errors, *text;
	size_t n = 1024 * 1024 + 1;
	FILE *f = printed(&errors);

	text = malloc(n);
	memset(text, '#', n);
	write_file(path, text, n);
	ck_assert_ptr_null(settings_load(path, f));
	unlink(path);
	fclose(f);
	snprintf(expected, sizeof(expected), "%s: File too large\n", path);
	ck_assert_str_eq(errors, expected);
	free(text);
	free(errors);
}
END_TEST

START_TEST(what_is_no_file_is_an_error)
{
	char *errors;
	FILE *f = printed(&errors);

	ck_assert_ptr_null(settings_load("/nowhere/sepmlogd.yaml", f));
	ck_assert_ptr_null(settings_load("/", f));
	fclose(f);
	ck_assert_str_eq(errors,
	    "/nowhere/sepmlogd.yaml: No such file or directory\n"
	    "/: Is a directory\n");
	free(errors);
}
END_TEST

/* --- zones --- */

START_TEST(zones_come_from_the_systems_files)
{
	struct zone *zone = zonefile_load("America/New_York");

	ck_assert_ptr_nonnull(zone);
	/* 2024-07-01 12:00:00 UTC is 08:00 there. */
	ck_assert_int_eq(
	    zone_to_local(zone, 1719835200), 1719835200 - 4 * 3600);
	zone_free(zone);
}
END_TEST

static const char *const no_zones[] = {"", "/usr/share/zoneinfo/UTC",
    "../zoneinfo/UTC", "Europe/../UTC", "Europe", "Mars/Base", "Europe/Paris ",
    "zone.tab", "tzdata.zi", "."};

START_TEST(other_names_are_no_zones)
{
	ck_assert_ptr_null(zonefile_load(no_zones[_i]));
}
END_TEST

START_TEST(tzdir_names_another_directory)
{
	setenv("TZDIR", "/usr/share/zoneinfo/Europe", 1);
	struct zone *zone = zonefile_load("Paris");

	ck_assert_ptr_nonnull(zone);
	zone_free(zone);
	setenv("TZDIR", "/nowhere", 1);
	ck_assert_ptr_null(zonefile_load("Paris"));
}
END_TEST

/* --- code pages --- */

/* clang-format off */
static const struct {
	const char *name;
	unsigned bytes; /* one, or two of a pair */
	unsigned code;
} letters[] = {
	{ "windows-1250", 0x9c,   0x015b },
	{ "windows-1251", 0xe4,   0x0434 },
	{ "windows-1252", 0x80,   0x20ac },
	{ "windows-1252", 0x81,   0x0081 }, /* open: C1 */
	{ "windows-1253", 0xaa,   0xf7aa }, /* open: private use */
	{ "windows-1255", 0xe0,   0x05d0 },
	{ "windows-1258", 0xe3,   0x0103 },
	{ "windows-1258", 0xcc,   0x0300 }, /* an accent of its own */
	{ "iso-8859-15",  0xa4,   0x20ac },
	{ "iso-8859-1",   0x85,   0x0085 },
	{ "koi8-r",       0xc1,   0x0430 },
	{ "cp437",        0x80,   0x00c7 },
	{ "cp932",        0x5c,   0x005c },
	{ "cp932",        0xb1,   0xff71 },
	{ "cp932",        0x82a0, 0x3042 },
	{ "cp932",        0x8101, 0 },
	{ "cp936",        0xd6d0, 0x4e2d },
	{ "cp949",        0xb0a1, 0xac00 },
	{ "cp950",        0xa4a4, 0x4e2d },
};
/* clang-format on */

START_TEST(code_pages_know_their_letters)
{
	struct text_codepage *page = codepage_load(letters[_i].name);
	unsigned bytes = letters[_i].bytes;

	ck_assert_ptr_nonnull(page);
	ck_assert_str_eq(page->name, letters[_i].name);
	ck_assert_uint_eq(page->single['A'], 'A');
	ck_assert((page->pairs != NULL) ==
		  (page->name[0] == 'c' && page->name[2] == '9'));
	ck_assert_uint_eq(
	    bytes < 256 ? page->single[bytes] : page->pairs[bytes],
	    letters[_i].code);
	codepage_free(page);
}
END_TEST

static const char *const no_codepages[] = {"", "utf-8", "UTF-16", "ascii//",
    "windows-1259", "WINDOWS-1252", "iso-8859-12", "euc-jp", "iso-2022-jp"};

START_TEST(other_names_are_no_code_pages)
{
	ck_assert_ptr_null(codepage_load(no_codepages[_i]));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("settings");
	TCase *files = tcase_create("files");
	TCase *zones = tcase_create("zones");
	TCase *codepages = tcase_create("codepages");

	tcase_add_test(files, errors_name_the_file_and_the_place);
	tcase_add_test(files, zones_and_code_pages_are_loaded_once);
	tcase_add_test(files, a_file_is_read_whole);
	tcase_add_test(files, too_large_a_file_is_refused);
	tcase_add_test(files, what_is_no_file_is_an_error);
	suite_add_tcase(s, files);

	tcase_add_test(zones, zones_come_from_the_systems_files);
	tcase_add_loop_test(
	    zones, other_names_are_no_zones, 0, COUNT_OF(no_zones));
	tcase_add_test(zones, tzdir_names_another_directory);
	suite_add_tcase(s, zones);

	tcase_add_loop_test(
	    codepages, code_pages_know_their_letters, 0, COUNT_OF(letters));
	tcase_add_loop_test(codepages, other_names_are_no_code_pages, 0,
	    COUNT_OF(no_codepages));
	suite_add_tcase(s, codepages);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
