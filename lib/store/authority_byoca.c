/* Bring-your-own CAs: the request first, the certificate later (sql/0006-byoca.sql). */
#include <string.h>

#include "lib/base/limits.h"
#include "lib/store/authority.h"

static const struct db_statement byoca_create = {"signer_byoca_create",
    "SELECT chancery.signer_byoca_create($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
    "$19)"};
static const struct db_statement byoca_read = {"signer_byoca_read", "SELECT * FROM chancery.signer_byoca_read($1, $2)"};
static const struct db_statement byoca_certify = {"signer_byoca_certify",
    "SELECT chancery.signer_byoca_certify($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"};
static const struct db_statement byoca_refused = {"signer_byoca_refused",
    "SELECT chancery.signer_byoca_refused($1, $2, $3::uuid, $4, $5)"};

enum result authority_byoca_create(struct db *db, uint32_t tenant, const struct authority_byoca *ca)
{
    const struct ca_request *q = ca->request;
    const struct ca_subject *s = &q->subject;
    const char *subject[] = {s->cn, s->o ? s->o : "", s->ou ? s->ou : "", s->c ? s->c : "", s->st ? s->st : "", s->l ? s->l : ""};
    const struct db_param p[] = {
        DB_P_INT4(tenant), DB_P_TEXT(ca->actor), DB_P_TEXT(ca->uuid), DB_P_TEXT(q->name),
        DB_P_TEXT(q->description ? q->description : ""), DB_P_TEXTS(subject, 6), DB_P_INT4(q->key_bits),
        DB_P_TEXTS(q->ekus.items, q->ekus.count), DB_P_TEXTS(q->eku_names.items, q->eku_names.count),
        DB_P_TEXTS(q->ra_ekus.items, q->ra_ekus.count), DB_P_BOOL(q->names_from_requests), DB_P_TEXT(ca->scep_uri),
        DB_P_TEXT(ca->crl_url), DB_P_TEXT(ca->aia_url), DB_P_BYTES(ca->private_key), DB_P_BYTES(ca->spki), DB_P_BYTES(ca->csr),
        DB_P_BYTES(ca->seal), DB_P_TEXT(ca->subject_text)};
    return db_exec(db, &byoca_create, p, 19, LIMIT_DB_MS, NULL);
}

static enum result row_read(const struct db_rows *rows, struct arena *a, struct authority_byoca_row *out)
{
    enum { NOW, UUID, NAME, KIND, STATE, VERSION, NUMBER, BITS, NAMES, CRL_URL, AIA_URL, CSR, SEAL, PLATFORM, PRIVATE, PKCS11,
           WRAPPED, SPKI };
    struct authority_byoca_row r = {.now = db_number(rows, 0, NOW), .name = db_copy_text(rows, 0, NAME, a),
        .state = db_copy_text(rows, 0, STATE, a)};
    struct issuing_ca *q = &r.request;
    q->uuid = db_copy_text(rows, 0, UUID, a);
    q->kind = db_copy_text(rows, 0, KIND, a);
    if (r.name == NULL || r.state == NULL || q->uuid == NULL || q->kind == NULL)
        return R_NO_MEMORY;
    *out = r;
    if (db_null(rows, 0, CSR))
        return R_OK;
    r.ca_version = (uint32_t)db_number(rows, 0, VERSION);
    q->number = (uint32_t)db_number(rows, 0, NUMBER);
    q->key_bits = (uint32_t)db_number(rows, 0, BITS);
    q->names_from_requests = db_bool(rows, 0, NAMES);
    q->crl_url = db_copy_text(rows, 0, CRL_URL, a);
    q->aia_url = db_copy_text(rows, 0, AIA_URL, a);
    q->certificate = db_copy_bytes(rows, 0, CSR, a);
    q->seal = db_copy_bytes(rows, 0, SEAL, a);
    q->key = (struct stored_key){.platform = db_copy_text(rows, 0, PLATFORM, a), .wrapped_by = db_copy_text(rows, 0, WRAPPED, a),
        .private_key = db_copy_bytes(rows, 0, PRIVATE, a), .pkcs11_uri = db_copy_text(rows, 0, PKCS11, a),
        .spki = db_copy_bytes(rows, 0, SPKI, a)};
    if (q->certificate.p == NULL || q->key.platform == NULL || q->key.spki.p == NULL)
        return R_NO_MEMORY;
    *out = r;
    return R_OK;
}

enum result authority_byoca_read(struct db *db, uint32_t tenant, const char *ca, struct arena *a, struct authority_byoca_row *out)
{
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_TEXT(ca)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &byoca_read, p, 2, LIMIT_DB_MS, &rows);
    if (r == R_OK)
        r = db_count(rows) == 1 ? row_read(rows, a, out) : R_NOT_FOUND;
    db_rows_free(rows);
    return r;
}

enum result authority_byoca_certify(struct db *db, uint32_t tenant, const struct authority_certified *c)
{
    const struct db_param p[] = {
        DB_P_INT4(tenant), DB_P_TEXT(c->actor), DB_P_INT4(c->ca_version), DB_P_BYTES(c->certificate),
        DB_P_BYTEAS(c->chain, c->chain_count), DB_P_BYTES(c->serial), DB_P_BYTES(c->subject), DB_P_BYTES(c->ski),
        DB_P_BYTES(BYTES(c->sha1, 20)), DB_P_BYTES(BYTES(c->sha256, 32)), DB_P_BYTES(c->seal), DB_P_TIME(c->not_before),
        DB_P_TIME(c->not_after), DB_P_TEXT(c->aia), DB_P_TEXT(c->subject_text), DB_P_TEXT(c->issuer_text),
        DB_P_TEXT(c->root_text)};
    return db_exec(db, &byoca_certify, p, 17, LIMIT_DB_MS, NULL);
}

void authority_byoca_refused(struct db *db, uint32_t tenant, const char *actor, const char *uuid, enum result r,
                             const char *detail)
{
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_TEXT(actor), DB_P_TEXT(uuid), DB_P_TEXT(result_name(r)),
        DB_P_TEXT(detail)};
    (void)db_exec(db, &byoca_refused, p, 5, LIMIT_DB_MS, NULL);
}
