/*
 * issuer_serial: the content by which a SCEP client names a certificate (RFC 8894 section 3.3.4).
 *
 * DER to the last byte. The name is not decoded here, only delimited: it is for name_der_match, which reads what it
 * compares. Which certificate is meant, and whether the client may have it, is decided elsewhere.
 */
#ifndef CHANCERY_CODEC_ISSUER_SERIAL_H
#define CHANCERY_CODEC_ISSUER_SERIAL_H

#include "lib/base/bytes.h"

struct issuer_serial {
    struct bytes issuer;           /* Name, whole DER, at most LIMIT_NAME_DER */
    struct bytes serial;           /* content octets of the INTEGER, sign octet dropped, at most LIMIT_SERIAL */
};

/* IssuerAndSerialNumber (RFC 5652 section 10.2.4), what GetCert and GetCRL carry. The slices point into der. R_BAD_MESSAGE where
 * it is anything else: a negative serial among it, for no CA of ours has one. */
enum result issuer_serial_decode(struct bytes der, struct issuer_serial *out);

#endif
