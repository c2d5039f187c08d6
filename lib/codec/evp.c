#include "lib/codec/evp.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/x509.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/der.h"
#include "lib/codec/legacy.h"

static const struct {
    int nid;
    const EVP_MD *(*md)(void);
} hashes[] = {
    [HASH_SHA256] = {NID_sha256, EVP_sha256},
    [HASH_SHA384] = {NID_sha384, EVP_sha384},
    [HASH_SHA512] = {NID_sha512, EVP_sha512},
    [HASH_SHA1] = {NID_sha1, EVP_sha1},
    [HASH_MD5] = {NID_md5, NULL},               /* from the legacy context alone */
};
#define HASHES (sizeof hashes / sizeof hashes[0])

const EVP_MD *evp_hash(uint32_t hash)
{
    return hash < HASHES && hashes[hash].md != NULL ? hashes[hash].md() : NULL;
}

uint32_t evp_hash_from_nid(int nid)
{
    for (uint32_t i = 0; i < HASHES; i++) {
        if (hashes[i].nid == nid)
            return i;
    }
    return HASH_OTHER;
}

static const EVP_MD *any_hash(uint32_t hash)
{
    return hash == HASH_MD5 ? legacy_md5() : evp_hash(hash);
}

bool evp_digest(struct bytes data, uint32_t hash, uint8_t out[EVP_MAX_MD_SIZE], unsigned *n)
{
    const EVP_MD *md = any_hash(hash);

    return md != NULL && EVP_Digest(data.p != NULL ? data.p : out, data.n, out, n, md, NULL) == 1;
}

/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }, without sign octets */
static bool rsa_numbers(struct bytes rsa_public_key, struct bytes *n, struct bytes *e)
{
    struct der sequence, modulus, exponent;

    if (der_expect(&rsa_public_key, DER_SEQUENCE, &sequence) != R_OK)
        return false;
    struct bytes in = sequence.value;
    if (der_expect(&in, DER_INTEGER, &modulus) != R_OK || der_expect(&in, DER_INTEGER, &exponent) != R_OK)
        return false;
    return der_get_unsigned(modulus.value, n) == R_OK && der_get_unsigned(exponent.value, e) == R_OK;
}

bool evp_key_is_bounded(const struct public_key *k)
{
    struct bytes n, e;

    if (k->kind == KEY_EC)
        return k->size > 0 && k->spki.n <= LIMIT_SPKI;
    return k->kind == KEY_RSA && k->size >= EVP_RSA_BITS_LEAST && k->size <= LIMIT_RSA_BITS_MAX
           && rsa_numbers(k->bits, &n, &e) && e.n <= 8;
}

/* A number for OSSL_PARAM, in the machine's order of octets. */
static bool native_number(struct bytes big_endian, uint8_t *out)
{
    BIGNUM *v = BN_bin2bn(big_endian.p, (int)big_endian.n, NULL);
    bool ok = v && BN_bn2nativepad(v, out, (int)big_endian.n) >= 0;

    BN_free(v);
    return ok;
}

static EVP_PKEY *key_make(OSSL_LIB_CTX *library, const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(library, type, NULL);

    if (context && EVP_PKEY_fromdata_init(context) == 1)
        (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *rsa_make(OSSL_LIB_CTX *library, const struct public_key *k)
{
    uint8_t n_native[LIMIT_RSA_BITS_MAX / 8], e_native[8];
    struct bytes n, e;

    if (!rsa_numbers(k->bits, &n, &e) || !native_number(n, n_native) || !native_number(e, e_native))
        return NULL;
    return key_make(library, "RSA", (OSSL_PARAM[]){OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n_native, n.n),
                                                   OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e_native, e.n),
                                                   OSSL_PARAM_construct_end()});
}

static EVP_PKEY *ec_make(OSSL_LIB_CTX *library, const struct public_key *k)
{
    char group[] = "P-000";

    for (unsigned i = sizeof group - 2, size = k->size; i > 1; i--, size /= 10)
        group[i] = (char)('0' + size % 10);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)k->bits.p, k->bits.n),
                           OSSL_PARAM_construct_end()};
    return key_make(library, "EC", params);
}

static EVP_PKEY *key_decode(OSSL_LIB_CTX *library, const struct public_key *k)
{
    if (!evp_key_is_bounded(k))
        return NULL;
    EVP_PKEY *key = k->kind == KEY_RSA ? rsa_make(library, k) : ec_make(library, k);
    ERR_clear_error();
    return key;
}

EVP_PKEY *evp_key_decode(const struct public_key *k)
{
    return key_decode(NULL, k);
}

enum result evp_verify(const struct public_key *k, uint32_t hash, struct bytes data, struct bytes signature)
{
    enum result r = R_SIGNATURE_FAILED;
    const EVP_MD *md = any_hash(hash);
    OSSL_LIB_CTX *library = hash == HASH_MD5 ? legacy_context() : NULL;
    EVP_PKEY *key = md != NULL ? key_decode(library, k) : NULL;

    if (key == NULL)
        return R_SIGNATURE_FAILED;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (c == NULL)
        r = R_NO_MEMORY;
    else if (EVP_DigestVerifyInit_ex(c, NULL, EVP_MD_get0_name(md), library, NULL, key, NULL) == 1 &&
             EVP_DigestVerify(c, signature.p, signature.n, data.p, data.n) == 1)
        r = R_OK;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return r;
}

enum result evp_fault(const char *what, enum result r)
{
    char reason[256] = "none given";
    unsigned long code = ERR_peek_last_error();

    if (code != 0)
        ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    log_event(LOG_LEVEL_ERROR, "crypto-failed", LOG_TEXT("what", what), LOG_TEXT("openssl", reason), LOG_RESULT(r));
    return r;
}
