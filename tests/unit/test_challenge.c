#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/policy/challenge.h"

static const struct challenge good = {
    .tenant = 1, .device = 2, .user = 3, .profile_revision = 4, .ca_version = 5, .staged = true, .id = 6,
    .expires = 1800000000,
};

static bool equal(const struct challenge *x, const struct challenge *y)
{
    return x->tenant == y->tenant && x->device == y->device && x->user == y->user
        && x->profile_revision == y->profile_revision && x->ca_version == y->ca_version && x->staged == y->staged
        && x->id == y->id && x->expires == y->expires;
}

Test(challenge, round_trip)
{
    static const struct { struct challenge c; enum result r; const char *why; } cases[] = {
        {{1, 2, 3, 4, 5, true, 6, 1800000000}, R_OK, "every field another number"},
        {{1, 2, 0, 4, 5, false, 6, 1800000000}, R_OK, "no user, production"},
        {{UINT32_MAX, INT64_MAX, INT64_MAX, INT64_MAX, UINT32_MAX, true, UINT64_MAX, INT64_MAX}, R_OK, "the greatest"},
        {{1, 1, 1, 1, 1, true, 1, 1}, R_OK, "the smallest"},
        {{0, 2, 3, 4, 5, true, 6, 7}, R_CHALLENGE_DESERIALIZATION, "no tenant"},
        {{1, 0, 3, 4, 5, true, 6, 7}, R_CHALLENGE_DESERIALIZATION, "no device"},
        {{1, 2, 3, 0, 5, true, 6, 7}, R_CHALLENGE_DESERIALIZATION, "no profile revision"},
        {{1, 2, 3, 4, 0, true, 6, 7}, R_CHALLENGE_DESERIALIZATION, "no CA version"},
        {{1, 2, 3, 4, 5, true, 0, 7}, R_CHALLENGE_DESERIALIZATION, "no id"},
        {{1, 2, 3, 4, 5, true, 6, 0}, R_CHALLENGE_DESERIALIZATION, "no end"},
        {{1, 2, 3, 4, 5, true, 6, -1}, R_CHALLENGE_DESERIALIZATION, "an end before all time"},
        {{1, UINT64_C(1) << 63, 3, 4, 5, true, 6, 7}, R_CHALLENGE_DESERIALIZATION, "a device no bigint can number"},
        {{1, 2, UINT64_MAX, 4, 5, true, 6, 7}, R_CHALLENGE_DESERIALIZATION, "a user no bigint can number"},
        {{1, 2, 3, UINT64_MAX, 5, true, 6, 7}, R_CHALLENGE_DESERIALIZATION, "a revision no bigint can number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t plain[CHALLENGE_PLAIN];
        struct challenge out = good;
        challenge_pack(&cases[i].c, plain);
        cr_expect_eq(challenge_unpack(plain, &out), cases[i].r, "%s", cases[i].why);
        cr_expect(equal(&out, cases[i].r == R_OK ? &cases[i].c : &good), "%s: whole or untouched", cases[i].why);
    }
}

Test(challenge, layout_is_fixed)
{
    static const uint8_t expected[CHALLENGE_PLAIN] = {
        0, 0, 0, 1,  0, 0, 0, 0, 0, 0, 0, 2,  0, 0, 0, 0, 0, 0, 0, 3,  0, 0, 0, 0, 0, 0, 0, 4,  0, 0, 0, 5,  1,
        0, 0, 0, 0, 0, 0, 0, 6,  0, 0, 0, 0, 0x6b, 0x49, 0xd2, 0x00,
    };
    uint8_t plain[CHALLENGE_PLAIN];
    challenge_pack(&good, plain);
    cr_expect_arr_eq(plain, expected, CHALLENGE_PLAIN, "tokens outlive a release");
    struct challenge out;
    for (unsigned flags = 0; flags < 256; flags++) {
        plain[32] = (uint8_t)flags;
        cr_expect_eq(challenge_unpack(plain, &out), flags <= 1 ? R_OK : R_CHALLENGE_DESERIALIZATION, "flags %u", flags);
        if (flags <= 1)
            cr_expect_eq(out.staged, flags == 1);
    }
}

/* The token of n octets, all 0xfb (which base64 writes with + and /), with that version and generation 0x0102. */
static void token(char *text, size_t n, uint8_t version)
{
    uint8_t octets[512];
    memset(octets, 0xfb, sizeof octets);
    octets[0] = version;
    octets[1] = 1;
    octets[2] = 2;
    base64_encode(text, octets, n);
}

Test(challenge, from_text_by_length_and_version)
{
    static const struct { size_t n; uint8_t version; enum result r; const char *why; } cases[] = {
        {CHALLENGE_SIZE, CHALLENGE_VERSION, R_OK, "ours"},
        {CHALLENGE_SIZE, 0, R_CHALLENGE_DECRYPTION, "version 0"},
        {CHALLENGE_SIZE, 2, R_CHALLENGE_DECRYPTION, "a version to come"},
        {CHALLENGE_SIZE - 1, CHALLENGE_VERSION, R_CHALLENGE_DECRYPTION, "an octet short"},
        {CHALLENGE_SIZE + 1, CHALLENGE_VERSION, R_CHALLENGE_DECRYPTION, "an octet long"},
        {0, CHALLENGE_VERSION, R_CHALLENGE_DECRYPTION, "nothing"},
        {3, CHALLENGE_VERSION, R_CHALLENGE_DECRYPTION, "a header alone"},
        {189, CHALLENGE_VERSION, R_CHALLENGE_DECRYPTION, "252 characters: the longest that is decoded"},
        {192, CHALLENGE_VERSION, R_CHALLENGE_DECRYPTION, "256 characters: one more than a challenge has"},
        {512, CHALLENGE_VERSION, R_CHALLENGE_DECRYPTION, "far too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        uint8_t out[CHALLENGE_SIZE] = {0};
        uint16_t generation = 0;
        token(text, cases[i].n, cases[i].version);
        cr_expect_eq(challenge_from_text(text, out, &generation), cases[i].r, "%s", cases[i].why);
        cr_expect_eq(generation, cases[i].r == R_OK ? 0x0102 : 0, "%s", cases[i].why);
        cr_expect_eq(out[CHALLENGE_SIZE - 1], cases[i].r == R_OK ? 0xfb : 0, "%s", cases[i].why);
    }
}

Test(challenge, from_text_by_form)
{
    static const struct { const char *before, *after; bool url, unpadded; enum result r; const char *why; } cases[] = {
        {"", "", false, false, R_OK, "as made"},
        {"", "", true, false, R_OK, "the URL alphabet"},
        {"", "", false, true, R_OK, "padding lost"},
        {" \r\n", "\r\n", false, false, R_OK, "line ends around it"},
        {"!", "", false, false, R_CHALLENGE_DECODING, "a character of no alphabet"},
        {"", "AAAA", false, false, R_CHALLENGE_DECODING, "data behind the padding"},
        {"caf\xc3\xa9", "", false, false, R_CHALLENGE_DECODING, "UTF-8"},
        {"AAAA", "", false, false, R_CHALLENGE_DECRYPTION, "base64 of another length"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char one[256], text[512];
        uint8_t out[CHALLENGE_SIZE];
        uint16_t generation;
        token(one, CHALLENGE_SIZE, CHALLENGE_VERSION);
        for (char *p = one; *p && cases[i].url; p++)
            *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
        if (cases[i].unpadded)
            *strchr(one, '=') = '\0';
        snprintf(text, sizeof text, "%s%s%s", cases[i].before, one, cases[i].after);
        cr_expect_eq(challenge_from_text(text, out, &generation), cases[i].r, "%s", cases[i].why);
    }
}

Test(challenge, text_fits_the_attribute)
{
    cr_expect(base64_size(CHALLENGE_SIZE) - 1 <= LIMIT_CHALLENGE, "RFC 2985 allows 255 characters");
}
