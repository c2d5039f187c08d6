/* Files as people get them from a CA. */
#include <criterion/criterion.h>

#include <string.h>

#include <openssl/x509.h>

#include "lib/base/limits.h"
#include "lib/codec/bundle.h"
#include "lib/codec/cms.h"
#include "lib/codec/der.h"

#define COUNT(x) (sizeof (x) / sizeof (x)[0])
#define B(text) BYTES(text, sizeof text - 1)
#define CERTIFICATES 3

static struct arena arena;
static struct bytes certificates[CERTIFICATES];

static struct bytes certificate_made(int serial)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    uint8_t *der = NULL;
    cr_assert(key && x && ASN1_INTEGER_set(X509_get_serialNumber(x), serial));
    cr_assert(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const uint8_t *)"ca", -1, -1, 0));
    cr_assert(X509_gmtime_adj(X509_getm_notBefore(x), 0) && X509_gmtime_adj(X509_getm_notAfter(x), 86400)
              && X509_set_pubkey(x, key));
    cr_assert(X509_sign(x, key, EVP_sha256()));
    int n = i2d_X509(x, &der);
    cr_assert_gt(n, 0);
    struct bytes made = arena_bytes(&arena, BYTES(der, (size_t)n));
    OPENSSL_free(der);
    X509_free(x);
    EVP_PKEY_free(key);
    return made;
}

static void setup(void)
{
    arena_init(&arena, 16 * LIMIT_ARENA_REQUEST);
    for (int i = 0; i < CERTIFICATES; i++)
        certificates[i] = certificate_made(i + 1);
}
static void teardown(void) { arena_free(&arena); }
TestSuite(bundle, .init = setup, .fini = teardown);

/* ---- files, written by a word for each of their parts ---- */

static void pem(struct buf *out, const char *label, struct bytes der) { cr_assert_eq(pem_encode(label, der, out), R_OK); }

static struct bytes listed(const char *digits)
{
    struct buf all;
    buf_init(&all, 1 << 20);
    for (; *digits; digits++)
        buf_append(&all, certificates[*digits - '0'].p, certificates[*digits - '0'].n);
    struct bytes copy = arena_bytes(&arena, buf_bytes(&all));
    buf_free(&all);
    return copy;
}

static struct bytes signed_data(const char *digits)
{
    struct bytes list[CERTIFICATES];
    uint32_t count = 0;
    struct buf der;
    for (; *digits; digits++)
        list[count++] = certificates[*digits - '0'];
    buf_init(&der, 1 << 20);
    cr_assert_eq(cms_certificates(list, count, &der), R_OK);
    struct bytes copy = arena_bytes(&arena, buf_bytes(&der));
    buf_free(&der);
    return copy;
}

/* Every length indefinite, and an attribute certificate (by its tag) among the others. */
static struct bytes signed_data_ber(const char *digits)
{
    struct bytes list = listed(digits);
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_append(&b, "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x80\x00\x00", 24);
    buf_append(&b, "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x00\x00", 15);
    buf_append(&b, "\xa0\x80\xa2\x03\x02\x01\x01", 7);
    buf_append(&b, list.p, list.n);
    buf_append(&b, "\x00\x00\x31\x00\x00\x00\x00\x00\x00\x00", 10);
    struct bytes copy = arena_bytes(&arena, buf_bytes(&b));
    buf_free(&b);
    return copy;
}

/* The PEM of a certificate with base64 in lines of that length, 0: in one, and that line end. */
static void pem_lines(struct buf *out, struct bytes der, size_t width, const char *end)
{
    char *text = arena_alloc(&arena, base64_size(der.n));
    base64_encode(text, der.p, der.n);
    buf_printf(out, "-----BEGIN CERTIFICATE-----%s", end);
    for (size_t at = 0, n = strlen(text); at < n; at += width ? width : n)
        buf_printf(out, "%.*s%s", (int)(width ? width : n), text + at, end);
    buf_printf(out, "-----END CERTIFICATE-----%s", end);
}

static void trusted(struct buf *out, struct bytes der)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_append(&b, der.p, der.n);
    buf_append(&b, "\x30\x06\x0c\x04name", 8);
    pem(out, "TRUSTED CERTIFICATE", buf_bytes(&b));
    buf_free(&b);
}

/* What a word adds: its first character says what, the digits after it which certificates; other words are text as they stand. */
static void part(struct buf *out, const char *word)
{
    struct bytes first = word[1] >= '0' && word[1] < '0' + CERTIFICATES ? certificates[word[1] - '0'] : BYTES_NONE;
    switch (word[0]) {
    case 'd': buf_append(out, first.p, first.n); break;
    case 'p': pem(out, "CERTIFICATE", first); break;
    case 'x': pem(out, "X509 CERTIFICATE", first); break;
    case 't': trusted(out, first); break;
    case 'r': pem(out, "CERTIFICATE REQUEST", first); break;
    case 'k': pem(out, "PRIVATE KEY", first); break;
    case 'e': pem(out, "ENCRYPTED PRIVATE KEY", first); break;
    case 'E': pem(out, "EC PRIVATE KEY", first); break;
    case 'w': pem_lines(out, first, 0, "\r\n"); break;
    case 'n': pem_lines(out, first, 7, "\n"); break;
    case 'm': pem_lines(out, first, 76, "\r"); break;
    case '7': pem(out, "PKCS7", signed_data(word + 1)); break;
    case 'c': pem(out, "CMS", signed_data(word + 1)); break;
    case 'b': pem(out, "PKCS7", signed_data_ber(word + 1)); break;
    case 'S': { struct bytes s = signed_data(word + 1); buf_append(out, s.p, s.n); break; }
    case 'I': { struct bytes s = signed_data_ber(word + 1); buf_append(out, s.p, s.n); break; }
    default: buf_text(out, word + 1);
    }
}

static const struct { const char *parts[6]; const char *found, *fault, *why; } cases[] = {
    {{"d0"}, "0", NULL, "DER"},
    {{"p0"}, "0", NULL, "PEM"},
    {{"x0"}, "0", NULL, "the label of old"},
    {{"t1"}, "1", NULL, "OpenSSL's, with what it is trusted for behind"},
    {{"p2", "p0", "p1"}, "201", NULL, "several, in their order"},
    {{"p0", "p0"}, "00", NULL, "the same twice"},
    {{"=0 means nothing\n", "p0", "=subject=/CN=x\nissuer=/CN=y\n", "p1", "=bye"}, "01", NULL,
     "text around, beginning with the tag of a SEQUENCE"},
    {{"=\xef\xbb\xbf", "p0"}, "0", NULL, "a byte order mark"},
    {{"w0", "n1", "m2"}, "012", NULL, "lines of any length, with any end"},
    {{"p0", "r1", "p2"}, "02", NULL, "a block of another kind is passed over"},
    {{"S012"}, "012", NULL, "PKCS#7 in DER"},
    {{"I210"}, "210", NULL, "PKCS#7 in BER, an attribute certificate passed over"},
    {{"701"}, "01", NULL, "PKCS#7 in PEM"},
    {{"c2", "p0"}, "20", NULL, "CMS in PEM, and a certificate"},
    {{"b10"}, "10", NULL, "BER in PEM"},
    {{"p0", "k1"}, NULL, "private key", "a private key behind the certificate"},
    {{"e1", "p0"}, NULL, "private key", "an encrypted one before it"},
    {{"E1"}, NULL, "private key", "one alone, in the form of old"},
    {{"=\x30\x03\x02\x01\x01"}, NULL, "private key", "a DER SEQUENCE that begins with a number is a key or PKCS#12"},
    {{"=\x30\x05\x30\x03\x06\x01\x2a"}, NULL, "private key", "one that begins with an algorithm is an encrypted key"},
    {{"=\x30\x03\x06\x01\x2a"}, NULL, "signed data", "PKCS#7 of another kind"},
    {{"=\x30\x03\x0c\x01x"}, NULL, "something else", "anything else in DER"},
    {{"="}, NULL, "no certificate", "nothing"},
    {{"=only text\n"}, NULL, "no certificate", "text alone"},
    {{"r0"}, NULL, "no certificate", "a request alone"},
    {{"7"}, NULL, "no certificate", "PKCS#7 without certificates"},
    {{"d0", "d1"}, NULL, "no certificate", "DER behind DER is no one object"},
    {{"d0", "=x"}, NULL, "no certificate", "nor is anything else behind it"},
    {{"=-----BEGIN CERTIFICATE-----\nAAAA\n"}, NULL, "without an end", "no end"},
    {{"=-----BEGIN CERTIFICATE"}, NULL, "without an end", "not even of the line"},
    {{"=-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATES-----\n"}, NULL, "without an end", "another end"},
    {{"=-----BEGIN CERTIFICATE-----\nAAAA\n-----END "}, NULL, "without an end", "half an end"},
    {{"=-----BEGIN CERTIFICATE-----\nA: b\n\nAAAA\n-----END CERTIFICATE-----\n"}, NULL, "not base64", "headers"},
    {{"=-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"}, NULL, "cannot be read", "an empty block"},
    {{"=-----BEGIN CERTIFICATE-----\nMAMCAQE\n-----END CERTIFICATE-----\n"}, "?", NULL,
     "what is in a block is judged by who decodes it"},
    {{"=-----BEGIN CMS-----\nMAMCAQE=\n-----END CMS-----\n"}, NULL, "signed data", "no CMS in the block"},
};

Test(bundle, files)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bundle b = {0};
        struct buf file;
        const char *fault = NULL;
        buf_init(&file, 1 << 20);
        for (size_t k = 0; k < COUNT(cases[i].parts) && cases[i].parts[k]; k++)
            part(&file, cases[i].parts[k]);
        enum result r = bundle_add(buf_bytes(&file), &arena, &b, &fault);
        if (cases[i].fault) {
            cr_expect_eq(r, R_BAD_INPUT, "%s: %s", cases[i].why, result_name(r));
            cr_expect(fault && strstr(fault, cases[i].fault), "%s: %s", cases[i].why, fault);
        } else {
            cr_expect_eq(r, R_OK, "%s: %s", cases[i].why, fault);
            cr_expect_eq(b.count, strlen(cases[i].found), "%s: %u", cases[i].why, b.count);
            for (uint32_t k = 0; k < b.count && cases[i].found[k] != '?'; k++)
                cr_expect(bytes_equal(b.items[k], certificates[cases[i].found[k] - '0']), "%s: certificate %u", cases[i].why, k);
        }
        buf_free(&file);
    }
}

/* Every truncation is refused, or gives certificates that were there. */
Test(bundle, truncated)
{
    static const char *const words[] = {"d0", "S01", "I01", "701", "p0"};
    for (size_t i = 0; i < COUNT(words); i++) {
        struct buf file;
        buf_init(&file, 1 << 20);
        part(&file, words[i]);
        for (size_t n = 0; n < file.n; n++) {
            struct bundle b = {0};
            const char *fault = NULL;
            /* In memory of its own, so that reading behind its end is seen. */
            struct bytes cut = arena_bytes(&arena, BYTES(file.p, n));
            enum result r = bundle_add(cut, &arena, &b, &fault);
            cr_expect(r == R_BAD_INPUT ? fault != NULL : r == R_OK && strchr("dSI", words[i][0]) == NULL, "%s cut at %zu: %s",
                      words[i], n, result_name(r));
        }
        buf_free(&file);
        arena_free(&arena);
        setup();
    }
}

Test(bundle, limits)
{
    struct bundle b = {0};
    struct buf file;
    const char *fault = NULL;
    buf_init(&file, 2 * LIMIT_UPLOAD);
    for (int i = 0; i < LIMIT_UPLOAD_CERTIFICATES; i++)
        part(&file, "p0");
    cr_expect_eq(bundle_add(buf_bytes(&file), &arena, &b, &fault), R_OK, "as many as there may be: %s", fault);
    cr_expect_eq(b.count, LIMIT_UPLOAD_CERTIFICATES);
    cr_expect_eq(bundle_add(certificates[0], &arena, &b, &fault), R_TOO_LARGE, "one more, in another file");
    cr_expect(fault && strstr(fault, "too many"), "%s", fault);
    buf_reset(&file);
    part(&file, "p0");
    while (file.n < LIMIT_UPLOAD)
        buf_byte(&file, '\n');
    b = (struct bundle){0};
    cr_expect_eq(bundle_add(buf_bytes(&file), &arena, &b, &fault), R_OK, "as many bytes as there may be: %s", fault);
    buf_byte(&file, '\n');
    b = (struct bundle){0};
    cr_expect_eq(bundle_add(buf_bytes(&file), &arena, &b, &fault), R_TOO_LARGE, "one more");
    buf_free(&file);
}
