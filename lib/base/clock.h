/*
 * clock: wall time, monotonic time, calendar arithmetic.
 *
 * Wall times are int64_t seconds since 1970-01-01 UTC; nothing here knows a time zone. Programs take the time of a
 * decision from the database (DESIGN 2.10); clock_wall is for logs and for comparing.
 */
#ifndef CHANCERY_BASE_CLOCK_H
#define CHANCERY_BASE_CLOCK_H

#include <stdint.h>

#include "lib/base/result.h"

int64_t clock_wall(void);               /* seconds */
int64_t clock_wall_ms(void);
int64_t clock_monotonic_ms(void);
/* Milliseconds left until the monotonic deadline, 0 when past; fits poll(2). */
int clock_left_ms(int64_t deadline_ms);

struct clock_date { int year, month, day, hour, minute, second; };   /* month and day from 1 */
void clock_to_date(int64_t t, struct clock_date *d);
int64_t clock_from_date(const struct clock_date *d);                  /* fields must be in range */
/* The same day and time so many years or months later; 29 February and the 31st go to the last day of the month. */
int64_t clock_add_years(int64_t t, int years);
int64_t clock_add_months(int64_t t, int months);
#define CLOCK_ISO_SIZE 21
void clock_to_iso(int64_t t, char out[CLOCK_ISO_SIZE]);              /* 2026-11-22T15:04:05Z */
enum result clock_from_iso(const char *s, int64_t *t);               /* that form, or a date alone (midnight) */
/* Months since January of year 0: the partition month in a serial number (16 bits, good to the year 5461). */
uint16_t clock_month_number(int64_t t);

#endif
