#include "lib/policy/challenge.h"

#include <string.h>

#include "lib/base/limits.h"

/* Where each field stands in the content. */
enum {
    AT_TENANT = 0, AT_DEVICE = 4, AT_USER = 12, AT_REVISION = 20, AT_CA_VERSION = 28, AT_FLAGS = 32, AT_ID = 33,
    AT_EXPIRES = 41, AT_END = 49
};
_Static_assert(AT_END == CHALLENGE_PLAIN, "the content has a fixed length");

#define FLAG_STAGED 1

void challenge_pack(const struct challenge *c, uint8_t out[CHALLENGE_PLAIN])
{
    be32_put(out + AT_TENANT, c->tenant);
    be64_put(out + AT_DEVICE, c->device);
    be64_put(out + AT_USER, c->user);
    be64_put(out + AT_REVISION, c->profile_revision);
    be32_put(out + AT_CA_VERSION, c->ca_version);
    out[AT_FLAGS] = c->staged ? FLAG_STAGED : 0;
    be64_put(out + AT_ID, c->id);
    be64_put(out + AT_EXPIRES, (uint64_t)c->expires);
}

/* A row's number: the database counts from 1, in signed numbers. */
static bool is_row(uint64_t n)
{
    return n >= 1 && n <= INT64_MAX;
}

enum result challenge_unpack(const uint8_t in[CHALLENGE_PLAIN], struct challenge *out)
{
    struct challenge c = {
        .tenant = be32_get(in + AT_TENANT), .device = be64_get(in + AT_DEVICE), .user = be64_get(in + AT_USER),
        .profile_revision = be64_get(in + AT_REVISION), .ca_version = be32_get(in + AT_CA_VERSION),
        .staged = in[AT_FLAGS] & FLAG_STAGED, .id = be64_get(in + AT_ID), .expires = (int64_t)be64_get(in + AT_EXPIRES),
    };
    if (in[AT_FLAGS] & ~FLAG_STAGED)
        return R_CHALLENGE_DESERIALIZATION;
    if (c.tenant == 0 || c.ca_version == 0 || c.id == 0 || c.expires <= 0)
        return R_CHALLENGE_DESERIALIZATION;
    if (!is_row(c.device) || !is_row(c.profile_revision) || (c.user != 0 && !is_row(c.user)))
        return R_CHALLENGE_DESERIALIZATION;
    *out = c;
    return R_OK;
}

enum result challenge_from_text(const char *text, uint8_t out[CHALLENGE_SIZE], uint16_t *generation)
{
    uint8_t octets[3 * (LIMIT_CHALLENGE / 4) + 3];
    size_t length = strnlen(text, LIMIT_CHALLENGE + 1), n = 0;
    if (length > LIMIT_CHALLENGE)
        return R_CHALLENGE_DECRYPTION;      /* whatever it is, no token is that long */
    if (base64_decode(text, length, false, octets, &n) != R_OK)
        return R_CHALLENGE_DECODING;
    if (n != CHALLENGE_SIZE || octets[0] != CHALLENGE_VERSION)
        return R_CHALLENGE_DECRYPTION;
    memcpy(out, octets, n);
    *generation = be16_get(octets + 1);
    return R_OK;
}
