#include <criterion/criterion.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/policy/purposes.h"
#include "lib/policy/verdict.h"

static bool same(const char *x, const char *y)
{
    return x && y ? strcmp(x, y) == 0 : x == y;
}

Test(purposes, table_is_sound)
{
    for (const struct purpose *p = purposes; p->oid; p++) {
        cr_expect(text_is_oid(p->oid), "%s is an OID", p->oid);
        cr_expect(same(purpose_oid(p->oid), p->oid) && same(purpose_oid(p->name), p->oid) && same(purpose_oid(p->label), p->oid),
                  "%s is found by OID, name and label, so none is doubled", p->name);
        cr_expect(same(purpose_name(p->oid), p->name), "%s", p->name);
    }
}

Test(purposes, lookup)
{
    static const struct { const char *text, *oid, *why; } cases[] = {
        {"Client auth", EKU_CLIENT_AUTH, "the name that pages show"},
        {"clientAuth", EKU_CLIENT_AUTH, "the label that openssl shows"},
        {"CLIENTAUTH", EKU_CLIENT_AUTH, "without regard to case"},
        {EKU_SERVER_AUTH, EKU_SERVER_AUTH, "the OID itself"},
        {"smartcardLogon", "1.3.6.1.4.1.311.20.2.2", "one that is not under id-kp"},
        {"any purpose", EKU_ANY, "found like any other; the rules refuse it"},
        {"1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.1", "an OID without a name stands for itself"},
        {"client", NULL, "no guessing by beginnings"},
        {"3.1.2", NULL, "no OID begins with 3"},
        {"1.3.", NULL, "an OID that is cut off"},
        {"", NULL, "nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect(same(purpose_oid(cases[i].text), cases[i].oid), "%s: %s", cases[i].text, cases[i].why);
    cr_expect_null(purpose_name("1.3.6.1.4.1.99999.1"));
}

Test(purposes, sets)
{
    static const char *ab[] = {"1.2.3", "1.2.4"}, *ba[] = {"1.2.4", "1.2.3"}, *aa[] = {"1.2.3", "1.2.3"}, *a[] = {"1.2.3"};
    static const struct { struct oids x, y; bool equal; const char *lacking, *why; } cases[] = {
        {{ab, 2}, {ba, 2}, true, NULL, "order does not count"},
        {{a, 1}, {ab, 2}, false, NULL, "a subset is not equal"},
        {{ab, 2}, {a, 1}, false, "1.2.4", "the first that is lacking is named"},
        {{aa, 2}, {a, 1}, true, NULL, "as sets: doubles do not count"},
        {{NULL, 0}, {NULL, 0}, true, NULL, "two empty sets"},
        {{NULL, 0}, {a, 1}, false, NULL, "the empty set is within all"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(purposes_equal(&cases[i].x, &cases[i].y), cases[i].equal, "%s", cases[i].why);
        cr_expect(same(purposes_lacking(&cases[i].x, &cases[i].y), cases[i].lacking), "%s", cases[i].why);
    }
    struct arena arena;
    arena_init(&arena, 4096);
    cr_expect_str_eq(purposes_text(&cases[0].x, &arena), "1.2.3,1.2.4");
    cr_expect_str_eq(purposes_text(&cases[4].x, &arena), "none");
    arena_free(&arena);
}

Test(purposes, key_usage_words)
{
    static const struct { const char *text; enum result r; uint32_t bits; const char *back, *why; } cases[] = {
        {"digitalSignature", R_OK, KU_DIGITAL_SIGNATURE, "digitalSignature", "one"},
        {"keyEncipherment,digitalSignature", R_OK, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT,
         "digitalSignature,keyEncipherment", "two, in any order"},
        {" DigitalSignature , keyencipherment ", R_OK, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT,
         "digitalSignature,keyEncipherment", "blanks and case as people write them"},
        {"cRLSign,keyCertSign,decipherOnly", R_OK, KU_KEY_CERT_SIGN | KU_CRL_SIGN | KU_DECIPHER_ONLY,
         "keyCertSign,cRLSign,decipherOnly", "every bit has a word"},
        {"", R_BAD_INPUT, 0, NULL, "nothing"},
        {"digitalSignature,", R_BAD_INPUT, 0, NULL, "a comma too many"},
        {"digitalSignature,digitalSignature", R_BAD_INPUT, 0, NULL, "doubled"},
        {"digitalSignature keyEncipherment", R_BAD_INPUT, 0, NULL, "no comma"},
        {"signing", R_BAD_INPUT, 0, NULL, "unknown"},
        {"digitalSignaturedigitalSignaturedigitalSignature", R_BAD_INPUT, 0, NULL, "longer than any word"},
    };
    struct arena arena;
    arena_init(&arena, 65536);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t bits = 0;
        cr_expect_eq(key_usage_from_text(cases[i].text, &bits), cases[i].r, "%s", cases[i].why);
        cr_expect_eq(bits, cases[i].bits, "%s", cases[i].why);
        if (cases[i].back)
            cr_expect_str_eq(key_usage_text(bits, &arena), cases[i].back, "%s", cases[i].why);
    }
    cr_expect_str_eq(key_usage_text(0, &arena), "");
    uint32_t bits = 0;
    cr_expect_eq(key_usage_from_text(key_usage_text(0x1ff, &arena), &bits), R_OK, "all nine words fit");
    cr_expect_eq(bits, 0x1ffu);
    arena_free(&arena);
}

Test(verdict, texts_are_copied_and_cut)
{
    struct arena arena;
    struct verdict v;
    char longer[LIMIT_DETAIL + 16];
    arena_init(&arena, 65536);
    memset(longer, 'x', sizeof longer);
    memcpy(longer + LIMIT_DETAIL - 1, "é", 2);      /* its second byte is the first beyond the limit */
    longer[sizeof longer - 1] = '\0';
    cr_expect_eq(verdict_refuse(&v, &arena, R_STATE, "state", longer, NULL), R_STATE);
    cr_expect_eq(v.result, R_STATE);
    cr_expect_str_eq(v.field, "state");
    cr_expect_eq(strlen(v.found), LIMIT_DETAIL - 1, "no half character is left at the end");
    cr_expect_null(v.wanted);
    longer[0] = 'y';
    cr_expect_eq(v.found[0], 'x', "a copy");
    cr_expect_eq(verdict_refuse(NULL, &arena, R_LIMIT, "count", "7", "6"), R_LIMIT, "nobody has to listen");
    arena_free(&arena);
    arena_init(&arena, 0);
    cr_expect_eq(verdict_refuse(&v, &arena, R_LIMIT, "count", "7", "6"), R_LIMIT, "without memory the code still comes");
    cr_expect_null(v.found);
}
