/* What the SCEP tests share: a client, its messages, reading a CertRep with OpenSSL alone, as a foreign client does, and an
 * endpoint with its RA generations. */
#ifndef CHANCERY_TESTS_SCEP_FIXTURE_H
#define CHANCERY_TESTS_SCEP_FIXTURE_H

#include "tests/unit/cms_fixture.h"

#include <stdlib.h>

#include "lib/base/limits.h"
#include "lib/codec/pkey.h"
#include "lib/scep/message.h"
#include "lib/service/endpoint.h"

#define TEXT(s) bytes_of_text(s)
#define TRANSACTION "8A1F+/=b"
#define NONCE "0123456789abcdef"
#define CA "0f3a5b7c-1234-4abc-9def-0123456789ab"
#define PASSPHRASE "9f8e7d6c5b4a3928"

static inline EVP_PKEY *rsa_make(void)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);

    cr_assert_not_null(key);
    return key;
}

/* The attributes of a message, by default those of a PKCSReq. */
struct attributes_made { struct cms_attribute items[8]; uint32_t count; };

static inline struct attributes_made request_attributes(const char *type)
{
    struct attributes_made m = {.count = 0};

    m.items[m.count++] = (struct cms_attribute){OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, TEXT(type)};
    m.items[m.count++] = (struct cms_attribute){OID_SCEP_TRANSACTION_ID, DER_PRINTABLE_STRING, TEXT(TRANSACTION)};
    m.items[m.count++] = (struct cms_attribute){OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, TEXT(NONCE)};
    return m;
}

static inline struct bytes message_make(struct bytes content, const struct attributes_made *m, const struct peer *signer,
                                        uint32_t hash)
{
    struct cms_attributes attributes = {(struct cms_attribute *)m->items, m->count};
    struct cms_key *k = peer_cms_key(signer);
    struct bytes der;

    cr_assert_eq(cms_sign(content, &attributes, k, hash, &signer->der, 1, &arena, &der), R_OK);
    cms_key_free(k);
    return der;
}

/* A CertRep as the client finds it. */
struct answer_read {
    CMS_ContentInfo *cms;
    CMS_SignerInfo *signer;
    struct bytes content;              /* EnvelopedData; empty for FAILURE */
};

/* The signature must verify with this certificate, which must be inside. */
static inline struct answer_read answer_open(struct bytes der, const struct peer *ra)
{
    struct answer_read x;
    const unsigned char *p = der.p;
    BIO *out = BIO_new(BIO_s_mem());
    STACK_OF(X509) *trusted = sk_X509_new_null();
    char *content = NULL;

    x.cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);
    cr_assert(x.cms != NULL && p == der.p + der.n, "the answer is one ContentInfo");
    sk_X509_push(trusted, ra->certificate);
    cr_assert_eq(CMS_verify(x.cms, trusted, NULL, NULL, out, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY), 1, "its signature");
    long n = BIO_get_mem_data(out, &content);
    x.content = arena_bytes(&arena, BYTES(content, (size_t)n));
    x.signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(x.cms), 0);
    STACK_OF(X509) *inside = CMS_get1_certs(x.cms);
    cr_assert_eq(sk_X509_num(inside), 1);
    cr_assert_eq(X509_cmp(sk_X509_value(inside, 0), ra->certificate), 0, "the RA's certificate is inside");
    sk_X509_pop_free(inside, X509_free);
    sk_X509_free(trusted);
    BIO_free(out);
    return x;
}

/* The one value of an attribute, or NULL. */
static inline const ASN1_TYPE *answer_attribute(const struct answer_read *x, const char *oid)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = CMS_signed_get_attr_by_OBJ(x->signer, object, -1);

    ASN1_OBJECT_free(object);
    if (at < 0)
        return NULL;
    X509_ATTRIBUTE *attribute = CMS_signed_get_attr(x->signer, at);
    cr_assert_eq(X509_ATTRIBUTE_count(attribute), 1);
    return X509_ATTRIBUTE_get0_type(attribute, 0);
}

static inline bool answer_says(const struct answer_read *x, const char *oid, int type, struct bytes value)
{
    const ASN1_TYPE *t = answer_attribute(x, oid);

    if (t == NULL || t->type != type)
        return false;
    const ASN1_STRING *s = t->value.asn1_string;
    return bytes_equal(BYTES(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)), value);
}

/* The certificate in a SUCCESS, opened with the client's key; the caller frees it. */
static inline X509 *answer_certificate(const struct answer_read *x, const struct peer *client)
{
    const unsigned char *p = x->content.p;
    BIO *out = BIO_new(BIO_s_mem());
    char *content = NULL;
    CMS_ContentInfo *enveloped = d2i_CMS_ContentInfo(NULL, &p, (long)x->content.n);

    cr_assert_not_null(enveloped, "EnvelopedData inside");
    cr_assert_eq(CMS_decrypt(enveloped, client->key, client->certificate, NULL, out, CMS_BINARY), 1);
    long n = BIO_get_mem_data(out, &content);
    p = (const unsigned char *)content;
    CMS_ContentInfo *degenerate = d2i_CMS_ContentInfo(NULL, &p, n);
    cr_assert(degenerate != NULL && p == (const unsigned char *)content + n, "one degenerate SignedData inside");
    STACK_OF(X509) *inside = CMS_get1_certs(degenerate);
    cr_assert_eq(sk_X509_num(inside), 1, "the issued certificate and nothing else");
    X509 *certificate = sk_X509_shift(inside);
    sk_X509_pop_free(inside, X509_free);
    CMS_ContentInfo_free(degenerate);
    CMS_ContentInfo_free(enveloped);
    BIO_free(out);
    return certificate;
}

static inline void answer_close(struct answer_read *x)
{
    CMS_ContentInfo_free(x->cms);
}

/* ---- RA generations as they stand in the database ---- */

struct ra_made {
    struct peer sign, encrypt;
    struct scep_generation row;
};

/* One key for both certificates: making keys is what these tests spend their time on. */
static inline struct ra_made ra_make(uint32_t number)
{
    struct ra_made m = {.row = {.number = number}};
    struct pkey *k = NULL;
    struct bytes encrypted, pkcs8;
    char serial[16];

    cr_assert_eq(pkey_generate_rsa(2048, &k), R_OK);
    cr_assert_eq(pkey_seal(k, PASSPHRASE, &arena, &encrypted), R_OK);
    cr_assert_eq(pkey_pkcs8(k, &arena, &pkcs8), R_OK);
    pkey_free(k);
    const unsigned char *p = pkcs8.p;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)pkcs8.n);
    cr_assert(key != NULL && EVP_PKEY_up_ref(key) == 1);
    snprintf(serial, sizeof serial, "10%02x", number);
    m.sign = peer_make(key, "RA signing", serial);
    snprintf(serial, sizeof serial, "20%02x", number);
    m.encrypt = peer_make(key, "RA encryption", serial);
    m.row.sign_key = m.row.encrypt_key = encrypted;
    m.row.sign_certificate = m.sign.der;
    m.row.encrypt_certificate = m.encrypt.der;
    return m;
}

static inline void ra_free(struct ra_made *m)
{
    peer_free(&m->sign);
    peer_free(&m->encrypt);
}

/* ---- the database, and the cache that reads it ---- */

static struct {
    struct scep_endpoint row;
    enum result result;             /* R_OK: every id is this endpoint */
    int reads;
    int64_t now;                    /* the cache's clock */
    struct ra_made older, newer;    /* generations of row, the newer one first */
    struct peer issuer, parent;     /* its CA and the one above */
    struct endpoints *cache;
    int log_file;
} shelf __attribute__((unused));

static inline int64_t shelf_clock(void)
{
    return shelf.now;
}

static inline enum result shelf_read(void *context, const char *ca, uint32_t staged, int timeout_ms, struct arena *a,
                                     struct scep_endpoint *out)
{
    (void)context;
    (void)ca;
    (void)staged;
    (void)timeout_ms;
    shelf.reads++;
    if (shelf.result != R_OK)
        return shelf.result;
    *out = shelf.row;
    for (uint32_t i = 0; i < out->generation_count; i++) {      /* as the real one: everything in the arena given */
        struct scep_generation *g = &out->generations[i];
        struct bytes *parts[] = {&g->sign_certificate, &g->sign_key, &g->encrypt_certificate, &g->encrypt_key};
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            *parts[k] = arena_bytes(a, *parts[k]);
    }
    return R_OK;
}

static inline void shelf_setup(void)
{
    struct endpoint_config config = {.read = shelf_read, .ra_passphrase = PASSPHRASE, .now_ms = shelf_clock};
    FILE *log = tmpfile();

    cr_assert_not_null(log);
    shelf.log_file = fileno(log);
    log_open("test", LOG_LEVEL_DEBUG);
    log_to(shelf.log_file);
    arena_init(&arena, ARENA_LIMIT);
    shelf.now = 1000000;
    shelf.issuer = peer_make(EVP_EC_gen("P-384"), "issuing CA", "03");
    shelf.parent = peer_make(EVP_EC_gen("P-256"), "root", "04");
    shelf.older = ra_make(1);
    shelf.newer = ra_make(2);
    shelf.row = (struct scep_endpoint){.ca_version = 1, .certificate = shelf.issuer.der, .chain = &shelf.parent.der,
        .chain_count = 1, .generations = {shelf.newer.row, shelf.older.row}, .generation_count = 2};
    cr_assert_eq(endpoints_open(&config, &shelf.cache), R_OK);
}

static inline void shelf_teardown(void)
{
    endpoints_close(shelf.cache);
    ra_free(&shelf.older);
    ra_free(&shelf.newer);
    peer_free(&shelf.issuer);
    peer_free(&shelf.parent);
    log_to(-1);
    close(shelf.log_file);
    arena_free(&arena);
}

static inline struct endpoint *found(void)
{
    struct endpoint *e = NULL;

    cr_assert_eq(endpoint_find(shelf.cache, CA, 0, &e), R_OK);
    return e;
}

/* What was logged since the last call. */
static inline const char *logged(void)
{
    static char text[65536];
    off_t n = lseek(shelf.log_file, 0, SEEK_END);

    cr_assert(n >= 0 && (size_t)n < sizeof text);
    cr_assert_eq(pread(shelf.log_file, text, (size_t)n, 0), n);
    text[n] = '\0';
    cr_assert_eq(ftruncate(shelf.log_file, 0), 0);
    lseek(shelf.log_file, 0, SEEK_SET);
    return text;
}

#endif
