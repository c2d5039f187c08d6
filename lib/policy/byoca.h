/*
 * byoca: may a certificate that an external CA made of our request become an issuing CA? (reference 2.E07 to 2.E14, RFC 5280
 * section 6.1)
 *
 * Given the certificate and an unordered bag of others it finds the chain up to a self-signed root and judges all of it. What is
 * not needed in the bag is not looked at: duplicates, the certificate itself, other CAs of the same name, cross-certificates.
 * Where several ways lead to a root, the first good one counts, tried in an order that does not depend on the bag's: roots before
 * others, then what ends later.
 *
 * Issuer and subject are compared by their bytes (RFC 5280 section 4.1.2.4: a CA writes them the same way), key identifiers where
 * both are there, and every signature is verified; the root's own may be of SHA-1. The external CA may have given another subject
 * than was asked for: its bytes rule from then on. Policies: certificates issued here carry none, so a chain that requires one
 * for them (requireExplicitPolicy) would have none of them accepted; where none is required, policies, mappings and
 * inhibitAnyPolicy exclude nothing.
 *
 * Pure: no clock and no database. What a CA of this chain may issue is bounds.h.
 */
#ifndef CHANCERY_POLICY_BYOCA_H
#define CHANCERY_POLICY_BYOCA_H

#include "lib/base/limits.h"
#include "lib/codec/x509.h"
#include "lib/policy/verdict.h"

/* What is on record. */
struct byoca_request {
    struct bytes spki;               /* of the key that was made */
    struct oids ekus;                /* asked for: each must be allowed by the certificate and by all above it */
    int64_t now;
};
/* The certificate, then its parents up to the root. */
struct byoca_chain { const struct certificate *items[LIMIT_CHAIN + 1]; uint32_t count; };

/* Decodes and judges nothing but what it is given: made and bag are decoded certificates (at most LIMIT_UPLOAD_CERTIFICATES),
 * into which out points. R_BAD_INPUT with the rule as field and the certificate's subject in found. Fields: public_key
 * basic_constraints key_usage eku subject subject_key_identifier serial chain signature signature_hash key validity path_length
 * name_constraints policies critical_extension. */
enum result byoca_check(const struct byoca_request *q, const struct certificate *made, const struct certificate *bag,
                        uint32_t count, struct arena *a, struct byoca_chain *out, struct verdict *v);

#endif
