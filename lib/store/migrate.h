/*
 * migrate: numbered schema migrations from a folder of files NNNN-name.sql.
 *
 * Each file runs in one transaction and registers itself (number, name, SHA-256 of its text) in chancery.migration as its last
 * step; schema and table are made with the first one. A file already registered is skipped; one whose text changed since is
 * refused, as are a gap in the numbers, a file of digits and .sql that is named otherwise, and a database that knows a higher
 * number than the folder holds: it is newer than this program. Two at once: the second waits (an advisory lock inside the
 * transaction).
 */
#ifndef CHANCERY_STORE_MIGRATE_H
#define CHANCERY_STORE_MIGRATE_H

#include "lib/store/db.h"

/* The schema number that this release's programs need; they refuse to serve on another (R_SCHEMA). */
#define MIGRATE_SCHEMA 8

/* report is called for each file applied ("0001-base.sql applied") and for the last line ("schema 1, nothing to do" or "schema 1,
 * 1 applied"). R_SCHEMA: this folder and this database do not fit together; R_CONFIG, R_IO, R_TOO_LARGE, R_BAD_INPUT: the folder
 * or a file; else what db gave. db_message has a sentence for the operator. After any failure it may simply be run again. */
enum result migrate_run(struct db *db, const char *folder, void (*report)(void *, const char *line), void *context);
/* R_OK where the database's schema number is MIGRATE_SCHEMA; else R_SCHEMA, logged with both numbers (0: no schema yet). Uses
 * function chancery.schema_number(), which every role may call. */
enum result migrate_check(struct db *db);

/* For a daemon that is about to start: waits up to timeout_ms for the database to answer, then asks as above, on a connection of its own. */
enum result migrate_await(const struct db_config *config, int timeout_ms);

#endif
