/*
 * db_live CONNECTION: the database layer against a real server: every type both ways, errors, transactions, COPY; prepared and
 * not. Uses schema db_live of the database, which it makes and drops. The role must be allowed to do that.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/store/db.h"
#include "tests/flow/tap.h"

#define MS 10000

static const char *mode = "";

#define CHECK(condition, why) tap_ok((condition), "%s: %s", mode, (why))

static enum result number_of(struct db *db, const char *sql, int64_t *out)
{
    char name[64];
    struct db_rows *rows;
    struct db_statement s = {name, sql};
    static int serial;
    snprintf(name, sizeof name, "number_%d", serial++);
    *out = -1;
    enum result r = db_exec(db, &s, NULL, 0, MS, &rows);
    if (r == R_OK)
        *out = db_number(rows, 0, 0);
    db_rows_free(rows);
    return r;
}

static int64_t number(struct db *db, const char *sql)
{
    int64_t n;
    number_of(db, sql, &n);
    return n;
}

/* --- types --- */

static const struct {
    const char *why, *type;
    struct db_param param;
    int64_t want;
} NUMBERS[] = {
    {"int2 smallest", "int2", DB_P_INT2(INT16_MIN), INT16_MIN},
    {"int4 largest", "int4", DB_P_INT4(INT32_MAX), INT32_MAX},
    {"int8 smallest", "int8", DB_P_INT8(INT64_MIN), INT64_MIN},
    {"a time", "timestamptz", DB_P_TIME(1795273445), 1795273445},
    {"a time before 1970", "timestamptz", DB_P_TIME(-86401), -86401},
    {"infinity", "timestamptz", DB_P_TIME(INT64_MAX), INT64_MAX},
    {"-infinity", "timestamptz", DB_P_TIME(INT64_MIN), INT64_MIN},
};

static void test_numbers(struct db *db)
{
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        char sql[64], name[64];
        struct db_statement s = {name, sql};
        struct db_rows *rows;
        snprintf(sql, sizeof sql, "select $1 as v, pg_typeof($1) = '%s'::regtype", NUMBERS[i].type);
        snprintf(name, sizeof name, "t_number_%zu", i);
        enum result r = db_exec(db, &s, &NUMBERS[i].param, 1, MS, &rows);
        CHECK(r == R_OK && db_count(rows) == 1 && db_columns(rows) == 2 && strcmp(db_column_name(rows, 0), "v") == 0
              && db_number(rows, 0, 0) == NUMBERS[i].want && db_bool(rows, 0, 1), NUMBERS[i].why);
        db_rows_free(rows);
    }
    CHECK(number(db, "select '2026-11-22T15:04:05.999Z'::timestamptz") == 1795359845, "a fraction of a second is cut");
}

static void test_texts(struct db *db)
{
    static const struct db_statement s = {"t_text",
        "select $1, $2, $3, $4, $5, $1::varchar, $1::name, to_json($1), length($1), octet_length($2)"};
    struct db_rows *rows;
    const struct db_param p[] = {
        DB_P_TEXT("Z\xc3\xbcrich \xf0\x9f\x94\x91"), DB_P_BYTES(BYTES("\0\xff\0", 3)), DB_P_BOOL(true), DB_P_TEXT(""),
        DB_P_BYTES(BYTES("", 0)),
    };
    enum result r = db_exec(db, &s, p, 5, MS, &rows);
    CHECK(r == R_OK && strcmp(db_text(rows, 0, 0), p[0].as.text) == 0 && db_number(rows, 0, 8) == 8, "text is UTF-8");
    CHECK(bytes_equal(db_bytes(rows, 0, 1), p[1].as.bytes) && db_number(rows, 0, 9) == 3, "bytes with zeros");
    CHECK(db_bool(rows, 0, 2), "bool");
    CHECK(!db_null(rows, 0, 3) && strcmp(db_text(rows, 0, 3), "") == 0, "empty text is not NULL");
    CHECK(!db_null(rows, 0, 4) && db_bytes(rows, 0, 4).p != NULL && db_bytes(rows, 0, 4).n == 0, "empty bytes are not NULL");
    CHECK(strcmp(db_text(rows, 0, 5), p[0].as.text) == 0 && strcmp(db_text(rows, 0, 6), p[0].as.text) == 0
          && strlen(db_text(rows, 0, 7)) == strlen(p[0].as.text) + 2, "varchar, name, json");
    db_rows_free(rows);
}

static void test_nulls(struct db *db)
{
    static const struct db_statement s = {"t_null",
        "select $1 is null and $2 is null and $3 is null and $4 is null and $5 is null and "
        "$6 is null and $7 is null and $8 is null and $9 is null and $10 is null, $1, $5, $6, $7, $8, $9"};
    struct db_param p[10];
    struct db_rows *rows;
    struct arena a;
    const char **texts;
    struct bytes *byteas;
    uint32_t n = 9, m = 9;
    arena_init(&a, 4096);
    for (int i = 0; i < 10; i++)
        p[i] = DB_P_NULL((enum db_type)i);
    enum result r = db_exec(db, &s, p, 10, MS, &rows);
    CHECK(r == R_OK && db_bool(rows, 0, 0), "NULL of every type arrives as NULL");
    CHECK(db_null(rows, 0, 1) && db_number(rows, 0, 1) == 0, "NULL number");
    CHECK(db_text(rows, 0, 2) == NULL && db_bytes(rows, 0, 3).p == NULL && db_number(rows, 0, 4) == 0, "NULL text, bytes, time");
    CHECK(db_texts(rows, 0, 5, &a, &texts, &n) == R_OK && n == 0 && db_byteas(rows, 0, 6, &a, &byteas, &m) == R_OK && m == 0,
          "NULL arrays are empty");
    db_rows_free(rows);
    arena_free(&a);
}

static void test_arrays(struct db *db)
{
    static const struct db_statement s = {"t_array",
        "select $1, $2, (select sum(v) from unnest($3) v)::int8, array_ndims($4) is null, "
        "$4, $5, array[array['a'], array['b']], (select count(*) from unnest($5) v where v is null)"};
    static const char *const texts[] = {"a", "", "\xc3\xbc,{}\""}, *const holes[] = {"x", NULL};
    static const struct bytes byteas[] = {{(const uint8_t *)"\0\1", 2}, {(const uint8_t *)"", 0}};
    static const int64_t numbers[] = {INT64_MAX, -1, 2 - INT64_MAX};
    const struct db_param p[] = {DB_P_TEXTS(texts, 3), DB_P_BYTEAS(byteas, 2), DB_P_INT8S(numbers, 3), DB_P_TEXTS(NULL, 0),
                                 DB_P_TEXTS(holes, 2)};
    struct db_rows *rows;
    struct arena a;
    const char **t;
    struct bytes *b;
    uint32_t n, m;
    arena_init(&a, 65536);
    enum result r = db_exec(db, &s, p, 5, MS, &rows);
    CHECK(r == R_OK && db_texts(rows, 0, 0, &a, &t, &n) == R_OK && n == 3 && strcmp(t[2], texts[2]) == 0 && strcmp(t[1], "") == 0,
          "texts come back");
    CHECK(db_byteas(rows, 0, 1, &a, &b, &m) == R_OK && m == 2 && bytes_equal(b[0], byteas[0]) && b[1].n == 0, "byteas come back");
    CHECK(db_number(rows, 0, 2) == 1, "int8s arrive");
    CHECK(db_bool(rows, 0, 3) && db_texts(rows, 0, 4, &a, &t, &n) == R_OK && n == 0, "an empty array");
    CHECK(db_texts(rows, 0, 5, &a, &t, &n) == R_INTERNAL && n == 0 && db_number(rows, 0, 7) == 1,
          "a NULL element can be sent, and is refused when read");
    CHECK(db_texts(rows, 0, 6, &a, &t, &n) == R_INTERNAL, "two dimensions are refused");
    CHECK(db_number(rows, 0, 0) == 0 && db_bytes(rows, 0, 0).p == NULL, "an array is neither number nor bytes");
    db_rows_free(rows);
    arena_free(&a);
}

static void test_big(struct db *db)
{
    static const struct db_statement s = {"t_big", "select $1, (select sum(octet_length(v)) from unnest($2) v)::int8"};
    size_t n = 6000000;
    uint8_t *p = calloc(1, n);
    struct bytes many[2] = {BYTES(p, n), BYTES(p, n)};
    struct db_rows *rows;
    p[n - 1] = 7;
    const struct db_param params[] = {DB_P_BYTES(BYTES(p, n)), DB_P_BYTEAS(many, 2)};
    enum result r = db_exec(db, &s, params, 2, MS, &rows);
    CHECK(r == R_OK && bytes_equal(db_bytes(rows, 0, 0), BYTES(p, n)) && db_number(rows, 0, 1) == (int64_t)(2 * n),
          "megabytes both ways");
    db_rows_free(rows);
    free(p);
}

/* --- errors --- */

static void test_codes(struct db *db)
{
    static const struct db_statement s = {"t_raise", "select db_live.raise($1, $2)"};
    struct db_rows *rows;
    bool all = true;
    for (unsigned long i = 1; i < R_COUNT; i++) {
        enum result want = result_from_number(i);
        const struct db_param p[] = {DB_P_TEXT(result_name(want)), DB_P_TEXT("expected a, found b")};
        all = all && db_exec(db, &s, p, 2, MS, &rows) == want && rows == NULL && strcmp(db_detail(db), "expected a, found b") == 0
            && strcmp(db_message(db), "") == 0;
    }
    CHECK(all, "CH000 gives the result of every name, and DETAIL");
    CHECK(db_exec(db, &s, (const struct db_param[]){DB_P_TEXT("Success"), DB_P_TEXT("")}, 2, MS, NULL) == R_INTERNAL,
          "an error that is named Success is none");
    CHECK(db_exec(db, &s, (const struct db_param[]){DB_P_TEXT("Nonsense"), DB_P_TEXT("d")}, 2, MS, NULL) == R_INTERNAL,
          "an unknown name");
    CHECK(number(db, "select 5") == 5 && strcmp(db_detail(db), "") == 0, "the connection is good after it, and the detail gone");
}

static const struct {
    const char *why, *sql, *state;
    enum result want;
    bool connected;
} ERRORS[] = {
    {"a syntax error", "selec", "42601", R_INTERNAL, true},
    {"a missing function", "select db_live.nothing()", "42883", R_INTERNAL, true},
    {"a violated constraint", "insert into db_live.t (id) values (1), (1)", "23505", R_INTERNAL, true},
    {"one that the commit finds", "insert into db_live.deferred values (1), (1)", "23505", R_INTERNAL, true},
    {"a cancelled statement", "select pg_cancel_backend(pg_backend_pid()), pg_sleep(5)", "57014", R_UNAVAILABLE, true},
    {"a terminated session", "select pg_terminate_backend(pg_backend_pid()), pg_sleep(5)", "57P01", R_UNAVAILABLE, false},
    {"a deadlock", "do $$begin raise exception using errcode = '40P01'; end$$", "40P01", R_BUSY, true},
    {"a lock that is taken", "do $$begin raise exception using errcode = '55P03'; end$$", "55P03", R_BUSY, true},
    {"a refusal", "do $$begin raise exception using errcode = '42501'; end$$", "42501", R_DENIED, true},
    {"a full disk", "do $$begin raise exception using errcode = '53100'; end$$", "53100", R_UNAVAILABLE, true},
    {"a read-only server", "do $$begin raise exception using errcode = '25006'; end$$", "25006", R_UNAVAILABLE, false},
    {"a pooler that lost its server", "do $$begin raise exception using errcode = '08P01'; end$$", "08P01",
     R_OUTCOME_UNKNOWN, false},
    {"an empty statement", "", "", R_OK, true},
    {"a COPY where none belongs", "copy (select 1) to stdout", "", R_INTERNAL, false},
};

static void test_errors(struct db *db)
{
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
        char name[64];
        struct db_statement s = {name, ERRORS[i].sql};
        struct db_rows *rows;
        snprintf(name, sizeof name, "t_error_%zu", i);
        enum result r = db_exec(db, &s, NULL, 0, MS, &rows);
        tap_ok(r == ERRORS[i].want && (rows == NULL) == (r != R_OK) && strstr(db_message(db), ERRORS[i].state) != NULL
               && db_is_connected(db) == ERRORS[i].connected,
               "%s: %s (%s, %s)", mode, ERRORS[i].why, result_name(r), db_message(db));
        db_rows_free(rows);
        CHECK(number(db, "select 1") == 1, "the next call works");
    }
    CHECK(number(db, "select count(*) from db_live.deferred") == 0, "nothing was left behind");
    CHECK(db_script(db, "select 1;\n\nselect \xc3\xbc;\n", MS) == R_INTERNAL && strstr(db_message(db), "line 3") != NULL,
          "a script's message has the line");
    CHECK(db_script(db, "begin", MS) == R_INTERNAL && number(db, "select 1") == 1, "a script may not begin a transaction");
    CHECK(db_script(db, "do $$begin raise notice 'not printed'; end$$", MS) == R_OK, "notices are dropped");
}

/* --- transactions --- */

static void test_transactions(struct db *db, struct db *other)
{
    int64_t n;
    CHECK(db_begin(db, false, MS) == R_OK && db_script(db, "insert into db_live.t (id) values (10)", MS) == R_OK, "begin");
    CHECK(number(other, "select count(*) from db_live.t where id = 10") == 0, "nobody sees it");
    db_rollback(db);
    CHECK(number(db, "select count(*) from db_live.t where id = 10") == 0, "rolled back");
    db_rollback(db);
    CHECK(db_begin(db, false, MS) == R_OK && db_script(db, "insert into db_live.t (id) values (11)", MS) == R_OK
          && db_commit(db, MS) == R_OK && number(other, "select count(*) from db_live.t where id = 11") == 1, "committed");
    CHECK(db_commit(db, MS) == R_INTERNAL, "there is nothing to commit");
    CHECK(db_begin(db, false, MS) == R_OK && db_begin(db, false, MS) == R_INTERNAL && db_begin(db, false, MS) == R_OK,
          "a second begin is refused and ends the first");
    CHECK(number_of(db, "select 1/0", &n) == R_INTERNAL && db_commit(db, MS) == R_INTERNAL
          && number(db, "select 1") == 1, "a failed transaction is not committed");
    CHECK(db_begin(db, false, MS) == R_OK && db_script(db, "insert into db_live.t (id) values (12)", MS) == R_OK
          && db_commit(db, 0) == R_UNAVAILABLE && number(db, "select count(*) from db_live.t where id = 12") == 0,
          "a commit without time is a rollback");
    CHECK(db_begin(db, true, MS) == R_OK && number(db, "select v from db_live.t where id = 1") == 0
          && db_script(other, "update db_live.t set v = 1 where id = 1", MS) == R_OK
          && number(db, "select v from db_live.t where id = 1") == 0, "repeatable read keeps its snapshot");
    CHECK(db_script(db, "update db_live.t set v = 2 where id = 1", MS) == R_BUSY, "40001 is busy");
    db_rollback(db);
    CHECK(db_script(db, "update db_live.t set v = 0 where id = 1", MS) == R_OK, "after the rollback it works");
    CHECK(db_begin(db, false, MS) == R_OK && db_script(db, "commit", MS) == R_INTERNAL, "a script may not end the transaction");
    CHECK(number_of(db, "select 1", &n) == R_UNAVAILABLE && db_commit(db, MS) == R_UNAVAILABLE && number(db, "select 1") == 1,
          "what follows in a lost transaction is refused, until it is ended");
    CHECK(db_begin(db, false, MS) == R_OK && db_script(db, "insert into db_live.deferred values (1), (1)", MS) == R_OK
          && db_commit(db, MS) == R_INTERNAL && number(db, "select count(*) from db_live.deferred") == 0, "a refused commit");
    CHECK(db_begin(db, false, MS) == R_OK && db_script(db, "set local role pg_monitor", MS) == R_OK
          && number_of(db, "select count(*) from pg_authid", &n) == R_DENIED, "another role is denied");
    db_rollback(db);
}

/* --- prepared statements --- */

static void test_plans(struct db *db, bool prepare)
{
    static const struct db_statement s = {"t_plan", "select * from db_live.plan"};
    struct db_rows *rows = NULL;
    int64_t pid = number(db, "select pg_backend_pid()"), n;
    db_exec(db, &s, NULL, 0, MS, NULL);
    CHECK(db_exec(db, &s, NULL, 0, MS, NULL) == R_OK
          && number(db, "select count(*) from pg_prepared_statements where name = 't_plan'") == prepare,
          "prepared once, or never");
    CHECK(db_script(db, "discard all", MS) == R_OK && db_exec(db, &s, NULL, 0, MS, NULL) == R_OK
          && number(db, "select pg_backend_pid()") == pid, "prepared anew after DISCARD ALL");
    CHECK(db_begin(db, false, MS) == R_OK && db_script(db, "deallocate all", MS) == R_OK
          && db_exec(db, &s, NULL, 0, MS, NULL) == (prepare ? R_UNAVAILABLE : R_OK),
          "not inside a transaction, which has failed by then");
    db_rollback(db);
    CHECK(db_script(db, "alter table db_live.plan add b int", MS) == R_OK && db_exec(db, &s, NULL, 0, MS, &rows) == R_OK
          && db_columns(rows) == 2, "a table with another column is planned anew");
    db_rows_free(rows);
    CHECK(db_script(db, "alter table db_live.plan drop b", MS) == R_OK
          && number_of(db, "select count(*) from db_live.plan", &n) == R_OK, "and back");
    int64_t begin = clock_monotonic_ms();
    for (int i = 0; i < 1000; i++)
        db_exec(db, &s, NULL, 0, MS, NULL);
    printf("# %s: %.3f ms a call\n", mode, (double)(clock_monotonic_ms() - begin) / 1000);
}

/* --- COPY --- */

struct copied {
    int64_t rows, sum, nulls, stop;
};

static enum result copy_row(void *context, const struct bytes *fields, int count)
{
    struct copied *c = context;
    c->rows++;
    if (count != 3 || fields[0].n != 8)
        return R_INTERNAL;
    c->sum += (int64_t)be64_get(fields[0].p);
    c->nulls += fields[1].p == NULL;
    return c->rows == c->stop ? R_LIMIT : R_OK;
}

#define SERIES "select i::int8, case when i % 2 = 0 then sha256(i::text::bytea) end, ''::text from generate_series(1, 100000) i"

static void test_copy(struct db *db)
{
    struct copied c = {0};
    int64_t begin = clock_monotonic_ms();
    enum result r = db_copy(db, SERIES, MS, copy_row, &c);
    CHECK(r == R_OK && c.rows == 100000 && c.sum == 5000050000 && c.nulls == 50000, "100,000 rows");
    printf("# %s: %d ms\n", mode, (int)(clock_monotonic_ms() - begin));
    c = (struct copied){.stop = 0};
    CHECK(db_begin(db, true, MS) == R_OK && db_copy(db, SERIES, MS, copy_row, &c) == R_OK
          && db_copy(db, SERIES, MS, copy_row, &c) == R_OK
          && db_commit(db, MS) == R_OK && c.rows == 200000, "twice in a transaction");
    c = (struct copied){.stop = 3};
    CHECK(db_copy(db, SERIES, MS, copy_row, &c) == R_LIMIT && c.rows == 3 && number(db, "select 1") == 1, "stopped by a row");
    c = (struct copied){.stop = 0};
    CHECK(db_copy(db, "select 1::int8, 1, 1/(3 - i) from generate_series(1, 5) i", MS, copy_row, &c) == R_INTERNAL
          && strstr(db_message(db), "22012") != NULL && number(db, "select 1") == 1, "an error in the middle");
    CHECK(db_copy(db, "selec", MS, copy_row, &c) == R_INTERNAL && number(db, "select 1") == 1, "an error at the start");
    CHECK(db_copy(db, "select where false", MS, copy_row, &c) == R_OK, "no rows");
    CHECK(db_copy(db, "select 1::int8, 2, pg_sleep(0.2) from generate_series(1, 50)", 300, copy_row, &c) == R_OUTCOME_UNKNOWN
          && number(db, "select 1") == 1, "the deadline in the middle");
    c.rows = 0;
    CHECK(db_copy(db, "select 1::int8, null, repeat('x', 1000000)", MS, copy_row, &c) == R_OK && c.rows == 1, "a large field");
    CHECK(db_copy(db, "select 1::int8, null, repeat('x', 3000000)", MS, copy_row, &c) == R_TOO_LARGE
          && number(db, "select 1") == 1, "a field above the limit");
}

static const char SETUP[] =
    "drop schema if exists db_live cascade; create schema db_live;"
    "create table db_live.t (id int primary key, v int not null default 0); insert into db_live.t values (1, 0);"
    "create table db_live.plan (a int);"
    "create table db_live.deferred (id int unique deferrable initially deferred);"
    "create function db_live.raise(name text, detail text) returns int language plpgsql as $$"
    "begin raise exception using errcode = 'CH000', message = name, detail = detail; end$$;";

static void run(const char *connection, bool prepare)
{
    struct db_config c = {.connection = connection, .application = "db_live", .prepare = prepare};
    struct db *db = NULL, *other = NULL;
    mode = prepare ? "prepared" : "unprepared";
    if (!CHECK(db_open(&c, &db) == R_OK && db_open(&c, &other) == R_OK && !db_is_connected(db), "opened, not connected yet")
        || !CHECK(db_wait(db, MS) == R_OK && db_is_connected(db), "the server answers")
        || !CHECK(db_script(db, SETUP, MS) == R_OK, "schema db_live"))
        goto out;
    test_numbers(db);
    test_texts(db);
    test_nulls(db);
    test_arrays(db);
    test_big(db);
    test_codes(db);
    test_errors(db);
    test_transactions(db, other);
    test_plans(db, prepare);
    test_copy(db);
    CHECK(db_script(db, "drop schema db_live cascade", MS) == R_OK, "dropped");
out:
    db_close(db);
    db_close(other);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: db_live CONNECTION\n");
        return 2;
    }
    log_open("db_live", LOG_LEVEL_DEBUG);
    run(argv[1], true);
    run(argv[1], false);
    return tap_end();
}
