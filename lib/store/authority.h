/*
 * authority: what the signer's admin and crl lanes read and record: new CAs, RA certificates, the installation's keys, CRLs, audit heads.
 */
#ifndef CHANCERY_STORE_AUTHORITY_H
#define CHANCERY_STORE_AUTHORITY_H

#include "lib/store/issuing.h"

/* What a new CA has to fit into. parent_* are unset (parent_version 0) where there is no such parent. */
struct authority_context {
    int64_t now, cas, limit;
    int64_t parent;
    uint32_t parent_version, parent_bits;
    const char *parent_kind, *parent_state, *parent_hash;
};
enum result authority_context(struct db *db, uint32_t tenant, const char *parent, struct arena *a, struct authority_context *out);

struct authority_digests { uint8_t sha1[20], sha256[32], spki_sha256[32]; };
struct authority_ca {
    const char *actor, *uuid;
    const struct ca_request *request;
    int64_t parent;                  /* 0: a root */
    uint32_t issuer_version;         /* 0: a root */
    unsigned key_bits;
    const char *hash, *scep_uri, *crl_url, *aia_url;
    struct bytes private_key, spki;
    const char *wrapped_by;
    struct bytes certificate;
    const struct bytes *chain;
    uint32_t chain_count;
    struct bytes serial, subject, ski;
    struct authority_digests digests;
    const char *subject_text;
    int64_t not_before, not_after;
    bool clamped;
    struct bytes seal;
};
enum result authority_create(struct db *db, uint32_t tenant, const struct authority_ca *ca, uint32_t *ca_version);

/* A bring-your-own CA before its certificate is there (lib/store/authority_byoca.c). */
struct authority_byoca {
    const char *actor, *uuid;
    const struct ca_request *request;
    const char *scep_uri, *crl_url, *aia_url;
    struct bytes private_key, spki, csr, seal;       /* seal: over the request (ca_seal.h) */
    const char *subject_text;
};
enum result authority_byoca_create(struct db *db, uint32_t tenant, const struct authority_byoca *ca);
/* What an upload is judged by; request.certificate is the CSR, request.seal its seal. */
struct authority_byoca_row { int64_t now; const char *name, *state; uint32_t ca_version; struct issuing_ca request; };
/* ca: name or id. R_NOT_FOUND: none such. Where it is no bring-your-own CA, kind and state alone are set. */
enum result authority_byoca_read(struct db *db, uint32_t tenant, const char *ca, struct arena *a,
                                 struct authority_byoca_row *out);
struct authority_certified {
    const char *actor;
    uint32_t ca_version;
    struct bytes certificate;
    const struct bytes *chain;
    uint32_t chain_count;
    struct bytes serial, subject, ski, seal;
    uint8_t sha1[20], sha256[32];
    int64_t not_before, not_after;
    const char *aia;                 /* that the certificate names; NULL: none */
    const char *subject_text, *issuer_text, *root_text;
};
enum result authority_byoca_certify(struct db *db, uint32_t tenant, const struct authority_certified *c);
/* Records a refused upload; a failure of that is logged by db and changes nothing. */
void authority_byoca_refused(struct db *db, uint32_t tenant, const char *actor, const char *uuid, enum result r,
                             const char *detail);

/* The next version of a CA (lib/store/authority_version.c). */
struct authority_version_row {
    int64_t now, ca_id;
    const char *uuid, *name, *kind;
    const char *parent;              /* id of an issuing CA's root */
    struct ca_request request;       /* its fixed properties, as stored; without subject */
    struct bytes csr, csr_seal;      /* of a bring-your-own CA: what its version in production was asked for with */
    uint32_t version;                /* row of the one in production */
    const char *state;               /* of that */
    int64_t not_before, not_after;
    uint32_t last_number;
    const char *next_state;          /* of a version that is to follow already; NULL: none */
};
/* ca: name or id. */
enum result authority_version_read(struct db *db, uint32_t tenant, const char *ca, struct arena *a, struct authority_version_row *out);
struct authority_version {
    const char *actor;
    int64_t ca_id;
    uint32_t number, issuer_version;
    unsigned key_bits;
    struct bytes private_key, spki;
    const struct certificate *made;  /* NULL: csr in its place */
    struct bytes csr, seal;          /* the seal is over the one that is there */
    const struct bytes *chain;
    uint32_t chain_count;
    const char *subject_text, *crl_url, *aia_url;
};
enum result authority_version_add(struct db *db, uint32_t tenant, const struct authority_version *v, uint32_t *ca_version);

struct authority_ra_context { int64_t now, newest_not_after; uint32_t generation; struct oids ekus; };
/* R_NOT_FOUND where the version wants no RA certificates (a root, a deleted or revoked CA). newest_not_after 0: none yet. */
enum result authority_ra_context(struct db *db, uint32_t tenant, uint32_t ca_version, struct arena *a, struct authority_ra_context *out);
struct authority_ra_half { struct bytes private_key, spki, certificate, serial; struct authority_digests digests; };
enum result authority_ra_add(struct db *db, uint32_t tenant, const char *actor, uint32_t ca_version, uint32_t generation, int64_t not_before,
                             int64_t not_after, const struct authority_ra_half *sign, const struct authority_ra_half *encrypt, const char *subject);

/* Installation keys: purpose "challenge" or "audit", newest first. */
enum result authority_keys(struct db *db, const char *purpose, struct arena *a, struct stored_key **out, uint32_t *count);
enum result authority_key_add(struct db *db, const char *purpose, uint32_t generation, const char *algorithm, struct bytes private_key, struct bytes spki,
                              const char *actor);

/* A CRL build: begin, entries, pieces, finish, inside one repeatable-read transaction of the caller's. */
struct authority_crl { uint32_t tenant; int64_t number, this_update, next_update, drop_before; uint32_t shards; const char *url; };
enum result authority_crl_begin(struct db *db, uint32_t ca_version, uint32_t shard, int64_t validity_seconds, struct arena *a, struct authority_crl *out);
/* Calls entry for each revocation that the CRL must show, in the order of serials. */
typedef enum result authority_crl_entry(void *context, struct bytes serial, int64_t revoked_at, int reason, int64_t invalidity_date);
enum result authority_crl_entries(struct db *db, uint32_t ca_version, uint32_t shard, int64_t drop_before, authority_crl_entry *entry, void *context);
enum result authority_crl_piece(struct db *db, uint32_t ca_version, uint32_t shard, int64_t number, uint32_t piece, struct bytes data);
enum result authority_crl_finish(struct db *db, uint32_t ca_version, uint32_t shard, const struct authority_crl *c, int64_t entries, int64_t size,
                                 const uint8_t sha256[32], uint32_t pieces, int64_t build_ms);

struct authority_head { int64_t batch, first, last; struct bytes head; };
enum result authority_heads(struct db *db, uint32_t limit, struct arena *a, struct authority_head **out, uint32_t *count);
enum result authority_head_sign(struct db *db, int64_t batch, int64_t key, struct bytes signature);

#endif
