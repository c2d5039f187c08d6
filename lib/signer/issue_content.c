#include "lib/signer/issue_content.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/codec/pkey.h"
#include "lib/policy/bounds.h"

#define BACKDATE_SECONDS 600         /* devices whose clock is behind must accept what they just got (reference 5.52) */

static const char *const san_kinds[SAN_TYPES] = {[SAN_EMAIL] = "email", [SAN_UPN] = "upn", [SAN_DNS] = "dns", [SAN_URI] = "uri"};

/* Subject and names from the registry. */
static enum result content_expand(struct issue *e, struct verdict *v)
{
    const struct profile *p = &e->facts.profile;
    struct arena *a = e->call->arena;
    enum result r = subject_expand(p->subject_format, p->for_user, &e->facts.attributes, a, &e->subject, v);
    if (r == R_OK)
        r = sans_expand(&p->san_formats, p->for_user, &e->facts.attributes, a, &e->sans, v);
    if (r == R_BAD_INPUT)
        r = v->result = R_NOT_TARGETED;      /* an attribute went missing since the grant was given */
    return r;
}

enum result issue_match(struct issue *e, struct verdict *v)
{
    const struct public_key *ca_key = &e->ca->chain[0].key;
    enum result r = content_expand(e, v);
    return r != R_OK ? r : profile_match(&e->facts.profile, &e->subject, &e->sans, e->claims, &e->key, ca_key->kind == KEY_RSA ? ca_key->size : 0,
                                         e->call->arena, v);
}

static void put(struct buf *b, struct bytes part)
{
    uint8_t length[8];
    be64_put(length, part.n);
    buf_append(b, length, sizeof length);
    buf_append(b, part.p, part.n);
}

static void put_number(struct buf *b, uint64_t n)
{
    uint8_t number[8];
    be64_put(number, n);
    put(b, BYTES(number, sizeof number));
}

/* All that is to be issued but serial number and dates, each part with its length before it, so that no two contents give the same digest. */
static enum result content_digest(struct issue *e, struct bytes subject)
{
    const struct profile *p = &e->facts.profile;
    struct buf b;
    buf_init(&b, LIMIT_ARENA_REQUEST);
    put_number(&b, e->grant.tenant);
    put(&b, bytes_of_text(e->facts.ca_uuid));
    put_number(&b, e->grant.device);
    put_number(&b, e->grant.user);
    put_number(&b, e->grant.profile_revision);
    put(&b, BYTES(e->spki_sha256, 32));
    put(&b, subject);
    for (uint32_t i = 0; i < e->sans.count; i++) {
        put_number(&b, e->sans.items[i].type);
        put(&b, bytes_of_text(e->sans.items[i].value));
    }
    put_number(&b, p->key_usage);
    for (uint32_t i = 0; i < p->ekus.count; i++)
        put(&b, bytes_of_text(p->ekus.items[i]));
    put_number(&b, p->validity);
    put_number(&b, p->validity_unit);
    enum result r = buf_result(&b);
    if (r == R_OK)
        digest_sha256(buf_bytes(&b), e->content_sha256);
    buf_free(&b);
    return r;
}

static enum result content_dates(struct issue *e, struct certificate_content *c, struct verdict *v)
{
    const struct certificate *ca = &e->ca->chain[0];
    int64_t now = e->facts.now, end = bounds_not_after(e->ca->chain, e->ca->chain_count);
    if (end - now < BOUNDS_LAST_DAYS * 86400)
        return verdict_refuse(v, e->call->arena, R_CA_EXPIRED, "ca", "ends within five days", "a CA with time left");
    c->not_before = now - BACKDATE_SECONDS > ca->not_before ? now - BACKDATE_SECONDS : ca->not_before;
    c->not_after = profile_not_after(&e->facts.profile, now);
    if (c->not_after > end)
        c->not_after = end;
    return R_OK;
}

static enum result content_addresses(struct issue *e, struct certificate_content *c)
{
    const struct issuing_ca *row = &e->ca->row;
    uint8_t random[2];
    c->aia_url = row->aia_url;
    c->crl_url = row->crl_url;
    if (row->ocsp_url != NULL && row->ocsp_url[0] != '\0')
        c->ocsp_url = row->ocsp_url;
    if (row->crl_shards == 0)
        return R_OK;
    enum result r = random_bytes(random, sizeof random);
    if (r != R_OK)
        return r;
    e->crl_shard = be16_get(random) % row->crl_shards;
    c->crl_url = arena_printf(e->call->arena, "%s/%u.crl", row->crl_url, e->crl_shard);
    return c->crl_url == NULL ? R_NO_MEMORY : R_OK;
}

enum result issue_prepare(struct issue *e, struct verdict *v)
{
    const struct keyring_ca *ca = e->ca;
    const struct profile *p = &e->facts.profile;
    struct arena *a = e->call->arena;
    struct certificate_content c = {.hash = ca->hash, .issuer = ca->chain[0].subject, .path_length = -1, .digital_ca_false = true,
        .key_usage = p->key_usage, .ekus = p->ekus, .spki = e->key.spki, .aki = ca->chain[0].ski};
    uint8_t serial[SERIAL_SIZE], ski[20];
    struct buf subject;
    buf_init(&subject, LIMIT_NAME_DER);
    enum result r = content_expand(e, v);
    c.sans = e->sans;
    if (r == R_OK)
        r = content_dates(e, &c, v);
    if (r == R_OK)
        r = content_addresses(e, &c);
    if (r == R_OK)
        r = name_encode(&e->subject, &subject);
    c.subject = buf_bytes(&subject);
    if (r == R_OK)
        r = content_digest(e, c.subject);
    if (r == R_OK)
        r = serial_make(c.not_after, serial);
    c.serial = BYTES(serial, sizeof serial);
    public_key_ski(&e->key, ski);
    c.ski = BYTES(ski, sizeof ski);
    if (r == R_OK)
        r = certificate_prepare(&c, ca->key, a, &e->made);
    if (r == R_OK)
        r = bounds_check_leaf(&e->made, CERTIFICATE_LEAF, ca->chain, ca->chain_count, a, v);
    buf_free(&subject);
    return r;
}

enum result issue_wait(struct issue *e)
{
    struct arena *a = e->call->arena;
    const char **sans = arena_array(a, e->sans.count, sizeof *sans);
    if (sans == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < e->sans.count; i++) {
        sans[i] = arena_printf(a, "%s:%s", san_kinds[e->sans.items[i].type], e->sans.items[i].value);
        if (sans[i] == NULL)
            return R_NO_MEMORY;
    }
    const struct request_content c = {.transaction = e->origin->transaction, .spki = e->key.spki, .spki_sha256 = e->spki_sha256,
        .content_sha256 = e->content_sha256, .subject = name_text(&e->made.subject_name, a), .sans = sans, .san_count = e->sans.count,
        .profile = &e->facts.profile, .key_size = e->key.size};
    enum result r = c.subject == NULL ? R_NO_MEMORY : request_add(e->call->worker->db, &e->grant, &c);
    if (r != R_OK && r != R_EXISTS)
        worker_detail_db(e->call);
    return r;
}

enum result issue_names(const struct certificate *made, struct arena *a, struct issuing_record *rec)
{
    uint32_t n = 0;
    const char **k = arena_array(a, made->subject_name.count + made->sans.count, sizeof *k);
    const char **v = arena_array(a, made->subject_name.count + made->sans.count, sizeof *v);
    if (k == NULL || v == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < made->subject_name.count; i++)
        if (strcmp(made->subject_name.items[i].oid, OID_CN) == 0) {
            k[n] = "cn";
            v[n++] = made->subject_name.items[i].value;
        }
    for (uint32_t i = 0; i < made->sans.count; i++)
        if (made->sans.items[i].type < SAN_TYPES && san_kinds[made->sans.items[i].type] != NULL) {
            k[n] = san_kinds[made->sans.items[i].type];
            v[n++] = made->sans.items[i].value;
        }
    rec->name_kinds = k;
    rec->names = v;
    rec->name_count = n;
    return R_OK;
}
