#include <criterion/criterion.h>

#include <string.h>

#include "lib/base/bytes.h"

Test(bytes, equal)
{
    static const struct { const char *a, *b; bool equal; const char *why; } cases[] = {
        {"abc", "abc", true, "the same"},
        {"abc", "abd", false, "the last byte differs"},
        {"xbc", "abc", false, "the first byte differs"},
        {"abc", "ab", false, "a prefix is not the whole"},
        {"", "a", false, "nothing is not a prefix that counts"},
        {"", "", true, "nothing is nothing"},
        {NULL, "", true, "no text has no bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes a = bytes_of_text(cases[i].a), b = bytes_of_text(cases[i].b);
        cr_expect_eq(bytes_equal(a, b), cases[i].equal, "%s", cases[i].why);
        cr_expect_eq(bytes_equal(b, a), cases[i].equal, "%s", cases[i].why);
        cr_expect_eq(bytes_equal_secret(a, b), cases[i].equal, "%s (secret)", cases[i].why);
    }
}

Test(bytes, buffer_limit_is_exact_and_failure_stays)
{
    static const struct { size_t limit, first, second; bool good; const char *why; } cases[] = {
        {10, 4, 6, true, "exactly the limit fits"},
        {10, 4, 7, false, "one byte more does not"},
        {0, 0, 0, true, "an empty buffer holds nothing"},
        {0, 0, 1, false, "and no byte"},
        {100000, 50000, 50000, true, "growing keeps to the limit"},
        {100000, 99999, SIZE_MAX, false, "a length that would wrap is refused"},
    };
    static uint8_t block[100000];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        buf_init(&b, cases[i].limit);
        buf_append(&b, block, cases[i].first);
        buf_append(&b, block, cases[i].second);
        cr_expect_eq(buf_result(&b), cases[i].good ? R_OK : R_TOO_LARGE, "%s", cases[i].why);
        cr_expect_eq(b.n, cases[i].first + (cases[i].good ? cases[i].second : 0), "%s: what failed leaves no part", cases[i].why);
        if (!cases[i].good) {
            buf_append(&b, block, 0);
            cr_expect_null(buf_space(&b, 0), "%s: nothing succeeds after a failure", cases[i].why);
            cr_expect_eq(buf_result(&b), R_TOO_LARGE);
        }
        buf_free(&b);
    }
}

Test(bytes, buffer_keeps_what_was_written)
{
    struct buf b;
    buf_init(&b, 4096);
    buf_text(&b, "one ");
    buf_byte(&b, '2');
    buf_printf(&b, " %s %d", "three", 4);
    memcpy(buf_space(&b, 3), " 5!", 3);
    cr_expect(bytes_equal(buf_bytes(&b), bytes_of_text("one 2 three 4 5!")));
    buf_printf(&b, "%1000s", "x");
    cr_expect_eq(b.n, 1016, "a long text grows the buffer");
    cr_expect_eq(memcmp(b.p, "one 2", 5), 0, "and growing keeps the beginning");
    buf_printf(&b, "%4000s", "x");
    cr_expect(b.failed);
    buf_reset(&b);
    cr_expect(!b.failed && b.n == 0, "a buffer can be used again");
    buf_free(&b);

    buf_init(&b, 3);
    buf_printf(&b, "%s", "abc");
    cr_expect_eq(buf_result(&b), R_OK, "the NUL of printf needs no room");
    buf_free(&b);
}

Test(bytes, big_endian)
{
    uint8_t p[8];
    be16_put(p, 0x0102);
    cr_expect(p[0] == 1 && p[1] == 2 && be16_get(p) == 0x0102);
    be32_put(p, 0xFFFEFDFC);
    cr_expect(p[0] == 0xFF && p[3] == 0xFC && be32_get(p) == 0xFFFEFDFC);
    be64_put(p, UINT64_C(0x8001020304050607));
    cr_expect(p[0] == 0x80 && p[7] == 7 && be64_get(p) == UINT64_C(0x8001020304050607));
}

Test(bytes, hex)
{
    static const struct { const char *text; size_t room; enum result r; const char *hex, *why; } cases[] = {
        {"00ff10", 3, R_OK, "00ff10", "lower case"},
        {"DEADbeef", 4, R_OK, "deadbeef", "both cases in one"},
        {"", 0, R_OK, "", "nothing"},
        {"0", 4, R_BAD_INPUT, NULL, "half a byte"},
        {"0g", 4, R_BAD_INPUT, NULL, "not a digit"},
        {"0x10", 4, R_BAD_INPUT, NULL, "no prefix"},
        {"00 1", 4, R_BAD_INPUT, NULL, "no white space"},
        {"00\xC3\xA4", 4, R_BAD_INPUT, NULL, "a byte above ASCII"},
        {"0011", 1, R_TOO_LARGE, NULL, "more than there is room for"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t out[8];
        char back[17];
        size_t n = cases[i].room;
        cr_expect_eq(hex_decode(cases[i].text, out, &n), cases[i].r, "%s", cases[i].why);
        if (cases[i].r != R_OK)
            continue;
        hex_encode(back, out, n);
        cr_expect_str_eq(back, cases[i].hex, "%s", cases[i].why);
    }
    char upper[5];
    hex_encode_upper(upper, (const uint8_t *)"\xAB\x0F", 2);
    cr_expect_str_eq(upper, "AB0F");
}

Test(bytes, base64_encodes_as_rfc_4648_section_10)
{
    static const char *const vectors[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFB\xFF\xBF", "+/+/"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char out[16];
        uint8_t back[16];
        size_t n = strlen(vectors[i][0]), m = 0;
        base64_encode(out, (const uint8_t *)vectors[i][0], n);
        cr_expect_str_eq(out, vectors[i][1]);
        cr_expect_eq(base64_size(n), strlen(out) + 1);
        cr_expect_eq(base64_decode(out, strlen(out), false, back, &m), R_OK);
        cr_expect(bytes_equal(BYTES(back, m), BYTES(vectors[i][0], n)), "%s", vectors[i][1]);
    }
}

Test(bytes, base64_reads_every_spelling_of_clients)
{
    static const struct { const char *text; bool plus; const char *hex, *why; } cases[] = {
        {"+/+/", false, "fbffbf", "the standard alphabet"},
        {"-_-_", false, "fbffbf", "the one for URLs (interop Q5)"},
        {"+_-/", false, "fbffbf", "both in one text"},
        {" / /", true, "fbffbf", "a plus that became a space on the way (interop Q2)"},
        {"Zm9v Yg==", false, "666f6f62", "a space is skipped elsewhere"},
        {"Zm9v\r\nYg==\r\n", false, "666f6f62", "lines as openssl and Cisco send them (interop Q4)"},
        {"\tZ m\n9v", false, "666f6f", "white space anywhere"},
        {"Zg", false, "66", "no padding, one byte"},
        {"Zm8", false, "666f", "no padding, two bytes"},
        {"Zg==", true, "66", "padding beside the space rule"},
        {"Zg=\r\n=", true, "66", "a line that ends inside the padding"},
        {"Zg== ", true, "66", "a space after the padding is no digit"},
        {"", false, "", "nothing"},
        {"\r\n", false, "", "nothing but a line end"},
        {"Zh==", false, "66", "bits that are left over are ignored"},
        {"Zm9vY", false, NULL, "a lone character at the end"},
        {"Z", false, NULL, "one character is no byte"},
        {"Z===", false, NULL, "nor with padding"},
        {"Zg=", false, NULL, "half of the padding"},
        {"Zg===", false, NULL, "too much padding"},
        {"Zm9v=", false, NULL, "padding where none belongs"},
        {"====", false, NULL, "padding alone"},
        {"Zg==Zg==", false, NULL, "data after the padding"},
        {"Zm9v%3D", false, NULL, "percent signs are decoded before"},
        {"Zm9v!", false, NULL, "a character of no alphabet"},
        {"Zm\xC3\xA4v", false, NULL, "a byte above ASCII"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t out[32];
        char hex[65];
        size_t n = 0, len = strlen(cases[i].text);
        enum result r = base64_decode(cases[i].text, len, cases[i].plus, out, &n);
        cr_expect_eq(r, cases[i].hex ? R_OK : R_BAD_INPUT, "%s", cases[i].why);
        if (r != R_OK || !cases[i].hex)
            continue;
        cr_expect(n <= 3 * (len / 4) + 3);
        hex_encode(hex, out, n);
        cr_expect_str_eq(hex, cases[i].hex, "%s", cases[i].why);
    }
    uint8_t out[8];
    size_t n;
    cr_expect_eq(base64_decode("Zm\0v", 4, false, out, &n), R_BAD_INPUT, "a NUL inside");
}
