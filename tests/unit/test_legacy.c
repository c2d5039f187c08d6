/* The library context for old algorithms: there when needed, apart from the default one, and no harm where it cannot be had. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "lib/base/log.h"
#include "lib/codec/evp.h"
#include "lib/codec/legacy.h"

#define DATA BYTES("abc", 3)
#define MD5_OF_DATA "\x90\x01\x50\x98\x3c\xd2\x4f\xb0\xd6\x96\x3f\x7d\x28\xe1\x7f\x72"        /* RFC 1321 appendix A.5 */

static void setup(void) { log_to(-1); }
TestSuite(legacy, .init = setup);

static uint8_t spki[2048], signature[512];

/* A public key, and DATA signed by it. */
static struct public_key signed_with(const EVP_MD *md, size_t *n)
{
    struct public_key k;
    uint8_t *p = spki;
    EVP_PKEY *key = EVP_RSA_gen(2048);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int size = i2d_PUBKEY(key, &p);

    cr_assert(size > 0 && (size_t)size <= sizeof spki);
    cr_assert_eq(public_key_decode(BYTES(spki, (size_t)size), &k), R_OK);
    *n = sizeof signature;
    cr_assert(EVP_DigestSignInit(c, NULL, md, NULL, key) == 1 && EVP_DigestSign(c, signature, n, DATA.p, DATA.n) == 1);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    return k;
}

Test(legacy, it_is_there_and_apart)
{
    cr_assert_not_null(legacy_context());
    cr_expect_eq(legacy_context(), legacy_context(), "made once");
    cr_expect_not_null(legacy_md5());
    cr_expect_not_null(legacy_des_cbc());
    EVP_CIPHER *des = EVP_CIPHER_fetch(NULL, "DES-CBC", NULL);
    cr_expect_null(des, "the default context does not know DES");
    cr_expect_eq(OSSL_PROVIDER_available(NULL, "legacy"), 0);
    cr_expect_null(evp_hash(HASH_MD5), "who asks for a hash does not get MD5");
    EVP_CIPHER_free(des);
}

Test(legacy, digests)
{
    static const struct { uint32_t hash; bool known; unsigned size; const char *why; } cases[] = {
        {HASH_SHA256, true, 32, "SHA-256"}, {HASH_SHA384, true, 48, "SHA-384"}, {HASH_SHA512, true, 64, "SHA-512"},
        {HASH_SHA1, true, 20, "SHA-1"}, {HASH_MD5, true, 16, "MD5"}, {HASH_OTHER, false, 0, "none of ours"},
        {99, false, 0, "no hash"},
    };
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        n = 0;
        cr_expect_eq(evp_digest(DATA, cases[i].hash, digest, &n), cases[i].known, "%s", cases[i].why);
        cr_expect_eq(n, cases[i].size, "%s", cases[i].why);
        cr_expect_eq(evp_digest(BYTES_NONE, cases[i].hash, digest, &n), cases[i].known, "%s of nothing", cases[i].why);
    }
    cr_assert(evp_digest(DATA, HASH_MD5, digest, &n));
    cr_expect(bytes_equal(BYTES(digest, n), BYTES(MD5_OF_DATA, 16)));
}

Test(legacy, signatures)
{
    static const struct { int nid; uint32_t asked; enum result r; const char *why; } cases[] = {
        {NID_md5, HASH_MD5, R_OK, "MD5"},
        {NID_sha1, HASH_SHA1, R_OK, "SHA-1"},
        {NID_sha256, HASH_SHA256, R_OK, "SHA-256"},
        {NID_md5, HASH_SHA256, R_SIGNATURE_FAILED, "MD5 for SHA-256"},
        {NID_sha256, HASH_MD5, R_SIGNATURE_FAILED, "SHA-256 for MD5"},
        {NID_sha256, HASH_OTHER, R_SIGNATURE_FAILED, "no hash"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n;
        struct public_key k = signed_with(EVP_get_digestbynid(cases[i].nid), &n);
        cr_expect_eq(evp_verify(&k, cases[i].asked, DATA, BYTES(signature, n)), cases[i].r, "%s", cases[i].why);
        signature[n / 2] ^= 1;
        cr_expect_eq(evp_verify(&k, cases[i].asked, DATA, BYTES(signature, n)), R_SIGNATURE_FAILED, "%s, changed", cases[i].why);
        cr_expect_eq(ERR_peek_error(), 0, "%s: OpenSSL's error queue is left empty", cases[i].why);
    }
}

Test(legacy, where_the_provider_is_missing)
{
    char line[4096] = "";
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n;
    size_t size;
    int ends[2];

    cr_assert_eq(setenv("OPENSSL_MODULES", "/nonexistent", 1), 0);
    struct public_key k = signed_with(EVP_md5(), &size);
    cr_assert_eq(pipe(ends), 0);
    log_to(ends[1]);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_null(legacy_context());
        cr_expect_null(legacy_md5());
        cr_expect_null(legacy_des_cbc());
        cr_expect_not(evp_digest(DATA, HASH_MD5, digest, &n));
        cr_expect_eq(evp_verify(&k, HASH_MD5, DATA, BYTES(signature, size)), R_SIGNATURE_FAILED);
    }
    log_to(-1);
    close(ends[1]);
    cr_assert_gt(read(ends[0], line, sizeof line - 1), 0, "it is logged");
    close(ends[0]);
    char *first = strstr(line, "load the legacy algorithms");
    cr_assert_not_null(first, "%s", line);
    cr_expect_null(strstr(first + 1, "load the legacy algorithms"), "once");
    cr_expect(evp_digest(DATA, HASH_SHA256, digest, &n), "all else goes on");
}
