/*
 * run - what every test program of Check ends with.
 */
#ifndef SEPMLOG_TEST_RUN_H
#define SEPMLOG_TEST_RUN_H

#include <check.h>
#include <stdlib.h>

/* Runs and frees the suite; the exit status of the program. */
static inline int
run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
