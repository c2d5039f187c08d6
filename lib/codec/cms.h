/*
 * cms: the two layers of a SCEP message (RFC 5652) on OpenSSL's CMS API.
 *
 * Reading accepts BER; the outermost bytes must be consumed to the end. Exactly one signer; only SignedData outside and
 * EnvelopedData inside (AuthEnvelopedData and the rest are refused before any decryption); only KeyTransRecipientInfo. Recorded,
 * not judged: digest, cipher, key transport. Not done here: deciding what any of it means for SCEP (lib/scep), or trusting the
 * signer's certificate (nobody does: only its key counts).
 * Writing is by our own DER writer: certificates are embedded as they are, in the order given.
 */
#ifndef CHANCERY_CODEC_CMS_H
#define CHANCERY_CODEC_CMS_H

#include "lib/codec/x509.h"

enum cipher { CIPHER_AES128, CIPHER_AES192, CIPHER_AES256, CIPHER_DES3, CIPHER_DES, CIPHER_OTHER };     /* CBC */
const char *cipher_name(uint32_t cipher);                                                  /* "AES-128-CBC" */

/* A signed attribute with exactly one value. */
struct cms_attribute {
    const char *oid;
    int type;                      /* tag of the value: DER_PRINTABLE_STRING … */
    struct bytes value;            /* content octets */
};
struct cms_attributes { struct cms_attribute *items; uint32_t count; };

struct cms_signed {
    struct bytes content;          /* eContent; .p NULL when absent */
    struct cms_attributes attributes;
    uint32_t hash;                 /* digest algorithm of the signer */
    struct bytes signer_certificate;   /* DER of the certificate that belongs to the SignerInfo; .p NULL where it is not there */
    struct public_key signer_key;  /* KEY_OTHER where it is not there or cannot be read */
    struct bytes signer_issuer;    /* Name, DER; this and the serial come from the certificate */
    struct bytes signer_serial;    /* content octets of the INTEGER, sign octet dropped */
    bool verified;                 /* signature over the attributes, content type and digest of the content all right */
    bool lenient;                  /* .verified, but only by one of the tolerances of cms_open_signed */
    bool ber;                      /* not DER somewhere: an indefinite length, or a string in pieces (interop Q37) */
};
/* R_BAD_MESSAGE where it is no such SignedData: no signed attributes, an attribute doubled or with several values, beyond limits.
 * A wrong signature is not an error here: .verified is false, so that the caller can still answer with the transaction's id; so
 * it is where the certificate is missing, its key is not RSA of 1024 to 4096 bits or EC on a NIST curve, the signature is neither
 * PKCS#1 v1.5 nor ECDSA, or its hash is none of SHA-1, SHA-2 and MD5. MD5 verifies like the others where legacy algorithms are to
 * be had (lib/codec/legacy.h): .hash says so, and the caller judges. Everything is in the arena.
 *
 * RSASSA-PSS (strongSwan's --rsa-padding pss) is refused: GetCACaps has no word by which a CA could say that it takes it (RFC 8894
 * section 3.5.2), no client sends it unless told to, and one padding is one path to get right.
 *
 * The signature is over the attributes in DER, sorted, in whatever order they were sent (RFC 5652 section 5.4); the digest over
 * the content's octets, without the headers of its pieces. Where that does not verify and lenient is set, what broken encoders do
 * is tried, and .lenient set when it was needed: a signature over the attributes in the order in which they were sent, in the
 * bytes that were sent behind the tag of a SET or in DER (Q38); a digest over the content's own TLV, in DER or as it was sent, or
 * over its pieces with their headers (Q37). */
enum result cms_open_signed(struct bytes der, bool lenient, struct arena *a, struct cms_signed *out);

struct cms_key;                    /* a private RSA key with its certificate, warm */
/* pkcs8: unencrypted PrivateKeyInfo DER, copied. certificate: DER, copied. The pair is checked: R_BAD_KEY. */
enum result cms_key_open(struct bytes pkcs8, struct bytes certificate, struct cms_key **out);
void cms_key_free(struct cms_key *k);

struct cms_envelope {
    uint32_t cipher;
    bool oaep;                     /* of the recipient found, else of the first */
    uint32_t oaep_hash;            /* with OAEP the weaker of its digest and its mask's, from SHA-512 down to SHA-1, MD5, others;
                                    * one that is not named is SHA-1 (RFC 4055 section 4.1). HASH_OTHER where the parameters are
                                    * malformed, and without OAEP */
    uint32_t recipients;
};
/* Reads the envelope's outside only: which cipher, which recipients. match: index into certificates (by issuer and serial, the
 * issuer in any order of its attributes, or by SKI, also doubly wrapped: interop Q43, Q44) of the first recipient found, or
 * -1. R_BAD_MESSAGE where it is no such EnvelopedData. */
enum result cms_envelope_peek(struct bytes der, const struct bytes *certificates, uint32_t count, struct cms_envelope *out,
                              int *match);
/* Decrypts with that one key: the recipient that points at its certificate, or the first where none does, so that the caller
 * can try its keys. Every failure is R_BAD_MESSAGE and takes the same way: a wrong key may also give garbage. Content is in
 * the arena. R_BAD_MESSAGE before any key is used: CIPHER_OTHER; CIPHER_DES where legacy algorithms are not to be had
 * (lib/codec/legacy.h); OAEP where a digest is none of SHA-1, SHA-256, SHA-384 and SHA-512, where there is a label, or where the
 * parameters are missing or malformed. Whether DES or OAEP is allowed at all, the caller judges. */
enum result cms_envelope_open(struct bytes der, const struct cms_key *k, struct arena *a, struct bytes *content);

/* EnvelopedData of content for the recipient certificate (KeyTrans, issuer and serial), PKCS#1 v1.5. Any RSA certificate of
 * 1024 to 4096 bits will do; R_BAD_ALG for another key, CIPHER_OTHER, or CIPHER_DES where legacy algorithms are not to be had;
 * R_BAD_INPUT where it is no certificate. */
enum result cms_seal(struct bytes content, struct bytes recipient, uint32_t cipher, struct arena *a, struct bytes *der);
/* SignedData over content (NULL .p: empty content, which is written as an empty OCTET STRING) with these attributes besides
 * contentType, messageDigest, signingTime (this host's clock); the signature algorithm is written as rsaEncryption (interop
 * Q34). hash: SHA-1 or SHA-2, else R_BAD_ALG. certificates: to include, in this order. */
enum result cms_sign(struct bytes content, const struct cms_attributes *attributes, const struct cms_key *k, uint32_t hash,
                     const struct bytes *certificates, uint32_t count, struct arena *a, struct bytes *der);
/* Signs data (not its digest) by RSA PKCS#1 v1.5 with that hash; the signature is in the arena. */
typedef enum result cms_sign_function(void *key, uint32_t hash, struct bytes data, struct arena *a, struct bytes *signature);
/* The same for a key that lives elsewhere: sign is called once with that key and the attributes as a SET, and its failure is
 * given back. certificate names the signer and is included only where it is in certificates. It is not checked that the key is
 * the certificate's. Besides: R_BAD_INPUT where it is no certificate, R_BAD_ALG where its key is not RSA, R_BAD_KEY where the
 * signature is empty or longer than one of LIMIT_RSA_BITS_MAX. */
enum result cms_sign_by(struct bytes content, const struct cms_attributes *attributes, struct bytes certificate,
                        cms_sign_function *sign, void *key, uint32_t hash, const struct bytes *certificates, uint32_t count,
                        struct arena *a, struct bytes *der);
/* Degenerate SignedData: certificates in exactly this order (a SET OF would be sorted), no signer. */
enum result cms_certificates(const struct bytes *certificates, uint32_t count, struct buf *out);
/* The same with CRLs and no certificates: the answer to GetCRL (RFC 8894 section 3.3.2). The CRLs are embedded as they are. */
enum result cms_crls(const struct bytes *crls, uint32_t count, struct buf *out);

#endif
