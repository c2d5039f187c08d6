#include "lib/store/operator.h"

#include "lib/base/log.h"

/* A row as JSON, and the same as text cells; the names with the first row alone. */
#define LIST_SQL(function, placeholders) \
    "SELECT row_to_json(t)::text, chancery.op_json_cells(row_to_json(t))," \
    " CASE row_number() OVER () WHEN 1 THEN chancery.op_json_names(row_to_json(t)) END" \
    " FROM chancery." function "($1, $2" placeholders ") t"
#define ROWS_SQL(function, placeholders) "SELECT * FROM chancery." function "($1, $2" placeholders ")"
enum { LIST_JSON, LIST_CELLS, LIST_NAMES };

#define ARGUMENTS_MOST 19
#define A0 ""
#define A1 ", $3"
#define A2 A1 ", $4"
#define A3 A2 ", $5"
#define A4 A3 ", $6"
#define A5 A4 ", $7"
#define A8 A5 ", $8, $9, $10"
#define A11 A8 ", $11, $12, $13"
#define A15 A11 ", $14, $15, $16, $17"
#define A19 A15 ", $18, $19, $20, $21"

#define OPERATOR_ROW(id, function, shape, arguments) \
    [OPERATOR_##id] = {{function, shape##_SQL(function, A##arguments)}, OPERATOR_##shape, arguments},
static const struct function {
    struct db_statement statement;
    enum operator_shape shape;
    int arguments;
} functions[OPERATOR_FUNCTIONS] = {OPERATOR_TABLE(OPERATOR_ROW)};

enum result operator_call(const struct operator *o, enum operator_function f, const struct db_param *arguments, int count,
                          int timeout_ms, struct db_rows **rows)
{
    struct db_param params[2 + ARGUMENTS_MOST] = {DB_P_INT4(o->tenant), DB_P_TEXT(o->login)};
    if (rows != NULL)
        *rows = NULL;
    if ((unsigned)f >= OPERATOR_FUNCTIONS || count != functions[f].arguments) {
        log_event(LOG_LEVEL_ERROR, "operator-arguments", LOG_NUM("function", f), LOG_NUM("found", count));
        return R_INTERNAL;
    }
    for (int i = 0; i < count; i++)
        params[2 + i] = arguments[i];
    return db_exec(o->db, &functions[f].statement, params, 2 + count, timeout_ms, rows);
}

enum result operator_names(const struct db_rows *rows, struct arena *a, const char ***names, uint32_t *count)
{
    return db_texts(rows, 0, LIST_NAMES, a, names, count);
}

enum result operator_cells(const struct db_rows *rows, int row, struct arena *a, const char ***cells, uint32_t *count)
{
    return db_texts(rows, row, LIST_CELLS, a, cells, count);
}

const char *operator_json(const struct db_rows *rows, int row) { return db_text(rows, row, LIST_JSON); }
