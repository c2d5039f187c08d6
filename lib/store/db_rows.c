#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/store/db_private.h"

static const Oid NUMBER_TYPES[] = {OID_INT2, OID_INT4, OID_INT8, OID_TIMESTAMPTZ, 0};
static const Oid BOOL_TYPES[] = {OID_BOOL, 0};
static const Oid TEXT_TYPES[] = {OID_TEXT, OID_VARCHAR, OID_BPCHAR, OID_NAME, OID_JSON, 0};
static const Oid BYTEA_TYPES[] = {OID_BYTEA, 0};
static const Oid TEXTS_TYPES[] = {OID_TEXT_ARRAY, OID_VARCHAR_ARRAY, OID_NAME_ARRAY, 0};
static const Oid BYTEAS_TYPES[] = {OID_BYTEA_ARRAY, 0};

int db_count(const struct db_rows *r)
{
    return r == NULL ? 0 : PQntuples(r->res);
}

int db_columns(const struct db_rows *r)
{
    return r == NULL ? 0 : PQnfields(r->res);
}

const char *db_column_name(const struct db_rows *r, int column)
{
    return column >= 0 && column < db_columns(r) ? PQfname(r->res, column) : "";
}

static void fault(const struct db_rows *r, int row, int column, const char *what)
{
    log_event(LOG_LEVEL_ERROR, "database-bad-result", LOG_TEXT("statement", r == NULL ? NULL : r->statement),
              LOG_NUM("row", row), LOG_NUM("column", column), LOG_TEXT("name", db_column_name(r, column)),
              LOG_TEXT("what", what));
}

static bool in_range(const struct db_rows *r, int row, int column)
{
    if (row >= 0 && row < db_count(r) && column >= 0 && column < db_columns(r))
        return true;
    fault(r, row, column, "there is no such row or column");
    return false;
}

/* The value's bytes where the column has one of the types (the list ends with 0); .p NULL for SQL NULL. */
static bool value_get(const struct db_rows *r, int row, int column, const Oid *types, struct bytes *out)
{
    *out = BYTES_NONE;
    if (!in_range(r, row, column))
        return false;
    while (*types != 0 && *types != PQftype(r->res, column))
        types++;
    if (*types == 0 || PQfformat(r->res, column) != 1) {
        fault(r, row, column, "the column has another type");
        return false;
    }
    if (!PQgetisnull(r->res, row, column))
        *out = BYTES(PQgetvalue(r->res, row, column), (size_t)PQgetlength(r->res, row, column));
    return true;
}

bool db_null(const struct db_rows *r, int row, int column)
{
    return !in_range(r, row, column) || PQgetisnull(r->res, row, column);
}

static int64_t time_decode(int64_t t)
{
    if (t == INT64_MAX || t == INT64_MIN)
        return t;
    int64_t seconds = t / 1000000;
    if (t % 1000000 < 0)        /* downwards, also before 2000 */
        seconds--;
    return seconds + DB_EPOCH;
}

int64_t db_number(const struct db_rows *r, int row, int column)
{
    struct bytes v;
    if (!value_get(r, row, column, NUMBER_TYPES, &v) || v.p == NULL)
        return 0;
    Oid type = PQftype(r->res, column);
    size_t want = type == OID_INT2 ? 2 : type == OID_INT4 ? 4 : 8;
    if (v.n != want) {
        fault(r, row, column, "the value has another length");
        return 0;
    }
    if (want == 2)
        return (int16_t)be16_get(v.p);
    if (want == 4)
        return (int32_t)be32_get(v.p);
    int64_t n = (int64_t)be64_get(v.p);
    return type == OID_TIMESTAMPTZ ? time_decode(n) : n;
}

bool db_bool(const struct db_rows *r, int row, int column)
{
    struct bytes v;
    return value_get(r, row, column, BOOL_TYPES, &v) && v.n == 1 && v.p[0] == 1;
}

const char *db_text(const struct db_rows *r, int row, int column)
{
    struct bytes v;
    if (!value_get(r, row, column, TEXT_TYPES, &v))
        return "";
    return (const char *)v.p;       /* libpq puts a NUL after every value, and PostgreSQL's text has none */
}

struct bytes db_bytes(const struct db_rows *r, int row, int column)
{
    struct bytes v;
    value_get(r, row, column, BYTEA_TYPES, &v);
    return v;
}

struct elements {
    struct bytes in;
    uint32_t count;
};

static bool take32(struct bytes *in, uint32_t *out)
{
    if (in->n < 4)
        return false;
    *out = be32_get(in->p);
    *in = BYTES(in->p + 4, in->n - 4);
    return true;
}

/* The head of a binary array of at most one dimension without NULLs; e->in is then at the first element. */
static bool elements_begin(struct bytes value, struct elements *e)
{
    uint32_t dimensions, nulls, type, bound;
    *e = (struct elements){.in = value};
    if (!take32(&e->in, &dimensions) || !take32(&e->in, &nulls) || !take32(&e->in, &type))
        return false;
    if (dimensions == 0)
        return e->in.n == 0;
    if (dimensions != 1 || !take32(&e->in, &e->count) || !take32(&e->in, &bound))
        return false;
    return e->count <= e->in.n / 4;     /* each element has a length, so that count bounds what is allocated */
}

static bool elements_next(struct elements *e, struct bytes *out)
{
    uint32_t n;
    if (!take32(&e->in, &n) || n > e->in.n)     /* -1, a NULL, is above every length */
        return false;
    *out = BYTES(e->in.p, n);
    e->in = BYTES(e->in.p + n, e->in.n - n);
    return true;
}

/* Copies the elements as bytes; texts are given a NUL each, which n does not count. */
static enum result array_get(const struct db_rows *r, int row, int column, const Oid *types, struct arena *a,
                             struct bytes **items, uint32_t *count)
{
    struct bytes v;
    struct elements e = {.count = 0};
    *items = NULL;
    *count = 0;
    if (!value_get(r, row, column, types, &v))
        return R_INTERNAL;
    if (v.p == NULL)
        return R_OK;
    if (!elements_begin(v, &e))
        goto bad;
    struct bytes *list = arena_array(a, e.count, sizeof *list);
    if (list == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < e.count; i++) {
        struct bytes b;
        if (!elements_next(&e, &b))
            goto bad;
        const char *copy = arena_text(a, b.p, b.n);
        if (copy == NULL)
            return R_NO_MEMORY;
        list[i] = BYTES(copy, b.n);
    }
    if (e.in.n != 0)
        goto bad;
    *items = list;
    *count = e.count;
    return R_OK;
bad:
    fault(r, row, column, "the array has NULLs or several dimensions, or is not well formed");
    return R_INTERNAL;
}

enum result db_byteas(const struct db_rows *r, int row, int column, struct arena *a, struct bytes **items, uint32_t *count)
{
    return array_get(r, row, column, BYTEAS_TYPES, a, items, count);
}

enum result db_texts(const struct db_rows *r, int row, int column, struct arena *a, const char ***items, uint32_t *count)
{
    struct bytes *list;
    uint32_t n;
    *items = NULL;
    *count = 0;
    enum result rc = array_get(r, row, column, TEXTS_TYPES, a, &list, &n);
    if (rc != R_OK || list == NULL)
        return rc;
    const char **texts = arena_array(a, n, sizeof *texts);
    if (texts == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < n; i++)
        texts[i] = (const char *)list[i].p;
    *items = texts;
    *count = n;
    return R_OK;
}

const char *db_copy_text(const struct db_rows *r, int row, int column, struct arena *a)
{
    const char *s = db_text(r, row, column);
    return s == NULL ? NULL : arena_text(a, s, strlen(s));
}

struct bytes db_copy_bytes(const struct db_rows *r, int row, int column, struct arena *a)
{
    struct bytes b = db_bytes(r, row, column);
    return b.p == NULL ? BYTES_NONE : arena_bytes(a, b);
}

void db_rows_free(struct db_rows *r)
{
    if (r == NULL)
        return;
    PQclear(r->res);
    free(r);
}
