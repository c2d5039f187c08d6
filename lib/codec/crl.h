/*
 * crl: CRLs of any size, written as a stream (RFC 5280 section 5).
 *
 * The writer never holds the list: entries are encoded one by one with crl_entry_encode into a spool; then, their total length
 * known, crl_head gives what precedes them inside TBSCertList and what follows: TBSCertList = head, entries, tail, and the CRL =
 * crl_wrap_head, TBSCertList, crl_wrap_tail. The signature is over the TBSCertList alone. Version 2; extensions AKI, CRL number,
 * and a critical issuingDistributionPoint where idp_url is set.
 */
#ifndef CHANCERY_CODEC_CRL_H
#define CHANCERY_CODEC_CRL_H

#include "lib/codec/x509.h"

/* RFC 5280 section 5.3.1; 7 is unused; 8 (removeFromCRL) is for delta CRLs and never written */
enum crl_reason {
    REASON_UNSPECIFIED = 0, REASON_KEY_COMPROMISE = 1, REASON_CA_COMPROMISE = 2, REASON_AFFILIATION_CHANGED = 3,
    REASON_SUPERSEDED = 4, REASON_CESSATION_OF_OPERATION = 5, REASON_CERTIFICATE_HOLD = 6, REASON_PRIVILEGE_WITHDRAWN = 9,
    REASON_AA_COMPROMISE = 10,
};
const char *crl_reason_name(int reason);             /* "keyCompromise"; NULL */
int crl_reason_from_name(const char *name);          /* -1 */

struct crl_entry {
    struct bytes serial;           /* unsigned, big-endian */
    int64_t revoked_at;
    int reason;                    /* 0 is left out, as RFC 5280 asks */
    int64_t invalidity_date;       /* 0: none */
};
struct crl_content {
    uint32_t hash;
    struct bytes issuer;           /* Name, DER */
    int64_t this_update, next_update;
    int64_t number;
    struct bytes aki;
    const char *idp_url;           /* NULL: none */
};

void crl_entry_encode(const struct crl_entry *e, struct buf *out);
/* Sizes come from the entries' total length; entries_size 0 leaves revokedCertificates out. Appends to both buffers.
 * R_BAD_INPUT where a field is missing or cannot be. */
enum result crl_head(const struct crl_content *c, size_t entries_size, struct buf *head, struct buf *tail);
/* The outermost header for a TBSCertList and a signature of those sizes. */
void crl_wrap_head(size_t tbs_size, struct bytes algorithm, size_t signature_size, struct buf *out);
/* What follows the TBSCertList: algorithm and signature. */
void crl_wrap_tail(struct bytes algorithm, struct bytes signature, struct buf *out);

/* What a CRL's outside says; entries are counted, and looked up by crl_contains. The bytes are borrowed from the DER. */
struct crl {
    struct bytes issuer;           /* Name, DER */
    int64_t this_update, next_update;     /* next_update 0: absent */
    int64_t number;
    struct bytes aki;
    uint32_t hash;                 /* of an RSA signature with SHA-2, else HASH_OTHER */
    size_t entries;
    const char *idp_url;           /* in the arena; NULL: none */
    struct bytes tbs, entries_der;
};
/* By walking DER: cheap at any size. Signature not checked (crl_verify does). R_BAD_INPUT where it is no such CRL, or has a
 * critical extension other than the one written here. */
enum result crl_decode(struct bytes der, struct arena *a, struct crl *out);
/* R_SIGNATURE_FAILED; R_BAD_INPUT where it is no signed object at all. */
enum result crl_verify(struct bytes der, struct bytes issuer_spki);
bool crl_contains(const struct crl *c, struct bytes serial);

#endif
