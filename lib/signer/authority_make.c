/* New roots and issuing CAs: key, certificate, record, in the admin lane. Of a bring-your-own CA the key and a request for its certificate, which comes
 * later (authority_upload.c). */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"
#include "lib/policy/bounds.h"
#include "lib/signer/ca_seal.h"
#include "lib/signer/worker.h"
#include "lib/store/authority.h"

struct making {
    struct worker_call *call;
    const struct signer_ca_create *q;
    struct authority_context context;
    const struct keyring_ca *parent;         /* NULL: a root */
    const struct key_pair_choice *pair;
    char uuid[37];
    const char *crl_url, *aia_url, *scep_uri, *actor;
    struct pkey *key;
    struct bytes spki, subject;
    uint8_t ski[20];
    int64_t not_after;
    bool clamped;
    struct certificate made;
    struct csr request;              /* in its place, for a bring-your-own CA */
};

static bool making_is_root(const struct making *m) { return m->q->request.kind == CA_ROOT; }
static bool making_is_byoca(const struct making *m) { return m->q->request.kind == CA_BYOCA; }

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

static enum result making_find_parent(struct making *m, struct verdict *v)
{
    struct worker *w = m->call->worker;
    struct arena *a = m->call->arena;
    const struct authority_context *x = &m->context;
    if (m->q->parent == NULL)
        return verdict_refuse(v, a, R_BAD_INPUT, "parent", NULL, "the name or id of a root CA");
    if (x->parent_version == 0)
        return verdict_refuse(v, a, R_NOT_FOUND, "parent", m->q->parent, "the name or id of a root CA");
    if (strcmp(x->parent_kind, ca_kind_name(CA_ROOT)) != 0 || strcmp(x->parent_state, ca_state_name(CA_ACTIVE)) != 0)
        return verdict_refuse(v, a, R_STATE, "parent", arena_printf(a, "%s, %s", x->parent_kind, x->parent_state), "an active root CA");
    return keyring_ca(&w->keyring, w->db, m->q->tenant, x->parent_version, &m->parent);
}

static enum result making_check(struct making *m, struct verdict *v)
{
    const struct ca_request *q = &m->q->request;
    struct arena *a = m->call->arena;
    struct worker *w = m->call->worker;
    const struct certificate *parent = NULL;
    enum result r;
    if (q->kind != CA_ISSUING && m->q->parent != NULL)
        return verdict_refuse(v, a, R_BAD_INPUT, "parent", m->q->parent, "none");
    r = authority_context(w->db, m->q->tenant, m->q->parent, a, &m->context);
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

static enum result making_addresses(struct making *m)
{
    struct arena *a = m->call->arena;
    const char *host = m->call->worker->public_fqdn;
    enum result r = uuid_make(m->uuid);
    if (r != R_OK)
        return r;
    m->crl_url = arena_printf(a, "http://%s/crl/%s_v1/current.crl", host, m->uuid);
    m->aia_url = arena_printf(a, "http://%s/ca/%s_v1/cert.cer", host, m->uuid);
    m->scep_uri = !making_is_root(m) ? arena_printf(a, "https://{{CloudPKIFQDN}}/scep/%s", m->uuid) : NULL;
    m->actor = arena_printf(a, "operator:%s", m->q->actor);
    return m->crl_url == NULL || m->aia_url == NULL || m->actor == NULL || (!making_is_root(m) && m->scep_uri == NULL) ? R_NO_MEMORY : R_OK;
}

static enum result making_subject(struct making *m)
{
    struct name name;
    struct buf der;
    buf_init(&der, LIMIT_NAME_DER);
    enum result r = ca_subject_name(&m->q->request.subject, m->call->arena, &name);
    if (r == R_OK)
        r = name_encode(&name, &der);
    if (r == R_OK) {
        m->subject = arena_bytes(m->call->arena, buf_bytes(&der));
        r = m->subject.p == NULL ? R_NO_MEMORY : R_OK;
    }
    buf_free(&der);
    return r;
}

static int compare_oids(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    /* Arc by arc, as numbers: "…3.10" comes after "…3.9". */
    for (;;) {
        size_t n = strcspn(x, "."), k = strcspn(y, ".");
        if (n != k)
            return n < k ? -1 : 1;
        int d = strncmp(x, y, n);
        if (d != 0 || x[n] == '\0' || y[k] == '\0')
            return d != 0 ? d : (int)(x[n] != '\0') - (int)(y[k] != '\0');
        x += n + 1;
        y += k + 1;
    }
}

/* What certificate and request say alike. */
static enum result making_content(struct making *m, struct certificate_content *c)
{
    const struct ca_request *q = &m->q->request;
    struct public_key pub;
    enum result r = public_key_decode(m->spki, &pub);
    const char **ekus = arena_copy(m->call->arena, q->ekus.items, q->ekus.count * sizeof *ekus);
    if (r != R_OK || ekus == NULL)
        return r != R_OK ? r : R_NO_MEMORY;
    qsort(ekus, q->ekus.count, sizeof *ekus, compare_oids);
    public_key_ski(&pub, m->ski);
    *c = (struct certificate_content){.subject = m->subject, .spki = m->spki, .ca = true, .path_length = -1, .ekus = {ekus, q->ekus.count},
        .key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN, .ski = BYTES(m->ski, sizeof m->ski)};
    return R_OK;
}

/* Signed with SHA-256, which every CA reads: the request's hash says nothing about the certificate's. */
static enum result making_request(struct making *m, const struct key *own)
{
    struct arena *a = m->call->arena;
    struct certificate_content c;
    struct buf info, whole;
    struct bytes signature;
    buf_init(&info, LIMIT_CERTIFICATE);
    buf_init(&whole, LIMIT_CERTIFICATE);
    enum result r = making_content(m, &c);
    if (r == R_OK)
        r = csr_encode_info(&c, &info);
    if (r == R_OK)
        r = key_sign(own, HASH_SHA256, buf_bytes(&info), a, &signature);
    if (r == R_OK) {
        signed_wrap(buf_bytes(&info), hash_rsa_algorithm(HASH_SHA256), signature, &whole);
        r = buf_result(&whole);
    }
    if (r == R_OK)
        r = csr_decode(buf_bytes(&whole), a, &m->request);
    if (r == R_OK)
        r = csr_verify(&m->request);
    buf_free(&info);
    buf_free(&whole);
    return r;
}

/* The signature's key: the parent's, or for a root the new one. */
static enum result making_certificate(struct making *m, const struct key *own, struct verdict *v)
{
    struct arena *a = m->call->arena;
    uint8_t serial[SERIAL_SIZE];
    struct certificate_content c;
    enum result r = making_content(m, &c);
    if (r != R_OK)
        return r;
    c.hash = m->parent ? m->parent->hash : m->pair->hash;
    c.not_before = m->context.now;
    c.not_after = m->not_after;
    c.path_length = m->parent ? 0 : 1;
    c.aki = m->parent ? m->parent->chain[0].ski : c.ski;
    c.issuer = m->parent ? m->parent->chain[0].subject : m->subject;
    if (m->parent != NULL) {
        c.crl_url = m->parent->row.crl_url;
        c.aia_url = m->parent->row.aia_url;
    }
    r = serial_make(c.not_after, serial);
    c.serial = BYTES(serial, sizeof serial);
    if (r == R_OK)
        r = certificate_prepare(&c, m->parent ? m->parent->key : own, a, &m->made);
    if (r == R_OK && m->parent != NULL)
        r = bounds_check_ca(&m->made, m->parent->chain, m->parent->chain_count, a, v);
    if (r == R_OK)
        r = certificate_sign(m->parent ? m->parent->key : own, a, &m->made);
    if (r == R_OK)
        r = certificate_verify(m->made.der, m->parent ? m->parent->chain[0].key.spki : m->spki);
    return r;
}

static enum result making_record(struct making *m, struct bytes private_key, uint32_t *ca_version)
{
    struct arena *a = m->call->arena;
    const struct issuing_ca *p = m->parent ? &m->parent->row : NULL;
    uint32_t n = p ? p->chain_count + 1 : 0;
    struct bytes *chain = arena_array(a, n, sizeof *chain);
    if (chain == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < n; i++)
        chain[i] = i == 0 ? p->certificate : p->chain[i - 1];
    struct authority_ca ca = {.actor = m->actor, .uuid = m->uuid, .request = &m->q->request, .parent = p ? p->ca_id : 0,
        .issuer_version = m->context.parent_version, .key_bits = m->pair->bits, .hash = hash_name(m->pair->hash), .scep_uri = m->scep_uri,
        .crl_url = m->crl_url, .aia_url = m->aia_url, .private_key = private_key, .spki = m->spki, .wrapped_by = m->parent ? "ca" : "root",
        .certificate = m->made.der, .chain = chain, .chain_count = n, .serial = m->made.serial, .subject = m->subject, .ski = m->made.ski,
        .subject_text = name_text(&m->made.subject_name, a), .not_before = m->made.not_before, .not_after = m->made.not_after, .clamped = m->clamped};
    if (m->parent == NULL)
        ca.issuer_version = 0;
    struct buf seal;
    struct issuing_ca sealed = {.uuid = ca.uuid, .number = 1, .kind = ca_kind_name(ca.request->kind), .hash = ca.hash, .key_bits = ca.key_bits,
        .names_from_requests = ca.request->names_from_requests, .crl_url = ca.crl_url, .aia_url = ca.aia_url, .certificate = ca.certificate,
        .chain = chain, .chain_count = n};
    buf_init(&seal, CA_SEAL_SIZE);
    enum result r = ca_seal_make(&m->call->worker->keyring.secrets, m->q->tenant, &sealed, &seal);
    if (r != R_OK)
        goto out;
    ca.seal = buf_bytes(&seal);
    digest_sha1(m->made.der, ca.digests.sha1);
    digest_sha256(m->made.der, ca.digests.sha256);
    digest_sha256(m->spki, ca.digests.spki_sha256);
    r = authority_create(m->call->worker->db, m->q->tenant, &ca, ca_version);
    if (r != R_OK)
        worker_detail_db(m->call);
out:
    buf_free(&seal);
    return r;
}

static enum result making_record_request(struct making *m, struct bytes private_key)
{
    struct worker *w = m->call->worker;
    const struct ca_request *q = &m->q->request;
    struct authority_byoca ca = {.actor = m->actor, .uuid = m->uuid, .request = q, .scep_uri = m->scep_uri, .crl_url = m->crl_url, .aia_url = m->aia_url,
        .private_key = private_key, .spki = m->spki, .csr = m->request.der, .subject_text = name_text(&m->request.claims.subject, m->call->arena)};
    struct issuing_ca sealed = {.uuid = m->uuid, .number = 1, .kind = ca_kind_name(q->kind), .key_bits = m->pair->bits,
        .names_from_requests = q->names_from_requests, .crl_url = ca.crl_url, .aia_url = ca.aia_url, .certificate = ca.csr};
    struct buf seal;
    buf_init(&seal, CA_SEAL_SIZE);
    enum result r = ca_seal_make(&w->keyring.secrets, m->q->tenant, &sealed, &seal);
    ca.seal = buf_bytes(&seal);
    if (r == R_OK && (r = authority_byoca_create(w->db, m->q->tenant, &ca)) != R_OK)
        worker_detail_db(m->call);
    buf_free(&seal);
    return r;
}

/* The new key, sealed, and opened again from what will be stored: what cannot be opened later must not be recorded. */
static enum result making_key(struct making *m, struct bytes *sealed, struct key **own)
{
    struct worker *w = m->call->worker;
    struct arena *a = m->call->arena;
    const char *wrapped_by = making_is_root(m) ? "root" : "ca";
    enum result r = pkey_generate_rsa(m->pair->bits, &m->key);
    if (r == R_OK)
        r = pkey_spki(m->key, a, &m->spki);
    if (r == R_OK)
        r = pkey_seal(m->key, making_is_root(m) ? w->keyring.secrets.root : w->keyring.secrets.ca, a, sealed);
    if (r != R_OK)
        return r;
    struct stored_key row = {.platform = "software", .wrapped_by = wrapped_by, .private_key = *sealed, .spki = m->spki};
    return key_open(&row, &w->keyring.secrets, own);
}

enum result authority_handle_create(struct worker_call *c, const struct signer_ca_create *q, struct signer_ca_created *out)
{
    struct making m = {.call = c, .q = q};
    struct verdict v = {0};
    struct bytes sealed = BYTES_NONE;
    struct key *own = NULL;
    uint32_t ca_version = 0;
    enum result r = making_check(&m, &v);
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
