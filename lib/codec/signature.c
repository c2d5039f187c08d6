#include "lib/codec/signature.h"

#include "lib/codec/der.h"
#include "lib/codec/evp.h"

struct algorithm {
    struct bytes oid;
    uint32_t kind, hash;
    bool null;                  /* parameters are NULL, else absent (RFC 4055 section 5, RFC 5758 section 3.2) */
};

static const struct algorithm algorithms[] = {
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", 9), KEY_RSA, HASH_SHA256, true},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", 9), KEY_RSA, HASH_SHA384, true},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", 9), KEY_RSA, HASH_SHA512, true},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", 9), KEY_RSA, HASH_SHA1, true},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", 9), KEY_RSA, HASH_MD5, true},
    {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x02", 8), KEY_EC, HASH_SHA256, false},
    {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x03", 8), KEY_EC, HASH_SHA384, false},
    {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x04", 8), KEY_EC, HASH_SHA512, false},
    {BYTES("\x2a\x86\x48\xce\x3d\x04\x01", 7), KEY_EC, HASH_SHA1, false},
};

enum result signed_unwrap(struct bytes der, struct signed_parts *out)
{
    struct der outer, tbs, algorithm, bits;
    if (der_expect(&der, DER_SEQUENCE, &outer) != R_OK || der.n > 0)
        return R_BAD_INPUT;
    struct bytes in = outer.value;
    if (der_expect(&in, DER_SEQUENCE, &tbs) != R_OK || der_expect(&in, DER_SEQUENCE, &algorithm) != R_OK)
        return R_BAD_INPUT;
    if (der_expect(&in, DER_BIT_STRING, &bits) != R_OK || in.n > 0 || bits.value.n < 1 || bits.value.p[0] != 0)
        return R_BAD_INPUT;
    *out = (struct signed_parts){outer.whole, tbs.whole, algorithm.whole, BYTES(bits.value.p + 1, bits.value.n - 1)};
    return R_OK;
}

enum result signature_algorithm(struct bytes algorithm, uint32_t *kind, uint32_t *hash)
{
    struct der sequence, oid;
    if (der_expect(&algorithm, DER_SEQUENCE, &sequence) != R_OK || algorithm.n > 0)
        return R_BAD_INPUT;
    struct bytes in = sequence.value;
    if (der_expect(&in, DER_OID, &oid) != R_OK)
        return R_BAD_INPUT;
    *kind = KEY_OTHER;
    *hash = HASH_OTHER;
    bool null = bytes_equal(in, BYTES("\x05\x00", 2));
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        const struct algorithm *known = &algorithms[i];
        /* RSA without the NULL is read too, as RFC 4055 section 5 asks. */
        if (bytes_equal(oid.value, known->oid) && (in.n == 0 || (known->null && null))) {
            *kind = known->kind;
            *hash = known->hash;
        }
    }
    return R_OK;
}

enum result signed_verify(const struct signed_parts *s, const struct public_key *k, enum hashes_taken taken)
{
    uint32_t kind, hash;
    if (signature_algorithm(s->algorithm, &kind, &hash) != R_OK || kind != k->kind)
        return R_SIGNATURE_FAILED;
    if (taken == HASHES_SHA2 && (hash == HASH_SHA1 || hash == HASH_MD5))
        return R_SIGNATURE_FAILED;
    return evp_verify(k, hash, s->tbs, s->signature);
}
