/*
 * db: one connection to PostgreSQL, asynchronous, with deadlines; the only user of libpq.
 *
 * A statement is a constant: SQL with out-of-line parameters, all values binary. Prepared on first use of a connection when the
 * configuration says so (chancery.conf: prepare), else sent unprepared, so that pgbouncer in transaction mode works: no SET, no
 * LISTEN, no session state is used. A lost connection is opened anew by the next call, through libpq's host list.
 *
 * Results:
 *   R_UNAVAILABLE      the server could not be reached, or ended the session before it answered (57P0x), or lacks resources
 *                      (53xxx), or the statement was cancelled there (57014): it was not done. Also 25006, a read-only server
 *                      (a standby before its promotion), which drops the connection.
 *   R_OUTCOME_UNKNOWN  the deadline passed or the connection broke after the statement was sent, or a pooler lost its server
 *                      (08xxx): the connection is closed, and the caller must not take it for a failure.
 *   of CH000           what our functions raise: MESSAGE is the result's name, DETAIL the particulars (db_detail). Not logged.
 *   R_BUSY             40001, 40P01, 55P03
 *   R_DENIED           42501
 *   R_INTERNAL         any other error of the server, logged with SQLSTATE and message, and misuse of these functions.
 * A connection that broke before the whole statement was sent is opened anew once, within the same deadline, except inside a
 * transaction: what follows in one whose connection is gone is R_UNAVAILABLE until db_rollback. A host of the list that is silent
 * costs its share of the deadline, then the next is tried. Names of hosts are looked up by the system's resolver, which knows no
 * deadline: prefer addresses and sockets.
 *
 * Not thread-safe; opened after fork. PGresult never leaves: rows are read through accessors.
 */
#ifndef CHANCERY_STORE_DB_H
#define CHANCERY_STORE_DB_H

#include "lib/base/arena.h"
#include "lib/base/bytes.h"

struct db;
struct db_rows;

struct db_config {
    const char *connection;      /* libpq string, without user and password */
    const char *user;            /* database role */
    const char *password;        /* NULL: peer or certificate */
    const char *application;     /* application_name, for the operator's eye */
    bool prepare;
};
/* Remembers the configuration (pointers borrowed for the life of the db); connects at the first call. */
enum result db_open(const struct db_config *c, struct db **out);
void db_close(struct db *db);
bool db_is_connected(const struct db *db);

struct db_statement { const char *name, *sql; };     /* name: unique, also the prepared statement's */

enum db_type { DB_INT2, DB_INT4, DB_INT8, DB_BOOL, DB_TEXT, DB_BYTEA, DB_TIME, DB_TEXT_ARRAY, DB_BYTEA_ARRAY, DB_INT8_ARRAY };
struct db_param {
    enum db_type type;
    bool null;
    union {
        int64_t number;                                   /* also DB_TIME: unix seconds */
        const char *text;
        struct bytes bytes;
        struct { const char *const *items; uint32_t count; } texts;
        struct { const struct bytes *items; uint32_t count; } byteas;
        struct { const int64_t *items; uint32_t count; } numbers;
    } as;
};
#define DB_P_INT2(v) ((struct db_param){DB_INT2, false, {.number = (v)}})
#define DB_P_INT4(v) ((struct db_param){DB_INT4, false, {.number = (v)}})
#define DB_P_INT8(v) ((struct db_param){DB_INT8, false, {.number = (v)}})
#define DB_P_BOOL(v) ((struct db_param){DB_BOOL, false, {.number = (v)}})
#define DB_P_TIME(v) ((struct db_param){DB_TIME, false, {.number = (v)}})
#define DB_P_TEXT(v) ((struct db_param){DB_TEXT, (v) == NULL, {.text = (v)}})        /* NULL pointer: SQL NULL */
#define DB_P_BYTES(v) ((struct db_param){DB_BYTEA, (v).p == NULL, {.bytes = (v)}})
#define DB_P_TEXTS(v, n) ((struct db_param){DB_TEXT_ARRAY, false, {.texts = {(v), (n)}}})
#define DB_P_BYTEAS(v, n) ((struct db_param){DB_BYTEA_ARRAY, false, {.byteas = {(v), (n)}}})
#define DB_P_INT8S(v, n) ((struct db_param){DB_INT8_ARRAY, false, {.numbers = {(v), (n)}}})
#define DB_P_NULL(t) ((struct db_param){(t), true, {0}})

/* One statement, one result. timeout_ms: for the whole call, connecting included. *rows is freed by db_rows_free and set to NULL
 * on failure; rows may be NULL. At most 100 parameters. A number that its type cannot hold is R_INTERNAL. NULL pointers in arrays
 * of texts and byteas are NULL elements. */
enum result db_exec(struct db *db, const struct db_statement *s, const struct db_param *params, int count, int timeout_ms,
                    struct db_rows **rows);
/* DETAIL of the last CH000 error, "" where none; valid until the next call. */
const char *db_detail(const struct db *db);

int db_count(const struct db_rows *r);
int db_columns(const struct db_rows *r);
const char *db_column_name(const struct db_rows *r, int column);
bool db_null(const struct db_rows *r, int row, int column);
/* Each checks the column's type: a wrong one is a fault of ours, logged, and gives 0, "" or none, as a row or column that does
 * not exist does. Values are valid until db_rows_free. */
/* int2, int4, int8; timestamptz as unix seconds ('infinity' as INT64_MAX, '-infinity' as INT64_MIN); 0 for SQL NULL */
int64_t db_number(const struct db_rows *r, int row, int column);
bool db_bool(const struct db_rows *r, int row, int column);
const char *db_text(const struct db_rows *r, int row, int column);    /* text, varchar, name, json; NULL for SQL NULL */
struct bytes db_bytes(const struct db_rows *r, int row, int column);  /* bytea; .p NULL for SQL NULL */
/* One-dimensional arrays, copied into the arena; SQL NULL gives count 0. NULL elements are refused (R_INTERNAL). */
enum result db_texts(const struct db_rows *r, int row, int column, struct arena *a, const char ***items, uint32_t *count);
enum result db_byteas(const struct db_rows *r, int row, int column, struct arena *a, struct bytes **items, uint32_t *count);
/* The same, copied into the arena; NULL and .p NULL for SQL NULL, or where memory ran out. */
const char *db_copy_text(const struct db_rows *r, int row, int column, struct arena *a);
struct bytes db_copy_bytes(const struct db_rows *r, int row, int column, struct arena *a);
void db_rows_free(struct db_rows *r);

/* Transactions, for the CRL lane and migrations alone; everything else is one statement. db_rollback is harmless without one, and
 * keeps db_detail and db_message of what failed before it. After db_commit there is no transaction, whatever its result. */
enum result db_begin(struct db *db, bool repeatable_read, int timeout_ms);
enum result db_commit(struct db *db, int timeout_ms);
void db_rollback(struct db *db);
/* Several statements of trusted text (a migration file), simple protocol; it may not begin or end a transaction of its own. */
enum result db_script(struct db *db, const char *sql, int timeout_ms);
/* The message of the last failure that was not CH000, for the command line; "" where none. Valid until the next call. */
const char *db_message(const struct db *db);

/* COPY (query) TO STDOUT (FORMAT binary): row is called for each tuple with its fields (.p NULL: SQL NULL; valid in the call); a
 * result other than R_OK stops, closes the connection (and so ends a transaction) and is returned. The deadline counts the time
 * spent in row as well. query is a constant; a number may be put in by the caller with arena_printf from integers only. */
typedef enum result db_copy_row(void *context, const struct bytes *fields, int count);
enum result db_copy(struct db *db, const char *query, int timeout_ms, db_copy_row *row, void *context);

/* Waits until the server answers, for supervised programs at start: up to timeout_ms, a try every 200 ms. */
enum result db_wait(struct db *db, int timeout_ms);

#endif
