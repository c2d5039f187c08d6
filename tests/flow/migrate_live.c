/*
 * migrate_live CONNECTION: the migrations against a real server, in a database without schema chancery (it refuses to run in
 * one that has it), with a folder made for the purpose. Drops the schema at the end.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/store/migrate.h"
#include "tests/flow/tap.h"

#define MS 10000

static char dir[] = "/tmp/migrate_live.XXXXXX";
static char said[1024];

static struct db *db_new(const char *connection, bool prepare)
{
    struct db_config c = {.connection = connection, .application = "migrate_live", .prepare = prepare};
    struct db *db = NULL;
    if (db_open(&c, &db) != R_OK)
        exit(2);
    return db;
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        exit(2);
}

static void report(void *context, const char *line)
{
    (void)context;
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s|", line);
}

/* Runs the migrations; want is in the message, or, where the result is R_OK, all that was reported. */
static void check(struct db *db, const char *why, enum result result, const char *want)
{
    said[0] = '\0';
    enum result r = migrate_run(db, dir, report, NULL);
    bool ok = r == result && (r == R_OK ? strcmp(said, want) == 0 : strstr(db_message(db), want) != NULL);
    tap_ok(ok, "%s (%s: %s)", why, result_name(r), r == R_OK ? said : db_message(db));
}

static int64_t number(struct db *db, const char *sql)
{
    static int serial;
    char name[32];
    const struct db_statement s = {name, sql};
    struct db_rows *rows;
    int64_t n = -1;
    snprintf(name, sizeof name, "number_%d", serial++);
    if (db_exec(db, &s, NULL, 0, MS, &rows) == R_OK)
        n = db_number(rows, 0, 0);
    db_rows_free(rows);
    return n;
}

static void test_folder(struct db *db)
{
    check(db, "an empty folder", R_CONFIG, "there are no migrations");
    put("README", "not a migration");
    put("0001-x.sql~", "an editor's copy");
    put("functions.sql", "not numbered");
    put("0002-two.sql", "select 1");
    check(db, "a gap at the start", R_CONFIG, "number 0001 was expected");
    put("0001-One.sql", "select 1");
    check(db, "a capital letter", R_CONFIG, "NNNN-name.sql");
    unlink(path_of("0001-One.sql"));
    put("0002-also.sql", "select 1");
    put("0001-one.sql", "create table chancery.one (a int);");
    check(db, "a number twice", R_CONFIG, "number 0003 was expected");
    unlink(path_of("0002-also.sql"));
    tap_ok(number(db, "select count(*) from pg_namespace where nspname = 'chancery'") == 0, "nothing was done so far");
}

static void test_apply(struct db *db)
{
    put("0002-two.sql", "create table chancery.two (a int);\nselekt;\n");
    check(db, "a migration that fails names file and line", R_INTERNAL, "0002-two.sql: syntax error");
    tap_ok(strstr(db_message(db), "line 2") != NULL, "%s", db_message(db));
    tap_ok(number(db, "select count(*) from chancery.migration") == 1, "the one before it holds");
    tap_ok(number(db, "select count(*) from pg_class where relname = 'two'") == 0, "nothing of the one that failed");
    put("0002-two.sql", "commit; select 1");
    check(db, "one that ends its transaction", R_INTERNAL, "transaction of its own");
    put("0002-two.sql", "create table chancery.two (a int); -- \xc3\xbc\n");
    check(db, "applied", R_OK, "0002-two.sql applied|schema 2, 1 applied|");
    check(db, "again", R_OK, "schema 2, nothing to do|");
    tap_ok(number(db, "select count(*) from chancery.migration where length(sha256) = 32 and applied_by = session_user "
                  "and applied_at is not null and name like '000_-%.sql'") == 2, "both are registered");
    put("0002-two.sql", "create table chancery.two (a int);\n");
    check(db, "a text that changed", R_SCHEMA, "0002-two.sql was changed");
    put("0002-two.sql", "create table chancery.two (a int); -- \xc3\xbc\n");
    put("0004-four.sql", "select 1");
    check(db, "a gap in the middle", R_CONFIG, "number 0003 was expected");
    put("0003-three.sql", "\xff");
    check(db, "not UTF-8", R_BAD_INPUT, "0003-three.sql: not UTF-8");
    put("0003-three.sql", "-- nothing");
    check(db, "two at once, one of them empty", R_OK, "0003-three.sql applied|0004-four.sql applied|schema 4, 2 applied|");
    unlink(path_of("0004-four.sql"));
    check(db, "a database that is newer", R_SCHEMA, "newer than this program");
    put("0004-four.sql", "select 1");
    tap_ok(truncate(path_of("0004-four.sql"), 1048577) == 0, "a file above the limit");
    check(db, "is refused", R_TOO_LARGE, "0004-four.sql");
    put("0004-four.sql", "select 1");
}

/* Two programs with the same new migration: both succeed, one applies it. */
static void test_together(struct db *db, const char *connection)
{
    int applied = 0, status;
    pid_t pids[4];
    put("0005-five.sql", "select pg_sleep(0.3); create table chancery.five (a int);");
    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            said[0] = '\0';
            enum result r = migrate_run(db_new(connection, false), dir, report, NULL);
            _exit(r != R_OK ? 99 : strstr(said, "0005-five.sql applied|schema 5, 1 applied|") != NULL);
        }
    }
    bool all = true;
    for (int i = 0; i < 4; i++) {
        waitpid(pids[i], &status, 0);
        all = all && WIFEXITED(status) && WEXITSTATUS(status) <= 1;
        applied += WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    }
    tap_ok(all && applied == 1, "four at once: all succeed, one applied it (%d)", applied);
    check(db, "then", R_OK, "schema 5, nothing to do|");
}

static void test_check(struct db *db)
{
    tap_ok(migrate_check(db) == R_SCHEMA, "no schema_number yet: refused");
    db_script(db, "create function chancery.schema_number() returns int language sql as 'select 0'", MS);
    tap_ok(migrate_check(db) == R_SCHEMA, "another number: refused");
    char sql[160];
    snprintf(sql, sizeof sql, "create or replace function chancery.schema_number() returns int language sql as 'select %d'",
             MIGRATE_SCHEMA);
    db_script(db, sql, MS);
    tap_ok(migrate_check(db) == R_OK, "the number of this program");
}

static void clean(void)
{
    static const char *const names[] = {
        "README", "0001-x.sql~", "functions.sql", "0001-one.sql", "0002-two.sql", "0003-three.sql", "0004-four.sql",
        "0005-five.sql",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
}

int main(int argc, char **argv)
{
    if (argc != 2 || mkdtemp(dir) == NULL) {
        fprintf(stderr, "usage: migrate_live CONNECTION\n");
        return 2;
    }
    log_open("migrate_live", LOG_LEVEL_DEBUG);
    for (int prepare = 0; prepare < 2; prepare++) {
        struct db *db = db_new(argv[1], prepare);
        if (tap_ok(number(db, "select count(*) from pg_namespace where nspname = 'chancery'") == 0, "no schema chancery here")) {
            test_folder(db);
            tap_ok(migrate_check(db) == R_SCHEMA, "an empty database is refused");
            test_apply(db);
            test_together(db, argv[1]);
            test_check(db);
            tap_ok(db_script(db, "drop schema chancery cascade", MS) == R_OK, "dropped");
        }
        db_close(db);
        clean();
    }
    rmdir(dir);
    return tap_end();
}
