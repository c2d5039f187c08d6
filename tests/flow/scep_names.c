/*
 * scep_names: what CertPoll, GetCert and GetCRL carry (RFC 8894 sections 3.3.3 to 3.3.5), written with libcrypto alone.
 *
 *   scep_names --issuer PEM --subject PEM > DER                  IssuerAndSubject: the subjects of two certificates
 *   scep_names --issuer PEM --serial-of PEM|HEX > DER            IssuerAndSerialNumber: the subject of one, the serial number of another
 *       --more HEX adds octets behind it.
 */
#include <openssl/x509.h>

#include "tests/flow/client.h"

#define ROOM 65536

static unsigned char der[ROOM];
static int der_size;

static void put(const unsigned char *p, int n)
{
    if (n < 0 || der_size + n > ROOM)
        die("too large");
    memcpy(der + der_size, p, (size_t)n);
    der_size += n;
}

static void put_subject(const char *path)
{
    X509 *c = certificate_read(path);
    unsigned char *p = NULL;
    int n = i2d_X509_NAME(X509_get_subject_name(c), &p);
    put(p, n);
    OPENSSL_free(p);
    X509_free(c);
}

static void put_serial(const char *text)
{
    X509 *c = strchr(text, '/') ? certificate_read(text) : NULL;
    BIGNUM *number = NULL;
    ASN1_INTEGER *serial = NULL;
    unsigned char *p = NULL;
    if (!c && (BN_hex2bn(&number, text) == 0 || !(serial = BN_to_ASN1_INTEGER(number, NULL))))
        die("--serial-of is neither a path nor hex");
    int n = i2d_ASN1_INTEGER(c ? X509_get0_serialNumber(c) : serial, &p);
    put(p, n);
    OPENSSL_free(p);
    ASN1_INTEGER_free(serial);
    BN_free(number);
    X509_free(c);
}

int main(int argc, char **argv)
{
    unsigned char head[8], *at = head, *more = NULL;
    long more_size = 0;
    if (!options_read(argc, argv, 1))
        die("usage: scep_names --issuer PEM (--subject PEM | --serial-of PEM|HEX) [--more HEX]");
    put_subject(needed("issuer"));
    if (option("subject", NULL))
        put_subject(option("subject", NULL));
    else
        put_serial(needed("serial-of"));
    ASN1_put_object(&at, 1, der_size, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    if (option("more", NULL) && !(more = OPENSSL_hexstr2buf(option("more", NULL), &more_size)))
        die("--more is not hex");
    if (fwrite(head, 1, (size_t)(at - head), stdout) != (size_t)(at - head) || fwrite(der, 1, (size_t)der_size, stdout) != (size_t)der_size ||
        fwrite(more ? more : head, 1, (size_t)more_size, stdout) != (size_t)more_size)
        die("nothing could be written");
    OPENSSL_free(more);
    return 0;
}
