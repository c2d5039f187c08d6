#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/db_private.h"

void db_text_copy(char *out, size_t size, const char *text)
{
    size_t n = text == NULL ? 0 : strlen(text);
    if (n > size - 1) {
        n = size - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    while (n > 0 && strchr(" \r\n\t", text[n - 1]) != NULL)
        n--;
    if (n > 0)
        memmove(out, text, n);      /* db_outage may be given db->message itself */
    out[n] = '\0';
}

void db_set_message(struct db *db, const char *text)
{
    db_text_copy(db->message, sizeof db->message, text);
}

void db_outage(struct db *db, const char *cause)
{
    db_set_message(db, cause);
    if (!db->outage)
        log_event(LOG_LEVEL_ERROR, "database-unreachable", LOG_TEXT("role", db->config.user), LOG_TEXT("cause", db->message));
    db->outage = true;
}

void db_answered(struct db *db)
{
    if (db->outage)
        log_event(LOG_LEVEL_NOTICE, "database-reachable", LOG_TEXT("role", db->config.user));
    db->outage = false;
}

/* The host lists of the connection string, so that one that does not answer costs its share of the time only. */
static enum result hosts_read(struct db *db, const PQconninfoOption *options)
{
    const struct { const char *keyword; char **value; } lists[] = {
        {"host", &db->host}, {"hostaddr", &db->hostaddr}, {"port", &db->port},
    };
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
            if (o->val == NULL || strcmp(o->keyword, lists[i].keyword) != 0)
                continue;
            *lists[i].value = strdup(o->val);
            if (*lists[i].value == NULL)
                return R_NO_MEMORY;
        }
    }
    db->hosts = 1;
    const char *list = db->hostaddr != NULL ? db->hostaddr : db->host;
    for (const char *p = list; p != NULL && *p != '\0'; p++)
        db->hosts += *p == ',';
    return R_OK;
}

enum result db_open(const struct db_config *c, struct db **out)
{
    char *fault = NULL;
    enum result r = R_NO_MEMORY;
    PQconninfoOption *options = NULL;
    struct db *db = calloc(1, sizeof *db);
    *out = NULL;
    if (db == NULL)
        return R_NO_MEMORY;
    db->config = *c;
    options = PQconninfoParse(c->connection, &fault);
    if (options == NULL) {
        r = fault == NULL ? R_NO_MEMORY : R_CONFIG;
        log_event(LOG_LEVEL_ERROR, "database-bad-connection-string", LOG_TEXT("cause", fault), LOG_RESULT(r));
        goto out;
    }
    r = hosts_read(db, options);
out:
    PQfreemem(fault);
    PQconninfoFree(options);
    if (r != R_OK) {
        db_close(db);
        return r;
    }
    *out = db;
    return R_OK;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    db_drop(db);
    free(db->prepared);
    free(db->host);
    free(db->hostaddr);
    free(db->port);
    free(db);
}

bool db_is_connected(const struct db *db)
{
    return db->connection != NULL && PQstatus(db->connection) == CONNECTION_OK && !db->closing;
}

const char *db_detail(const struct db *db)
{
    return db->detail;
}

const char *db_message(const struct db *db)
{
    return db->message;
}

void db_drop(struct db *db)
{
    PQfinish(db->connection);       /* takes NULL; does not wait */
    db->connection = NULL;
    db->prepared_count = 0;
    db->closing = false;
    if (db->transaction == DB_IN_TRANSACTION)
        db->transaction = DB_LOST_TRANSACTION;
}

int db_poll(struct db *db, short events, int64_t deadline)
{
    struct pollfd p = {.fd = PQsocket(db->connection), .events = events};
    if (p.fd < 0)
        return -1;
    for (;;) {
        int n = poll(&p, 1, clock_left_ms(deadline));
        if (n > 0)
            return p.revents;
        if (n == 0)
            return 0;
        if (errno != EINTR && errno != EAGAIN)
            return -1;
    }
}

/* Notices are not printed. One of the server's last words tells that the connection ends: FATAL, or a warning of class 57P
 * (crash of another session, immediate shutdown). */
static void notice(void *context, const PGresult *res)
{
    struct db *db = context;
    const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        db->closing = true;
    if (state != NULL && strncmp(state, "57P", 3) == 0)
        db->closing = true;
}

/* The comma list from its item `first` on, then those before it. NULL stays NULL, and one item alone stays. */
static enum result list_rotate(const char *list, int first, char **out)
{
    *out = NULL;
    if (list == NULL)
        return R_OK;
    const char *p = list;
    for (int i = 0; i < first && p != NULL; i++) {
        p = strchr(p, ',');
        p = p == NULL ? NULL : p + 1;
    }
    if (p == NULL || p == list)
        *out = strdup(list);
    else if (asprintf(out, "%s,%.*s", p, (int)(p - list - 1), list) < 0)
        *out = NULL;
    return *out == NULL ? R_NO_MEMORY : R_OK;
}

static PGconn *connect_start(const struct db *db, int first)
{
    PGconn *c = NULL;
    char *host = NULL, *hostaddr = NULL, *port = NULL;
    if (list_rotate(db->host, first, &host) != R_OK || list_rotate(db->hostaddr, first, &hostaddr) != R_OK
        || list_rotate(db->port, first, &port) != R_OK)
        goto out;
    const char *const keys[] = {
        "dbname", "host", "hostaddr", "port", "user", "password", "application_name", "client_encoding", NULL,
    };
    const char *const values[] = {      /* the later one holds; NULL counts as not given */
        db->config.connection, host, hostaddr, port, db->config.user, db->config.password, db->config.application, "UTF8", NULL,
    };
    c = PQconnectStartParams(keys, values, 1);
out:
    free(host);
    free(hostaddr);
    free(port);
    return c;
}

/* One walk through the host list. *late: the time was up, not the hosts. */
static enum result connect_try(struct db *db, int first, int64_t deadline, bool *late)
{
    *late = false;
    db->connection = connect_start(db, first);
    if (db->connection == NULL)
        return R_NO_MEMORY;
    PQsetNoticeReceiver(db->connection, notice, db);
    PostgresPollingStatusType state = PQstatus(db->connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        int got = db_poll(db, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
        if (got == 0) {
            *late = true;
            return R_UNAVAILABLE;
        }
        state = got < 0 ? PGRES_POLLING_FAILED : PQconnectPoll(db->connection);
    }
    if (state == PGRES_POLLING_FAILED || PQsetnonblocking(db->connection, 1) != 0)
        return R_UNAVAILABLE;
    return R_OK;
}

/* libpq goes on to the next host when one refuses, but for one that is silent the caller must set a limit: each start in the
 * list gets its share of the time. The start that led to an answer is the first of the next time. */
static enum result connect_hosts(struct db *db, int64_t deadline)
{
    bool late = true;
    enum result r = R_UNAVAILABLE;
    db_drop(db);
    for (int i = 0; i < db->hosts && r != R_OK && late; i++) {
        int first = (db->first_host + i) % db->hosts;
        int64_t share = clock_left_ms(deadline) / (db->hosts - i);
        r = connect_try(db, first, clock_monotonic_ms() + share, &late);
        if (r == R_OK) {
            db->first_host = first;
            return R_OK;
        }
        if (r == R_UNAVAILABLE)
            db_set_message(db, late ? "no answer in time while connecting" : PQerrorMessage(db->connection));
        db_drop(db);
    }
    if (r == R_UNAVAILABLE)
        db_outage(db, db->message);
    return r;
}

/* What an idle connection brought in the meantime is read, so that a closed one is noticed before anything is sent on it. */
static bool is_alive(struct db *db)
{
    for (int i = 0; i < 8; i++) {
        if (!db_is_connected(db))
            return false;
        if (db_poll(db, POLLIN, 0) == 0)
            break;
        if (!PQconsumeInput(db->connection))
            return false;
        PQfreemem(PQnotifies(db->connection));      /* makes libpq look at what came */
    }
    PGTransactionStatusType want = db->transaction == DB_NO_TRANSACTION ? PQTRANS_IDLE : PQTRANS_INTRANS;
    PGTransactionStatusType status = PQtransactionStatus(db->connection);
    return db_is_connected(db) && (status == want || (want == PQTRANS_INTRANS && status == PQTRANS_INERROR));
}

enum result db_ready(struct db *db, int64_t deadline)
{
    if (db->connection != NULL && !is_alive(db)) {
        log_event(LOG_LEVEL_NOTICE, "database-connection-lost", LOG_TEXT("role", db->config.user));
        db_set_message(db, "the database's server closed the connection");
        db_drop(db);
    }
    if (db->transaction == DB_LOST_TRANSACTION)
        return R_UNAVAILABLE;
    if (db->connection == NULL)
        return connect_hosts(db, deadline);
    if (clock_left_ms(deadline) > 0)
        return R_OK;
    db_set_message(db, "no time was left to send the statement");
    return R_UNAVAILABLE;
}
