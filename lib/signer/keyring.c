#include "lib/signer/keyring.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"
#include "lib/signer/ca_seal.h"
#include "lib/store/authority.h"

#define WRAP_SALT 16
#define WRAP_INFO "chancery challenge key 1"
#define CA_ARENA (4 * 1024 * 1024)

void keyring_init(struct keyring *k, const struct key_secrets *secrets)
{
    memset(k, 0, sizeof *k);
    k->secrets = *secrets;
}

static void ca_free(struct keyring_ca *c)
{
    if (c == NULL)
        return;
    key_free(c->key);
    arena_free(&c->arena);
    free(c);
}

void keyring_free(struct keyring *k)
{
    for (uint32_t i = 0; i < k->ca_count; i++)
        ca_free(k->cas[i]);
    bytes_wipe(k, sizeof *k);
}

/* The CA's certificate and its parents, decoded once. */
static enum result ca_decode_chain(struct keyring_ca *c)
{
    enum result r = R_NO_MEMORY;
    if (c->row.chain_count > LIMIT_CHAIN)
        return R_INTERNAL;
    c->chain_count = c->row.chain_count + 1;
    c->chain = arena_array(&c->arena, c->chain_count, sizeof *c->chain);
    if (c->chain == NULL)
        return R_NO_MEMORY;
    r = certificate_decode(c->row.certificate, &c->arena, &c->chain[0]);
    for (uint32_t i = 0; r == R_OK && i < c->row.chain_count; i++)
        r = certificate_decode(c->row.chain[i], &c->arena, &c->chain[i + 1]);
    /* The bounds are taken from these certificates: each must be what the one above it signed. */
    for (uint32_t i = 0; r == R_OK && i < c->row.chain_count; i++)
        r = certificate_verify(c->chain[i].der, c->chain[i + 1].key.spki);
    if (r != R_OK)
        log_event(LOG_LEVEL_ERROR, "ca-chain-refused", LOG_NUM("ca_version", c->ca_version), LOG_RESULT(r));
    return r;
}

static enum result ca_load(struct keyring *k, struct db *db, uint32_t tenant, uint32_t ca_version, struct keyring_ca **out)
{
    struct keyring_ca *c = calloc(1, sizeof *c);
    if (c == NULL)
        return R_NO_MEMORY;
    arena_init(&c->arena, CA_ARENA);
    c->tenant = tenant;
    c->ca_version = ca_version;
    enum result r = issuing_ca_read(db, tenant, ca_version, &c->arena, &c->row);
    if (r == R_OK)
        r = ca_seal_check(&k->secrets, tenant, &c->row);
    if (r == R_OK)
        r = ca_decode_chain(c);
    if (r == R_OK) {
        /* A BYOCA's hash is its signer's choice for its own certificate; what it signs with is SHA-256. */
        c->hash = HASH_SHA256;
        for (uint32_t h = HASH_SHA256; c->row.hash != NULL && h <= HASH_SHA512; h++)
            if (strcmp(hash_name(h), c->row.hash) == 0)
                c->hash = h;
        r = key_open(&c->row.key, &k->secrets, &c->key);
    }
    if (r == R_OK && !bytes_equal(c->chain[0].key.spki, c->row.key.spki)) {
        log_event(LOG_LEVEL_ERROR, "ca-key-differs", LOG_NUM("ca_version", ca_version));
        r = R_BAD_KEY;
    }
    if (r == R_OK)
        *out = c;
    else
        ca_free(c);
    return r;
}

enum result keyring_ca(struct keyring *k, struct db *db, uint32_t tenant, uint32_t ca_version, const struct keyring_ca **out)
{
    struct keyring_ca *c = NULL;
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < k->ca_count; i++) {
        if (k->cas[i]->ca_version == ca_version && k->cas[i]->tenant == tenant) {
            k->cas[i]->used = ++k->uses;
            *out = k->cas[i];
            return R_OK;
        }
        if (k->cas[i]->used < k->cas[oldest]->used)
            oldest = i;
    }
    enum result r = ca_load(k, db, tenant, ca_version, &c);
    if (r != R_OK)
        return r;
    if (k->ca_count == KEYRING_CAS)
        ca_free(k->cas[oldest]);
    else
        oldest = k->ca_count++;
    c->used = ++k->uses;
    k->cas[oldest] = c;
    *out = c;
    return R_OK;
}

enum result keyring_wrap(const char *passphrase, const uint8_t key[32], struct buf *out)
{
    uint8_t salt[WRAP_SALT], wrapping[32];
    enum result r = random_bytes(salt, sizeof salt);
    if (r == R_OK)
        r = hkdf_sha256(passphrase, BYTES(salt, sizeof salt), WRAP_INFO, wrapping);
    if (r == R_OK) {
        buf_append(out, salt, sizeof salt);
        r = gcm_seal(wrapping, BYTES(salt, sizeof salt), BYTES(key, 32), out);
    }
    bytes_wipe(wrapping, sizeof wrapping);
    return r;
}

enum result keyring_unwrap(const char *passphrase, struct bytes wrapped, uint8_t key[32])
{
    uint8_t wrapping[32];
    size_t n = 32;
    if (wrapped.n != WRAP_SALT + GCM_OVERHEAD + 32)
        return R_BAD_KEY;
    struct bytes salt = BYTES(wrapped.p, WRAP_SALT);
    enum result r = hkdf_sha256(passphrase, salt, WRAP_INFO, wrapping);
    if (r == R_OK && gcm_open(wrapping, salt, BYTES(wrapped.p + WRAP_SALT, wrapped.n - WRAP_SALT), key, &n) != R_OK)
        r = R_BAD_KEY;
    bytes_wipe(wrapping, sizeof wrapping);
    return r;
}

static enum result challenge_reload(struct keyring *k, struct db *db)
{
    struct stored_key *keys = NULL;
    struct arena a;
    uint32_t n = 0;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = authority_keys(db, "challenge", &a, &keys, &n);
    if (r == R_OK) {
        k->challenge_loaded_ms = clock_monotonic_ms();
        k->challenge_count = 0;
    }
    for (uint32_t i = 0; r == R_OK && i < n && i < KEYRING_GENERATIONS; i++) {
        struct keyring_challenge_key *c = &k->challenge[k->challenge_count];
        c->generation = (uint16_t)keys[i].generation;
        r = keyring_unwrap(k->secrets.ca, keys[i].private_key, c->key);
        if (r == R_OK)
            k->challenge_count++;
        else
            log_event(LOG_LEVEL_ERROR, "challenge-key-not-opened", LOG_NUM("generation", keys[i].generation), LOG_RESULT(r));
    }
    arena_free(&a);
    return r;
}

enum result keyring_challenge(struct keyring *k, struct db *db, uint16_t generation, const struct keyring_challenge_key **out)
{
    for (int again = 0; again < 2; again++) {
        for (uint32_t i = 0; i < k->challenge_count; i++)
            if (generation == 0 || k->challenge[i].generation == generation) {
                *out = &k->challenge[i];      /* newest first */
                return R_OK;
            }
        if (k->challenge_loaded_ms != 0 && clock_monotonic_ms() - k->challenge_loaded_ms < 1000)
            break;
        enum result r = challenge_reload(k, db);
        if (r != R_OK)
            return r;
    }
    return R_NOT_FOUND;
}
