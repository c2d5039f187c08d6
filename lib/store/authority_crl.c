#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/store/authority.h"

static const struct db_statement crl_begin = {"signer_crl_begin",
    "SELECT * FROM chancery.signer_crl_begin($1, $2, make_interval(secs => $3::int8))"};
static const struct db_statement crl_piece = {"signer_crl_piece", "SELECT chancery.signer_crl_piece($1, $2, $3, $4, $5)"};
static const struct db_statement crl_finish = {"signer_crl_finish", "SELECT chancery.signer_crl_finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"};

enum result authority_crl_begin(struct db *db, uint32_t ca_version, uint32_t shard, int64_t validity_seconds, struct arena *a, struct authority_crl *out)
{
    const struct db_param p[] = {DB_P_INT4(ca_version), DB_P_INT4(shard), DB_P_INT8(validity_seconds)};
    struct db_rows *rows = NULL;
    /* Events are marked by the hundred thousand after a long outage or a bulk revocation. */
    enum result r = db_exec(db, &crl_begin, p, 3, LIMIT_DB_BULK_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        r = R_NOT_FOUND;
    } else {
        const char *url = db_text(rows, 0, 6);
        *out = (struct authority_crl){(uint32_t)db_number(rows, 0, 0), db_number(rows, 0, 1), db_number(rows, 0, 2), db_number(rows, 0, 3),
                                      db_number(rows, 0, 4), (uint32_t)db_number(rows, 0, 5), arena_text(a, url, strlen(url))};
    }
    db_rows_free(rows);
    return r;
}

struct entry_context { authority_crl_entry *entry; void *context; };

/* timestamptz in COPY BINARY: microseconds since 2000-01-01, big-endian. */
static int64_t entry_time(struct bytes b)
{
    return (int64_t)be64_get(b.p) / 1000000 + 946684800;
}

static enum result entry_row(void *context, const struct bytes *f, int count)
{
    struct entry_context *e = context;
    if (count != 4 || f[0].p == NULL || f[1].n != 8 || f[2].n != 2 || (f[3].p != NULL && f[3].n != 8)) {
        log_event(LOG_LEVEL_ERROR, "crl-entry-form", LOG_NUM("fields", count));
        return R_INTERNAL;
    }
    return e->entry(e->context, f[0], entry_time(f[1]), (int16_t)be16_get(f[2].p), f[3].p == NULL ? 0 : entry_time(f[3]));
}

enum result authority_crl_entries(struct db *db, uint32_t ca_version, uint32_t shard, int64_t drop_before, authority_crl_entry *entry, void *context)
{
    struct arena a;
    struct entry_context e = {entry, context};
    arena_init(&a, LIMIT_LOG_LINE);
    /* COPY takes no parameters: numbers only are put in. An entry that ended before the last published CRL is left out. */
    const char *query = drop_before == INT64_MIN
        ? arena_printf(&a, "SELECT serial, revoked_at, reason, invalidity_date FROM chancery.crl_entry WHERE ca_version_id = %u AND crl_shard = %u "
                       "ORDER BY serial", ca_version, shard)
        : arena_printf(&a, "SELECT serial, revoked_at, reason, invalidity_date FROM chancery.crl_entry WHERE ca_version_id = %u AND crl_shard = %u "
                       "AND not_after >= to_timestamp(%lld) ORDER BY serial", ca_version, shard, (long long)drop_before);
    enum result r = query == NULL ? R_NO_MEMORY : db_copy(db, query, LIMIT_DB_BULK_MS, entry_row, &e);
    arena_free(&a);
    return r;
}

enum result authority_crl_piece(struct db *db, uint32_t ca_version, uint32_t shard, int64_t number, uint32_t piece, struct bytes data)
{
    const struct db_param p[] = {DB_P_INT4(ca_version), DB_P_INT4(shard), DB_P_INT8(number), DB_P_INT4(piece), DB_P_BYTES(data)};
    return db_exec(db, &crl_piece, p, 5, LIMIT_DB_MS, NULL);
}

enum result authority_crl_finish(struct db *db, uint32_t ca_version, uint32_t shard, const struct authority_crl *c, int64_t entries, int64_t size,
                                 const uint8_t sha256[32], uint32_t pieces, int64_t build_ms)
{
    const struct db_param p[] = {DB_P_INT4(ca_version), DB_P_INT4(shard), DB_P_INT8(c->number), DB_P_TIME(c->this_update), DB_P_TIME(c->next_update),
        DB_P_INT8(entries), DB_P_INT8(size), DB_P_BYTES(BYTES(sha256, 32)), DB_P_INT4(pieces), DB_P_INT4(build_ms)};
    return db_exec(db, &crl_finish, p, 10, LIMIT_DB_BULK_MS, NULL);
}
