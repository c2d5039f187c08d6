/*
 * x509: certificates as plain structs, to bytes and back (RFC 5280).
 *
 * Encoding is by our own DER writer from values. On decoding OpenSSL's ASN.1 reader judges the whole form first, so that what
 * one wrote another reads; then our own walker takes the values. The content between is plain: no OpenSSL type leaves this
 * folder.
 */
#ifndef CHANCERY_CODEC_X509_H
#define CHANCERY_CODEC_X509_H

#include "lib/base/arena.h"
#include "lib/codec/name.h"

/* keyUsage bits in the order of RFC 5280 section 4.2.1.3. <openssl/x509v3.h> has macros of these names with other values: a file
 * that uses them must not include it, or undefine them. */
enum { KU_DIGITAL_SIGNATURE = 1, KU_NON_REPUDIATION = 2, KU_KEY_ENCIPHERMENT = 4, KU_DATA_ENCIPHERMENT = 8,
       KU_KEY_AGREEMENT = 16, KU_KEY_CERT_SIGN = 32, KU_CRL_SIGN = 64, KU_ENCIPHER_ONLY = 128, KU_DECIPHER_ONLY = 256 };

#define EKU_ANY "2.5.29.37.0"
#define EKU_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define EKU_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

enum hash { HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_SHA1, HASH_MD5, HASH_OTHER };
const char *hash_name(uint32_t hash);                     /* "SHA-256" */
/* The signature AlgorithmIdentifier for an RSA PKCS#1 v1.5 signature with that hash, DER, for TBS and signature alike;
 * BYTES_NONE where the hash is not SHA-2. */
struct bytes hash_rsa_algorithm(uint32_t hash);

enum key_kind { KEY_RSA, KEY_EC, KEY_OTHER };
struct public_key {
    struct bytes spki;             /* SubjectPublicKeyInfo, whole DER */
    struct bytes bits;             /* content of the BIT STRING without the unused-bits octet: what SKI method 1 hashes */
    uint32_t kind;
    uint32_t size;                 /* bits of modulus or field */
    bool exponent_ok;              /* RSA: odd and >= 65537, at most 64 bits */
};
/* Reads a SubjectPublicKeyInfo by walking its DER; no OpenSSL, so size and exponent are known before any mathematics.
 * R_BAD_INPUT where it is no SPKI, has trailing bytes, parameters that do not belong there, an even modulus or a point of the
 * wrong length. Other algorithms than RSA and EC are KEY_OTHER, size 0; a curve that is none of NIST's has size 0. out's slices
 * point into spki. */
enum result public_key_decode(struct bytes spki, struct public_key *out);
void public_key_ski(const struct public_key *k, uint8_t ski[20]);          /* RFC 5280 section 4.2.1.2 method 1 */

/* What a certificate shall say. Empty fields leave their extension out. */
struct certificate_content {
    struct bytes serial;           /* unsigned, big-endian, 1..20 octets, not zero */
    uint32_t hash;
    struct bytes issuer;           /* Name, DER */
    struct bytes subject;          /* Name, DER */
    int64_t not_before, not_after;
    struct bytes spki;
    bool ca;
    int path_length;               /* of a CA; -1 none */
    bool digital_ca_false;         /* leaf: write basicConstraints CA:FALSE (not critical, empty SEQUENCE) */
    uint32_t key_usage;            /* critical */
    struct oids ekus;              /* written in the order given; not critical */
    struct sans sans;              /* critical exactly when the subject is empty */
    struct bytes ski, aki;
    const char *crl_url, *aia_url, *ocsp_url;
};
/* The TBSCertificate. Extensions in the order basicConstraints, keyUsage, extKeyUsage, SAN, SKI, AKI, CDP, AIA. R_BAD_INPUT
 * where a field cannot be (a serial of more than 20 octets with its sign, an empty issuer, an empty subject without SANs or of a
 * CA, an end before the beginning, an invalid URL or OID), R_TOO_LARGE beyond a limit or out's; nothing is written then. */
enum result certificate_encode_tbs(const struct certificate_content *c, struct buf *out);
/* SEQUENCE { tbs, algorithm, BIT STRING signature }: certificates, CRLs and CSRs alike. */
void signed_wrap(struct bytes tbs, struct bytes algorithm, struct bytes signature, struct buf *out);

struct certificate {               /* what a certificate says */
    struct bytes der, tbs;         /* der is copied into the arena */
    struct bytes serial;           /* content octets of the INTEGER, sign octet dropped; of strangers' any length and sign */
    struct bytes issuer, subject;  /* Name, DER */
    struct name subject_name, issuer_name;
    int64_t not_before, not_after;
    struct public_key key;
    uint32_t hash;                 /* of the signature */
    bool has_basic_constraints, ca;
    int path_length;               /* -1 none */
    bool has_key_usage; uint32_t key_usage;
    bool has_ekus; struct oids ekus;
    bool has_sans, sans_critical; struct sans sans;
    struct bytes ski, aki;         /* key identifiers; empty when absent */
    const char *crl_url, *aia_url, *ocsp_url;    /* first HTTP location, or NULL */
    const char *aia_ldap;          /* first location of the issuer by LDAP, or NULL */
    bool has_name_constraints; struct bytes name_constraints;     /* content of the extension */
    int require_explicit_policy;   /* of policyConstraints; -1 none */
    bool maps_any_policy;          /* policyMappings that RFC 5280 section 4.2.1.5 forbids */
    const char *unknown_critical;  /* OID of the first critical extension not named above, or NULL */
};
/* Exactly one certificate in DER, to the last byte, at most LIMIT_CERTIFICATE. Extensions doubled or not of their type:
 * R_BAD_INPUT. The signature is not checked, nor is anything judged. */
enum result certificate_decode(struct bytes der, struct arena *a, struct certificate *out);
/* Does the certificate's signature verify with the issuer's key (RSA PKCS#1 v1.5 or ECDSA, SHA-2)? R_SIGNATURE_FAILED where
 * not. */
enum result certificate_verify(struct bytes der, struct bytes issuer_spki);
/* Is it signed by its own key? SHA-1 counts too: a root is trusted for where it came from, not for this signature. */
enum result certificate_verify_self(const struct certificate *c);
/* Are the leaf's names within the CA's nameConstraints (OpenSSL's NAME_CONSTRAINTS_check; a common name like a host's counts as
 * DNS name where there is none)? R_OUT_OF_BOUNDS where not or where OpenSSL cannot tell, R_BAD_INPUT where one does not
 * decode. Costs two d2i_X509: ask only where has_name_constraints. */
enum result certificate_check_names(struct bytes leaf_der, struct bytes ca_der);
/* The same for a CA below that CA, whose common name is no host's. */
enum result certificate_check_ca_names(struct bytes below_der, struct bytes ca_der);
/* The first directory name below which the constraints permit names, a Name in DER within c.name_constraints; R_NOT_FOUND where
 * they permit none. */
enum result certificate_permitted_name(const struct certificate *c, struct bytes *out);
/* Thumbprints of the whole certificate. */
void digest_sha1(struct bytes data, uint8_t out[20]);
void digest_sha256(struct bytes data, uint8_t out[32]);
/* SHA-256 of data that comes in parts; digest_stream_free in every case, NULL allowed. */
struct digest_stream;
enum result digest_sha256_begin(struct digest_stream **out);
enum result digest_update(struct digest_stream *s, const void *p, size_t n);
enum result digest_sha256_end(struct digest_stream *s, uint8_t out[32]);
void digest_stream_free(struct digest_stream *s);

/* PEM text of a DER object; label "CERTIFICATE", "X509 CRL", "CERTIFICATE REQUEST". */
enum result pem_encode(const char *label, struct bytes der, struct buf *out);

#endif
