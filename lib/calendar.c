#include "calendar.h"

/*
 * Years are counted from March here. The leap day is then the last of its
 * year, so that months begin at the same place in all of them, and their
 * lengths from March on (31 30 31 30 31, again, 31 28) are a straight line of
 * 153 days in five months.
 */
enum {
	YEAR_DAYS = 365,
	FOUR_YEARS = 4 * YEAR_DAYS + 1,
	CENTURY = 25 * FOUR_YEARS - 1,
	EPOCH = 719468, /* 1970-01-01, from 0000-03-01 */
};

bool
calendar_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int
calendar_month_days(int64_t year, int month)
{
	static const signed char days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && calendar_leap(year));
}

int64_t
calendar_day(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t cycle = calendar_floor(y, 400);
	int m = month > 2 ? month - 3 : month + 9;

	y -= cycle * 400;
	return cycle * CALENDAR_CYCLE_DAYS + y * YEAR_DAYS + y / 4 - y / 100 +
	       (153 * m + 2) / 5 + day - 1 - EPOCH;
}

void
calendar_date(int64_t number, int64_t *year, int *month, int *day)
{
	int64_t cycle = calendar_floor(number + EPOCH, CALENDAR_CYCLE_DAYS);
	int rest = (int)(number + EPOCH - cycle * CALENDAR_CYCLE_DAYS);
	/* Without the leap days before it, a day's year is a division. */
	int y = (rest - rest / (FOUR_YEARS - 1) + rest / CENTURY -
		    rest / (CALENDAR_CYCLE_DAYS - 1)) /
		YEAR_DAYS;
	int m;

	rest -= y * YEAR_DAYS + y / 4 - y / 100;
	m = (5 * rest + 2) / 153;
	*day = rest - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = cycle * 400 + y + (m >= 10);
}

int
calendar_weekday(int64_t number)
{
	int64_t from_sunday = number + 4;

	return (int)(from_sunday - calendar_floor(from_sunday, 7) * 7);
}
