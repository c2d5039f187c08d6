/*
 * profile: the SCEP certificate profile: its settings, their rules, and the comparison of a request's claims with what
 * the profile yields (reference 3.1; DESIGN 2.2). profile.c has the rules, match.c the comparison.
 */
#ifndef CHANCERY_POLICY_PROFILE_H
#define CHANCERY_POLICY_PROFILE_H

#include "lib/codec/csr.h"
#include "lib/policy/algorithms.h"
#include "lib/policy/subject.h"
#include "lib/policy/variant.h"

enum validity_unit { VALIDITY_DAYS, VALIDITY_MONTHS, VALIDITY_YEARS };
const char *validity_unit_name(uint32_t unit);          /* "days" "months" "years"; NULL */
int validity_unit_from_name(const char *name);          /* -1 */
extern const char *const platforms[];                   /* "windows" "ios" "macos" "android" "linux" "other", NULL */
bool platform_known(const char *name);
bool platform_strict_default(const char *name);         /* windows, ios, macos, android: yes */
const char *platform_variant_default(const char *name); /* ios, macos: "apple" (interop Q21); else "" */

struct profile {
    const char *name;
    const char *platform;
    bool for_user;                   /* certificate type User: user and device attributes; else device attributes only */
    const char *subject_format;      /* NULL or empty: no subject, for which there must be SANs */
    struct sans san_formats;
    uint32_t validity, validity_unit;
    uint32_t key_usage;              /* digitalSignature, keyEncipherment or both */
    uint32_t key_size_min;           /* bits; 2048, 3072, 4096 */
    struct oids ekus;
    bool strict;                     /* SANs, key usage, EKU must be in the request */
    uint32_t renewal_threshold;      /* per cent of life remaining, 1..99 */
    uint32_t challenge_seconds;      /* life of a challenge: 60 .. 90 days */
    uint32_t algorithms;             /* enum algorithm_level: of the messages */
    bool renewal;                    /* a certificate may be renewed by itself alone, inside the threshold */
    bool manual;                     /* somebody approves each certificate before it is issued */
    const char *variant;             /* variant.h, in text form; NULL or empty: none */
};
/* Every setting, against the issuing CA's certificate and chain (chain[0] is the CA, count at least 1): EKUs, one at
 * least, must be the CA's (6.25), validity at most 24 months and at least one day, key size at most the CA's.
 * R_BAD_INPUT with the field: name platform subject san variable validity key_usage key_size eku renewal_threshold
 * challenge_seconds algorithms variant. */
enum result profile_check(const struct profile *p, const struct certificate *chain, uint32_t count, struct arena *a,
                          struct verdict *v);
/* notAfter of a certificate issued now, before it is clamped to the CA's. */
int64_t profile_not_after(const struct profile *p, int64_t now);
/* When a certificate of that validity may be renewed first: when no more than renewal_threshold per cent of its life remain. */
int64_t profile_renewal_begin(const struct profile *p, int64_t not_before, int64_t not_after);
/* Are the request's claims what the profile yields? subject and sans: as expanded. The subject must be there and equal,
 * compared parsed: same multiset of (OID, value) without regard to the order of RDNs, values by text_equal_name; SANs as
 * a set (DNS and e-mail domain without regard to case); key usage and EKU as sets; each only where the request has it,
 * unless the profile is strict. ca_bits: the CA's key size, 0 under EC. Key size within [key_size_min, ca_bits or
 * LIMIT_RSA_BITS_MAX], RSA only. An empty expected subject wants an empty one. First mismatch wins, in the order subject,
 * SAN, key usage, key, EKU (fields subject san key_usage key eku); the reason codes of 4.3. */
enum result profile_match(const struct profile *p, const struct name *subject, const struct sans *sans,
                          const struct claims *claims, const struct public_key *key, uint32_t ca_bits, struct arena *a,
                          struct verdict *v);

#endif
