/* cms_seal, cms_sign, cms_certificates, cms_crls: written by our own DER writer. Certificates are embedded as they are, in the
 * order given, without decoding them; OpenSSL's encoder would decode each and sort them. */
#include "lib/codec/cms_key.h"

#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/evp.h"
#include "lib/codec/pkey.h"

#define OID_CONTENT_TYPE "1.2.840.113549.1.9.3"
#define OID_MESSAGE_DIGEST "1.2.840.113549.1.9.4"
#define OID_SIGNING_TIME "1.2.840.113549.1.9.5"

/* of SignedData */
#define TAG_CERTIFICATES DER_CONTEXT_CONSTRUCTED(0)
#define TAG_CRLS DER_CONTEXT_CONSTRUCTED(1)

#define OWN_ATTRIBUTES 3            /* contentType, messageDigest, signingTime */
#define ATTRIBUTES_SIZE 65536       /* bytes of all of them */
#define FRAME_SIZE 4096             /* bytes around content, certificates and attributes */

static void oid_put(struct buf *b, struct bytes oid)
{
    der_value(b, DER_OID, oid.p, oid.n);
}

static void rsa_encryption_put(struct buf *b)
{
    size_t algorithm = der_open(b, DER_SEQUENCE);

    oid_put(b, cms_oid_rsa_encryption);
    der_value(b, DER_NULL, NULL, 0);
    der_close(b, algorithm);
}

/* IssuerAndSerialNumber */
static void identity_put(struct buf *b, const struct cms_identity *identity)
{
    size_t both = der_open(b, DER_SEQUENCE);

    der_raw(b, identity->issuer);
    der_raw(b, identity->serial);
    der_close(b, both);
}

static enum result buf_to_arena(struct buf *b, struct arena *a, struct bytes *der)
{
    if (b->failed)
        return buf_result(b);
    *der = arena_bytes(a, buf_bytes(b));
    return der->p != NULL ? R_OK : R_NO_MEMORY;
}

/* ---- EnvelopedData ---- */

struct sealing {
    uint8_t key[EVP_MAX_KEY_LENGTH], iv[EVP_MAX_IV_LENGTH];
    size_t key_size, iv_size;
    uint8_t wrapped[LIMIT_RSA_BITS_MAX / 8];
    size_t wrapped_size;
};

static enum result content_encrypt(const EVP_CIPHER *cipher, struct bytes content, struct sealing *s, struct buf *out)
{
    int n = 0, last = 0;
    bool done = false;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t *room = content.n <= INT_MAX / 2 ? buf_space(out, content.n + EVP_MAX_BLOCK_LENGTH) : NULL;

    s->key_size = (size_t)EVP_CIPHER_get_key_length(cipher);
    s->iv_size = (size_t)EVP_CIPHER_get_iv_length(cipher);
    /* rand_key, not random bytes: it gives DES keys their parity */
    if (c != NULL && room != NULL && EVP_EncryptInit_ex(c, cipher, NULL, NULL, NULL) == 1 &&
        EVP_CIPHER_CTX_rand_key(c, s->key) == 1 && random_bytes(s->iv, s->iv_size) == R_OK &&
        EVP_EncryptInit_ex(c, NULL, NULL, s->key, s->iv) == 1)
        done = (content.n == 0 || EVP_EncryptUpdate(c, room, &n, content.p, (int)content.n) == 1) &&
               EVP_EncryptFinal_ex(c, room + n, &last) == 1;
    EVP_CIPHER_CTX_free(c);
    if (room == NULL)
        return R_TOO_LARGE;
    if (!done)
        return evp_fault("encrypt a message's content", R_INTERNAL);
    out->n -= content.n + EVP_MAX_BLOCK_LENGTH - (size_t)(n + last);
    return R_OK;
}

/* PKCS#1 v1.5, which every client knows. */
static enum result key_wrap(const struct public_key *public, struct sealing *s)
{
    enum result r = R_BAD_ALG;
    EVP_PKEY *key = public->kind == KEY_RSA ? evp_key_decode(public) : NULL;
    EVP_PKEY_CTX *c = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;

    s->wrapped_size = sizeof s->wrapped;
    if (c != NULL && EVP_PKEY_encrypt_init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_encrypt(c, s->wrapped, &s->wrapped_size, s->key, s->key_size) == 1)
        r = R_OK;
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return r;
}

static void enveloped_encode(const struct cms_identity *recipient, const struct cms_cipher *cipher, const struct sealing *s,
                             struct bytes encrypted, struct buf *out)
{
    struct cms_content_marks m = cms_content_open(out, cms_oid_enveloped_data);
    der_integer(out, 0);                                    /* v0: issuer and serial only */
    size_t recipients = der_open(out, DER_SET), recipient_info = der_open(out, DER_SEQUENCE);
    der_integer(out, 0);
    identity_put(out, recipient);
    rsa_encryption_put(out);
    der_value(out, DER_OCTET_STRING, s->wrapped, s->wrapped_size);
    der_close(out, recipient_info);
    der_close(out, recipients);

    size_t content_info = der_open(out, DER_SEQUENCE);
    oid_put(out, cms_oid_data);
    size_t algorithm = der_open(out, DER_SEQUENCE);
    oid_put(out, cipher->oid);
    der_value(out, DER_OCTET_STRING, s->iv, s->iv_size);
    der_close(out, algorithm);
    der_value(out, DER_CONTEXT(0), encrypted.p, encrypted.n);
    der_close(out, content_info);
    cms_content_close(out, m);
}

enum result cms_seal(struct bytes content, struct bytes recipient, uint32_t cipher, struct arena *a, struct bytes *der)
{
    struct cms_identity identity;
    struct public_key public;
    struct sealing s;
    struct buf encrypted, out;
    const struct cms_cipher *c = cms_cipher_find(cipher);
    const EVP_CIPHER *evp = c != NULL ? c->evp() : NULL;

    if (evp == NULL)
        return R_BAD_ALG;
    if (cms_identity_decode(recipient, &identity) != R_OK || public_key_decode(identity.spki, &public) != R_OK)
        return R_BAD_INPUT;
    buf_init(&encrypted, content.n + EVP_MAX_BLOCK_LENGTH);
    buf_init(&out, content.n + identity.issuer.n + FRAME_SIZE);
    enum result r = content_encrypt(evp, content, &s, &encrypted);
    if (r == R_OK)
        r = key_wrap(&public, &s);
    if (r == R_OK) {
        enveloped_encode(&identity, c, &s, buf_bytes(&encrypted), &out);
        r = buf_to_arena(&out, a, der);
    }
    buf_free(&out);
    buf_free(&encrypted);
    bytes_wipe(&s, sizeof s);
    return r;
}

/* ---- SignedData ---- */

static void digest_algorithm_put(struct buf *b, uint32_t hash)
{
    const struct cms_digest *digest = cms_digest_find(hash);
    size_t algorithm = der_open(b, DER_SEQUENCE);

    oid_put(b, digest->oid);
    if (digest->null)
        der_value(b, DER_NULL, NULL, 0);
    der_close(b, algorithm);
}

/* Opens Attribute and its SET of values; attribute_close ends both. */
struct attribute_marks { size_t attribute, values; };

static struct attribute_marks attribute_open(struct buf *b, const char *oid)
{
    struct attribute_marks m;

    m.attribute = der_open(b, DER_SEQUENCE);
    der_oid(b, oid);
    m.values = der_open(b, DER_SET);
    return m;
}

static void attribute_close(struct buf *b, struct attribute_marks m)
{
    der_close(b, m.values);
    der_close(b, m.attribute);
}

static void own_attribute_put(struct buf *b, unsigned which, struct bytes digest)
{
    static const char *const oids[OWN_ATTRIBUTES] = {OID_CONTENT_TYPE, OID_SIGNING_TIME, OID_MESSAGE_DIGEST};
    struct attribute_marks m = attribute_open(b, oids[which]);

    if (which == 0)
        oid_put(b, cms_oid_data);
    else if (which == 1)
        der_time(b, clock_wall());
    else
        der_value(b, DER_OCTET_STRING, digest.p, digest.n);
    attribute_close(b, m);
}

/* The content of SET OF Attribute, sorted. */
static enum result attributes_encode(const struct cms_attributes *attributes, struct bytes digest, struct buf *out)
{
    struct buf unsorted;

    if (attributes->count > LIMIT_SCEP_ATTRIBUTES)
        return R_TOO_LARGE;
    buf_init(&unsorted, ATTRIBUTES_SIZE);
    for (unsigned i = 0; i < OWN_ATTRIBUTES; i++)
        own_attribute_put(&unsorted, i, digest);
    for (uint32_t i = 0; i < attributes->count; i++) {
        const struct cms_attribute *item = &attributes->items[i];
        struct attribute_marks m = attribute_open(&unsorted, item->oid);
        der_value(&unsorted, item->type, item->value.p, item->value.n);
        attribute_close(&unsorted, m);
    }
    enum result r = buf_result(&unsorted);
    if (r == R_OK) {
        der_sorted(out, buf_bytes(&unsorted));
        r = buf_result(out);
    }
    buf_free(&unsorted);
    return r;
}

/* A key of our own: the cms_sign_function of cms_sign. */
static enum result own_key_sign(void *key, uint32_t hash, struct bytes data, struct arena *a, struct bytes *signature)
{
    uint8_t value[LIMIT_RSA_BITS_MAX / 8];
    size_t n = sizeof value;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool done = c != NULL && EVP_DigestSignInit(c, NULL, evp_hash(hash), NULL, key) == 1 &&
                EVP_DigestSign(c, value, &n, data.p, data.n) == 1;

    EVP_MD_CTX_free(c);
    if (!done)
        return evp_fault("sign a message", R_BAD_KEY);
    *signature = arena_bytes(a, BYTES(value, n));
    return signature->p != NULL ? R_OK : R_NO_MEMORY;
}

struct signer {
    struct cms_identity identity;
    cms_sign_function *sign;
    void *key;
    uint32_t hash;
};

/* Over the attributes as a SET, whatever tag they have in the message (RFC 5652 section 5.4). */
static enum result attributes_sign(struct bytes attributes, const struct signer *by, struct arena *a, struct bytes *signature)
{
    struct buf set;

    buf_init(&set, ATTRIBUTES_SIZE + 16);
    der_value(&set, DER_SET, attributes.p, attributes.n);
    enum result r = buf_result(&set);
    if (r == R_OK)
        r = by->sign(by->key, by->hash, buf_bytes(&set), a, signature);
    if (r == R_OK && (signature->n == 0 || signature->n > LIMIT_RSA_BITS_MAX / 8))
        r = R_BAD_KEY;
    buf_free(&set);
    return r;
}

/* Certificates or CRLs, in this order. */
static void list_put(struct buf *b, int tag, const struct bytes *items, uint32_t count)
{
    size_t set = der_open(b, tag);

    for (uint32_t i = 0; i < count; i++)
        der_raw(b, items[i]);
    der_close(b, set);
}

static size_t total_size(const struct bytes *certificates, uint32_t count)
{
    size_t n = 0;

    for (uint32_t i = 0; i < count; i++)
        n += certificates[i].n;
    return n;
}

static void signer_info_put(struct buf *b, const struct signer *by, struct bytes attributes, struct bytes signature)
{
    size_t set = der_open(b, DER_SET), info = der_open(b, DER_SEQUENCE);

    der_integer(b, 1);
    identity_put(b, &by->identity);
    digest_algorithm_put(b, by->hash);
    der_value(b, DER_CONTEXT_CONSTRUCTED(0), attributes.p, attributes.n);
    rsa_encryption_put(b);
    der_value(b, DER_OCTET_STRING, signature.p, signature.n);
    der_close(b, info);
    der_close(b, set);
}

static void signed_open(struct buf *b, uint32_t hash, struct bytes content)
{
    der_integer(b, 1);
    size_t set = der_open(b, DER_SET);
    digest_algorithm_put(b, hash);
    der_close(b, set);
    /* clients stumble over an absent eContent: an empty one is there, with no octets */
    size_t encapsulated = der_open(b, DER_SEQUENCE);
    oid_put(b, cms_oid_data);
    size_t explicit = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
    der_value(b, DER_OCTET_STRING, content.p, content.n);
    der_close(b, explicit);
    der_close(b, encapsulated);
}

static enum result message_sign(struct bytes content, const struct cms_attributes *attributes, const struct signer *by,
                                const struct bytes *certificates, uint32_t count, struct arena *a, struct bytes *der)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_size = 0;
    struct bytes signature = BYTES_NONE;
    struct buf encoded, out;

    if (evp_hash(by->hash) == NULL)                         /* MD5 among them: it is read, never written */
        return R_BAD_ALG;
    if (!evp_digest(content, by->hash, digest, &digest_size))
        return evp_fault("digest a message", R_INTERNAL);
    buf_init(&encoded, ATTRIBUTES_SIZE);
    buf_init(&out, content.n + total_size(certificates, count) + by->identity.issuer.n + ATTRIBUTES_SIZE + FRAME_SIZE);
    enum result r = attributes_encode(attributes, BYTES(digest, digest_size), &encoded);
    if (r == R_OK)
        r = attributes_sign(buf_bytes(&encoded), by, a, &signature);
    if (r == R_OK) {
        struct cms_content_marks m = cms_content_open(&out, cms_oid_signed_data);
        signed_open(&out, by->hash, content);
        if (count > 0)
            list_put(&out, TAG_CERTIFICATES, certificates, count);
        signer_info_put(&out, by, buf_bytes(&encoded), signature);
        cms_content_close(&out, m);
        r = buf_to_arena(&out, a, der);
    }
    buf_free(&out);
    buf_free(&encoded);
    return r;
}

enum result cms_sign(struct bytes content, const struct cms_attributes *attributes, const struct cms_key *k, uint32_t hash,
                     const struct bytes *certificates, uint32_t count, struct arena *a, struct bytes *der)
{
    const struct signer by = {k->identity, own_key_sign, k->key, hash};

    return message_sign(content, attributes, &by, certificates, count, a, der);
}

enum result cms_sign_by(struct bytes content, const struct cms_attributes *attributes, struct bytes certificate,
                        cms_sign_function *sign, void *key, uint32_t hash, const struct bytes *certificates, uint32_t count,
                        struct arena *a, struct bytes *der)
{
    struct signer by = {.sign = sign, .key = key, .hash = hash};
    struct public_key public;

    if (cms_identity_decode(certificate, &by.identity) != R_OK || public_key_decode(by.identity.spki, &public) != R_OK)
        return R_BAD_INPUT;
    if (public.kind != KEY_RSA)                             /* the signature algorithm that is written is rsaEncryption */
        return R_BAD_ALG;
    return message_sign(content, attributes, &by, certificates, count, a, der);
}

/* Without content and signers: a vessel for one list. */
static enum result degenerate_put(struct buf *out, int tag, const struct bytes *items, uint32_t count)
{
    struct cms_content_marks m = cms_content_open(out, cms_oid_signed_data);

    der_integer(out, 1);
    der_value(out, DER_SET, NULL, 0);
    size_t encapsulated = der_open(out, DER_SEQUENCE);
    oid_put(out, cms_oid_data);
    der_close(out, encapsulated);
    list_put(out, tag, items, count);
    der_value(out, DER_SET, NULL, 0);
    cms_content_close(out, m);
    return buf_result(out);
}

enum result cms_certificates(const struct bytes *certificates, uint32_t count, struct buf *out)
{
    return degenerate_put(out, TAG_CERTIFICATES, certificates, count);
}

enum result cms_crls(const struct bytes *crls, uint32_t count, struct buf *out)
{
    return degenerate_put(out, TAG_CRLS, crls, count);
}
