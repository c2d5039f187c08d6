/*
 * db_faults CONNECTION [COMMAND [ARGUMENT ...]]: the database layer when things break: deadlines, sessions that end, answers
 * that get lost, silent and missing hosts, and (COMMAND restarts the server and returns when it answers) a restart between
 * calls. CONNECTION must lead to a server that has a Unix socket on this host. Uses schema db_faults, which it makes and drops.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/store/db.h"
#include "tests/flow/tap.h"

#define MS 10000

static const char *const READY = "Z\0\0\0\5I";     /* ReadyForQuery outside a transaction: the last message of an answer */
#define READY_SIZE 6

static enum result text_of(struct db *db, const char *sql, int timeout_ms, char *out, size_t size)
{
    const struct db_statement s = {"text", sql};    /* one name for all: they are sent unprepared */
    struct db_rows *rows;
    enum result r = db_exec(db, &s, NULL, 0, timeout_ms, &rows);
    snprintf(out, size, "%s", r == R_OK && db_count(rows) > 0 && db_text(rows, 0, 0) != NULL ? db_text(rows, 0, 0) : "");
    db_rows_free(rows);
    return r;
}

static enum result run(struct db *db, const char *sql, int timeout_ms)
{
    const struct db_statement s = {"run", sql};
    return db_exec(db, &s, NULL, 0, timeout_ms, NULL);
}

static bool is(struct db *db, const char *sql, const char *want)
{
    char text[256];
    return text_of(db, sql, MS, text, sizeof text) == R_OK && strcmp(text, want) == 0;
}

static struct db *db_new(const char *connection)
{
    struct db_config c = {.connection = connection, .application = "db_faults"};
    struct db *db = NULL;
    if (db_open(&c, &db) != R_OK)
        exit(2);
    return db;
}

/* --- a proxy that loses what it is told to lose --- */

/* Cuts both connections: before the request that contains the word reaches the server, after the server's answer, or after all of
 * the answer but its ReadyForQuery. */
enum cut { CUT_NONE, CUT_BEFORE, CUT_AFTER, CUT_READY };
static const struct { const char *word; enum cut cut; } CUT_WORDS[] = {
    {"cut before", CUT_BEFORE}, {"cut after", CUT_AFTER}, {"cut ready", CUT_READY}, {"commit", CUT_AFTER},
};

static int socket_at(const char *path, bool listening)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if (fd < 0 || (listening ? bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 8) != 0
                             : connect(fd, (struct sockaddr *)&a, sizeof a) != 0))
        exit(2);
    return fd;
}

static bool pass(int to, const char *p, ssize_t n)
{
    while (n > 0) {
        ssize_t sent = send(to, p, (size_t)n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        p += sent;
        n -= sent;
    }
    return true;
}

static enum cut cut_of(const char *p, ssize_t n)
{
    for (size_t i = 0; i < sizeof CUT_WORDS / sizeof *CUT_WORDS; i++) {
        if (memmem(p, (size_t)n, CUT_WORDS[i].word, strlen(CUT_WORDS[i].word)) != NULL)
            return CUT_WORDS[i].cut;
    }
    return CUT_NONE;
}

static void relay(int client, int server)
{
    static char p[65536];
    enum cut cut = CUT_NONE;
    for (;;) {
        struct pollfd fds[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        poll(fds, 2, -1);
        int from = fds[0].revents != 0 ? client : server;
        ssize_t n = read(from, p, sizeof p);
        if (n <= 0)
            return;
        if (from == client && cut == CUT_NONE && (cut = cut_of(p, n)) == CUT_BEFORE)
            return;
        bool last = from == server && n >= READY_SIZE && memcmp(p + n - READY_SIZE, READY, READY_SIZE) == 0;
        if (from == server && cut == CUT_READY)
            pass(client, p, last ? n - READY_SIZE : n);
        if (from == server && cut != CUT_NONE) {
            if (last)
                return;
            continue;
        }
        if (!pass(from == client ? server : client, p, n))
            return;
    }
}

static pid_t proxy_start(const char *at, const char *server)
{
    int fd = socket_at(at, true);
    pid_t pid = fork();
    if (pid != 0) {
        close(fd);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int client = accept(fd, NULL, NULL), up = socket_at(server, false);
        relay(client, up);
        close(client);
        close(up);
    }
}

static void proxy_stop(pid_t pid, const char *at)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unlink(at);
}

static const struct {
    const char *why, *sql;
    enum result want;
    const char *rows;       /* in the table afterwards: what the server did */
} CUTS[] = {
    {"the request is lost", "insert into db_faults.t select 1 /* cut before */", R_OUTCOME_UNKNOWN, "0"},
    {"the answer is lost", "insert into db_faults.t select 2 /* cut after */", R_OUTCOME_UNKNOWN, "1"},
    {"the answer ends before its last message", "insert into db_faults.t select 3 /* cut ready */", R_OUTCOME_UNKNOWN, "2"},
    {"a statement that the server refused: also then not known", "select 1/0 /* cut after */", R_OUTCOME_UNKNOWN, "2"},
    {"a refusal holds, though the connection breaks after it", "select 1/0 /* cut ready */", R_INTERNAL, "2"},
};

static void test_cuts(struct db *through)
{
    for (size_t i = 0; i < sizeof CUTS / sizeof *CUTS; i++) {
        enum result r = run(through, CUTS[i].sql, MS);
        tap_ok(r == CUTS[i].want, "%s (%s)", CUTS[i].why, result_name(r));
        tap_ok(is(through, "select count(*)::text from db_faults.t", CUTS[i].rows), "then: %s rows", CUTS[i].rows);
    }
    tap_ok(db_begin(through, false, MS) == R_OK && run(through, "insert into db_faults.t values (4)", MS) == R_OK
           && run(through, "select 1 /* cut before */", MS) == R_OUTCOME_UNKNOWN && db_commit(through, MS) == R_UNAVAILABLE,
           "a transaction whose connection broke is not committed");
    tap_ok(is(through, "select count(*)::text from db_faults.t", "2"), "then: 2 rows");
    tap_ok(db_begin(through, false, MS) == R_OK && run(through, "insert into db_faults.t values (5)", MS) == R_OK
           && db_commit(through, MS) == R_OUTCOME_UNKNOWN, "the answer to a commit is lost");
    tap_ok(is(through, "select count(*)::text from db_faults.t", "3"), "then: 3 rows");
}

/* --- deadlines --- */

static void test_deadlines(struct db *db)
{
    int64_t begin = clock_monotonic_ms();
    tap_ok(run(db, "select pg_sleep(20)", 300) == R_OUTCOME_UNKNOWN && !db_is_connected(db), "a statement past its deadline");
    begin = clock_monotonic_ms() - begin;
    tap_ok(begin >= 300 && begin < 2000, "it took its 300 ms (%d)", (int)begin);
    tap_ok(run(db, "select 1", MS) == R_OK, "the next call works");
    tap_ok(run(db, "select 1", 0) == R_UNAVAILABLE && run(db, "select 1", -5) == R_UNAVAILABLE, "without time nothing is sent");
    tap_ok(db_begin(db, false, MS) == R_OK && db_script(db, "select pg_sleep(20)", 300) == R_OUTCOME_UNKNOWN
           && run(db, "select 1", MS) == R_UNAVAILABLE, "a transaction past its deadline is lost");
    db_rollback(db);
    tap_ok(run(db, "select 1", MS) == R_OK, "until it is rolled back");
}

/* --- sessions that end between calls --- */

static void terminate(struct db *db, struct db *other)
{
    char pid[16], sql[256];
    text_of(db, "select pg_backend_pid()::text", MS, pid, sizeof pid);
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%s, 10000)::text", pid);
    tap_ok(is(other, sql, "true"), "the session is ended by another");
}

static void test_idle(struct db *db, struct db *other)
{
    terminate(db, other);
    tap_ok(run(db, "insert into db_faults.t values (8)", MS) == R_OK
           && is(db, "select count(*)::text from db_faults.t where a = 8", "1"),
           "a session that ended while idle is replaced before anything is sent");
    tap_ok(db_begin(db, false, MS) == R_OK && run(db, "insert into db_faults.t values (6)", MS) == R_OK, "in a transaction");
    terminate(db, other);
    tap_ok(run(db, "insert into db_faults.t values (7)", MS) == R_UNAVAILABLE && db_begin(db, false, MS) == R_INTERNAL,
           "nothing runs outside of the lost transaction");
    tap_ok(is(db, "select count(*)::text from db_faults.t where a in (6, 7)", "0"), "and nothing is left of it");
    tap_ok(db_begin(db, true, MS) == R_OK, "in another");
    terminate(db, other);
    tap_ok(db_commit(db, MS) == R_UNAVAILABLE && run(db, "select 1", MS) == R_OK, "a commit that could not be sent");
}

static void test_restart(struct db *db, struct db *other, char **command)
{
    if (command[0] == NULL) {
        tap_ok(true, "restart # SKIP no command given");
        return;
    }
    for (int i = 0; i < 2; i++) {
        tap_ok(run(db, "select 1", MS) == R_OK && run(other, "select 1", MS) == R_OK, "connected");
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            execvp(command[0], command);
            _exit(127);
        }
        waitpid(pid, &status, 0);
        tap_ok(status == 0, "the server was restarted");
        tap_ok(run(db, "select 1", MS) == R_OK && run(other, "select 1", MS) == R_OK, "a restart between calls goes unnoticed");
    }
}

/* --- hosts --- */

static int words(const char *text, const char *word)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
        n++;
    return n;
}

static void test_outage(const char *dir, const char *at, const char *server, const char *options)
{
    static char log[65536];
    char connection[512];
    FILE *file = tmpfile();
    snprintf(connection, sizeof connection, "%s host=%s port=5432", options, dir);
    struct db *db = db_new(connection);
    if (file == NULL)
        exit(2);
    log_to(fileno(file));
    bool all = true;
    for (int i = 0; i < 5; i++)
        all = all && run(db, "select 1", MS) == R_UNAVAILABLE;
    int64_t begin = clock_monotonic_ms();
    all = all && db_wait(db, 500) == R_UNAVAILABLE;
    begin = clock_monotonic_ms() - begin;
    pid_t proxy = proxy_start(at, server);
    bool back = db_wait(db, MS) == R_OK && run(db, "select 1", MS) == R_OK;
    log_to(2);
    rewind(file);
    log[fread(log, 1, sizeof log - 1, file)] = '\0';
    fclose(file);
    tap_ok(all && begin >= 500 && begin < 3000, "no server: unavailable (waited %d ms)", (int)begin);
    tap_ok(back, "a server: reached");
    tap_ok(words(log, "event=database-unreachable") == 1 && words(log, "event=database-reachable") == 1,
           "an outage is logged when it begins and when it ends");
    db_close(db);
    proxy_stop(proxy, at);
}

/* A host that takes connections and never says a word, as one does whose disk hangs. */
static void test_silent(const char *dir, const char *server, const char *options)
{
    char silent[128], path[160], connection[768], real[128];
    snprintf(silent, sizeof silent, "%s/silent", dir);
    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", silent);
    snprintf(real, sizeof real, "%s", server);
    *strstr(real, "/.s.PGSQL.") = '\0';
    const char *port = strrchr(server, '.') + 1;
    if (mkdir(silent, 0700) != 0)
        exit(2);
    int fd = socket_at(path, true);
    snprintf(connection, sizeof connection, "%s host=%s,%s,%s port=5432,5432,%s target_session_attrs=read-write", options,
             dir, silent, real, port);
    struct db *db = db_new(connection);
    int64_t begin = clock_monotonic_ms();
    bool ok = run(db, "select 1", 3000) == R_OK;
    begin = clock_monotonic_ms() - begin;
    tap_ok(ok && begin < 3000, "a missing and a silent host, then a good one (%d ms)", (int)begin);
    db_close(db);
    snprintf(connection, sizeof connection, "%s host=%s port=5432", options, silent);
    db = db_new(connection);
    begin = clock_monotonic_ms();
    tap_ok(run(db, "select 1", 400) == R_UNAVAILABLE, "a silent host alone: unavailable, because nothing was sent");
    begin = clock_monotonic_ms() - begin;
    tap_ok(begin >= 400 && begin < 2000, "it took its 400 ms (%d)", (int)begin);
    db_close(db);
    close(fd);
    unlink(path);
    rmdir(silent);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/db_faults.XXXXXX", at[64], server[128], options[256], connection[512];
    if (argc < 2 || mkdtemp(dir) == NULL) {
        fprintf(stderr, "usage: db_faults CONNECTION [RESTART-COMMAND [ARGUMENT ...]]\n");
        return 2;
    }
    log_open("db_faults", LOG_LEVEL_DEBUG);
    struct db *db = db_new(argv[1]), *other = db_new(argv[1]);
    tap_ok(db_wait(db, MS) == R_OK, "the server answers");
    tap_ok(db_script(db, "drop schema if exists db_faults cascade; create schema db_faults;"
                     "create table db_faults.t (a int)", MS) == R_OK, "schema db_faults");
    text_of(db, "select split_part(current_setting('unix_socket_directories'), ',', 1) || '/.s.PGSQL.' "
            "|| current_setting('port')", MS, server, sizeof server);
    text_of(db, "select format('user=%s dbname=%s', current_user, current_database())", MS, options, sizeof options);
    snprintf(at, sizeof at, "%s/.s.PGSQL.5432", dir);
    test_outage(dir, at, server, options);
    snprintf(connection, sizeof connection, "%s host=%s port=5432", options, dir);
    pid_t proxy = proxy_start(at, server);
    struct db *through = db_new(connection);
    test_cuts(through);
    db_close(through);
    proxy_stop(proxy, at);
    test_deadlines(db);
    test_idle(db, other);
    test_silent(dir, server, options);
    test_restart(db, other, argv + 2);
    tap_ok(db_script(db, "drop schema db_faults cascade", MS) == R_OK, "dropped");
    db_close(db);
    db_close(other);
    rmdir(dir);
    return tap_end();
}
