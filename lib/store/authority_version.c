/* The next version of a CA: staged with its certificate, or with the request for one (sql/0007-versions.sql). */
#include "lib/base/limits.h"
#include "lib/store/authority.h"

static const struct db_statement version_read = {"signer_ca_version_read", "SELECT * FROM chancery.signer_ca_version_read($1, $2)"};
static const struct db_statement version_add = {"signer_ca_version_add",
    "SELECT chancery.signer_ca_version_add($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)"};

enum { NOW, CA, UUID, NAME, KIND, BITS, YEARS, EKUS, EKU_NAMES, RA_EKUS, NAMES, PARENT, VERSION, NUMBER, STATE, NOT_BEFORE, NOT_AFTER, LAST, NEXT, CSR, CSR_SEAL };

static enum result request_read(const struct db_rows *rows, struct arena *a, struct ca_request *q)
{
    *q = (struct ca_request){.name = db_copy_text(rows, 0, NAME, a), .key_bits = (unsigned)db_number(rows, 0, BITS),
        .years = (uint32_t)db_number(rows, 0, YEARS), .names_from_requests = db_bool(rows, 0, NAMES)};
    enum result r = db_texts(rows, 0, EKUS, a, &q->ekus.items, &q->ekus.count);
    if (r == R_OK)
        r = db_texts(rows, 0, EKU_NAMES, a, &q->eku_names.items, &q->eku_names.count);
    if (r == R_OK)
        r = db_texts(rows, 0, RA_EKUS, a, &q->ra_ekus.items, &q->ra_ekus.count);
    return r;
}

enum result authority_version_read(struct db *db, uint32_t tenant, const char *ca, struct arena *a, struct authority_version_row *out)
{
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_TEXT(ca)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &version_read, p, 2, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        r = R_INTERNAL;
    } else {
        *out = (struct authority_version_row){.now = db_number(rows, 0, NOW), .ca_id = db_number(rows, 0, CA), .uuid = db_copy_text(rows, 0, UUID, a),
            .name = db_copy_text(rows, 0, NAME, a), .kind = db_copy_text(rows, 0, KIND, a), .parent = db_copy_text(rows, 0, PARENT, a),
            .version = (uint32_t)db_number(rows, 0, VERSION), .state = db_copy_text(rows, 0, STATE, a), .not_before = db_number(rows, 0, NOT_BEFORE),
            .not_after = db_number(rows, 0, NOT_AFTER), .last_number = (uint32_t)db_number(rows, 0, LAST), .next_state = db_copy_text(rows, 0, NEXT, a)};
        out->csr = db_copy_bytes(rows, 0, CSR, a);
        out->csr_seal = db_copy_bytes(rows, 0, CSR_SEAL, a);
        r = out->uuid == NULL || out->name == NULL || out->kind == NULL || out->state == NULL ? R_NO_MEMORY : request_read(rows, a, &out->request);
    }
    db_rows_free(rows);
    return r;
}

enum result authority_version_add(struct db *db, uint32_t tenant, const struct authority_version *v, uint32_t *ca_version)
{
    static const struct certificate none;
    const struct certificate *c = v->made != NULL ? v->made : &none;
    struct authority_digests d = {0};
    struct db_rows *rows = NULL;
    if (v->made != NULL) {
        digest_sha1(c->der, d.sha1);
        digest_sha256(c->der, d.sha256);
        digest_sha256(v->spki, d.spki_sha256);
    }
#define OF_MADE(param, type) (v->made != NULL ? (param) : DB_P_NULL(type))
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_TEXT(v->actor), DB_P_INT4(v->ca_id), DB_P_INT4(v->number),
        v->issuer_version != 0 ? DB_P_INT4(v->issuer_version) : DB_P_NULL(DB_INT4), DB_P_INT4(v->key_bits), DB_P_BYTES(v->private_key), DB_P_BYTES(v->spki),
        DB_P_BYTES(c->der), OF_MADE(DB_P_BYTEAS(v->chain, v->chain_count), DB_BYTEA_ARRAY), DB_P_BYTES(c->serial), DB_P_BYTES(c->subject), DB_P_BYTES(c->ski),
        OF_MADE(DB_P_BYTES(BYTES(d.sha1, 20)), DB_BYTEA), OF_MADE(DB_P_BYTES(BYTES(d.sha256, 32)), DB_BYTEA),
        OF_MADE(DB_P_BYTES(BYTES(d.spki_sha256, 32)), DB_BYTEA), OF_MADE(DB_P_BYTES(v->seal), DB_BYTEA), OF_MADE(DB_P_TIME(c->not_before), DB_TIME),
        OF_MADE(DB_P_TIME(c->not_after), DB_TIME), DB_P_TEXT(v->subject_text), DB_P_BYTES(v->csr), v->made != NULL ? DB_P_NULL(DB_BYTEA) : DB_P_BYTES(v->seal),
        DB_P_TEXT(v->crl_url), DB_P_TEXT(v->aia_url)};
#undef OF_MADE
    enum result r = db_exec(db, &version_add, p, 24, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) == 1)
        *ca_version = (uint32_t)db_number(rows, 0, 0);
    else
        r = R_INTERNAL;
    db_rows_free(rows);
    return r;
}
