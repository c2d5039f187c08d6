#include "bin/cli.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/store/migrate.h"

#define ROLE "chancery_operator"

void cli_say(const char *fmt, ...)
{
    va_list args;
    fflush(stdout);
    fputs("chancery: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

enum result cli_refuse(struct cli *c, enum result r, const char *fmt, ...)
{
    char text[LIMIT_DETAIL];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->detail = arena_text(&c->arena, text, strlen(text));
    return r;
}

static enum result cli_open(struct cli *c)
{
    if (c->db != NULL)
        return R_OK;
    const struct db_config config = {.connection = c->conf.database, .user = ROLE, .application = "chancery"};
    enum result r = db_open(&config, &c->db);
    if (r == R_OK)
        r = migrate_check(c->db);
    if (r == R_SCHEMA)
        return cli_refuse(c, r, "This program needs schema %d; run chancery migrate.", MIGRATE_SCHEMA);
    return r;
}

enum result cli_call(struct cli *c, enum operator_function f, const struct db_param *arguments, int count, struct db_rows **rows)
{
    enum result r = cli_open(c);
    const struct operator o = {c->db, (uint32_t)c->tenant, c->login};
    return r == R_OK ? operator_call(&o, f, arguments, count, LIMIT_DB_BULK_MS, rows) : r;
}

enum result cli_list(struct cli *c, enum operator_function f, const struct db_param *arguments, int count)
{
    struct db_rows *rows = NULL;
    enum result r = cli_call(c, f, arguments, count, &rows);
    if (r == R_OK && c->json) {
        for (int i = 0; i < db_count(rows); i++)
            printf("%s%s", i == 0 ? "[\n" : ",\n", operator_json(rows, i));
        puts(db_count(rows) == 0 ? "[]" : "\n]");
    } else if (r == R_OK) {
        r = output_table(rows);
    }
    db_rows_free(rows);
    return r;
}

enum result cli_show(struct cli *c, enum operator_function f, const struct db_param *arguments, int count)
{
    struct db_rows *rows = NULL;
    enum result r = cli_call(c, f, arguments, count, &rows);
    if (r == R_OK && db_count(rows) != 1)
        r = R_INTERNAL;
    if (r == R_OK && c->json)
        puts(operator_json(rows, 0));
    else if (r == R_OK)
        r = output_show(rows);
    db_rows_free(rows);
    return r;
}

enum result cli_made(struct cli *c, enum operator_function f, const struct db_param *arguments, int count, const char *name)
{
    struct db_rows *rows = NULL;
    enum result r = cli_call(c, f, arguments, count, &rows);
    if (r == R_OK && db_count(rows) != 1)
        r = R_INTERNAL;
    if (r == R_OK)
        printf(c->json ? "{\"%2$s\":%1$lld}\n" : "%1$lld\n", (long long)db_number(rows, 0, 0), name);
    db_rows_free(rows);
    return r;
}

struct db_param cli_optional(const struct cli *c, const char *name)
{
    int64_t number = cli_number(c, name, 0);
    return number == 0 ? DB_P_NULL(DB_INT4) : DB_P_INT4(number);
}

struct db_param cli_expected(const struct cli *c) { return cli_optional(c, "row-version"); }

enum result cli_signer(struct cli *c, enum signer_verb verb, const void *request, int timeout_ms, struct arena *a, void *answer)
{
    const char *socket = signer_verbs[verb].lanes & LANE_ADMIN ? c->conf.admin_socket : c->conf.leaf_socket, *detail = NULL;
    enum result r = signer_call(socket, verb, request, timeout_ms, a, answer, &detail);
    if (r == R_UNAVAILABLE && (detail == NULL || *detail == '\0'))
        return cli_refuse(c, r, "The signer at %s does not answer.", socket);
    return r == R_OK ? r : cli_refuse(c, r, "%s", detail != NULL ? detail : "");
}
