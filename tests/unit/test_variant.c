#include <criterion/criterion.h>

#include "lib/policy/variant.h"

Test(variant, words)
{
    static const struct { const char *text; enum result result; struct variant variant; const char *again, *why; } cases[] = {
        {"", R_OK, {0}, "", "none"},
        {NULL, R_OK, {0}, "", "none"},
        {"modern", R_OK, {.capabilities = CAPABILITIES_MODERN}, "modern", "one word"},
        {"apple", R_OK, {.capabilities = CAPABILITIES_APPLE}, "apple", "one word"},
        {"lenient", R_OK, {.lenient = true}, "lenient", "one word"},
        {"lenient-ra", R_OK, {.ca_chain = CA_CHAIN_RA, .lenient = true}, "ra-lenient", "any order, written in one"},
        {"legacy-issuer-withchain", R_OK, {CAPABILITIES_LEGACY, CA_CHAIN_ISSUER, REPLY_CHAIN_FULL, false}, "legacy-issuer-withchain", "three groups"},
        {"legacy-issuer-withissuer-lenient", R_OK, {CAPABILITIES_LEGACY, CA_CHAIN_ISSUER, REPLY_CHAIN_ISSUER, true},
         "legacy-issuer-withissuer-lenient", "the longest"},
        {"modern-legacy", R_BAD_INPUT, {0}, NULL, "a group twice"},
        {"lenient-lenient", R_BAD_INPUT, {0}, NULL, "a word twice"},
        {"windows", R_BAD_INPUT, {0}, NULL, "an unknown word"},
        {"Modern", R_BAD_INPUT, {0}, NULL, "upper case"},
        {"modern-", R_BAD_INPUT, {0}, NULL, "an empty word at the end"},
        {"-modern", R_BAD_INPUT, {0}, NULL, "an empty word at the beginning"},
        {"modern--ra", R_BAD_INPUT, {0}, NULL, "an empty word between"},
        {"-", R_BAD_INPUT, {0}, NULL, "empty words"},
        {"modern ra", R_BAD_INPUT, {0}, NULL, "a blank"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct variant v = {77, 77, 77, true};
        char text[VARIANT_SIZE];
        cr_assert_eq(variant_from_text(cases[i].text, &v), cases[i].result, "%s: %s", cases[i].why, cases[i].text);
        if (cases[i].result != R_OK) {
            cr_assert_eq(v.capabilities, 77, "%s: written although refused", cases[i].why);
            continue;
        }
        const struct variant *w = &cases[i].variant;
        cr_assert(v.capabilities == w->capabilities && v.ca_chain == w->ca_chain && v.reply_chain == w->reply_chain && v.lenient == w->lenient,
                  "%s: %s", cases[i].why, cases[i].text);
        variant_to_text(&v, text);
        cr_assert_str_eq(text, cases[i].again, "%s", cases[i].why);
    }
}
