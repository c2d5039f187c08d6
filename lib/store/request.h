/*
 * request: requests that wait for approval, as the signer's leaf lane records and finds them (sql/0005-scep.sql).
 */
#ifndef CHANCERY_STORE_REQUEST_H
#define CHANCERY_STORE_REQUEST_H

#include "lib/store/issuing.h"

enum request_state { REQUEST_NONE, REQUEST_PENDING, REQUEST_APPROVED, REQUEST_REJECTED, REQUEST_ISSUED };

struct request {
    int64_t id;
    enum request_state state;        /* NONE: there is no such request, and nothing else is set */
    bool expired;                    /* it waited too long; says nothing of one that was issued */
    struct bytes spki_sha256, content_sha256;
    struct bytes certificate, issuer;        /* where it was issued; the CA's certificate */
    bool valid;                      /* the certificate: not expired, not revoked */
};
/* The newest request that this grant led to under its revision of the profile. */
enum result request_of(struct db *db, const struct issuing_grant *g, struct arena *a, struct request *out);

/* The newest request of that CA, transaction and key: the grant that it is of, for the CA version in production now, and its key. R_NOT_FOUND. */
struct request_found { struct issuing_grant grant; struct bytes spki; };
enum result request_find(struct db *db, const char *ca, const char *transaction, const uint8_t spki_sha256[32], struct arena *a, struct request_found *out);

/* What would be issued, in the words in which it is shown. */
struct request_content {
    const char *transaction;
    struct bytes spki;
    const uint8_t *spki_sha256, *content_sha256;
    const char *subject;
    const char *const *sans;         /* "dns:host.example.org" */
    uint32_t san_count;
    const struct profile *profile;   /* key usage, EKUs, validity */
    uint32_t key_size;
};
/* R_EXISTS: this grant led to a request that lives (asked for twice at once); nothing is recorded. */
enum result request_add(struct db *db, const struct issuing_grant *g, const struct request_content *c);

#endif
