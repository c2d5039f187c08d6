#include "lib/signer/making.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/codec/pkey.h"
#include "lib/policy/bounds.h"
#include "lib/signer/ca_seal.h"

enum result making_find_parent(struct making *m, struct verdict *v)
{
    struct worker *w = m->call->worker;
    struct arena *a = m->call->arena;
    const struct authority_context *x = &m->context;
    if (m->parent_name == NULL)
        return verdict_refuse(v, a, R_BAD_INPUT, "parent", NULL, "the name or id of a root CA");
    if (x->parent_version == 0)
        return verdict_refuse(v, a, R_NOT_FOUND, "parent", m->parent_name, "the name or id of a root CA");
    if (strcmp(x->parent_kind, ca_kind_name(CA_ROOT)) != 0 || strcmp(x->parent_state, ca_state_name(CA_ACTIVE)) != 0)
        return verdict_refuse(v, a, R_STATE, "parent", arena_printf(a, "%s, %s", x->parent_kind, x->parent_state), "an active root CA");
    return keyring_ca(&w->keyring, w->db, m->tenant, x->parent_version, &m->parent);
}

enum result making_addresses(struct making *m)
{
    struct arena *a = m->call->arena;
    const char *host = m->call->worker->public_fqdn;
    m->crl_url = arena_printf(a, "http://%s/crl/%s_v%u/current.crl", host, m->uuid, m->number);
    m->aia_url = arena_printf(a, "http://%s/ca/%s_v%u/cert.cer", host, m->uuid, m->number);
    m->scep_uri = !making_is_root(m) ? arena_printf(a, "https://{{CloudPKIFQDN}}/scep/%s", m->uuid) : NULL;
    return m->crl_url == NULL || m->aia_url == NULL || (!making_is_root(m) && m->scep_uri == NULL) ? R_NO_MEMORY : R_OK;
}

enum result making_subject(struct making *m)
{
    struct name name;
    struct buf der;
    buf_init(&der, LIMIT_NAME_DER);
    enum result r = ca_subject_name(&m->request->subject, m->call->arena, &name);
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
    const struct ca_request *q = m->request;
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
enum result making_request(struct making *m, const struct key *own)
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
        r = csr_decode(buf_bytes(&whole), a, &m->csr);
    if (r == R_OK)
        r = csr_verify(&m->csr);
    buf_free(&info);
    buf_free(&whole);
    return r;
}

/* The signature's key: the parent's, or for a root the new one. */
enum result making_certificate(struct making *m, const struct key *own, struct verdict *v)
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

/* The new key, sealed, and opened again from what will be stored: what cannot be opened later must not be recorded. */
enum result making_key(struct making *m, struct bytes *sealed, struct key **own)
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

/* The parent and what is above it. */
static enum result making_chain(struct making *m)
{
    const struct issuing_ca *p = m->parent ? &m->parent->row : NULL;
    m->chain_count = p ? p->chain_count + 1 : 0;
    m->chain = arena_array(m->call->arena, m->chain_count, sizeof *m->chain);
    if (m->chain == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < m->chain_count; i++)
        m->chain[i] = i == 0 ? p->certificate : p->chain[i - 1];
    return R_OK;
}

enum result making_seal(struct making *m, struct buf *seal)
{
    enum result r = making_chain(m);
    const struct issuing_ca sealed = {.uuid = m->uuid, .number = m->number, .kind = ca_kind_name(m->request->kind),
        .hash = making_is_byoca(m) ? NULL : hash_name(m->pair->hash), .key_bits = m->pair->bits,
        .names_from_requests = m->request->names_from_requests, .crl_url = m->crl_url, .aia_url = m->aia_url,
        .certificate = making_is_byoca(m) ? m->csr.der : m->made.der, .chain = m->chain, .chain_count = m->chain_count};
    return r == R_OK ? ca_seal_make(&m->call->worker->keyring.secrets, m->tenant, &sealed, seal) : r;
}
