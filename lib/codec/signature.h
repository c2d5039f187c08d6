/*
 * signature: SEQUENCE { to be signed, algorithm, BIT STRING }, the outside of certificates, requests and CRLs (RFC 5280
 * section 4.1.1), and checking it with somebody's public key. For the files of this folder.
 *
 * RSA PKCS#1 v1.5 and ECDSA, with SHA-2 and, where asked for, SHA-1 and MD5. RSASSA-PSS and EdDSA are read as HASH_OTHER and
 * never verify.
 */
#ifndef CHANCERY_CODEC_SIGNATURE_H
#define CHANCERY_CODEC_SIGNATURE_H

#include "lib/codec/x509.h"

struct signed_parts {
    struct bytes whole;            /* the outer SEQUENCE */
    struct bytes tbs;              /* whole DER */
    struct bytes algorithm;        /* AlgorithmIdentifier, whole DER */
    struct bytes signature;        /* content without the unused-bits octet */
};
/* R_BAD_INPUT on anything else, trailing bytes among it. */
enum result signed_unwrap(struct bytes der, struct signed_parts *out);
/* The kind of key and the hash that a signature AlgorithmIdentifier asks for; KEY_OTHER and HASH_OTHER where unknown. */
enum result signature_algorithm(struct bytes algorithm, uint32_t *kind, uint32_t *hash);
/* R_SIGNATURE_FAILED where it does not verify for any reason: key out of bounds (evp_key_is_bounded), algorithm not taken,
 * or simply wrong. */
enum hashes_taken {
    HASHES_SHA2,                   /* certificates, CRLs */
    HASHES_ANY,                    /* also SHA-1 and MD5: what a client signs for itself (old ones: interop Q39) */
};
enum result signed_verify(const struct signed_parts *s, const struct public_key *k, enum hashes_taken taken);

#endif
