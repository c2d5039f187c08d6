/*
 * tap: a line for each check, for small programs that test against a real server.
 */
#ifndef CHANCERY_TESTS_FLOW_TAP_H
#define CHANCERY_TESTS_FLOW_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3))) static inline bool tap_ok(bool ok, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("%sok %d - ", ok ? "" : "not ", ++tap_count);
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
    tap_failed += !ok;
    return ok;
}

static inline int tap_end(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed == 0 ? 0 : 1;
}

#endif
