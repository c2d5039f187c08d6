/* Signatures on the heads of the audit chain. The heads come from the database, never from who asks. */
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/signer/worker.h"
#include "lib/store/authority.h"

/* What is signed: this text, batch and last number as 64 bits, the head. */
#define AUDIT_HEAD_LABEL "chancery audit head 1"

static enum result head_sign(struct worker *w, const struct key *key, int64_t key_id, const struct authority_head *h, struct arena *a)
{
    uint8_t numbers[16];
    struct bytes signature;
    struct buf text;
    buf_init(&text, 256);
    be64_put(numbers, (uint64_t)h->batch);
    be64_put(numbers + 8, (uint64_t)h->last);
    buf_text(&text, AUDIT_HEAD_LABEL);
    buf_append(&text, numbers, sizeof numbers);
    buf_append(&text, h->head.p, h->head.n);
    enum result r = buf_result(&text);
    if (r == R_OK)
        r = key_sign(key, HASH_SHA256, buf_bytes(&text), a, &signature);
    if (r == R_OK)
        r = authority_head_sign(w->db, h->batch, key_id, signature);
    buf_free(&text);
    return r;
}

enum result audit_sign_handle(struct worker_call *c, const struct signer_audit_sign *q, struct signer_done *out)
{
    struct worker *w = c->worker;
    struct authority_head *heads = NULL;
    struct stored_key *keys = NULL;
    struct key *key = NULL;
    uint32_t n = 0, k = 0;
    out->count = 0;
    enum result r = authority_heads(w->db, q->limit, c->arena, &heads, &n);
    if (r != R_OK || n == 0)
        return r;
    r = authority_keys(w->db, "audit", c->arena, &keys, &k);
    if (r == R_OK && k == 0)
        r = R_STATE;             /* before "keys init" heads wait */
    if (r == R_OK)
        r = key_open(&keys[0], &w->keyring.secrets, &key);
    for (uint32_t i = 0; r == R_OK && i < n; i++) {
        r = head_sign(w, key, keys[0].id, &heads[i], c->arena);
        out->count += r == R_OK;
    }
    if (r != R_OK)
        log_event(LOG_LEVEL_WARNING, "audit-heads-not-signed", LOG_NUM("waiting", n), LOG_RESULT(r));
    key_free(key);
    return r;
}
