/*
 * challenge: the content of a SCEP challenge and its form on the wire (DESIGN section 5).
 *
 *   token = base64( version 1 | key generation, 2 octets | IV, 12 | AES-256-GCM( content ) | tag, 16 )
 *
 * The first three octets are the AAD. The content is packed big-endian in a fixed length. Packing, unpacking and reading
 * base64 are here; the key is the signer's.
 */
#ifndef CHANCERY_POLICY_CHALLENGE_H
#define CHANCERY_POLICY_CHALLENGE_H

#include "lib/base/bytes.h"

struct challenge {
    uint32_t tenant;
    uint64_t device, user;           /* user 0: none */
    uint64_t profile_revision;
    uint32_t ca_version;
    bool staged;
    uint64_t id;
    int64_t expires;
};
#define CHALLENGE_VERSION 1
#define CHALLENGE_PLAIN 49
#define CHALLENGE_HEADER 3
#define CHALLENGE_SIZE (CHALLENGE_HEADER + 28 + CHALLENGE_PLAIN)      /* octets before base64 */
void challenge_pack(const struct challenge *c, uint8_t out[CHALLENGE_PLAIN]);
/* R_CHALLENGE_DESERIALIZATION: flags or numbers that cannot be (a zero other than the user's, a row number beyond the
 * database's bigint, an end before 1970). */
enum result challenge_unpack(const uint8_t in[CHALLENGE_PLAIN], struct challenge *out);
/* The token's octets from text: R_CHALLENGE_DECODING where it is no base64, R_CHALLENGE_DECRYPTION where length or version
 * are another's. */
enum result challenge_from_text(const char *text, uint8_t out[CHALLENGE_SIZE], uint16_t *generation);

#endif
