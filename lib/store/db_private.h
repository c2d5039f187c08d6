/*
 * db_private: what the db files share; for lib/store/db*.c, migrate.c (db_set_message) and their unit tests alone.
 *
 * A call goes through three steps: a request is encoded (db_param.c), sent on a live connection (db_connect.c, db.c), and
 * its answers are read to the last one (db.c). Until the send is complete the server cannot have done anything, because a
 * statement commits at its Sync, or runs at the end of its Query message; from then on a silence is R_OUTCOME_UNKNOWN.
 */
#ifndef CHANCERY_STORE_DB_PRIVATE_H
#define CHANCERY_STORE_DB_PRIVATE_H

#include <libpq-fe.h>

#include "lib/base/limits.h"
#include "lib/store/db.h"

#define DB_PARAMS 100               /* as many as a PostgreSQL function takes */
#define DB_FIELDS 100               /* columns of a COPY */
#define DB_NAME 64                  /* a statement's name with its NUL: PostgreSQL's NAMEDATALEN */
#define DB_MESSAGE 1024
#define DB_ARRAYS_LIMIT 16777216    /* bytes of the arrays among one statement's parameters */
#define DB_TUPLE_LIMIT 2097152      /* bytes of one tuple of a COPY */

/* OIDs of pg_type, fixed for ever by PostgreSQL. */
enum {
    OID_BOOL = 16, OID_BYTEA = 17, OID_NAME = 19, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_TEXT = 25, OID_JSON = 114,
    OID_BYTEA_ARRAY = 1001, OID_NAME_ARRAY = 1003, OID_TEXT_ARRAY = 1009, OID_VARCHAR_ARRAY = 1015, OID_INT8_ARRAY = 1016,
    OID_BPCHAR = 1042, OID_VARCHAR = 1043, OID_TIMESTAMPTZ = 1184,
};

#define DB_EPOCH 946684800          /* 2000-01-01 in unix seconds: where PostgreSQL counts from */

enum db_transaction {
    DB_NO_TRANSACTION,
    DB_IN_TRANSACTION,
    DB_LOST_TRANSACTION,            /* its connection is gone: nothing may run until the caller has rolled back */
};

struct db {
    struct db_config config;
    char *host, *hostaddr, *port;   /* comma lists of the connection string; NULL where not given */
    int hosts, first_host;
    PGconn *connection;             /* NULL: not connected */
    bool closing;                   /* the server has said that it ends this connection */
    bool outage;                    /* an outage was logged, its end was not */
    bool plan_stale;                /* the last answer was about a prepared statement that is no more */
    enum db_transaction transaction;
    char (*prepared)[DB_NAME];      /* names prepared on this connection */
    int prepared_count, prepared_room;
    char detail[LIMIT_DETAIL + 1], message[DB_MESSAGE];
};

struct db_values {                  /* parameters as libpq takes them; scalars of text and bytea are borrowed */
    int count;
    Oid types[DB_PARAMS];
    const char *values[DB_PARAMS];
    int lengths[DB_PARAMS], formats[DB_PARAMS];
    uint8_t cells[DB_PARAMS][8];
    size_t offsets[DB_PARAMS];
    struct buf arrays;
};
/* Values must be freed whatever the result. A value that its type cannot hold is R_INTERNAL, logged. */
enum result db_values_encode(struct db_values *v, const char *statement, const struct db_param *params, int count);
void db_values_free(struct db_values *v);

struct db_request {
    const char *name;               /* for the log; the prepared statement's */
    const char *sql;
    const struct db_values *values; /* NULL: simple protocol */
    int64_t deadline;               /* monotonic ms */
    bool harmless;                  /* changes nothing: a silence is R_UNAVAILABLE, not R_OUTCOME_UNKNOWN */
    bool commits;                   /* the end of the session may come on either side of it: R_OUTCOME_UNKNOWN */
    bool again;                     /* the second try: a stale plan is an error now */
};
/* Connects where needed and sends the whole request; on R_OK its answers must be read. Tries a second connection where the
 * first broke before everything was sent. */
enum result db_send(struct db *db, const struct db_request *q);
/* The next answer, NULL after the last. */
enum result db_next(struct db *db, const struct db_request *q, PGresult **res);
/* Reads the answers to the end and maps them; first (may be NULL) is one that was read already, and is taken. *out (may be
 * NULL): the answer. */
enum result db_finish(struct db *db, const struct db_request *q, PGresult *first, PGresult **out);
/* The connection is closed; the deadline passed or it broke after the request was sent. */
enum result db_unknown(struct db *db, const struct db_request *q, const char *cause);

/* A live connection, or R_UNAVAILABLE. Notices, without sending, when the server has closed the one there was. */
enum result db_ready(struct db *db, int64_t deadline);
void db_drop(struct db *db);
/* Waits for events of poll(2) on the connection: what happened, 0 at the deadline, -1 on an error. */
int db_poll(struct db *db, short events, int64_t deadline);
/* An outage is logged when it begins and when a statement was answered again, not at every try. */
void db_outage(struct db *db, const char *cause);
void db_answered(struct db *db);

void db_set_message(struct db *db, const char *text);
/* Copies text, cut between characters and without white space at the end. */
void db_text_copy(char *out, size_t size, const char *text);

struct db_rows {
    PGresult *res;
    const char *statement;
};

/* The binary COPY format, as a stream in pieces of any size. */
struct db_copy_stream {
    struct buf rest;
    bool begun, ended;
    db_copy_row *row;
    void *context;
    struct bytes fields[DB_FIELDS];
};
void db_copy_init(struct db_copy_stream *s, db_copy_row *row, void *context);
/* R_INTERNAL for bytes that are no COPY and R_TOO_LARGE for a tuple above its limit, both logged; else what row gave. */
enum result db_copy_feed(struct db_copy_stream *s, struct bytes piece);
/* R_INTERNAL, logged, where the stream is not complete. */
enum result db_copy_end(const struct db_copy_stream *s);
void db_copy_free(struct db_copy_stream *s);

#endif
