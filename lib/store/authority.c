#include "lib/store/authority.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"

static const struct db_statement ca_context = {"signer_ca_context", "SELECT * FROM chancery.signer_ca_context($1, $2)"};
static const struct db_statement ca_create = {"signer_ca_create",
    "SELECT * FROM chancery.signer_ca_create($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, "
    "$24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35)"};
static const struct db_statement ra_context = {"signer_ra_context", "SELECT * FROM chancery.signer_ra_context($1, $2)"};
static const struct db_statement ra_add = {"signer_ra_add",
    "SELECT chancery.signer_ra_add($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"};
static const struct db_statement keys_read = {"signer_installation_keys", "SELECT * FROM chancery.signer_installation_keys($1)"};
static const struct db_statement key_add = {"signer_installation_key_add", "SELECT chancery.signer_installation_key_add($1, $2, $3, $4, $5, $6)"};
static const struct db_statement heads_read = {"signer_audit_unsigned", "SELECT * FROM chancery.signer_audit_unsigned($1)"};
static const struct db_statement head_sign = {"signer_audit_sign", "SELECT chancery.signer_audit_sign($1, $2, $3)"};

enum result authority_context(struct db *db, uint32_t tenant, const char *parent, struct arena *a, struct authority_context *out)
{
    enum { NOW, CAS, LIMIT, PARENT, VERSION, KIND, DELETED, STATE, BITS, HASH };
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_TEXT(parent)};
    struct db_rows *rows = NULL;
    struct authority_context c = {0};
    enum result r = db_exec(db, &ca_context, p, 2, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        r = R_NOT_FOUND;
    } else {
        c.now = db_number(rows, 0, NOW);
        c.cas = db_number(rows, 0, CAS);
        c.limit = db_number(rows, 0, LIMIT);
        if (!db_null(rows, 0, VERSION)) {
            c.parent = db_number(rows, 0, PARENT);
            c.parent_version = (uint32_t)db_number(rows, 0, VERSION);
            c.parent_bits = (uint32_t)db_number(rows, 0, BITS);
            c.parent_kind = db_copy_text(rows, 0, KIND, a);
            c.parent_state = db_copy_text(rows, 0, STATE, a);
            c.parent_hash = db_copy_text(rows, 0, HASH, a);
        }
        *out = c;
    }
    db_rows_free(rows);
    return r;
}

enum result authority_create(struct db *db, uint32_t tenant, const struct authority_ca *ca, uint32_t *ca_version)
{
    const struct ca_request *q = ca->request;
    const struct ca_subject *s = &q->subject;
    const char *subject[] = {s->cn, s->o ? s->o : "", s->ou ? s->ou : "", s->c ? s->c : "", s->st ? s->st : "", s->l ? s->l : ""};
    const struct db_param p[] = {
        DB_P_INT4(tenant), DB_P_TEXT(ca->actor), DB_P_TEXT(ca->uuid), DB_P_TEXT(ca_kind_name(q->kind)), DB_P_TEXT(q->name),
        DB_P_TEXT(q->description ? q->description : ""), ca->parent ? DB_P_INT4(ca->parent) : DB_P_NULL(DB_INT4),
        ca->issuer_version ? DB_P_INT4(ca->issuer_version) : DB_P_NULL(DB_INT4), DB_P_TEXTS(subject, 6), DB_P_INT4(ca->key_bits), DB_P_TEXT(ca->hash),
        DB_P_INT4(q->years), DB_P_TEXTS(q->ekus.items, q->ekus.count), DB_P_TEXTS(q->eku_names.items, q->eku_names.count),
        DB_P_TEXTS(q->ra_ekus.items, q->ra_ekus.count), DB_P_BOOL(q->names_from_requests), DB_P_TEXT(ca->scep_uri), DB_P_TEXT(ca->crl_url),
        DB_P_TEXT(ca->aia_url), DB_P_BYTES(ca->private_key), DB_P_BYTES(ca->spki), DB_P_TEXT(ca->wrapped_by), DB_P_BYTES(ca->certificate),
        DB_P_BYTEAS(ca->chain, ca->chain_count), DB_P_BYTES(ca->serial), DB_P_BYTES(ca->subject), DB_P_BYTES(ca->ski),
        DB_P_BYTES(BYTES(ca->digests.sha1, 20)), DB_P_BYTES(BYTES(ca->digests.sha256, 32)), DB_P_BYTES(BYTES(ca->digests.spki_sha256, 32)),
        DB_P_TEXT(ca->subject_text), DB_P_TIME(ca->not_before), DB_P_TIME(ca->not_after), DB_P_BOOL(ca->clamped), DB_P_BYTES(ca->seal)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &ca_create, p, 35, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) == 1)
        *ca_version = (uint32_t)db_number(rows, 0, 1);
    else
        r = R_INTERNAL;
    db_rows_free(rows);
    return r;
}

enum result authority_ra_context(struct db *db, uint32_t tenant, uint32_t ca_version, struct arena *a, struct authority_ra_context *out)
{
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_INT4(ca_version)};
    struct db_rows *rows = NULL;
    struct authority_ra_context c = {0};
    enum result r = db_exec(db, &ra_context, p, 2, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        r = R_NOT_FOUND;
    } else {
        c.now = db_number(rows, 0, 0);
        c.generation = (uint32_t)db_number(rows, 0, 1);
        c.newest_not_after = db_null(rows, 0, 2) ? 0 : db_number(rows, 0, 2);
        r = db_texts(rows, 0, 3, a, &c.ekus.items, &c.ekus.count);
    }
    if (r == R_OK)
        *out = c;
    db_rows_free(rows);
    return r;
}

enum result authority_ra_add(struct db *db, uint32_t tenant, const char *actor, uint32_t ca_version, uint32_t generation, int64_t not_before,
                             int64_t not_after, const struct authority_ra_half *sign, const struct authority_ra_half *encrypt, const char *subject)
{
    const struct bytes sign_digests[] = {BYTES(sign->digests.spki_sha256, 32), BYTES(sign->digests.sha1, 20), BYTES(sign->digests.sha256, 32)};
    const struct bytes encrypt_digests[] = {BYTES(encrypt->digests.spki_sha256, 32), BYTES(encrypt->digests.sha1, 20), BYTES(encrypt->digests.sha256, 32)};
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_TEXT(actor), DB_P_INT4(ca_version), DB_P_INT4(generation), DB_P_TIME(not_before),
        DB_P_TIME(not_after), DB_P_BYTES(sign->private_key), DB_P_BYTES(sign->spki), DB_P_BYTES(sign->certificate), DB_P_BYTES(sign->serial),
        DB_P_BYTEAS(sign_digests, 3), DB_P_BYTES(encrypt->private_key), DB_P_BYTES(encrypt->spki), DB_P_BYTES(encrypt->certificate),
        DB_P_BYTES(encrypt->serial), DB_P_BYTEAS(encrypt_digests, 3), DB_P_TEXT(subject)};
    return db_exec(db, &ra_add, p, 17, LIMIT_DB_MS, NULL);
}

enum result authority_keys(struct db *db, const char *purpose, struct arena *a, struct stored_key **out, uint32_t *count)
{
    const struct db_param p[] = {DB_P_TEXT(purpose)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &keys_read, p, 1, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    uint32_t n = (uint32_t)db_count(rows);
    struct stored_key *keys = arena_array(a, n, sizeof *keys);
    for (uint32_t i = 0; keys != NULL && i < n; i++) {
        int row = (int)i;
        keys[i] = (struct stored_key){.id = db_number(rows, row, 0), .generation = (uint32_t)db_number(rows, row, 1),
            .platform = "software", .algorithm = db_copy_text(rows, row, 2, a), .wrapped_by = "ca", .private_key = arena_bytes(a, db_bytes(rows, row, 3))};
        if (!db_null(rows, row, 4))
            keys[i].spki = arena_bytes(a, db_bytes(rows, row, 4));
    }
    db_rows_free(rows);
    if (keys == NULL)
        return R_NO_MEMORY;
    *out = keys;
    *count = n;
    return R_OK;
}

enum result authority_key_add(struct db *db, const char *purpose, uint32_t generation, const char *algorithm, struct bytes private_key, struct bytes spki,
                              const char *actor)
{
    const struct db_param p[] = {DB_P_TEXT(purpose), DB_P_INT4(generation), DB_P_TEXT(algorithm), DB_P_BYTES(private_key), DB_P_BYTES(spki),
        DB_P_TEXT(actor)};
    return db_exec(db, &key_add, p, 6, LIMIT_DB_MS, NULL);
}

enum result authority_heads(struct db *db, uint32_t limit, struct arena *a, struct authority_head **out, uint32_t *count)
{
    const struct db_param p[] = {DB_P_INT4(limit)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &heads_read, p, 1, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    uint32_t n = (uint32_t)db_count(rows);
    struct authority_head *heads = arena_array(a, n, sizeof *heads);
    for (uint32_t i = 0; heads != NULL && i < n; i++)
        heads[i] = (struct authority_head){db_number(rows, (int)i, 0), db_number(rows, (int)i, 1), db_number(rows, (int)i, 2),
                                           arena_bytes(a, db_bytes(rows, (int)i, 3))};
    db_rows_free(rows);
    if (heads == NULL)
        return R_NO_MEMORY;
    *out = heads;
    *count = n;
    return R_OK;
}

enum result authority_head_sign(struct db *db, int64_t batch, int64_t key, struct bytes signature)
{
    const struct db_param p[] = {DB_P_INT8(batch), DB_P_INT4(key), DB_P_BYTES(signature)};
    return db_exec(db, &head_sign, p, 3, LIMIT_DB_MS, NULL);
}
