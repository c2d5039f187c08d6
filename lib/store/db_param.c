#include <limits.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/store/db_private.h"

static const struct {
    Oid oid, element;
    int64_t min, max;       /* of a number */
} TYPES[] = {
    [DB_INT2] = {OID_INT2, 0, INT16_MIN, INT16_MAX},
    [DB_INT4] = {OID_INT4, 0, INT32_MIN, INT32_MAX},
    [DB_INT8] = {OID_INT8, 0, INT64_MIN, INT64_MAX},
    [DB_BOOL] = {OID_BOOL, 0, 0, 1},
    [DB_TEXT] = {OID_TEXT, 0, 0, 0},
    [DB_BYTEA] = {OID_BYTEA, 0, 0, 0},
    [DB_TIME] = {OID_TIMESTAMPTZ, 0, INT64_MIN, INT64_MAX},
    [DB_TEXT_ARRAY] = {OID_TEXT_ARRAY, OID_TEXT, 0, 0},
    [DB_BYTEA_ARRAY] = {OID_BYTEA_ARRAY, OID_BYTEA, 0, 0},
    [DB_INT8_ARRAY] = {OID_INT8_ARRAY, OID_INT8, 0, 0},
};
#define TYPE_COUNT (sizeof TYPES / sizeof *TYPES)

/* Microseconds since 2000; the ends of the range are PostgreSQL's infinities. */
static bool time_encode(int64_t t, int64_t *out)
{
    if (t == INT64_MAX || t == INT64_MIN) {
        *out = t;
        return true;
    }
    return !__builtin_sub_overflow(t, DB_EPOCH, out) && !__builtin_mul_overflow(*out, 1000000, out);
}

/* Length of the cell; 0 where the value is out of range. */
static int number_encode(const struct db_param *p, uint8_t cell[8])
{
    int64_t n = p->as.number;
    if (n < TYPES[p->type].min || n > TYPES[p->type].max)
        return 0;
    switch (p->type) {
    case DB_BOOL:
        cell[0] = (uint8_t)n;
        return 1;
    case DB_INT2:
        be16_put(cell, (uint16_t)n);
        return 2;
    case DB_INT4:
        be32_put(cell, (uint32_t)n);
        return 4;
    case DB_TIME:
        if (!time_encode(n, &n))
            return 0;
        be64_put(cell, (uint64_t)n);
        return 8;
    default:
        be64_put(cell, (uint64_t)n);
        return 8;
    }
}

static void put32(struct buf *b, uint32_t v)
{
    uint8_t p[4];
    be32_put(p, v);
    buf_append(b, p, sizeof p);
}

static void element_put(struct buf *b, struct bytes e)
{
    if (e.n > INT_MAX)
        b->failed = true;
    put32(b, e.p == NULL ? UINT32_MAX : (uint32_t)e.n);     /* -1: NULL */
    if (e.p != NULL)
        buf_append(b, e.p, e.n);
}

static struct bytes element_get(const struct db_param *p, uint32_t i, uint8_t cell[8])
{
    switch (p->type) {
    case DB_TEXT_ARRAY:
        return bytes_of_text(p->as.texts.items[i]);
    case DB_BYTEA_ARRAY:
        return p->as.byteas.items[i];
    default:
        be64_put(cell, (uint64_t)p->as.numbers.items[i]);
        return BYTES(cell, 8);
    }
}

/* Dimensions, "has NULLs", element type; of the one dimension size and lower bound; the elements. */
static int array_encode(const struct db_param *p, struct buf *b)
{
    uint32_t count = p->type == DB_TEXT_ARRAY ? p->as.texts.count
        : p->type == DB_BYTEA_ARRAY ? p->as.byteas.count : p->as.numbers.count;
    size_t start = b->n;
    uint8_t cell[8];
    uint32_t nulls = 0;
    for (uint32_t i = 0; i < count && nulls == 0; i++)
        nulls = element_get(p, i, cell).p == NULL;
    put32(b, count > 0);
    put32(b, nulls);
    put32(b, TYPES[p->type].element);
    if (count > 0) {
        put32(b, count);
        put32(b, 1);
    }
    for (uint32_t i = 0; i < count && !b->failed; i++)
        element_put(b, element_get(p, i, cell));
    return (int)(b->n - start);
}

static enum result value_encode(struct db_values *v, int i, const struct db_param *p)
{
    if ((size_t)p->type >= TYPE_COUNT)
        return R_INTERNAL;
    v->types[i] = TYPES[p->type].oid;
    v->formats[i] = 1;
    v->values[i] = NULL;
    v->lengths[i] = 0;
    if (p->null)
        return R_OK;
    struct bytes b;
    switch (p->type) {
    case DB_TEXT:
    case DB_BYTEA:
        b = p->type == DB_TEXT ? bytes_of_text(p->as.text) : p->as.bytes;
        if (b.n > INT_MAX)
            return R_TOO_LARGE;
        v->values[i] = (const char *)b.p;
        v->lengths[i] = (int)b.n;
        return R_OK;
    case DB_TEXT_ARRAY:
    case DB_BYTEA_ARRAY:
    case DB_INT8_ARRAY:
        v->offsets[i] = v->arrays.n;
        v->lengths[i] = array_encode(p, &v->arrays);
        return buf_result(&v->arrays);
    default:
        v->values[i] = (const char *)v->cells[i];
        v->lengths[i] = number_encode(p, v->cells[i]);
        return v->lengths[i] > 0 ? R_OK : R_INTERNAL;
    }
}

enum result db_values_encode(struct db_values *v, const char *statement, const struct db_param *params, int count)
{
    enum result r = R_OK;
    int i = 0;
    v->count = count;
    buf_init(&v->arrays, DB_ARRAYS_LIMIT);
    if (count < 0 || count > DB_PARAMS)
        r = R_INTERNAL;
    for (i = 0; r == R_OK && i < count; i++)
        r = value_encode(v, i, &params[i]);
    if (r != R_OK) {
        log_event(LOG_LEVEL_ERROR, "database-bad-parameter", LOG_TEXT("statement", statement), LOG_NUM("parameter", i),
                  LOG_NUM("parameters", count), LOG_RESULT(r));
        return r;
    }
    /* Only now, because the buffer moves while it grows. */
    for (i = 0; i < count; i++) {
        if (!params[i].null && TYPES[params[i].type].element != 0)
            v->values[i] = (const char *)v->arrays.p + v->offsets[i];
    }
    return R_OK;
}

void db_values_free(struct db_values *v)
{
    bytes_wipe(v->cells, sizeof v->cells);
    buf_free(&v->arrays);
}
