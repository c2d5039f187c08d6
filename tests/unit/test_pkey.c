#include <criterion/criterion.h>

#include <string.h>

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "lib/base/log.h"
#include "lib/codec/pkey.h"

#define LIMIT 1048576
#define PASSPHRASE "6b1d3c0f5a7e9b24"

static struct arena arena;

static void setup(void)
{
    log_to(-1);
    arena_init(&arena, LIMIT);
}

static void teardown(void)
{
    arena_free(&arena);
}

static struct pkey *generated(unsigned bits)
{
    struct pkey *k = NULL;

    cr_assert_eq(pkey_generate_rsa(bits, &k), R_OK);
    return k;
}

/* EncryptedPrivateKeyInfo of a key made by OpenSSL alone. */
static struct bytes encrypted(EVP_PKEY *key, int pbe, int pbkdf2_rounds)
{
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    X509_SIG *sealed = PKCS8_encrypt(pbe, pbe == -1 ? EVP_aes_256_cbc() : NULL, PASSPHRASE, -1, NULL, 0, pbkdf2_rounds, info);
    int n = i2d_X509_SIG(sealed, &der);

    cr_assert(n > 0);
    struct bytes copy = arena_bytes(&arena, BYTES(der, (size_t)n));
    OPENSSL_free(der);
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(key);
    return copy;
}

TestSuite(pkey, .init = setup, .fini = teardown);

Test(pkey, sizes_that_are_generated)
{
    static const struct { unsigned bits; enum result r; const char *why; } cases[] = {
        {2048, R_OK, "the least"},
        {3072, R_OK, "the middle"},
        {1024, R_BAD_INPUT, "too small"},
        {2049, R_BAD_INPUT, "an odd size"},
        {8192, R_BAD_INPUT, "too large"},
        {0, R_BAD_INPUT, "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pkey *k = NULL;
        struct bytes spki;
        struct public_key public;
        cr_expect_eq(pkey_generate_rsa(cases[i].bits, &k), cases[i].r, "%s", cases[i].why);
        if (k != NULL) {
            cr_expect_eq(pkey_size(k), cases[i].bits, "%s", cases[i].why);
            cr_assert_eq(pkey_spki(k, &arena, &spki), R_OK);
            cr_assert_eq(public_key_decode(spki, &public), R_OK);
            cr_expect(public.kind == KEY_RSA && public.size == cases[i].bits && public.exponent_ok, "%s", cases[i].why);
        }
        pkey_free(k);
    }
}

Test(pkey, sealed_key_opens_with_its_passphrase_alone)
{
    struct pkey *k = generated(2048), *again = NULL;
    struct bytes sealed, spki, spki_again, signature;
    struct bytes data = bytes_of_text("to be signed");

    cr_assert_eq(pkey_seal(k, PASSPHRASE, &arena, &sealed), R_OK);
    cr_assert_eq(pkey_spki(k, &arena, &spki), R_OK);
    cr_assert_eq(pkey_open(sealed, PASSPHRASE, &again), R_OK);
    cr_assert_eq(pkey_spki(again, &arena, &spki_again), R_OK);
    cr_expect(bytes_equal(spki, spki_again));
    cr_assert_eq(pkey_sign(again, HASH_SHA256, data, &arena, &signature), R_OK);
    cr_expect_eq(pkey_verify(spki, HASH_SHA256, data, signature), R_OK);
    pkey_free(again);

    uint8_t *changed = arena_copy(&arena, sealed.p, sealed.n);
    changed[110] ^= 1;                          /* in the first blocks of the ciphertext */
    uint8_t *longer = arena_alloc(&arena, sealed.n + 1);
    memcpy(longer, sealed.p, sealed.n);
    const struct { struct bytes der; const char *passphrase, *why; } cases[] = {
        {sealed, "6b1d3c0f5a7e9b25", "another passphrase"},
        {sealed, "", "no passphrase"},
        {BYTES(changed, sealed.n), PASSPHRASE, "the ciphertext changed"},
        {BYTES(longer, sealed.n + 1), PASSPHRASE, "a byte after the end"},
        {BYTES(sealed.p, sealed.n - 1), PASSPHRASE, "a byte short"},
        {BYTES(sealed.p, 0), PASSPHRASE, "empty"},
        {BYTES_NONE, PASSPHRASE, "none"},
        {spki, PASSPHRASE, "another structure"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        again = NULL;
        cr_expect_eq(pkey_open(cases[i].der, cases[i].passphrase, &again), R_BAD_KEY, "%s", cases[i].why);
        cr_expect_null(again, "%s", cases[i].why);
    }
    pkey_free(k);
}

Test(pkey, only_pbes2_and_rsa_of_the_right_size_open)
{
    const struct { EVP_PKEY *key; int pbe; enum result r; const char *why; } cases[] = {
        {EVP_RSA_gen(2048), -1, R_OK, "what openssl pkcs8 -topk8 -v2 writes"},
        {EVP_RSA_gen(2048), NID_pbe_WithSHA1And3_Key_TripleDES_CBC, R_BAD_KEY, "PKCS#12 encryption with 3DES"},
        {EVP_RSA_gen(1024), -1, R_BAD_KEY, "RSA-1024"},
        {EVP_EC_gen("P-256"), -1, R_BAD_KEY, "an EC key"},
        {EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), -1, R_BAD_KEY, "an Ed25519 key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pkey *k = NULL;
        struct bytes der = encrypted(cases[i].key, cases[i].pbe, 2048);
        cr_expect_eq(pkey_open(der, PASSPHRASE, &k), cases[i].r, "%s", cases[i].why);
        pkey_free(k);
    }
}

Test(pkey, encryption_is_as_the_header_says)
{
    /* SEQUENCE { OID PBES2, SEQUENCE { SEQUENCE { OID PBKDF2, SEQUENCE { salt, INTEGER 2048, hmacWithSHA256 } },
     * SEQUENCE { OID aes-256-cbc … */
    static const uint8_t pbes2[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d};
    static const uint8_t rounds[] = {0x02, 0x02, 0x08, 0x00, 0x30, 0x0c, 0x06, 0x08,
                                     0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09};
    static const uint8_t aes[] = {0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a};
    struct pkey *k = generated(2048);
    struct bytes one, two;

    cr_assert_eq(pkey_seal(k, PASSPHRASE, &arena, &one), R_OK);
    cr_assert_eq(pkey_seal(k, PASSPHRASE, &arena, &two), R_OK);
    cr_expect_not_null(memmem(one.p, 100, pbes2, sizeof pbes2));
    cr_expect_not_null(memmem(one.p, 100, rounds, sizeof rounds));
    cr_expect_not_null(memmem(one.p, 120, aes, sizeof aes));
    cr_expect_not(bytes_equal(one, two), "salt and IV are drawn anew");
    pkey_free(k);
}

Test(pkey, private_key_info)
{
    struct pkey *k = generated(2048);
    struct bytes pkcs8;

    cr_assert_eq(pkey_pkcs8(k, &arena, &pkcs8), R_OK);
    const unsigned char *p = pkcs8.p;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)pkcs8.n);
    cr_assert_not_null(key);
    cr_expect_eq(p, pkcs8.p + pkcs8.n);
    cr_expect_eq(EVP_PKEY_get_bits(key), 2048);
    EVP_PKEY_free(key);
    pkey_free(k);
}

Test(pkey, signatures)
{
    static const struct { uint32_t hash; enum result r; const char *why; } cases[] = {
        {HASH_SHA256, R_OK, "SHA-256"},
        {HASH_SHA384, R_OK, "SHA-384"},
        {HASH_SHA512, R_OK, "SHA-512"},
        {HASH_SHA1, R_OK, "SHA-1, for old clients' messages"},
        {HASH_MD5, R_BAD_INPUT, "MD5 is never signed with"},
        {HASH_OTHER, R_BAD_INPUT, "no hash"},
        {77, R_BAD_INPUT, "a number that is none"},
    };
    struct pkey *k = generated(2048);
    struct bytes spki, signature;
    struct bytes data = bytes_of_text("to be signed"), other = bytes_of_text("to be signeD");

    cr_assert_eq(pkey_spki(k, &arena, &spki), R_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(pkey_sign(k, cases[i].hash, data, &arena, &signature), cases[i].r, "%s", cases[i].why);
        if (cases[i].r != R_OK)
            continue;
        cr_expect_eq(signature.n, 256, "%s", cases[i].why);
        cr_expect_eq(pkey_verify(spki, cases[i].hash, data, signature), R_OK, "%s", cases[i].why);
        cr_expect_eq(pkey_verify(spki, cases[i].hash, other, signature), R_SIGNATURE_FAILED, "%s: other data", cases[i].why);
        cr_expect_eq(pkey_verify(spki, (cases[i].hash + 1) % 3, data, signature), R_SIGNATURE_FAILED, "%s: other hash",
                     cases[i].why);
        cr_expect_eq(pkey_verify(spki, cases[i].hash, data, BYTES(signature.p, 255)), R_SIGNATURE_FAILED, "%s: cut",
                     cases[i].why);
        cr_expect_eq(pkey_verify(BYTES(spki.p, spki.n - 1), cases[i].hash, data, signature), R_SIGNATURE_FAILED, "%s: no key",
                     cases[i].why);
    }
    pkey_free(k);
}

Test(pkey, signature_in_parts_is_the_same)
{
    struct pkey *k = generated(2048);
    struct pkey_signing *s;
    struct bytes whole, parts;

    cr_assert_eq(pkey_sign(k, HASH_SHA384, bytes_of_text("head entries tail"), &arena, &whole), R_OK);
    cr_assert_eq(pkey_sign_begin(k, HASH_SHA384, &s), R_OK);
    cr_assert_eq(pkey_sign_update(s, "head ", 5), R_OK);
    cr_assert_eq(pkey_sign_update(s, NULL, 0), R_OK);
    cr_assert_eq(pkey_sign_update(s, "entries tail", 12), R_OK);
    cr_assert_eq(pkey_sign_end(s, &arena, &parts), R_OK);
    cr_expect(bytes_equal(whole, parts));
    cr_assert_eq(pkey_sign_begin(k, HASH_SHA256, &s), R_OK);
    pkey_sign_cancel(s);
    pkey_sign_cancel(NULL);
    pkey_free(NULL);
    pkey_free(k);
}

Test(pkey, memory_that_runs_out_is_an_error)
{
    struct pkey *k = generated(2048);
    struct arena tight;
    struct bytes out;

    arena_init(&tight, 16);
    cr_expect_eq(pkey_seal(k, PASSPHRASE, &tight, &out), R_NO_MEMORY);
    cr_expect_eq(pkey_pkcs8(k, &tight, &out), R_NO_MEMORY);
    cr_expect_eq(pkey_spki(k, &tight, &out), R_NO_MEMORY);
    cr_expect_eq(pkey_sign(k, HASH_SHA256, bytes_of_text("x"), &tight, &out), R_NO_MEMORY);
    arena_free(&tight);
    pkey_free(k);
}

/* ---- AES-256-GCM ---- */

Test(pkey, gcm_opens_what_another_sealed)
{
    /* the GCM specification's test case 16, as IV, ciphertext, tag */
    static const char key[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    static const char aad[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    static const char sealed[] = "cafebabefacedbaddecaf888"
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b";
    static const char plain[] = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    uint8_t k[32], a[64], s[128], wanted[64], got[64];
    size_t kn = sizeof k, an = sizeof a, sn = sizeof s, wn = sizeof wanted, gn = sizeof got;

    cr_assert(hex_decode(key, k, &kn) == R_OK && hex_decode(aad, a, &an) == R_OK && hex_decode(sealed, s, &sn) == R_OK &&
              hex_decode(plain, wanted, &wn) == R_OK);
    cr_assert_eq(gcm_open(k, BYTES(a, an), BYTES(s, sn), got, &gn), R_OK);
    cr_expect(bytes_equal(BYTES(got, gn), BYTES(wanted, wn)));
}

Test(pkey, gcm_refuses_whatever_was_changed)
{
    static const uint8_t key[32] = {1}, other_key[32] = {2};
    static const struct { bool other_key; const char *aad; size_t cut, flip; bool good; const char *why; } cases[] = {
        {false, "context", 0, SIZE_MAX, true, "as it was sealed"},
        {true, "context", 0, SIZE_MAX, false, "another key"},
        {false, "contexT", 0, SIZE_MAX, false, "another context"},
        {false, "", 0, SIZE_MAX, false, "no context"},
        {false, "context", 0, 0, false, "IV changed"},
        {false, "context", 0, 12, false, "first byte changed"},
        {false, "context", 0, 12 + 8, false, "tag changed"},
        {false, "context", 1, SIZE_MAX, false, "a byte short"},
        {false, "context", 8, SIZE_MAX, false, "only overhead left"},
        {false, "context", 9, SIZE_MAX, false, "less than the overhead"},
        {false, "context", 36, SIZE_MAX, false, "nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        uint8_t plain[8];
        size_t n = sizeof plain;
        buf_init(&b, 64);
        cr_assert_eq(gcm_seal(key, bytes_of_text("context"), BYTES("12345678", 8), &b), R_OK);
        cr_assert_eq(b.n, 8 + GCM_OVERHEAD);
        if (cases[i].flip != SIZE_MAX)
            b.p[cases[i].flip] ^= 1;
        enum result r = gcm_open(cases[i].other_key ? other_key : key, bytes_of_text(cases[i].aad),
                                 BYTES(b.p, b.n - cases[i].cut), plain, &n);
        cr_expect_eq(r, cases[i].good ? R_OK : R_CHALLENGE_DECRYPTION, "%s", cases[i].why);
        if (cases[i].good)
            cr_expect(n == 8 && memcmp(plain, "12345678", 8) == 0, "%s", cases[i].why);
        buf_free(&b);
    }
}

Test(pkey, gcm_room)
{
    static const uint8_t key[32] = {1};
    static const struct { size_t plain, limit, room; enum result seal, open; const char *why; } cases[] = {
        {0, 28, 0, R_OK, R_OK, "nothing to seal"},
        {10, 38, 10, R_OK, R_OK, "exactly the room"},
        {10, 37, 10, R_TOO_LARGE, R_OK, "no room to seal"},
        {10, 38, 9, R_OK, R_CHALLENGE_DECRYPTION, "no room to open"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        uint8_t plain[16] = {0};
        size_t n = cases[i].room;
        buf_init(&b, cases[i].limit);
        cr_expect_eq(gcm_seal(key, BYTES_NONE, BYTES("0123456789", cases[i].plain), &b), cases[i].seal, "%s", cases[i].why);
        if (cases[i].seal == R_OK)
            cr_expect_eq(gcm_open(key, BYTES_NONE, buf_bytes(&b), plain, &n), cases[i].open, "%s", cases[i].why);
        buf_free(&b);
    }
}

Test(pkey, gcm_never_repeats_an_iv)
{
    static const uint8_t key[32] = {1};
    struct buf one, two;

    buf_init(&one, 64);
    buf_init(&two, 64);
    cr_assert_eq(gcm_seal(key, BYTES_NONE, BYTES("x", 1), &one), R_OK);
    cr_assert_eq(gcm_seal(key, BYTES_NONE, BYTES("x", 1), &two), R_OK);
    cr_expect(memcmp(one.p, two.p, 12) != 0);
    buf_free(&one);
    buf_free(&two);
}

/* ---- HKDF and random numbers ---- */

Test(pkey, hkdf_vectors)
{
    static const struct { const char *secret, *salt, *info, *out, *why; } cases[] = {
        {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", "000102030405060708090a0b0c",
         "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9", "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
         "RFC 5869 appendix A.1"},
        {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", "", "",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d", "RFC 5869 appendix A.3: no salt, no info"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t salt[32], out[32];
        char text[65];
        size_t n = sizeof salt;
        cr_assert_eq(hex_decode(cases[i].salt, salt, &n), R_OK);
        cr_assert_eq(hkdf_sha256(cases[i].secret, BYTES(salt, n), cases[i].info, out), R_OK, "%s", cases[i].why);
        hex_encode(text, out, sizeof out);
        cr_expect_str_eq(text, cases[i].out, "%s", cases[i].why);
    }
}

Test(pkey, random_bytes_differ)
{
    uint8_t one[32] = {0}, two[32] = {0};

    cr_assert_eq(random_bytes(one, sizeof one), R_OK);
    cr_assert_eq(random_bytes(two, sizeof two), R_OK);
    cr_expect(memcmp(one, two, sizeof one) != 0);
    cr_expect_eq(random_bytes(one, 0), R_OK);
}
