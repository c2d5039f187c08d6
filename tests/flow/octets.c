#include "tests/flow/octets.h"

#include <ctype.h>

#include "tests/flow/client.h"

static struct chunk { struct chunk *next; unsigned char octets[]; } *chunks;

static unsigned char *room(size_t n)
{
    struct chunk *c = malloc(sizeof *c + n + 1);
    if (!c)
        die("memory");
    c->next = chunks;
    chunks = c;
    return c->octets;
}

void octets_free(void)
{
    for (struct chunk *next; chunks; chunks = next) {
        next = chunks->next;
        free(chunks);
    }
}

struct octets octets_of(const void *p, size_t n)
{
    struct octets o = {room(n), n};
    if (n > 0)
        memcpy(o.p, p, n);
    return o;
}

struct octets octets_text(const char *text)
{
    return octets_of(text, strlen(text));
}

struct octets octets_hex(const char *hex)
{
    long n = 0;
    unsigned char *p = OPENSSL_hexstr2buf(hex, &n);
    if (!p && hex[0] != '\0')
        die("no hex");
    struct octets o = octets_of(p, (size_t)n);
    OPENSSL_free(p);
    return o;
}

struct octets octets_percent(const char *text)
{
    struct octets o = {room(strlen(text)), 0};
    for (const char *c = text; *c; c++)
        if (*c == '%' && isxdigit((unsigned char)c[1]) && isxdigit((unsigned char)c[2])) {
            o.p[o.n++] = (unsigned char)strtoul((const char[]){c[1], c[2], '\0'}, NULL, 16);
            c += 2;
        } else {
            o.p[o.n++] = (unsigned char)*c;
        }
    return o;
}

struct octets octets_file(const char *path)
{
    BIO *in = file_bio(path, "rb");
    struct octets o = OCTETS_NONE;
    unsigned char part[65536];
    for (int n; (n = BIO_read(in, part, sizeof part)) > 0;)
        o = JOIN(o, octets_of(part, (size_t)n));
    BIO_free(in);
    return o;
}

struct octets octets_joined(const struct octets *list, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += list[i].n;
    struct octets o = {room(n), 0};
    for (size_t i = 0; i < count; i++) {
        if (list[i].n > 0)
            memcpy(o.p + o.n, list[i].p, list[i].n);
        o.n += list[i].n;
    }
    return o;
}

static struct octets tlv_head(int tag, size_t n)
{
    unsigned char head[6] = {(unsigned char)tag, (unsigned char)n};
    size_t size = 2;
    if (n > 0x7f) {
        size_t bytes = n > 0xffffff ? 4 : n > 0xffff ? 3 : n > 0xff ? 2 : 1;
        head[1] = (unsigned char)(0x80 + bytes);
        for (size_t i = 0; i < bytes; i++)
            head[2 + i] = (unsigned char)(n >> 8 * (bytes - 1 - i));
        size += bytes;
    }
    return octets_of(head, size);
}

struct octets tlv(int tag, struct octets content)
{
    return JOIN(tlv_head(tag, content.n), content);
}

struct octets tlv_styled(int tag, struct octets content, struct style style)
{
    const unsigned char begin[] = {(unsigned char)tag, 0x80}, end[] = {0, 0};
    if (!style.indefinite)
        return tlv(tag, content);
    return JOIN(octets_of(begin, sizeof begin), content, octets_of(end, sizeof end));
}

struct octets string_styled(int tag, struct octets content, struct style style)
{
    struct octets pieces = OCTETS_NONE;
    size_t piece = style.piece > 0 ? style.piece : content.n;
    if (style.piece == 0 && !style.indefinite)
        return tlv(tag, content);
    for (size_t at = 0; at < content.n; at += piece) {
        size_t n = content.n - at < piece ? content.n - at : piece;
        pieces = JOIN(pieces, tlv(TAG_OCTET_STRING, (struct octets){content.p + at, n}));
    }
    return tlv_styled(tag | 0x20, pieces, style);
}

struct octets tlv_integer(long n)
{
    unsigned char value[8];
    size_t size = 0;
    do {
        size++;
    } while (size < sizeof value && (n < -(1L << (8 * size - 1)) || n >= 1L << (8 * size - 1)));
    for (size_t i = 0; i < size; i++)
        value[i] = (unsigned char)(n >> 8 * (size - 1 - i));
    return tlv(TAG_INTEGER, octets_of(value, size));
}

struct octets tlv_oid(const char *dotted)
{
    ASN1_OBJECT *object = OBJ_txt2obj(dotted, 1);
    if (!object)
        die(dotted);
    struct octets o = tlv(TAG_OID, octets_of(OBJ_get0_data(object), OBJ_length(object)));
    ASN1_OBJECT_free(object);
    return o;
}

struct octets tlv_algorithm(const char *oid, struct octets parameters)
{
    return tlv(TAG_SEQUENCE, JOIN(tlv_oid(oid), parameters));
}

struct octets tlv_attribute(const char *oid, struct octets values)
{
    return tlv(TAG_SEQUENCE, JOIN(tlv_oid(oid), tlv(TAG_SET, values)));
}

static int octets_compare(const void *a, const void *b)
{
    const struct octets *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order != 0 ? order : x->n < y->n ? -1 : x->n > y->n;
}

void set_sort(struct octets *list, size_t count)
{
    qsort(list, count, sizeof *list, octets_compare);
}

struct octets octets_taken(unsigned char *der, int n)
{
    if (n <= 0)
        die("encoding");
    struct octets o = octets_of(der, (size_t)n);
    OPENSSL_free(der);
    return o;
}
