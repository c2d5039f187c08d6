#include "lib/signer/key.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/codec/pkey.h"

static const struct key_platform *const key_platforms[] = {&key_software};

struct key {
    const struct key_platform *platform;
    void *handle;
    size_t signature_size;
};
struct key_signing {
    const struct key_platform *platform;
    void *signing;
};

/* Signs a constant and verifies it with the public key on record: warms the key, and proves that it is the right one. */
static enum result key_prove(const struct key *k, struct bytes spki)
{
    static const char text[] = "chancery key check";
    struct arena a;
    struct bytes signature;
    arena_init(&a, 65536);
    enum result r = key_sign(k, HASH_SHA256, BYTES(text, sizeof text), &a, &signature);
    if (r == R_OK)
        r = pkey_verify(spki, HASH_SHA256, BYTES(text, sizeof text), signature);
    arena_free(&a);
    return r == R_OK ? R_OK : R_BAD_KEY;
}

enum result key_open(const struct stored_key *row, const struct key_secrets *secrets, struct key **out)
{
    struct public_key pub;
    struct key *k = calloc(1, sizeof *k);
    enum result r = R_BAD_KEY;
    if (k == NULL)
        return R_NO_MEMORY;
    for (size_t i = 0; i < sizeof key_platforms / sizeof *key_platforms; i++)
        if (strcmp(key_platforms[i]->name, row->platform) == 0)
            k->platform = key_platforms[i];
    if (k->platform == NULL) {
        log_event(LOG_LEVEL_ERROR, "key-platform-unknown", LOG_NUM("key", row->id), LOG_TEXT("platform", row->platform));
        goto out;
    }
    if (public_key_decode(row->spki, &pub) != R_OK)
        goto out;
    k->signature_size = (pub.size + 7) / 8;
    r = k->platform->open(row, secrets, &k->handle);
    if (r == R_OK)
        r = key_prove(k, row->spki);
    if (r != R_OK)
        log_event(LOG_LEVEL_ERROR, "key-not-opened", LOG_NUM("key", row->id), LOG_TEXT("wrapped_by", row->wrapped_by), LOG_RESULT(r));
out:
    if (r == R_OK)
        *out = k;
    else
        key_free(k);
    return r;
}

void key_free(struct key *k)
{
    if (k == NULL)
        return;
    if (k->handle != NULL)
        k->platform->close(k->handle);
    free(k);
}

size_t key_signature_size(const struct key *k)
{
    return k->signature_size;
}

enum result key_sign_begin(const struct key *k, uint32_t hash, struct key_signing **out)
{
    struct key_signing *s = calloc(1, sizeof *s);
    if (s == NULL)
        return R_NO_MEMORY;
    s->platform = k->platform;
    enum result r = k->platform->sign_begin(k->handle, hash, &s->signing);
    if (r == R_OK)
        *out = s;
    else
        free(s);
    return r;
}

enum result key_sign_update(struct key_signing *s, const void *p, size_t n)
{
    return s->platform->sign_update(s->signing, p, n);
}

enum result key_sign_end(struct key_signing *s, struct arena *a, struct bytes *signature)
{
    enum result r = s->platform->sign_end(s->signing, a, signature);
    free(s);
    return r;
}

void key_sign_cancel(struct key_signing *s)
{
    if (s == NULL)
        return;
    s->platform->sign_cancel(s->signing);
    free(s);
}

enum result key_sign(const struct key *k, uint32_t hash, struct bytes data, struct arena *a, struct bytes *signature)
{
    struct key_signing *s = NULL;
    enum result r = key_sign_begin(k, hash, &s);
    if (r != R_OK)
        return r;
    r = key_sign_update(s, data.p, data.n);
    if (r == R_OK)
        return key_sign_end(s, a, signature);
    key_sign_cancel(s);
    return r;
}
