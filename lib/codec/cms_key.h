/*
 * cms_key: what the files behind cms.h share. Not for other folders.
 */
#ifndef CHANCERY_CODEC_CMS_KEY_H
#define CHANCERY_CODEC_CMS_KEY_H

#include <openssl/evp.h>

#include "lib/codec/ber.h"
#include "lib/codec/cms.h"

/* The parts of a certificate by which CMS points at it, by walking its DER: no key is decoded. Borrowed from the DER. */
struct cms_identity {
    struct bytes issuer;           /* Name, whole DER */
    struct bytes serial;           /* INTEGER, whole DER */
    struct bytes serial_value;     /* its content octets */
    struct bytes spki;             /* whole DER */
    struct bytes ski;              /* empty where there is none */
};
enum result cms_identity_decode(struct bytes certificate, struct cms_identity *out);    /* R_BAD_INPUT */

/* SignerIdentifier and RecipientIdentifier, which are the same: content octets of Name and INTEGER, or a key identifier. */
struct cms_pointer { struct bytes issuer, serial, ski; };
/* Takes it off *in. R_BAD_MESSAGE */
enum result cms_pointer_take(struct bytes *in, struct cms_pointer *out);
/* Issuer and serial, the issuer's attributes in whatever order, or the key identifier, also doubly wrapped (interop Q43, Q44). */
bool cms_pointer_matches(const struct cms_pointer *p, const struct cms_identity *identity);

struct cms_key {
    EVP_PKEY *key;
    uint8_t *certificate;          /* owned; identity points into it */
    struct cms_identity identity;
};

struct cms_cipher {
    const char *name;
    struct bytes oid;              /* content octets */
    const EVP_CIPHER *(*evp)(void);    /* may give NULL: DES where the legacy provider is not to be had */
    OSSL_LIB_CTX *(*library)(void);    /* the context to decrypt in; NULL for the default one */
};
/* NULL for CIPHER_OTHER. */
const struct cms_cipher *cms_cipher_find(uint32_t cipher);

struct cms_digest {
    struct bytes oid;              /* content octets */
    bool null;                     /* parameters: NULL with SHA-1 and MD5, absent with SHA-2 (RFC 5754 section 2) */
};
/* NULL for HASH_OTHER. */
const struct cms_digest *cms_digest_find(uint32_t hash);
uint32_t cms_hash_find(struct bytes oid);      /* HASH_OTHER where it is none of ours */

/* RSAES-OAEP's parameters (RFC 4055 section 4.1), by walking them. */
struct cms_oaep {
    uint32_t hash;                 /* the weaker of the digest and the one of the mask */
    bool opens;                    /* parameters as they must be, both of them SHA-1 or SHA-2, the mask MGF1, the label empty */
};
struct cms_oaep cms_oaep_decode(struct bytes parameters);

/* Content octets of OIDs. */
extern const struct bytes cms_oid_data, cms_oid_signed_data, cms_oid_enveloped_data, cms_oid_rsa_encryption, cms_oid_rsaes_oaep;

/* Writes ContentInfo up to the SEQUENCE in it, and its end. */
struct cms_content_marks { size_t info, explicit, inner; };
struct cms_content_marks cms_content_open(struct buf *b, struct bytes type);
void cms_content_close(struct buf *b, struct cms_content_marks m);
/* Walks ContentInfo and gives the content of the SEQUENCE in it, where the type is this one and nothing follows. */
enum result cms_content_of_type(struct bytes der, struct bytes oid, struct bytes *content);

#endif
