#include "lib/codec/csr.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/extension.h"
#include "lib/codec/signature.h"

#define ATTR_CHALLENGE BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07", 9)            /* 1.2.840.113549.1.9.7 */
#define ATTR_EXTENSIONS BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e", 9)           /* 1.2.840.113549.1.9.14 */
#define ATTR_EXTENSIONS_MS BYTES("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e", 10)   /* 1.3.6.1.4.1.311.2.1.14 */

static enum result challenge_read(const struct der *value, struct arena *a, struct csr *c)
{
    struct buf b;
    enum result r = R_BAD_INPUT;
    buf_init(&b, LIMIT_CHALLENGE_FIELD);
    if (value->value.n > LIMIT_CHALLENGE_FIELD)
        goto out;
    r = name_string_decode(value->tag, value->value, &b);
    if (r != R_OK)
        goto out;
    size_t n = b.n;
    while (n > 0 && strchr(" \t\r\n", b.p[n - 1]))         /* the NUL that ends this string counts as found too */
        n--;
    if (n == 0)
        goto out;
    if (memchr(b.p, 0, n))
        r = R_BAD_INPUT;
    else if (!(c->challenge = arena_text(a, b.p, n)))
        r = R_NO_MEMORY;
out:
    buf_free(&b);
    return r;
}

/* Both forms of the attribute may stand in one request; an extension must not stand in both. */
struct attributes {
    struct bytes seen[LIMIT_EXTENSIONS];
    uint32_t count;
    struct extensions requested;
};

static enum result attribute_read(struct bytes in, struct arena *a, struct attributes *all, struct csr *c)
{
    struct der oid, set, value;
    if (der_expect(&in, DER_OID, &oid) != R_OK || der_expect(&in, DER_SET, &set) != R_OK || in.n > 0)
        return R_BAD_INPUT;
    for (uint32_t i = 0; i < all->count; i++)
        if (bytes_equal(all->seen[i], oid.value))
            return R_BAD_INPUT;
    if (all->count == LIMIT_EXTENSIONS)
        return R_TOO_LARGE;
    all->seen[all->count++] = oid.value;
    bool challenge = bytes_equal(oid.value, ATTR_CHALLENGE);
    if (!challenge && !bytes_equal(oid.value, ATTR_EXTENSIONS) && !bytes_equal(oid.value, ATTR_EXTENSIONS_MS))
        return R_OK;
    /* Both kinds are single-valued (RFC 2985 sections 5.4.1 and 5.4.2). */
    if (der_next(&set.value, &value) != R_OK || set.value.n > 0)
        return R_BAD_INPUT;
    return challenge ? challenge_read(&value, a, c) : extensions_add(value.whole, &all->requested);
}

static enum result attributes_read(struct bytes in, struct arena *a, struct attributes *all, struct csr *c)
{
    enum result r = R_OK;
    struct der attribute;
    while (r == R_OK && in.n > 0) {
        r = der_expect(&in, DER_SEQUENCE, &attribute);
        if (r == R_OK)
            r = attribute_read(attribute.value, a, all, c);
    }
    return r;
}

static enum result extensions_read(const struct extensions *e, struct arena *a, struct csr *c)
{
    const struct extension *sans = extension_find(e, EXT_SAN), *usage = extension_find(e, EXT_KEY_USAGE);
    const struct extension *ekus = extension_find(e, EXT_EKU), *basic = extension_find(e, EXT_BASIC_CONSTRAINTS);
    enum result r = R_OK;
    int path_length;
    c->claims.has_sans = sans != NULL;
    c->claims.has_key_usage = usage != NULL;
    c->claims.has_ekus = ekus != NULL;
    if (sans)
        r = sans_decode(sans->value, a, &c->claims.sans);
    if (r == R_OK && usage)
        r = extension_key_usage(usage->value, &c->claims.key_usage);
    if (r == R_OK && ekus)
        r = extension_ekus(ekus->value, a, &c->claims.ekus);
    if (r == R_OK && basic)
        r = extension_basic_constraints(basic->value, &c->ca_requested, &path_length);
    return r;
}

/* CertificationRequestInfo ::= SEQUENCE { version, subject, subjectPKInfo, [0] attributes } */
static enum result info_read(struct bytes info, struct arena *a, struct csr *c)
{
    struct der sequence, version, subject, key, attributes;
    struct attributes all = {.count = 0};
    if (der_expect(&info, DER_SEQUENCE, &sequence) != R_OK)
        return R_BAD_INPUT;
    struct bytes in = sequence.value;
    if (der_expect(&in, DER_INTEGER, &version) != R_OK || der_get_integer(version.value, &c->version) != R_OK)
        return R_BAD_INPUT;
    if (der_expect(&in, DER_SEQUENCE, &subject) != R_OK || der_expect(&in, DER_SEQUENCE, &key) != R_OK)
        return R_BAD_INPUT;
    enum result r = public_key_decode(key.whole, &c->key);
    if (r == R_OK)
        r = name_decode(subject.whole, a, &c->claims.subject);
    if (r == R_OK && in.n > 0) {
        if (der_expect(&in, DER_CONTEXT_CONSTRUCTED(0), &attributes) != R_OK || in.n > 0)
            return R_BAD_INPUT;
        r = attributes_read(attributes.value, a, &all, c);
    }
    return r == R_OK ? extensions_read(&all.requested, a, c) : r;
}

enum result csr_decode(struct bytes der, struct arena *a, struct csr *out)
{
    struct signed_parts parts;
    struct csr c = {.version = 0};
    uint32_t kind;
    if (der.n > LIMIT_CERTIFICATE)
        return R_CSR_DECODING_FAILED;
    c.der = arena_bytes(a, der);
    if (!c.der.p)
        return R_NO_MEMORY;
    enum result r = signed_unwrap(c.der, &parts);
    if (r == R_OK) {
        c.info = parts.tbs;
        r = signature_algorithm(parts.algorithm, &kind, &c.hash);
    }
    if (r == R_OK)
        r = info_read(parts.tbs, a, &c);
    if (r == R_OK)
        *out = c;
    return r == R_OK || r == R_NO_MEMORY ? r : R_CSR_DECODING_FAILED;
}

enum result csr_verify(const struct csr *c)
{
    struct signed_parts parts;
    if (signed_unwrap(c->der, &parts) != R_OK)
        return R_SIGNATURE_FAILED;
    return signed_verify(&parts, &c->key, HASHES_ANY);
}
