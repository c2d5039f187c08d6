/*
 * csr: certification requests (PKCS#10, RFC 2986) as plain claims.
 *
 * Tolerated and recorded: a version other than 0 (Apple sends 2), requested extensions under Microsoft's OID as well as under
 * PKCS#9's (interop Q60), attributes and extensions unknown here (ignored), no attributes at all, any DirectoryString type for
 * the challenge with NULs and blanks at its end dropped; a blank challenge counts as none (Q48). Refused: what is not DER,
 * trailing bytes, doubled attributes or extensions, values beyond limits. The self-signature is checked by csr_verify, apart
 * from decoding.
 */
#ifndef CHANCERY_CODEC_CSR_H
#define CHANCERY_CODEC_CSR_H

#include "lib/codec/x509.h"

/* What the requester says it wants. Nothing of it is ever copied into a certificate; it is compared. */
struct claims {
    struct name subject;
    bool has_sans; struct sans sans;
    bool has_key_usage; uint32_t key_usage;
    bool has_ekus; struct oids ekus;
};

struct csr {
    struct bytes der, info;        /* info: CertificationRequestInfo, what is signed */
    struct claims claims;
    struct public_key key;
    const char *challenge;         /* UTF-8; NULL: none */
    uint32_t hash;                 /* of its signature */
    int64_t version;
    bool ca_requested;             /* basicConstraints CA:TRUE asked for */
};

/* CertificationRequestInfo with c's subject, key and extensions as requested ones; the rest of c is not looked at. It is signed
 * as certificates are (signed_wrap). R_BAD_INPUT where subject or key is no SEQUENCE, an OID is none, or there is no extension. */
enum result csr_encode_info(const struct certificate_content *c, struct buf *out);
/* At most LIMIT_CERTIFICATE bytes, copied into the arena. R_CSR_DECODING_FAILED whatever is wrong, or R_NO_MEMORY. */
enum result csr_decode(struct bytes der, struct arena *a, struct csr *out);
/* R_SIGNATURE_FAILED where the self-signature does not verify (RSA PKCS#1 v1.5 or ECDSA, with SHA-2, SHA-1 or MD5). Whether
 * that hash is good enough is judged by the caller, who has it in .hash; MD5 verifies only where legacy algorithms are to be had.
 * The key is bounded first: RSA of 1024 to LIMIT_RSA_BITS_MAX bits and an exponent of at most 64 bits, or a NIST curve. Whether
 * such a key may be certified is judged elsewhere. */
enum result csr_verify(const struct csr *c);

#endif
