/* The inner layer: cms_envelope_peek, cms_envelope_open, cms_seal. RSAES-OAEP is in test_cms_oaep.c. */
#include "tests/unit/cms_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/limits.h"
#include "lib/codec/legacy.h"

#define CONTENT "a certification request, with a challenge in it"

static struct peer ra, other, ec;
static struct cms_key *key, *other_key;

static void setup(void)
{
    log_to(-1);
    arena_init(&arena, ARENA_LIMIT);
    ra = peer_make(EVP_RSA_gen(2048), "RA", "8f00112233445566");
    other = peer_make(EVP_RSA_gen(2048), "other", "11");
    ec = peer_make(EVP_EC_gen("P-256"), "EC", "12");
    key = peer_cms_key(&ra);
    other_key = peer_cms_key(&other);
}

static void teardown(void)
{
    cms_key_free(key);
    cms_key_free(other_key);
    peer_free(&ra);
    peer_free(&other);
    peer_free(&ec);
    arena_free(&arena);
}

TestSuite(cms_envelope, .init = setup, .fini = teardown);

static struct bytes content(void)
{
    return bytes_of_text(CONTENT);
}

/* ---- envelopes as OpenSSL writes them ---- */

static CMS_ContentInfo *envelope_begin(const EVP_CIPHER *cipher)
{
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, cipher, CMS_BINARY | CMS_PARTIAL);

    cr_assert_not_null(cms);
    return cms;
}

static CMS_RecipientInfo *recipient_add(CMS_ContentInfo *cms, X509 *certificate, unsigned flags)
{
    CMS_RecipientInfo *r = CMS_add1_recipient_cert(cms, certificate, flags);

    cr_assert_not_null(r);
    return r;
}

static struct bytes envelope_end(CMS_ContentInfo *cms)
{
    BIO *in = BIO_new_mem_buf(CONTENT, -1);

    cr_assert_eq(CMS_final(cms, in, NULL, CMS_BINARY), 1);
    BIO_free(in);
    return cms_taken(cms);
}

static struct bytes envelope_make(const EVP_CIPHER *cipher, X509 *certificate, unsigned flags)
{
    CMS_ContentInfo *cms = envelope_begin(cipher);

    recipient_add(cms, certificate, flags);
    return envelope_end(cms);
}

static struct bytes envelope_des(void)
{
    CMS_ContentInfo *cms = CMS_encrypt_ex(NULL, NULL, legacy_des_cbc(), CMS_BINARY | CMS_PARTIAL, legacy_context(), NULL);

    cr_assert_not_null(cms);
    recipient_add(cms, ra.certificate, 0);
    return envelope_end(cms);
}

static struct bytes envelope_stream(void)
{
    CMS_ContentInfo *cms = envelope_begin(EVP_aes_256_cbc());

    recipient_add(cms, ra.certificate, 0);
    return cms_taken_as_stream(cms, content(), CMS_BINARY);
}

static struct bytes envelope_for(unsigned others_before)
{
    CMS_ContentInfo *cms = envelope_begin(EVP_aes_128_cbc());

    for (unsigned i = 0; i < others_before; i++)
        recipient_add(cms, other.certificate, 0);
    recipient_add(cms, ra.certificate, 0);
    return envelope_end(cms);
}

/* The RA's certificate as an odd client might have copied it: the same key, with another pointer in the envelope. */
static X509 *twin(void)
{
    X509 *x = X509_dup(ra.certificate);

    cr_assert_not_null(x);
    return x;
}

static struct bytes envelope_twin(X509 *x, unsigned flags)
{
    cr_assert(X509_sign(x, ra.key, EVP_sha256()) > 0);
    struct bytes der = envelope_make(EVP_aes_128_cbc(), x, flags);
    X509_free(x);
    return der;
}

static struct bytes envelope_doubly_wrapped_ski(void)
{
    X509 *x = twin();
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(x);
    uint8_t wrapped[22] = {0x04, 0x14};

    cr_assert_eq(ASN1_STRING_length(ski), 20);
    memcpy(wrapped + 2, ASN1_STRING_get0_data(ski), 20);
    X509_EXTENSION_free(X509_delete_ext(x, X509_get_ext_by_NID(x, NID_subject_key_identifier, -1)));
    ASN1_OCTET_STRING *odd = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(odd, wrapped, sizeof wrapped);
    cr_assert_eq(X509_add1_ext_i2d(x, NID_subject_key_identifier, odd, 0, 0), 1);
    ASN1_OCTET_STRING_free(odd);
    /* encoded and decoded, so that OpenSSL forgets the identifier that it has kept */
    X509_sign(x, ra.key, EVP_sha256());
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    const unsigned char *p = der;
    X509 *again = d2i_X509(NULL, &p, n);
    OPENSSL_free(der);
    X509_free(x);
    return envelope_twin(again, CMS_USE_KEYID);
}

static struct bytes envelope_issuer(const char *const *names, const char *const *values, size_t count)
{
    X509 *x = twin();
    X509_NAME *name = X509_NAME_new();

    for (size_t i = 0; i < count; i++)
        X509_NAME_add_entry_by_txt(name, names[i], MBSTRING_UTF8, (const unsigned char *)values[i], -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_NAME_free(name);
    return envelope_twin(x, 0);
}

static struct bytes envelope_serial(long serial)
{
    X509 *x = twin();

    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    return envelope_twin(x, 0);
}

Test(cms_envelope, what_openssl_sealed_is_seen_and_opened)
{
    static const char *const reversed_names[] = {"CN", "O"}, *const reversed[] = {"RA", "Example"};
    static const char *const case_names[] = {"O", "CN"}, *const cased[] = {"EXAMPLE", "ra"};
    static const char *const wrong[] = {"Example", "another RA"};
    static const char *const more_names[] = {"O", "CN", "CN"}, *const more[] = {"Example", "RA", "RA"};
    const struct { struct bytes der; uint32_t cipher, recipients; bool oaep; int match; const char *why; } cases[] = {
        {envelope_make(EVP_aes_128_cbc(), ra.certificate, 0), CIPHER_AES128, 1, false, 1, "AES-128"},
        {envelope_make(EVP_aes_192_cbc(), ra.certificate, 0), CIPHER_AES192, 1, false, 1, "AES-192"},
        {envelope_make(EVP_aes_256_cbc(), ra.certificate, 0), CIPHER_AES256, 1, false, 1, "AES-256"},
        {envelope_make(EVP_des_ede3_cbc(), ra.certificate, 0), CIPHER_DES3, 1, false, 1, "3DES"},
        {envelope_des(), CIPHER_DES, 1, false, 1, "single DES (Q39)"},
        {envelope_stream(), CIPHER_AES256, 1, false, 1, "indefinite lengths"},
        {envelope_for(1), CIPHER_AES128, 2, false, 0, "two recipients: the first of them counts"},
        {envelope_make(EVP_aes_128_cbc(), ra.certificate, CMS_USE_KEYID), CIPHER_AES128, 1, false, 1, "by key identifier"},
        {envelope_doubly_wrapped_ski(), CIPHER_AES128, 1, false, 1, "by a doubly wrapped key identifier (Q43)"},
        {envelope_issuer(reversed_names, reversed, 2), CIPHER_AES128, 1, false, 1, "issuer in another order (Q44)"},
        {envelope_issuer(case_names, cased, 2), CIPHER_AES128, 1, false, 1, "issuer in other letters"},
        {envelope_issuer(case_names, wrong, 2), CIPHER_AES128, 1, false, -1, "another issuer: the first recipient is tried"},
        {envelope_issuer(more_names, more, 3), CIPHER_AES128, 1, false, -1, "an attribute more"},
        {envelope_serial(99), CIPHER_AES128, 1, false, -1, "another serial"},
    };
    const struct bytes certificates[] = {other.der, ra.der};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = cases[i].why;
        struct cms_envelope e;
        struct bytes plain;
        int match = -2;
        cr_assert_eq(cms_envelope_peek(cases[i].der, certificates, 2, &e, &match), R_OK, "%s", why);
        cr_expect(e.cipher == cases[i].cipher && e.recipients == cases[i].recipients && e.oaep == cases[i].oaep, "%s", why);
        cr_expect_eq(match, cases[i].match, "%s", why);
        cr_assert_eq(cms_envelope_open(cases[i].der, key, &arena, &plain), R_OK, "%s", why);
        cr_expect(bytes_equal(plain, content()), "%s", why);
    }
}

Test(cms_envelope, as_many_recipients_as_the_limit)
{
    struct cms_envelope e;
    struct bytes plain;
    int match;

    struct bytes most = envelope_for(LIMIT_SCEP_RECIPIENTS - 1), more = envelope_for(LIMIT_SCEP_RECIPIENTS);
    cr_assert_eq(cms_envelope_peek(most, &ra.der, 1, &e, &match), R_OK);
    cr_expect(match == 0 && e.recipients == LIMIT_SCEP_RECIPIENTS);
    cr_expect_eq(cms_envelope_open(most, key, &arena, &plain), R_OK);
    cr_expect_eq(cms_envelope_peek(more, &ra.der, 1, &e, &match), R_BAD_MESSAGE);
    cr_expect_eq(cms_envelope_open(more, key, &arena, &plain), R_BAD_MESSAGE);
}

/* ---- what is refused ---- */

static struct bytes envelope_agreement(bool transport_too)
{
    CMS_ContentInfo *cms = envelope_begin(EVP_aes_128_cbc());

    if (transport_too)
        recipient_add(cms, ra.certificate, 0);
    recipient_add(cms, ec.certificate, 0);
    return envelope_end(cms);
}

static struct bytes envelope_password(void)
{
    CMS_ContentInfo *cms = envelope_begin(EVP_aes_128_cbc());

    unsigned char *password = (unsigned char *)OPENSSL_strdup("secret");
    cr_assert_not_null(CMS_add0_recipient_password(cms, -1, NID_undef, NID_undef, password, -1, NULL));
    return envelope_end(cms);
}

static struct bytes envelope_shared_key(void)
{
    CMS_ContentInfo *cms = envelope_begin(EVP_aes_128_cbc());
    unsigned char *k = OPENSSL_zalloc(16), *id = OPENSSL_zalloc(4);

    cr_assert_not_null(CMS_add0_recipient_key(cms, NID_undef, k, 16, id, 4, NULL, NULL, NULL));
    return envelope_end(cms);
}

static struct bytes encrypted_data(void)
{
    static const uint8_t k[16];
    BIO *in = BIO_new_mem_buf(CONTENT, -1);
    CMS_ContentInfo *cms = CMS_EncryptedData_encrypt(in, EVP_aes_128_cbc(), k, sizeof k, CMS_BINARY);

    BIO_free(in);
    return cms_taken(cms);
}

/* With certificates in originatorInfo, each of which OpenSSL would decode. */
static struct bytes envelope_originator(void)
{
    struct bytes in = envelope_make(EVP_aes_128_cbc(), ra.certificate, 0);
    struct der info, type, content_of, enveloped, version;
    struct buf b;

    cr_assert(der_expect(&in, DER_SEQUENCE, &info) == R_OK && der_expect(&info.value, DER_OID, &type) == R_OK &&
              der_next(&info.value, &content_of) == R_OK && der_next(&content_of.value, &enveloped) == R_OK &&
              der_expect(&enveloped.value, DER_INTEGER, &version) == R_OK);
    buf_init(&b, 65536);
    size_t outer = der_open(&b, DER_SEQUENCE);
    der_raw(&b, type.whole);
    size_t explicit = der_open(&b, DER_CONTEXT_CONSTRUCTED(0)), inner = der_open(&b, DER_SEQUENCE);
    der_raw(&b, version.whole);
    size_t originator = der_open(&b, DER_CONTEXT_CONSTRUCTED(0)), certificates = der_open(&b, DER_CONTEXT_CONSTRUCTED(0));
    der_raw(&b, other.der);
    der_close(&b, certificates);
    der_close(&b, originator);
    der_raw(&b, enveloped.value);
    der_close(&b, inner);
    der_close(&b, explicit);
    der_close(&b, outer);
    const unsigned char *p = b.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)b.n);
    cr_assert_not_null(cms, "OpenSSL would take it");
    CMS_ContentInfo_free(cms);
    struct bytes der = arena_bytes(&arena, buf_bytes(&b));
    buf_free(&b);
    return der;
}

static struct bytes prolonged(struct bytes der)
{
    uint8_t *longer = arena_alloc(&arena, der.n + 1);

    memcpy(longer, der.p, der.n);
    return BYTES(longer, der.n + 1);
}

Test(cms_envelope, structures_that_are_refused)
{
    const struct { struct bytes der; const char *why; } cases[] = {
        {envelope_make(EVP_aes_128_gcm(), ra.certificate, 0), "AuthEnvelopedData"},
        {envelope_agreement(false), "key agreement"},
        {envelope_agreement(true), "key agreement beside key transport"},
        {envelope_password(), "a password"},
        {envelope_shared_key(), "a shared key"},
        {encrypted_data(), "encrypted data"},
        {envelope_originator(), "originator's certificates"},
        {prolonged(envelope_make(EVP_aes_128_cbc(), ra.certificate, 0)), "a byte after the end"},
        {ra.der, "a certificate"},
        {BYTES("", 0), "nothing"},
        {BYTES_NONE, "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cms_envelope e;
        struct bytes plain = BYTES_NONE;
        int match;
        cr_expect_eq(cms_envelope_peek(cases[i].der, &ra.der, 1, &e, &match), R_BAD_MESSAGE, "%s", cases[i].why);
        cr_expect_eq(cms_envelope_open(cases[i].der, key, &arena, &plain), R_BAD_MESSAGE, "%s", cases[i].why);
        cr_expect_null(plain.p, "%s", cases[i].why);
    }
}

Test(cms_envelope, an_unknown_cipher_is_seen_but_not_opened)
{
    struct bytes der = envelope_make(EVP_aes_128_cbc(), ra.certificate, 0), plain;
    uint8_t *copy = arena_copy(&arena, der.p, der.n);
    uint8_t *oid = memmem(copy, der.n, "\x60\x86\x48\x01\x65\x03\x04\x01\x02", 9);
    struct cms_envelope e;
    int match;

    cr_assert_not_null(oid);
    oid[8] = 0x03;                              /* AES-128-OFB */
    cr_assert_eq(cms_envelope_peek(BYTES(copy, der.n), &ra.der, 1, &e, &match), R_OK);
    cr_expect_eq(e.cipher, CIPHER_OTHER);
    cr_expect_eq(cms_envelope_open(BYTES(copy, der.n), key, &arena, &plain), R_BAD_MESSAGE);
}

Test(cms_envelope, a_wrong_key_gives_nothing_that_is_right)
{
    struct bytes der = envelope_make(EVP_aes_128_cbc(), ra.certificate, 0);
    size_t at = 0;

    /* the encrypted key is the only OCTET STRING of 256 octets */
    uint8_t *wrapped = memmem(der.p, der.n, "\x04\x82\x01\x00", 4);
    cr_assert_not_null(wrapped);
    at = (size_t)(wrapped - der.p) + 4;
    const struct { const struct cms_key *k; size_t flip; const char *why; } cases[] = {
        {other_key, SIZE_MAX, "another key"},
        {key, at + 10, "the wrapped key changed"},
        {key, at, "the wrapped key changed at its beginning: above the modulus, perhaps"},
        {key, der.n - 1, "the last block changed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned round = 0; round < 8; round++) {
            uint8_t *odd = alone(der, der.n);
            struct bytes plain;
            if (cases[i].flip != SIZE_MAX)
                odd[cases[i].flip] ^= (uint8_t)(1 << round);
            enum result r = cms_envelope_open(BYTES(odd, der.n), cases[i].k, &arena, &plain);
            cr_expect(r == R_BAD_MESSAGE || (r == R_OK && !bytes_equal(plain, content())), "%s", cases[i].why);
            free(odd);
        }
    }
    cr_expect_eq(ERR_peek_error(), 0, "OpenSSL's error queue is left empty");
}

Test(cms_envelope, cut_or_odd_bytes_never_crash)
{
    const struct bytes envelopes[] = {envelope_des(), envelope_stream()};

    for (size_t i = 0; i < 2; i++) {
        struct bytes der = envelopes[i], plain;
        struct cms_envelope e;
        int match;
        for (size_t n = 0; n < der.n; n++) {
            uint8_t *cut = alone(der, n);
            cr_expect_eq(cms_envelope_peek(BYTES(cut, n), &ra.der, 1, &e, &match), R_BAD_MESSAGE, "%zu bytes", n);
            cr_expect_eq(cms_envelope_open(BYTES(cut, n), key, &arena, &plain), R_BAD_MESSAGE, "%zu bytes", n);
            free(cut);
        }
        for (size_t n = 0; n < der.n; n++) {
            uint8_t *odd = alone(der, der.n);
            odd[n] ^= (uint8_t)(1 << (n % 8));
            (void)cms_envelope_peek(BYTES(odd, der.n), &ra.der, 1, &e, &match);
            (void)cms_envelope_open(BYTES(odd, der.n), key, &arena, &plain);
            free(odd);
        }
    }
}

/* The message was made where the provider was there: by our own child, so that this process has not loaded it. */
Test(cms_envelope, single_des_where_the_legacy_provider_is_missing)
{
    static uint8_t room[4096];
    struct bytes der, plain = BYTES_NONE;
    struct cms_envelope e;
    int match, ends[2];

    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        der = envelope_des();
        _exit(write(ends[1], der.p, der.n) == (ssize_t)der.n ? 0 : 1);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(ends[0], room + n, sizeof room - n)) > 0;)
        n += (size_t)got;
    close(ends[0]);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_eq(setenv("OPENSSL_MODULES", "/nonexistent", 1), 0);
    cr_assert_eq(cms_envelope_peek(BYTES(room, n), &ra.der, 1, &e, &match), R_OK);
    cr_expect(e.cipher == CIPHER_DES && match == 0, "it is still told what it is");
    cr_expect_eq(cms_envelope_open(BYTES(room, n), key, &arena, &plain), R_BAD_MESSAGE);
    cr_expect_null(plain.p);
    cr_expect_eq(cms_seal(content(), ra.der, CIPHER_DES, &arena, &der), R_BAD_ALG);
    cr_expect_eq(cms_seal(content(), ra.der, CIPHER_DES3, &arena, &der), R_OK, "all else goes on");
}

/* ---- sealing ---- */

Test(cms_envelope, openssl_opens_what_was_sealed)
{
    struct peer small = peer_make(EVP_RSA_gen(1024), "small", "1024"), large = peer_make(EVP_RSA_gen(3072), "large", "3072");
    uint8_t *big = arena_alloc(&arena, 100000);
    const struct { struct bytes content; const struct peer *p; uint32_t cipher; const char *why; } cases[] = {
        {content(), &ra, CIPHER_AES128, "AES-128"},
        {content(), &ra, CIPHER_AES192, "AES-192"},
        {content(), &ra, CIPHER_AES256, "AES-256"},
        {content(), &ra, CIPHER_DES3, "3DES"},
        {content(), &ra, CIPHER_DES, "single DES"},
        {content(), &small, CIPHER_AES128, "RSA-1024"},
        {content(), &large, CIPHER_AES256, "RSA-3072"},
        {BYTES("0123456789abcdef", 16), &ra, CIPHER_AES128, "a whole block"},
        {BYTES("", 0), &ra, CIPHER_AES128, "nothing"},
        {BYTES(big, 100000), &ra, CIPHER_AES128, "much"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = cases[i].why;
        struct bytes der;
        struct cms_envelope e;
        int match;
        cr_assert_eq(cms_seal(cases[i].content, cases[i].p->der, cases[i].cipher, &arena, &der), R_OK, "%s", why);
        const unsigned char *p = der.p;
        CMS_ContentInfo *cms = CMS_ContentInfo_new_ex(cases[i].cipher == CIPHER_DES ? legacy_context() : NULL, NULL);
        cr_assert(d2i_CMS_ContentInfo(&cms, &p, (long)der.n) != NULL && p == der.p + der.n, "%s", why);
        BIO *out = BIO_new(BIO_s_mem());
        cr_expect_eq(CMS_decrypt(cms, cases[i].p->key, cases[i].p->certificate, NULL, out, CMS_BINARY), 1, "%s", why);
        char *plain;
        long n = BIO_get_mem_data(out, &plain);
        cr_expect(bytes_equal(BYTES(plain, (size_t)n), cases[i].content), "%s", why);
        cr_assert_eq(cms_envelope_peek(der, &cases[i].p->der, 1, &e, &match), R_OK, "%s", why);
        cr_expect(e.cipher == cases[i].cipher && !e.oaep && e.recipients == 1 && match == 0, "%s", why);
        BIO_free(out);
        CMS_ContentInfo_free(cms);
    }
    peer_free(&small);
    peer_free(&large);
}

Test(cms_envelope, seals_differ_and_open)
{
    struct bytes one, two, plain;

    cr_assert_eq(cms_seal(content(), ra.der, CIPHER_AES256, &arena, &one), R_OK);
    cr_assert_eq(cms_seal(content(), ra.der, CIPHER_AES256, &arena, &two), R_OK);
    cr_expect_not(bytes_equal(one, two), "key and IV are drawn anew");
    cr_assert_eq(cms_envelope_open(one, key, &arena, &plain), R_OK);
    cr_expect(bytes_equal(plain, content()));
}

Test(cms_envelope, recipients_that_cannot_be_sealed_to)
{
    struct peer tiny = peer_make(EVP_RSA_gen(768), "tiny", "768");
    const struct { struct bytes certificate; uint32_t cipher; enum result r; const char *why; } cases[] = {
        {ra.der, CIPHER_OTHER, R_BAD_ALG, "no cipher"},
        {ra.der, 99, R_BAD_ALG, "a number that is none"},
        {ec.der, CIPHER_AES128, R_BAD_ALG, "an EC key"},
        {tiny.der, CIPHER_AES128, R_BAD_ALG, "RSA-768"},
        {BYTES(ra.der.p, 100), CIPHER_AES128, R_BAD_INPUT, "half a certificate"},
        {BYTES_NONE, CIPHER_AES128, R_BAD_INPUT, "no certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes der;
        cr_expect_eq(cms_seal(content(), cases[i].certificate, cases[i].cipher, &arena, &der), cases[i].r, "%s", cases[i].why);
    }
    peer_free(&tiny);
}

Test(cms_envelope, cipher_names)
{
    static const struct { uint32_t cipher; const char *name; } cases[] = {
        {CIPHER_AES128, "AES-128-CBC"}, {CIPHER_AES192, "AES-192-CBC"}, {CIPHER_AES256, "AES-256-CBC"},
        {CIPHER_DES3, "DES-EDE3-CBC"}, {CIPHER_DES, "DES-CBC"}, {CIPHER_OTHER, "other"}, {99, "other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_str_eq(cipher_name(cases[i].cipher), cases[i].name);
}
