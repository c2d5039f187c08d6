/*
 * The answer to GetNextCACert (RFC 8894 section 4.7.1): a SignedData by the CA in production whose content is the degenerate SignedData of what follows
 * it. Some clients look for the certificates in the content, some beside the signature: they stand in both places.
 *
 * What is signed is put together here, from what this signer's own word vouches for: nobody gives it bytes.
 */
#include <strings.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/cms.h"
#include "lib/signer/worker.h"
#include "lib/store/issued.h"

#define FRAME_SIZE 512               /* bytes around the certificates */

static enum result ca_sign(void *key, uint32_t hash, struct bytes data, struct arena *a, struct bytes *signature)
{
    return key_sign(key, hash, data, a, signature);
}

struct next {
    struct bytes list[4 + LIMIT_CHAIN];      /* RA certificates, the CA, those above it; then the CA in production */
    uint32_t count;
};

/* A version of the CA that was asked about. It is loaded as if it were to sign, which looks at its seal and chain. */
static enum result version_load(struct worker *w, const struct signer_next_ca *q, uint32_t tenant, uint32_t version, const struct keyring_ca **out)
{
    enum result r = keyring_ca(&w->keyring, w->db, tenant, version, out);
    return r == R_OK && strcasecmp((*out)->row.uuid, q->ca) != 0 ? R_BAD_KEY : r;
}

/* The certificates as GetCACert will give them; the RA's are what the CA signed. */
static enum result next_collect(struct worker_call *c, const struct signer_next_ca *q, const struct issued_next *found, struct next *out)
{
    const struct bytes ra[] = {found->encrypt_certificate, found->sign_certificate};
    const struct keyring_ca *ca = NULL;
    enum result r = version_load(c->worker, q, found->tenant, found->next_version, &ca);
    for (size_t i = 0; r == R_OK && i < sizeof ra / sizeof ra[0]; i++) {
        r = certificate_verify(ra[i], ca->chain[0].key.spki);
        out->list[out->count++] = ra[i];
    }
    for (uint32_t i = 0; r == R_OK && i < ca->chain_count; i++) {
        out->list[out->count] = arena_bytes(c->arena, ca->chain[i].der);
        r = out->list[out->count++].p == NULL ? R_NO_MEMORY : R_OK;
    }
    return r;
}

static enum result next_sign(const struct keyring_ca *ca, struct next *next, struct arena *a, struct bytes *message)
{
    const struct cms_attributes none = {NULL, 0};
    size_t size = FRAME_SIZE;
    struct buf content;
    for (uint32_t i = 0; i < next->count; i++)
        size += next->list[i].n;
    buf_init(&content, size);
    enum result r = cms_certificates(next->list, next->count, &content);
    next->list[next->count] = ca->row.certificate;
    if (r == R_OK)
        r = cms_sign_by(buf_bytes(&content), &none, ca->row.certificate, ca_sign, ca->key, ca->hash, next->list, next->count + 1, a, message);
    buf_free(&content);
    return r;
}

enum result next_ca_handle(struct worker_call *c, const struct signer_next_ca *q, struct signer_next_ca_answer *out)
{
    struct worker *w = c->worker;
    struct issued_next found;
    struct next next = {.count = 0};
    const struct keyring_ca *ca = NULL;
    enum result r = issued_next_find(w->db, q->ca, c->arena, &found);
    if (r == R_OK)
        r = next_collect(c, q, &found, &next);
    if (r == R_OK)
        r = version_load(w, q, found.tenant, found.ca_version, &ca);
    if (r == R_OK)
        r = next_sign(ca, &next, c->arena, &out->message);
    log_event(r == R_OK ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE, "next-ca-asked", LOG_RESULT(r), LOG_TEXT("ca", q->ca));
    return r;
}
