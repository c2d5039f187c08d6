/*
 * evp: what the files of this folder share of OpenSSL's EVP interface. Not for other folders: OpenSSL's types end here.
 */
#ifndef CHANCERY_CODEC_EVP_H
#define CHANCERY_CODEC_EVP_H

#include <openssl/evp.h>

#include "lib/codec/x509.h"

/* The least size of an RSA key that a signature is checked with at all. Old clients sign with 1024 bits; whether their key
 * is certified is decided elsewhere (LIMIT_RSA_BITS_MIN). */
#define EVP_RSA_BITS_LEAST 1024

/* SHA-1 and SHA-2; NULL for all others, MD5 among them (lib/codec/legacy.h). */
const EVP_MD *evp_hash(uint32_t hash);
/* The hash of an OpenSSL digest number; HASH_OTHER where it is none of ours. */
uint32_t evp_hash_from_nid(int nid);
/* SHA-1, SHA-2 and, in the legacy context, MD5. False where there is no such hash. */
bool evp_digest(struct bytes data, uint32_t hash, uint8_t out[EVP_MAX_MD_SIZE], unsigned *n);
/* Is it an RSA key of EVP_RSA_BITS_LEAST to LIMIT_RSA_BITS_MAX bits whose exponent fits 64 bits, or an EC key on a NIST
 * curve? Asked before any mathematics with a stranger's key. */
bool evp_key_is_bounded(const struct public_key *k);
/* The key for EVP, made from its numbers (10 µs for RSA, where d2i_PUBKEY takes over 100); NULL where it is not bounded or no
 * key. Freed by the caller with EVP_PKEY_free. OpenSSL's error queue is left empty. */
EVP_PKEY *evp_key_decode(const struct public_key *k);
/* Does the signature over data verify with that key: RSA PKCS#1 v1.5 or ECDSA, by the key's kind, with SHA-1, SHA-2 or, in the
 * legacy context, MD5? Which hash may be taken is the caller's to say. R_SIGNATURE_FAILED where it does not, for any reason, a
 * key that is not bounded among them; R_NO_MEMORY. OpenSSL's error queue is left empty. */
enum result evp_verify(const struct public_key *k, uint32_t hash, struct bytes data, struct bytes signature);
/* Logs what failed together with OpenSSL's reason, empties OpenSSL's error queue, and gives r back. For what ought not to
 * fail; a stranger's bad input is not a fault of ours. */
enum result evp_fault(const char *what, enum result r);

#endif
