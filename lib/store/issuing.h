/*
 * issuing: what the signer's leaf lane reads and records (sql/0002-signer.sql), in PKI words.
 *
 * One read and one write an enrolment. The write is one transaction: authorization, certificate, audit; its outcome may be
 * R_OUTCOME_UNKNOWN, which the same request, sent again, settles.
 */
#ifndef CHANCERY_STORE_ISSUING_H
#define CHANCERY_STORE_ISSUING_H

#include "lib/policy/ca.h"
#include "lib/policy/challenge.h"
#include "lib/policy/profile.h"
#include "lib/store/db.h"

/* A private key as stored. Values live in the arena they were read into. */
struct stored_key {
    int64_t id;
    uint32_t generation;
    const char *platform, *algorithm, *pkcs11_uri, *wrapped_by;
    struct bytes private_key, spki;
};

/* What never changes of a CA version. */
struct issuing_ca {
    int64_t ca_id;
    const char *uuid, *kind, *hash;
    uint32_t key_bits;
    bool names_from_requests;
    struct bytes certificate;
    struct bytes *chain;
    uint32_t chain_count;
    const char *crl_url, *aia_url, *ocsp_url;
    uint32_t crl_shards;
    uint32_t number;                 /* of the version */
    struct bytes seal;               /* the signer's word on all of this */
    struct stored_key key;
};
enum result issuing_ca_read(struct db *db, uint32_t tenant, uint32_t ca_version, struct arena *a, struct issuing_ca *out);

/* What entitles to one certificate and is spent for it, and whom it is for. */
enum issuing_kind { ISSUING_CHALLENGE, ISSUING_PREDECESSOR };
const char *issuing_kind_name(uint32_t kind);    /* as stored: "challenge" "predecessor"; NULL */
int issuing_kind_from_name(const char *name);    /* -1 */
struct issuing_grant {
    uint32_t kind;
    uint32_t tenant;
    uint64_t device, user;                       /* user 0: none */
    uint64_t profile_revision;
    uint32_t ca_version;                         /* that is to issue */
    bool staged;
    uint64_t id;                                 /* of the challenge, or of the certificate */
    int64_t expires;                             /* as sealed in the challenge; the certificate's notAfter */
};

/* What an enrolment is decided on. Texts are NULL where the row that the grant names does not exist. */
struct issuing_facts {
    int64_t now;
    const char *ca_uuid, *ca_state;
    uint32_t ca_version_number;
    bool ca_deleted;
    const char *device_state, *user_state, *delivery_state;
    int64_t delivery, delivery_challenge;        /* challenge 0: none yet */
    const char *profile_name;
    bool profile_deleted, profile_of_ca;
    struct profile profile;
    struct attributes attributes;
    int64_t key_device;                          /* 0: the key is new */
};
enum result issuing_enrol_read(struct db *db, const struct issuing_grant *g, const uint8_t spki_sha256[32], struct arena *a, struct issuing_facts *out);

/* What a spent grant led to; .spki_sha256.p NULL where it is not spent. */
struct issuing_spent { struct bytes spki_sha256, certificate, issuer; bool valid; };      /* issuer: the CA's certificate */
enum result issuing_enrol_spent(struct db *db, const struct issuing_grant *g, struct arena *a, struct issuing_spent *out);

struct issuing_record {
    int64_t delivery;
    const uint8_t *spki_sha256, *sha1, *sha256;
    struct bytes serial, der;
    int64_t not_before, not_after;
    uint32_t crl_shard;
    const char *subject;
    const char *const *name_kinds, *const *names;
    uint32_t name_count;
    const char *transaction;
    int64_t request;                 /* that was approved; 0: none is needed */
    const uint8_t *content_sha256;   /* of what it approved; NULL where request is 0 */
};
/* previous->p is NULL where the certificate was recorded, else the one that this authorization led to before. */
enum result issuing_enrol_write(struct db *db, const struct issuing_grant *g, const struct issuing_record *r, struct arena *a, struct bytes *previous);
/* Records a refusal after the grant was known. */
void issuing_refused(struct db *db, const struct issuing_grant *g, const struct verdict *v, const char *transaction);

/* A delivery to make a challenge for. */
struct issuing_target {
    int64_t now, challenge, delivery, device, user, profile_revision;
    uint32_t ca_version;
    const char *device_name;
    bool for_user;
    const char *subject_format;
    struct sans san_formats;
    uint32_t challenge_seconds;
    struct attributes attributes;
};
enum result issuing_challenge_read(struct db *db, uint32_t tenant, const char *profile, const char *device, int64_t after, uint32_t limit, struct arena *a,
                                   struct issuing_target **out, uint32_t *count);
enum result issuing_challenge_write(struct db *db, uint32_t tenant, const char *actor, const int64_t *deliveries, const int64_t *challenges,
                                    const int64_t *expires, uint32_t count);

#endif
