#include "lib/codec/cms_key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/evp.h"
#include "lib/codec/extension.h"
#include "lib/codec/legacy.h"

#define TAG_SKI DER_CONTEXT(0)
#define TAG_SKI_CONSTRUCTED DER_CONTEXT_CONSTRUCTED(0)

#define OID(...) {(const uint8_t[]){__VA_ARGS__}, sizeof (const uint8_t[]){__VA_ARGS__}}

const struct bytes cms_oid_data = OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01);
const struct bytes cms_oid_signed_data = OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02);
const struct bytes cms_oid_enveloped_data = OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03);
const struct bytes cms_oid_rsa_encryption = OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01);
const struct bytes cms_oid_rsaes_oaep = OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07);

static const struct cms_cipher ciphers[] = {
    [CIPHER_AES128] = {"AES-128-CBC", OID(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02), EVP_aes_128_cbc, NULL},
    [CIPHER_AES192] = {"AES-192-CBC", OID(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x16), EVP_aes_192_cbc, NULL},
    [CIPHER_AES256] = {"AES-256-CBC", OID(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a), EVP_aes_256_cbc, NULL},
    [CIPHER_DES3] = {"DES-EDE3-CBC", OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07), EVP_des_ede3_cbc, NULL},
    [CIPHER_DES] = {"DES-CBC", OID(0x2b, 0x0e, 0x03, 0x02, 0x07), legacy_des_cbc, legacy_context},
};

static const struct cms_digest digests[] = {
    [HASH_SHA256] = {OID(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01), false},
    [HASH_SHA384] = {OID(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02), false},
    [HASH_SHA512] = {OID(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03), false},
    [HASH_SHA1] = {OID(0x2b, 0x0e, 0x03, 0x02, 0x1a), true},
    [HASH_MD5] = {OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05), true},
};
#define DIGESTS (sizeof digests / sizeof digests[0])

const struct cms_cipher *cms_cipher_find(uint32_t cipher)
{
    return cipher < sizeof ciphers / sizeof ciphers[0] ? &ciphers[cipher] : NULL;
}

const struct cms_digest *cms_digest_find(uint32_t hash)
{
    return hash < DIGESTS ? &digests[hash] : NULL;
}

uint32_t cms_hash_find(struct bytes oid)
{
    for (uint32_t i = 0; i < DIGESTS; i++) {
        if (bytes_equal(digests[i].oid, oid))
            return i;
    }
    return HASH_OTHER;
}

const char *cipher_name(uint32_t cipher)
{
    const struct cms_cipher *c = cms_cipher_find(cipher);

    return c != NULL ? c->name : "other";
}

enum result cms_content_of_type(struct bytes der, struct bytes oid, struct bytes *content)
{
    struct ber info, type, outer, inner;

    /* ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY } */
    if (ber_expect(&der, DER_SEQUENCE, &info) != R_OK || der.n != 0)
        return R_BAD_MESSAGE;
    if (ber_expect(&info.value, DER_OID, &type) != R_OK || !bytes_equal(type.value, oid))
        return R_BAD_MESSAGE;
    if (ber_expect(&info.value, DER_CONTEXT_CONSTRUCTED(0), &outer) != R_OK || info.value.n != 0)
        return R_BAD_MESSAGE;
    if (ber_expect(&outer.value, DER_SEQUENCE, &inner) != R_OK || outer.value.n != 0)
        return R_BAD_MESSAGE;
    *content = inner.value;
    return R_OK;
}

struct cms_content_marks cms_content_open(struct buf *b, struct bytes type)
{
    struct cms_content_marks m;

    m.info = der_open(b, DER_SEQUENCE);
    der_value(b, DER_OID, type.p, type.n);
    m.explicit = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
    m.inner = der_open(b, DER_SEQUENCE);
    return m;
}

void cms_content_close(struct buf *b, struct cms_content_marks m)
{
    der_close(b, m.inner);
    der_close(b, m.explicit);
    der_close(b, m.info);
}

/* The key identifier in Extensions. A stranger's extensions that cannot be read only mean that there is none. */
static struct bytes ski_find(struct bytes extensions)
{
    struct extensions list = {0};
    struct bytes ski = BYTES_NONE;
    const struct extension *e = extensions_add(extensions, &list) == R_OK ? extension_find(&list, EXT_SKI) : NULL;

    return e != NULL && extension_ski(e->value, &ski) == R_OK ? ski : BYTES_NONE;
}

enum result cms_identity_decode(struct bytes certificate, struct cms_identity *out)
{
    struct cms_identity id = {0};
    struct der outer, tbs, part;
    /* TBSCertificate from serialNumber to subjectPublicKeyInfo */
    struct { int tag; struct bytes *whole, *value; } parts[] = {
        {DER_INTEGER, &id.serial, &id.serial_value},
        {DER_SEQUENCE, NULL, NULL},             /* signature */
        {DER_SEQUENCE, &id.issuer, NULL},
        {DER_SEQUENCE, NULL, NULL},             /* validity */
        {DER_SEQUENCE, NULL, NULL},             /* subject */
        {DER_SEQUENCE, &id.spki, NULL},
    };

    if (der_expect(&certificate, DER_SEQUENCE, &outer) != R_OK || der_expect(&outer.value, DER_SEQUENCE, &tbs) != R_OK)
        return R_BAD_INPUT;
    struct bytes in = tbs.value;
    if (in.n != 0 && in.p[0] == DER_CONTEXT_CONSTRUCTED(0) && der_next(&in, &part) != R_OK)
        return R_BAD_INPUT;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (der_expect(&in, parts[i].tag, &part) != R_OK)
            return R_BAD_INPUT;
        if (parts[i].whole != NULL)
            *parts[i].whole = part.whole;
        if (parts[i].value != NULL)
            *parts[i].value = part.value;
    }
    while (in.n != 0) {                         /* unique identifiers, extensions */
        if (der_next(&in, &part) != R_OK)
            return R_BAD_INPUT;
        if (part.tag == DER_CONTEXT_CONSTRUCTED(3))
            id.ski = ski_find(part.value);
    }
    *out = id;
    return R_OK;
}

static struct bytes without_zeros(struct bytes b)
{
    while (b.n != 0 && b.p[0] == 0)
        b = BYTES(b.p + 1, b.n - 1);
    return b;
}

/* The issuer of a pointer is content only: its SEQUENCE may have been sent with an indefinite length. */
static bool issuers_match(struct bytes content, struct bytes issuer)
{
    struct buf whole;

    buf_init(&whole, LIMIT_NAME_DER);
    der_value(&whole, DER_SEQUENCE, content.p, content.n);
    bool same = !whole.failed && name_der_match(buf_bytes(&whole), issuer);
    buf_free(&whole);
    return same;
}

/* A key identifier, also where it is still wrapped in its OCTET STRING header (interop Q43). */
static bool skis_match(struct bytes sent, struct bytes ski)
{
    struct der inner;

    if (ski.n == 0)
        return false;
    if (bytes_equal(sent, ski))
        return true;
    return der_expect(&sent, DER_OCTET_STRING, &inner) == R_OK && sent.n == 0 && bytes_equal(inner.value, ski);
}

enum result cms_pointer_take(struct bytes *in, struct cms_pointer *out)
{
    struct ber choice, part;

    *out = (struct cms_pointer){0};
    if (ber_next(in, &choice) != R_OK)
        return R_BAD_MESSAGE;
    if (choice.tag == TAG_SKI || choice.tag == TAG_SKI_CONSTRUCTED) {
        out->ski = choice.value;
        return R_OK;
    }
    if (choice.tag != DER_SEQUENCE || ber_expect(&choice.value, DER_SEQUENCE, &part) != R_OK)
        return R_BAD_MESSAGE;
    out->issuer = part.value;
    if (ber_expect(&choice.value, DER_INTEGER, &part) != R_OK)
        return R_BAD_MESSAGE;
    out->serial = part.value;
    return R_OK;
}

bool cms_pointer_matches(const struct cms_pointer *p, const struct cms_identity *identity)
{
    if (p->ski.n != 0)
        return skis_match(p->ski, identity->ski);
    return p->serial.n != 0 && bytes_equal(without_zeros(p->serial), without_zeros(identity->serial_value)) &&
           issuers_match(p->issuer, identity->issuer);
}

/* An RSA key within the limits, from PrivateKeyInfo to the last byte. */
static EVP_PKEY *private_key_decode(struct bytes pkcs8)
{
    const unsigned char *p = pkcs8.p;
    PKCS8_PRIV_KEY_INFO *info = pkcs8.n <= LIMIT_PKCS8 ? d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)pkcs8.n) : NULL;
    EVP_PKEY *key = info != NULL && p == pkcs8.p + pkcs8.n ? EVP_PKCS82PKEY(info) : NULL;

    PKCS8_PRIV_KEY_INFO_free(info);
    if (key != NULL && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= LIMIT_RSA_BITS_MIN &&
        EVP_PKEY_get_bits(key) <= LIMIT_RSA_BITS_MAX)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

enum result cms_key_open(struct bytes pkcs8, struct bytes certificate, struct cms_key **out)
{
    enum result r = R_BAD_KEY;
    struct public_key public;
    EVP_PKEY *of_certificate = NULL;
    struct cms_key *k;

    if (certificate.n == 0 || certificate.n > LIMIT_CERTIFICATE)
        return R_BAD_KEY;
    k = calloc(1, sizeof *k);
    if (k == NULL)
        return R_NO_MEMORY;
    k->certificate = malloc(certificate.n);
    if (k->certificate == NULL) {
        r = R_NO_MEMORY;
        goto out;
    }
    memcpy(k->certificate, certificate.p, certificate.n);
    if (cms_identity_decode(BYTES(k->certificate, certificate.n), &k->identity) != R_OK)
        goto out;
    k->key = private_key_decode(pkcs8);
    if (k->key == NULL || public_key_decode(k->identity.spki, &public) != R_OK)
        goto out;
    of_certificate = evp_key_decode(&public);
    if (of_certificate == NULL || EVP_PKEY_eq(k->key, of_certificate) != 1)
        goto out;
    *out = k;
    k = NULL;
    r = R_OK;
out:
    EVP_PKEY_free(of_certificate);
    cms_key_free(k);
    ERR_clear_error();
    return r;
}

void cms_key_free(struct cms_key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->key);
    free(k->certificate);
    free(k);
}
