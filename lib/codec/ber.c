#include "lib/codec/ber.h"

#define TAG_CLASS 0xc0
#define TAG_CONSTRUCTED 0x20
#define TAG_SEQUENCE 0x30
#define TAG_SET 0x31
#define TAG_MANY_BYTES 0x1f
#define LENGTH_INDEFINITE 0x80

struct header { int tag; bool indefinite; size_t length; };

static enum result header_take(struct bytes *in, struct header *h)
{
    if (in->n < 2 || (in->p[0] & TAG_MANY_BYTES) == TAG_MANY_BYTES)
        return R_BAD_INPUT;
    size_t octets = 0, first = in->p[1];
    *h = (struct header){in->p[0], first == LENGTH_INDEFINITE, first};
    if (h->indefinite) {
        h->length = 0;
        if (!(h->tag & TAG_CONSTRUCTED))
            return R_BAD_INPUT;
    } else if (first > 0x80) {
        octets = first & 0x7f;
        h->length = 0;
        if (in->n - 2 < octets)
            return R_BAD_INPUT;
        for (size_t i = 0; i < octets; i++) {
            if (h->length >> (8 * (sizeof h->length - 1)) != 0)
                return R_BAD_INPUT;
            h->length = h->length << 8 | in->p[2 + i];
        }
    }
    *in = BYTES(in->p + 2 + octets, in->n - 2 - octets);
    return h->length <= in->n ? R_OK : R_BAD_INPUT;
}

/* Takes everything up to and including the end-of-contents octets that match an indefinite header already taken. */
static enum result indefinite_take(struct bytes *in, struct bytes *value)
{
    const uint8_t *start = in->p, *end = NULL;
    struct header h;

    for (size_t open = 1; open > 0;) {
        end = in->p;
        if (header_take(in, &h) != R_OK)
            return R_BAD_INPUT;
        if (h.tag == 0) {                       /* end-of-contents: 00 00 */
            if (h.length != 0)
                return R_BAD_INPUT;
            open--;
        } else if (h.indefinite) {
            open++;
        } else {
            *in = BYTES(in->p + h.length, in->n - h.length);
        }
    }
    *value = BYTES(start, (size_t)(end - start));
    return R_OK;
}

enum result ber_next(struct bytes *in, struct ber *out)
{
    struct bytes rest = *in, value;
    struct header h;

    if (header_take(&rest, &h) != R_OK || h.tag == 0)
        return R_BAD_INPUT;
    if (h.indefinite) {
        if (indefinite_take(&rest, &value) != R_OK)
            return R_BAD_INPUT;
    } else {
        value = BYTES(rest.p, h.length);
        rest = BYTES(rest.p + h.length, rest.n - h.length);
    }
    *out = (struct ber){h.tag, value, BYTES(in->p, (size_t)(rest.p - in->p))};
    *in = rest;
    return R_OK;
}

enum result ber_expect(struct bytes *in, int tag, struct ber *out)
{
    if (in->n == 0 || in->p[0] != tag)
        return R_BAD_INPUT;
    return ber_next(in, out);
}

enum result ber_optional(struct bytes *in, int tag, struct ber *out, bool *found)
{
    *found = in->n != 0 && in->p[0] == tag;
    return *found ? ber_next(in, out) : R_OK;
}

bool ber_is_loose(struct bytes in)
{
    struct header h;

    while (in.n != 0 && header_take(&in, &h) == R_OK) {
        /* of the universal types only SEQUENCE and SET are constructed in DER */
        if (h.indefinite || ((h.tag & TAG_CLASS) == 0 && (h.tag & TAG_CONSTRUCTED) && h.tag != TAG_SEQUENCE && h.tag != TAG_SET))
            return true;
        if (!(h.tag & TAG_CONSTRUCTED))
            in = BYTES(in.p + h.length, in.n - h.length);
    }
    return false;
}
