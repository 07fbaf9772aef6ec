/*
 * calendar - dates of the Gregorian calendar as counts of days.
 *
 * Plain arithmetic without tables of years, good for every year that fits.
 * Day 0 is 1970-01-01, a Thursday. 400 years are 146097 days, whole weeks.
 */
#ifndef SEPMLOG_CALENDAR_H
#define SEPMLOG_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CALENDAR_DAY = 86400,         /* seconds */
	CALENDAR_CYCLE_DAYS = 146097, /* after which all dates repeat */
};

bool calendar_leap(int64_t year);
/* Days of a month 1-12. */
int calendar_month_days(int64_t year, int month);
/* Day number of a date; month 1-12, any day of the month. */
int64_t calendar_day(int64_t year, int month, int day);
/* The date of a day number. */
void calendar_date(int64_t number, int64_t *year, int *month, int *day);
/* 0 Sunday to 6 Saturday. */
int calendar_weekday(int64_t number);

/* The quotient rounded down, for a positive divisor. */
static inline int64_t
calendar_floor(int64_t n, int64_t divisor)
{
	int64_t q = n / divisor;

	return n % divisor < 0 ? q - 1 : q;
}

#endif
