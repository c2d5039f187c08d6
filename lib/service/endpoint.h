/*
 * endpoint: what answers at a SCEP URI, kept ready: the CA's certificates and its RA generations with keys opened and warm.
 *
 * A worker keeps at most ENDPOINT_MOST of them, the least recently used makes room. What is known is read again after
 * ENDPOINT_FRESH_MS, in the request that finds it old; while the database does not answer, what is known keeps serving, and it
 * is asked again after ENDPOINT_AWAY_MS. What is not known is read at once: an id that the database does not know is then refused
 * from memory for ENDPOINT_AGAIN_MS, and all unknown ids together may cost ENDPOINT_UNKNOWN_READS reads in that time, so that
 * guessing ids costs the database little. Keys already open are kept over a re-read.
 *
 * Belongs to one process; opened after the fork.
 */
#ifndef CHANCERY_SERVICE_ENDPOINT_H
#define CHANCERY_SERVICE_ENDPOINT_H

#include "lib/codec/cms.h"
#include "lib/policy/variant.h"
#include "lib/store/scep.h"

#define ENDPOINT_MOST 256
#define ENDPOINT_FRESH_MS 30000
#define ENDPOINT_AGAIN_MS 1000
#define ENDPOINT_AWAY_MS 5000
#define ENDPOINT_UNKNOWN_READS 32

struct ra_generation {
    uint32_t number;
    struct bytes sign_certificate, encrypt_certificate;
    struct cms_key *sign, *encrypt;
};

struct endpoint {
    const char *ca;                        /* id, lower case */
    uint32_t staged;                       /* the version in the URL; 0: production */
    uint32_t next_version;                 /* that is staged to follow; 0: none */
    struct bytes certificate;              /* of the issuing CA */
    struct bytes *chain;                   /* above it, nearest first */
    uint32_t chain_count;
    /* The answers to GetCACert, by enum variant_ca_chain: RA encryption first, RA signing, issuing CA, chain (Q22). */
    struct bytes ca_certificates[CA_CHAIN_COUNT];
    struct bytes next;                     /* the answer to GetNextCACert, once it was asked for (endpoint_keep_next); .p NULL: not yet */
    struct ra_generation generations[SCEP_GENERATIONS];        /* newest first */
    uint32_t generation_count;             /* one at least */
};

/* Where endpoints are read: scep_endpoint_read with its database as context. */
typedef enum result endpoint_read(void *context, const char *ca, uint32_t staged, int timeout_ms, struct arena *a,
                                  struct scep_endpoint *out);
struct endpoint_config {                   /* borrowed for the life of the cache */
    endpoint_read *read;
    void *context;
    const char *ra_passphrase;
    int64_t (*now_ms)(void);               /* NULL: clock_monotonic_ms; for tests */
};

struct endpoints;
enum result endpoints_open(const struct endpoint_config *c, struct endpoints **out);
void endpoints_close(struct endpoints *all);

/* R_NOT_FOUND: nothing answers there. R_UNAVAILABLE: not known, and the database does not answer or was asked too often.
 * R_BAD_KEY: no generation's keys open (logged). *out is valid until the next endpoint_find; endpoint_reload may change what it
 * holds. */
enum result endpoint_find(struct endpoints *all, const char *ca, uint32_t staged, struct endpoint **out);

/* A message names a generation that is not here: reads the endpoint again, at most once in ENDPOINT_AGAIN_MS. Whatever comes of
 * it, the endpoint stays usable. */
void endpoint_reload(struct endpoints *all, struct endpoint *e);

/* Keeps the answer to GetNextCACert until the endpoint is read again: the signer is not asked for each. R_NO_MEMORY. */
enum result endpoint_keep_next(struct endpoint *e, struct bytes answer);

#endif
