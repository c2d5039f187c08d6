/*
 * message: what the other programs may say to chancery-signer, in meanings (DESIGN 2.1, 2.3).
 *
 * A frame is four octets of length (big-endian, at most LIMIT_FRAME) and that many of body. A request's body is one octet of
 * verb and the verb's struct (codec/wire.h); a reply's body is a two-octet length, that many octets of struct signer_reply, and, where
 * the result is R_OK, the verb's reply struct. One request a connection; the signer closes it. A verb that does not exist, or that this peer or lane may
 * not use, is answered R_DENIED; a body that is no such struct R_BAD_FRAME.
 *
 * There is no verb that signs bytes of the caller's choice.
 */
#ifndef CHANCERY_SIGNER_MESSAGE_H
#define CHANCERY_SIGNER_MESSAGE_H

#include "lib/codec/csr.h"
#include "lib/codec/wire.h"
#include "lib/policy/algorithms.h"
#include "lib/policy/ca.h"

enum signer_verb {
    SIGNER_ENROL = 1,        /* leaf: a challenge, a key and claims → certificate, or that it waits for approval */
    SIGNER_CHALLENGE,        /* leaf: challenges for the deliveries of a profile (operator) */
    SIGNER_CA_CREATE,        /* admin: a root or issuing CA, or the request of a bring-your-own CA */
    SIGNER_RA_RENEW,         /* admin: the next RA generation, where one is due */
    SIGNER_KEYS_INIT,        /* admin: challenge and audit keys, where there are none */
    SIGNER_CRL_BUILD,        /* crl: the CRL that the publisher has leased */
    SIGNER_AUDIT_SIGN,       /* crl: heads that wait for a signature */
    SIGNER_RENEW,            /* leaf: a certificate, a new key and claims → the certificate after it, likewise */
    SIGNER_POLL,             /* leaf: a transaction and a key → what has become of the request */
    SIGNER_GET_CERT,         /* leaf: a serial number and a key → the certificate, to its holder alone */
    SIGNER_NEXT_CA,          /* leaf: the certificates that follow a CA's, as its GetNextCACert answer */
    SIGNER_CA_UPLOAD,        /* admin: the certificate that an external CA made of that request, and those above it */
    SIGNER_CA_RENEW,         /* admin: the next version of an issuing CA, staged; of a bring-your-own CA the request for it */
    SIGNER_VERBS
};
enum signer_lane { LANE_LEAF = 1, LANE_CRL = 2, LANE_ADMIN = 4 };

/* The SCEP message that a question comes from. */
struct signer_origin {
    const char *ca;                  /* id from the URL: what the question names must be of it */
    uint32_t version;                /* 0: production; else the staged version of the URL */
    const char *transaction;         /* printable form, for log and audit, and to find a request that waits */
    struct message_algorithms algorithms;      /* for the profile to judge */
};
struct signer_enrol {
    struct signer_origin origin;
    const char *challenge;
    struct bytes spki;
    struct claims claims;
};
struct signer_renew {                /* on the word of chancery-scep that the certificate's key signed the message (DESIGN 2.3) */
    struct signer_origin origin;
    struct bytes predecessor;        /* the certificate, DER */
    struct bytes spki;               /* the new key */
    struct claims claims;
};
struct signer_poll { struct signer_origin origin; struct bytes spki; };
struct signer_get_cert { struct signer_origin origin; struct bytes serial; struct bytes spki; };
struct signer_certificate {
    bool pending;                    /* it waits for approval: nothing else is set */
    struct bytes certificate;
    struct bytes issuer;             /* the issuing CA's certificate; of SIGNER_GET_CERT none */
    bool repeated;                   /* the same certificate as before, for the same authorization and key */
};

struct signer_next_ca { const char *ca; };
struct signer_next_ca_answer { struct bytes message; };       /* SignedData, signed by the CA (RFC 8894 section 4.7.1) */

struct signer_challenge {
    uint32_t tenant;
    const char *actor;               /* login; only root says it */
    const char *profile;
    const char *device;              /* NULL: every device of the profile */
    int64_t after;                   /* device id to go on from */
    uint32_t limit;
};
struct signer_challenge_row {
    int64_t device;
    const char *device_name;
    const char *subject;             /* RFC 4514 text; NULL where it cannot be made */
    const char *challenge;           /* NULL where it cannot be made */
    const char *missing;             /* why not */
};
struct signer_challenge_rows { struct signer_challenge_row *items; uint32_t count; };
struct signer_challenges { struct signer_challenge_rows rows; };

struct signer_ca_create {
    uint32_t tenant;
    const char *actor;
    struct ca_request request;
    const char *parent;              /* name or id of the root, for an issuing CA */
};
struct signer_ca_created { const char *ca; int64_t not_after; bool clamped; };       /* not_after 0: none yet */

/* A file as it was uploaded; the name is for refusals alone. Together at most LIMIT_UPLOAD bytes. */
struct signer_file { const char *name; struct bytes content; };
struct signer_files { struct signer_file *items; uint32_t count; };
struct signer_ca_upload {
    uint32_t tenant;
    const char *actor;
    const char *ca;                  /* name or id */
    struct signer_file certificate;
    struct signer_files chain;
};
struct signer_ca_uploaded { uint32_t version; int64_t not_after; const char *subject, *root; uint32_t above; bool ra; };    /* ra: it has RA certificates */

struct signer_ca_renew {
    uint32_t tenant;
    const char *actor;
    const char *ca;                  /* name or id */
    bool early;                      /* also before half of its life has passed */
};
struct signer_ca_renewed { uint32_t number; int64_t not_after; bool clamped; };       /* not_after 0: its certificate is to be signed elsewhere */

struct signer_ra_renew { uint32_t tenant; uint32_t ca_version; };
struct signer_keys_init { const char *actor; };
struct signer_crl_build { uint32_t ca_version, shard; };
struct signer_crl_built { int64_t number; int64_t entries; int64_t size; };
struct signer_audit_sign { uint32_t limit; };
struct signer_done { uint32_t count; };

struct signer_verb_info {
    const char *name;
    uint32_t lanes;
    const struct wire_type *request, *reply;
};
extern const struct signer_verb_info signer_verbs[SIGNER_VERBS];     /* [0] is empty */

struct signer_reply { uint32_t number; const char *detail; };       /* an enum result; detail: "" where none */
extern const struct wire_type signer_reply_type;

#endif
