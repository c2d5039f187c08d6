#include "lib/store/issued.h"

#include "lib/base/limits.h"

static const struct db_statement predecessor_find = {"signer_predecessor_find", "SELECT * FROM chancery.signer_predecessor_find($1::uuid, $2, $3)"};
static const struct db_statement certificate_find = {"signer_certificate_find", "SELECT * FROM chancery.signer_certificate_find($1::uuid, $2, $3)"};

static const struct db_statement next_find = {"signer_next_ca", "SELECT * FROM chancery.signer_next_ca($1::uuid)"};

enum result issued_predecessor_find(struct db *db, const char *ca, struct bytes serial, const uint8_t sha256[32], struct issued_predecessor *out)
{
    enum { TENANT, ID, NOT_BEFORE, NOT_AFTER, REVOKED, DEVICE, USER, REVISION, VERSION };
    const struct db_param p[] = {DB_P_TEXT(ca), DB_P_BYTES(serial), DB_P_BYTES(BYTES(sha256, 32))};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &predecessor_find, p, 3, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        r = R_NOT_FOUND;
    } else {
        int64_t end = db_number(rows, 0, NOT_AFTER);
        *out = (struct issued_predecessor){
            .grant = {.kind = ISSUING_PREDECESSOR, .tenant = (uint32_t)db_number(rows, 0, TENANT), .device = (uint64_t)db_number(rows, 0, DEVICE),
                      .user = (uint64_t)db_number(rows, 0, USER), .profile_revision = (uint64_t)db_number(rows, 0, REVISION),
                      .ca_version = (uint32_t)db_number(rows, 0, VERSION), .id = (uint64_t)db_number(rows, 0, ID), .expires = end},
            .not_before = db_number(rows, 0, NOT_BEFORE), .not_after = end, .revoked = db_bool(rows, 0, REVOKED)};
    }
    db_rows_free(rows);
    return r;
}

enum result issued_find(struct db *db, const char *ca, struct bytes serial, const uint8_t spki_sha256[32], struct arena *a, struct bytes *certificate)
{
    const struct db_param p[] = {DB_P_TEXT(ca), DB_P_BYTES(serial), DB_P_BYTES(BYTES(spki_sha256, 32))};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &certificate_find, p, 3, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        r = R_NOT_FOUND;
    } else {
        *certificate = db_copy_bytes(rows, 0, 0, a);
        r = certificate->p == NULL ? R_NO_MEMORY : R_OK;
    }
    db_rows_free(rows);
    return r;
}

enum result issued_next_find(struct db *db, const char *ca, struct arena *a, struct issued_next *out)
{
    enum { TENANT, VERSION, NEXT, SIGN, ENCRYPT };
    const struct db_param p[] = {DB_P_TEXT(ca)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &next_find, p, 1, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        r = R_NOT_FOUND;
    } else {
        *out = (struct issued_next){(uint32_t)db_number(rows, 0, TENANT), (uint32_t)db_number(rows, 0, VERSION), (uint32_t)db_number(rows, 0, NEXT),
                                    db_copy_bytes(rows, 0, ENCRYPT, a), db_copy_bytes(rows, 0, SIGN, a)};
        r = out->encrypt_certificate.p == NULL || out->sign_certificate.p == NULL ? R_NO_MEMORY : R_OK;
    }
    db_rows_free(rows);
    return r;
}
