#include "lib/store/request.h"

#include <string.h>

#include "lib/base/limits.h"

static const struct db_statement of_grant = {"signer_request_of", "SELECT * FROM chancery.signer_request_of($1, $2, $3, $4, $5)"};
static const struct db_statement of_transaction = {"signer_request_find", "SELECT * FROM chancery.signer_request_find($1::uuid, $2, $3)"};
static const struct db_statement add = {"signer_request_add",
    "SELECT chancery.signer_request_add($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)"};

static enum request_state state_of(const char *name)
{
    static const char *const names[] = {[REQUEST_PENDING] = "pending", [REQUEST_APPROVED] = "approved", [REQUEST_REJECTED] = "rejected",
                                        [REQUEST_ISSUED] = "issued"};
    for (int i = REQUEST_PENDING; name != NULL && i <= REQUEST_ISSUED; i++)
        if (strcmp(names[i], name) == 0)
            return (enum request_state)i;
    return REQUEST_REJECTED;         /* a state that this program does not know issues nothing */
}

enum result request_of(struct db *db, const struct issuing_grant *g, struct arena *a, struct request *out)
{
    enum { ID, STATE, SPKI_SHA256, CONTENT, EXPIRED, CERTIFICATE, VALID, ISSUER };
    const struct db_param p[] = {DB_P_INT4(g->tenant), DB_P_TEXT(issuing_kind_name(g->kind)), DB_P_INT8((int64_t)g->id), DB_P_TIME(g->expires),
        DB_P_INT8((int64_t)g->profile_revision)};
    struct db_rows *rows = NULL;
    struct request q = {.state = REQUEST_NONE};
    enum result r = db_exec(db, &of_grant, p, 5, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) > 0) {
        q = (struct request){.id = db_number(rows, 0, ID), .state = state_of(db_text(rows, 0, STATE)), .expired = db_bool(rows, 0, EXPIRED),
            .spki_sha256 = db_copy_bytes(rows, 0, SPKI_SHA256, a), .content_sha256 = db_copy_bytes(rows, 0, CONTENT, a)};
        if (q.state == REQUEST_ISSUED) {
            q.certificate = db_copy_bytes(rows, 0, CERTIFICATE, a);
            q.issuer = db_copy_bytes(rows, 0, ISSUER, a);
            q.valid = db_bool(rows, 0, VALID);
        }
        if (q.spki_sha256.p == NULL || q.content_sha256.p == NULL || (q.state == REQUEST_ISSUED && (q.certificate.p == NULL || q.issuer.p == NULL)))
            r = R_NO_MEMORY;
    }
    if (r == R_OK)
        *out = q;
    db_rows_free(rows);
    return r;
}

enum result request_find(struct db *db, const char *ca, const char *transaction, const uint8_t spki_sha256[32], struct arena *a, struct request_found *out)
{
    enum { TENANT, KIND, ID, EXPIRES, DEVICE, USER, REVISION, VERSION, SPKI };
    const struct db_param p[] = {DB_P_TEXT(ca), DB_P_TEXT(transaction), DB_P_BYTES(BYTES(spki_sha256, 32))};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &of_transaction, p, 3, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    int kind = db_count(rows) == 1 ? issuing_kind_from_name(db_text(rows, 0, KIND)) : -1;
    if (kind < 0) {
        r = R_NOT_FOUND;
    } else {
        *out = (struct request_found){
            .grant = {.kind = (uint32_t)kind, .tenant = (uint32_t)db_number(rows, 0, TENANT), .device = (uint64_t)db_number(rows, 0, DEVICE),
                      .user = (uint64_t)db_number(rows, 0, USER), .profile_revision = (uint64_t)db_number(rows, 0, REVISION),
                      .ca_version = (uint32_t)db_number(rows, 0, VERSION), .id = (uint64_t)db_number(rows, 0, ID), .expires = db_number(rows, 0, EXPIRES)},
            .spki = db_copy_bytes(rows, 0, SPKI, a)};
        r = out->spki.p == NULL ? R_NO_MEMORY : R_OK;
    }
    db_rows_free(rows);
    return r;
}

enum result request_add(struct db *db, const struct issuing_grant *g, const struct request_content *c)
{
    const struct profile *f = c->profile;
    const struct db_param p[] = {DB_P_INT4(g->tenant), DB_P_TEXT(issuing_kind_name(g->kind)), DB_P_INT8((int64_t)g->id), DB_P_TIME(g->expires),
        DB_P_INT4(g->ca_version), DB_P_INT8((int64_t)g->device), g->user == 0 ? DB_P_NULL(DB_INT8) : DB_P_INT8((int64_t)g->user),
        DB_P_INT8((int64_t)g->profile_revision), DB_P_TEXT(c->transaction), DB_P_BYTES(c->spki), DB_P_BYTES(BYTES(c->spki_sha256, 32)), DB_P_TEXT(c->subject),
        DB_P_TEXTS(c->sans, c->san_count), DB_P_INT4(f->key_usage), DB_P_TEXTS(f->ekus.items, f->ekus.count), DB_P_INT4(f->validity),
        DB_P_TEXT(validity_unit_name(f->validity_unit)), DB_P_INT4(c->key_size), DB_P_BYTES(BYTES(c->content_sha256, 32)), DB_P_INT4(LIMIT_REQUEST_DAYS)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &add, p, 20, LIMIT_DB_MS, &rows);
    if (r == R_OK && (db_count(rows) != 1 || db_null(rows, 0, 0)))
        r = R_EXISTS;
    db_rows_free(rows);
    return r;
}
