#include "lib/service/retry.h"

#include <criterion/criterion.h>

#include <stdio.h>

static struct retry table;

static void teardown(void)
{
    retry_free(&table);
}

TestSuite(retry, .fini = teardown);

Test(retry, waits_grow_and_news_are_told_once)
{
    static const struct { const char *reason; int most_ms, wait_ms; bool news; const char *why; } cases[] = {
        {"full", 60000, 1000, true, "the first failure"},
        {"full", 60000, 2000, false, "the same again"},
        {"full", 60000, 4000, false, "and again"},
        {"away", 60000, 8000, true, "another reason"},
        {"away", 5000, 5000, false, "the limit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int wait_ms = 0;
        cr_expect_eq(retry_failed(&table, "a", cases[i].reason, cases[i].most_ms, &wait_ms), cases[i].news, "%s", cases[i].why);
        cr_expect_eq(wait_ms, cases[i].wait_ms, "%s", cases[i].why);
        cr_expect_not(retry_due(&table, "a"), "%s", cases[i].why);
    }
    cr_expect(retry_done(&table, "a"), "a failure stood");
    cr_expect(retry_due(&table, "a"));
    cr_expect_not(retry_done(&table, "a"), "it is forgotten");
}

Test(retry, names_do_not_meet)
{
    char name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "build %d", i);
        cr_expect(retry_due(&table, name), "%s", name);
        cr_expect(retry_failed(&table, name, "full", 60000, NULL), "%s", name);
    }
    cr_expect_eq(table.count, 100);
    for (int i = 0; i < 100; i += 2) {
        snprintf(name, sizeof name, "build %d", i);
        cr_expect(retry_done(&table, name), "%s", name);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "build %d", i);
        cr_expect_eq(retry_due(&table, name), i % 2 == 0, "%s", name);
    }
}
