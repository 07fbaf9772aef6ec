/*
 * Every operation against a loop over the bytes. Built twice, for the machine's
 * own instructions and for plain C (SEPMLOG_PORTABLE).
 */
#include "block.h"

#include <stdlib.h>

#include "guard.h"
#include "run.h"

enum { LONGEST = 5 * BLOCK };

/* ck_assert tells the runner of each success, which takes far longer. */
#define EXPECT(condition)                                                      \
	do {                                                                   \
		if (!(condition))                                              \
			ck_abort_msg("%s", #condition);                        \
	} while (0)

static struct guard guard;
static char random_bytes[BLOCK * 256];

static void
setup(void)
{
	guard_open(&guard, (size_t)sysconf(_SC_PAGESIZE)); /* and one more */
	srandom(20240630);
	for (size_t i = 0; i < sizeof(random_bytes); i++)
		random_bytes[i] = (char)random();
}

static void
teardown(void)
{
	guard_close(&guard);
}

/* Blocks that hold every byte at every place, and random ones. */
static const char *
sample(int i, char out[BLOCK])
{
	memcpy(
	    out, random_bytes + i * BLOCK % (int)sizeof(random_bytes), BLOCK);
	out[i / 256 % BLOCK] = (char)i;
	return out;
}

enum { SAMPLES = 256 * BLOCK };

static unsigned
mask_where(const char *p, unsigned char low, unsigned char high)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < BLOCK; i++)
		mask |= (unsigned)((unsigned char)p[i] >= low &&
				   (unsigned char)p[i] <= high)
			<< i;
	return mask;
}

START_TEST(comparisons_are_those_of_bytes)
{
	static const unsigned char edges[] = {
	    0, 1, 0x1f, 0x20, '0', '9', 'A', 'Z', 0x7f, 0x80, 0xc2, 0xfe, 0xff};
	char p[BLOCK];

	for (int i = 0; i < SAMPLES; i++) {
		block16 b = block_load(sample(i, p));

		for (size_t k = 0; k < sizeof(edges); k++) {
			unsigned char low = edges[k];

			EXPECT(block_mask(block_equal(b, low)) ==
			       mask_where(p, low, low));
			for (size_t m = k; m < sizeof(edges); m++)
				EXPECT(block_mask(
					   block_between(b, low, edges[m])) ==
				       mask_where(p, low, edges[m]));
		}
		EXPECT(block_mask(b) == mask_where(p, 0x80, 0xff));
	}
}
END_TEST

START_TEST(two_blocks_are_compared_and_joined)
{
	char p[BLOCK], q[BLOCK], out[BLOCK];

	for (int i = 0; i < SAMPLES; i++) {
		block16 a = block_load(sample(i, p));
		block16 b = block_load(sample(i * 7 + 1, q));
		unsigned same = 0;

		for (unsigned k = 0; k < BLOCK; k++)
			same |= (unsigned)(p[k] == q[k]) << k;
		EXPECT(block_mask(block_same(a, b)) == same);
		block_store(out, block_or(a, b));
		for (unsigned k = 0; k < BLOCK; k++)
			EXPECT(out[k] == (char)(p[k] | q[k]));
		block_store(out, block_and(a, b));
		for (unsigned k = 0; k < BLOCK; k++)
			EXPECT(out[k] == (char)(p[k] & q[k]));
		block_store(out, block_fill((unsigned char)p[0]));
		for (unsigned k = 0; k < BLOCK; k++)
			EXPECT(out[k] == p[0]);
		block_store(out, block_lower(a));
		for (unsigned k = 0; k < BLOCK; k++)
			EXPECT(out[k] ==
			       (p[k] >= 'A' && p[k] <= 'Z' ? p[k] + 32 : p[k]));
	}
}
END_TEST

/*
 * Places for n bytes: up to before the unreadable page, and up to around the
 * end of the page before, where more can be read that must not count.
 */
enum { PLACES = 4 * BLOCK };

static char *
place(size_t n, size_t i)
{
	char *end = i < 2 * BLOCK ? guard.base + guard.room
				  : guard.base + guard.page + 3 * BLOCK;

	return end - i - n;
}

START_TEST(a_part_is_loaded_up_to_the_end_of_a_page)
{
	char out[BLOCK];

	memset(guard.base, ',', guard.room);
	for (size_t n = 0; n <= BLOCK; n++)
		for (size_t i = 0; i < PLACES; i++) {
			char *p = place(n, i);

			memcpy(p, random_bytes + i, n);
			block_store(out, block_load_part(p, n));
			EXPECT(memcmp(out, random_bytes + i, n) == 0);
			EXPECT(block_until(n) == (1U << n) - 1);
		}
}
END_TEST

START_TEST(a_byte_is_found_wherever_it_is)
{
	memset(guard.base, ',', guard.room);
	for (size_t n = 0; n < LONGEST; n++)
		for (size_t i = 0; i < PLACES; i++) {
			char *p = place(n, i);

			memset(p, '.', n);
			/* the last one first: all but the first count not */
			for (size_t at = n + 1; at-- > 0;) {
				if (at < n)
					p[at] = ',';
				EXPECT(block_find(p, n, ',') == at);
			}
		}
}
END_TEST

START_TEST(any_difference_is_seen)
{
	char q[LONGEST + BLOCK];

	memset(guard.base, 0x55, guard.room);
	for (size_t n = 0; n < LONGEST; n++)
		for (size_t i = 0; i < PLACES; i++) {
			char *p = place(n, i);

			memset(q, 0x2a, sizeof(q));
			memcpy(p, random_bytes + i, n);
			memcpy(q, random_bytes + i, n);
			EXPECT(block_compare(p, q, n));
			EXPECT(block_compare(q, p, n));
			for (size_t at = 0; at < n; at++) {
				q[at] ^= 1 << at % 8;
				EXPECT(!block_compare(p, q, n));
				EXPECT(!block_compare(q, p, n));
				q[at] ^= 1 << at % 8;
			}
			memset(p, 0x55, n);
		}
}
END_TEST

START_TEST(copies_are_whole)
{
	char out[LONGEST + 2 * BLOCK];

	for (size_t n = 0; n <= LONGEST; n++)
		for (size_t i = 0; i < PLACES; i++) {
			char *p = place(n, i);

			memcpy(p, random_bytes + i, n);
			memset(out, 0x2a, sizeof(out));
			EXPECT(block_copy(p, n, out) == out + n);
			EXPECT(memcmp(out, random_bytes + i, n) == 0);
			for (size_t k = n + BLOCK; k < sizeof(out); k++)
				EXPECT(out[k] == 0x2a);
		}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("block");
	TCase *tc = tcase_create("operations");

	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_add_test(tc, comparisons_are_those_of_bytes);
	tcase_add_test(tc, two_blocks_are_compared_and_joined);
	tcase_add_test(tc, a_part_is_loaded_up_to_the_end_of_a_page);
	tcase_add_test(tc, a_byte_is_found_wherever_it_is);
	tcase_add_test(tc, any_difference_is_seen);
	tcase_add_test(tc, copies_are_whole);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
