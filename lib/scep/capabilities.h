/*
 * capabilities: the answer to GetCACaps (RFC 8894 section 3.5.2). Only what is served stands there.
 *
 * Renewal stands in every list: RenewalReq is served, and a profile that does not allow it says so by name; a client that misses the word may
 * believe that a certificate can never be followed by another. What a variant says of a client decides the rest (lib/policy/variant.h).
 *
 * Clients go by single words: strongSwan 5.9.8 reads them displaced by one, takes SHA-384 for SHA-256, and without it refuses to send what it is
 * set to by itself. So the lists "apple" and "legacy" are not for it.
 */
#ifndef CHANCERY_SCEP_CAPABILITIES_H
#define CHANCERY_SCEP_CAPABILITIES_H

#include "lib/policy/variant.h"

/* Keywords, one a line, each line ended with LF, in the arena. Sent as text/plain without a charset (interop Q19). has_next: GetNextCACert has an
 * answer. NULL where memory ran out. */
const char *capabilities_text(const struct variant *variant, bool has_next, struct arena *a);

#endif
