#include <criterion/criterion.h>

#include <limits.h>
#include <string.h>

#include "lib/base/clock.h"

static int64_t at(const char *iso)
{
    int64_t t = 0;
    cr_assert_eq(clock_from_iso(iso, &t), R_OK, "%s", iso);
    return t;
}

static void expect_time(int64_t t, const char *iso, const char *why)
{
    char text[CLOCK_ISO_SIZE];
    clock_to_iso(t, text);
    cr_expect_str_eq(text, iso, "%s", why);
}

Test(clock, calendar)
{
    static const struct { int64_t t; const char *iso, *why; } cases[] = {
        {0, "1970-01-01T00:00:00Z", "the epoch"},
        {-1, "1969-12-31T23:59:59Z", "before the epoch"},
        {951782400, "2000-02-29T00:00:00Z", "2000 is a leap year"},
        {951868799, "2000-02-29T23:59:59Z", "its leap day's last second"},
        {4107542400, "2100-03-01T00:00:00Z", "2100 is not"},
        {1709164800, "2024-02-29T00:00:00Z", "2024 is"},
        {2147483648, "2038-01-19T03:14:08Z", "beyond 32 bits"},
        {2524607999, "2049-12-31T23:59:59Z", "the last UTCTime"},
        {2524608000, "2050-01-01T00:00:00Z", "the first GeneralizedTime"},
        {253402300799, "9999-12-31T23:59:59Z", "no end (RFC 5280 section 4.1.2.5)"},
        {-62167219200, "0000-01-01T00:00:00Z", "the first that four digits write"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_time(cases[i].t, cases[i].iso, cases[i].why);
        cr_expect_eq(at(cases[i].iso), cases[i].t, "%s: read back", cases[i].why);
    }
    expect_time(253402300800, "9999-12-31T23:59:59Z", "what four digits cannot write is written as their end");
    expect_time(INT64_MIN, "0000-01-01T00:00:00Z", "or their beginning");
}

Test(clock, every_day_of_800_years_comes_back)
{
    int64_t t = at("1600-01-01");
    struct clock_date last = {1599, 12, 31, 0, 0, 0};
    for (int i = 0; i < 292194; i++, t += 86400) {
        struct clock_date d;
        clock_to_date(t, &d);
        cr_assert_eq(clock_from_date(&d), t);
        cr_assert(d.day == last.day + 1 || (d.day == 1 && last.day >= 28), "days follow each other");
        last = d;
    }
    expect_time(t, "2400-01-01T00:00:00Z", "800 years have 292194 days");
}

Test(clock, reads_its_own_form_and_a_date)
{
    static const struct { const char *text; bool good; const char *why; } cases[] = {
        {"2026-11-22", true, "a date is its midnight"},
        {"2024-02-29", true, "a leap day"},
        {"2023-02-29", false, "no leap day"},
        {"1900-02-29", false, "1900 was no leap year"},
        {"2026-13-01", false, "month 13"},
        {"2026-00-01", false, "month 0"},
        {"2026-01-00", false, "day 0"},
        {"2026-04-31", false, "April has 30 days"},
        {"2026-11-22T24:00:00Z", false, "hour 24"},
        {"2026-11-22T23:60:00Z", false, "minute 60"},
        {"2026-11-22T23:59:60Z", false, "a leap second"},
        {"2026-11-22T23:59:59", false, "no zone"},
        {"2026-11-22T23:59:59+00:00", false, "another spelling of the zone"},
        {"2026-11-22 23:59:59Z", false, "a space for the T"},
        {"2026-11-22T23:59:59z", false, "a small z"},
        {"2026-1-22", false, "one digit"},
        {"2026-11-22T", false, "cut"},
        {"+026-11-22", false, "a sign"},
        {"", false, "nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t = 77;
        enum result r = clock_from_iso(cases[i].text, &t);
        cr_expect_eq(r, cases[i].good ? R_OK : R_BAD_INPUT, "\"%s\": %s", cases[i].text, cases[i].why);
        cr_expect(cases[i].good || t == 77, "\"%s\": a refusal leaves the time alone", cases[i].text);
    }
    cr_expect_eq(at("2026-11-22"), at("2026-11-22T00:00:00Z"));
}

Test(clock, years_and_months_later)
{
    static const struct { const char *from; int years, months; const char *to, *why; } cases[] = {
        {"2026-11-22T15:04:05Z", 5, 0, "2031-11-22T15:04:05Z", "the same day"},
        {"2024-02-29T12:00:00Z", 1, 0, "2025-02-28T12:00:00Z", "no leap day in that year"},
        {"2024-02-29T12:00:00Z", 4, 0, "2028-02-29T12:00:00Z", "a leap day in that year"},
        {"2096-02-29T00:00:00Z", 4, 0, "2100-02-28T00:00:00Z", "2100 has none"},
        {"2026-11-22T00:00:00Z", -27, 0, "1999-11-22T00:00:00Z", "backwards"},
        {"2026-01-31T00:00:00Z", 0, 1, "2026-02-28T00:00:00Z", "the 31st goes to the last day"},
        {"2024-01-31T00:00:00Z", 0, 1, "2024-02-29T00:00:00Z", "which may be the leap day"},
        {"2026-03-31T00:00:00Z", 0, 1, "2026-04-30T00:00:00Z", "or the 30th"},
        {"2026-12-15T00:00:00Z", 0, 1, "2027-01-15T00:00:00Z", "into the next year"},
        {"2026-01-15T00:00:00Z", 0, -1, "2025-12-15T00:00:00Z", "into the last"},
        {"2026-11-22T00:00:00Z", 0, 24, "2028-11-22T00:00:00Z", "two years of months"},
        {"2026-11-22T00:00:00Z", 0, 0, "2026-11-22T00:00:00Z", "not at all"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t = at(cases[i].from);
        expect_time(cases[i].years ? clock_add_years(t, cases[i].years) : clock_add_months(t, cases[i].months), cases[i].to,
                    cases[i].why);
    }
}

Test(clock, month_number_and_deadline)
{
    cr_expect_eq(clock_month_number(at("0000-01-01")), 0);
    cr_expect_eq(clock_month_number(at("2026-11-30T23:59:59Z")), 2026 * 12 + 10);
    cr_expect_eq(clock_month_number(at("2026-12-01")), 2026 * 12 + 11);
    cr_expect_eq(clock_month_number(at("5461-04-01")), 65535, "the last month of 16 bits");
    cr_expect_eq(clock_month_number(at("9999-12-31")), 65535, "all later ones are counted as it");

    int64_t now = clock_monotonic_ms();
    cr_expect_eq(clock_left_ms(now - 1), 0, "past");
    cr_expect_eq(clock_left_ms(INT64_MIN), 0, "long past");
    cr_expect_eq(clock_left_ms(INT64_MAX), INT_MAX, "poll takes an int");
    int left = clock_left_ms(now + 60000);
    cr_expect(left > 0 && left <= 60000);
    int64_t ms = clock_wall_ms();
    cr_expect(clock_wall() >= ms / 1000 && ms > at("2020-01-01") * 1000);
}
