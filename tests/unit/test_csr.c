#include <criterion/criterion.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/codec/csr.h"
#include "lib/codec/der.h"

#define COUNT(table) (sizeof table / sizeof table[0])

/* Requests made by the openssl command line, in base64. */

/* C=DE, O=Example, CN=device-7; challenge; SANs of every kind, critical key usage, two EKUs, basicConstraints CA:TRUE */
static const char rsa_sha256[] =
    "MIIDbzCCAlcCAQAwMjELMAkGA1UEBhMCREUxEDAOBgNVBAoMB0V4YW1wbGUxETAPBgNVBAMMCGRldmljZS03MIIBIjANBgkqhkiG9w0BAQEFAA"
    "OCAQ8AMIIBCgKCAQEApqNilzpOtYWPvUi1LlAtANQ0Lcww/yefnu8MUT0QNXVGr617Clo2M3U7EzX4SJ5rcLUHDrjm3iL1jxk0YzxFinDvZYNv"
    "UAArK4whYtiGh+LQBthAzO6eC+ZUII4mymlQ44cA+LtFgFVLLVWDz+gdb/yi1sTUrRsMRFqEfLjqwqUcI/BlvUfKTLOkGZcIZ1EunSF2TYMOCy"
    "oaW9IOrd2vec4NuHdQ7bcHwKAC+iIex72Uwwb0nFtw5mOphKIz7HCjuiAhtT0HR5ax4qmtalCAhUZ4jQAZ3CVTne1eUs/GC74W/bbDdrEJ5TQZ"
    "I+E12w0rler44fWo8X9/ZyiadGxdDQIDAQABoIH3MB8GCSqGSIb3DQEJBzESDBBzM2NyZXQgY2hhbGxlbmdlMIHTBgkqhkiG9w0BCQ4xgcUwgc"
    "IwgYAGA1UdEQR5MHeBDWFAZXhhbXBsZS5vcmeCFGRldmljZS03LmV4YW1wbGUub3JnhhdodHRwczovL2V4YW1wbGUub3JnL2QvN4cEwAACAaAd"
    "BgorBgEEAYI3FAIDoA8MDWFAZXhhbXBsZS5vcmekEjAQMQ4wDAYDVQQDDAVpbm5lcjAOBgNVHQ8BAf8EBAMCBaAwHwYDVR0lBBgwFgYIKwYBBQ"
    "UHAwIGCisGAQQBgjcKAwQwDAYDVR0TBAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAOGM/rcLn/J2soaJ7yaBJiX0Vy9PM49Mx2ach+njjZ3vV"
    "PNhhTMypgs65bn5NkfLWRsaAOLWc8aaJ+CHRMBId+TSmpHduKvi6894TSpGdam1a6us0JNltsJCYJxgi6hEGlOxqnezOGDpCKxlaWpCGRtF3D/"
    "T7vV+t3q3X+HcXZgNG21OismgzhM2xJLoURlUgMh6623Iq7nV2YGTcLOblvBBJnPUmGWk3PPykjvKyZk3OHC9VnpySRAISAs+ILjkM2BCIADmb"
    "NSQ69gTpHCanIhgi3DxEGLljZAcaQiGz2D1BcCqSP20OeHWQ82Iazs6WtQKBDZT7aEcS/T5ZehKSQQ==";

/* CN and O as BMPString, no attributes, SHA-1 */
static const char rsa_sha1_bmp[] =
    "MIICazCCAVMCAQAwJjEXMBUGA1UEAx4OAEcAZQByAOQAdAAgA6kxCzAJBgNVBAoeAgBCMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQ"
    "EApqNilzpOtYWPvUi1LlAtANQ0Lcww/yefnu8MUT0QNXVGr617Clo2M3U7EzX4SJ5rcLUHDrjm3iL1jxk0YzxFinDvZYNvUAArK4whYtiGh+LQ"
    "BthAzO6eC+ZUII4mymlQ44cA+LtFgFVLLVWDz+gdb/yi1sTUrRsMRFqEfLjqwqUcI/BlvUfKTLOkGZcIZ1EunSF2TYMOCyoaW9IOrd2vec4NuH"
    "dQ7bcHwKAC+iIex72Uwwb0nFtw5mOphKIz7HCjuiAhtT0HR5ax4qmtalCAhUZ4jQAZ3CVTne1eUs/GC74W/bbDdrEJ5TQZI+E12w0rler44fWo"
    "8X9/ZyiadGxdDQIDAQABoAAwDQYJKoZIhvcNAQEFBQADggEBAIBx726PLJyZeUo5caRhnmy4qmPbKiCYBmhWFgKMEVnn7OshvLVT2ZgAuYWxhd"
    "ZDjTIttMy5asfyw7rSsyX6o6YH7lTRNdrnlz2v/oLsrD1IL2iwxAk08dKC9Z8mjS7bTzjg3TMOst0ZS7ouyjgqfcWjGLd2BWNqcj37sZzbr+UA"
    "cOZJo/YhQW7RLFGggyly2vmgHMR9QrLgwAdrBttY+qcsnKh2PxyDQpFPrUt2p4TGWyYWHiF71woSI4DvWqhHQC8mNCo6Bpqv8Fg0UINVC7V5i3"
    "uRIiP12nSQ25vtYUW4USAv2rhYhSL2Rud4w1/TUyEELOPXovSNgV5RN+NtF9s=";

/* CN and O as T61String, P-384 */
static const char ec_sha384_t61[] =
    "MIIBFDCBmwIBADAcMQ4wDAYDVQQDFAVHZXLkdDEKMAgGA1UEChQBVDB2MBAGByqGSM49AgEGBSuBBAAiA2IABM4kmWiZGIXJZaBCfhbY2EN4A9"
    "2ZnkXFb8zZj19ZCpwtV8xypgo0cFbqK88rf7/ztwXR1B3LomVnUu4xxodm5UcogAZUteD2GCdD6pbBD0l+U/CTaTG1GfJ0F48P4xwyOKAAMAoG"
    "CCqGSM49BAMDA2gAMGUCMQCE6jATcGZcIEOyBStYx2caw89I7fIphEhDY6J9jJRJMEaZXsS6L/xFzQCmFKC9QXkCMCFUqGHJ2o8ChgF5mpN0DU"
    "iwWLYpRCb4U8HnkDqs71Wn/HH8gA68m2iZGvViV+joog==";

static const char ed25519[] =
    "MIGMMEACAQAwDTELMAkGA1UEAwwCZWQwKjAFBgMrZXADIQBriwaahnF+2Owl689yOIuwH23wG4nEI6rN7pv6bqjooaAAMAUGAytlcANBAKyuDm"
    "qKR1h/UFq5Scjg0LLhIe/gmoSUlLUos0lnie7/UeslkJqrZmmAxWzxmw7YD4xOMn+YwEHVqzWHh7AtBQI=";

/* public exponent 3 */
static const char rsa_e3[] =
    "MIICUzCCATsCAQAwEDEOMAwGA1UEAwwFdGhyZWUwggEgMA0GCSqGSIb3DQEBAQUAA4IBDQAwggEIAoIBAQCzquxTf8V5zRKCc9+b2Lajcg+KxT"
    "gFBsdJqf/Vw5ryE5d9IXcKi4G9+n0581DV81yM2ghDvt19hakr9AFRWvnJqogEqRn3b6MH5DKr1MhS8bU0uE5Szl/Uvh+ZMQoPfjSmD1cc8HoU"
    "AU/98FP9JqyEqt/00z/oAGDG+XJy2M7+KmbSEaqZMGueq5TuEKn1H1Uz9LqpdrKIrjUhNtATyTd5dlrJQuBle46TZABKSG82OlTW+iAqdUGSc/"
    "95q4bN/2uvn3ET4aAgPt2BL0xcjrXMExJdtFfOBhuuEb9m7Fa/neDn1OOtZzHhhk2jPrHQlaEUs9uv9qqS5Oi9kEwf24LDAgEDoAAwDQYJKoZI"
    "hvcNAQELBQADggEBAGu/AHg+BHy7K+lmo5j/lXlZI/jRlpInQhWmus09tUqiUgnp2Nxd9ekvzsf3Slahj0ST4fi/4T8xY57vudKkL2M+IpzQz6"
    "JBXD166jlqUP9DDat76nh7TwwStGaXyjjwG2bYtTuv/Iu/b1ddWEJGYA7dL3WPXCHoQqcrNamT5hZoDbNX5XXN13otu7gJ0iigmOc7xWLYNHdR"
    "O7h8SCikXpOH+Cm3SJ2yloDWMRqWHmwu9aDZvoTCsl+kmygUkzfBNnjtMlhmovIu7QlMT01FlIFG/3DPu0GtZTt2wyYYxwsOKh5NhRBH7aiTcJ"
    "j4ppnXjoC/jyPQ7fTy0lEyu/Lj8O0=";

static const char rsa1024_md5[] =
    "MIIBTTCBtwIBADAOMQwwCgYDVQQDDANvbGQwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBANP6GRStjMWvZb9TGgelQUGXygPOfYLbcagIu8"
    "mg1WSGPOE96V7sw3L5M9Rvgn5ZyLVIocMUv+38PyH1IvI588mkj5Xnszu50jKeSfeihb20hOvFryetQeqzig+N/7Xd3pBJhL9esdFuTkyhusk9"
    "4WI8HEUC9ZuM9FgCIViDZjd/AgMBAAGgADANBgkqhkiG9w0BAQQFAAOBgQCoZxH3vsXyOR1LluBrMA200Fd+xP86BGHqeukqhsM52vxfHERVAq"
    "GbPC67ONuW0L4vL207lTOiXWX3heqzkyEEfZfbLoCby0kTyGTC+EPoC+LOwYm5u+x36n+h4VDrKg2NIDANEN+/lnpK1qFtdyNA+ECtsGjDv0Yy"
    "1sqvmZnJXA==";

static struct arena arena;

static void setup(void) { arena_init(&arena, LIMIT_ARENA_REQUEST); }
static void teardown(void) { arena_free(&arena); }
TestSuite(csr, .init = setup, .fini = teardown);

static struct bytes unbase64(const char *text)
{
    size_t length = strlen(text), n = 0;
    uint8_t *p = arena_alloc(&arena, length);
    cr_assert_not_null(p);
    cr_assert_eq(base64_decode(text, length, false, p, &n), R_OK);
    return BYTES(p, n);
}

static struct csr decoded(const char *text)
{
    struct csr c;
    cr_assert_eq(csr_decode(unbase64(text), &arena, &c), R_OK);
    return c;
}

/* ---- requests made here ---- */

static EVP_PKEY *test_key(void)
{
    static EVP_PKEY *key;
    if (!key)
        key = EVP_EC_gen("P-256");
    cr_assert_not_null(key);
    return key;
}

static void spki_put(struct buf *b)
{
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(test_key(), &spki);
    cr_assert(n > 0);
    buf_append(b, spki, (size_t)n);
    OPENSSL_free(spki);
}

/* A request with that version, these encoded attributes ("[0]" put around them unless NULL) and a right signature. */
static struct bytes request(int64_t version, const struct buf *attributes)
{
    static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    struct buf info, whole;
    uint8_t signature[128];
    size_t n = sizeof signature;
    buf_init(&info, 1 << 20);
    buf_init(&whole, 1 << 20);
    size_t mark = der_open(&info, DER_SEQUENCE);
    der_integer(&info, version);
    der_raw(&info, BYTES("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\x61", 14));
    spki_put(&info);
    if (attributes) {
        size_t set = der_open(&info, DER_CONTEXT_CONSTRUCTED(0));
        der_raw(&info, buf_bytes(attributes));
        der_close(&info, set);
    }
    der_close(&info, mark);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    cr_assert_eq(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, test_key()), 1);
    cr_assert_eq(EVP_DigestSign(context, signature, &n, info.p, info.n), 1);
    EVP_MD_CTX_free(context);
    signed_wrap(buf_bytes(&info), BYTES(algorithm, sizeof algorithm), BYTES(signature, n), &whole);
    struct bytes der = arena_bytes(&arena, buf_bytes(&whole));
    cr_assert(der.p && !info.failed && !whole.failed);
    buf_free(&info);
    buf_free(&whole);
    return der;
}

static void attribute_put(struct buf *b, const char *oid, int tag, const void *p, size_t n)
{
    size_t attribute = der_open(b, DER_SEQUENCE);
    der_oid(b, oid);
    size_t set = der_open(b, DER_SET);
    der_value(b, tag, p, n);
    der_close(b, set);
    der_close(b, attribute);
}

static void extension_put(struct buf *b, const char *oid, const void *p, size_t n)
{
    size_t extension = der_open(b, DER_SEQUENCE);
    der_oid(b, oid);
    der_value(b, DER_OCTET_STRING, p, n);
    der_close(b, extension);
}

#define CHALLENGE "1.2.840.113549.1.9.7"
#define EXTENSIONS "1.2.840.113549.1.9.14"
#define EXTENSIONS_MS "1.3.6.1.4.1.311.2.1.14"

/* ---- what others wrote ---- */

Test(csr, a_full_request)
{
    struct csr c = decoded(rsa_sha256);
    cr_expect_str_eq(name_text(&c.claims.subject, &arena), "C=DE,O=Example,CN=device-7");
    cr_expect_str_eq(c.challenge, "s3cret challenge");
    cr_expect_eq(c.version, 0);
    cr_expect_eq(c.hash, HASH_SHA256);
    cr_expect_eq(c.key.kind, KEY_RSA);
    cr_expect_eq(c.key.size, 2048);
    cr_expect(c.key.exponent_ok);
    cr_expect(c.ca_requested);
    cr_expect(c.claims.has_key_usage);
    cr_expect_eq(c.claims.key_usage, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
    cr_assert(c.claims.has_ekus && c.claims.ekus.count == 2);
    cr_expect_str_eq(c.claims.ekus.items[0], EKU_CLIENT_AUTH);
    cr_expect_str_eq(c.claims.ekus.items[1], "1.3.6.1.4.1.311.10.3.4");
    static const struct san sans[] = {
        {SAN_EMAIL, "a@example.org"}, {SAN_DNS, "device-7.example.org"}, {SAN_URI, "https://example.org/d/7"},
        {SAN_IP, "8704c0000201"}, {SAN_UPN, "a@example.org"}, {SAN_DIRECTORY, "a4123010310e300c06035504030c05696e6e6572"},
    };
    cr_assert(c.claims.has_sans && c.claims.sans.count == COUNT(sans));
    for (size_t i = 0; i < COUNT(sans); i++) {
        cr_expect_eq(c.claims.sans.items[i].type, sans[i].type);
        cr_expect_str_eq(c.claims.sans.items[i].value, sans[i].value);
    }
}

Test(csr, other_requests)
{
    static const struct {
        const char *text, *subject;
        uint32_t hash, kind, size;
        bool exponent_ok;
        enum result verify;
        const char *why;
    } cases[] = {
        {rsa_sha256, "C=DE,O=Example,CN=device-7", HASH_SHA256, KEY_RSA, 2048, true, R_OK, "RSA, SHA-256"},
        {rsa_sha1_bmp, "CN=Ger\xc3\xa4t \xce\xa9,O=B", HASH_SHA1, KEY_RSA, 2048, true, R_OK, "SHA-1 is taken here, BMPString"},
        {ec_sha384_t61, "CN=Ger\xc3\xa4t,O=T", HASH_SHA384, KEY_EC, 384, false, R_OK, "ECDSA, T61String"},
        {ed25519, "CN=ed", HASH_OTHER, KEY_OTHER, 0, false, R_SIGNATURE_FAILED, "Ed25519 is read and not verified"},
        {rsa_e3, "CN=three", HASH_SHA256, KEY_RSA, 2048, false, R_OK, "exponent 3 verifies; a profile refuses it"},
        {rsa1024_md5, "CN=old", HASH_MD5, KEY_RSA, 1024, true, R_OK, "MD5 verifies; the profile refuses it"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct csr c = decoded(cases[i].text);
        cr_expect_str_eq(name_text(&c.claims.subject, &arena), cases[i].subject, "%s", cases[i].why);
        cr_expect_eq(c.hash, cases[i].hash, "%s", cases[i].why);
        cr_expect_eq(c.key.kind, cases[i].kind, "%s", cases[i].why);
        cr_expect_eq(c.key.size, cases[i].size, "%s", cases[i].why);
        cr_expect_eq(c.key.exponent_ok, cases[i].exponent_ok, "%s", cases[i].why);
        cr_expect_eq(csr_verify(&c), cases[i].verify, "%s", cases[i].why);
    }
}

Test(csr, a_changed_request_does_not_verify)
{
    static const char *const texts[] = {rsa_sha256, rsa_sha1_bmp, ec_sha384_t61};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct bytes der = unbase64(texts[i]);
        uint8_t *p = arena_copy(&arena, der.p, der.n);
        struct csr c;
        for (size_t at = 20; at < der.n; at += 7) {
            p[at] ^= 0x04;
            if (csr_decode(BYTES(p, der.n), &arena, &c) == R_OK)
                cr_expect_eq(csr_verify(&c), R_SIGNATURE_FAILED, "request %zu, byte %zu", i, at);
            p[at] ^= 0x04;
        }
    }
}

/* Each piece is on its own, so that a sanitizer sees reading behind the end. */
Test(csr, cut_anywhere)
{
    static const char *const texts[] = {rsa_sha256, rsa_sha1_bmp, ec_sha384_t61, ed25519};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct bytes der = unbase64(texts[i]);
        for (size_t n = 0; n < der.n; n++) {
            struct csr c;
            uint8_t *piece = malloc(n + (n == 0));
            cr_assert_not_null(piece);
            memcpy(piece, der.p, n);
            cr_expect_eq(csr_decode(BYTES(piece, n), &arena, &c), R_CSR_DECODING_FAILED, "request %zu cut at %zu", i, n);
            free(piece);
        }
    }
}

Test(csr, any_byte_changed_does_no_harm)
{
    struct bytes der = unbase64(rsa_sha256);
    uint8_t *p = malloc(der.n);
    cr_assert_not_null(p);
    memcpy(p, der.p, der.n);
    for (size_t at = 0; at < der.n; at++) {
        for (unsigned v = 0; v < 256; v += 3) {
            struct arena small;
            struct csr c;
            arena_init(&small, LIMIT_ARENA_REQUEST);
            p[at] = (uint8_t)v;
            enum result r = csr_decode(BYTES(p, der.n), &small, &c);
            cr_expect(r == R_OK || r == R_CSR_DECODING_FAILED);
            arena_free(&small);
        }
        p[at] = der.p[at];
    }
    free(p);
}

/* ---- what is tolerated and what is not ---- */

Test(csr, versions)
{
    static const int64_t versions[] = {0, 1, 2, -1, INT64_MAX};
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct csr c;
        cr_assert_eq(csr_decode(request(versions[i], NULL), &arena, &c), R_OK, "no attributes at all, odd version");
        cr_expect_eq(c.version, versions[i]);
        cr_expect_eq(csr_verify(&c), R_OK);
        cr_expect_null(c.challenge);
        cr_expect(!c.claims.has_sans && !c.claims.has_ekus && !c.claims.has_key_usage && !c.ca_requested);
    }
}

Test(csr, challenges)
{
    static const struct { int tag; const char *p; size_t n; enum result r; const char *challenge, *why; } cases[] = {
        {DER_PRINTABLE_STRING, "abc", 3, R_OK, "abc", "PrintableString"},
        {DER_UTF8_STRING, "abc+/=", 6, R_OK, "abc+/=", "UTF8String"},
        {DER_IA5_STRING, "abc", 3, R_OK, "abc", "IA5String"},
        {DER_T61_STRING, "abc", 3, R_OK, "abc", "T61String"},
        {DER_BMP_STRING, "\0a\0b\0c", 6, R_OK, "abc", "BMPString"},
        {DER_BMP_STRING, "\0a\0b\0\0", 6, R_OK, "ab", "BMPString with a NUL behind"},
        {DER_UTF8_STRING, "abc\0", 4, R_OK, "abc", "a NUL behind"},
        {DER_UTF8_STRING, "abc \0 \r\n", 8, R_OK, "abc", "blanks and NULs behind"},
        {DER_UTF8_STRING, " abc", 4, R_OK, " abc", "blanks before stay"},
        {DER_UTF8_STRING, "", 0, R_OK, NULL, "empty is none"},
        {DER_UTF8_STRING, " \0", 2, R_OK, NULL, "blank is none"},
        {DER_UTF8_STRING, "a\0b", 3, R_CSR_DECODING_FAILED, NULL, "a NUL inside"},
        {DER_UTF8_STRING, "\xff", 1, R_CSR_DECODING_FAILED, NULL, "not UTF-8"},
        {DER_OCTET_STRING, "abc", 3, R_CSR_DECODING_FAILED, NULL, "no string"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf attributes;
        struct csr c = {.challenge = "before"};
        buf_init(&attributes, 1 << 16);
        attribute_put(&attributes, CHALLENGE, cases[i].tag, cases[i].p, cases[i].n);
        cr_expect_eq(csr_decode(request(0, &attributes), &arena, &c), cases[i].r, "%s", cases[i].why);
        if (cases[i].r == R_OK && cases[i].challenge)
            cr_expect_str_eq(c.challenge, cases[i].challenge, "%s", cases[i].why);
        else if (cases[i].r == R_OK)
            cr_expect_null(c.challenge, "%s", cases[i].why);
        buf_free(&attributes);
    }
}

Test(csr, length_of_a_challenge)
{
    static char text[LIMIT_CHALLENGE_FIELD + 1];
    memset(text, 'x', sizeof text);
    for (size_t extra = 0; extra <= 1; extra++) {
        struct buf attributes;
        struct csr c;
        buf_init(&attributes, 1 << 20);
        attribute_put(&attributes, CHALLENGE, DER_UTF8_STRING, text, LIMIT_CHALLENGE_FIELD + extra);
        cr_expect_eq(csr_decode(request(0, &attributes), &arena, &c), extra ? R_CSR_DECODING_FAILED : R_OK);
        buf_free(&attributes);
    }
}

/* keyUsage digitalSignature; EKU clientAuth; SAN a.b */
static const uint8_t usage[] = {0x03, 0x02, 0x07, 0x80};
static const uint8_t eku[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
static const uint8_t san[] = {0x30, 0x05, 0x82, 0x03, 'a', '.', 'b'};

struct asked { const char *attribute, *extension; const uint8_t *p; size_t n; };

static void asked_put(struct buf *attributes, const struct asked *asked, size_t count)
{
    for (size_t i = 0; i < count && asked[i].attribute; ) {
        struct buf list;
        const char *oid = asked[i].attribute;
        buf_init(&list, 1 << 16);
        do
            extension_put(&list, asked[i].extension, asked[i].p, asked[i].n);
        while (++i < count && asked[i].attribute == oid);
        attribute_put(attributes, oid, DER_SEQUENCE, list.p, list.n);
        buf_free(&list);
    }
}

Test(csr, requested_extensions)
{
    static const char pkcs9[] = EXTENSIONS, microsoft[] = EXTENSIONS_MS;
    static const struct { struct asked asked[3]; enum result r; uint32_t usage, ekus, sans; const char *why; } cases[] = {
        {{{pkcs9, "2.5.29.15", usage, 4}, {pkcs9, "2.5.29.37", eku, 12}, {pkcs9, "2.5.29.17", san, 7}}, R_OK, 1, 1, 1, "PKCS#9"},
        {{{microsoft, "2.5.29.15", usage, 4}, {microsoft, "2.5.29.37", eku, 12}}, R_OK, 1, 1, 0, "Microsoft's OID"},
        {{{pkcs9, "2.5.29.15", usage, 4}, {microsoft, "2.5.29.37", eku, 12}}, R_OK, 1, 1, 0, "both"},
        {{{pkcs9, "2.5.29.15", usage, 4}, {microsoft, "2.5.29.15", usage, 4}}, R_CSR_DECODING_FAILED, 0, 0, 0, "one in both"},
        {{{pkcs9, "2.5.29.15", usage, 4}, {pkcs9, "2.5.29.15", usage, 4}}, R_CSR_DECODING_FAILED, 0, 0, 0, "doubled"},
        {{{pkcs9, "1.2.3", usage, 4}, {pkcs9, "1.2.3", usage, 4}}, R_CSR_DECODING_FAILED, 0, 0, 0, "doubled and unknown"},
        {{{pkcs9, "1.2.3", usage, 4}}, R_OK, 0, 0, 0, "unknown: ignored"},
        {{{pkcs9, "2.5.29.15", san, 7}}, R_CSR_DECODING_FAILED, 0, 0, 0, "no key usage"},
        {{{pkcs9, "2.5.29.17", usage, 4}}, R_CSR_DECODING_FAILED, 0, 0, 0, "no SAN"},
        {{{pkcs9, "2.5.29.37", san, 7}}, R_CSR_DECODING_FAILED, 0, 0, 0, "no EKU"},
        {{{pkcs9, "2.5.29.19", usage, 4}}, R_CSR_DECODING_FAILED, 0, 0, 0, "no basicConstraints"},
        {{{pkcs9, "2.5.29.15", usage, 3}}, R_CSR_DECODING_FAILED, 0, 0, 0, "cut"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf attributes;
        struct csr c;
        buf_init(&attributes, 1 << 16);
        asked_put(&attributes, cases[i].asked, COUNT(cases[i].asked));
        cr_expect_eq(csr_decode(request(0, &attributes), &arena, &c), cases[i].r, "%s", cases[i].why);
        if (cases[i].r == R_OK) {
            cr_expect_eq(c.claims.key_usage, cases[i].usage, "%s", cases[i].why);
            cr_expect_eq(c.claims.has_key_usage, cases[i].usage > 0, "%s", cases[i].why);
            cr_expect_eq(c.claims.ekus.count, cases[i].ekus, "%s", cases[i].why);
            cr_expect_eq(c.claims.sans.count, cases[i].sans, "%s", cases[i].why);
            cr_expect_eq(csr_verify(&c), R_OK, "%s", cases[i].why);
        }
        buf_free(&attributes);
    }
}

Test(csr, attributes_that_are_refused)
{
    static const struct { const char *hex; enum result r; const char *why; } cases[] = {
        {"30080604" "2a030405" "3100", R_OK, "an unknown attribute without values"},
        {"30080604" "2a030405" "3100" "30080604" "2a030405" "3100", R_CSR_DECODING_FAILED, "doubled, though unknown"},
        {"300d0609" "2a864886f70d010907" "3100", R_CSR_DECODING_FAILED, "a challenge without value"},
        {"30130609" "2a864886f70d010907" "3106" "0c0161" "0c0162", R_CSR_DECODING_FAILED, "two challenges in one"},
        {"30100609" "2a864886f70d010907" "3103" "0c0161" "30100609" "2a864886f70d010907" "3103" "0c0161",
         R_CSR_DECODING_FAILED, "the challenge doubled"},
        {"300d0609" "2a864886f70d01090e" "3100", R_CSR_DECODING_FAILED, "extensions without value"},
        {"300f0609" "2a864886f70d01090e" "31023000", R_OK, "no extensions"},
        {"30110609" "2a864886f70d01090e" "310430003000", R_CSR_DECODING_FAILED, "two lists of extensions"},
        {"0500", R_CSR_DECODING_FAILED, "no attribute"},
        {"3000", R_CSR_DECODING_FAILED, "an empty attribute"},
        {"300a0604" "2a030405" "3100" "0500", R_CSR_DECODING_FAILED, "something behind the values"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t room[128];
        size_t n = sizeof room;
        struct buf attributes;
        struct csr c;
        buf_init(&attributes, 256);
        cr_assert_eq(hex_decode(cases[i].hex, room, &n), R_OK);
        buf_append(&attributes, room, n);
        cr_expect_eq(csr_decode(request(0, &attributes), &arena, &c), cases[i].r, "%s", cases[i].why);
        buf_free(&attributes);
    }
}

Test(csr, many_of_everything)
{
    static const struct { uint32_t sans, attributes; enum result r; const char *why; } cases[] = {
        {LIMIT_SANS, 1, R_OK, "as many SANs as may be"},
        {LIMIT_SANS + 1, 1, R_CSR_DECODING_FAILED, "one SAN more"},
        {10000, 1, R_CSR_DECODING_FAILED, "ten thousand SANs"},
        {0, LIMIT_EXTENSIONS, R_OK, "as many attributes as may be"},
        {0, LIMIT_EXTENSIONS + 1, R_CSR_DECODING_FAILED, "one attribute more"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf names, list, attributes;
        struct csr c;
        buf_init(&names, 1 << 20);
        buf_init(&list, 1 << 20);
        buf_init(&attributes, 1 << 20);
        size_t mark = der_open(&names, DER_SEQUENCE);
        for (uint32_t j = 0; j < cases[i].sans; j++)
            der_value(&names, DER_CONTEXT(2), "a.b", 3);
        der_close(&names, mark);
        extension_put(&list, "2.5.29.17", names.p, names.n);
        attribute_put(&attributes, EXTENSIONS, DER_SEQUENCE, list.p, list.n);
        for (uint32_t j = 1; j < cases[i].attributes; j++) {
            char oid[32];
            snprintf(oid, sizeof oid, "1.2.3.%u", j);
            attribute_put(&attributes, oid, DER_NULL, NULL, 0);
        }
        cr_expect_eq(csr_decode(request(0, &attributes), &arena, &c), cases[i].r, "%s", cases[i].why);
        buf_free(&names);
        buf_free(&list);
        buf_free(&attributes);
    }
}

Test(csr, bytes_behind_and_great_size)
{
    struct bytes der = unbase64(ec_sha384_t61);
    struct csr c;
    uint8_t *p = arena_alloc(&arena, LIMIT_CERTIFICATE + 1);
    memcpy(p, der.p, der.n);
    cr_expect_eq(csr_decode(BYTES(p, der.n + 1), &arena, &c), R_CSR_DECODING_FAILED, "a byte behind");
    cr_expect_eq(csr_decode(BYTES(p, LIMIT_CERTIFICATE + 1), &arena, &c), R_CSR_DECODING_FAILED, "too large");
    struct arena small;
    arena_init(&small, der.n + 32);
    cr_expect_eq(csr_decode(der, &small, &c), R_NO_MEMORY, "memory is not the request's fault");
    arena_free(&small);
}
