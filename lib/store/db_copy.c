#include <poll.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/db_private.h"

/* PostgreSQL's documentation, "COPY", Binary Format. */
static const uint8_t SIGNATURE[11] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0};
#define HEAD_SIZE (sizeof SIGNATURE + 8)    /* then flags and the length of an extension */
#define CRITICAL_FLAGS 0xffff0000u

void db_copy_init(struct db_copy_stream *s, db_copy_row *row, void *context)
{
    s->begun = s->ended = false;
    s->row = row;
    s->context = context;
    buf_init(&s->rest, DB_TUPLE_LIMIT);
}

void db_copy_free(struct db_copy_stream *s)
{
    buf_free(&s->rest);
}

static enum result malformed(enum result r)
{
    log_event(LOG_LEVEL_ERROR, "database-bad-copy", LOG_RESULT(r));
    return r;
}

/* Each take_ function sets *took to the bytes of a complete part, 0 where more must come first. */
static enum result take_head(struct db_copy_stream *s, struct bytes in, size_t *took)
{
    *took = 0;
    if (in.n < HEAD_SIZE)
        return R_OK;
    uint32_t extension = be32_get(in.p + sizeof SIGNATURE + 4);
    if (memcmp(in.p, SIGNATURE, sizeof SIGNATURE) != 0 || (be32_get(in.p + sizeof SIGNATURE) & CRITICAL_FLAGS) != 0)
        return malformed(R_INTERNAL);
    if (extension > DB_TUPLE_LIMIT)
        return malformed(R_TOO_LARGE);
    if (in.n - HEAD_SIZE >= extension) {
        *took = HEAD_SIZE + extension;
        s->begun = true;
    }
    return R_OK;
}

static enum result take_tuple(struct db_copy_stream *s, struct bytes in, size_t *took)
{
    size_t at = 2;
    *took = 0;
    if (in.n < at)
        return R_OK;
    int count = (int16_t)be16_get(in.p);
    if (count == -1) {
        s->ended = true;
        *took = at;
        return R_OK;
    }
    if (count < 0 || count > DB_FIELDS)
        return malformed(R_INTERNAL);
    for (int i = 0; i < count; i++) {
        if (in.n - at < 4)
            return R_OK;
        uint32_t n = be32_get(in.p + at);
        at += 4;
        s->fields[i] = BYTES_NONE;
        if (n == UINT32_MAX)
            continue;
        if (n > DB_TUPLE_LIMIT)
            return malformed(R_TOO_LARGE);
        if (in.n - at < n)
            return R_OK;
        s->fields[i] = BYTES(in.p + at, n);
        at += n;
    }
    *took = at;
    return s->row(s->context, s->fields, count);
}

enum result db_copy_feed(struct db_copy_stream *s, struct bytes piece)
{
    size_t used = 0, took = 0;
    enum result r = R_OK;
    /* As a rule a piece is one tuple and nothing is left over from the last: then it is read where it lies. */
    bool direct = s->rest.n == 0;
    if (!direct)
        buf_append(&s->rest, piece.p, piece.n);
    if (s->rest.failed)
        return malformed(R_TOO_LARGE);
    struct bytes in = direct ? piece : buf_bytes(&s->rest);
    while (r == R_OK && !s->ended) {
        struct bytes at = BYTES(in.p + used, in.n - used);
        r = s->begun ? take_tuple(s, at, &took) : take_head(s, at, &took);
        used += took;
        if (took == 0)
            break;
    }
    if (r == R_OK && s->ended && used < in.n)
        r = malformed(R_INTERNAL);
    if (r != R_OK)
        return r;
    if (direct) {
        buf_append(&s->rest, in.p + used, in.n - used);
    } else {
        memmove(s->rest.p, s->rest.p + used, s->rest.n - used);
        s->rest.n -= used;
    }
    return s->rest.failed ? malformed(R_TOO_LARGE) : R_OK;
}

enum result db_copy_end(const struct db_copy_stream *s)
{
    return s->ended ? R_OK : malformed(R_INTERNAL);
}

static enum result read_rows(struct db *db, const struct db_request *q, struct db_copy_stream *s)
{
    enum result r = R_OK;
    while (r == R_OK) {
        char *piece = NULL;
        int n = PQgetCopyData(db->connection, &piece, 1);
        if (n < 0)      /* the end, or an error that the next answer tells */
            return R_OK;
        if (n > 0) {
            r = db_copy_feed(s, BYTES(piece, (size_t)n));
            PQfreemem(piece);
            if (r == R_OK && clock_left_ms(q->deadline) == 0)
                r = db_unknown(db, q, "no time was left while copying");
            continue;
        }
        int got = db_poll(db, POLLIN, q->deadline);
        if (got == 0)
            r = db_unknown(db, q, "no answer in time while copying");
        else if (got < 0 || !PQconsumeInput(db->connection))
            r = db_unknown(db, q, PQerrorMessage(db->connection));
    }
    return r;
}

static enum result copy(struct db *db, const struct db_request *q, struct db_copy_stream *s)
{
    PGresult *res = NULL;
    enum result r = db_send(db, q);
    if (r == R_OK)
        r = db_next(db, q, &res);
    if (r != R_OK)
        return r;
    if (PQresultStatus(res) != PGRES_COPY_OUT) {
        r = db_finish(db, q, res, NULL);
        return r == R_OK ? R_INTERNAL : r;
    }
    PQclear(res);
    r = read_rows(db, q, s);
    if (r != R_OK) {
        db_drop(db);        /* costs less than to read the rest of what is not wanted */
        return r;
    }
    r = db_finish(db, q, NULL, NULL);
    return r != R_OK ? r : db_copy_end(s);
}

enum result db_copy(struct db *db, const char *query, int timeout_ms, db_copy_row *row, void *context)
{
    struct db_copy_stream s;
    struct buf sql;
    db->detail[0] = '\0';
    db->message[0] = '\0';
    db_copy_init(&s, row, context);
    buf_init(&sql, DB_TUPLE_LIMIT);
    buf_printf(&sql, "copy (%s) to stdout (format binary)", query);
    buf_byte(&sql, 0);
    enum result r = buf_result(&sql);
    if (r == R_OK) {
        struct db_request q = {.name = "copy", .sql = (const char *)sql.p, .deadline = clock_monotonic_ms() + timeout_ms};
        r = copy(db, &q, &s);
    }
    db_copy_free(&s);
    buf_free(&sql);
    return r;
}
