#include "lib/store/migrate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/store/db_private.h"

#define FILE_LIMIT 1048576              /* bytes of one migration */
#define FOLDER_LIMIT 9999               /* migrations: the number has four digits */
#define LOCK 0x6368616e63657279         /* "chancery": the advisory lock of migrations */

struct file {
    int number;
    char name[NAME_MAX + 1];
};

struct folder {
    const char *path;
    int fd;
    struct file *files;
    int count, room;
};

static const struct db_statement S_EXISTS = {"migrate_exists",
    "select to_regnamespace('chancery') is not null, to_regclass('chancery.migration') is not null"};
static const struct db_statement S_LOCK = {"migrate_lock", "select pg_advisory_xact_lock($1)"};
static const struct db_statement S_LAST = {"migrate_last", "select coalesce(max(number), 0), count(*) from chancery.migration"};
static const struct db_statement S_SAME = {"migrate_same",
    "select sha256 = sha256(convert_to($2, 'UTF8')) from chancery.migration where number = $1"};
static const struct db_statement S_REGISTER = {"migrate_register",
    "insert into chancery.migration (number, name, sha256) values ($1, $2, sha256(convert_to($3, 'UTF8')))"};
static const struct db_statement S_NUMBER_EXISTS = {"migrate_number_exists",
    "select to_regprocedure('chancery.schema_number()') is not null"};
static const struct db_statement S_NUMBER = {"migrate_number", "select chancery.schema_number()"};

static const char CREATE_SCHEMA[] = "create schema chancery";
static const char CREATE_TABLE[] =
    "create table chancery.migration (\n"
    "    number int primary key check (number between 1 and 9999),\n"
    "    name text not null check (length(name) between 1 and 255),\n"
    "    sha256 bytea not null check (octet_length(sha256) = 32),\n"
    "    applied_at timestamptz not null default now(),\n"
    "    applied_by text not null default session_user);\n"
    "comment on table chancery.migration is 'The schema migrations that this database has; written by chancery migrate';\n"
    "comment on column chancery.migration.number is 'The number that the file''s name begins with, from 1 without a gap';\n"
    "comment on column chancery.migration.name is 'The file''s name';\n"
    "comment on column chancery.migration.sha256 is 'SHA-256 of the file''s text as it was applied';\n"
    "comment on column chancery.migration.applied_at is 'Begin of the transaction that applied it';\n"
    "comment on column chancery.migration.applied_by is 'The database role that applied it'";

/* A refusal for the operator: logged, and kept as the db's message for the command line. */
static enum result refuse(struct db *db, enum result r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static enum result refuse(struct db *db, enum result r, const char *fmt, ...)
{
    char text[DB_MESSAGE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    db_set_message(db, text);
    log_event(LOG_LEVEL_ERROR, "migration-refused", LOG_TEXT("cause", db->message), LOG_RESULT(r));
    return r;
}

/* NNNN-name.sql with a name of a-z, 0-9 and "-"; the number, or 0. */
static int name_number(const char *name)
{
    size_t n = strlen(name);
    if (n < sizeof "0001-x.sql" - 1 || strspn(name, "0123456789") != 4 || name[4] != '-' || strcmp(name + n - 4, ".sql") != 0)
        return 0;
    if (strspn(name + 5, "abcdefghijklmnopqrstuvwxyz0123456789-") != n - 9)
        return 0;
    return (int)strtol(name, NULL, 10);
}

/* Editors' copies and files that do not begin with a digit are nobody's migration. */
static bool is_candidate(const char *name)
{
    size_t n = strlen(name);
    return name[0] >= '0' && name[0] <= '9' && n > 4 && strcmp(name + n - 4, ".sql") == 0;
}

static enum result file_add(struct db *db, struct folder *f, const char *name)
{
    int number = name_number(name);
    if (number == 0)
        return refuse(db, R_CONFIG, "%s/%s: a migration is named NNNN-name.sql, from 0001, in small letters", f->path, name);
    if (f->count == FOLDER_LIMIT)
        return refuse(db, R_TOO_LARGE, "%s: too many migrations", f->path);
    if (f->count == f->room) {
        int room = f->room == 0 ? 16 : f->room * 2;
        struct file *p = reallocarray(f->files, (size_t)room, sizeof *p);
        if (p == NULL)
            return R_NO_MEMORY;
        f->files = p;
        f->room = room;
    }
    f->files[f->count].number = number;
    snprintf(f->files[f->count++].name, sizeof f->files->name, "%s", name);
    return R_OK;
}

static int file_compare(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static enum result folder_read(struct db *db, struct folder *f)
{
    enum result r = R_OK;
    struct dirent *e;
    DIR *dir = opendir(f->path);
    if (dir == NULL)
        return refuse(db, R_IO, "%s: %s", f->path, strerror(errno));
    while (r == R_OK && (errno = 0, e = readdir(dir)) != NULL) {
        if (is_candidate(e->d_name))
            r = file_add(db, f, e->d_name);
    }
    if (r == R_OK && errno != 0)
        r = refuse(db, R_IO, "%s: %s", f->path, strerror(errno));
    if (r == R_OK && (f->fd = fcntl(dirfd(dir), F_DUPFD_CLOEXEC, 3)) < 0)
        r = refuse(db, R_IO, "%s: %s", f->path, strerror(errno));
    closedir(dir);
    if (r != R_OK)
        return r;
    if (f->count == 0)
        return refuse(db, R_CONFIG, "%s: there are no migrations in this folder", f->path);
    qsort(f->files, (size_t)f->count, sizeof *f->files, file_compare);
    for (int i = 0; i < f->count; i++) {
        if (f->files[i].number != i + 1)
            return refuse(db, R_CONFIG, "%s/%s: number %04d was expected here", f->path, f->files[i].name, i + 1);
    }
    return R_OK;
}

static enum result text_read(struct db *db, const struct folder *f, const struct file *file, struct buf *text)
{
    enum result r = R_IO;
    struct stat st;
    buf_reset(text);
    int fd = openat(f->fd, file->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        refuse(db, r, "%s/%s: %s", f->path, file->name, strerror(errno));
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_LIMIT) {
        r = refuse(db, R_TOO_LARGE, "%s/%s: not a regular file of at most %d bytes", f->path, file->name, FILE_LIMIT);
        goto out;
    }
    for (;;) {
        uint8_t piece[16384];
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            refuse(db, r, "%s/%s: %s", f->path, file->name, strerror(errno));
            goto out;
        }
        if (n == 0)
            break;
        buf_append(text, piece, (size_t)n);
    }
    if (!text_is_utf8(text->p, text->n)) {
        r = refuse(db, R_BAD_INPUT, "%s/%s: not UTF-8 text", f->path, file->name);
        goto out;
    }
    buf_byte(text, 0);
    r = buf_result(text);
out:
    if (fd >= 0)
        close(fd);
    return r;
}

static enum result changed(struct db *db, const struct file *f)
{
    return refuse(db, R_SCHEMA, "%s was changed after it was applied to this database; a change belongs in a new migration",
                  f->name);
}

/* What is registered under the file's number: nothing, this text, or (R_SCHEMA) another. */
static enum result file_look(struct db *db, const struct file *f, const char *text, bool *known)
{
    struct db_rows *rows = NULL;
    const struct db_param p[] = {DB_P_INT4(f->number), DB_P_TEXT(text)};
    *known = false;
    enum result r = db_exec(db, &S_SAME, p, 2, LIMIT_DB_MS, &rows);
    if (r == R_OK) {
        *known = db_count(rows) > 0;
        if (*known && !db_bool(rows, 0, 0))
            r = changed(db, f);
    }
    db_rows_free(rows);
    return r;
}

static enum result exists(struct db *db, bool *schema, bool *table)
{
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &S_EXISTS, NULL, 0, LIMIT_DB_MS, &rows);
    *schema = r == R_OK && db_bool(rows, 0, 0);
    *table = r == R_OK && db_bool(rows, 0, 1);
    db_rows_free(rows);
    return r;
}

/* The last number registered; 0 for an empty database. */
static enum result last_number(struct db *db, const struct folder *f, int *last)
{
    struct db_rows *rows = NULL;
    bool schema, table;
    *last = 0;
    enum result r = exists(db, &schema, &table);
    if (r != R_OK || !table)
        return r;
    r = db_exec(db, &S_LAST, NULL, 0, LIMIT_DB_MS, &rows);
    if (r == R_OK) {
        *last = (int)db_number(rows, 0, 0);
        if (*last > f->count)
            r = refuse(db, R_SCHEMA, "the database is newer than this program: it has schema %d, and the program knows %d; "
                       "install the release that made it", *last, f->count);
        else if (db_number(rows, 0, 1) != *last)
            r = refuse(db, R_SCHEMA, "chancery.migration has a gap below number %d", *last);
    }
    db_rows_free(rows);
    return r;
}

/* In the transaction of the migration: the lock, then what it needs to register itself. */
static enum result prepare_ground(struct db *db)
{
    bool schema, table;
    enum result r = db_exec(db, &S_LOCK, (const struct db_param[]){DB_P_INT8(LOCK)}, 1, LIMIT_DB_BULK_MS, NULL);
    if (r == R_OK)
        r = exists(db, &schema, &table);
    if (r == R_OK && !schema)
        r = db_script(db, CREATE_SCHEMA, LIMIT_DB_MS);
    if (r == R_OK && !table)
        r = db_script(db, CREATE_TABLE, LIMIT_DB_MS);
    return r;
}

static enum result file_register(struct db *db, const struct file *f, const char *text)
{
    const struct db_param p[] = {DB_P_INT4(f->number), DB_P_TEXT(f->name), DB_P_TEXT(text)};
    return db_exec(db, &S_REGISTER, p, 3, LIMIT_DB_MS, NULL);
}

static enum result failed(struct db *db, const struct file *f, enum result r)
{
    char text[DB_MESSAGE + NAME_MAX + 3];
    const char *cause = db_message(db)[0] == '\0' ? result_sentence(r) : db_message(db);
    snprintf(text, sizeof text, "%s: %s", f->name, cause);
    log_event(LOG_LEVEL_ERROR, "migration-failed", LOG_TEXT("file", f->name), LOG_TEXT("cause", cause), LOG_RESULT(r));
    db_set_message(db, text);
    return r;
}

/* One transaction. *applied: by us, not by another program while we waited for the lock. */
static enum result file_apply(struct db *db, const struct file *f, const char *text, bool *applied)
{
    bool known = false;
    *applied = false;
    enum result r = db_begin(db, false, LIMIT_DB_MS);
    if (r == R_OK)
        r = prepare_ground(db);
    if (r == R_OK)
        r = file_look(db, f, text, &known);
    if (r == R_OK && !known) {
        r = db_script(db, text, LIMIT_DB_BULK_MS);
        if (r == R_OK)
            r = file_register(db, f, text);
        if (r == R_OK)
            r = db_commit(db, LIMIT_DB_BULK_MS);
        *applied = r == R_OK;
    }
    db_rollback(db);
    return r == R_OK || r == R_SCHEMA ? r : failed(db, f, r);
}

enum result migrate_run(struct db *db, const char *folder, void (*report)(void *, const char *line), void *context)
{
    struct folder f = {.path = folder, .fd = -1};
    struct buf text;
    char line[NAME_MAX + 32];
    int last = 0, count = 0;
    buf_init(&text, FILE_LIMIT + 1);
    enum result r = folder_read(db, &f);
    if (r == R_OK)
        r = last_number(db, &f, &last);
    for (int i = 0; r == R_OK && i < f.count; i++) {
        bool known = false, applied = false;
        r = text_read(db, &f, &f.files[i], &text);
        if (r == R_OK && i < last)
            r = file_look(db, &f.files[i], (const char *)text.p, &known);
        if (r == R_OK && !known)
            r = file_apply(db, &f.files[i], (const char *)text.p, &applied);
        if (applied) {
            snprintf(line, sizeof line, "%s applied", f.files[i].name);
            report(context, line);
            count++;
        }
    }
    if (r == R_OK) {
        if (count == 0)
            snprintf(line, sizeof line, "schema %d, nothing to do", f.count);
        else
            snprintf(line, sizeof line, "schema %d, %d applied", f.count, count);
        report(context, line);
    }
    buf_free(&text);
    free(f.files);
    if (f.fd >= 0)
        close(f.fd);
    return r;
}

enum result migrate_check(struct db *db)
{
    struct db_rows *rows = NULL;
    int64_t found = 0;
    enum result r = db_exec(db, &S_NUMBER_EXISTS, NULL, 0, LIMIT_DB_MS, &rows);
    bool known = r == R_OK && db_bool(rows, 0, 0);
    db_rows_free(rows);
    rows = NULL;
    if (r == R_OK && known)
        r = db_exec(db, &S_NUMBER, NULL, 0, LIMIT_DB_MS, &rows);
    if (r == R_OK && known)
        found = db_number(rows, 0, 0);
    db_rows_free(rows);
    if (r == R_OK && found != MIGRATE_SCHEMA) {
        r = R_SCHEMA;
        log_event(LOG_LEVEL_ERROR, "wrong-schema", LOG_NUM("found", found), LOG_NUM("wanted", MIGRATE_SCHEMA), LOG_RESULT(r));
    }
    return r;
}

enum result migrate_await(const struct db_config *config, int timeout_ms)
{
    struct db *db = NULL;
    enum result r = db_open(config, &db);
    if (r == R_OK)
        r = db_wait(db, timeout_ms);
    if (r == R_OK)
        r = migrate_check(db);
    db_close(db);
    return r;
}
