/*
 * scep_open: the answer to a SCEP message (RFC 8894 section 3.3.2), read with libcrypto alone.
 *
 *   scep_open --in FILE --key PEM [--ra PEM] [--out PEM]
 *       Verifies the CertRep's signature, and that its signer is the certificate given; prints its attributes as name=value lines,
 *       opens it, and writes the first certificate inside, or the CRL.
 */
#include <openssl/provider.h>

#include "tests/flow/answer.h"
#include "tests/flow/client.h"

static void answer_print(const struct answer *a)
{
    for (size_t i = 0; i < ANSWER_NAMES; i++)
        if (a->said[i].there)
            printf("%s=%s\n%s.tag=%d\n", answer_names[i].name, a->said[i].text, answer_names[i].name, a->said[i].tag);
    printf("contentType=%s\nmessageDigest=%s\n", a->has_content_type ? "yes" : "no", a->has_message_digest ? "yes" : "no");
    printf("digest=%s\nsignature=%s\n", a->digest, a->signature);
    if (a->cipher)
        printf("cipher=%s\ncertificates=%d\ncrls=%d\n", a->cipher, a->certificates ? sk_X509_num(a->certificates) : 0,
               a->crls ? sk_X509_CRL_num(a->crls) : 0);
}

static void content_write(const struct answer *a, const char *path)
{
    BIO *out = file_bio(path, "w");
    if (a->certificates)
        PEM_write_bio_X509(out, sk_X509_value(a->certificates, 0));
    else if (a->crls)
        PEM_write_bio_X509_CRL(out, sk_X509_CRL_value(a->crls, 0));
    BIO_free(out);
}

int main(int argc, char **argv)
{
    struct answer a;
    char *p;
    if (!options_read(argc, argv, 1))
        die("usage: scep_open --in FILE --key PEM [--ra PEM] [--out PEM]");
    /* An old device reads single DES. */
    OSSL_PROVIDER *usual = OSSL_PROVIDER_load(NULL, "default"), *old = OSSL_PROVIDER_load(NULL, "legacy");
    if (!usual || !old)
        die("no legacy provider");
    BIO *in = file_bio(needed("in"), "rb"), *whole = BIO_new(BIO_s_mem());
    char part[4096];
    for (int n; (n = BIO_read(in, part, sizeof part)) > 0;)
        BIO_write(whole, part, n);
    long n = BIO_get_mem_data(whole, &p);
    EVP_PKEY *key = key_read(needed("key"));
    X509 *ra = option("ra", NULL) ? certificate_read(option("ra", NULL)) : NULL;
    answer_read(p, (size_t)n, key, ra, &a);
    if (a.fault)
        die(a.fault);
    answer_print(&a);
    if (option("out", NULL) && (a.certificates || a.crls))
        content_write(&a, option("out", NULL));
    answer_free(&a);
    X509_free(ra);
    EVP_PKEY_free(key);
    BIO_free(whole);
    BIO_free(in);
    OSSL_PROVIDER_unload(old);
    OSSL_PROVIDER_unload(usual);
    return 0;
}
