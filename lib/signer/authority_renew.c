/*
 * The next version of an issuing CA: a new key, and a certificate by its root, or the request for one by the external CA; staged beside the version in
 * production (reference 2.7). What never changes of a CA is taken from the version in production, which this signer has sealed: the columns that say so too
 * could have been changed since.
 */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"
#include "lib/signer/ca_seal.h"
#include "lib/signer/making.h"

#define DAY 86400
#define LEAP_YEAR 366                /* days */

struct renewal {
    struct making m;
    const struct signer_ca_renew *q;
    struct authority_version_row row;
    struct ca_request request;
    struct bytes root;               /* certificate of the root that signed the version in production */
};

static enum result refuse(struct renewal *x, struct verdict *v, enum result r, const char *field, const char *found, const char *wanted)
{
    return verdict_refuse(v, x->m.call->arena, r, field, found, wanted);
}

/* Half of its life has passed, or somebody wants it so. */
static enum result renewal_is_due(struct renewal *x, struct verdict *v)
{
    const struct authority_version_row *row = &x->row;
    char half[CLOCK_ISO_SIZE], now[CLOCK_ISO_SIZE];
    int64_t due = row->not_before + (row->not_after - row->not_before) / 2;
    if (x->q->early || row->now >= due)
        return R_OK;
    clock_to_iso(due, half);
    clock_to_iso(row->now, now);
    return refuse(x, v, R_STATE, "validity", now, arena_printf(x->m.call->arena, "%s or later, when half of its life has passed, or --early", half));
}

static enum result renewal_check(struct renewal *x, struct verdict *v)
{
    const struct authority_version_row *row = &x->row;
    enum result r = authority_version_read(x->m.call->worker->db, x->q->tenant, x->q->ca, x->m.call->arena, &x->row);
    if (r != R_OK) {
        worker_detail_db(x->m.call);
        return r;
    }
    r = worker_check_clock(row->now);
    if (r != R_OK)
        return r;
    if (strcmp(row->kind, ca_kind_name(CA_ROOT)) == 0)
        return refuse(x, v, R_STATE, "CA", "a root", "an issuing CA");
    if (strcmp(row->state, ca_state_name(CA_ACTIVE)) != 0 && strcmp(row->state, ca_state_name(CA_PAUSED)) != 0)
        return refuse(x, v, R_STATE, "status", ca_status_word((uint32_t)ca_state_from_name(row->state), INT64_MAX, row->now), "Active or Paused");
    if (row->next_state != NULL)
        return refuse(x, v, R_STATE, "version", ca_status_word((uint32_t)ca_state_from_name(row->next_state), INT64_MAX, row->now),
                      "no version that is to follow yet");
    return renewal_is_due(x, v);
}

/* How many years the version in production was given, at most: a root's end may have cut them short. */
static uint32_t years_of(const struct certificate *c)
{
    const int64_t days = (c->not_after - c->not_before) / DAY;
    return (uint32_t)((days + LEAP_YEAR - 3) / LEAP_YEAR);
}

/* Subject, purposes and life of the certificate in production. */
static enum result renewal_of_certificate(struct renewal *x, const struct keyring_ca *ca)
{
    struct arena *a = x->m.call->arena;
    struct oids *ekus = &x->request.ekus;
    if (ca->chain_count < 2)
        return R_INTERNAL;
    if (x->request.years > years_of(&ca->chain[0]))
        x->request.years = years_of(&ca->chain[0]);
    x->root = arena_bytes(a, ca->chain[1].der);
    x->m.subject = arena_bytes(a, ca->chain[0].subject);
    *ekus = (struct oids){arena_array(a, ca->chain[0].ekus.count, sizeof *ekus->items), 0};
    if (x->root.p == NULL || x->m.subject.p == NULL || ekus->items == NULL)
        return R_NO_MEMORY;
    for (; ekus->count < ca->chain[0].ekus.count; ekus->count++) {
        const char *oid = ca->chain[0].ekus.items[ekus->count];
        if ((ekus->items[ekus->count] = arena_text(a, oid, strlen(oid))) == NULL)
            return R_NO_MEMORY;
    }
    return R_OK;
}

/* A bring-your-own CA's certificate is another's work: subject and purposes that were asked for with its request. */
static enum result renewal_of_request(struct renewal *x, const struct keyring_ca *ca)
{
    struct issuing_ca sealed = ca->row;
    struct csr csr;
    struct buf subject;
    buf_init(&subject, LIMIT_NAME_DER);
    sealed.certificate = x->row.csr;
    sealed.seal = x->row.csr_seal;
    sealed.chain_count = 0;
    enum result r = ca_seal_check(&x->m.call->worker->keyring.secrets, x->m.tenant, &sealed);
    if (r == R_OK)
        r = csr_decode(x->row.csr, x->m.call->arena, &csr);
    if (r == R_OK)
        r = name_encode(&csr.claims.subject, &subject);
    if (r == R_OK) {
        x->request.ekus = csr.claims.ekus;
        x->m.subject = arena_bytes(x->m.call->arena, buf_bytes(&subject));
        r = x->m.subject.p == NULL ? R_NO_MEMORY : R_OK;
    }
    buf_free(&subject);
    return r;
}

static enum result renewal_properties(struct renewal *x)
{
    struct worker *w = x->m.call->worker;
    const struct keyring_ca *ca = NULL;
    struct making *m = &x->m;
    enum result r = keyring_ca(&w->keyring, w->db, m->tenant, x->row.version, &ca);
    if (r != R_OK)
        return r;
    if (strcmp(ca->row.uuid, m->uuid) != 0)
        return R_BAD_KEY;
    x->request = x->row.request;
    x->request.kind = strcmp(ca->row.kind, ca_kind_name(CA_BYOCA)) == 0 ? CA_BYOCA : CA_ISSUING;
    x->request.names_from_requests = ca->row.names_from_requests;
    x->request.key_bits = ca->row.key_bits;
    m->request = &x->request;
    for (m->pair = key_pair_choices; m->pair->name != NULL && m->pair->bits != x->request.key_bits; m->pair++)
        continue;
    if (m->pair->name == NULL)
        return R_INTERNAL;
    return making_is_byoca(m) ? renewal_of_request(x, ca) : renewal_of_certificate(x, ca);
}

static enum result renewal_parent(struct renewal *x, struct verdict *v)
{
    struct making *m = &x->m;
    m->context.now = x->row.now;
    if (making_is_byoca(m))
        return R_OK;
    enum result r = authority_context(m->call->worker->db, m->tenant, m->parent_name, m->call->arena, &m->context);
    if (r == R_OK)
        r = making_find_parent(m, v);
    /* Which root a CA is below is a column; what was sealed says which it has to be. */
    if (r == R_OK && !bytes_equal(m->parent->chain[0].der, x->root))
        return refuse(x, v, R_STATE, "parent", arena_printf(m->call->arena, "%s, which did not sign the version in production", m->parent_name),
                      "the root that signed it");
    if (r == R_OK && ca_validity(m->context.now, x->request.years, &m->parent->chain[0], &m->not_after, &m->clamped) != R_OK)
        r = refuse(x, v, R_STATE, "parent", "ends within a day", "a root CA with time left");
    return r;
}

static enum result renewal_record(struct renewal *x, struct bytes private_key, uint32_t *ca_version)
{
    struct making *m = &x->m;
    bool byoca = making_is_byoca(m);
    struct buf seal;
    buf_init(&seal, CA_SEAL_SIZE);
    enum result r = making_seal(m, &seal);
    const struct authority_version version = {.actor = m->actor, .ca_id = x->row.ca_id, .number = m->number,
        .issuer_version = byoca ? 0 : m->context.parent_version, .key_bits = m->pair->bits, .private_key = private_key, .spki = m->spki,
        .made = byoca ? NULL : &m->made, .csr = byoca ? m->csr.der : BYTES_NONE, .seal = buf_bytes(&seal), .chain = m->chain, .chain_count = m->chain_count,
        .subject_text = byoca ? NULL : name_text(&m->made.subject_name, m->call->arena), .crl_url = m->crl_url, .aia_url = m->aia_url};
    if (r == R_OK && (r = authority_version_add(m->call->worker->db, m->tenant, &version, ca_version)) != R_OK)
        worker_detail_db(m->call);
    buf_free(&seal);
    return r;
}

static enum result renewal_make(struct renewal *x, struct verdict *v, uint32_t *ca_version)
{
    struct making *m = &x->m;
    struct bytes sealed = BYTES_NONE;
    struct key *own = NULL;
    enum result r = making_addresses(m);
    if (r == R_OK)
        r = making_key(m, &sealed, &own);
    if (r == R_OK)
        r = making_is_byoca(m) ? making_request(m, own) : making_certificate(m, own, v);
    if (r == R_OK)
        r = renewal_record(x, sealed, ca_version);
    key_free(own);
    pkey_free(m->key);
    return r;
}

enum result authority_handle_renew(struct worker_call *c, const struct signer_ca_renew *q, struct signer_ca_renewed *out)
{
    struct renewal x = {.m = {.call = c, .tenant = q->tenant, .actor = arena_printf(c->arena, "operator:%s", q->actor)}, .q = q};
    struct verdict v = {0};
    uint32_t ca_version = 0;
    enum result r = x.m.actor != NULL ? renewal_check(&x, &v) : R_NO_MEMORY;
    if (r == R_OK) {
        memcpy(x.m.uuid, x.row.uuid, sizeof x.m.uuid);
        x.m.number = x.row.last_number + 1;
        x.m.parent_name = x.row.parent;
        r = renewal_properties(&x);
    }
    if (r == R_OK)
        r = renewal_parent(&x, &v);
    if (r == R_OK)
        r = renewal_make(&x, &v, &ca_version);
    if (r != R_OK) {
        if (v.result != R_OK)
            worker_detail(c, &v);
        log_event(LOG_LEVEL_NOTICE, "ca-refused", LOG_TEXT("name", q->ca), LOG_RESULT(r), LOG_TEXT("detail", c->detail));
        return r;
    }
    *out = (struct signer_ca_renewed){x.m.number, x.m.not_after, x.m.clamped};
    log_event(LOG_LEVEL_NOTICE, "ca-renewed", LOG_TEXT("ca", x.m.uuid), LOG_NUM("version", x.m.number), LOG_TEXT("actor", x.m.actor),
              LOG_HEX("serial", x.m.made.serial));
    if (!making_is_byoca(&x.m)) {
        /* Without RA certificates it is not announced yet; should this fail, the publisher asks again. */
        struct signer_done done;
        (void)registration_handle_renew(c, &(struct signer_ra_renew){q->tenant, ca_version}, &done);
    }
    return R_OK;
}
