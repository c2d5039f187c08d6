#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/scep/capabilities.h"
#include "lib/scep/url.h"

#define CA "0f3a5b7c-1234-4abc-9def-0123456789ab"
#define CA_UPPER "0F3A5B7C-1234-4ABC-9DEF-0123456789AB"

/* On the heap, alone, so that the sanitizer sees a read beyond its end. */
static enum result decode(const char *uri, struct scep_url *out)
{
    char *copy = strdup(uri);
    enum result r = url_decode(copy, out);

    if (r == R_OK && out->message.p)
        out->message.p = (const uint8_t *)uri + (out->message.p - (const uint8_t *)copy);
    free(copy);
    return r;
}

Test(scep_url, paths)
{
    static const struct {
        const char *path;
        enum result result;
        uint32_t version;
        const char *variant, *why;
    } cases[] = {
        {"/scep/" CA, R_OK, 0, "", "the plain URI"},
        {"/scep/" CA_UPPER, R_OK, 0, "", "hexadecimal in upper case"},
        {"/SCEP/" CA, R_OK, 0, "", "the prefix in upper case"},
        {"/scep/" CA "/", R_OK, 0, "", "a slash at the end"},
        {"/scep/" CA "/pkiclient.exe", R_OK, 0, "", "Cisco appends this"},
        {"/scep/" CA "/cgi-bin/pkiclient.exe", R_OK, 0, "", "and this"},
        {"/scep/" CA "/certsrv/mscep/mscep.dll/pkiclient.exe", R_OK, 0, "", "Windows knows this form"},
        {"/scep/" CA "//pkiclient.exe", R_OK, 0, "", "a doubled slash"},
        {"/scep/" CA "/v3", R_OK, 3, "", "a staged version"},
        {"/scep/" CA "/v3/pkiclient.exe", R_OK, 3, "", "a staged version and what a client appends"},
        {"/scep/" CA "/v10000", R_OK, 10000, "", "the last version"},
        {"/scep/" CA "/v10001", R_NOT_FOUND, 0, "", "no version has this number"},
        {"/scep/" CA "/v0", R_NOT_FOUND, 0, "", "versions begin with 1"},
        {"/scep/" CA "/v99999999999999999999", R_NOT_FOUND, 0, "", "a number beyond all types"},
        {"/scep/" CA "/vpn", R_OK, 0, "", "no number: the client's own"},
        {"/scep/" CA "/v", R_OK, 0, "", "no number at all"},
        {"/scep/" CA "/p/modern", R_OK, 0, "modern", "a variant"},
        {"/scep/" CA "/p/lenient-ra/pkiclient.exe", R_OK, 0, "ra-lenient", "a variant and what a client appends"},
        {"/scep/" CA "/v2/p/legacy-withissuer/x", R_OK, 2, "legacy-withissuer", "all parts"},
        {"/scep/" CA "/p/lenient-withissuer-issuer-legacy", R_OK, 0, "legacy-issuer-withissuer-lenient", "the longest, 32 characters"},
        {"/scep/" CA "/p/lenient-withissuer-issuer-legacyx", R_NOT_FOUND, 0, "", "33 characters"},
        {"/scep/" CA "/p/Modern", R_NOT_FOUND, 0, "", "a variant in upper case"},
        {"/scep/" CA "/p/cisco", R_NOT_FOUND, 0, "", "a word that is not known: no falling back without a word"},
        {"/scep/" CA "/p/", R_NOT_FOUND, 0, "", "an empty variant"},
        {"/scep/" CA "/p", R_NOT_FOUND, 0, "", "no variant"},
        {"/scep/" CA "/p/a%20b", R_NOT_FOUND, 0, "", "an escape in a variant"},
        {"/scep/" CA "/pkiclient.exe/v2", R_OK, 0, "", "a version behind the client's own is the client's"},
        {"/scep/", R_NOT_FOUND, 0, "", "no id"},
        {"/scep", R_NOT_FOUND, 0, "", "not even a slash"},
        {"/", R_NOT_FOUND, 0, "", "nothing"},
        {"", R_NOT_FOUND, 0, "", "empty"},
        {"/scep/0f3a5b7c-1234-4abc-9def-0123456789a", R_NOT_FOUND, 0, "", "one digit short"},
        {"/scep/0f3a5b7c-1234-4abc-9def-0123456789abc", R_NOT_FOUND, 0, "", "one digit more"},
        {"/scep/0f3a5b7c-1234-4abc-9def-0123456789ag", R_NOT_FOUND, 0, "", "no hexadecimal digit"},
        {"/scep/0f3a5b7c01234-4abc-9def-0123456789ab", R_NOT_FOUND, 0, "", "no hyphen"},
        {"/scep/{0f3a5b7c-1234-4abc-9def-0123456789ab}", R_NOT_FOUND, 0, "", "braces"},
        {"/scep/../" CA, R_NOT_FOUND, 0, "", "dots"},
        {"/scep//" CA, R_NOT_FOUND, 0, "", "an empty segment"},
        {"/scep/%30f3a5b7c-1234-4abc-9def-0123456789ab", R_NOT_FOUND, 0, "", "an escape in the id"},
        {"http://host/scep/" CA, R_NOT_FOUND, 0, "", "an absolute URI"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scep_url u = {.version = 77};
        enum result r = decode(cases[i].path, &u);
        cr_assert_eq(r, cases[i].result, "%s: %s gave %s", cases[i].why, cases[i].path, result_name(r));
        if (r != R_OK) {
            cr_assert_eq(u.version, 77, "%s: written although refused", cases[i].why);
            continue;
        }
        cr_assert_str_eq(u.ca, CA, "%s", cases[i].why);
        cr_assert_eq(u.version, cases[i].version, "%s: version %u", cases[i].why, u.version);
        char variant[VARIANT_SIZE];
        variant_to_text(&u.variant, variant);
        cr_assert_str_eq(variant, cases[i].variant, "%s", cases[i].why);
        cr_assert_eq(u.operation, OPERATION_NONE, "%s", cases[i].why);
        cr_assert_null(u.message.p, "%s", cases[i].why);
    }
}

Test(scep_url, queries)
{
    static const struct {
        const char *query;
        enum scep_operation operation;
        const char *message, *why;
    } cases[] = {
        {"?operation=GetCACaps", OPERATION_GET_CA_CAPS, NULL, "the simplest"},
        {"?operation=GetCACert&message=0", OPERATION_GET_CA_CERT, "0", "certmonger's identifier"},
        {"?operation=GetCACert&message=Test-Router", OPERATION_GET_CA_CERT, "Test-Router", "Cisco's identifier"},
        {"?operation=GetCACert&message=", OPERATION_GET_CA_CERT, NULL, "an empty parameter counts as absent"},
        {"?OPERATION=getcacert", OPERATION_GET_CA_CERT, NULL, "either case"},
        {"?operation=pkioperation&MESSAGE=MIIB", OPERATION_PKI, "MIIB", "either case"},
        {"?message=MIIB&operation=PKIOperation", OPERATION_PKI, "MIIB", "the other order"},
        {"?operation=PKIOperation&message=MII=", OPERATION_PKI, "MII=", "padding is part of the value"},
        {"?operation=PKIOperation&message=a&message=b", OPERATION_PKI, "a", "the first of two"},
        {"?operation=&operation=GetCACaps", OPERATION_GET_CA_CAPS, NULL, "the first that is not empty"},
        {"?operation=GetCACaps&operation=PKIOperation", OPERATION_GET_CA_CAPS, NULL, "the first of two"},
        {"?a=b&&x&operation=GetCACaps&z=", OPERATION_GET_CA_CAPS, NULL, "unknown and odd parameters"},
        {"?op%65ration=GetCA%43aps", OPERATION_GET_CA_CAPS, NULL, "escapes in name and value"},
        {"?operation=GetCACertChain", OPERATION_GET_CA_CERT_CHAIN, NULL, "of old drafts"},
        {"?operation=GetNextCACert", OPERATION_GET_NEXT_CA_CERT, NULL, "RFC 8894"},
        {"?operation=GetCACaps%00", OPERATION_OTHER, NULL, "a NUL behind it"},
        {"?operation=GetCACap", OPERATION_OTHER, NULL, "a prefix"},
        {"?operation=GetCACapsX", OPERATION_OTHER, NULL, "more than it"},
        {"?operation=%", OPERATION_OTHER, NULL, "a broken escape"},
        {"?operation=%4", OPERATION_OTHER, NULL, "a broken escape"},
        {"?operation", OPERATION_NONE, NULL, "a name alone"},
        {"?operation=", OPERATION_NONE, NULL, "empty"},
        {"?=GetCACaps", OPERATION_NONE, NULL, "no name"},
        {"?", OPERATION_NONE, NULL, "an empty query"},
        {"?&&&", OPERATION_NONE, NULL, "nothing but separators"},
        {"", OPERATION_NONE, NULL, "no query"},
        {"?operation=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         OPERATION_OTHER, NULL, "longer than any"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char uri[512];
        struct scep_url u;
        snprintf(uri, sizeof uri, "/scep/" CA "%s", cases[i].query);
        cr_assert_eq(decode(uri, &u), R_OK, "%s", cases[i].why);
        cr_assert_eq(u.operation, cases[i].operation, "%s: %s gave %s", cases[i].why, uri, scep_operation_name(u.operation));
        cr_assert_eq(u.message.p == NULL, cases[i].message == NULL, "%s", cases[i].why);
        cr_assert(cases[i].message == NULL || bytes_equal(u.message, bytes_of_text(cases[i].message)), "%s", cases[i].why);
    }
}

/* fb ff bf 3e 00 41: "+/+/PgBB" in the usual alphabet */
Test(scep_url, messages)
{
    static const uint8_t six[] = {0xfb, 0xff, 0xbf, 0x3e, 0x00, 0x41}, five[] = {0xfb, 0xff, 0xbf, 0x3e, 0x00};
    static const struct { const char *text; struct bytes want; const char *why; } cases[] = {
        {"%2B/%2B/PgBB", BYTES(six, 6), "as RFC 8894 wants it"},
        {"%2b%2f%2b%2fPgBB", BYTES(six, 6), "escapes in lower case"},
        {"+/+/PgBB", BYTES(six, 6), "pluses and slashes bare"},
        {" / /PgBB", BYTES(six, 6), "pluses that became spaces"},
        {"%20/%20/PgBB", BYTES(six, 6), "pluses that became escaped spaces"},
        {"%252B%252F%252B%252FPgBB", BYTES(six, 6), "escaped twice"},
        {"%252B/+/PgBB", BYTES(six, 6), "partly escaped twice"},
        {"-_-_PgBB", BYTES(six, 6), "the URL alphabet"},
        {"%2B/%2B%0A/PgBB%0A", BYTES(six, 6), "line ends inside and at the end"},
        {"%2B/%2B%0D%0A/PgBB%0D%0A", BYTES(six, 6), "CR LF"},
        {"+/+/%09PgBB", BYTES(six, 6), "a tab"},
        {"+/+/PgA=", BYTES(five, 5), "padding bare"},
        {"+/+/PgA%3D", BYTES(five, 5), "padding escaped"},
        {"+/+/PgA%253D", BYTES(five, 5), "padding escaped twice"},
        {"+/+/PgA", BYTES(five, 5), "padding missing"},
        {"", BYTES_NONE, "empty"},
        {"%0A", BYTES_NONE, "white space alone"},
        {"%", BYTES_NONE, "a broken escape"},
        {"+/+/PgBB%", BYTES_NONE, "a broken escape at the end"},
        {"+/+/PgBB%4", BYTES_NONE, "half an escape at the end"},
        {"+/+/Pg%GGBB", BYTES_NONE, "no hexadecimal"},
        {"+/+/PgBB%00", BYTES_NONE, "a NUL"},
        {"+/+/P", BYTES_NONE, "a lone character"},
        {"+/+/PgA==", BYTES_NONE, "too much padding"},
        {"+/+=/PgB", BYTES_NONE, "padding inside"},
        {"====", BYTES_NONE, "padding alone"},
        {"<xml>", BYTES_NONE, "something else"},
        {"%25252B/+/PgBB", BYTES_NONE, "escaped three times"},
    };
    struct arena a;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes out = BYTES_NONE;
        enum result r = url_message(bytes_of_text(cases[i].text), &a, &out);
        cr_assert_eq(r, cases[i].want.p ? R_OK : R_BAD_INPUT, "%s: %s", cases[i].why, result_name(r));
        cr_assert(!cases[i].want.p || bytes_equal(out, cases[i].want), "%s", cases[i].why);
    }
    cr_assert_eq(url_message(BYTES_NONE, &a, &(struct bytes){0}), R_BAD_INPUT, "absent");
    arena_free(&a);
}

/* Every beginning of a long URI, and every byte at every place of a short one, is answered without a fault. */
Test(scep_url, garbage)
{
    static const char uri[] = "/scep/" CA "/v2/p/x/y?operation=PKIOperation&message=%2B/%0A+/PgBB==&%41=%";
    struct arena a;

    for (size_t n = 0; n < sizeof uri; n++) {
        char *cut = strndup(uri, n);
        struct scep_url u;
        (void)url_decode(cut, &u);
        free(cut);
    }
    for (size_t at = 0; at < sizeof uri - 1; at++)
        for (int c = 1; c < 256; c++) {
            char *changed = strdup(uri);
            struct scep_url u = {.ca = ""};
            changed[at] = (char)c;
            arena_init(&a, LIMIT_ARENA_REQUEST);
            if (url_decode(changed, &u) == R_OK && u.message.p)
                (void)url_message(u.message, &a, &(struct bytes){0});
            arena_free(&a);
            free(changed);
        }
}

Test(scep_url, capabilities)
{
    static const struct { const char *variant; bool next; const char *text, *why; } cases[] = {
        {"", false, "AES\nDES3\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-1\nSHA-256\nSHA-384\nSHA-512\n",
         "what is served; strongSwan reads AES and Renewal only beside SHA-384, macOS asks for DES3"},
        {"", true, "AES\nDES3\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-1\nSHA-256\nSHA-384\nSHA-512\nGetNextCACert\n", "a version is staged"},
        {"modern", false, "AES\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-256\nSHA-384\nSHA-512\n", "nothing old"},
        {"legacy-lenient", false, "DES3\nRenewal\nSHA-1\n", "nothing new"},
        {"apple", false, "Renewal\nSHA-1\nSHA-256\nAES\nDES3\nSCEPStandard\nPOSTPKIOperation\n", "interop Q21"},
        {"ra-withchain", false, "AES\nDES3\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-1\nSHA-256\nSHA-384\nSHA-512\n", "other groups change nothing"},
    };
    struct arena a;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct variant v;
        cr_assert_eq(variant_from_text(cases[i].variant, &v), R_OK, "%s", cases[i].why);
        cr_assert_str_eq(capabilities_text(&v, cases[i].next, &a), cases[i].text, "%s", cases[i].why);
    }
    arena_free(&a);
}
