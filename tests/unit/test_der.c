#include <criterion/criterion.h>

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/codec/der.h"

#define COUNT(table) (sizeof table / sizeof table[0])

static struct bytes unhex(const char *hex, uint8_t *room, size_t size)
{
    size_t n = size;
    cr_assert_eq(hex_decode(hex, room, &n), R_OK, "the table's own hex: %s", hex);
    return BYTES(room, n);
}

static void expect_hex(const struct buf *b, const char *hex, const char *why)
{
    char text[1024] = "";
    cr_assert(b->n < sizeof text / 2);
    cr_expect(!b->failed, "%s", why);
    if (b->n > 0)
        hex_encode(text, b->p, b->n);
    cr_expect_str_eq(text, hex, "%s: %s", why, text);
}

Test(der, integers)
{
    static const struct { int64_t v; const char *hex, *why; } cases[] = {
        {0, "020100", "zero has one octet"},
        {127, "02017f", "the greatest in one octet"},
        {128, "02020080", "the top bit needs a sign octet"},
        {256, "02020100", "two octets"},
        {-1, "0201ff", "minus one"},
        {-128, "020180", "the least in one octet"},
        {-129, "0202ff7f", "two octets, negative"},
        {INT64_MAX, "02087fffffffffffffff", "the greatest"},
        {INT64_MIN, "02088000000000000000", "the least"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b;
        struct der t;
        int64_t v = 0;
        buf_init(&b, 64);
        der_integer(&b, cases[i].v);
        expect_hex(&b, cases[i].hex, cases[i].why);
        struct bytes in = buf_bytes(&b);
        cr_assert_eq(der_expect(&in, DER_INTEGER, &t), R_OK);
        cr_expect_eq(der_get_integer(t.value, &v), R_OK, "%s", cases[i].why);
        cr_expect_eq(v, cases[i].v, "%s", cases[i].why);
        buf_free(&b);
    }
}

Test(der, unsigned_integers)
{
    static const struct { const char *in, *hex, *why; } cases[] = {
        {"", "020100", "nothing is zero"},
        {"0000", "020100", "zeros are zero"},
        {"7f", "02017f", "no sign octet"},
        {"80", "02020080", "sign octet"},
        {"00000123", "02020123", "leading zeros dropped"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b;
        uint8_t room[16];
        buf_init(&b, 64);
        der_integer_bytes(&b, unhex(cases[i].in, room, sizeof room));
        expect_hex(&b, cases[i].hex, cases[i].why);
        buf_free(&b);
    }
}

Test(der, integers_not_in_der_are_refused)
{
    static const struct { const char *hex, *why; } cases[] = {
        {"", "no octets"}, {"0001", "a needless zero"}, {"ffff", "a needless ff"}, {"010203040506070809", "more than 64 bits"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t room[16];
        int64_t v;
        cr_expect_eq(der_get_integer(unhex(cases[i].hex, room, sizeof room), &v), R_BAD_INPUT, "%s", cases[i].why);
    }
    struct bytes v;
    cr_expect_eq(der_get_unsigned(BYTES("\x80", 1), &v), R_BAD_INPUT, "a negative number");
    cr_expect_eq(der_get_unsigned(BYTES("\0\x80", 2), &v), R_OK);
    cr_expect_eq(v.n, 1, "without the sign octet");
}

Test(der, oids)
{
    static const struct { const char *text, *hex, *why; } cases[] = {
        {"2.5.4.3", "0603550403", "an everyday one"},
        {"1.2.840.113549.1.1.11", "06092a864886f70d01010b", "large arcs"},
        {"0.0", "060100", "the first"},
        {"1.39", "06014f", "the last below 2"},
        {"2.0", "060150", "the first below 2"},
        {"2.999", "06028837", "a second arc beyond 39"},
        {"2.25.340282366920938463463374607431768211455", "061469" "83ffffffffffffffffffffffffffffffffff7f",
         "a UUID's 128 bits"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena a;
        struct buf b;
        struct der t;
        const char *text = "";
        arena_init(&a, 4096);
        buf_init(&b, 64);
        der_oid(&b, cases[i].text);
        expect_hex(&b, cases[i].hex, cases[i].why);
        struct bytes in = buf_bytes(&b);
        cr_assert_eq(der_expect(&in, DER_OID, &t), R_OK);
        cr_expect_eq(der_oid_text(t.value, &a, &text), R_OK, "%s", cases[i].why);
        cr_expect_str_eq(text, cases[i].text, "%s", cases[i].why);
        buf_free(&b);
        arena_free(&a);
    }
}

Test(der, oids_that_are_none)
{
    static const struct { const char *text, *why; } texts[] = {
        {"", "nothing"}, {"1", "one arc"}, {"3.1", "no such first arc"}, {"1.40", "second arc too great"}, {"1..2", "empty arc"},
        {"1.2.", "dot at the end"}, {"1.2.x", "a letter"}, {"1.2.01", "leading zero"},
        {"2.25.340282366920938463463374607431768211456", "129 bits"},
        {"2.340282366920938463463374607431768211455", "129 bits once 80 is added"},
    };
    static const struct { const char *hex, *why; } contents[] = {
        {"", "nothing"}, {"2a80", "ends inside an arc"}, {"2a8001", "a needless 80"}, {"80", "only the beginning of an arc"},
        {"2a84808080808080808080808080808080808000", "129 bits"},
        {"2aff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7f", "more text than an OID may have"},
    };
    struct arena a;
    arena_init(&a, 4096);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct buf b;
        buf_init(&b, 64);
        der_oid(&b, texts[i].text);
        cr_expect(b.failed, "%s", texts[i].why);
        buf_free(&b);
    }
    for (size_t i = 0; i < COUNT(contents); i++) {
        uint8_t room[64];
        const char *text;
        cr_expect_eq(der_oid_text(unhex(contents[i].hex, room, sizeof room), &a, &text), R_BAD_INPUT, "%s", contents[i].why);
    }
    arena_free(&a);
}

Test(der, lengths_grow_as_values_nest)
{
    static const size_t sizes[] = {0, 1, 127, 128, 129, 255, 256, 257, 65535, 65536, 70000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct buf b;
        struct der outer, set, inner;
        buf_init(&b, 1 << 20);
        size_t sequence = der_open(&b, DER_SEQUENCE), mark = der_open(&b, DER_SET);
        der_header(&b, DER_OCTET_STRING, sizes[i]);
        uint8_t *space = buf_space(&b, sizes[i]);
        memset(space, 0xa5, sizes[i]);
        der_close(&b, mark);
        der_close(&b, sequence);
        cr_assert(!b.failed);
        cr_expect_eq(b.n, der_size(der_size(der_size(sizes[i]))), "size %zu", sizes[i]);
        struct bytes in = buf_bytes(&b);
        cr_assert_eq(der_expect(&in, DER_SEQUENCE, &outer), R_OK, "size %zu", sizes[i]);
        cr_assert_eq(der_expect(&outer.value, DER_SET, &set), R_OK, "size %zu", sizes[i]);
        cr_assert_eq(der_expect(&set.value, DER_OCTET_STRING, &inner), R_OK, "size %zu", sizes[i]);
        cr_expect_eq(in.n + outer.value.n + set.value.n, 0, "nothing left");
        cr_expect_eq(inner.value.n, sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++)
            cr_assert_eq(inner.value.p[j], 0xa5, "byte %zu of %zu", j, sizes[i]);
        buf_free(&b);
    }
}

Test(der, a_full_buffer_fails_and_stays_so)
{
    struct buf b;
    buf_init(&b, 300);
    size_t outer = der_open(&b, DER_SEQUENCE);
    der_header(&b, DER_OCTET_STRING, 290);
    memset(buf_space(&b, 290), 0, 290);
    der_close(&b, outer);
    cr_expect(!b.failed, "298 bytes fit");
    outer = der_open(&b, DER_SEQUENCE);
    der_value(&b, DER_NULL, NULL, 0);
    der_close(&b, outer);
    cr_expect(b.failed, "four more do not");
    buf_free(&b);

    buf_init(&b, 130 + 3);
    outer = der_open(&b, DER_SEQUENCE);
    der_header(&b, DER_OCTET_STRING, 128);
    memset(buf_space(&b, 128), 0, 128);
    cr_expect(!b.failed, "133 bytes");
    der_close(&b, outer);
    cr_expect(b.failed, "the length's second octet has no room");
    buf_free(&b);
}

Test(der, times)
{
    static const struct { const char *iso, *hex, *why; } cases[] = {
        {"2026-11-22T15:04:05Z", "170d3236313132323135303430355a", "UTCTime"},
        {"1950-01-01T00:00:00Z", "170d3530303130313030303030305a", "the first UTCTime"},
        {"1949-12-31T23:59:59Z", "180f31393439313233313233353935395a", "before it"},
        {"2049-12-31T23:59:59Z", "170d3439313233313233353935395a", "the last UTCTime"},
        {"2050-01-01T00:00:00Z", "180f32303530303130313030303030305a", "after it"},
        {"9999-12-31T23:59:59Z", "180f39393939313233313233353935395a", "no end"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b;
        struct der t;
        int64_t at, back = 0;
        cr_assert_eq(clock_from_iso(cases[i].iso, &at), R_OK);
        buf_init(&b, 64);
        der_time(&b, at);
        expect_hex(&b, cases[i].hex, cases[i].why);
        struct bytes in = buf_bytes(&b);
        cr_assert_eq(der_next(&in, &t), R_OK);
        cr_expect_eq(der_get_time(&t, &back), R_OK, "%s", cases[i].why);
        cr_expect_eq(back, at, "%s", cases[i].why);
        buf_reset(&b);
        der_generalized_time(&b, at);
        in = buf_bytes(&b);
        cr_assert_eq(der_expect(&in, DER_GENERALIZED_TIME, &t), R_OK);
        cr_expect_eq(der_get_time(&t, &back), R_OK, "%s", cases[i].why);
        cr_expect_eq(back, at, "%s", cases[i].why);
        buf_free(&b);
    }
    static const int64_t beyond[] = {INT64_C(253402300800), INT64_MAX, INT64_MIN, INT64_C(-62167219201)};
    for (size_t i = 0; i < COUNT(beyond); i++) {
        struct buf b;
        buf_init(&b, 64);
        der_time(&b, beyond[i]);
        cr_expect(b.failed, "four digits of a year do not reach it");
        buf_free(&b);
    }
}

Test(der, times_not_in_der_are_refused)
{
    static const struct { int tag; const char *text, *why; } cases[] = {
        {DER_UTC_TIME, "2611221504Z", "no seconds"},
        {DER_UTC_TIME, "261122150405+0000", "an offset"},
        {DER_UTC_TIME, "261122150405", "no Z"},
        {DER_UTC_TIME, "20261122150405Z", "a year of four digits"},
        {DER_UTC_TIME, "261322150405Z", "month 13"},
        {DER_UTC_TIME, "260022150405Z", "month 0"},
        {DER_UTC_TIME, "260230150405Z", "30 February"},
        {DER_UTC_TIME, "261122240405Z", "hour 24"},
        {DER_UTC_TIME, "261122156005Z", "minute 60"},
        {DER_UTC_TIME, "261122150460Z", "second 60"},
        {DER_UTC_TIME, "26112215-405Z", "a sign"},
        {DER_GENERALIZED_TIME, "21000229000000Z", "2100 is no leap year"},
        {DER_GENERALIZED_TIME, "20261122150405.5Z", "a fraction"},
        {DER_GENERALIZED_TIME, "", "nothing"},
        {DER_OCTET_STRING, "261122150405Z", "no time at all"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t t;
        struct der d = {cases[i].tag, bytes_of_text(cases[i].text), BYTES_NONE};
        cr_expect_eq(der_get_time(&d, &t), R_BAD_INPUT, "%s", cases[i].why);
    }
}

Test(der, bit_lists)
{
    static const struct { uint32_t v; const char *hex, *why; } cases[] = {
        {0, "030100", "no bits"},
        {1, "03020780", "the first"},
        {5, "030205a0", "digitalSignature and keyEncipherment"},
        {0x60, "03020106", "keyCertSign and cRLSign"},
        {0x100, "0303070080", "decipherOnly: the ninth"},
        {UINT32_MAX, "030500ffffffff", "all"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b;
        struct der t;
        uint32_t v = 0;
        buf_init(&b, 64);
        der_bits(&b, cases[i].v);
        expect_hex(&b, cases[i].hex, cases[i].why);
        struct bytes in = buf_bytes(&b);
        cr_assert_eq(der_expect(&in, DER_BIT_STRING, &t), R_OK);
        cr_expect_eq(der_get_bits(t.value, &v), R_OK, "%s", cases[i].why);
        cr_expect_eq(v, cases[i].v, "%s", cases[i].why);
        buf_free(&b);
    }
    static const struct { const char *hex; enum result r; const char *why; } reads[] = {
        {"", R_BAD_INPUT, "no unused-bits octet"},
        {"0880", R_BAD_INPUT, "eight unused bits"},
        {"01", R_BAD_INPUT, "an unused bit of nothing"},
        {"0781", R_BAD_INPUT, "a bit among the unused"},
        {"00ffffffff00", R_BAD_INPUT, "40 bits"},
        {"0080", R_OK, "trailing zeros are tolerated"},
    };
    for (size_t i = 0; i < COUNT(reads); i++) {
        uint8_t room[16];
        uint32_t v;
        cr_expect_eq(der_get_bits(unhex(reads[i].hex, room, sizeof room), &v), reads[i].r, "%s", reads[i].why);
    }
}

Test(der, booleans)
{
    struct buf b;
    bool v;
    buf_init(&b, 64);
    der_boolean(&b, true);
    der_boolean(&b, false);
    expect_hex(&b, "0101ff010100", "true and false");
    buf_free(&b);
    cr_expect_eq(der_get_boolean(BYTES("\x01", 1), &v), R_BAD_INPUT, "BER's true");
    cr_expect_eq(der_get_boolean(BYTES("", 0), &v), R_BAD_INPUT, "nothing");
    cr_expect_eq(der_get_boolean(BYTES("\xff", 1), &v), R_OK);
}

Test(der, what_is_not_der_is_not_walked)
{
    static const struct { const char *hex, *why; } cases[] = {
        {"", "nothing"},
        {"30", "a tag alone"},
        {"3080", "indefinite length, nothing after"},
        {"30800000", "indefinite length"},
        {"0000", "end of contents"},
        {"1f8101", "a tag of several bytes"},
        {"bf1f00", "a tag of several bytes, constructed"},
        {"04810102", "a long length where a short one does"},
        {"0482000102", "a length with a leading zero"},
        {"048180", "128 bytes that are not there"},
        {"0402ff", "one byte is missing"},
        {"0484ffffffff00", "four gigabytes"},
        {"0488ffffffffffffffff00", "a length that overflows"},
        {"0489010000000000000000", "a length of nine octets"},
        {"04ff", "the reserved length"},
        {"048201", "half a length"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t room[32];
        struct der t;
        struct bytes in = unhex(cases[i].hex, room, sizeof room), before = in;
        cr_expect_eq(der_next(&in, &t), R_BAD_INPUT, "%s", cases[i].why);
        cr_expect(in.p == before.p && in.n == before.n, "nothing is taken: %s", cases[i].why);
    }
    struct der t;
    struct bytes in = BYTES("\x05\x00\x02\x01\x07", 5);
    cr_expect_eq(der_expect(&in, DER_INTEGER, &t), R_BAD_INPUT, "another tag");
    cr_expect_eq(in.n, 5, "and nothing is taken");
    cr_expect_eq(der_expect(&in, DER_NULL, &t), R_OK);
    cr_expect_eq(der_expect(&in, DER_INTEGER, &t), R_OK);
    cr_expect_eq(in.n, 0);
    cr_expect_eq(t.whole.n, 3);
}

Test(der, a_set_is_written_in_the_order_of_its_encodings)
{
    static const struct { const char *in, *out, *why; } cases[] = {
        {"", "", "nothing"},
        {"0500", "0500", "one"},
        {"0c0161020103", "0201030c0161", "tags decide first"},
        {"0402ffff0401ff", "0401ff0402ffff", "then lengths"},
        {"0402010204020101", "0402010104020102", "then contents"},
        {"050005000101ff", "0101ff05000500", "the same twice"},
        {"050004", NULL, "a tag alone"},
        {"05000402ff", NULL, "cut off"},
        {"24800000", NULL, "not DER"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t room[32];
        struct buf b;
        buf_init(&b, 64);
        der_sorted(&b, unhex(cases[i].in, room, sizeof room));
        if (cases[i].out != NULL)
            expect_hex(&b, cases[i].out, cases[i].why);
        else
            cr_expect(b.failed, "%s", cases[i].why);
        buf_free(&b);
    }
    uint8_t many[2 * (DER_SORTED_MOST + 1)];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = i % 2 == 0 ? DER_NULL : 0;
    for (size_t n = DER_SORTED_MOST; n <= DER_SORTED_MOST + 1; n++) {
        struct buf b;
        buf_init(&b, sizeof many);
        der_sorted(&b, BYTES(many, 2 * n));
        cr_expect_eq(b.failed, n > DER_SORTED_MOST, "%zu elements", n);
        buf_free(&b);
    }
}
