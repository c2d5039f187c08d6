/* What the SCEP tests share: a client, its messages, and reading a CertRep with OpenSSL alone, as a foreign client does. */
#ifndef CHANCERY_TESTS_SCEP_FIXTURE_H
#define CHANCERY_TESTS_SCEP_FIXTURE_H

#include "tests/unit/cms_fixture.h"

#include "lib/base/limits.h"
#include "lib/scep/message.h"

#define TEXT(s) bytes_of_text(s)
#define TRANSACTION "8A1F+/=b"
#define NONCE "0123456789abcdef"

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

#endif
