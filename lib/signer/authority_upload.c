/* The certificate that an external CA made of a bring-your-own CA's request: found in the uploaded files, judged with the chain
 * above it, sealed, recorded. */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/bundle.h"
#include "lib/policy/byoca.h"
#include "lib/signer/ca_seal.h"
#include "lib/signer/worker.h"
#include "lib/store/authority.h"

struct upload {
    struct worker_call *call;
    const struct signer_ca_upload *q;
    const char *actor;
    struct authority_byoca_row row;
    struct csr request;
    struct bundle files;
    struct certificate *certificates;            /* of files, decoded */
    uint32_t first;                              /* how many of them are of the certificate's own file */
    struct byoca_chain chain;
};

static enum result refuse(struct upload *u, struct verdict *v, enum result r, const char *field, const char *found,
                          const char *wanted)
{
    return verdict_refuse(v, u->call->arena, r, field, found, wanted);
}

/* The CA waits for a certificate, and its request and key are those that were made here: the columns could have been changed
 * since. */
static enum result upload_read(struct upload *u, struct verdict *v)
{
    struct worker *w = u->call->worker;
    struct arena *a = u->call->arena;
    struct key *key = NULL;
    enum result r = authority_byoca_read(w->db, u->q->tenant, u->q->ca, a, &u->row);
    if (r == R_NOT_FOUND)
        return refuse(u, v, r, "CA", u->q->ca, "the name or id of a bring-your-own CA");
    if (r == R_OK)
        r = worker_check_clock(u->row.now);
    if (r != R_OK)
        return r;
    if (strcmp(u->row.request.kind, ca_kind_name(CA_BYOCA)) != 0)
        return refuse(u, v, R_STATE, "CA", arena_printf(a, "%s, a CA whose certificate was made here", u->row.name),
                      "a bring-your-own CA");
    if (strcmp(u->row.state, ca_state_name(CA_SIGNING_REQUIRED)) != 0)
        return refuse(u, v, R_STATE, "status", ca_status_word((uint32_t)ca_state_from_name(u->row.state), INT64_MAX, u->row.now),
                      "Signing required");
    r = ca_seal_check(&w->keyring.secrets, u->q->tenant, &u->row.request);
    if (r == R_OK)
        r = key_open(&u->row.request.key, &w->keyring.secrets, &key);
    if (r == R_OK)
        r = csr_decode(u->row.request.certificate, a, &u->request);
    if (r == R_OK && !bytes_equal(u->request.key.spki, u->row.request.key.spki))
        r = R_BAD_KEY;
    key_free(key);
    return r;
}

static enum result upload_add(struct upload *u, const struct signer_file *f, struct verdict *v)
{
    const char *fault = NULL;
    enum result r = bundle_add(f->content, u->call->arena, &u->files, &fault);
    return fault != NULL ? refuse(u, v, r, "file", arena_printf(u->call->arena, "%s in %s", fault, f->name),
                                  "DER, PEM or PKCS#7 with certificates, at most 64 in 448 kB together")
                         : r;
}

static enum result upload_decode(struct upload *u, struct verdict *v)
{
    struct arena *a = u->call->arena;
    enum result r = upload_add(u, &u->q->certificate, v);
    u->first = u->files.count;
    for (uint32_t i = 0; r == R_OK && i < u->q->chain.count; i++)
        r = upload_add(u, &u->q->chain.items[i], v);
    if (r != R_OK)
        return r;
    u->certificates = arena_array(a, u->files.count, sizeof *u->certificates);
    if (u->certificates == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; r == R_OK && i < u->files.count; i++) {
        r = certificate_decode(u->files.items[i], a, &u->certificates[i]);
        if (r != R_OK && r != R_NO_MEMORY)
            return refuse(u, v, R_BAD_INPUT, "file", arena_printf(a, "a certificate that cannot be read (the %u. of all)", i + 1),
                          "X.509 certificates in DER");
    }
    return r;
}

/* The certificate is the one with our key, where its file holds others too. */
static const struct certificate *upload_made(const struct upload *u)
{
    for (uint32_t i = 0; i < u->first; i++)
        if (bytes_equal(u->certificates[i].key.spki, u->request.key.spki))
            return &u->certificates[i];
    return &u->certificates[0];
}

static enum result upload_judge(struct upload *u, struct verdict *v)
{
    const struct byoca_request asked = {.spki = u->request.key.spki, .ekus = u->request.claims.ekus, .now = u->row.now};
    return byoca_check(&asked, upload_made(u), u->certificates, u->files.count, u->call->arena, &u->chain, v);
}

static enum result upload_record(struct upload *u)
{
    struct worker *w = u->call->worker;
    struct arena *a = u->call->arena;
    const struct certificate *made = u->chain.items[0], *root = u->chain.items[u->chain.count - 1];
    uint32_t above = u->chain.count - 1;
    struct bytes *chain = arena_array(a, above, sizeof *chain);
    struct issuing_ca sealed = u->row.request;
    struct buf seal;
    if (chain == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < above; i++)
        chain[i] = u->chain.items[i + 1]->der;
    sealed.certificate = made->der;
    sealed.chain = chain;
    sealed.chain_count = above;
    buf_init(&seal, CA_SEAL_SIZE);
    enum result r = ca_seal_make(&w->keyring.secrets, u->q->tenant, &sealed, &seal);
    struct authority_certified c = {.actor = u->actor, .ca_version = u->row.ca_version, .certificate = made->der, .chain = chain,
        .chain_count = above, .serial = made->serial, .subject = made->subject, .ski = made->ski, .seal = buf_bytes(&seal),
        .not_before = made->not_before, .not_after = made->not_after,
        .aia = made->aia_url != NULL ? made->aia_url : made->aia_ldap, .subject_text = name_text(&made->subject_name, a), .issuer_text = name_text(&made->issuer_name, a),
        .root_text = name_text(&root->subject_name, a)};
    digest_sha1(made->der, c.sha1);
    digest_sha256(made->der, c.sha256);
    if (r == R_OK && (r = authority_byoca_certify(w->db, u->q->tenant, &c)) != R_OK)
        worker_detail_db(u->call);
    buf_free(&seal);
    return r;
}

static void upload_said(struct upload *u, enum result r, const struct verdict *v)
{
    if (v->result != R_OK)
        worker_detail(u->call, v);
    log_event(LOG_LEVEL_NOTICE, "ca-upload-refused", LOG_TEXT("ca", u->q->ca), LOG_TEXT("actor", u->actor), LOG_RESULT(r),
              LOG_TEXT("detail", u->call->detail));
    /* What may have been done was not refused. */
    if (u->row.request.uuid != NULL && !result_is_retryable(r))
        authority_byoca_refused(u->call->worker->db, u->q->tenant, u->actor, u->row.request.uuid, r, u->call->detail);
}

enum result authority_handle_upload(struct worker_call *c, const struct signer_ca_upload *q, struct signer_ca_uploaded *out)
{
    struct upload u = {.call = c, .q = q, .actor = arena_printf(c->arena, "operator:%s", q->actor)};
    struct verdict v = {0};
    enum result r = u.actor != NULL ? upload_read(&u, &v) : R_NO_MEMORY;
    if (r == R_OK)
        r = upload_decode(&u, &v);
    if (r == R_OK)
        r = upload_judge(&u, &v);
    if (r == R_OK)
        r = upload_record(&u);
    if (r != R_OK) {
        upload_said(&u, r, &v);
        return r;
    }
    const struct certificate *made = u.chain.items[0];
    *out = (struct signer_ca_uploaded){.version = u.row.request.number, .not_after = made->not_after,
        .subject = name_text(&made->subject_name, c->arena), .root = name_text(&u.chain.items[u.chain.count - 1]->subject_name, c->arena), .above = u.chain.count - 1};
    log_event(LOG_LEVEL_NOTICE, "ca-certified", LOG_TEXT("ca", u.row.request.uuid), LOG_TEXT("name", u.row.name),
              LOG_TEXT("actor", u.actor), LOG_HEX("serial", made->serial), LOG_TEXT("root", out->root));
    /* Without RA certificates nothing could enrol yet; should this fail, the publisher asks again. */
    struct signer_done done;
    out->ra = registration_handle_renew(c, &(struct signer_ra_renew){q->tenant, u.row.ca_version}, &done) == R_OK;
    return R_OK;
}
