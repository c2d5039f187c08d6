/*
 * pkey: private key material in software: generation, encrypted PKCS#8, signing. Its one user for CA keys is lib/signer/key.c.
 *
 * Encrypted keys are EncryptedPrivateKeyInfo, PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC, which the openssl command line opens
 * (openssl pkey -inform DER -passin …). The passphrase is 256 random bits in hex, so PKEY_ROUNDS is small on purpose.
 */
#ifndef CHANCERY_CODEC_PKEY_H
#define CHANCERY_CODEC_PKEY_H

#include "lib/codec/x509.h"

#define PKEY_ROUNDS 2048

struct pkey;
enum result pkey_generate_rsa(unsigned bits, struct pkey **out);        /* e = 65537 */
enum result pkey_open(struct bytes encrypted_pkcs8, const char *passphrase, struct pkey **out);      /* R_BAD_KEY */
enum result pkey_seal(const struct pkey *k, const char *passphrase, struct arena *a, struct bytes *encrypted_pkcs8);
/* Unencrypted PrivateKeyInfo in the arena; for cms_key_open alone. */
enum result pkey_pkcs8(const struct pkey *k, struct arena *a, struct bytes *pkcs8);
enum result pkey_spki(const struct pkey *k, struct arena *a, struct bytes *spki);
unsigned pkey_size(const struct pkey *k);                                /* bits */
void pkey_free(struct pkey *k);

/* One signature over data that comes in parts (PKCS#1 v1.5). *signing is freed by pkey_sign_end in every case, or by
 * pkey_sign_cancel. */
struct pkey_signing;
enum result pkey_sign_begin(const struct pkey *k, uint32_t hash, struct pkey_signing **out);
enum result pkey_sign_update(struct pkey_signing *s, const void *p, size_t n);
enum result pkey_sign_end(struct pkey_signing *s, struct arena *a, struct bytes *signature);
void pkey_sign_cancel(struct pkey_signing *s);
enum result pkey_sign(const struct pkey *k, uint32_t hash, struct bytes data, struct arena *a, struct bytes *signature);
enum result pkey_verify(struct bytes spki, uint32_t hash, struct bytes data, struct bytes signature);   /* R_SIGNATURE_FAILED */

/* AES-256-GCM with a 12-byte IV and 16-byte tag: out = IV, ciphertext, tag. aad is bound, not included. gcm_open: *n is the room
 * in plain on entry, the length on return; plain is wiped where it fails: R_CHALLENGE_DECRYPTION. */
#define GCM_OVERHEAD 28
enum result gcm_seal(const uint8_t key[32], struct bytes aad, struct bytes plain, struct buf *out);
enum result gcm_open(const uint8_t key[32], struct bytes aad, struct bytes sealed, uint8_t *plain, size_t *n);
enum result random_bytes(void *p, size_t n);
/* HKDF-SHA256 (RFC 5869) of a passphrase into 32 bytes. */
enum result hkdf_sha256(const char *secret, struct bytes salt, const char *info, uint8_t out[32]);

#endif
