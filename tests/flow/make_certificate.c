/*
 * The certificate that a client makes for its first message. Nobody trusts it: its key is all that counts.
 *
 *   cert=FILE                   this one instead, in PEM
 *   cert-version=N              the number written: 2 is X.509 v3; 0: v1, with nothing of v3
 *   cert-serial=HEX             the INTEGER's octets
 *   cert-rdn=TYPE=VALUE         subject and issuer; cert-issuer=TYPE=VALUE another issuer
 *   cert-from= cert-to=         times: YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ
 *   cert-digest=NAME cert-break its signature, and that it is wrong
 *   cert-key=NAME               the key inside is another one; cert-sign-key=NAME: another one signs
 *   cert-ext= cert-ext-raw=     extensions
 */
#include "tests/flow/make.h"

#include <time.h>

#include "tests/flow/client.h"

static struct octets time_tlv(const char *text)
{
    return tlv(strlen(text) == 13 ? TAG_UTC_TIME : TAG_GENERALIZED_TIME, octets_text(text));
}

static struct octets time_make(const struct words *w, const char *name, long offset)
{
    char text[20];
    time_t t = time(NULL) + offset;
    struct tm parts;
    if (word(w, name, NULL))
        return time_tlv(word(w, name, NULL));
    strftime(text, sizeof text, "%Y%m%d%H%M%SZ", gmtime_r(&t, &parts));
    return time_tlv(text + 2);          /* UTCTime, without the century */
}

struct octets make_certificate(const struct words *w, EVP_PKEY *key)
{
    const char *digest = word(w, "cert-digest", "sha256");
    int version = atoi(word(w, "cert-version", "2"));
    if (word(w, "cert", NULL)) {
        unsigned char *der = NULL;
        int n = i2d_X509(make_read(word(w, "cert", NULL)), &der);
        return octets_taken(der, n);
    }
    struct octets subject = make_name(w, "cert-rdn", "CN=SCEP Protocol Certificate"), extensions = make_extensions(w, "cert-ext");
    struct octets issuer = word(w, "cert-issuer", NULL) ? make_name(w, "cert-issuer", NULL) : subject;
    EVP_PKEY *inside = word(w, "cert-key", NULL) ? make_key(word(w, "cert-key", NULL)) : key;
    EVP_PKEY *signer = word(w, "cert-sign-key", NULL) ? make_key(word(w, "cert-sign-key", NULL)) : key;
    struct octets algorithm = make_signature_algorithm(signer, digest);
    struct octets tbs = tlv(TAG_SEQUENCE, JOIN(
        version > 0 ? tlv(TAG_EXPLICIT(0), tlv_integer(version)) : OCTETS_NONE,
        tlv(TAG_INTEGER, octets_hex(word(w, "cert-serial", "5a17c0de"))), algorithm, issuer,
        tlv(TAG_SEQUENCE, JOIN(time_make(w, "cert-from", -3600), time_make(w, "cert-to", 86400))), subject, make_spki(inside),
        extensions.n > 0 ? tlv(TAG_EXPLICIT(3), tlv(TAG_SEQUENCE, extensions)) : OCTETS_NONE));
    struct octets signature = make_signature(signer, digest, tbs);
    if (says(w, "cert-break", "yes"))
        signature.p[signature.n - 1] ^= 1;
    return tlv(TAG_SEQUENCE, JOIN(tbs, algorithm, tlv(TAG_BIT_STRING, JOIN(octets_hex("00"), signature))));
}
