/*
 * cert_rep: the answer to a SCEP message (RFC 8894 section 3.3.2): SUCCESS with certificates or a CRL, PENDING, or FAILURE.
 *
 * All echo the transaction id in the string type it came in and the sender's nonce as recipientNonce, and carry a fresh nonce as
 * long as the sender's (interop Q27 to Q31). Digest and cipher are those of the request, so that the client can read the answer
 * (Q33); in place of MD5 and what is unknown here stand SHA-256, or SHA-1 for a device of the legacy variant, and AES-128-CBC. Single DES, which
 * nothing on OpenSSL 3 reads without its legacy provider, is answered in single DES only to a device of that variant.
 */
#ifndef CHANCERY_SCEP_CERT_REP_H
#define CHANCERY_SCEP_CERT_REP_H

#include "lib/policy/variant.h"
#include "lib/scep/message.h"

/* Who answers, to what kind of client: the RA's signing key, and its certificate, which is put into the answer. */
struct responder { const struct cms_key *key; struct bytes certificate; const struct variant *variant; };

/* content: a degenerate SignedData of certificates, the issued one first (Q26; cms_certificates), or of a CRL (cms_crls). cipher: of the request's
 * envelope. R_BAD_INPUT or R_BAD_ALG where the sender's certificate has no key that content can be sealed to. */
enum result cert_rep_success(const struct message *request, uint32_t cipher, const struct responder *by, struct bytes content, struct arena *a,
                             struct bytes *der);
enum result cert_rep_pending(const struct message *request, const struct responder *by, struct arena *a, struct bytes *der);
/* text: failInfoText (RFC 8894 section 3.2.1.4), or NULL for none. */
enum result cert_rep_failure(const struct message *request, enum fail_info fail, const char *text, const struct responder *by,
                             struct arena *a, struct bytes *der);

#endif
