/* New roots and issuing CAs: key, certificate, record, in the admin lane. Of a bring-your-own CA the key and a request for its certificate, which comes
 * later (authority_upload.c). */
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"
#include "lib/signer/ca_seal.h"
#include "lib/signer/making.h"

/* A random UUID (RFC 4122 version 4): the CA's id in its addresses. */
static enum result uuid_make(char out[37])
{
    uint8_t b[16];
    char hex[33];
    enum result r = random_bytes(b, sizeof b);
    if (r != R_OK)
        return r;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    hex_encode(hex, b, sizeof b);
    for (int i = 0, o = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[o++] = '-';
        out[o++] = hex[i];
    }
    out[36] = '\0';
    return R_OK;
}

static enum result making_check(struct making *m, struct verdict *v)
{
    const struct ca_request *q = m->request;
    struct arena *a = m->call->arena;
    struct worker *w = m->call->worker;
    const struct certificate *parent = NULL;
    enum result r;
    if (q->kind != CA_ISSUING && m->parent_name != NULL)
        return verdict_refuse(v, a, R_BAD_INPUT, "parent", m->parent_name, "none");
    r = authority_context(w->db, m->tenant, m->parent_name, a, &m->context);
    if (r == R_OK)
        r = worker_check_clock(m->context.now);
    if (r != R_OK)
        return r;
    if (m->context.cas >= m->context.limit)
        return verdict_refuse(v, a, R_LIMIT, "CAs", arena_printf(a, "%lld", (long long)m->context.cas),
                              arena_printf(a, "fewer than %lld (root, issuing and bring-your-own together)", (long long)m->context.limit));
    if (q->kind == CA_ISSUING) {
        r = making_find_parent(m, v);
        if (r != R_OK)
            return r;
        parent = &m->parent->chain[0];
    }
    r = ca_request_check(q, parent, a, v);
    if (r == R_OK) {
        /* An issuing CA inherits size and hash from its root. */
        unsigned bits = parent != NULL ? m->context.parent_bits : q->key_bits;
        for (m->pair = key_pair_choices; m->pair->name != NULL && m->pair->bits != bits; m->pair++)
            continue;
        if (m->pair->name == NULL)
            return verdict_refuse(v, a, R_BAD_INPUT, "key", arena_printf(a, "%u", bits), "2048, 3072 or 4096");
    }
    if (r == R_OK && !making_is_byoca(m)) {
        r = ca_validity(m->context.now, q->years, parent, &m->not_after, &m->clamped);
        if (r != R_OK)
            return verdict_refuse(v, a, r, "parent", "ends within a day", "a root CA with time left");
    }
    return r;
}

static enum result making_record(struct making *m, struct bytes private_key, uint32_t *ca_version)
{
    struct arena *a = m->call->arena;
    struct buf seal;
    buf_init(&seal, CA_SEAL_SIZE);
    enum result r = making_seal(m, &seal);
    struct authority_ca ca = {.actor = m->actor, .uuid = m->uuid, .request = m->request, .parent = m->parent ? m->parent->row.ca_id : 0,
        .issuer_version = m->parent ? m->context.parent_version : 0, .key_bits = m->pair->bits, .hash = hash_name(m->pair->hash), .scep_uri = m->scep_uri,
        .crl_url = m->crl_url, .aia_url = m->aia_url, .private_key = private_key, .spki = m->spki, .wrapped_by = m->parent ? "ca" : "root",
        .certificate = m->made.der, .chain = m->chain, .chain_count = m->chain_count, .serial = m->made.serial, .subject = m->subject, .ski = m->made.ski,
        .subject_text = name_text(&m->made.subject_name, a), .not_before = m->made.not_before, .not_after = m->made.not_after, .clamped = m->clamped,
        .seal = buf_bytes(&seal)};
    digest_sha1(m->made.der, ca.digests.sha1);
    digest_sha256(m->made.der, ca.digests.sha256);
    digest_sha256(m->spki, ca.digests.spki_sha256);
    if (r == R_OK && (r = authority_create(m->call->worker->db, m->tenant, &ca, ca_version)) != R_OK)
        worker_detail_db(m->call);
    buf_free(&seal);
    return r;
}

static enum result making_record_request(struct making *m, struct bytes private_key)
{
    struct buf seal;
    buf_init(&seal, CA_SEAL_SIZE);
    enum result r = making_seal(m, &seal);
    struct authority_byoca ca = {.actor = m->actor, .uuid = m->uuid, .request = m->request, .scep_uri = m->scep_uri, .crl_url = m->crl_url,
        .aia_url = m->aia_url, .private_key = private_key, .spki = m->spki, .csr = m->csr.der,
        .subject_text = name_text(&m->csr.claims.subject, m->call->arena), .seal = buf_bytes(&seal)};
    if (r == R_OK && (r = authority_byoca_create(m->call->worker->db, m->tenant, &ca)) != R_OK)
        worker_detail_db(m->call);
    buf_free(&seal);
    return r;
}

enum result authority_handle_create(struct worker_call *c, const struct signer_ca_create *q, struct signer_ca_created *out)
{
    struct making m = {.call = c, .tenant = q->tenant, .actor = arena_printf(c->arena, "operator:%s", q->actor), .request = &q->request,
        .parent_name = q->parent, .number = 1};
    struct verdict v = {0};
    struct bytes sealed = BYTES_NONE;
    struct key *own = NULL;
    uint32_t ca_version = 0;
    enum result r = m.actor != NULL ? making_check(&m, &v) : R_NO_MEMORY;
    if (r == R_OK)
        r = uuid_make(m.uuid);
    if (r == R_OK)
        r = making_addresses(&m);
    if (r == R_OK)
        r = making_subject(&m);
    if (r == R_OK)
        r = making_key(&m, &sealed, &own);
    if (r == R_OK)
        r = making_is_byoca(&m) ? making_request(&m, own) : making_certificate(&m, own, &v);
    if (r == R_OK)
        r = making_is_byoca(&m) ? making_record_request(&m, sealed) : making_record(&m, sealed, &ca_version);
    if (r == R_OK) {
        log_event(LOG_LEVEL_NOTICE, "ca-created", LOG_TEXT("ca", m.uuid), LOG_TEXT("name", q->request.name), LOG_TEXT("actor", m.actor),
                  LOG_HEX("serial", m.made.serial));
        *out = (struct signer_ca_created){arena_text(c->arena, m.uuid, 36), m.not_after, m.clamped};
        r = out->ca == NULL ? R_NO_MEMORY : R_OK;
    } else if (v.result != R_OK) {
        worker_detail(c, &v);
    }
    if (r == R_OK && m.parent != NULL) {
        /* Without RA certificates nothing could enrol yet; should this fail, the publisher asks again. */
        struct signer_done done;
        (void)registration_handle_renew(c, &(struct signer_ra_renew){q->tenant, ca_version}, &done);
    }
    if (r != R_OK)
        log_event(LOG_LEVEL_NOTICE, "ca-refused", LOG_TEXT("name", q->request.name), LOG_RESULT(r), LOG_TEXT("detail", c->detail));
    key_free(own);
    pkey_free(m.key);
    return r;
}
