#include "lib/codec/der.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/text.h"

/* UUIDs as arcs (2.25.x) have 128 bits; no OID in use has a larger arc. */
__extension__ typedef unsigned __int128 arc;
#define ARC_DIGITS 40           /* of 2^128 - 1, and a NUL */
#define ARC_GROUPS 19           /* of seven bits in 128 */

/* What four digits of a year can write, and what UTCTime means by two (RFC 5280 section 4.1.2.5.1). */
#define TIME_FIRST INT64_C(-62167219200)        /* 0000-01-01T00:00:00Z */
#define TIME_LAST INT64_C(253402300799)         /* 9999-12-31T23:59:59Z */
#define UTC_FIRST INT64_C(-631152000)           /* 1950-01-01T00:00:00Z */
#define UTC_END INT64_C(2524608000)             /* 2050-01-01T00:00:00Z */

/* ---- writing ---- */

static size_t length_bytes(size_t n)
{
    size_t count = 0;
    if (n >= 0x80)
        for (; n; n >>= 8)
            count++;
    return count + 1;
}

/* The length octets of n, into at most 1 + sizeof n bytes. */
static size_t length_put(uint8_t *p, size_t n)
{
    size_t count = length_bytes(n);
    if (count == 1) {
        p[0] = (uint8_t)n;
        return 1;
    }
    p[0] = (uint8_t)(0x80 | (count - 1));
    for (size_t i = count - 1; i > 0; i--, n >>= 8)
        p[i] = (uint8_t)n;
    return count;
}

size_t der_size(size_t content)
{
    return 1 + length_bytes(content) + content;
}

void der_header(struct buf *b, int tag, size_t content)
{
    uint8_t head[2 + sizeof content];
    head[0] = (uint8_t)tag;
    buf_append(b, head, 1 + length_put(head + 1, content));
}

/* The mark is where the content begins, after one byte kept for the length. */
size_t der_open(struct buf *b, int tag)
{
    buf_append(b, (const uint8_t[]){(uint8_t)tag, 0}, 2);
    return b->n;
}

void der_close(struct buf *b, size_t mark)
{
    if (b->failed)
        return;
    uint8_t length[1 + sizeof mark];
    size_t content = b->n - mark, count = length_put(length, content);
    /* A long length takes more than the byte kept for it: the content moves up. */
    if (count > 1 && !buf_space(b, count - 1))
        return;
    memmove(b->p + mark + count - 1, b->p + mark, content);
    memcpy(b->p + mark - 1, length, count);
}

void der_value(struct buf *b, int tag, const void *p, size_t n)
{
    der_header(b, tag, n);
    buf_append(b, p, n);
}

void der_raw(struct buf *b, struct bytes der)
{
    buf_append(b, der.p, der.n);
}

static void arc_put(struct buf *b, arc v)
{
    uint8_t groups[ARC_GROUPS];
    size_t i = sizeof groups - 1;
    groups[i] = (uint8_t)(v & 0x7f);
    while (v >>= 7)
        groups[--i] = (uint8_t)(0x80 | (v & 0x7f));
    buf_append(b, groups + i, sizeof groups - i);
}

/* Takes one decimal arc off *s; false on overflow. */
static bool arc_parse(const char **s, arc *out)
{
    arc v = 0;
    for (; **s >= '0' && **s <= '9'; (*s)++) {
        arc next;
        if (__builtin_mul_overflow(v, (arc)10, &next) || __builtin_add_overflow(next, (arc)(**s - '0'), &v))
            return false;
    }
    if (**s == '.')
        (*s)++;
    *out = v;
    return true;
}

void der_oid(struct buf *b, const char *dotted)
{
    arc first, v;
    if (!dotted || !text_is_oid(dotted)) {
        b->failed = true;
        return;
    }
    size_t mark = der_open(b, DER_OID);
    /* The first two arcs share a number: 40 * first + second (X.690 8.19.4). */
    bool ok = arc_parse(&dotted, &first) && arc_parse(&dotted, &v) && !__builtin_add_overflow(v, first * 40, &v);
    while (ok) {
        arc_put(b, v);
        if (!*dotted)
            break;
        ok = arc_parse(&dotted, &v);
    }
    if (!ok)
        b->failed = true;
    der_close(b, mark);
}

void der_integer(struct buf *b, int64_t v)
{
    uint8_t p[8];
    be64_put(p, (uint64_t)v);
    size_t i = 0;
    /* Drop octets that only repeat the sign (X.690 8.3.2). */
    while (i < 7 && ((p[i] == 0x00 && !(p[i + 1] & 0x80)) || (p[i] == 0xff && (p[i + 1] & 0x80))))
        i++;
    der_value(b, DER_INTEGER, p + i, 8 - i);
}

void der_integer_bytes(struct buf *b, struct bytes unsigned_be)
{
    while (unsigned_be.n > 0 && unsigned_be.p[0] == 0) {
        unsigned_be.p++;
        unsigned_be.n--;
    }
    bool sign = unsigned_be.n == 0 || (unsigned_be.p[0] & 0x80);
    der_header(b, DER_INTEGER, unsigned_be.n + sign);
    if (sign)
        buf_byte(b, 0);
    buf_append(b, unsigned_be.p, unsigned_be.n);
}

void der_boolean(struct buf *b, bool v)
{
    der_value(b, DER_BOOLEAN, v ? "\xff" : "\0", 1);
}

/* Both forms end in "MMDDHHMMSSZ"; skip drops the century for UTCTime. */
static void time_put(struct buf *b, int tag, int64_t t, int skip)
{
    struct clock_date d;
    char text[64];
    if (t < TIME_FIRST || t > TIME_LAST) {
        b->failed = true;
        return;
    }
    clock_to_date(t, &d);
    int n = snprintf(text, sizeof text, "%04d%02d%02d%02d%02d%02dZ", d.year, d.month, d.day, d.hour, d.minute, d.second);
    der_value(b, tag, text + skip, (size_t)(n - skip));
}

void der_time(struct buf *b, int64_t t)
{
    if (t >= UTC_FIRST && t < UTC_END)
        time_put(b, DER_UTC_TIME, t, 2);
    else
        time_put(b, DER_GENERALIZED_TIME, t, 0);
}

void der_generalized_time(struct buf *b, int64_t t)
{
    time_put(b, DER_GENERALIZED_TIME, t, 0);
}

void der_bits(struct buf *b, uint32_t v)
{
    uint8_t p[5] = {0};
    size_t n = 0;
    for (int i = 0; i < 32; i++) {
        if (v & (UINT32_C(1) << i)) {
            p[1 + i / 8] |= (uint8_t)(0x80 >> (i % 8));
            p[0] = (uint8_t)(7 - i % 8);
            n = (size_t)i / 8 + 1;
        }
    }
    der_value(b, DER_BIT_STRING, p, 1 + n);
}

/* ---- walking ---- */

/* No encoding is the beginning of another, so lengths need no rule. */
static int encodings_compare(const void *x, const void *y)
{
    const struct bytes *a = x, *b = y;

    return memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
}

void der_sorted(struct buf *b, struct bytes elements)
{
    struct bytes items[DER_SORTED_MOST];
    struct der item;
    size_t count = 0;

    while (elements.n > 0) {
        if (count == DER_SORTED_MOST || der_next(&elements, &item) != R_OK) {
            b->failed = true;
            return;
        }
        items[count++] = item.whole;
    }
    qsort(items, count, sizeof items[0], encodings_compare);
    for (size_t i = 0; i < count; i++)
        der_raw(b, items[i]);
}

static enum result length_take(struct bytes *in, size_t *out)
{
    if (in->n < 1)
        return R_BAD_INPUT;
    size_t count = 1, v = in->p[0];
    if (v >= 0x80) {
        count = 1 + (v & 0x7f);
        if (count == 1 || count > 1 + sizeof v || in->n < count)
            return R_BAD_INPUT;
        v = 0;
        for (size_t i = 1; i < count; i++)
            v = v << 8 | in->p[i];
        if (length_bytes(v) != count)
            return R_BAD_INPUT;
    }
    in->p += count;
    in->n -= count;
    *out = v;
    return R_OK;
}

enum result der_next(struct bytes *in, struct der *out)
{
    struct bytes rest = *in;
    size_t n;
    if (rest.n < 2)
        return R_BAD_INPUT;
    int tag = rest.p[0];
    /* Tag 0 is BER's end-of-contents; 0x1f announces a tag of several bytes. */
    if (tag == 0 || (tag & 0x1f) == 0x1f)
        return R_BAD_INPUT;
    rest.p++;
    rest.n--;
    if (length_take(&rest, &n) != R_OK || n > rest.n)
        return R_BAD_INPUT;
    out->tag = tag;
    out->value = BYTES(rest.p, n);
    out->whole = BYTES(in->p, (size_t)(rest.p - in->p) + n);
    in->p = rest.p + n;
    in->n = rest.n - n;
    return R_OK;
}

enum result der_expect(struct bytes *in, int tag, struct der *out)
{
    if (in->n < 1 || in->p[0] != tag)
        return R_BAD_INPUT;
    return der_next(in, out);
}

/* Takes one arc off *in; shortest form only. */
static enum result arc_take(struct bytes *in, arc *out)
{
    arc v = 0;
    if (in->n < 1 || in->p[0] == 0x80)
        return R_BAD_INPUT;
    for (size_t i = 0; i < in->n && i < ARC_GROUPS; i++) {
        if (v >> 121)
            return R_BAD_INPUT;
        v = v << 7 | (in->p[i] & 0x7f);
        if (!(in->p[i] & 0x80)) {
            in->p += i + 1;
            in->n -= i + 1;
            *out = v;
            return R_OK;
        }
    }
    return R_BAD_INPUT;
}

/* Appends the decimal digits of v to text, which holds *n of LIMIT_OID characters. */
static enum result arc_text(char *text, size_t *n, const char *before, arc v)
{
    char digits[ARC_DIGITS];
    size_t i = sizeof digits, dot = strlen(before);
    do {
        digits[--i] = (char)('0' + (int)(v % 10));
        v /= 10;
    } while (v);
    size_t count = sizeof digits - i;
    if (*n + dot + count > LIMIT_OID)
        return R_BAD_INPUT;
    memcpy(text + *n, before, dot);
    memcpy(text + *n + dot, digits + i, count);
    *n += dot + count;
    return R_OK;
}

enum result der_oid_text(struct bytes content, struct arena *a, const char **out)
{
    char text[LIMIT_OID];
    size_t n = 0;
    arc v;
    enum result r = arc_take(&content, &v);
    if (r != R_OK)
        return r;
    arc first = v < 40 ? 0 : v < 80 ? 1 : 2;
    r = arc_text(text, &n, "", first);
    if (r == R_OK)
        r = arc_text(text, &n, ".", v - first * 40);
    while (r == R_OK && content.n > 0) {
        r = arc_take(&content, &v);
        if (r == R_OK)
            r = arc_text(text, &n, ".", v);
    }
    if (r != R_OK)
        return r;
    const char *copy = arena_text(a, text, n);
    if (!copy)
        return R_NO_MEMORY;
    *out = copy;
    return R_OK;
}

/* An INTEGER has at least one octet, and none that only repeats the sign. */
static bool integer_is_shortest(struct bytes c)
{
    if (c.n < 1)
        return false;
    return c.n < 2 || !((c.p[0] == 0x00 && !(c.p[1] & 0x80)) || (c.p[0] == 0xff && (c.p[1] & 0x80)));
}

enum result der_get_integer(struct bytes content, int64_t *out)
{
    if (!integer_is_shortest(content) || content.n > 8)
        return R_BAD_INPUT;
    uint64_t v = content.p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < content.n; i++)
        v = v << 8 | content.p[i];
    *out = (int64_t)v;
    return R_OK;
}

enum result der_get_unsigned(struct bytes content, struct bytes *out)
{
    if (!integer_is_shortest(content) || (content.p[0] & 0x80))
        return R_BAD_INPUT;
    size_t sign = content.n > 1 && content.p[0] == 0;
    *out = BYTES(content.p + sign, content.n - sign);
    return R_OK;
}

enum result der_get_boolean(struct bytes content, bool *out)
{
    if (content.n != 1 || (content.p[0] != 0x00 && content.p[0] != 0xff))
        return R_BAD_INPUT;
    *out = content.p[0] != 0;
    return R_OK;
}

enum result der_get_bits(struct bytes content, uint32_t *out)
{
    uint32_t v = 0;
    if (content.n < 1 || content.p[0] > 7 || content.n > 5 || (content.n == 1 && content.p[0] != 0))
        return R_BAD_INPUT;
    /* Unused bits are zero in DER (X.690 11.2.1). */
    if (content.n > 1 && (content.p[content.n - 1] & ((1 << content.p[0]) - 1)))
        return R_BAD_INPUT;
    for (size_t i = 0; i < (content.n - 1) * 8; i++)
        if (content.p[1 + i / 8] & (0x80 >> (i % 8)))
            v |= UINT32_C(1) << i;
    *out = v;
    return R_OK;
}

enum result der_get_time(const struct der *t, int64_t *out)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int pair[7] = {0};          /* century, year of it, month, day, hour, minute, second */
    bool utc = t->tag == DER_UTC_TIME;
    struct bytes v = t->value;
    if ((!utc && t->tag != DER_GENERALIZED_TIME) || v.n != (utc ? 13 : 15) || v.p[v.n - 1] != 'Z')
        return R_BAD_INPUT;
    for (size_t i = 0; i < v.n - 1; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return R_BAD_INPUT;
        int *field = &pair[i / 2 + utc];
        *field = *field * 10 + (v.p[i] - '0');
    }
    if (utc)
        pair[0] = pair[1] >= 50 ? 19 : 20;
    struct clock_date d = {pair[0] * 100 + pair[1], pair[2], pair[3], pair[4], pair[5], pair[6]};
    bool leap = (d.year % 4 == 0 && d.year % 100 != 0) || d.year % 400 == 0;
    if (d.month < 1 || d.month > 12 || d.day < 1 || d.day > days[d.month - 1] + (leap && d.month == 2))
        return R_BAD_INPUT;
    if (d.hour > 23 || d.minute > 59 || d.second > 59)
        return R_BAD_INPUT;
    *out = clock_from_date(&d);
    return R_OK;
}
