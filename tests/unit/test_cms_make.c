/* Messages signed by a key that lives elsewhere (cms_sign_by), and lists of CRLs (cms_crls). */
#include "tests/unit/cms_fixture.h"

#define CONTENT "what the CA has to say"

static struct peer rsa, ec;
static struct cms_key *key;

static void setup(void)
{
    log_to(-1);
    arena_init(&arena, ARENA_LIMIT);
    rsa = peer_make(EVP_RSA_gen(2048), "CA", "8f00112233445566");
    ec = peer_make(EVP_EC_gen("P-256"), "EC", "11");
    key = peer_cms_key(&rsa);
}

static void teardown(void)
{
    cms_key_free(key);
    peer_free(&rsa);
    peer_free(&ec);
    arena_free(&arena);
}

TestSuite(cms_make, .init = setup, .fini = teardown);

static const struct cms_attribute reply[] = {
    {OID_TRANSACTION_ID, DER_PRINTABLE_STRING, BYTES("A1B2", 4)},
    {OID_SENDER_NONCE, DER_OCTET_STRING, BYTES("\x00\x01\x02\x03", 4)},
};
#define REPLY ((struct cms_attributes){(struct cms_attribute *)(uintptr_t)reply, 2})

/* ---- a key elsewhere ---- */

struct elsewhere {
    EVP_PKEY *key;
    enum result r;                  /* what it answers */
    size_t size;                    /* of the signature that it gives instead of a right one; 0: a right one */
    unsigned calls;
    uint32_t hash;                  /* as it was asked */
    bool set;                       /* was it asked to sign one whole SET? */
};

static enum result elsewhere_sign(void *key_elsewhere, uint32_t hash, struct bytes data, struct arena *a, struct bytes *signature)
{
    static const char *const names[] = {"SHA256", "SHA384", "SHA512", "SHA1"};
    struct elsewhere *e = key_elsewhere;
    uint8_t value[512];
    size_t n = sizeof value;
    struct bytes in = data;
    struct der set;

    e->calls++;
    e->hash = hash;
    e->set = der_expect(&in, DER_SET, &set) == R_OK && in.n == 0;
    if (e->r != R_OK)
        return e->r;
    if (e->size != 0) {
        *signature = BYTES(arena_alloc(a, e->size), e->size);
        return R_OK;
    }
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    cr_assert(EVP_DigestSignInit_ex(c, NULL, names[hash], NULL, NULL, e->key, NULL) == 1 &&
              EVP_DigestSign(c, value, &n, data.p, data.n) == 1);
    EVP_MD_CTX_free(c);
    *signature = arena_bytes(a, BYTES(value, n));
    return R_OK;
}

Test(cms_make, a_key_elsewhere_signs_as_one_here)
{
    static const struct { uint32_t hash; const char *content; uint32_t certificates; const char *why; } cases[] = {
        {HASH_SHA256, CONTENT, 1, "SHA-256"}, {HASH_SHA384, CONTENT, 1, "SHA-384"}, {HASH_SHA512, CONTENT, 1, "SHA-512"},
        {HASH_SHA1, CONTENT, 1, "SHA-1"}, {HASH_SHA256, "", 1, "an empty content"}, {HASH_SHA256, NULL, 1, "no content"},
        {HASH_SHA256, CONTENT, 2, "two certificates"}, {HASH_SHA256, CONTENT, 0, "no certificate"},
    };
    const struct bytes certificates[] = {rsa.der, ec.der};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = cases[i].why;
        struct bytes content = bytes_of_text(cases[i].content), before, by, after;
        uint32_t hash = cases[i].hash, count = cases[i].certificates;
        struct elsewhere e = {.key = rsa.key};
        struct cms_signed s;
        /* signingTime is in them: compared when all three fall into one second */
        do {
            e.calls = 0;
            cr_assert_eq(cms_sign(content, &REPLY, key, hash, certificates, count, &arena, &before), R_OK);
            cr_assert_eq(cms_sign_by(content, &REPLY, rsa.der, elsewhere_sign, &e, hash, certificates, count, &arena,
                                     &by), R_OK, "%s", why);
            cr_assert_eq(cms_sign(content, &REPLY, key, hash, certificates, count, &arena, &after), R_OK);
        } while (!bytes_equal(before, after));
        cr_expect(bytes_equal(by, before), "%s: the same to the byte", why);
        cr_expect(e.calls == 1 && e.hash == hash && e.set, "%s: asked once, for the attributes", why);
        cr_assert_eq(cms_open_signed(by, false, &arena, &s), R_OK, "%s", why);
        cr_expect_eq(s.verified, count != 0, "%s", why);
        cr_expect(s.hash == hash && !s.ber && bytes_equal(s.content, content), "%s", why);
    }
}

Test(cms_make, signing_elsewhere_refused)
{
    const struct {
        struct bytes certificate;
        uint32_t hash;
        enum result answer;
        size_t size;
        enum result r;
        unsigned calls;
        const char *why;
    } cases[] = {
        {rsa.der, HASH_SHA256, R_OK, 0, R_OK, 1, "good"},
        {rsa.der, HASH_SHA256, R_OK, 512, R_OK, 1, "a signature is not looked at"},
        {rsa.der, HASH_SHA256, R_UNAVAILABLE, 0, R_UNAVAILABLE, 1, "the key cannot be reached: that is passed up"},
        {rsa.der, HASH_SHA256, R_OK, 513, R_BAD_KEY, 1, "a signature that is too long"},
        {rsa.der, HASH_MD5, R_OK, 0, R_BAD_ALG, 0, "MD5 is never signed with"},
        {rsa.der, HASH_OTHER, R_OK, 0, R_BAD_ALG, 0, "no hash"},
        {rsa.der, 99, R_OK, 0, R_BAD_ALG, 0, "a number that is none"},
        {ec.der, HASH_SHA256, R_OK, 0, R_BAD_ALG, 0, "an EC key"},
        {BYTES(rsa.der.p, 100), HASH_SHA256, R_OK, 0, R_BAD_INPUT, 0, "half a certificate"},
        {BYTES_NONE, HASH_SHA256, R_OK, 0, R_BAD_INPUT, 0, "no certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct elsewhere e = {.key = rsa.key, .r = cases[i].answer, .size = cases[i].size};
        struct bytes der = BYTES_NONE;
        enum result r = cms_sign_by(bytes_of_text(CONTENT), &REPLY, cases[i].certificate, elsewhere_sign, &e, cases[i].hash,
                                    NULL, 0, &arena, &der);
        cr_expect_eq(r, cases[i].r, "%s: %s", cases[i].why, result_name(r));
        cr_expect_eq(e.calls, cases[i].calls, "%s: is the key asked?", cases[i].why);
        cr_expect_eq(der.p != NULL, r == R_OK, "%s", cases[i].why);
    }
}

/* ---- CRLs ---- */

static struct bytes crl_make(unsigned revoked)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, 0), *later = X509_gmtime_adj(NULL, 86400);
    unsigned char *der = NULL;

    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(rsa.certificate));
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, later);
    for (unsigned i = 0; i < revoked; i++) {
        X509_REVOKED *one = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        ASN1_INTEGER_set(serial, 1000 + i);
        X509_REVOKED_set_serialNumber(one, serial);
        X509_REVOKED_set_revocationDate(one, now);
        ASN1_INTEGER_free(serial);
        cr_assert_eq(X509_CRL_add0_revoked(crl, one), 1);
    }
    cr_assert(X509_CRL_sign(crl, rsa.key, EVP_sha256()) > 0);
    int n = i2d_X509_CRL(crl, &der);
    ASN1_TIME_free(now);
    ASN1_TIME_free(later);
    X509_CRL_free(crl);
    return der_taken(der, n);
}

Test(cms_make, openssl_reads_lists_of_crls)
{
    const struct bytes small = crl_make(1), large = crl_make(10000);
    const struct bytes large_first[] = {large, small}, small_first[] = {small, large};
    const struct { const struct bytes *list; uint32_t count; const char *why; } cases[] = {
        {&small, 1, "one"}, {&large, 1, "a large one"},
        {large_first, 2, "the larger first"}, {small_first, 2, "the smaller first"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = cases[i].why;
        struct buf b;
        buf_init(&b, 1048576);
        cr_assert_eq(cms_crls(cases[i].list, cases[i].count, &b), R_OK, "%s", why);
        const unsigned char *p = b.p;
        CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)b.n);
        cr_assert(cms != NULL && p == b.p + b.n, "%s", why);
        STACK_OF(X509_CRL) *read = CMS_get1_crls(cms);
        cr_assert_eq(sk_X509_CRL_num(read), (int)cases[i].count, "%s", why);
        for (uint32_t k = 0; k < cases[i].count; k++) {
            unsigned char *der = NULL;
            int n = i2d_X509_CRL(sk_X509_CRL_value(read, (int)k), &der);
            cr_expect(bytes_equal(der_taken(der, n), cases[i].list[k]), "%s: CRL %u, to the byte", why, k);
            cr_expect_eq(X509_CRL_verify(sk_X509_CRL_value(read, (int)k), rsa.key), 1, "%s", why);
        }
        cr_expect_null(CMS_get1_certs(cms), "%s: no certificates", why);
        cr_expect_eq(sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)), 0, "%s: no signers", why);
        cr_expect_null(*CMS_get0_content(cms), "%s: no content", why);
        sk_X509_CRL_pop_free(read, X509_CRL_free);
        CMS_ContentInfo_free(cms);
        buf_free(&b);
    }
    struct buf tight;
    buf_init(&tight, 100);
    cr_expect_eq(cms_crls(&small, 1, &tight), R_TOO_LARGE);
    buf_free(&tight);
}
