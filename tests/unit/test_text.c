#include <criterion/criterion.h>

#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/text.h"

Test(text, utf8)
{
    static const struct { const char *p; size_t n; bool utf8, printable; const char *why; } cases[] = {
        {"", 0, true, true, "nothing"},
        {"plain", 5, true, true, "ASCII"},
        {"a\0b", 3, false, false, "NUL inside"},
        {"\t", 1, true, false, "tab is a control character"},
        {"a\nb", 3, true, false, "so is a line feed"},
        {"\x7F", 1, true, false, "DEL"},
        {"\xC2\x85", 2, true, false, "C1: next line"},
        {"\xC2\x9F", 2, true, false, "C1: the last"},
        {"\xC2\xA0", 2, true, true, "the first behind C1"},
        {"\xE2\x80\xA8", 3, true, false, "line separator"},
        {"\xE2\x80\xA9", 3, true, false, "paragraph separator"},
        {"\xDF\xBF", 2, true, true, "the last of two bytes"},
        {"\xE0\xA0\x80", 3, true, true, "the first of three bytes"},
        {"\xED\x9F\xBF", 3, true, true, "the last before the surrogates"},
        {"\xEE\x80\x80", 3, true, true, "the first behind the surrogates"},
        {"\xEF\xBF\xBF", 3, true, true, "the last of three bytes"},
        {"\xF0\x90\x80\x80", 4, true, true, "the first of four bytes"},
        {"\xF4\x8F\xBF\xBF", 4, true, true, "the last of all"},
        {"\x80", 1, false, false, "a continuation alone"},
        {"\xC3", 1, false, false, "cut after the first byte"},
        {"\xE2\x82", 2, false, false, "cut after the second"},
        {"\xF0\x9F\x92", 3, false, false, "cut after the third"},
        {"\xC3(", 2, false, false, "no continuation where one belongs"},
        {"\xE2\x28\xA1", 3, false, false, "the same in the middle"},
        {"\xC0\x80", 2, false, false, "overlong NUL"},
        {"\xC1\xBF", 2, false, false, "overlong DEL"},
        {"\xE0\x9F\xBF", 3, false, false, "overlong in three bytes"},
        {"\xF0\x8F\xBF\xBF", 4, false, false, "overlong in four bytes"},
        {"\xED\xA0\x80", 3, false, false, "a high surrogate"},
        {"\xED\xBF\xBF", 3, false, false, "a low surrogate"},
        {"\xF4\x90\x80\x80", 4, false, false, "above U+10FFFF"},
        {"\xF5\x80\x80\x80", 4, false, false, "no such first byte"},
        {"\xF8\x88\x80\x80\x80", 5, false, false, "five bytes"},
        {"\xFF", 1, false, false, "never a byte of UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* A copy of the exact size, so that a read behind the end is seen. */
        uint8_t *p = malloc(cases[i].n ? cases[i].n : 1);
        memcpy(p, cases[i].p, cases[i].n);
        cr_expect_eq(text_is_utf8(p, cases[i].n), cases[i].utf8, "%s", cases[i].why);
        cr_expect_eq(text_is_printable(p, cases[i].n), cases[i].printable, "%s (printable)", cases[i].why);
        free(p);
    }
    cr_expect_eq(text_length("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x92\xA9"), 4, "code points, not bytes");
}

Test(text, oid)
{
    static const struct { const char *text; bool good; const char *why; } cases[] = {
        {"1.3.6.1.5.5.7.3.2", true, "client authentication"},
        {"2.5.29.37.0", true, "any purpose"},
        {"0.0", true, "the least"},
        {"0.39", true, "the last under 0"},
        {"1.39", true, "the last under 1"},
        {"2.999.1", true, "under 2 the second arc may be large"},
        {"2.25.329800735698586629295641978511506172918", true, "a UUID"},
        {"1.40", false, "none under 1"},
        {"0.40.1", false, "none under 0"},
        {"3.1", false, "no such first arc"},
        {"10.1", false, "nor this"},
        {"1", false, "one arc"},
        {"", false, "nothing"},
        {".1.2", false, "an empty first arc"},
        {"1..2", false, "an empty arc"},
        {"1.2.", false, "an empty last arc"},
        {"1.02", false, "a leading zero"},
        {"01.2", false, "a leading zero at the front"},
        {"1.2.-3", false, "a sign"},
        {"1.2 ", false, "white space"},
        {"1.2.clientAuth", false, "a word"},
        {"1.18446744073709551617", false, "an arc that is 1 when it wraps is still too large"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(text_is_oid(cases[i].text), cases[i].good, "\"%s\": %s", cases[i].text, cases[i].why);
    char longest[LIMIT_OID + 2] = "1.2.";
    memset(longest + 4, '3', LIMIT_OID - 4);
    cr_expect(text_is_oid(longest), "exactly the limit");
    longest[LIMIT_OID] = '3';
    cr_expect_not(text_is_oid(longest), "one more");
}

Test(text, number)
{
    static const struct { const char *text; int64_t min, max; enum result r; int64_t value; const char *why; } cases[] = {
        {"0", 0, 10, R_OK, 0, "the least"},
        {"10", 0, 10, R_OK, 10, "the most"},
        {"11", 0, 10, R_BAD_INPUT, 0, "one more"},
        {"-1", 0, 10, R_BAD_INPUT, 0, "one less"},
        {"-5", -5, 5, R_OK, -5, "negative"},
        {"007", 0, 10, R_OK, 7, "leading zeros are decimal, not octal"},
        {"9223372036854775807", INT64_MIN, INT64_MAX, R_OK, INT64_MAX, "the largest"},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, R_OK, INT64_MIN, "the smallest"},
        {"9223372036854775808", INT64_MIN, INT64_MAX, R_BAD_INPUT, 0, "one above the largest"},
        {"-9223372036854775809", INT64_MIN, INT64_MAX, R_BAD_INPUT, 0, "one below the smallest"},
        {"18446744073709551617", 0, 10, R_BAD_INPUT, 0, "1 when it wraps"},
        {"", 0, 10, R_BAD_INPUT, 0, "nothing"},
        {"-", -5, 5, R_BAD_INPUT, 0, "a sign alone"},
        {"+1", 0, 10, R_BAD_INPUT, 0, "a plus sign"},
        {"--1", -5, 5, R_BAD_INPUT, 0, "two signs"},
        {" 1", 0, 10, R_BAD_INPUT, 0, "white space before"},
        {"1 ", 0, 10, R_BAD_INPUT, 0, "white space after"},
        {"1x", 0, 10, R_BAD_INPUT, 0, "a letter after"},
        {"0x1", 0, 10, R_BAD_INPUT, 0, "hexadecimal"},
        {"1.0", 0, 10, R_BAD_INPUT, 0, "not whole"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 77;
        cr_expect_eq(text_to_number(cases[i].text, cases[i].min, cases[i].max, &value), cases[i].r, "\"%s\": %s", cases[i].text,
                     cases[i].why);
        cr_expect_eq(value, cases[i].r == R_OK ? cases[i].value : 77, "\"%s\": %s", cases[i].text, cases[i].why);
    }
}

Test(text, comparison)
{
    static const struct { const char *a, *b; bool nocase, name; const char *why; } cases[] = {
        {"abc", "ABC", true, true, "case"},
        {"abc", "abcd", false, false, "a prefix"},
        {"", "", true, true, "nothing"},
        {"", "a", false, false, "nothing and something"},
        {"a  b", "a b", false, true, "a run of spaces is one"},
        {" a b ", "A B", false, true, "none at the ends"},
        {"a\tb", "a b", false, true, "a tab is white space"},
        {"ab", "a b", false, false, "but a space is not nothing"},
        {"   ", "", false, true, "nothing but spaces is nothing"},
        {"[", "{", false, false, "only letters have a case"},
        {"@", "`", false, false, "on both sides of the alphabet"},
        {"\xC3\x84", "\xC3\xA4", false, false, "outside ASCII the bytes count"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(text_equal_nocase(cases[i].a, cases[i].b), cases[i].nocase, "%s", cases[i].why);
        cr_expect_eq(text_equal_name(cases[i].a, cases[i].b), cases[i].name, "%s (name)", cases[i].why);
        cr_expect_eq(text_equal_name(cases[i].b, cases[i].a), cases[i].name, "%s (turned round)", cases[i].why);
    }
}

Test(text, cut)
{
    static const struct { const char *text; size_t most, n; const char *why; } cases[] = {
        {"", 0, 0, "nothing"},
        {"abc", 3, 3, "as long as may be"},
        {"abc", 9, 3, "shorter"},
        {"abc", 2, 2, "longer"},
        {"abc", 0, 0, "to nothing"},
        {"a\xE2\x82\xAC", 4, 4, "three bytes, whole"},
        {"a\xE2\x82\xAC", 3, 1, "without the third"},
        {"a\xE2\x82\xAC", 2, 1, "without the second"},
        {"a\xE2\x82\xAC", 1, 1, "before the first"},
        {"\xF0\x9F\x94\x91z", 4, 4, "four bytes, whole"},
        {"\xF0\x9F\x94\x91z", 3, 0, "without the fourth"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(text_cut(cases[i].text, cases[i].most), cases[i].n, "%s", cases[i].why);
}
