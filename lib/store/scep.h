/*
 * scep: what chancery-scep reads, as role chancery_scep: what answers at a SCEP URI, and CRLs for GetCRL (sql/0005-scep.sql).
 *
 * Keys come as they are stored, encrypted under the RA passphrase.
 */
#ifndef CHANCERY_STORE_SCEP_H
#define CHANCERY_STORE_SCEP_H

#include "lib/base/arena.h"
#include "lib/store/db.h"

#define SCEP_GENERATIONS 16            /* RA generations that are read, the newest ones */

struct scep_generation {
    uint32_t number;
    struct bytes sign_certificate, sign_key;
    struct bytes encrypt_certificate, encrypt_key;
};
struct scep_endpoint {
    uint32_t ca_version;               /* the number that the URL of a staged version has */
    struct bytes certificate;          /* of the issuing CA */
    struct bytes *chain;               /* above it, nearest first */
    uint32_t chain_count;
    struct scep_generation generations[SCEP_GENERATIONS];      /* newest first */
    uint32_t generation_count;         /* one at least */
    uint32_t next_version;             /* the version that is staged to follow; 0: none */
};
/* ca: an id in text form. staged: a version's number, or 0 for the one in production. Values are in the arena. R_NOT_FOUND:
 * there is no such endpoint. */
enum result scep_endpoint_read(struct db *db, const char *ca, uint32_t staged, int timeout_ms, struct arena *a,
                               struct scep_endpoint *out);

struct scep_crl {
    const char *url;                   /* its distribution point */
    int64_t number;                    /* 0: none was built yet */
    int64_t size;
    struct bytes der;                  /* .p NULL where it is larger than LIMIT_SCEP_CRL */
};
/* The newest CRL that covers this serial number of the CA. R_NOT_FOUND: there is no such CA. */
enum result scep_crl_read(struct db *db, const char *ca, uint32_t staged, struct bytes serial, struct arena *a, struct scep_crl *out);

#endif
