/*
 * making: the parts of making a CA version, for authority_make.c (a new CA) and authority_renew.c (the next version of one).
 *
 * In order: the parent, the addresses, the key; then a certificate by the parent or by the key itself, or for a bring-your-own CA the request for one.
 * What is recorded, and under which conditions, is the callers'.
 */
#ifndef CHANCERY_SIGNER_MAKING_H
#define CHANCERY_SIGNER_MAKING_H

#include "lib/signer/worker.h"
#include "lib/store/authority.h"

struct making {
    /* given */
    struct worker_call *call;
    uint32_t tenant;
    const char *actor;
    const struct ca_request *request;
    const char *parent_name;                 /* of an issuing CA: name or id of its root */
    struct authority_context context;
    const struct key_pair_choice *pair;
    char uuid[37];
    uint32_t number;                         /* of the version */
    struct bytes subject;                    /* Name, DER */
    int64_t not_after;
    bool clamped;
    /* made */
    const struct keyring_ca *parent;         /* NULL: a root, or a bring-your-own CA */
    const char *crl_url, *aia_url, *scep_uri;
    struct pkey *key;                        /* freed by the caller */
    struct bytes spki;
    uint8_t ski[20];
    struct certificate made;
    struct csr csr;                          /* in its place, for a bring-your-own CA */
    struct bytes *chain;                     /* above it, nearest first */
    uint32_t chain_count;
};

static inline bool making_is_root(const struct making *m) { return m->request->kind == CA_ROOT; }
static inline bool making_is_byoca(const struct making *m) { return m->request->kind == CA_BYOCA; }

/* The root that is to sign, active and ready, as the context has it. */
enum result making_find_parent(struct making *m, struct verdict *v);
enum result making_addresses(struct making *m);
/* The subject that the request asks for. */
enum result making_subject(struct making *m);
/* The new key, sealed, and opened again from what will be stored: what cannot be opened later must not be recorded. *own is freed by key_free. */
enum result making_key(struct making *m, struct bytes *sealed, struct key **own);
enum result making_certificate(struct making *m, const struct key *own, struct verdict *v);
enum result making_request(struct making *m, const struct key *own);
/* The signer's word on what was made (ca_seal.h); fills chain as well. */
enum result making_seal(struct making *m, struct buf *seal);

#endif
