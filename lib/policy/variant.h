/*
 * variant: what has to be known of a client before its message is opened, as the URL says it (DESIGN section 5):
 *
 *   /scep/<ca-id>/p/<variant>        variant = words joined by "-", each group at most once, in any order
 *
 *   capabilities   (none)       what every client of today takes: AES and SHA-2, with 3DES and SHA-1 for those that have neither
 *                  modern       AES and SHA-2 alone
 *                  legacy       3DES and SHA-1 and no POST, for devices that know nothing newer; single DES is answered in single DES
 *                  apple        the set that iOS and macOS look for (interop Q21)
 *   GetCACert      (none)       RA certificates, the issuing CA and all above it (interop Q22)
 *                  issuer       RA certificates and the issuing CA
 *                  ra           RA certificates alone
 *   in the reply   (none)       the issued certificate alone, as Juniper needs it (interop Q25)
 *                  withissuer   and the issuing CA's, as Cisco's VPN client needs it
 *                  withchain    and all above it
 *   leniency       lenient      signatures over the attributes as they were sent, and digests over the content with its headers, are
 *                               taken (interop Q37, Q38)
 *
 * A profile has one of these; it is added to the SCEP URI when the profile is delivered. What a URL says is not proof of anything: the
 * signer takes leniency only where the profile says it too.
 */
#ifndef CHANCERY_POLICY_VARIANT_H
#define CHANCERY_POLICY_VARIANT_H

#include "lib/base/arena.h"

enum variant_capabilities { CAPABILITIES_COMPATIBLE, CAPABILITIES_MODERN, CAPABILITIES_LEGACY, CAPABILITIES_APPLE, CAPABILITIES_COUNT };
enum variant_ca_chain { CA_CHAIN_FULL, CA_CHAIN_ISSUER, CA_CHAIN_RA, CA_CHAIN_COUNT };
enum variant_reply_chain { REPLY_CHAIN_NONE, REPLY_CHAIN_ISSUER, REPLY_CHAIN_FULL, REPLY_CHAIN_COUNT };

struct variant {
    uint32_t capabilities, ca_chain, reply_chain;
    bool lenient;
};
#define VARIANT_SIZE 33             /* the longest in text form, with its NUL */

/* "" and NULL give the variant of no words. R_BAD_INPUT where a word is unknown or its group stands there twice. */
enum result variant_from_text(const char *text, struct variant *out);
/* The words in the order above; "" where there is none. */
void variant_to_text(const struct variant *v, char out[VARIANT_SIZE]);

#endif
