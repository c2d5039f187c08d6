/* What the database layer decides without a server: encoding parameters, reading results, the COPY stream, configuration. */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/store/db_private.h"

static void quiet(void)
{
    log_to(-1);
}

TestSuite(db, .init = quiet);

/* --- parameters --- */

static const char *const TEXTS[] = {"ab", NULL, ""};
static const struct bytes BYTEAS[] = {{(const uint8_t *)"\x01\x02", 2}, {(const uint8_t *)"", 0}};
static const int64_t NUMBERS[] = {1, -1};

static const struct {
    const char *why;
    struct db_param param;
    Oid oid;
    enum result want;
    const char *hex;        /* NULL: SQL NULL */
} PARAMS[] = {
    {"int2 of two octets", {DB_INT2, false, {.number = -2}}, 21, R_OK, "fffe"},
    {"int2 too large", {DB_INT2, false, {.number = 32768}}, 21, R_INTERNAL, NULL},
    {"int4 of four octets", {DB_INT4, false, {.number = 65536}}, 23, R_OK, "00010000"},
    {"int4 too small", {DB_INT4, false, {.number = -2147483649LL}}, 23, R_INTERNAL, NULL},
    {"int8 of eight octets", {DB_INT8, false, {.number = INT64_MIN}}, 20, R_OK, "8000000000000000"},
    {"true", {DB_BOOL, false, {.number = 1}}, 16, R_OK, "01"},
    {"false", {DB_BOOL, false, {.number = 0}}, 16, R_OK, "00"},
    {"no third truth", {DB_BOOL, false, {.number = 2}}, 16, R_INTERNAL, NULL},
    {"text without a NUL", {DB_TEXT, false, {.text = "z\xc3\xbc"}}, 25, R_OK, "7ac3bc"},
    {"empty text is not NULL", {DB_TEXT, false, {.text = ""}}, 25, R_OK, ""},
    {"NULL text", {DB_TEXT, true, {.text = NULL}}, 25, R_OK, NULL},
    {"bytes with a zero", {DB_BYTEA, false, {.bytes = {(const uint8_t *)"\0\1", 2}}}, 17, R_OK, "0001"},
    {"empty bytes are not NULL", {DB_BYTEA, false, {.bytes = {(const uint8_t *)"", 0}}}, 17, R_OK, ""},
    {"2000-01-01 is PostgreSQL's zero", {DB_TIME, false, {.number = 946684800}}, 1184, R_OK, "0000000000000000"},
    {"a second before it", {DB_TIME, false, {.number = 946684799}}, 1184, R_OK, "fffffffffff0bdc0"},
    {"infinity", {DB_TIME, false, {.number = INT64_MAX}}, 1184, R_OK, "7fffffffffffffff"},
    {"-infinity", {DB_TIME, false, {.number = INT64_MIN}}, 1184, R_OK, "8000000000000000"},
    {"a time whose microseconds overflow", {DB_TIME, false, {.number = INT64_MAX / 1000}}, 1184, R_INTERNAL, NULL},
    {"texts with a NULL between", {DB_TEXT_ARRAY, false, {.texts = {TEXTS, 3}}}, 1009, R_OK,
     "00000001" "00000001" "00000019" "00000003" "00000001" "00000002" "6162" "ffffffff" "00000000"},
    {"no texts: no dimension", {DB_TEXT_ARRAY, false, {.texts = {NULL, 0}}}, 1009, R_OK, "00000000" "00000000" "00000019"},
    {"byteas", {DB_BYTEA_ARRAY, false, {.byteas = {BYTEAS, 2}}}, 1001, R_OK,
     "00000001" "00000000" "00000011" "00000002" "00000001" "00000002" "0102" "00000000"},
    {"numbers", {DB_INT8_ARRAY, false, {.numbers = {NUMBERS, 2}}}, 1016, R_OK,
     "00000001" "00000000" "00000014" "00000002" "00000001" "00000008" "0000000000000001" "00000008" "ffffffffffffffff"},
    {"a NULL array is not an empty one", {DB_INT8_ARRAY, true, {.number = 0}}, 1016, R_OK, NULL},
    {"no such type", {(enum db_type)99, false, {.number = 0}}, 0, R_INTERNAL, NULL},
};

Test(db, encodes_each_type)
{
    for (size_t i = 0; i < sizeof PARAMS / sizeof *PARAMS; i++) {
        struct db_values v;
        char hex[256] = "";
        cr_assert_eq(db_values_encode(&v, "t", &PARAMS[i].param, 1), PARAMS[i].want, "%s", PARAMS[i].why);
        if (PARAMS[i].want == R_OK) {
            cr_assert_eq(v.types[0], PARAMS[i].oid, "%s", PARAMS[i].why);
            cr_assert_eq(v.formats[0], 1, "%s", PARAMS[i].why);
            cr_assert_eq(v.values[0] == NULL, PARAMS[i].hex == NULL, "%s", PARAMS[i].why);
        }
        if (PARAMS[i].hex != NULL) {
            hex_encode(hex, (const uint8_t *)v.values[0], (size_t)v.lengths[0]);
            cr_assert_str_eq(hex, PARAMS[i].hex, "%s", PARAMS[i].why);
        }
        db_values_free(&v);
    }
}

Test(db, arrays_keep_their_place_while_the_buffer_grows)
{
    static struct bytes big[2];
    static uint8_t zeros[100000];
    struct db_values v;
    big[0] = big[1] = BYTES(zeros, sizeof zeros);
    const struct db_param p[] = {DB_P_INT8S(NUMBERS, 2), DB_P_BYTEAS(big, 2), DB_P_NULL(DB_TEXT_ARRAY), DB_P_TEXTS(TEXTS, 3)};
    cr_assert_eq(db_values_encode(&v, "t", p, 4), R_OK);
    cr_assert_eq(be32_get((const uint8_t *)v.values[0] + 8), OID_INT8);
    cr_assert_eq(be32_get((const uint8_t *)v.values[1] + 8), OID_BYTEA);
    cr_assert_null(v.values[2]);
    cr_assert_eq(be32_get((const uint8_t *)v.values[3] + 8), OID_TEXT);
    cr_assert_eq(v.lengths[1], 20 + 2 * (4 + (int)sizeof zeros));
    db_values_free(&v);
}

Test(db, counts_of_parameters_are_limited)
{
    static struct db_param many[DB_PARAMS + 1];
    struct db_values v;
    cr_assert_eq(db_values_encode(&v, "t", many, DB_PARAMS), R_OK);
    db_values_free(&v);
    cr_assert_eq(db_values_encode(&v, "t", many, DB_PARAMS + 1), R_INTERNAL);
    db_values_free(&v);
    cr_assert_eq(db_values_encode(&v, "t", many, -1), R_INTERNAL);
    db_values_free(&v);
}

/* --- results --- */

/* A result of one row and one column, as libpq would have read it. */
static struct db_rows *rows_make(Oid type, const char *hex)
{
    static uint8_t value[256];
    size_t n = sizeof value;
    struct db_rows *r = calloc(1, sizeof *r);
    PGresAttDesc column = {.name = (char[]){"c"}, .format = 1, .typid = type, .typlen = -1, .atttypmod = -1};
    r->res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    r->statement = "t";
    cr_assert(PQsetResultAttrs(r->res, 1, &column));
    if (hex == NULL) {
        cr_assert(PQsetvalue(r->res, 0, 0, NULL, -1));
        return r;
    }
    cr_assert_eq(hex_decode(hex, value, &n), R_OK);
    cr_assert(PQsetvalue(r->res, 0, 0, (char *)value, (int)n));
    return r;
}

static const struct {
    const char *why;
    Oid type;
    const char *hex;
    int64_t want;
} NUMBER_CASES[] = {
    {"int2 keeps its sign", OID_INT2, "fffe", -2},
    {"int4 keeps its sign", OID_INT4, "80000000", INT32_MIN},
    {"int8", OID_INT8, "7fffffffffffffff", INT64_MAX},
    {"timestamptz zero", OID_TIMESTAMPTZ, "0000000000000000", 946684800},
    {"half a second before 2000 is the second before", OID_TIMESTAMPTZ, "fffffffffff85ee0", 946684799},
    {"infinity", OID_TIMESTAMPTZ, "7fffffffffffffff", INT64_MAX},
    {"-infinity", OID_TIMESTAMPTZ, "8000000000000000", INT64_MIN},
    {"SQL NULL", OID_INT4, NULL, 0},
    {"text is no number", OID_TEXT, "3132", 0},
    {"bool is no number", OID_BOOL, "01", 0},
    {"an int4 of three octets", OID_INT4, "000001", 0},
};

Test(db, reads_numbers_of_number_columns_only)
{
    for (size_t i = 0; i < sizeof NUMBER_CASES / sizeof *NUMBER_CASES; i++) {
        struct db_rows *r = rows_make(NUMBER_CASES[i].type, NUMBER_CASES[i].hex);
        cr_assert_eq(db_number(r, 0, 0), NUMBER_CASES[i].want, "%s", NUMBER_CASES[i].why);
        cr_assert_eq(db_number(r, 1, 0), 0, "no such row");
        cr_assert_eq(db_number(r, 0, 1), 0, "no such column");
        cr_assert_eq(db_number(r, -1, -1), 0, "negative");
        db_rows_free(r);
    }
}

Test(db, reads_texts_bytes_and_bools_of_their_types_only)
{
    static const Oid texts[] = {OID_TEXT, OID_VARCHAR, OID_BPCHAR, OID_NAME, OID_JSON};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct db_rows *r = rows_make(texts[i], "6162");
        cr_assert_str_eq(db_text(r, 0, 0), "ab");
        cr_assert_null(db_bytes(r, 0, 0).p);
        cr_assert_not(db_bool(r, 0, 0));
        db_rows_free(r);
    }
    struct db_rows *r = rows_make(OID_BYTEA, "6162");
    cr_assert_str_eq(db_text(r, 0, 0), "", "bytea is no text");
    cr_assert_eq(db_bytes(r, 0, 0).n, 2);
    cr_assert_str_eq(db_column_name(r, 0), "c");
    cr_assert_str_eq(db_column_name(r, 1), "");
    cr_assert_not(db_null(r, 0, 0));
    cr_assert(db_null(r, 7, 0), "no such row");
    db_rows_free(r);
    r = rows_make(OID_BYTEA, "");
    cr_assert_not_null(db_bytes(r, 0, 0).p, "empty is not NULL");
    db_rows_free(r);
    r = rows_make(OID_TEXT, NULL);
    cr_assert_null(db_text(r, 0, 0));
    cr_assert(db_null(r, 0, 0));
    db_rows_free(r);
    r = rows_make(OID_BOOL, "01");
    cr_assert(db_bool(r, 0, 0));
    db_rows_free(r);
    cr_assert_eq(db_count(NULL), 0);
    db_rows_free(NULL);
}

#define HEAD "00000001" "00000000" "00000011"
static const struct {
    const char *why, *hex;
    enum result want;
    uint32_t count;
} ARRAYS[] = {
    {"two elements", HEAD "00000002" "00000001" "00000001" "61" "00000000", R_OK, 2},
    {"lower bound 0 as int2vector has it", HEAD "00000001" "00000000" "00000001" "61", R_OK, 1},
    {"empty", "00000000" "00000000" "00000011", R_OK, 0},
    {"SQL NULL", NULL, R_OK, 0},
    {"a NULL element", "00000001" "00000001" "00000011" "00000001" "00000001" "ffffffff", R_INTERNAL, 0},
    {"two dimensions", "00000002" "00000000" "00000011" "00000001" "00000001" "00000001" "00000001" "00000001" "61",
     R_INTERNAL, 0},
    {"cut in the head", "00000001" "0000", R_INTERNAL, 0},
    {"cut in the dimension", HEAD "00000001", R_INTERNAL, 0},
    {"cut in an element", HEAD "00000001" "00000001" "00000005" "61", R_INTERNAL, 0},
    {"cut in a length", HEAD "00000001" "00000001" "0000", R_INTERNAL, 0},
    {"more elements than there are bytes", HEAD "7fffffff" "00000001" "00000001" "61", R_INTERNAL, 0},
    {"a negative count", HEAD "ffffffff" "00000001" "00000001" "61", R_INTERNAL, 0},
    {"bytes after the last element", HEAD "00000001" "00000001" "00000001" "61" "00", R_INTERNAL, 0},
    {"bytes after an empty array", "00000000" "00000000" "00000011" "00", R_INTERNAL, 0},
    {"nothing at all", "", R_INTERNAL, 0},
};

Test(db, reads_arrays_of_one_dimension)
{
    for (size_t i = 0; i < sizeof ARRAYS / sizeof *ARRAYS; i++) {
        struct arena a;
        struct bytes *items;
        const char **texts;
        uint32_t count = 9;
        arena_init(&a, 65536);
        struct db_rows *r = rows_make(OID_BYTEA_ARRAY, ARRAYS[i].hex);
        cr_assert_eq(db_byteas(r, 0, 0, &a, &items, &count), ARRAYS[i].want, "%s", ARRAYS[i].why);
        cr_assert_eq(count, ARRAYS[i].count, "%s", ARRAYS[i].why);
        cr_assert_eq(db_texts(r, 0, 0, &a, &texts, &count), R_INTERNAL, "byteas are no texts");
        db_rows_free(r);
        r = rows_make(OID_TEXT_ARRAY, ARRAYS[i].hex);
        cr_assert_eq(db_texts(r, 0, 0, &a, &texts, &count), ARRAYS[i].want, "%s", ARRAYS[i].why);
        cr_assert_eq(count, ARRAYS[i].count, "%s", ARRAYS[i].why);
        if (count > 0)
            cr_assert_str_eq(texts[0], "a", "%s", ARRAYS[i].why);
        db_rows_free(r);
        arena_free(&a);
    }
}

Test(db, an_arena_that_is_full_refuses_an_array)
{
    struct arena a;
    struct bytes *items;
    uint32_t count;
    arena_init(&a, 8);
    struct db_rows *r = rows_make(OID_BYTEA_ARRAY, ARRAYS[0].hex);
    cr_assert_eq(db_byteas(r, 0, 0, &a, &items, &count), R_NO_MEMORY);
    cr_assert_null(items);
    db_rows_free(r);
    arena_free(&a);
}

/* --- COPY --- */

#define COPY "5047434f50590aff0d0a00"
static const struct {
    const char *why, *hex;
    enum result feed, end;
    int rows;
} COPIES[] = {
    {"no rows", COPY "00000000" "00000000" "ffff", R_OK, R_OK, 0},
    {"two rows, a NULL and an empty field", COPY "00000000" "00000000" "0002" "00000001" "61" "ffffffff"
     "0002" "00000000" "00000002" "6162" "ffff", R_OK, R_OK, 2},
    {"an extension is skipped", COPY "00000000" "00000003" "616263" "ffff", R_OK, R_OK, 0},
    {"flags below 16 are not critical", COPY "00000001" "00000000" "ffff", R_OK, R_OK, 0},
    {"critical flags", COPY "00010000" "00000000" "ffff", R_INTERNAL, R_INTERNAL, 0},
    {"another signature", "5047434f50590aff0d0a01" "00000000" "00000000" "ffff", R_INTERNAL, R_INTERNAL, 0},
    {"no trailer", COPY "00000000" "00000000" "0001" "00000001" "61", R_OK, R_INTERNAL, 1},
    {"bytes after the trailer", COPY "00000000" "00000000" "ffff" "00", R_INTERNAL, R_OK, 0},
    {"a negative number of fields", COPY "00000000" "00000000" "fffe", R_INTERNAL, R_INTERNAL, 0},
    {"too many fields", COPY "00000000" "00000000" "0065", R_INTERNAL, R_INTERNAL, 0},
    {"a field above the limit", COPY "00000000" "00000000" "0001" "00200001", R_TOO_LARGE, R_INTERNAL, 0},
    {"an extension above the limit", COPY "00000000" "80000000", R_TOO_LARGE, R_INTERNAL, 0},
    {"cut in the head", "5047", R_OK, R_INTERNAL, 0},
};

static enum result row_count(void *context, const struct bytes *fields, int count)
{
    int *rows = context;
    (void)fields;
    (void)count;
    (*rows)++;
    return R_OK;
}

static enum result row_stop(void *context, const struct bytes *fields, int count)
{
    row_count(context, fields, count);
    return R_LIMIT;
}

Test(db, reads_copy_in_pieces_of_any_size)
{
    for (size_t i = 0; i < sizeof COPIES / sizeof *COPIES; i++) {
        uint8_t in[256];
        size_t n = sizeof in;
        cr_assert_eq(hex_decode(COPIES[i].hex, in, &n), R_OK);
        for (size_t piece = 1; piece <= n; piece++) {
            struct db_copy_stream s;
            enum result r = R_OK;
            int rows = 0;
            db_copy_init(&s, row_count, &rows);
            for (size_t at = 0; r == R_OK && at < n; at += piece)
                r = db_copy_feed(&s, BYTES(in + at, n - at < piece ? n - at : piece));
            cr_assert_eq(r, COPIES[i].feed, "%s (pieces of %zu)", COPIES[i].why, piece);
            cr_assert_eq(rows, COPIES[i].rows, "%s (pieces of %zu)", COPIES[i].why, piece);
            cr_assert_eq(db_copy_end(&s), COPIES[i].end, "%s (pieces of %zu)", COPIES[i].why, piece);
            db_copy_free(&s);
        }
    }
}

Test(db, a_row_that_refuses_stops_the_copy)
{
    struct db_copy_stream s;
    uint8_t in[256];
    size_t n = sizeof in;
    int rows = 0;
    cr_assert_eq(hex_decode(COPIES[1].hex, in, &n), R_OK);
    db_copy_init(&s, row_stop, &rows);
    cr_assert_eq(db_copy_feed(&s, BYTES(in, n)), R_LIMIT);
    cr_assert_eq(rows, 1);
    db_copy_free(&s);
}

/* --- configuration --- */

static const struct {
    const char *why, *connection;
    enum result want;
    int hosts;
} CONNECTIONS[] = {
    {"one host", "host=/run/postgresql dbname=chancery", R_OK, 1},
    {"no host: libpq's default", "dbname=chancery", R_OK, 1},
    {"two hosts", "host=a,b dbname=chancery target_session_attrs=read-write", R_OK, 2},
    {"three addresses count before the names", "host=a,b,c hostaddr=127.0.0.1,127.0.0.2,127.0.0.3 port=1,2,3", R_OK, 3},
    {"a URI", "postgresql://a:1,b:2/chancery", R_OK, 2},
    {"no such option", "hots=a", R_CONFIG, 0},
    {"no value", "host", R_CONFIG, 0},
};

Test(db, reads_connection_strings)
{
    for (size_t i = 0; i < sizeof CONNECTIONS / sizeof *CONNECTIONS; i++) {
        struct db_config c = {.connection = CONNECTIONS[i].connection, .user = "u", .application = "test"};
        struct db *db = NULL;
        cr_assert_eq(db_open(&c, &db), CONNECTIONS[i].want, "%s", CONNECTIONS[i].why);
        cr_assert_eq(db == NULL, CONNECTIONS[i].want != R_OK, "%s", CONNECTIONS[i].why);
        if (db != NULL) {
            cr_assert_eq(db->hosts, CONNECTIONS[i].hosts, "%s", CONNECTIONS[i].why);
            cr_assert_not(db_is_connected(db));
        }
        db_close(db);
    }
}

Test(db, no_server_is_unavailable_at_once_and_inside_the_deadline)
{
    struct db_config c = {.connection = "host=/nonexistent,/nonexistent/2 dbname=x connect_timeout=1", .user = "u"};
    const struct db_statement s = {"s", "select 1"};
    struct db *db;
    struct db_rows *rows = (struct db_rows *)&c;
    cr_assert_eq(db_open(&c, &db), R_OK);
    cr_assert_eq(db_exec(db, &s, NULL, 0, 1000, &rows), R_UNAVAILABLE);
    cr_assert_null(rows);
    cr_assert_neq(db_message(db)[0], '\0');
    cr_assert_eq(db_begin(db, true, 1000), R_UNAVAILABLE);
    cr_assert_eq(db_wait(db, 300), R_UNAVAILABLE);
    cr_assert_eq(db_commit(db, 1000), R_INTERNAL, "there is no transaction");
    db_rollback(db);
    db_close(db);
}

static const struct {
    const char *why, *in, *want;
} CUTS[] = {
    {"fits", "abc", "abc"},
    {"cut", "abcdefghij", "abcdefg"},
    {"cut before a character of two octets", "abcdef\xc3\xbc", "abcdef"},
    {"trailing line ends go", "abc \n\n", "abc"},
    {"nothing", NULL, ""},
    {"only white space", " \n", ""},
};

Test(db, texts_are_cut_between_characters)
{
    for (size_t i = 0; i < sizeof CUTS / sizeof *CUTS; i++) {
        char out[8];
        db_text_copy(out, sizeof out, CUTS[i].in);
        cr_assert_str_eq(out, CUTS[i].want, "%s", CUTS[i].why);
    }
}
