/* The part of pkey.h that has no private key: AES-256-GCM, HKDF, random numbers. */
#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "lib/codec/evp.h"
#include "lib/codec/pkey.h"

#define IV_SIZE 12
#define TAG_SIZE 16
_Static_assert(GCM_OVERHEAD == IV_SIZE + TAG_SIZE, "the overhead is IV and tag");

/* One pass of the cipher; in and aad are below INT_MAX. */
static bool gcm_pass(EVP_CIPHER_CTX *c, int encrypt, const uint8_t *key, const uint8_t *iv, struct bytes aad, struct bytes in,
                     uint8_t *out)
{
    int n;

    return EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, iv, encrypt) == 1 &&
           (aad.n == 0 || EVP_CipherUpdate(c, NULL, &n, aad.p, (int)aad.n) == 1) &&
           (in.n == 0 || EVP_CipherUpdate(c, out, &n, in.p, (int)in.n) == 1);
}

enum result gcm_seal(const uint8_t key[32], struct bytes aad, struct bytes plain, struct buf *out)
{
    int n;
    size_t start = out->n;
    bool done = false;

    if (aad.n > INT_MAX || plain.n > INT_MAX - GCM_OVERHEAD)
        return R_TOO_LARGE;
    uint8_t *room = buf_space(out, plain.n + GCM_OVERHEAD);
    if (room == NULL)
        return buf_result(out);
    enum result r = random_bytes(room, IV_SIZE);
    if (r != R_OK)
        return r;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t *tag = room + IV_SIZE + plain.n;
    if (c != NULL && gcm_pass(c, 1, key, room, aad, plain, room + IV_SIZE))
        done = EVP_CipherFinal_ex(c, tag, &n) == 1 && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!done) {
        bytes_wipe(room, plain.n + GCM_OVERHEAD);
        out->n = start;
        return evp_fault("seal with AES-256-GCM", R_INTERNAL);
    }
    return R_OK;
}

enum result gcm_open(const uint8_t key[32], struct bytes aad, struct bytes sealed, uint8_t *plain, size_t *n)
{
    uint8_t tag[TAG_SIZE], rest[1];
    int ignored;
    bool done = false;

    if (sealed.n < GCM_OVERHEAD || sealed.n > INT_MAX || aad.n > INT_MAX || sealed.n - GCM_OVERHEAD > *n)
        return R_CHALLENGE_DECRYPTION;
    struct bytes in = {sealed.p + IV_SIZE, sealed.n - GCM_OVERHEAD};
    memcpy(tag, in.p + in.n, TAG_SIZE);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (c != NULL && gcm_pass(c, 0, key, sealed.p, aad, in, plain))
        done = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 && EVP_CipherFinal_ex(c, rest, &ignored) == 1;
    EVP_CIPHER_CTX_free(c);
    ERR_clear_error();
    if (!done) {
        bytes_wipe(plain, in.n);                /* unauthenticated: nobody may see it */
        return R_CHALLENGE_DECRYPTION;
    }
    *n = in.n;
    return R_OK;
}

enum result random_bytes(void *p, size_t n)
{
    if (n > INT_MAX)
        return R_TOO_LARGE;
    return RAND_bytes(p, (int)n) == 1 ? R_OK : evp_fault("get random bytes", R_INTERNAL);
}

enum result hkdf_sha256(const char *secret, struct bytes salt, const char *info, uint8_t out[32])
{
    OSSL_PARAM params[5], *p = params;
    char digest[] = "SHA256";
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;

    /* OSSL_PARAM has no const, but the values are only read */
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, strlen(secret));
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info));
    if (salt.n != 0)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.p, salt.n);
    *p = OSSL_PARAM_construct_end();
    enum result r = R_OK;
    if (context == NULL || EVP_KDF_derive(context, out, 32, params) != 1)
        r = evp_fault("derive a key", R_INTERNAL);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return r;
}
