#include "lib/codec/legacy.h"

#include <openssl/provider.h>

#include "lib/codec/evp.h"

static struct {
    bool tried;
    OSSL_LIB_CTX *context;          /* NULL: not to be had */
    EVP_MD *md5;
    EVP_CIPHER *des_cbc;
} legacy;

static void legacy_load(void)
{
    OSSL_LIB_CTX *c = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *usual = c != NULL ? OSSL_PROVIDER_load(c, "default") : NULL;
    OSSL_PROVIDER *old = usual != NULL ? OSSL_PROVIDER_load(c, "legacy") : NULL;

    legacy.tried = true;
    if (old != NULL) {
        legacy.md5 = EVP_MD_fetch(c, "MD5", NULL);
        legacy.des_cbc = EVP_CIPHER_fetch(c, "DES-CBC", NULL);
    }
    if (legacy.md5 != NULL && legacy.des_cbc != NULL) {
        legacy.context = c;
        return;
    }
    evp_fault("load the legacy algorithms", R_BAD_ALG);
    EVP_MD_free(legacy.md5);
    EVP_CIPHER_free(legacy.des_cbc);
    legacy.md5 = NULL;
    legacy.des_cbc = NULL;
    if (old != NULL)
        OSSL_PROVIDER_unload(old);
    if (usual != NULL)
        OSSL_PROVIDER_unload(usual);
    OSSL_LIB_CTX_free(c);
}

OSSL_LIB_CTX *legacy_context(void)
{
    if (!legacy.tried)
        legacy_load();
    return legacy.context;
}

const EVP_MD *legacy_md5(void)
{
    return legacy_context() != NULL ? legacy.md5 : NULL;
}

const EVP_CIPHER *legacy_des_cbc(void)
{
    return legacy_context() != NULL ? legacy.des_cbc : NULL;
}
