#include "lib/codec/der.h"
#include "lib/codec/x509.h"

struct curve {
    unsigned size;              /* bits of the field */
    struct bytes oid;
};

/* The NIST curves over prime fields (RFC 5480 section 2.1.1.1). */
static const struct curve curves[] = {
    {192, BYTES("\x2a\x86\x48\xce\x3d\x03\x01\x01", 8)},
    {224, BYTES("\x2b\x81\x04\x00\x21", 5)},
    {256, BYTES("\x2a\x86\x48\xce\x3d\x03\x01\x07", 8)},
    {384, BYTES("\x2b\x81\x04\x00\x22", 5)},
    {521, BYTES("\x2b\x81\x04\x00\x23", 5)},
};

/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 3279 section 2.3.1), parameters NULL */
static enum result rsa_decode(struct bytes parameters, struct public_key *k)
{
    struct der none, key, modulus, exponent;
    struct bytes bits = k->bits, n, e;
    if (der_expect(&parameters, DER_NULL, &none) != R_OK || none.value.n > 0 || parameters.n > 0)
        return R_BAD_INPUT;
    if (der_expect(&bits, DER_SEQUENCE, &key) != R_OK || bits.n > 0)
        return R_BAD_INPUT;
    if (der_expect(&key.value, DER_INTEGER, &modulus) != R_OK || der_expect(&key.value, DER_INTEGER, &exponent) != R_OK)
        return R_BAD_INPUT;
    if (key.value.n > 0 || der_get_unsigned(modulus.value, &n) != R_OK || der_get_unsigned(exponent.value, &e) != R_OK)
        return R_BAD_INPUT;
    /* An even modulus is no product of two large primes, and Montgomery's arithmetic cannot take it. */
    if (!(n.p[n.n - 1] & 1))
        return R_BAD_INPUT;
    k->kind = KEY_RSA;
    k->size = (uint32_t)(n.n * 8) - (uint32_t)(__builtin_clz(n.p[0]) - 24);
    uint64_t value = 0;
    for (size_t i = 0; i < e.n && e.n <= 8; i++)
        value = value << 8 | e.p[i];
    k->exponent_ok = value >= 65537 && (value & 1);
    return R_OK;
}

/* Parameters are the curve's OID, the bits a point, compressed or not (RFC 5480 section 2). Unknown curves have size 0. */
static enum result ec_decode(struct bytes parameters, struct public_key *k)
{
    struct der curve;
    k->kind = KEY_EC;
    if (der_next(&parameters, &curve) != R_OK || parameters.n > 0)
        return R_BAD_INPUT;
    for (size_t i = 0; i < sizeof curves / sizeof curves[0] && curve.tag == DER_OID; i++) {
        if (!bytes_equal(curve.value, curves[i].oid))
            continue;
        size_t width = (curves[i].size + 7) / 8;
        bool whole = k->bits.n == 1 + 2 * width && k->bits.p[0] == 0x04;
        bool compressed = k->bits.n == 1 + width && (k->bits.p[0] == 0x02 || k->bits.p[0] == 0x03);
        if (!whole && !compressed)
            return R_BAD_INPUT;
        k->size = curves[i].size;
    }
    return R_OK;
}

enum result public_key_decode(struct bytes spki, struct public_key *out)
{
    static const struct bytes rsa = BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 9);
    static const struct bytes ec = BYTES("\x2a\x86\x48\xce\x3d\x02\x01", 7);
    struct der info, algorithm, oid, bits;
    struct public_key k = {.spki = spki, .kind = KEY_OTHER};
    if (der_expect(&spki, DER_SEQUENCE, &info) != R_OK || spki.n > 0)
        return R_BAD_INPUT;
    if (der_expect(&info.value, DER_SEQUENCE, &algorithm) != R_OK || der_expect(&info.value, DER_BIT_STRING, &bits) != R_OK)
        return R_BAD_INPUT;
    if (info.value.n > 0 || der_expect(&algorithm.value, DER_OID, &oid) != R_OK)
        return R_BAD_INPUT;
    if (bits.value.n < 2 || bits.value.p[0] != 0)
        return R_BAD_INPUT;
    k.bits = BYTES(bits.value.p + 1, bits.value.n - 1);
    enum result r = R_OK;
    if (bytes_equal(oid.value, rsa))
        r = rsa_decode(algorithm.value, &k);
    else if (bytes_equal(oid.value, ec))
        r = ec_decode(algorithm.value, &k);
    if (r == R_OK)
        *out = k;
    return r;
}

void public_key_ski(const struct public_key *k, uint8_t ski[20])
{
    digest_sha1(k->bits, ski);
}
