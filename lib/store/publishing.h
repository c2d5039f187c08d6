/*
 * publishing: what the publisher reads and records (sql/0003-publisher.sql), in PKI words.
 *
 * Every call is one statement with the deadline LIMIT_DB_MS; none of them acts for a person. Several publishers, one a host,
 * may call at the same time: what one of them must do alone is under a lease, which expires by itself.
 */
#ifndef CHANCERY_STORE_PUBLISHING_H
#define CHANCERY_STORE_PUBLISHING_H

#include "lib/store/db.h"

/* Stores the two clocks of this host: wall in unix seconds, monotonic in milliseconds since the boot. *doubted: something
 * that cannot be undone has to wait until an operator confirms the time; *detail (in the arena, "" where none) says what was
 * seen. */
enum result publishing_tick(struct db *db, const char *host, const char *boot, int64_t wall, int64_t monotonic_ms,
                            struct arena *a, bool *doubted, const char **detail);

/* Takes or prolongs a lease of sql ('seal', 'upkeep'); *held false while somebody else has it. */
enum result publishing_lease(struct db *db, const char *name, const char *holder, uint32_t seconds, bool *held);

struct publishing_due {
    uint32_t ca_version, shard;
    int64_t number;                  /* of the CRL that stands; 0: none yet */
    bool waiting;                    /* a revocation waits, else it is for its age */
};
/* Leases one CRL that is due. refresh_seconds: the age at which one without news is built anew. */
enum result publishing_crl_claim(struct db *db, const char *holder, uint32_t lease_seconds, int64_t refresh_seconds,
                                 struct publishing_due *out, bool *found);
/* Gives the lease back after a failed build; it is due again after retry_seconds. */
enum result publishing_crl_failed(struct db *db, const struct publishing_due *due, const char *holder, uint32_t retry_seconds);

struct publishing_crl {
    uint32_t ca_version, shard, pieces;
    const char *path;                /* below crl/ */
    int64_t number, size;
    struct bytes sha256;
};
/* Calls crl for the current CRL of each CA version and shard. What it points to is valid in the call. A result other than
 * R_OK ends it. */
typedef enum result publishing_crl_row(void *context, const struct publishing_crl *crl);
enum result publishing_crl_current(struct db *db, publishing_crl_row *crl, void *context);
/* One piece, replacing what out held. R_NOT_FOUND where it is gone: newer CRLs came. */
enum result publishing_crl_piece(struct db *db, const struct publishing_crl *crl, uint32_t piece, struct buf *out);

/* Calls file for the certificate of every CA version, path below ca/. */
typedef enum result publishing_ca_row(void *context, const char *path, struct bytes certificate);
enum result publishing_ca_files(struct db *db, publishing_ca_row *file, void *context);

struct publishing_ra { uint32_t tenant, ca_version; };
/* Issuing CA versions whose RA certificates end within so many days. */
enum result publishing_ra_due(struct db *db, uint32_t days, struct arena *a, struct publishing_ra **out, uint32_t *count);

/* Makes the partitions that the coming years need; *made: how many were missing. */
enum result publishing_partitions(struct db *db, uint32_t *made);

/* Numbers and chains up to limit audit entries, under the lease 'seal' alone; *sealed: how many. */
enum result publishing_audit_seal(struct db *db, const char *holder, uint32_t limit, uint32_t *sealed);
struct publishing_head { int64_t batch, last, key; struct bytes head, signature; };
/* The newest signed head; batch 0 where there is none. */
enum result publishing_audit_head(struct db *db, struct arena *a, struct publishing_head *out);

#endif
