#include "lib/base/clock.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define DAY 86400
/* What four digits of a year can write. */
#define ISO_FIRST INT64_C(-62167219200)     /* 0000-01-01T00:00:00Z */
#define ISO_LAST INT64_C(253402300799)      /* 9999-12-31T23:59:59Z, RFC 5280's "no end" */

static int64_t clock_ms(clockid_t which)
{
    struct timespec t = {0};
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Not time(): it lags behind by up to a tick of the kernel, and the two would differ at each turn of a second. */
int64_t clock_wall(void) { return clock_ms(CLOCK_REALTIME) / 1000; }
int64_t clock_wall_ms(void) { return clock_ms(CLOCK_REALTIME); }
int64_t clock_monotonic_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

int clock_left_ms(int64_t deadline_ms)
{
    int64_t now = clock_monotonic_ms();
    if (deadline_ms <= now)
        return 0;
    return deadline_ms - now > INT_MAX ? INT_MAX : (int)(deadline_ms - now);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 and back, in the proleptic Gregorian calendar. The year is counted from March, so that the leap
 * day is its last; an era is the 400 years after which the calendar repeats. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void clock_to_date(int64_t t, struct clock_date *d)
{
    int64_t days = floor_div(t, DAY), seconds = t - days * DAY;
    days += 719468;
    int64_t era = floor_div(days, 146097), day = days - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t march_month = (5 * of_year + 2) / 153;
    d->day = (int)(of_year - (153 * march_month + 2) / 5 + 1);
    d->month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    d->year = (int)(year + era * 400 + (d->month <= 2));
    d->hour = (int)(seconds / 3600);
    d->minute = (int)(seconds / 60 % 60);
    d->second = (int)(seconds % 60);
}

int64_t clock_from_date(const struct clock_date *d)
{
    return days_from_date(d->year, d->month, d->day) * DAY + d->hour * 3600 + d->minute * 60 + d->second;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int64_t clock_add_months(int64_t t, int months)
{
    struct clock_date d;
    clock_to_date(t, &d);
    int64_t count = (int64_t)d.year * 12 + d.month - 1 + months;
    d.year = (int)floor_div(count, 12);
    d.month = (int)(count - (int64_t)d.year * 12) + 1;
    int last = month_days(d.year, d.month);
    if (d.day > last)
        d.day = last;
    return clock_from_date(&d);
}

int64_t clock_add_years(int64_t t, int years)
{
    struct clock_date d;
    clock_to_date(t, &d);
    d.year += years;
    if (d.day > month_days(d.year, d.month))
        d.day = month_days(d.year, d.month);
    return clock_from_date(&d);
}

static char *digits_put(char *out, int width, int value, char after)
{
    for (int i = width; i > 0; value /= 10)
        out[--i] = (char)('0' + value % 10);
    out[width] = after;
    return out + width + 1;
}

void clock_to_iso(int64_t t, char out[CLOCK_ISO_SIZE])
{
    struct clock_date d;
    clock_to_date(t < ISO_FIRST ? ISO_FIRST : t > ISO_LAST ? ISO_LAST : t, &d);
    out = digits_put(out, 4, d.year, '-');
    out = digits_put(out, 2, d.month, '-');
    out = digits_put(out, 2, d.day, 'T');
    out = digits_put(out, 2, d.hour, ':');
    out = digits_put(out, 2, d.minute, ':');
    out = digits_put(out, 2, d.second, 'Z');
    *out = '\0';
}

/* Reads as many digits as form has "0", and every other character of form as itself; values in the order they stand. */
static bool digits_get(const char *s, const char *form, int *values)
{
    for (int at = 0;; s++, form++) {
        if (*form == '\0')
            return *s == '\0';
        if (*form != '0') {
            if (*s != *form)
                return false;
            at++;
            continue;
        }
        if (*s < '0' || *s > '9')
            return false;
        values[at] = values[at] * 10 + (*s - '0');
    }
}

enum result clock_from_iso(const char *s, int64_t *t)
{
    int v[7] = {0};
    const char *form = strlen(s) == 10 ? "0000-00-00" : "0000-00-00T00:00:00Z";
    if (!digits_get(s, form, v))
        return R_BAD_INPUT;
    struct clock_date d = {v[0], v[1], v[2], v[3], v[4], v[5]};
    if (d.month < 1 || d.month > 12 || d.day < 1 || d.day > month_days(d.year, d.month))
        return R_BAD_INPUT;
    if (d.hour > 23 || d.minute > 59 || d.second > 59)
        return R_BAD_INPUT;
    *t = clock_from_date(&d);
    return R_OK;
}

uint16_t clock_month_number(int64_t t)
{
    struct clock_date d;
    clock_to_date(t < ISO_FIRST ? ISO_FIRST : t > ISO_LAST ? ISO_LAST : t, &d);
    int number = d.year * 12 + d.month - 1;
    return number > UINT16_MAX ? UINT16_MAX : (uint16_t)number;
}
