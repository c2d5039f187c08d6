#include "lib/store/publishing.h"

#include <string.h>

#include "lib/base/limits.h"

static const struct db_statement tick = {"publisher_tick", "SELECT * FROM chancery.publisher_tick($1, $2, $3, $4)"};
static const struct db_statement lease = {"publisher_lease", "SELECT chancery.publisher_lease($1, $2, $3)"};
static const struct db_statement crl_claim = {"publisher_crl_claim",
    "SELECT * FROM chancery.publisher_crl_claim($1, $2, make_interval(secs => $3::int8))"};
static const struct db_statement crl_failed = {"publisher_crl_failed", "SELECT chancery.publisher_crl_failed($1, $2, $3, $4)"};
static const struct db_statement crl_current = {"publisher_crl_current",
    "SELECT ca_version_id, crl_shard, path, number, pieces, size, sha256 FROM chancery.publisher_crl_current()"};
static const struct db_statement crl_piece = {"publisher_crl_piece", "SELECT chancery.publisher_crl_piece($1, $2, $3, $4)"};
static const struct db_statement ca_files = {"publisher_ca_files", "SELECT path, certificate FROM chancery.publisher_ca_files()"};
static const struct db_statement ra_due = {"publisher_ra_due",
    "SELECT * FROM chancery.publisher_ra_due(make_interval(days => $1))"};
static const struct db_statement partitions = {"publisher_partitions", "SELECT chancery.publisher_partitions()"};
static const struct db_statement audit_seal = {"publisher_audit_seal", "SELECT chancery.publisher_audit_seal($1, $2)"};
static const struct db_statement audit_head = {"publisher_audit_head", "SELECT * FROM chancery.publisher_audit_head()"};

/* A function that returns one value. */
static enum result one_row(struct db *db, const struct db_statement *s, const struct db_param *p, int count,
                           struct db_rows **rows)
{
    enum result r = db_exec(db, s, p, count, LIMIT_DB_MS, rows);
    if (r == R_OK && db_count(*rows) != 1) {
        db_rows_free(*rows);
        *rows = NULL;
        r = R_INTERNAL;
    }
    return r;
}

enum result publishing_tick(struct db *db, const char *host, const char *boot, int64_t wall, int64_t monotonic_ms,
                            struct arena *a, bool *doubted, const char **detail)
{
    const struct db_param p[] = {DB_P_TEXT(host), DB_P_TEXT(boot), DB_P_TIME(wall), DB_P_INT8(monotonic_ms)};
    struct db_rows *rows = NULL;
    enum result r = one_row(db, &tick, p, 4, &rows);
    if (r != R_OK)
        return r;
    const char *text = db_null(rows, 0, 1) ? "" : db_text(rows, 0, 1);
    *doubted = db_bool(rows, 0, 0);
    *detail = arena_text(a, text, strlen(text));
    db_rows_free(rows);
    return *detail == NULL ? R_NO_MEMORY : R_OK;
}

enum result publishing_lease(struct db *db, const char *name, const char *holder, uint32_t seconds, bool *held)
{
    const struct db_param p[] = {DB_P_TEXT(name), DB_P_TEXT(holder), DB_P_INT4(seconds)};
    struct db_rows *rows = NULL;
    enum result r = one_row(db, &lease, p, 3, &rows);
    *held = r == R_OK && db_bool(rows, 0, 0);
    db_rows_free(rows);
    return r;
}

enum result publishing_crl_claim(struct db *db, const char *holder, uint32_t lease_seconds, int64_t refresh_seconds,
                                 struct publishing_due *out, bool *found)
{
    const struct db_param p[] = {DB_P_TEXT(holder), DB_P_INT4(lease_seconds), DB_P_INT8(refresh_seconds)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &crl_claim, p, 3, LIMIT_DB_MS, &rows);
    *found = r == R_OK && db_count(rows) == 1;
    if (*found)
        *out = (struct publishing_due){(uint32_t)db_number(rows, 0, 0), (uint32_t)db_number(rows, 0, 1), db_number(rows, 0, 2),
            db_bool(rows, 0, 3)};
    db_rows_free(rows);
    return r;
}

enum result publishing_crl_failed(struct db *db, const struct publishing_due *due, const char *holder, uint32_t retry_seconds)
{
    const struct db_param p[] = {DB_P_INT4(due->ca_version), DB_P_INT4(due->shard), DB_P_TEXT(holder), DB_P_INT4(retry_seconds)};
    return db_exec(db, &crl_failed, p, 4, LIMIT_DB_MS, NULL);
}

enum result publishing_crl_current(struct db *db, publishing_crl_row *crl, void *context)
{
    enum { CA_VERSION, SHARD, PATH, NUMBER, PIECES, SIZE, SHA256 };
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &crl_current, NULL, 0, LIMIT_DB_MS, &rows);
    for (int i = 0; r == R_OK && i < db_count(rows); i++) {
        const struct publishing_crl c = {(uint32_t)db_number(rows, i, CA_VERSION), (uint32_t)db_number(rows, i, SHARD),
            (uint32_t)db_number(rows, i, PIECES), db_text(rows, i, PATH), db_number(rows, i, NUMBER), db_number(rows, i, SIZE),
            db_bytes(rows, i, SHA256)};
        r = c.path == NULL || c.sha256.n != 32 ? R_INTERNAL : crl(context, &c);
    }
    db_rows_free(rows);
    return r;
}

enum result publishing_crl_piece(struct db *db, const struct publishing_crl *crl, uint32_t piece, struct buf *out)
{
    const struct db_param p[] = {DB_P_INT4(crl->ca_version), DB_P_INT4(crl->shard), DB_P_INT8(crl->number), DB_P_INT4(piece)};
    struct db_rows *rows = NULL;
    enum result r = one_row(db, &crl_piece, p, 4, &rows);
    if (r != R_OK)
        return r;
    struct bytes data = db_bytes(rows, 0, 0);
    buf_reset(out);
    buf_append(out, data.p, data.n);
    r = data.p == NULL ? R_NOT_FOUND : buf_result(out);
    db_rows_free(rows);
    return r;
}

enum result publishing_ca_files(struct db *db, publishing_ca_row *file, void *context)
{
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &ca_files, NULL, 0, LIMIT_DB_MS, &rows);
    for (int i = 0; r == R_OK && i < db_count(rows); i++)
        r = file(context, db_text(rows, i, 0), db_bytes(rows, i, 1));
    db_rows_free(rows);
    return r;
}

enum result publishing_ra_due(struct db *db, uint32_t days, struct arena *a, struct publishing_ra **out, uint32_t *count)
{
    const struct db_param p[] = {DB_P_INT4(days)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &ra_due, p, 1, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    uint32_t n = (uint32_t)db_count(rows);
    struct publishing_ra *items = arena_array(a, n, sizeof *items);
    for (uint32_t i = 0; items != NULL && i < n; i++)
        items[i] = (struct publishing_ra){(uint32_t)db_number(rows, (int)i, 0), (uint32_t)db_number(rows, (int)i, 1)};
    db_rows_free(rows);
    *out = items;
    *count = n;
    return items == NULL ? R_NO_MEMORY : R_OK;
}

enum result publishing_partitions(struct db *db, uint32_t *made)
{
    struct db_rows *rows = NULL;
    enum result r = one_row(db, &partitions, NULL, 0, &rows);
    *made = r == R_OK ? (uint32_t)db_number(rows, 0, 0) : 0;
    db_rows_free(rows);
    return r;
}

enum result publishing_audit_seal(struct db *db, const char *holder, uint32_t limit, uint32_t *sealed)
{
    const struct db_param p[] = {DB_P_TEXT(holder), DB_P_INT4(limit)};
    struct db_rows *rows = NULL;
    enum result r = one_row(db, &audit_seal, p, 2, &rows);
    *sealed = r == R_OK ? (uint32_t)db_number(rows, 0, 0) : 0;
    db_rows_free(rows);
    return r;
}

enum result publishing_audit_head(struct db *db, struct arena *a, struct publishing_head *out)
{
    enum { BATCH, LAST, HEAD, KEY, SIGNATURE };
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &audit_head, NULL, 0, LIMIT_DB_MS, &rows);
    *out = (struct publishing_head){0};
    if (r == R_OK && db_count(rows) == 1) {
        *out = (struct publishing_head){db_number(rows, 0, BATCH), db_number(rows, 0, LAST), db_number(rows, 0, KEY),
            arena_bytes(a, db_bytes(rows, 0, HEAD)), arena_bytes(a, db_bytes(rows, 0, SIGNATURE))};
        r = out->head.p == NULL || out->signature.p == NULL ? R_NO_MEMORY : R_OK;
    }
    db_rows_free(rows);
    return r;
}
