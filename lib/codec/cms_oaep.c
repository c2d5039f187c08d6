/* The parameters of RSAES-OAEP in a recipient's key encryption algorithm. OpenSSL reads them again when it decrypts; what is let
 * through to it has passed here, in every field. */
#include "lib/codec/cms_key.h"

#include "lib/codec/der.h"
#include "lib/codec/evp.h"

#define OID_MGF1 BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08", 9)              /* 1.2.840.113549.1.1.8 */
#define OID_P_SPECIFIED BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x09", 9)       /* 1.2.840.113549.1.1.9 */

/* AlgorithmIdentifier, and nothing after it. */
static enum result algorithm_open(struct bytes in, struct bytes *oid, struct bytes *parameters)
{
    struct ber algorithm, part;

    if (ber_expect(&in, DER_SEQUENCE, &algorithm) != R_OK || in.n != 0)
        return R_BAD_MESSAGE;
    if (ber_expect(&algorithm.value, DER_OID, &part) != R_OK)
        return R_BAD_MESSAGE;
    *oid = part.value;
    *parameters = algorithm.value;
    return R_OK;
}

/* HashAlgorithm: the parameters are NULL, or absent as many write them (RFC 4055 section 2.1). */
static enum result hash_decode(struct bytes in, uint32_t *hash)
{
    struct bytes oid, parameters;

    if (algorithm_open(in, &oid, &parameters) != R_OK)
        return R_BAD_MESSAGE;
    if (parameters.n != 0 && !bytes_equal(parameters, BYTES("\x05\x00", 2)))
        return R_BAD_MESSAGE;
    *hash = cms_hash_find(oid);
    return R_OK;
}

static enum result mask_decode(struct bytes in, uint32_t *hash)
{
    struct bytes oid, parameters;

    if (algorithm_open(in, &oid, &parameters) != R_OK || !bytes_equal(oid, OID_MGF1))
        return R_BAD_MESSAGE;
    return hash_decode(parameters, hash);
}

/* A label would be bytes of the sender's that nobody has agreed on: it has to be empty. */
static enum result source_decode(struct bytes in, uint32_t *unused)
{
    struct bytes oid, parameters;

    (void)unused;
    if (algorithm_open(in, &oid, &parameters) != R_OK || !bytes_equal(oid, OID_P_SPECIFIED))
        return R_BAD_MESSAGE;
    return bytes_equal(parameters, BYTES("\x04\x00", 2)) ? R_OK : R_BAD_MESSAGE;
}

/* RSAES-OAEP-params ::= SEQUENCE { hashAlgorithm [0], maskGenAlgorithm [1], pSourceAlgorithm [2] }, each EXPLICIT and with a
 * default: SHA-1, MGF1 with SHA-1, an empty label. */
static enum result parameters_decode(struct bytes in, uint32_t *hash, uint32_t *mask)
{
    const struct { enum result (*decode)(struct bytes, uint32_t *); uint32_t *hash; } fields[] = {
        {hash_decode, hash}, {mask_decode, mask}, {source_decode, NULL},
    };
    struct ber sequence, field;
    bool found;

    *hash = *mask = HASH_SHA1;
    if (ber_expect(&in, DER_SEQUENCE, &sequence) != R_OK || in.n != 0)
        return R_BAD_MESSAGE;
    for (int i = 0; i < 3; i++) {
        if (ber_optional(&sequence.value, DER_CONTEXT_CONSTRUCTED(i), &field, &found) != R_OK)
            return R_BAD_MESSAGE;
        if (found && fields[i].decode(field.value, fields[i].hash) != R_OK)
            return R_BAD_MESSAGE;
    }
    return sequence.value.n == 0 ? R_OK : R_BAD_MESSAGE;
}

static uint32_t weaker(uint32_t x, uint32_t y)
{
    static const uint8_t weakness[] = {
        [HASH_SHA512] = 0, [HASH_SHA384] = 1, [HASH_SHA256] = 2, [HASH_SHA1] = 3, [HASH_MD5] = 4, [HASH_OTHER] = 5,
    };
    return weakness[x] > weakness[y] ? x : y;
}

struct cms_oaep cms_oaep_decode(struct bytes parameters)
{
    uint32_t hash, mask;

    if (parameters_decode(parameters, &hash, &mask) != R_OK)
        return (struct cms_oaep){HASH_OTHER, false};
    return (struct cms_oaep){weaker(hash, mask), evp_hash(hash) != NULL && evp_hash(mask) != NULL};
}
