#include <criterion/criterion.h>

#include <string.h>

#include "lib/base/result.h"

Test(result, every_row_is_whole_and_found_by_its_name)
{
    for (int r = 0; r < R_COUNT; r++) {
        const char *name = result_name((enum result)r);
        cr_expect(strlen(name) > 0 && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == strlen(name),
                  "%s: a name is one word, as it stands in logs and in SQL", name);
        cr_expect_eq((int)result_from_name(name), r, "%s: names are unique", name);
        cr_expect_eq((int)result_from_number((unsigned long)r), r, "%s: numbers go over the socket", name);
        const char *sentence = result_sentence((enum result)r);
        cr_expect(sentence[strlen(sentence) - 1] == '.', "%s: a sentence ends in a full stop", name);
        cr_expect(result_http((enum result)r) >= 200 && result_http((enum result)r) < 600, "%s", name);
        enum fail_info fail = result_fail_info((enum result)r);
        cr_expect(fail >= FAIL_NONE && fail <= FAIL_BAD_CERT_ID, "%s", name);
    }
    cr_expect_eq(R_OK, 0);
}

Test(result, what_is_not_known_is_internal)
{
    static const struct { const char *name, *why; } names[] = {
        {"", "an empty text is no name"},
        {"success", "names are compared exactly"},
        {"Success ", "nothing follows a name"},
        {"relation \"x\" does not exist", "the database raised something of its own"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_expect_eq(result_from_name(names[i].name), R_INTERNAL, "%s", names[i].why);
    cr_expect_eq(result_from_number(R_COUNT), R_INTERNAL, "the first number that is none");
    cr_expect_eq(result_from_number(0x100000000UL), R_INTERNAL, "a number that would be 0 if it were cut to 32 bits");
    cr_expect_str_eq(result_name((enum result)-1), "Internal", "a value outside the enum reads no memory outside the table");
    cr_expect_str_eq(result_name((enum result)R_COUNT), "Internal");
}

Test(result, retry_is_advised_where_nobody_has_to_change_anything)
{
    static const struct { enum result r; int retry; const char *why; } cases[] = {
        {R_OK, 0, "there is nothing to repeat"},
        {R_UNAVAILABLE, 1, "a signer that restarts is back soon"},
        {R_OUTCOME_UNKNOWN, 1, "the authorization settles the second request"},
        {R_NO_MEMORY, 1, "memory comes back"},
        {R_BAD_INPUT, 0, "the same input stays bad"},
        {R_CHALLENGE_EXPIRED, 0, "a new challenge is needed"},
        {R_CA_PAUSED, 0, "an administrator resumes it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(result_is_retryable(cases[i].r), cases[i].retry, "%s: %s", result_name(cases[i].r), cases[i].why);
}
