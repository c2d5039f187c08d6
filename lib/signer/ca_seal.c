#include "lib/signer/ca_seal.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"

#define SEAL_INFO "chancery ca seal 1"

static void put(struct buf *b, const void *p, size_t n)
{
    uint8_t length[8];
    be64_put(length, n);
    buf_append(b, length, sizeof length);
    buf_append(b, p, n);
}

static void put_text(struct buf *b, const char *s)
{
    put(b, s ? s : "", s ? strlen(s) : 0);
}

static void put_number(struct buf *b, uint64_t v)
{
    uint8_t number[8];
    be64_put(number, v);
    put(b, number, sizeof number);
}

/* Each part with its length before it, so that no two rows give the same text. */
static void seal_text(uint32_t tenant, const struct issuing_ca *ca, struct buf *b)
{
    put_number(b, tenant);
    put_text(b, ca->uuid);
    put_number(b, ca->number);
    put_text(b, ca->kind);
    put_text(b, ca->hash);
    put_number(b, ca->key_bits);
    put_number(b, ca->names_from_requests);
    put_text(b, ca->crl_url);
    put_number(b, ca->crl_shards);
    put_text(b, ca->aia_url);
    put_text(b, ca->ocsp_url);
    put(b, ca->certificate.p, ca->certificate.n);
    put_number(b, ca->chain_count);
    for (uint32_t i = 0; i < ca->chain_count; i++)
        put(b, ca->chain[i].p, ca->chain[i].n);
}

/* The key of this CA's seal, and the text it is over. */
static enum result seal_prepare(const struct key_secrets *secrets, uint32_t tenant, const struct issuing_ca *ca, uint8_t key[32], struct buf *text)
{
    const char *passphrase = ca->kind != NULL && strcmp(ca->kind, "root") == 0 ? secrets->root : secrets->ca;
    if (passphrase == NULL)
        return R_BAD_KEY;
    seal_text(tenant, ca, text);
    enum result r = buf_result(text);
    return r == R_OK ? hkdf_sha256(passphrase, bytes_of_text(ca->uuid), SEAL_INFO, key) : r;
}

enum result ca_seal_make(const struct key_secrets *secrets, uint32_t tenant, const struct issuing_ca *ca, struct buf *out)
{
    uint8_t key[32];
    struct buf text;
    buf_init(&text, LIMIT_ARENA_REQUEST);
    enum result r = seal_prepare(secrets, tenant, ca, key, &text);
    if (r == R_OK)
        r = gcm_seal(key, buf_bytes(&text), BYTES("", 0), out);
    bytes_wipe(key, sizeof key);
    buf_free(&text);
    return r;
}

enum result ca_seal_check(const struct key_secrets *secrets, uint32_t tenant, const struct issuing_ca *ca)
{
    uint8_t key[32], nothing[1];
    size_t n = sizeof nothing;
    struct buf text;
    buf_init(&text, LIMIT_ARENA_REQUEST);
    enum result r = seal_prepare(secrets, tenant, ca, key, &text);
    if (r == R_OK && (ca->seal.n != CA_SEAL_SIZE || gcm_open(key, buf_bytes(&text), ca->seal, nothing, &n) != R_OK || n != 0))
        r = R_BAD_KEY;
    if (r != R_OK)
        log_event(LOG_LEVEL_ERROR, "ca-seal-refused", LOG_TEXT("ca", ca->uuid), LOG_NUM("version", ca->number), LOG_RESULT(r));
    bytes_wipe(key, sizeof key);
    buf_free(&text);
    return r;
}
