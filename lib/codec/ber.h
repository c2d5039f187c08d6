/*
 * ber: walking BER (X.690 section 8.1), indefinite lengths among it, to see a message's outside before it is decoded.
 *
 * Only what a CMS message can have: single-byte tags. Nothing is copied; nesting costs no stack. For DER, which is stricter, see
 * der_next.
 */
#ifndef CHANCERY_CODEC_BER_H
#define CHANCERY_CODEC_BER_H

#include "lib/base/bytes.h"

struct ber { int tag; struct bytes value, whole; };      /* value: without the end-of-contents octets */

/* Takes the first TLV off *in. R_BAD_INPUT where there is none. */
enum result ber_next(struct bytes *in, struct ber *out);
enum result ber_expect(struct bytes *in, int tag, struct ber *out);
/* The same where the next TLV has that tag; otherwise nothing is taken and *found is false. */
enum result ber_optional(struct bytes *in, int tag, struct ber *out, bool *found);
/* Does it use what DER has not: an indefinite length, or a string in pieces? All of it is looked through, nested values too;
 * where it cannot be walked to its end, what was seen until there counts. */
bool ber_is_loose(struct bytes in);

#endif
