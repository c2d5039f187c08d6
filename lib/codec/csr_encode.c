/* Certification requests, written (RFC 2986 section 4.1, RFC 2985 section 5.4.2). */
#include "lib/codec/csr.h"

#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/codec/der.h"
#include "lib/codec/extension.h"

#define OID_EXTENSION_REQUEST "1.2.840.113549.1.9.14"

static bool is_sequence(struct bytes der)
{
    struct der sequence;
    return der_expect(&der, DER_SEQUENCE, &sequence) == R_OK && der.n == 0;
}

/* [0] attributes, with the one attribute extensionRequest */
static enum result attributes_put(const struct certificate_content *c, struct buf *b)
{
    size_t attributes = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
    size_t attribute = der_open(b, DER_SEQUENCE);
    der_oid(b, OID_EXTENSION_REQUEST);
    size_t values = der_open(b, DER_SET);
    size_t list = der_open(b, DER_SEQUENCE), before = b->n;
    enum result r = extensions_write(c, b);
    if (r == R_OK && !b->failed && b->n == before)
        r = R_BAD_INPUT;
    der_close(b, list);
    der_close(b, values);
    der_close(b, attribute);
    der_close(b, attributes);
    return r;
}

enum result csr_encode_info(const struct certificate_content *c, struct buf *out)
{
    size_t start = out->n;
    if (!is_sequence(c->subject) || !is_sequence(c->spki))
        return R_BAD_INPUT;
    if (c->ekus.count > LIMIT_EKUS)
        return R_TOO_LARGE;
    for (uint32_t i = 0; i < c->ekus.count; i++)
        if (!text_is_oid(c->ekus.items[i]))
            return R_BAD_INPUT;
    size_t info = der_open(out, DER_SEQUENCE);
    der_integer(out, 0);
    der_raw(out, c->subject);
    der_raw(out, c->spki);
    enum result r = attributes_put(c, out);
    der_close(out, info);
    if (r == R_OK)
        r = buf_result(out);
    if (r != R_OK)
        out->n = start;
    return r;
}
