/* The outer layer: cms_open_signed, cms_sign, cms_certificates, cms_key. The inner one is in test_cms_envelope.c. */
#include "tests/unit/cms_fixture.h"

#include "lib/base/limits.h"

#define CONTENT "what a client has to say"

static struct peer rsa, ec;
static struct cms_key *key;

static void setup(void)
{
    log_to(-1);
    arena_init(&arena, ARENA_LIMIT);
    rsa = peer_make(EVP_RSA_gen(2048), "client", "8f00112233445566");
    ec = peer_make(EVP_EC_gen("P-256"), "client", "11");
    key = peer_cms_key(&rsa);
}

static void teardown(void)
{
    cms_key_free(key);
    peer_free(&rsa);
    peer_free(&ec);
    arena_free(&arena);
}

TestSuite(cms, .init = setup, .fini = teardown);

static void attribute_add(CMS_SignerInfo *signer, const char *oid, int type, const char *value)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);

    cr_assert_eq(CMS_signed_add1_attr_by_OBJ(signer, object, type, value, (int)strlen(value)), 1);
    ASN1_OBJECT_free(object);
}

/* A message with the attributes of a SCEP client, not finished. */
static CMS_ContentInfo *message_begin(const struct peer *p, const EVP_MD *md, unsigned flags)
{
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_PARTIAL | (flags & CMS_DETACHED));
    CMS_SignerInfo *signer = CMS_add1_signer(cms, p->certificate, p->key, md, CMS_BINARY | CMS_PARTIAL | flags);

    cr_assert_not_null(signer);
    attribute_add(signer, OID_TRANSACTION_ID, V_ASN1_PRINTABLESTRING, "A1B2");
    attribute_add(signer, OID_SENDER_NONCE, V_ASN1_OCTET_STRING, "0123456789abcdef");
    return cms;
}

static struct bytes message_end(CMS_ContentInfo *cms, struct bytes content)
{
    BIO *in = BIO_new_mem_buf(content.p, (int)content.n);

    cr_assert_eq(CMS_final(cms, in, NULL, CMS_BINARY), 1);
    BIO_free(in);
    return cms_taken(cms);
}

static struct bytes message_make(const struct peer *p, const EVP_MD *md, unsigned flags)
{
    return message_end(message_begin(p, md, flags), bytes_of_text(CONTENT));
}

static const struct cms_attribute *attribute(const struct cms_signed *s, const char *oid)
{
    for (uint32_t i = 0; i < s->attributes.count; i++) {
        if (strcmp(s->attributes.items[i].oid, oid) == 0)
            return &s->attributes.items[i];
    }
    return NULL;
}

static bool attribute_is(const struct cms_signed *s, const char *oid, int type, const char *value)
{
    const struct cms_attribute *item = attribute(s, oid);

    return item != NULL && item->type == type && bytes_equal(item->value, bytes_of_text(value));
}

/* ---- reading ---- */

Test(cms, messages_of_openssl_are_read)
{
    const struct {
        const struct peer *p;
        const EVP_MD *md;
        unsigned flags;
        bool verified, certificate;
        uint32_t hash;
        const char *why;
    } cases[] = {
        {&rsa, EVP_sha256(), 0, true, true, HASH_SHA256, "SHA-256"},
        {&rsa, EVP_sha384(), 0, true, true, HASH_SHA384, "SHA-384"},
        {&rsa, EVP_sha512(), 0, true, true, HASH_SHA512, "SHA-512"},
        {&rsa, EVP_sha1(), 0, true, true, HASH_SHA1, "SHA-1"},
        {&rsa, EVP_md5(), 0, true, true, HASH_MD5, "MD5: recorded"},
        {&rsa, EVP_sha224(), 0, false, true, HASH_OTHER, "a hash that has no name here"},
        {&rsa, EVP_sha256(), CMS_USE_KEYID, true, true, HASH_SHA256, "signer by key identifier"},
        {&rsa, EVP_sha256(), CMS_NOCERTS, false, false, HASH_SHA256, "no certificate"},
        {&rsa, EVP_sha256(), CMS_NOSMIMECAP, true, true, HASH_SHA256, "without S/MIME capabilities"},
        {&rsa, EVP_sha256(), CMS_KEY_PARAM, true, true, HASH_SHA256, "PKCS#1 v1.5 with key parameters"},
        {&ec, EVP_sha256(), 0, true, true, HASH_SHA256, "an EC key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = cases[i].why;
        struct cms_signed s;
        struct bytes der = message_make(cases[i].p, cases[i].md, cases[i].flags);
        cr_assert_eq(cms_open_signed(der, false, &arena, &s), R_OK, "%s", why);
        cr_expect_eq(s.verified, cases[i].verified, "%s", why);
        cr_expect_eq(s.hash, cases[i].hash, "%s", why);
        cr_expect(bytes_equal(s.content, bytes_of_text(CONTENT)), "%s", why);
        cr_expect(attribute_is(&s, OID_TRANSACTION_ID, DER_PRINTABLE_STRING, "A1B2"), "%s", why);
        cr_expect(attribute_is(&s, OID_SENDER_NONCE, DER_OCTET_STRING, "0123456789abcdef"), "%s", why);
        cr_expect_eq(s.signer_certificate.p != NULL, cases[i].certificate, "%s", why);
        if (cases[i].certificate) {
            cr_expect(bytes_equal(s.signer_certificate, cases[i].p->der), "%s", why);
            cr_expect(s.signer_key.kind == (cases[i].p == &rsa ? KEY_RSA : KEY_EC), "%s", why);
            cr_expect_eq(s.signer_key.size, cases[i].p == &rsa ? 2048 : 256, "%s", why);
            struct bytes serial = cases[i].p == &rsa ? BYTES("\x8f\x00\x11\x22\x33\x44\x55\x66", 8) : BYTES("\x11", 1);
            cr_expect(bytes_equal(s.signer_serial, serial), "%s: no sign octet", why);
        } else {
            cr_expect_eq(s.signer_key.kind, KEY_OTHER, "%s", why);
        }
    }
}

static EVP_PKEY *rsa_pss(void)
{
    EVP_PKEY *k = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);

    cr_assert(EVP_PKEY_keygen_init(c) == 1 && EVP_PKEY_generate(c, &k) == 1);
    EVP_PKEY_CTX_free(c);
    return k;
}

Test(cms, keys_that_are_not_calculated_with)
{
    const struct { EVP_PKEY *key; bool verified; const char *why; } cases[] = {
        {EVP_RSA_gen(1024), true, "RSA-1024: old clients"},
        {EVP_RSA_gen(768), false, "RSA-768"},
        {EVP_EC_gen("P-521"), true, "P-521"},
        {EVP_EC_gen("secp256k1"), false, "a curve that is not NIST's"},
        {rsa_pss(), false, "a key for RSASSA-PSS alone"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cms_signed s;
        struct peer p = peer_make(cases[i].key, "odd", "22");
        struct bytes der = message_make(&p, EVP_sha256(), 0);
        cr_assert_eq(cms_open_signed(der, false, &arena, &s), R_OK, "%s", cases[i].why);
        cr_expect_eq(s.verified, cases[i].verified, "%s", cases[i].why);
        peer_free(&p);
    }
}

Test(cms, content_absent_and_empty)
{
    struct cms_signed s;

    struct bytes der = message_end(message_begin(&rsa, EVP_sha256(), CMS_DETACHED), bytes_of_text(""));
    cr_assert_eq(cms_open_signed(der, false, &arena, &s), R_OK);
    cr_expect(s.content.p == NULL && s.verified, "absent");
    der = message_end(message_begin(&rsa, EVP_sha256(), 0), bytes_of_text(""));
    cr_assert_eq(cms_open_signed(der, false, &arena, &s), R_OK);
    cr_expect(s.content.p != NULL && s.content.n == 0 && s.verified, "empty");
}

Test(cms, indefinite_lengths_and_content_in_pieces)
{
    struct cms_signed s;
    uint8_t *content = arena_alloc(&arena, 30000);

    memset(content, 'x', 30000);
    struct bytes all = BYTES(content, 30000);
    struct bytes der = cms_taken_as_stream(message_begin(&rsa, EVP_sha256(), 0), all, CMS_BINARY);
    cr_assert(der.p[1] == 0x80, "the message begins with an indefinite length");
    cr_assert_eq(cms_open_signed(der, false, &arena, &s), R_OK);
    cr_expect(s.verified);
    cr_expect(bytes_equal(s.content, all));
    for (size_t n = 0; n < der.n; n += n < 200 || n > der.n - 2500 ? 1 : 97) {
        uint8_t *cut = alone(der, n);
        cr_expect_eq(cms_open_signed(BYTES(cut, n), false, &arena, &s), R_BAD_MESSAGE, "%zu bytes", n);
        free(cut);
    }
}

Test(cms, structures_that_are_refused)
{
    struct peer other = peer_make(EVP_EC_gen("P-256"), "second", "12");
    struct cms_signed s;
    struct buf degenerate;
    uint8_t *longer;

    CMS_ContentInfo *two = message_begin(&rsa, EVP_sha256(), 0);
    cr_assert_not_null(CMS_add1_signer(two, other.certificate, other.key, EVP_sha256(), CMS_BINARY | CMS_PARTIAL));
    CMS_ContentInfo *plain = CMS_sign(rsa.certificate, rsa.key, NULL, NULL, CMS_BINARY | CMS_PARTIAL | CMS_NOATTR);
    CMS_ContentInfo *doubled = message_begin(&rsa, EVP_sha256(), 0);
    attribute_add(sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(doubled), 0), OID_TRANSACTION_ID, V_ASN1_PRINTABLESTRING, "C3");
    CMS_ContentInfo *several = message_begin(&rsa, EVP_sha256(), 0);
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(several), 0);
    X509_ATTRIBUTE *of_two = X509_ATTRIBUTE_create_by_txt(NULL, "1.2.3.4", V_ASN1_PRINTABLESTRING, (const void *)"one", 3);
    X509_ATTRIBUTE_set1_data(of_two, V_ASN1_PRINTABLESTRING, "two", 3);
    cr_assert_eq(CMS_signed_add1_attr(signer, of_two), 1);
    X509_ATTRIBUTE_free(of_two);
    CMS_ContentInfo *many = message_begin(&rsa, EVP_sha256(), 0);
    for (int i = 0; i <= LIMIT_SCEP_ATTRIBUTES; i++) {
        char oid[32];
        snprintf(oid, sizeof oid, "1.2.3.4.%d", i);
        attribute_add(sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(many), 0), oid, V_ASN1_PRINTABLESTRING, "x");
    }
    CMS_ContentInfo *crowd = message_begin(&rsa, EVP_sha256(), 0);
    for (int i = 0; i < LIMIT_SCEP_CERTIFICATES; i++) {
        char serial[16];
        snprintf(serial, sizeof serial, "%d", 50 + i);
        struct peer p = peer_make(EVP_EC_gen("P-256"), "crowd", serial);
        cr_assert_eq(CMS_add1_cert(crowd, p.certificate), 1);
        peer_free(&p);
    }
    BIO *in = BIO_new_mem_buf(CONTENT, -1);
    CMS_ContentInfo *data = CMS_data_create(in, CMS_BINARY), *digest;
    BIO_free(in);
    in = BIO_new_mem_buf(CONTENT, -1);
    digest = CMS_digest_create(in, EVP_sha256(), CMS_BINARY);
    BIO_free(in);
    buf_init(&degenerate, 65536);
    cr_assert_eq(cms_certificates(&rsa.der, 1, &degenerate), R_OK);
    struct bytes good = message_make(&rsa, EVP_sha256(), 0);
    longer = arena_alloc(&arena, good.n + 1);
    memcpy(longer, good.p, good.n);

    const struct { struct bytes der; enum result r; const char *why; } cases[] = {
        {good, R_OK, "one signer, good"},
        {message_end(two, bytes_of_text(CONTENT)), R_BAD_MESSAGE, "two signers"},
        {buf_bytes(&degenerate), R_BAD_MESSAGE, "no signer"},
        {message_end(plain, bytes_of_text(CONTENT)), R_BAD_MESSAGE, "no signed attributes"},
        {message_end(doubled, bytes_of_text(CONTENT)), R_BAD_MESSAGE, "an attribute twice"},
        {message_end(several, bytes_of_text(CONTENT)), R_BAD_MESSAGE, "an attribute with two values"},
        {message_end(many, bytes_of_text(CONTENT)), R_BAD_MESSAGE, "too many attributes"},
        {message_end(crowd, bytes_of_text(CONTENT)), R_BAD_MESSAGE, "too many certificates"},
        {cms_taken(data), R_BAD_MESSAGE, "plain data"},
        {cms_taken(digest), R_BAD_MESSAGE, "digested data"},
        {BYTES(longer, good.n + 1), R_BAD_MESSAGE, "a byte after the end"},
        {rsa.der, R_BAD_MESSAGE, "a certificate"},
        {BYTES("", 0), R_BAD_MESSAGE, "nothing"},
        {BYTES_NONE, R_BAD_MESSAGE, "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(cms_open_signed(cases[i].der, false, &arena, &s), cases[i].r, "%s", cases[i].why);
    buf_free(&degenerate);
    peer_free(&other);
}

/* Replaces the only occurrence of a run of bytes. */
static struct bytes replaced(struct bytes der, const char *from, const char *to, size_t n)
{
    uint8_t *copy = arena_copy(&arena, der.p, der.n), *at = memmem(copy, der.n, from, n);

    cr_assert_not_null(at);
    memcpy(at, to, n);
    return BYTES(copy, der.n);
}

Test(cms, what_was_changed_is_read_but_not_verified)
{
    struct bytes good = message_make(&rsa, EVP_sha256(), 0);
    uint8_t *signature = arena_copy(&arena, good.p, good.n);
    signature[good.n - 5] ^= 1;
    /* the contentType attribute's value: OID data, after the attribute's own OID */
    static const char type[] = "\x01\x09\x03\x31\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    static const char other[] = "\x01\x09\x03\x31\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
    const struct { struct bytes der; const char *why; } cases[] = {
        {replaced(good, "A1B2", "A1B3", 4), "an attribute"},
        {replaced(good, CONTENT, "What", 4), "the content"},
        {replaced(good, type, other, sizeof type - 1), "the content type attribute"},
        {BYTES(signature, good.n), "the signature"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cms_signed s;
        cr_assert_eq(cms_open_signed(cases[i].der, false, &arena, &s), R_OK, "%s", cases[i].why);
        cr_expect_not(s.verified, "%s", cases[i].why);
        cr_expect_not_null(attribute(&s, OID_TRANSACTION_ID), "%s", cases[i].why);
    }
}

Test(cms, the_signers_certificate_is_found_among_others)
{
    struct peer twin = peer_make(EVP_EC_gen("P-256"), "client", "77");
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_PARTIAL);
    struct cms_signed s;

    CMS_add1_cert(cms, twin.certificate);
    CMS_add1_cert(cms, ec.certificate);
    CMS_add1_signer(cms, rsa.certificate, rsa.key, EVP_sha256(), CMS_BINARY | CMS_PARTIAL);
    cr_assert_eq(cms_open_signed(message_end(cms, bytes_of_text(CONTENT)), false, &arena, &s), R_OK);
    cr_expect(s.verified && bytes_equal(s.signer_certificate, rsa.der), "the issuer is the same, the serial decides");
    cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_PARTIAL);
    CMS_add1_cert(cms, twin.certificate);
    CMS_add1_signer(cms, rsa.certificate, rsa.key, EVP_sha256(), CMS_BINARY | CMS_PARTIAL | CMS_NOCERTS);
    cr_assert_eq(cms_open_signed(message_end(cms, bytes_of_text(CONTENT)), false, &arena, &s), R_OK);
    cr_expect(!s.verified && s.signer_certificate.p == NULL, "another's certificate does not do");
    peer_free(&twin);
}

Test(cms, cut_or_odd_bytes_never_crash)
{
    struct bytes der = message_make(&rsa, EVP_sha256(), 0);
    struct arena small;
    struct cms_signed s;

    for (size_t n = 0; n < der.n; n++) {
        uint8_t *cut = alone(der, n);
        cr_expect_eq(cms_open_signed(BYTES(cut, n), false, &arena, &s), R_BAD_MESSAGE, "%zu bytes", n);
        free(cut);
    }
    for (size_t i = 0; i < der.n; i++) {
        uint8_t *odd = alone(der, der.n);
        odd[i] ^= (uint8_t)(1 << (i % 8));
        arena_init(&small, 65536);
        if (cms_open_signed(BYTES(odd, der.n), false, &small, &s) == R_OK && s.verified)
            cr_expect(bytes_equal(s.content, bytes_of_text(CONTENT)), "byte %zu", i);
        arena_free(&small);
        free(odd);
    }
    cr_expect_eq(ERR_peek_error(), 0, "OpenSSL's error queue is left empty");
}

/* ---- writing ---- */

static const struct cms_attribute reply[] = {
    {OID_TRANSACTION_ID, DER_PRINTABLE_STRING, BYTES("A1B2", 4)},
    {OID_SENDER_NONCE, DER_OCTET_STRING, BYTES("\x00\x01\x02\x03", 4)},
    {OID_FAIL_INFO_TEXT, DER_UTF8_STRING, BYTES("The challenge has expired \xe2\x80\x93", 29)},
};
#define REPLY ((struct cms_attributes){(struct cms_attribute *)(uintptr_t)reply, 3})

static CMS_ContentInfo *openssl_read(struct bytes der)
{
    const unsigned char *p = der.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);

    cr_assert_not_null(cms);
    cr_assert_eq(p, der.p + der.n);
    return cms;
}

Test(cms, openssl_verifies_what_was_signed)
{
    static const struct { uint32_t hash; int nid; enum result r; const char *why; } cases[] = {
        {HASH_SHA256, NID_sha256, R_OK, "SHA-256"},
        {HASH_SHA384, NID_sha384, R_OK, "SHA-384"},
        {HASH_SHA512, NID_sha512, R_OK, "SHA-512"},
        {HASH_SHA1, NID_sha1, R_OK, "SHA-1: answers mirror the request"},
        {HASH_MD5, 0, R_BAD_ALG, "MD5 is never signed with"},
        {HASH_OTHER, 0, R_BAD_ALG, "no hash"},
    };
    static const char *const contents[] = {CONTENT, "", NULL};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t k = 0; k < 3; k++) {
            const char *why = cases[i].why;
            struct bytes content = bytes_of_text(contents[k]), der;
            cr_expect_eq(cms_sign(content, &REPLY, key, cases[i].hash, &rsa.der, 1, &arena, &der), cases[i].r, "%s", why);
            if (cases[i].r != R_OK)
                continue;
            CMS_ContentInfo *cms = openssl_read(der);
            BIO *out = BIO_new(BIO_s_mem());
            cr_expect_eq(CMS_verify(cms, NULL, NULL, NULL, out, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY), 1, "%s", why);
            char *p;
            long n = BIO_get_mem_data(out, &p);
            cr_expect(bytes_equal(BYTES(p, (size_t)n), content), "%s", why);
            cr_expect_not_null(*CMS_get0_content(cms), "%s: an empty content is there", why);
            CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
            X509_ALGOR *digest, *signature;
            CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, &signature);
            const ASN1_OBJECT *oid;
            X509_ALGOR_get0(&oid, NULL, NULL, digest);
            cr_expect_eq(OBJ_obj2nid(oid), cases[i].nid, "%s", why);
            X509_ALGOR_get0(&oid, NULL, NULL, signature);
            cr_expect_eq(OBJ_obj2nid(oid), NID_rsaEncryption, "%s: what strongSwan asks for", why);
            cr_expect_eq(CMS_signed_get_attr_count(signer), 6, "%s: three of CMS, three of ours", why);
            cr_expect_geq(CMS_signed_get_attr_by_NID(signer, NID_pkcs9_signingTime, -1), 0, "%s", why);
            BIO_free(out);
            CMS_ContentInfo_free(cms);
        }
    }
}

Test(cms, what_was_signed_reads_back)
{
    struct bytes der;
    struct cms_signed s;

    cr_assert_eq(cms_sign(bytes_of_text(CONTENT), &REPLY, key, HASH_SHA256, &rsa.der, 1, &arena, &der), R_OK);
    cr_assert_eq(cms_open_signed(der, false, &arena, &s), R_OK);
    cr_expect(s.verified && bytes_equal(s.content, bytes_of_text(CONTENT)));
    for (size_t i = 0; i < 3; i++) {
        const struct cms_attribute *item = attribute(&s, reply[i].oid);
        cr_assert_not_null(item, "%s", reply[i].oid);
        cr_expect(item->type == reply[i].type && bytes_equal(item->value, reply[i].value), "%s", reply[i].oid);
    }
    /* DER sorts a SET OF: encoding the same by OpenSSL must give the same bytes */
    CMS_ContentInfo *cms = openssl_read(der);
    cr_expect(bytes_equal(cms_taken(cms), der));
    struct cms_attribute bad = {"not.an.oid", DER_PRINTABLE_STRING, BYTES("x", 1)};
    cr_expect_neq(cms_sign(BYTES_NONE, &(struct cms_attributes){&bad, 1}, key, HASH_SHA256, NULL, 0, &arena, &der), R_OK);
    struct cms_attributes many = {NULL, LIMIT_SCEP_ATTRIBUTES + 1};
    cr_expect_eq(cms_sign(BYTES_NONE, &many, key, HASH_SHA256, NULL, 0, &arena, &der), R_TOO_LARGE);
}

static void expect_order(struct bytes der, const struct bytes *wanted, uint32_t count, const char *why)
{
    size_t last = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint8_t *at = memmem(der.p, der.n, wanted[i].p, wanted[i].n);
        cr_assert_not_null(at, "%s", why);
        cr_expect_geq((size_t)(at - der.p), last, "%s: certificate %u", why, i);
        last = (size_t)(at - der.p);
    }
}

Test(cms, certificates_keep_their_order)
{
    const struct bytes long_first[] = {rsa.der, ec.der}, short_first[] = {ec.der, rsa.der};
    const struct { const struct bytes *list; uint32_t count; const char *why; } cases[] = {
        {long_first, 2, "the longer first"},
        {short_first, 2, "the shorter first"},
        {long_first, 1, "one"},
        {NULL, 0, "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        struct bytes der;
        buf_init(&b, 65536);
        cr_assert_eq(cms_certificates(cases[i].list, cases[i].count, &b), R_OK, "%s", cases[i].why);
        expect_order(buf_bytes(&b), cases[i].list, cases[i].count, cases[i].why);
        CMS_ContentInfo *cms = openssl_read(buf_bytes(&b));
        STACK_OF(X509) *read = CMS_get1_certs(cms);
        cr_expect_eq(read != NULL ? sk_X509_num(read) : 0, (int)cases[i].count, "%s", cases[i].why);
        sk_X509_pop_free(read, X509_free);
        CMS_ContentInfo_free(cms);
        buf_free(&b);
        cr_assert_eq(cms_sign(BYTES_NONE, &REPLY, key, HASH_SHA256, cases[i].list, cases[i].count, &arena, &der), R_OK);
        expect_order(der, cases[i].list, cases[i].count, cases[i].why);
        CMS_ContentInfo_free(openssl_read(der));
    }
    struct buf tight;
    buf_init(&tight, 100);
    cr_expect_eq(cms_certificates(long_first, 2, &tight), R_TOO_LARGE);
    buf_free(&tight);
}

Test(cms, keys_and_certificates_must_be_a_pair)
{
    struct peer other = peer_make(EVP_RSA_gen(2048), "other", "33"), small = peer_make(EVP_RSA_gen(1024), "small", "34");
    struct { const struct peer *key; struct bytes certificate; size_t extra; enum result r; const char *why; } cases[] = {
        {&rsa, rsa.der, 0, R_OK, "a pair"},
        {&rsa, other.der, 0, R_BAD_KEY, "another's certificate"},
        {&rsa, ec.der, 0, R_BAD_KEY, "a certificate of an EC key"},
        {&ec, ec.der, 0, R_BAD_KEY, "an EC key"},
        {&small, small.der, 0, R_BAD_KEY, "RSA-1024"},
        {&rsa, rsa.der, 1, R_BAD_KEY, "a byte after the key's end"},
        {&rsa, BYTES(rsa.der.p, 40), 0, R_BAD_KEY, "half a certificate"},
        {&rsa, BYTES_NONE, 0, R_BAD_KEY, "no certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cms_key *k = NULL;
        PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(cases[i].key->key);
        uint8_t *room = arena_alloc(&arena, 4096), *p = room;
        int n = i2d_PKCS8_PRIV_KEY_INFO(info, &p);
        struct bytes pkcs8 = BYTES(room, (size_t)n + cases[i].extra);
        cr_expect_eq(cms_key_open(pkcs8, cases[i].certificate, &k), cases[i].r, "%s", cases[i].why);
        cr_expect_eq(k != NULL, cases[i].r == R_OK, "%s", cases[i].why);
        cms_key_free(k);
        PKCS8_PRIV_KEY_INFO_free(info);
    }
    peer_free(&other);
    peer_free(&small);
}
