/* What the CMS tests share: peers with keys and certificates made by OpenSSL, and messages as OpenSSL's CMS writes them. */
#ifndef CHANCERY_TESTS_CMS_FIXTURE_H
#define CHANCERY_TESTS_CMS_FIXTURE_H

#include "lib/codec/cms.h"

#include <criterion/criterion.h>

#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/base/log.h"
#include "lib/codec/der.h"

#define OID_TRANSACTION_ID "2.16.840.1.113733.1.9.7"
#define OID_SENDER_NONCE "2.16.840.1.113733.1.9.5"
#define OID_FAIL_INFO_TEXT "1.3.6.1.5.5.7.24.1"

#define ARENA_LIMIT 67108864

static struct arena arena;

struct peer {
    EVP_PKEY *key;
    X509 *certificate;
    struct bytes der;
};

static inline struct bytes der_taken(unsigned char *der, int n)
{
    cr_assert(n > 0);
    struct bytes copy = arena_bytes(&arena, BYTES(der, (size_t)n));
    OPENSSL_free(der);
    return copy;
}

/* A self-signed certificate, as a client makes one for its first message. Takes the key over. */
static inline struct peer peer_make(EVP_PKEY *key, const char *cn, const char *serial_hex)
{
    struct peer p = {key, X509_new(), BYTES_NONE};
    BIGNUM *serial = NULL;
    X509V3_CTX context;
    unsigned char *der = NULL;

    cr_assert(BN_hex2bn(&serial, serial_hex) > 0);
    X509_set_version(p.certificate, X509_VERSION_3);
    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(p.certificate));
    BN_free(serial);
    X509_NAME *name = X509_get_subject_name(p.certificate);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Example", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(p.certificate, name);
    X509_gmtime_adj(X509_getm_notBefore(p.certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(p.certificate), 86400);
    cr_assert_eq(X509_set_pubkey(p.certificate, key), 1);
    X509V3_set_ctx(&context, p.certificate, p.certificate, NULL, NULL, 0);
    X509_EXTENSION *ski = X509V3_EXT_conf_nid(NULL, &context, NID_subject_key_identifier, "hash");
    X509_add_ext(p.certificate, ski, -1);
    X509_EXTENSION_free(ski);
    cr_assert(X509_sign(p.certificate, key, EVP_sha256()) > 0);
    int n = i2d_X509(p.certificate, &der);
    p.der = der_taken(der, n);
    return p;
}

static inline void peer_free(struct peer *p)
{
    X509_free(p->certificate);
    EVP_PKEY_free(p->key);
}

static inline struct cms_key *peer_cms_key(const struct peer *p)
{
    struct cms_key *k = NULL;
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(p->key);
    int n = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    struct bytes pkcs8 = der_taken(der, n);

    PKCS8_PRIV_KEY_INFO_free(info);
    cr_assert_eq(cms_key_open(pkcs8, p->der, &k), R_OK);
    return k;
}

static inline struct bytes cms_taken(CMS_ContentInfo *cms)
{
    unsigned char *der = NULL;
    int n = i2d_CMS_ContentInfo(cms, &der);

    CMS_ContentInfo_free(cms);
    return der_taken(der, n);
}

/* With indefinite lengths and content in pieces (content is then a stream that OpenSSL has not seen yet). */
static inline struct bytes cms_taken_as_stream(CMS_ContentInfo *cms, struct bytes content, int flags)
{
    BIO *in = BIO_new_mem_buf(content.p, (int)content.n), *out = BIO_new(BIO_s_mem());
    char *p = NULL;

    cr_assert_eq(i2d_CMS_bio_stream(out, cms, in, flags | CMS_STREAM), 1);
    long n = BIO_get_mem_data(out, &p);
    struct bytes copy = arena_bytes(&arena, BYTES(p, (size_t)n));
    BIO_free(in);
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    return copy;
}

/* Bytes on the heap, alone, so that the sanitizer sees a read beyond their end. */
static inline uint8_t *alone(struct bytes b, size_t n)
{
    uint8_t *copy = malloc(n + 1);

    cr_assert_not_null(copy);
    memcpy(copy, b.p, n);
    return realloc(copy, n > 0 ? n : 1);
}

#endif
