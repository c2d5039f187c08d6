/* The registration authority's certificates: one pair for each issuing CA version and generation (interop Q22 to Q24, Q32), rolled over before they end. */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/codec/der.h"
#include "lib/codec/pkey.h"
#include "lib/policy/bounds.h"
#include "lib/signer/worker.h"
#include "lib/store/authority.h"

#define RA_YEARS 1
#define RA_RENEW_SECONDS (30 * 86400)        /* the last month of a pair is the next one's first */
#define RA_KEY_BITS 2048

struct pair {
    struct worker_call *call;
    const struct keyring_ca *ca;
    const struct authority_ra_context *context;
    struct bytes subject;
    const char *subject_text;
    int64_t not_before, not_after;
};

/* base: a Name whose RDNs stand before the common name, or none. */
static enum result pair_subject(struct pair *p, struct bytes base)
{
    struct arena *a = p->call->arena;
    const char *cn = name_find(&p->ca->chain[0].subject_name, OID_CN);
    /* The CA's name where it fits into ub-common-name with what follows it. */
    if (cn == NULL || text_length(cn) + sizeof " RA 65535" > LIMIT_SUBJECT_FIELD)
        cn = "Chancery";
    struct name_attribute attribute = {OID_CN, arena_printf(a, "%s RA %u", cn, p->context->generation + 1), 0};
    struct name name = {&attribute, 1};
    struct buf own, der;
    struct bytes in = base;
    struct der before = {0}, rdn;
    buf_init(&own, LIMIT_NAME_DER);
    buf_init(&der, LIMIT_NAME_DER);
    enum result r = attribute.value == NULL ? R_NO_MEMORY : base.n > 0 ? der_expect(&in, DER_SEQUENCE, &before) : R_OK;
    if (r == R_OK)
        r = name_encode(&name, &own);
    in = buf_bytes(&own);
    if (r == R_OK)
        r = der_expect(&in, DER_SEQUENCE, &rdn);
    if (r == R_OK) {
        size_t whole = der_open(&der, DER_SEQUENCE);
        der_raw(&der, before.value);
        der_raw(&der, rdn.value);
        der_close(&der, whole);
        p->subject = arena_bytes(a, buf_bytes(&der));
        r = p->subject.p == NULL ? R_NO_MEMORY : name_decode(p->subject, a, &name);
    }
    if (r == R_OK) {
        p->subject_text = name_text(&name, a);
        r = p->subject_text == NULL ? R_NO_MEMORY : R_OK;
    }
    buf_free(&own);
    buf_free(&der);
    return r;
}

/* Where the chain permits directory names below some others alone, a name of ours would be outside: it is put below the CA's, or
 * below a permitted one. */
static uint32_t pair_bases(const struct pair *p, struct bytes bases[LIMIT_CHAIN + 3])
{
    uint32_t n = 2;
    bases[0] = BYTES_NONE;
    bases[1] = p->ca->chain[0].subject;
    for (uint32_t i = 0; i < p->ca->chain_count; i++)
        if (certificate_permitted_name(&p->ca->chain[i], &bases[n]) == R_OK)
            n++;
    return n;
}

static enum result pair_half(struct pair *p, uint32_t kind, uint32_t key_usage, struct authority_ra_half *out, struct verdict *v)
{
    struct arena *a = p->call->arena;
    const struct certificate *ca = &p->ca->chain[0];
    struct pkey *key = NULL;
    struct public_key pub;
    struct certificate made;
    uint8_t serial[SERIAL_SIZE], ski[20];
    enum result r = pkey_generate_rsa(RA_KEY_BITS, &key);
    if (r == R_OK)
        r = pkey_spki(key, a, &out->spki);
    if (r == R_OK)
        r = pkey_seal(key, p->call->worker->keyring.secrets.ra, a, &out->private_key);
    pkey_free(key);
    if (r == R_OK)
        r = public_key_decode(out->spki, &pub);
    if (r == R_OK)
        r = serial_make(p->not_after, serial);
    if (r != R_OK)
        return r;
    public_key_ski(&pub, ski);
    struct certificate_content c = {.serial = BYTES(serial, sizeof serial), .hash = p->ca->hash, .issuer = ca->subject, .subject = p->subject,
        .not_before = p->not_before, .not_after = p->not_after, .spki = out->spki, .path_length = -1, .digital_ca_false = true, .key_usage = key_usage,
        .ekus = p->context->ekus, .ski = BYTES(ski, sizeof ski), .aki = ca->ski, .crl_url = p->ca->row.crl_url, .aia_url = p->ca->row.aia_url};
    r = certificate_prepare(&c, p->ca->key, a, &made);
    if (r == R_OK)
        r = bounds_check_leaf(&made, kind, p->ca->chain, p->ca->chain_count, a, v);
    if (r == R_OK)
        r = certificate_sign(p->ca->key, a, &made);
    if (r != R_OK)
        return r;
    out->certificate = made.der;
    out->serial = made.serial;
    digest_sha1(made.der, out->digests.sha1);
    digest_sha256(made.der, out->digests.sha256);
    digest_sha256(out->spki, out->digests.spki_sha256);
    return R_OK;
}

/* Both halves under the first subject that the chain's name constraints permit. */
static enum result pair_make(struct pair *p, struct authority_ra_half *sign, struct authority_ra_half *encrypt)
{
    struct bytes bases[LIMIT_CHAIN + 3];
    uint32_t count = pair_bases(p, bases);
    struct verdict v = {0};
    enum result r = R_OUT_OF_BOUNDS;
    for (uint32_t i = 0; r == R_OUT_OF_BOUNDS && i < count; i++) {
        r = pair_subject(p, bases[i]);
        if (r == R_OK)
            r = pair_half(p, CERTIFICATE_RA_SIGN, KU_DIGITAL_SIGNATURE, sign, &v);
    }
    if (r == R_OK)
        r = pair_half(p, CERTIFICATE_RA_ENCRYPT, KU_KEY_ENCIPHERMENT, encrypt, &v);
    if (r != R_OK && v.result != R_OK)
        worker_detail(p->call, &v);
    return r;
}

enum result registration_handle_renew(struct worker_call *c, const struct signer_ra_renew *q, struct signer_done *out)
{
    struct worker *w = c->worker;
    struct authority_ra_context context;
    struct authority_ra_half sign, encrypt;
    struct pair p = {.call = c, .context = &context};
    out->count = 0;
    enum result r = authority_ra_context(w->db, q->tenant, q->ca_version, c->arena, &context);
    if (r == R_OK)
        r = worker_check_clock(context.now);
    if (r == R_OK)
        r = keyring_ca(&w->keyring, w->db, q->tenant, q->ca_version, &p.ca);
    if (r != R_OK)
        return r;
    int64_t end = bounds_not_after(p.ca->chain, p.ca->chain_count);
    /* Whether one is due is decided here, not by who asks. */
    if (context.newest_not_after != 0 && (context.newest_not_after > context.now + RA_RENEW_SECONDS || context.newest_not_after >= end))
        return R_OK;
    p.not_before = context.now - 600 > p.ca->chain[0].not_before ? context.now - 600 : p.ca->chain[0].not_before;
    p.not_after = clock_add_years(context.now, RA_YEARS);
    if (p.not_after > end)
        p.not_after = end;
    r = pair_make(&p, &sign, &encrypt);
    if (r == R_OK)
        r = authority_ra_add(w->db, q->tenant, "system:signer", q->ca_version, context.generation + 1, p.not_before, p.not_after, &sign, &encrypt, p.subject_text);
    if (r == R_OK) {
        out->count = 1;
        log_event(LOG_LEVEL_NOTICE, "ra-certificates-made", LOG_TEXT("ca", p.ca->row.uuid), LOG_NUM("generation", context.generation + 1));
    } else {
        if (r != R_OUT_OF_BOUNDS)
            worker_detail_db(c);
        log_event(LOG_LEVEL_WARNING, "ra-certificates-failed", LOG_TEXT("ca", p.ca->row.uuid), LOG_RESULT(r), LOG_TEXT("detail", c->detail));
    }
    return r;
}
