/*
 * ca: the rules for certification authorities (reference 2.3, 2.4, 2.6), pure.
 */
#ifndef CHANCERY_POLICY_CA_H
#define CHANCERY_POLICY_CA_H

#include "lib/codec/x509.h"
#include "lib/policy/verdict.h"

enum ca_kind { CA_ROOT, CA_ISSUING, CA_BYOCA };
/* The state of a CA, stored in the database by these names. Expired is not stored: it follows from the end date. */
enum ca_state {
    CA_SIGNING_REQUIRED, CA_STAGED, CA_ACTIVE, CA_PAUSED, CA_RETIRED, CA_REVOKED, CA_DECOMMISSIONED, CA_STATES
};
const char *ca_kind_name(uint32_t kind);                     /* "root" "issuing" "byoca": as stored; NULL */
const char *ca_kind_label(uint32_t kind);                    /* "Root" "Issuing" "Issuing": as shown; NULL */
const char *ca_state_name(uint32_t state);                   /* "signing_required" …: as stored; NULL */
int ca_state_from_name(const char *name);                    /* -1 */
/* The exact status word (2.G20, 2.G22): "Active", "Expired", "Revoked", "Paused", "Signing required", "Staged",
 * "Retired", "Decommissioned". Revoked before expired before the rest; without a certificate (signing required) nothing
 * expires. A certificate is valid through the second of its notAfter. NULL for a state that is none. */
const char *ca_status_word(uint32_t state, int64_t not_after, int64_t now);

/* "RSA-2048 and SHA-256", 2048, HASH_SHA256 */
struct key_pair_choice { const char *name; unsigned bits; uint32_t hash; };
extern const struct key_pair_choice key_pair_choices[];      /* ends with .name NULL */
/* By bits, by the words above, or by "RSA-3072"; NULL. */
const struct key_pair_choice *key_pair_choice_find(const char *text);

/* The choices of the form, ended by 0; any whole year is allowed by API. */
extern const int root_years[], issuing_years[];

struct ca_subject { const char *cn, *o, *ou, *c, *st, *l; };  /* NULL or empty: none */
struct ca_request {
    uint32_t kind;
    const char *name, *description;
    struct ca_subject subject;
    unsigned key_bits;               /* roots and BYOCA; an issuing CA inherits (0, or the parent's) */
    uint32_t years;                  /* 0 for BYOCA: the signing CA decides (2.E01) */
    struct oids ekus;                /* required: at least one */
    struct oids eku_names;           /* the same number; "" or NULL for the ones with a name of their own (purposes.h) */
    bool names_from_requests;        /* fixed property: may ever issue names that are not from the registry */
    struct oids ra_ekus;             /* EKUs of the RA certificates; usually none, never for a root */
};
/* Name (1..LIMIT_DISPLAY_NAME printable, none of / \ and no leading dot: it becomes a file name), description, subject
 * (CN required; C two letters A-Z; each within LIMIT_SUBJECT_FIELD), key size, years 1..LIMIT_CA_YEARS, EKUs (valid OIDs,
 * none doubled, Any Purpose refused with the reason, within LIMIT_EKUS; one without a known name needs one, 2.C07), RA
 * EKUs among the CA's. parent: for an issuing CA, its EKUs must contain the request's. R_BAD_INPUT, with the field: kind
 * name description common_name organization organizational_unit country state locality key_size validity eku eku_name
 * ra_eku parent. */
enum result ca_request_check(const struct ca_request *q, const struct certificate *parent, struct arena *a,
                             struct verdict *v);
/* The subject in the order C, ST, L, OU, O, CN (2.C32). Texts are borrowed. */
enum result ca_subject_name(const struct ca_subject *s, struct arena *a, struct name *out);
/* notAfter for a CA made now: now + years, clamped to the parent's end (NULL: a root); *clamped says so. A parent that
 * ends within a day: R_STATE. */
enum result ca_validity(int64_t now, uint32_t years, const struct certificate *parent, int64_t *not_after, bool *clamped);

/* Actions and the states they start from (2.6). */
enum ca_action { CA_ACTION_PAUSE, CA_ACTION_RESUME, CA_ACTION_REVOKE, CA_ACTION_DELETE };
/* active_leaves: for revoke; live_children: for deleting a root. R_STATE with found = status word and wanted. Roots:
 * neither paused nor revoked; deleted when no live child is left. Issuing: pause from Active, resume from Paused, revoke
 * from Paused with no active leaf, delete from Revoked (BYOCA: also from Signing required). */
enum result ca_action_check(enum ca_action action, uint32_t kind, uint32_t state, uint64_t active_leaves,
                            uint64_t live_children, struct arena *a, struct verdict *v);

#endif
