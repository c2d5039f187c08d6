/*
 * scep_open: the answer to a SCEP message (RFC 8894 section 3.3.2), read with libcrypto alone.
 *
 *   scep_open --in FILE --key PEM [--ra PEM] [--out PEM]
 *       Verifies the CertRep's signature, and that its signer is the certificate given; prints its attributes as name=value lines,
 *       opens it, and writes the first certificate inside, or the CRL.
 */
#include <openssl/cms.h>
#include <openssl/provider.h>

#include "tests/flow/client.h"

static const struct { const char *oid, *name; } received[] = {
    {"2.16.840.1.113733.1.9.2", "messageType"},     {"2.16.840.1.113733.1.9.3", "pkiStatus"},
    {"2.16.840.1.113733.1.9.4", "failInfo"},        {"1.3.6.1.5.5.7.24.1", "failInfoText"},
    {"2.16.840.1.113733.1.9.7", "transactionID"},   {"2.16.840.1.113733.1.9.5", "senderNonce"},
    {"2.16.840.1.113733.1.9.6", "recipientNonce"},
};

static void attributes_print(CMS_SignerInfo *signer)
{
    for (size_t i = 0; i < sizeof received / sizeof received[0]; i++) {
        ASN1_OBJECT *object = OBJ_txt2obj(received[i].oid, 1);
        int at = CMS_signed_get_attr_by_OBJ(signer, object, -1);
        ASN1_OBJECT_free(object);
        if (at < 0)
            continue;
        X509_ATTRIBUTE *a = CMS_signed_get_attr(signer, at);
        const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(a, 0);
        const ASN1_STRING *s = X509_ATTRIBUTE_get0_data(a, 0, value->type, NULL);
        const unsigned char *p = ASN1_STRING_get0_data(s);
        printf("%s=", received[i].name);
        for (int k = 0; k < ASN1_STRING_length(s); k++)
            printf(value->type == V_ASN1_OCTET_STRING ? "%02x" : "%c", p[k]);
        printf("\n%s.tag=%d\n", received[i].name, value->type);
    }
    printf("contentType=%s\nmessageDigest=%s\n",
           CMS_signed_get_attr_by_NID(signer, NID_pkcs9_contentType, -1) >= 0 ? "yes" : "no",
           CMS_signed_get_attr_by_NID(signer, NID_pkcs9_messageDigest, -1) >= 0 ? "yes" : "no");
}

static void algorithms_print(CMS_SignerInfo *signer)
{
    X509_ALGOR *digest_algorithm = NULL, *signature = NULL;
    CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest_algorithm, &signature);
    const ASN1_OBJECT *object = NULL;
    X509_ALGOR_get0(&object, NULL, NULL, digest_algorithm);
    printf("digest=%s\n", OBJ_nid2sn(OBJ_obj2nid(object)));
    X509_ALGOR_get0(&object, NULL, NULL, signature);
    printf("signature=%s\n", OBJ_nid2sn(OBJ_obj2nid(object)));
}

/* The cipher of an EnvelopedData is nowhere in the API: its OID stands in the DER, and no other of this kind does. */
static const char *cipher_name(const unsigned char *p, long n)
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

static void certificates_take(BIO *content, const char *out)
{
    CMS_ContentInfo *inner = d2i_CMS_bio(content, NULL);
    STACK_OF(X509) *list = inner ? CMS_get1_certs(inner) : NULL;
    STACK_OF(X509_CRL) *crls = inner ? CMS_get1_crls(inner) : NULL;
    printf("certificates=%d\n", list ? sk_X509_num(list) : 0);
    printf("crls=%d\n", crls ? sk_X509_CRL_num(crls) : 0);
    if (out && sk_X509_num(list) > 0) {
        BIO *b = file_bio(out, "w");
        PEM_write_bio_X509(b, sk_X509_value(list, 0));
        BIO_free(b);
    }
    if (out && crls && sk_X509_CRL_num(crls) > 0) {
        BIO *b = file_bio(out, "w");
        PEM_write_bio_X509_CRL(b, sk_X509_CRL_value(crls, 0));
        BIO_free(b);
    }
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    sk_X509_pop_free(list, X509_free);
    CMS_ContentInfo_free(inner);
}

static void envelope_open(BIO *content, EVP_PKEY *key, const char *out)
{
    char *p;
    long n = BIO_get_mem_data(content, &p);
    printf("cipher=%s\n", cipher_name((const unsigned char *)p, n));
    CMS_ContentInfo *envelope = d2i_CMS_bio(content, NULL);
    BIO *plain = BIO_new(BIO_s_mem());
    if (!envelope || CMS_decrypt(envelope, key, NULL, NULL, plain, CMS_BINARY) != 1)
        die("the answer's envelope does not open");
    certificates_take(plain, out);
    BIO_free(plain);
    CMS_ContentInfo_free(envelope);
}

int main(int argc, char **argv)
{
    if (!options_read(argc, argv, 1))
        die("usage: scep_open --in FILE --key PEM [--ra PEM] [--out PEM]");
    /* An old device reads single DES. */
    OSSL_PROVIDER *usual = OSSL_PROVIDER_load(NULL, "default"), *old = OSSL_PROVIDER_load(NULL, "legacy");
    if (!usual || !old)
        die("no legacy provider");
    BIO *in = file_bio(needed("in"), "rb"), *content = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = d2i_CMS_bio(in, NULL);
    char more;
    if (!cms || BIO_read(in, &more, 1) > 0)
        die("the answer is no CMS message");
    if (CMS_verify(cms, NULL, NULL, NULL, content, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) != 1)
        die("the answer's signature is wrong");
    STACK_OF(X509) *signers = CMS_get0_signers(cms);
    if (option("ra", NULL)) {
        X509 *wanted = certificate_read(option("ra", NULL));
        if (sk_X509_num(signers) != 1 || X509_cmp(sk_X509_value(signers, 0), wanted) != 0)
            die("the answer is signed by somebody else");
        X509_free(wanted);
    }
    sk_X509_free(signers);
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    attributes_print(signer);
    algorithms_print(signer);
    if (BIO_ctrl_pending(content) > 0) {
        EVP_PKEY *key = key_read(needed("key"));
        envelope_open(content, key, option("out", NULL));
        EVP_PKEY_free(key);
    }
    BIO_free(content);
    BIO_free(in);
    CMS_ContentInfo_free(cms);
    OSSL_PROVIDER_unload(old);
    OSSL_PROVIDER_unload(usual);
    return 0;
}
