#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/db_private.h"

/* What an error of the server means, by the beginning of its SQLSTATE; the first line that fits holds. Class 08 comes from a
 * pooler whose own connection broke, so that the statement may have been done. */
static const struct {
    const char *state;
    enum result result;
    enum log_level level;
    bool drop;
} STATES[] = {
    {"40001", R_BUSY, LOG_LEVEL_NOTICE, false},             /* serialization_failure */
    {"40P01", R_BUSY, LOG_LEVEL_WARNING, false},            /* deadlock_detected */
    {"55P03", R_BUSY, LOG_LEVEL_NOTICE, false},             /* lock_not_available */
    {"42501", R_DENIED, LOG_LEVEL_ERROR, false},            /* insufficient_privilege */
    {"25006", R_UNAVAILABLE, LOG_LEVEL_ERROR, true},        /* read_only_sql_transaction */
    {"57P", R_UNAVAILABLE, LOG_LEVEL_ERROR, true},          /* shutdown, crash, not yet started */
    {"57014", R_UNAVAILABLE, LOG_LEVEL_WARNING, false},     /* query_canceled */
    {"53", R_UNAVAILABLE, LOG_LEVEL_ERROR, false},          /* insufficient_resources */
    {"08", R_OUTCOME_UNKNOWN, LOG_LEVEL_ERROR, true},       /* connection_exception */
    {"", R_INTERNAL, LOG_LEVEL_ERROR, false},
};

static void call_begin(struct db *db)
{
    db->detail[0] = '\0';
    db->message[0] = '\0';
}

enum result db_unknown(struct db *db, const struct db_request *q, const char *cause)
{
    char text[DB_MESSAGE];
    db_text_copy(text, sizeof text, cause);     /* before the drop: it may be libpq's */
    db_drop(db);
    if (q->harmless) {
        db_outage(db, text);
        return R_UNAVAILABLE;
    }
    db_set_message(db, text);
    log_event(LOG_LEVEL_WARNING, "database-outcome-unknown", LOG_TEXT("statement", q->name), LOG_TEXT("cause", text));
    return R_OUTCOME_UNKNOWN;
}

/* --- sending --- */

/* The connection broke, or libpq refused, before the request was complete: the server has not run it. */
static enum result not_sent(struct db *db, const struct db_request *q)
{
    bool broken = PQstatus(db->connection) != CONNECTION_OK;
    db_set_message(db, PQerrorMessage(db->connection));
    log_event(broken ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR, broken ? "database-connection-lost" : "database-send-failed",
              LOG_TEXT("statement", q->name), LOG_TEXT("cause", db->message));
    db_drop(db);
    return broken ? R_UNAVAILABLE : R_INTERNAL;
}

/* queued: what PQsend... returned. */
static enum result flush(struct db *db, const struct db_request *q, int queued)
{
    int left = queued ? 1 : -1;
    while (left > 0 && (left = PQflush(db->connection)) > 0) {
        int got = db_poll(db, POLLIN | POLLOUT, q->deadline);
        if (got == 0)
            return db_unknown(db, q, "no time was left while sending");
        /* The server may wait for us to read before it goes on reading. */
        if (got < 0 || ((got & ~POLLOUT) != 0 && !PQconsumeInput(db->connection)))
            left = -1;
    }
    return left == 0 ? R_OK : not_sent(db, q);
}

static bool is_prepared(const struct db *db, const char *name)
{
    for (int i = 0; i < db->prepared_count; i++) {
        if (strcmp(db->prepared[i], name) == 0)
            return true;
    }
    return false;
}

static enum result prepared_add(struct db *db, const char *name)
{
    if (db->prepared_count == db->prepared_room) {
        int room = db->prepared_room == 0 ? 64 : db->prepared_room * 2;
        void *p = reallocarray(db->prepared, (size_t)room, sizeof *db->prepared);
        if (p == NULL)
            return R_NO_MEMORY;
        db->prepared = p;
        db->prepared_room = room;
    }
    db_text_copy(db->prepared[db->prepared_count++], DB_NAME, name);
    return R_OK;
}

static enum result prepare(struct db *db, const struct db_request *q)
{
    struct db_request p = *q;
    p.harmless = true;
    p.again = true;
    enum result r = flush(db, &p, PQsendPrepare(db->connection, q->name, q->sql, q->values->count, q->values->types));
    if (r == R_OK)
        r = db_finish(db, &p, NULL, NULL);
    if (r == R_OK && (r = prepared_add(db, q->name)) != R_OK)
        db_drop(db);        /* it is prepared there and not known here */
    return r;
}

static enum result send_once(struct db *db, const struct db_request *q)
{
    const struct db_values *v = q->values;
    PGconn *c = db->connection;
    if (v == NULL)
        return flush(db, q, PQsendQuery(c, q->sql));
    if (!db->config.prepare)
        return flush(db, q, PQsendQueryParams(c, q->sql, v->count, v->types, v->values, v->lengths, v->formats, 1));
    enum result r = is_prepared(db, q->name) ? R_OK : prepare(db, q);
    return r != R_OK ? r : flush(db, q, PQsendQueryPrepared(c, q->name, v->count, v->values, v->lengths, v->formats, 1));
}

enum result db_send(struct db *db, const struct db_request *q)
{
    enum result r = R_INTERNAL;
    db->plan_stale = false;
    for (int i = 0; i < 2; i++) {
        r = db_ready(db, q->deadline);
        if (r != R_OK)
            return r;
        r = send_once(db, q);
        /* Only a connection that broke under the send is worth another try, and not in the middle of a transaction. */
        if (r != R_UNAVAILABLE || db->connection != NULL || db->transaction != DB_NO_TRANSACTION)
            return r;
    }
    return r;
}

/* --- receiving --- */

enum result db_next(struct db *db, const struct db_request *q, PGresult **res)
{
    *res = NULL;
    while (PQisBusy(db->connection)) {
        int got = db_poll(db, POLLIN, q->deadline);
        if (got == 0)
            return db_unknown(db, q, "no answer in time");
        if (got < 0 || !PQconsumeInput(db->connection)) {
            if (PQstatus(db->connection) != CONNECTION_BAD)
                return db_unknown(db, q, PQerrorMessage(db->connection));
            break;      /* closed: PQgetResult gives what came before, then an error of its own, and does not wait */
        }
    }
    *res = PQgetResult(db->connection);
    return R_OK;
}

static bool is_failure(const PGresult *res)
{
    ExecStatusType s = PQresultStatus(res);
    return s == PGRES_FATAL_ERROR || s == PGRES_BAD_RESPONSE;
}

static const char *field(const PGresult *res, int code)
{
    const char *s = PQresultErrorField(res, code);
    return s == NULL ? "" : s;
}

/* Line of the script at the position (in characters, from 1) that the server names; 0 where it names none. */
static int line_of(const char *sql, const char *position)
{
    long at = strtol(position, NULL, 10);
    int line = 1;
    if (at <= 0)
        return 0;
    for (const char *p = sql; *p != '\0' && at > 1; p++) {
        line += *p == '\n';
        at -= ((unsigned char)p[1] & 0xc0) != 0x80;
    }
    return line;
}

/* For the operator's command line. Without DETAIL, which may hold a row's values. */
static void message_write(struct db *db, const struct db_request *q, const PGresult *res)
{
    const char *context = field(res, PG_DIAG_CONTEXT), *hint = field(res, PG_DIAG_MESSAGE_HINT);
    int line = q->values == NULL ? line_of(q->sql, field(res, PG_DIAG_STATEMENT_POSITION)) : 0;
    char text[2 * DB_MESSAGE], where[32] = "";
    if (line > 0)
        snprintf(where, sizeof where, ", line %d", line);
    snprintf(text, sizeof text, "%s (SQLSTATE %s%s)%s%s%s%.*s", field(res, PG_DIAG_MESSAGE_PRIMARY),
             field(res, PG_DIAG_SQLSTATE), where, hint[0] == '\0' ? "" : "; ", hint, context[0] == '\0' ? "" : "; ",
             (int)strcspn(context, "\n"), context);
    db_set_message(db, text);
}

static bool plan_is_stale(const struct db *db, const struct db_request *q, const PGresult *res)
{
    if (q->values == NULL || !db->config.prepare || q->again)
        return false;
    const char *state = field(res, PG_DIAG_SQLSTATE);
    return strcmp(state, "26000") == 0      /* the prepared statement does not exist: somebody said DISCARD ALL */
        || (strcmp(state, "0A000") == 0 && strcmp(field(res, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery") == 0);
}

/* Our own functions' errors: MESSAGE names the result. Success and unknown names are faults of theirs. */
static enum result raised(struct db *db, const struct db_request *q, const PGresult *res)
{
    const char *name = field(res, PG_DIAG_MESSAGE_PRIMARY);
    enum result r = result_from_name(name);
    db_text_copy(db->detail, sizeof db->detail, field(res, PG_DIAG_MESSAGE_DETAIL));
    if (r != R_OK && strcmp(result_name(r), name) == 0)
        return r;
    log_event(LOG_LEVEL_ERROR, "database-bad-code", LOG_TEXT("statement", q->name), LOG_TEXT("code", name));
    return R_INTERNAL;
}

/* An error that the server reported. */
static enum result refused(struct db *db, const struct db_request *q, const PGresult *res)
{
    const char *state = field(res, PG_DIAG_SQLSTATE), *severity = field(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (strcmp(state, "CH000") == 0) {
        db_answered(db);
        return raised(db, q, res);
    }
    message_write(db, q, res);
    if (plan_is_stale(db, q, res)) {
        log_event(LOG_LEVEL_NOTICE, "database-plan-stale", LOG_TEXT("statement", q->name), LOG_TEXT("sqlstate", state));
        db->plan_stale = true;
        db->prepared_count = 0;
        if (strcmp(state, "26000") != 0)
            db_drop(db);        /* the name is still taken there; a new connection has no plans */
        return R_UNAVAILABLE;
    }
    size_t i = 0;
    while (strncmp(state, STATES[i].state, strlen(STATES[i].state)) != 0)
        i++;
    if (STATES[i].result == R_OUTCOME_UNKNOWN)
        return db_unknown(db, q, db->message);
    if (STATES[i].drop) {
        db_outage(db, db->message);
    } else {
        db_answered(db);
        log_event(STATES[i].level, "database-error", LOG_TEXT("statement", q->name), LOG_TEXT("sqlstate", state),
                  LOG_TEXT("message", field(res, PG_DIAG_MESSAGE_PRIMARY)), LOG_RESULT(STATES[i].result));
    }
    if (STATES[i].drop || strcmp(severity, "FATAL") == 0)
        db_drop(db);
    return STATES[i].result;
}

/* Which of two answers tells more: the first failure. A failure after a success is the commit's. */
static PGresult *keep(PGresult *old, PGresult *res, bool *after_success)
{
    if (old != NULL && (is_failure(old) || !is_failure(res))) {
        PQclear(res);
        return old;
    }
    *after_success = old != NULL && is_failure(res);
    PQclear(old);
    return res;
}

static bool is_copy(const PGresult *res)
{
    ExecStatusType s = PQresultStatus(res);
    return s == PGRES_COPY_IN || s == PGRES_COPY_OUT || s == PGRES_COPY_BOTH;
}

enum result db_finish(struct db *db, const struct db_request *q, PGresult *first, PGresult **out)
{
    PGresult *kept = first, *res = NULL;
    bool after_success = false;
    enum result r = R_OK;
    if (out != NULL)
        *out = NULL;
    while ((r = db_next(db, q, &res)) == R_OK && res != NULL && !is_copy(res))
        kept = keep(kept, res, &after_success);
    bool commits = after_success || q->commits;
    bool reported = kept != NULL && is_failure(kept) && field(kept, PG_DIAG_SQLSTATE)[0] != '\0';
    if (res != NULL) {
        PQclear(res);
        db_drop(db);        /* a COPY that nobody reads: the connection cannot be used further */
        db_set_message(db, "the statement was a COPY");
        log_event(LOG_LEVEL_ERROR, "database-unexpected-copy", LOG_TEXT("statement", q->name));
        r = R_INTERNAL;
    } else if (reported && commits && strncmp(field(kept, PG_DIAG_SQLSTATE), "57P", 3) == 0) {
        if (r == R_OK)      /* the session ended at the commit, on either side of it */
            r = db_unknown(db, q, field(kept, PG_DIAG_MESSAGE_PRIMARY));
    } else if (reported) {
        r = refused(db, q, kept);       /* what the server said holds, even if the connection broke after it */
    } else if (r == R_OK && (kept == NULL || is_failure(kept))) {
        r = db_unknown(db, q, kept == NULL ? "no answer" : PQresultErrorMessage(kept));
    } else if (r == R_OK) {
        db_answered(db);
    }
    if (r == R_OK && out != NULL) {
        *out = kept;
        kept = NULL;
    }
    PQclear(kept);
    return r;
}

/* --- statements --- */

static enum result exec(struct db *db, struct db_request *q, PGresult **res)
{
    enum result r = R_INTERNAL;
    for (int i = 0; i < 2; i++) {
        q->again = i > 0;
        r = db_send(db, q);
        if (r == R_OK)
            r = db_finish(db, q, NULL, res);
        if (!db->plan_stale || db->transaction != DB_NO_TRANSACTION)
            break;
    }
    return r;
}

enum result db_exec(struct db *db, const struct db_statement *s, const struct db_param *params, int count, int timeout_ms,
                    struct db_rows **rows)
{
    struct db_values values;
    struct db_rows *out = NULL;
    PGresult *res = NULL;
    struct db_request q = {.name = s->name, .sql = s->sql, .values = &values, .deadline = clock_monotonic_ms() + timeout_ms};
    if (rows != NULL)
        *rows = NULL;
    call_begin(db);
    enum result r = db_values_encode(&values, s->name, params, count);
    if (r == R_OK && strlen(s->name) >= DB_NAME) {
        r = R_INTERNAL;
        log_event(LOG_LEVEL_ERROR, "database-bad-name", LOG_TEXT("statement", s->name));
    }
    if (r == R_OK && rows != NULL && (out = calloc(1, sizeof *out)) == NULL)
        r = R_NO_MEMORY;
    if (r == R_OK)
        r = exec(db, &q, &res);
    if (r == R_OK && rows != NULL) {
        *out = (struct db_rows){.res = res, .statement = s->name};
        *rows = out;
        res = NULL;
        out = NULL;
    }
    PQclear(res);
    free(out);
    db_values_free(&values);
    return r;
}

static enum result simple(struct db *db, const char *name, const char *sql, int timeout_ms, bool harmless)
{
    struct db_request q = {.name = name, .sql = sql, .deadline = clock_monotonic_ms() + timeout_ms, .harmless = harmless};
    enum result r = db_send(db, &q);
    return r != R_OK ? r : db_finish(db, &q, NULL, NULL);
}

enum result db_begin(struct db *db, bool repeatable_read, int timeout_ms)
{
    call_begin(db);
    if (db->transaction != DB_NO_TRANSACTION) {
        log_event(LOG_LEVEL_ERROR, "database-nested-transaction");
        db_rollback(db);
        return R_INTERNAL;
    }
    const char *sql = repeatable_read ? "begin isolation level repeatable read" : "begin";
    enum result r = simple(db, "begin", sql, timeout_ms, true);
    if (r == R_OK)
        db->transaction = DB_IN_TRANSACTION;
    return r;
}

enum result db_commit(struct db *db, int timeout_ms)
{
    call_begin(db);
    if (db->transaction == DB_NO_TRANSACTION) {
        log_event(LOG_LEVEL_ERROR, "database-no-transaction");
        return R_INTERNAL;
    }
    PGresult *res = NULL;
    struct db_request q = {.name = "commit", .sql = "commit", .deadline = clock_monotonic_ms() + timeout_ms, .commits = true};
    enum result r = db_send(db, &q);
    if (r == R_OK)
        r = db_finish(db, &q, NULL, &res);
    if (r == R_OK && strcmp(PQcmdStatus(res), "COMMIT") != 0) {     /* ROLLBACK: a statement in it had failed */
        db_set_message(db, "the transaction had failed and was rolled back");
        log_event(LOG_LEVEL_ERROR, "database-transaction-failed", LOG_TEXT("answer", PQcmdStatus(res)));
        r = R_INTERNAL;
    }
    PQclear(res);
    PGTransactionStatusType status = PQtransactionStatus(db->connection);
    if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR)     /* not even sent */
        db_rollback(db);
    db->transaction = DB_NO_TRANSACTION;
    return r;
}

void db_rollback(struct db *db)
{
    if (db->transaction == DB_IN_TRANSACTION && simple(db, "rollback", "rollback", LIMIT_DB_MS, true) != R_OK)
        db_drop(db);
    db->transaction = DB_NO_TRANSACTION;
}

enum result db_script(struct db *db, const char *sql, int timeout_ms)
{
    call_begin(db);
    enum result r = simple(db, "script", sql, timeout_ms, false);
    if (r != R_OK)
        return r;
    PGTransactionStatusType want = db->transaction == DB_IN_TRANSACTION ? PQTRANS_INTRANS : PQTRANS_IDLE;
    if (PQtransactionStatus(db->connection) == want)
        return R_OK;
    db_set_message(db, "the script began or ended a transaction of its own");
    log_event(LOG_LEVEL_ERROR, "database-script-transaction");
    db_drop(db);
    return R_INTERNAL;
}

enum result db_wait(struct db *db, int timeout_ms)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        int left = clock_left_ms(deadline);
        call_begin(db);
        enum result r = simple(db, "wait", "select 1", left < LIMIT_DB_MS ? left : LIMIT_DB_MS, true);
        left = clock_left_ms(deadline);
        if (r == R_OK || left == 0 || db->transaction != DB_NO_TRANSACTION)
            return r;
        poll(NULL, 0, left < 200 ? left : 200);
    }
}
