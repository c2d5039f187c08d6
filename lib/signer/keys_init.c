/* The installation's own keys: the first challenge key and the key that signs the audit log's heads. */
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"
#include "lib/signer/worker.h"
#include "lib/store/authority.h"

#define AUDIT_KEY_BITS 2048

static enum result keys_add_challenge(struct worker *w, const char *actor)
{
    uint8_t key[32];
    struct buf wrapped;
    buf_init(&wrapped, LIMIT_PKCS8);
    enum result r = random_bytes(key, sizeof key);
    if (r == R_OK)
        r = keyring_wrap(w->keyring.secrets.ca, key, &wrapped);
    bytes_wipe(key, sizeof key);
    if (r == R_OK)
        r = authority_key_add(w->db, "challenge", 1, "AES-256", buf_bytes(&wrapped), BYTES_NONE, actor);
    buf_free(&wrapped);
    return r;
}

static enum result keys_add_audit(struct worker *w, struct arena *a, const char *actor)
{
    struct pkey *key = NULL;
    struct bytes sealed, spki;
    enum result r = pkey_generate_rsa(AUDIT_KEY_BITS, &key);
    if (r == R_OK)
        r = pkey_spki(key, a, &spki);
    if (r == R_OK)
        r = pkey_seal(key, w->keyring.secrets.ca, a, &sealed);
    if (r == R_OK)
        r = authority_key_add(w->db, "audit", 1, "RSA-2048", sealed, spki, actor);
    pkey_free(key);
    return r;
}

enum result keys_handle_init(struct worker_call *c, const struct signer_keys_init *q, struct signer_done *out)
{
    struct worker *w = c->worker;
    struct stored_key *keys = NULL;
    uint32_t n = 0;
    out->count = 0;
    const char *actor = arena_printf(c->arena, "operator:%s", q->actor);
    if (actor == NULL)
        return R_NO_MEMORY;
    enum result r = authority_keys(w->db, "challenge", c->arena, &keys, &n);
    if (r == R_OK && n == 0) {
        r = keys_add_challenge(w, actor);
        out->count += r == R_OK;
    }
    if (r == R_OK)
        r = authority_keys(w->db, "audit", c->arena, &keys, &n);
    if (r == R_OK && n == 0) {
        r = keys_add_audit(w, c->arena, actor);
        out->count += r == R_OK;
    }
    if (r == R_EXISTS)           /* another signer was first */
        r = R_OK;
    log_event(r == R_OK ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR, "keys-initialised", LOG_TEXT("actor", actor), LOG_NUM("made", out->count), LOG_RESULT(r));
    return r;
}
