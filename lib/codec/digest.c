#include <openssl/evp.h>
#include <stdlib.h>

#include "lib/codec/evp.h"
#include "lib/codec/x509.h"

/* SEQUENCE { OBJECT IDENTIFIER 1.2.840.113549.1.1.last, NULL } */
#define RSA_ALGORITHM(last) {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, (last), 0x05, 0x00}

static const struct {
    const char *name;
    uint8_t algorithm[15];      /* all zero: not signed with */
} hashes[] = {
    [HASH_SHA256] = {"SHA-256", RSA_ALGORITHM(0x0b)},
    [HASH_SHA384] = {"SHA-384", RSA_ALGORITHM(0x0c)},
    [HASH_SHA512] = {"SHA-512", RSA_ALGORITHM(0x0d)},
    [HASH_SHA1] = {"SHA-1", {0}},
    [HASH_MD5] = {"MD5", {0}},
    [HASH_OTHER] = {"other", {0}},
};
#define HASHES (sizeof hashes / sizeof hashes[0])

const char *hash_name(uint32_t hash)
{
    return hashes[hash < HASHES ? hash : HASH_OTHER].name;
}

struct bytes hash_rsa_algorithm(uint32_t hash)
{
    if (hash >= HASHES || hashes[hash].algorithm[0] == 0)
        return BYTES_NONE;
    return BYTES(hashes[hash].algorithm, sizeof hashes[hash].algorithm);
}

/* A digest cannot fail but for want of memory; zeros then match nothing. */
static void digest(struct bytes data, const EVP_MD *md, uint8_t *out, unsigned size)
{
    if (EVP_Digest(data.p ? data.p : out, data.n, out, &size, md, NULL) != 1) {
        bytes_wipe(out, size);
        evp_fault("digest", R_INTERNAL);
    }
}

void digest_sha1(struct bytes data, uint8_t out[20])
{
    digest(data, EVP_sha1(), out, 20);
}

void digest_sha256(struct bytes data, uint8_t out[32])
{
    digest(data, EVP_sha256(), out, 32);
}

struct digest_stream { EVP_MD_CTX *ctx; };

enum result digest_sha256_begin(struct digest_stream **out)
{
    struct digest_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return R_NO_MEMORY;
    s->ctx = EVP_MD_CTX_new();
    if (s->ctx == NULL || EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) != 1) {
        digest_stream_free(s);
        return evp_fault("digest", R_INTERNAL);
    }
    *out = s;
    return R_OK;
}

enum result digest_update(struct digest_stream *s, const void *p, size_t n)
{
    return EVP_DigestUpdate(s->ctx, p, n) == 1 ? R_OK : evp_fault("digest", R_INTERNAL);
}

enum result digest_sha256_end(struct digest_stream *s, uint8_t out[32])
{
    return EVP_DigestFinal_ex(s->ctx, out, NULL) == 1 ? R_OK : evp_fault("digest", R_INTERNAL);
}

void digest_stream_free(struct digest_stream *s)
{
    if (s == NULL)
        return;
    EVP_MD_CTX_free(s->ctx);
    free(s);
}
