#include "lib/store/scep.h"

#include "lib/base/limits.h"

static const struct db_statement endpoint_read = {"scep_endpoint",
    "SELECT version, certificate, chain, generation, sign_certificate, sign_key, encrypt_certificate, encrypt_key, next_version"
    " FROM chancery.scep_endpoint($1::uuid, $2)"};

static const struct db_statement crl_read = {"scep_crl", "SELECT * FROM chancery.scep_crl($1::uuid, $2, $3, $4)"};

enum { VERSION, CERTIFICATE, CHAIN, GENERATION, SIGN_CERTIFICATE, SIGN_KEY, ENCRYPT_CERTIFICATE, ENCRYPT_KEY, NEXT_VERSION };

static enum result generation_copy(const struct db_rows *rows, int row, struct arena *a, struct scep_generation *out)
{
    out->number = (uint32_t)db_number(rows, row, GENERATION);
    out->sign_certificate = db_copy_bytes(rows, row, SIGN_CERTIFICATE, a);
    out->sign_key = db_copy_bytes(rows, row, SIGN_KEY, a);
    out->encrypt_certificate = db_copy_bytes(rows, row, ENCRYPT_CERTIFICATE, a);
    out->encrypt_key = db_copy_bytes(rows, row, ENCRYPT_KEY, a);
    return out->sign_certificate.p && out->sign_key.p && out->encrypt_certificate.p && out->encrypt_key.p ? R_OK : R_NO_MEMORY;
}

enum result scep_endpoint_read(struct db *db, const char *ca, uint32_t staged, int timeout_ms, struct arena *a,
                               struct scep_endpoint *out)
{
    const struct db_param params[] = {DB_P_TEXT(ca), staged == 0 ? DB_P_NULL(DB_INT4) : DB_P_INT4(staged)};
    struct db_rows *rows = NULL;
    struct scep_endpoint e = {0};
    enum result r = db_exec(db, &endpoint_read, params, 2, timeout_ms, &rows);

    if (r != R_OK)
        return r;
    if (db_count(rows) == 0) {
        r = R_NOT_FOUND;
        goto out;
    }
    e.ca_version = (uint32_t)db_number(rows, 0, VERSION);
    e.next_version = (uint32_t)db_number(rows, 0, NEXT_VERSION);
    e.certificate = db_copy_bytes(rows, 0, CERTIFICATE, a);
    r = e.certificate.p ? db_byteas(rows, 0, CHAIN, a, &e.chain, &e.chain_count) : R_NO_MEMORY;
    for (int i = 0; r == R_OK && i < db_count(rows) && i < SCEP_GENERATIONS; i++)
        r = generation_copy(rows, i, a, &e.generations[e.generation_count++]);
    if (r == R_OK)
        *out = e;
out:
    db_rows_free(rows);
    return r;
}

enum result scep_crl_read(struct db *db, const char *ca, uint32_t staged, struct bytes serial, struct arena *a, struct scep_crl *out)
{
    enum { URL, NUMBER, SIZE, CRL };
    const struct db_param params[] = {DB_P_TEXT(ca), staged == 0 ? DB_P_NULL(DB_INT4) : DB_P_INT4(staged), DB_P_BYTES(serial), DB_P_INT8(LIMIT_SCEP_CRL)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &crl_read, params, 4, LIMIT_DB_MS, &rows);

    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        r = R_NOT_FOUND;
    } else {
        *out = (struct scep_crl){db_copy_text(rows, 0, URL, a), db_number(rows, 0, NUMBER), db_number(rows, 0, SIZE), BYTES_NONE};
        if (!db_null(rows, 0, CRL))
            out->der = db_copy_bytes(rows, 0, CRL, a);
        r = out->url && (db_null(rows, 0, CRL) || out->der.p) ? R_OK : R_NO_MEMORY;
    }
    db_rows_free(rows);
    return r;
}
