#include "lib/codec/bundle.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/codec/ber.h"
#include "lib/codec/der.h"

#define OID_SIGNED_DATA BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 9)        /* 1.2.840.113549.1.7.2 */

struct reading {
    struct arena *a;
    struct bundle *out;
    const char *fault;
};

static enum result refuse(struct reading *r, enum result result, const char *fault)
{
    r->fault = fault;
    return result;
}

static const char private_key[] = "a private key, which belongs to its owner alone; take it out of the file";

static enum result certificate_add(struct reading *r, struct bytes der)
{
    struct bundle *b = r->out;
    if (b->count >= LIMIT_UPLOAD_CERTIFICATES)
        return refuse(r, R_TOO_LARGE, "too many certificates");
    if (b->items == NULL)
        b->items = arena_array(r->a, LIMIT_UPLOAD_CERTIFICATES, sizeof *b->items);
    if (b->items == NULL)
        return R_NO_MEMORY;
    b->items[b->count] = arena_bytes(r->a, der);
    return b->items[b->count++].p != NULL ? R_OK : R_NO_MEMORY;
}

/* The first tag inside a SEQUENCE, -1 where there is none. */
static int first_tag(struct bytes content)
{
    return content.n > 0 ? content.p[0] : -1;
}

/* SignedData ::= SEQUENCE { version, digestAlgorithms, encapContentInfo, [0] certificates OPTIONAL, … } (RFC 5652 section 5.1).
 * Signers and revocation lists are passed over, and so are the forms of CertificateChoices that are no X.509 certificate. */
static enum result signed_data_read(struct reading *r, struct bytes content)
{
    struct ber oid, explicit, sequence, item;
    bool found = false;
    if (ber_expect(&content, DER_OID, &oid) != R_OK || !bytes_equal(oid.value, OID_SIGNED_DATA))
        return refuse(r, R_BAD_INPUT, "PKCS#7 of another kind than signed data");
    if (ber_expect(&content, DER_CONTEXT_CONSTRUCTED(0), &explicit) != R_OK
        || ber_expect(&explicit.value, DER_SEQUENCE, &sequence) != R_OK)
        return refuse(r, R_BAD_INPUT, "PKCS#7 that cannot be read");
    struct bytes in = sequence.value;
    if (ber_expect(&in, DER_INTEGER, &item) != R_OK || ber_expect(&in, DER_SET, &item) != R_OK
        || ber_expect(&in, DER_SEQUENCE, &item) != R_OK || ber_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &item, &found) != R_OK)
        return refuse(r, R_BAD_INPUT, "PKCS#7 that cannot be read");
    struct bytes certificates = found ? item.value : BYTES_NONE;
    while (certificates.n > 0) {
        if (ber_next(&certificates, &item) != R_OK)
            return refuse(r, R_BAD_INPUT, "PKCS#7 that cannot be read");
        enum result result = item.tag == DER_SEQUENCE ? certificate_add(r, item.whole) : R_OK;
        if (result != R_OK)
            return result;
    }
    return R_OK;
}

/*
 * One object by what stands first in it: a certificate is SEQUENCE { SEQUENCE { [0] or INTEGER …, SignedData SEQUENCE { OID …,
 * the forms of private keys are SEQUENCE { INTEGER … (PKCS#1, PKCS#8, SEC 1, and the version of PKCS#12) and, encrypted, SEQUENCE
 * { SEQUENCE { OID ….
 */
static enum result object_read(struct reading *r, struct ber object)
{
    struct bytes in = object.value;
    struct ber first;
    switch (first_tag(in)) {
    case DER_OID:
        return signed_data_read(r, in);
    case DER_INTEGER:
        return refuse(r, R_BAD_INPUT, private_key);
    case DER_SEQUENCE:
        if (ber_next(&in, &first) != R_OK || first_tag(first.value) == DER_OID)
            return refuse(r, R_BAD_INPUT, private_key);
        return certificate_add(r, object.whole);
    default:
        return refuse(r, R_BAD_INPUT, "something else than certificates");
    }
}

/* ---- PEM ---- */

static const char begin[] = "-----BEGIN ", end[] = "-----END ", dashes[] = "-----";

enum block { BLOCK_CERTIFICATE, BLOCK_SIGNED_DATA, BLOCK_PRIVATE_KEY, BLOCK_OTHER };
static const struct { const char *label; enum block kind; } labels[] = {
    {"CERTIFICATE", BLOCK_CERTIFICATE}, {"X509 CERTIFICATE", BLOCK_CERTIFICATE}, {"TRUSTED CERTIFICATE", BLOCK_CERTIFICATE},
    {"PKCS7", BLOCK_SIGNED_DATA}, {"PKCS #7 SIGNED DATA", BLOCK_SIGNED_DATA}, {"CMS", BLOCK_SIGNED_DATA},
};

static enum block block_kind(struct bytes label)
{
    static const char key[] = "PRIVATE KEY";
    const size_t n = sizeof key - 1;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (bytes_equal(label, bytes_of_text(labels[i].label)))
            return labels[i].kind;
    return label.n >= n && memcmp(label.p + label.n - n, key, n) == 0 ? BLOCK_PRIVATE_KEY : BLOCK_OTHER;
}

static struct bytes after(struct bytes in, const uint8_t *at, size_t n)
{
    return BYTES(at + n, (size_t)(in.p + in.n - at) - n);
}

/* The next block: its label and what stands before its end. R_NOT_FOUND: there is none. */
static enum result block_take(struct reading *r, struct bytes *in, struct bytes *label, struct bytes *body)
{
    const uint8_t *start = in->n > 0 ? memmem(in->p, in->n, begin, sizeof begin - 1) : NULL;
    if (start == NULL)
        return R_NOT_FOUND;
    struct bytes rest = after(*in, start, sizeof begin - 1);
    const uint8_t *stop = memmem(rest.p, rest.n, dashes, sizeof dashes - 1);
    if (stop == NULL)
        return refuse(r, R_BAD_INPUT, "a PEM block without an end");
    *label = BYTES(rest.p, (size_t)(stop - rest.p));
    rest = after(rest, stop, sizeof dashes - 1);
    stop = memmem(rest.p, rest.n, end, sizeof end - 1);
    if (stop == NULL)
        return refuse(r, R_BAD_INPUT, "a PEM block without an end");
    *body = BYTES(rest.p, (size_t)(stop - rest.p));
    rest = after(rest, stop, sizeof end - 1);
    if (rest.n < label->n + sizeof dashes - 1 || memcmp(rest.p, label->p, label->n) != 0
        || memcmp(rest.p + label->n, dashes, sizeof dashes - 1) != 0)
        return refuse(r, R_BAD_INPUT, "a PEM block without an end");
    *in = after(rest, rest.p, label->n + sizeof dashes - 1);
    return R_OK;
}

static enum result block_read(struct reading *r, enum block kind, struct bytes body)
{
    size_t n = 0;
    uint8_t *der = arena_alloc(r->a, body.n / 4 * 3 + 3);
    struct ber object;
    if (der == NULL)
        return R_NO_MEMORY;
    struct bytes in = BYTES(der, 0);
    if (base64_decode((const char *)body.p, body.n, false, der, &n) != R_OK)
        return refuse(r, R_BAD_INPUT, "a PEM block that is not base64");
    in.n = n;
    if (ber_expect(&in, DER_SEQUENCE, &object) != R_OK)
        return refuse(r, R_BAD_INPUT, "a PEM block that cannot be read");
    /* Behind a trusted certificate stands what OpenSSL trusts it for. */
    return kind == BLOCK_SIGNED_DATA ? signed_data_read(r, object.value) : certificate_add(r, object.whole);
}

static enum result pem_read(struct reading *r, struct bytes in)
{
    struct bytes label, body;
    enum result result;
    while ((result = block_take(r, &in, &label, &body)) == R_OK) {
        enum block kind = block_kind(label);
        if (kind == BLOCK_PRIVATE_KEY)
            return refuse(r, R_BAD_INPUT, private_key);
        if (kind != BLOCK_OTHER)
            result = block_read(r, kind, body);
        if (result != R_OK)
            return result;
    }
    return result == R_NOT_FOUND ? R_OK : result;
}

enum result bundle_add(struct bytes file, struct arena *a, struct bundle *out, const char **fault)
{
    struct reading r = {a, out, NULL};
    uint32_t before = out->count;
    struct bytes in = file;
    struct ber object;
    enum result result;
    if (file.n > LIMIT_UPLOAD)
        result = refuse(&r, R_TOO_LARGE, "too many bytes");
    /* A text may begin with "0", which is the tag of a SEQUENCE. */
    else if (ber_expect(&in, DER_SEQUENCE, &object) == R_OK && in.n == 0)
        result = object_read(&r, object);
    else
        result = pem_read(&r, file);
    if (result == R_OK && out->count == before)
        result = refuse(&r, R_BAD_INPUT, "no certificate");
    *fault = r.fault;
    return result;
}
