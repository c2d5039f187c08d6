#include "lib/codec/pkey.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "lib/base/limits.h"
#include "lib/codec/evp.h"

#define SALT_SIZE 16

struct pkey { EVP_PKEY *key; };
struct pkey_signing { EVP_MD_CTX *context; };

/* Takes the key over, in every case. */
static enum result pkey_wrap(EVP_PKEY *key, struct pkey **out)
{
    struct pkey *k = malloc(sizeof *k);

    if (k == NULL) {
        EVP_PKEY_free(key);
        return R_NO_MEMORY;
    }
    k->key = key;
    *out = k;
    return R_OK;
}

enum result pkey_generate_rsa(unsigned bits, struct pkey **out)
{
    if (bits < LIMIT_RSA_BITS_MIN || bits > LIMIT_RSA_BITS_MAX || bits % 1024 != 0)
        return R_BAD_INPUT;
    EVP_PKEY *key = EVP_RSA_gen(bits);
    return key != NULL ? pkey_wrap(key, out) : evp_fault("generate an RSA key", R_BAD_KEY);
}

/* Only PBES2: what pkey_seal writes and what "openssl pkcs8 -topk8" writes. */
static bool encryption_is_pbes2(const X509_SIG *sealed)
{
    const X509_ALGOR *algorithm;
    const ASN1_OBJECT *oid;

    X509_SIG_get0(sealed, &algorithm, NULL);
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    return OBJ_obj2nid(oid) == NID_pbes2;
}

enum result pkey_open(struct bytes encrypted_pkcs8, const char *passphrase, struct pkey **out)
{
    enum result r = R_BAD_KEY;
    X509_SIG *sealed = NULL;
    PKCS8_PRIV_KEY_INFO *info = NULL;
    EVP_PKEY *key = NULL;
    const unsigned char *p = encrypted_pkcs8.p;

    if (p == NULL || encrypted_pkcs8.n > LIMIT_PKCS8)
        return R_BAD_KEY;
    sealed = d2i_X509_SIG(NULL, &p, (long)encrypted_pkcs8.n);
    if (sealed == NULL || p != encrypted_pkcs8.p + encrypted_pkcs8.n || !encryption_is_pbes2(sealed))
        goto out;
    info = PKCS8_decrypt(sealed, passphrase, (int)strlen(passphrase));
    if (info == NULL)
        goto out;
    key = EVP_PKCS82PKEY(info);
    if (key == NULL || !EVP_PKEY_is_a(key, "RSA"))
        goto out;
    if (EVP_PKEY_get_bits(key) < LIMIT_RSA_BITS_MIN || EVP_PKEY_get_bits(key) > LIMIT_RSA_BITS_MAX)
        goto out;
    r = pkey_wrap(key, out);
    key = NULL;
out:
    EVP_PKEY_free(key);
    PKCS8_PRIV_KEY_INFO_free(info);
    X509_SIG_free(sealed);
    ERR_clear_error();
    return r;
}

enum result pkey_seal(const struct pkey *k, const char *passphrase, struct arena *a, struct bytes *encrypted_pkcs8)
{
    enum result r = R_BAD_KEY;
    X509_SIG *sealed = NULL;
    unsigned char *der = NULL;
    int n = 0;
    X509_ALGOR *algorithm = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), PKEY_ROUNDS, NULL, SALT_SIZE, NULL, NID_hmacWithSHA256);
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k->key);

    if (algorithm == NULL || info == NULL)
        goto out;
    sealed = PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), info, algorithm);
    if (sealed == NULL)
        goto out;
    algorithm = NULL;                           /* it belongs to sealed now */
    n = i2d_X509_SIG(sealed, &der);
    if (n <= 0)
        goto out;
    *encrypted_pkcs8 = arena_bytes(a, BYTES(der, (size_t)n));
    r = encrypted_pkcs8->p != NULL ? R_OK : R_NO_MEMORY;
out:
    OPENSSL_free(der);
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(info);             /* wipes the key in it */
    X509_ALGOR_free(algorithm);
    return r == R_BAD_KEY ? evp_fault("encrypt a private key", r) : r;
}

enum result pkey_pkcs8(const struct pkey *k, struct arena *a, struct bytes *pkcs8)
{
    enum result r = R_BAD_KEY;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k->key);
    int n = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : 0;

    if (n > 0) {
        /* straight into the arena, so that no copy stays behind unwiped */
        unsigned char *room = arena_alloc(a, (size_t)n), *p = room;
        r = room != NULL ? R_OK : R_NO_MEMORY;
        if (r == R_OK && i2d_PKCS8_PRIV_KEY_INFO(info, &p) != n)
            r = R_BAD_KEY;
        if (r == R_OK)
            *pkcs8 = BYTES(room, (size_t)n);
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    return r == R_BAD_KEY ? evp_fault("encode a private key", r) : r;
}

enum result pkey_spki(const struct pkey *k, struct arena *a, struct bytes *spki)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k->key, &der);

    if (n <= 0)
        return evp_fault("encode a public key", R_BAD_KEY);
    *spki = arena_bytes(a, BYTES(der, (size_t)n));
    OPENSSL_free(der);
    return spki->p != NULL ? R_OK : R_NO_MEMORY;
}

unsigned pkey_size(const struct pkey *k)
{
    return (unsigned)EVP_PKEY_get_bits(k->key);
}

void pkey_free(struct pkey *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->key);                      /* wipes */
    free(k);
}

enum result pkey_sign_begin(const struct pkey *k, uint32_t hash, struct pkey_signing **out)
{
    const EVP_MD *md = evp_hash(hash);

    if (md == NULL)
        return R_BAD_INPUT;
    struct pkey_signing *s = calloc(1, sizeof *s);
    if (s == NULL)
        return R_NO_MEMORY;
    s->context = EVP_MD_CTX_new();
    if (s->context == NULL || EVP_DigestSignInit(s->context, NULL, md, NULL, k->key) != 1) {
        pkey_sign_cancel(s);
        return evp_fault("begin a signature", R_BAD_KEY);
    }
    *out = s;
    return R_OK;
}

enum result pkey_sign_update(struct pkey_signing *s, const void *p, size_t n)
{
    if (n == 0)
        return R_OK;
    return EVP_DigestSignUpdate(s->context, p, n) == 1 ? R_OK : evp_fault("add to a signature", R_BAD_KEY);
}

enum result pkey_sign_end(struct pkey_signing *s, struct arena *a, struct bytes *signature)
{
    uint8_t value[LIMIT_RSA_BITS_MAX / 8];
    size_t n = sizeof value;
    enum result r = R_OK;

    if (EVP_DigestSignFinal(s->context, value, &n) != 1)
        r = evp_fault("end a signature", R_BAD_KEY);
    if (r == R_OK) {
        *signature = arena_bytes(a, BYTES(value, n));
        r = signature->p != NULL ? R_OK : R_NO_MEMORY;
    }
    pkey_sign_cancel(s);
    return r;
}

void pkey_sign_cancel(struct pkey_signing *s)
{
    if (s == NULL)
        return;
    EVP_MD_CTX_free(s->context);
    free(s);
}

enum result pkey_sign(const struct pkey *k, uint32_t hash, struct bytes data, struct arena *a, struct bytes *signature)
{
    struct pkey_signing *s;
    enum result r = pkey_sign_begin(k, hash, &s);

    if (r != R_OK)
        return r;
    r = pkey_sign_update(s, data.p, data.n);
    if (r != R_OK) {
        pkey_sign_cancel(s);
        return r;
    }
    return pkey_sign_end(s, a, signature);
}

enum result pkey_verify(struct bytes spki, uint32_t hash, struct bytes data, struct bytes signature)
{
    struct public_key public;

    if (evp_hash(hash) == NULL || public_key_decode(spki, &public) != R_OK || public.kind != KEY_RSA)
        return R_SIGNATURE_FAILED;
    return evp_verify(&public, hash, data, signature);
}
