/*
 * answer: a CertRep (RFC 8894 section 3.3.2), read with libcrypto alone.
 */
#ifndef CHANCERY_TESTS_FLOW_ANSWER_H
#define CHANCERY_TESTS_FLOW_ANSWER_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>

#define ANSWER_TEXT 600

enum {
    ANSWER_TYPE, ANSWER_STATUS, ANSWER_FAIL, ANSWER_FAIL_TEXT, ANSWER_TRANSACTION, ANSWER_SENDER_NONCE, ANSWER_RECIPIENT_NONCE,
    ANSWER_NAMES
};
static const struct { const char *oid, *name; } answer_names[ANSWER_NAMES] = {
    {"2.16.840.1.113733.1.9.2", "messageType"},     {"2.16.840.1.113733.1.9.3", "pkiStatus"},
    {"2.16.840.1.113733.1.9.4", "failInfo"},        {"1.3.6.1.5.5.7.24.1", "failInfoText"},
    {"2.16.840.1.113733.1.9.7", "transactionID"},   {"2.16.840.1.113733.1.9.5", "senderNonce"},
    {"2.16.840.1.113733.1.9.6", "recipientNonce"},
};

struct answer {
    const char *fault;                      /* why it cannot be read; NULL where it can */
    struct { bool there; int tag; char text[ANSWER_TEXT]; } said[ANSWER_NAMES];     /* octets in hex */
    bool has_content_type, has_message_digest;
    const char *digest, *signature, *cipher;    /* cipher: NULL without content */
    STACK_OF(X509) *certificates;           /* NULL where it has none */
    STACK_OF(X509_CRL) *crls;
};

static inline void answer_free(struct answer *a)
{
    sk_X509_pop_free(a->certificates, X509_free);
    sk_X509_CRL_pop_free(a->crls, X509_CRL_free);
    memset(a, 0, sizeof *a);
}

static inline void answer_attributes(CMS_SignerInfo *signer, struct answer *a)
{
    for (size_t i = 0; i < ANSWER_NAMES; i++) {
        ASN1_OBJECT *object = OBJ_txt2obj(answer_names[i].oid, 1);
        int at = CMS_signed_get_attr_by_OBJ(signer, object, -1);
        ASN1_OBJECT_free(object);
        if (at < 0)
            continue;
        const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(CMS_signed_get_attr(signer, at), 0);
        const ASN1_STRING *s = value->value.asn1_string;
        const unsigned char *p = ASN1_STRING_get0_data(s);
        size_t n = 0;
        a->said[i].there = true;
        a->said[i].tag = value->type;
        for (int k = 0; k < ASN1_STRING_length(s) && n + 3 < ANSWER_TEXT; k++)
            n += (size_t)snprintf(a->said[i].text + n, 3, value->type == V_ASN1_OCTET_STRING ? "%02x" : "%c", p[k]);
    }
    a->has_content_type = CMS_signed_get_attr_by_NID(signer, NID_pkcs9_contentType, -1) >= 0;
    a->has_message_digest = CMS_signed_get_attr_by_NID(signer, NID_pkcs9_messageDigest, -1) >= 0;
}

static inline void answer_algorithms(CMS_SignerInfo *signer, struct answer *a)
{
    X509_ALGOR *digest_algorithm = NULL, *signature = NULL;
    const ASN1_OBJECT *object = NULL;
    CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest_algorithm, &signature);
    X509_ALGOR_get0(&object, NULL, NULL, digest_algorithm);
    a->digest = OBJ_nid2sn(OBJ_obj2nid(object));
    X509_ALGOR_get0(&object, NULL, NULL, signature);
    a->signature = OBJ_nid2sn(OBJ_obj2nid(object));
}

/* The cipher of an EnvelopedData is nowhere in the API: its OID stands in the DER, and no other of this kind does. */
static inline const char *answer_cipher(const unsigned char *p, long n)
{
    static const int ciphers[] = {NID_aes_128_cbc, NID_aes_192_cbc, NID_aes_256_cbc, NID_des_ede3_cbc, NID_des_cbc};
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++) {
        const ASN1_OBJECT *object = OBJ_nid2obj(ciphers[i]);
        long length = (long)OBJ_length(object);
        for (long k = 0; k + length <= n; k++)
            if (memcmp(p + k, OBJ_get0_data(object), (size_t)length) == 0)
                return OBJ_nid2sn(ciphers[i]);
    }
    return "other";
}

static inline void answer_content(BIO *content, EVP_PKEY *key, struct answer *a)
{
    char *p;
    long n = BIO_get_mem_data(content, &p);
    a->cipher = answer_cipher((const unsigned char *)p, n);
    CMS_ContentInfo *envelope = d2i_CMS_bio(content, NULL), *inner = NULL;
    BIO *plain = BIO_new(BIO_s_mem());
    if (!envelope || CMS_decrypt(envelope, key, NULL, NULL, plain, CMS_BINARY) != 1)
        a->fault = "the answer's envelope does not open";
    else if (!(inner = d2i_CMS_bio(plain, NULL)))
        a->fault = "the answer holds no certificates";
    if (inner) {
        a->certificates = CMS_get1_certs(inner);
        a->crls = CMS_get1_crls(inner);
    }
    CMS_ContentInfo_free(inner);
    CMS_ContentInfo_free(envelope);
    BIO_free(plain);
}

static inline const char *answer_signers(CMS_ContentInfo *cms, const X509 *ra)
{
    STACK_OF(X509) *signers = CMS_get0_signers(cms);
    bool right = !ra || (sk_X509_num(signers) == 1 && X509_cmp(sk_X509_value(signers, 0), ra) == 0);
    sk_X509_free(signers);
    return right ? NULL : "the answer is signed by somebody else";
}

/* ra: who must have signed it, or NULL for anybody. key: opens it. */
static inline void answer_read(const void *der, size_t n, EVP_PKEY *key, const X509 *ra, struct answer *a)
{
    BIO *in = BIO_new_mem_buf(der, (int)n), *content = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = d2i_CMS_bio(in, NULL);
    memset(a, 0, sizeof *a);
    if (!cms || BIO_pending(in) > 0)
        a->fault = "the answer is no CMS message";
    else if (CMS_verify(cms, NULL, NULL, NULL, content, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) != 1)
        a->fault = "the answer's signature is wrong";
    else
        a->fault = answer_signers(cms, ra);
    if (!a->fault) {
        CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
        answer_attributes(signer, a);
        answer_algorithms(signer, a);
        if (BIO_pending(content) > 0)
            answer_content(content, key, a);
    }
    CMS_ContentInfo_free(cms);
    BIO_free(content);
    BIO_free(in);
}

/* "pkiStatus failInfo failInfoText", "-" where absent. */
static inline const char *answer_summary(const struct answer *a, char *out, size_t size)
{
    const char *parts[3];
    for (int i = 0; i < 3; i++)
        parts[i] = a->said[ANSWER_STATUS + i].there ? a->said[ANSWER_STATUS + i].text : "-";
    if (a->fault)
        snprintf(out, size, "unreadable: %s", a->fault);
    else
        snprintf(out, size, "%s %s %s", parts[0], parts[1], parts[2]);
    return out;
}

#endif
