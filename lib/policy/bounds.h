/*
 * bounds: what a CA may sign, from its certificate and chain alone (DESIGN 2.2). Called on the finished certificate, as
 * decoded from its bytes, before it leaves the signer.
 *
 * Does not know the time (how long the CA still lasts is the caller's question, BOUNDS_LAST_DAYS) and does not verify
 * the chain's signatures: that is done once, when a chain is loaded.
 */
#ifndef CHANCERY_POLICY_BOUNDS_H
#define CHANCERY_POLICY_BOUNDS_H

#include "lib/codec/x509.h"
#include "lib/policy/verdict.h"

#define BOUNDS_LAST_DAYS 5            /* a CA with less left issues nothing */

enum certificate_kind {
    CERTIFICATE_LEAF, CERTIFICATE_RA_SIGN, CERTIFICATE_RA_ENCRYPT, CERTIFICATE_CA, CERTIFICATE_CROSS, CERTIFICATE_OCSP
};
/* "leaf" "ra_sign" "ra_encrypt" "ca" "cross" "ocsp": as stored; NULL for any other number */
const char *certificate_kind_name(uint32_t kind);

/* chain[0] is the issuing CA, then its parents up to the root; each must be a CA, name the next as its issuer, and the
 * last itself. Every rule for a leaf: issuer bytes, AKI = SKI, CA:FALSE present, notBefore not before the CA's, notAfter
 * not after the earliest of the chain, EKUs present and within every EKU extension of the chain, name constraints of each
 * CA, no name constraints of its own, no unknown critical extension, keyUsage non-empty without keyCertSign and cRLSign,
 * RSA size 2048 up to the CA's (to 4096 under EC), e odd and >= 65537, signature hash SHA-256 or better, an empty subject
 * only with critical SANs (RFC 5280 section 4.1.2.6). R_OUT_OF_BOUNDS with the field. For RA certificates the EKU presence
 * is not asked. CERTIFICATE_CA and CERTIFICATE_CROSS are no leaves and refused. */
enum result bounds_check_leaf(const struct certificate *leaf, uint32_t kind, const struct certificate *chain,
                              uint32_t count, struct arena *a, struct verdict *v);
/* The same for a CA below another: pathLen (RFC 5280 section 4.2.1.9, self-issued certificates counted too), CA:TRUE,
 * keyUsage with keyCertSign and cRLSign, an SKI, EKU subset, dates, AKI, names, key and hash as above. */
enum result bounds_check_ca(const struct certificate *ca, const struct certificate *chain, uint32_t count,
                            struct arena *a, struct verdict *v);
/* The earliest end of the chain; 0 for no chain. */
int64_t bounds_not_after(const struct certificate *chain, uint32_t count);
/* The first of ekus that some certificate of the chain does not allow, or NULL. An EKU extension that is absent allows
 * all, and so does one that holds Any Purpose (RFC 5280 section 4.2.1.12), which only CAs from elsewhere have. */
const char *bounds_purpose_lacking(const struct oids *ekus, const struct certificate *chain, uint32_t count);

#endif
