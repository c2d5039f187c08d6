#include "lib/codec/name.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/codec/der.h"

/* ---- attribute types ---- */

struct attribute_type {
    const char *label, *oid;
    int tag;                    /* what it is written as */
    size_t length;              /* exact number of characters; 0 any */
};

/* For an OID the first row is its label; the later ones are aliases. */
static const struct attribute_type types[] = {
    {"CN", OID_CN, DER_UTF8_STRING, 0},
    {"SN", OID_SURNAME, DER_UTF8_STRING, 0},
    {"SERIALNUMBER", OID_SERIAL_NUMBER, DER_PRINTABLE_STRING, 0},
    {"C", OID_C, DER_PRINTABLE_STRING, 2},      /* ISO 3166 code (X.520: SIZE (2)) */
    {"L", OID_L, DER_UTF8_STRING, 0},
    {"ST", OID_ST, DER_UTF8_STRING, 0},
    {"STREET", OID_STREET, DER_UTF8_STRING, 0},
    {"O", OID_O, DER_UTF8_STRING, 0},
    {"OU", OID_OU, DER_UTF8_STRING, 0},
    {"T", OID_TITLE, DER_UTF8_STRING, 0},
    {"POSTALCODE", OID_POSTAL_CODE, DER_UTF8_STRING, 0},
    {"G", OID_GIVEN_NAME, DER_UTF8_STRING, 0},
    {"I", OID_INITIALS, DER_UTF8_STRING, 0},
    {"DNQUALIFIER", OID_DN_QUALIFIER, DER_PRINTABLE_STRING, 0},
    {"E", OID_EMAIL, DER_IA5_STRING, 0},
    {"DC", OID_DC, DER_IA5_STRING, 0},
    {"UID", OID_UID, DER_UTF8_STRING, 0},
    {"SURNAME", OID_SURNAME, DER_UTF8_STRING, 0},
    {"S", OID_ST, DER_UTF8_STRING, 0},
    {"TITLE", OID_TITLE, DER_UTF8_STRING, 0},
    {"GIVENNAME", OID_GIVEN_NAME, DER_UTF8_STRING, 0},
    {"GN", OID_GIVEN_NAME, DER_UTF8_STRING, 0},
    {"INITIALS", OID_INITIALS, DER_UTF8_STRING, 0},
    {"DNQ", OID_DN_QUALIFIER, DER_PRINTABLE_STRING, 0},
    {"EMAIL", OID_EMAIL, DER_IA5_STRING, 0},
    {"EMAILADDRESS", OID_EMAIL, DER_IA5_STRING, 0},
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

static const struct attribute_type *type_of(const char *oid)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (strcmp(types[i].oid, oid) == 0)
            return &types[i];
    return NULL;
}

const char *name_label(const char *oid)
{
    const struct attribute_type *t = type_of(oid);
    return t ? t->label : NULL;
}

const char *name_oid(const char *label)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (text_equal_nocase(types[i].label, label))
            return types[i].oid;
    return NULL;
}

/* ---- strings ---- */

static void utf8_put(struct buf *b, uint32_t code)
{
    uint8_t p[4];
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t first[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        p[i] = (uint8_t)(0x80 | (code & 0x3f));
    p[0] = (uint8_t)(first[n] | code);
    buf_append(b, p, n);
}

/* Code points of a fixed width of 1, 2 or 4 octets. Surrogate pairs are not UCS-2, but Windows writes them. */
static enum result wide_decode(struct bytes v, size_t width, struct buf *out)
{
    if (v.n % width != 0)
        return R_BAD_INPUT;
    for (; v.n > 0; v.p += width, v.n -= width) {
        uint32_t code = width == 1 ? v.p[0] : width == 2 ? be16_get(v.p) : be32_get(v.p);
        if (width == 2 && code >= 0xd800 && code <= 0xdbff && v.n >= 4 && (be16_get(v.p + 2) & 0xfc00) == 0xdc00) {
            code = 0x10000 + ((code & 0x3ff) << 10 | (be16_get(v.p + 2) & 0x3ff));
            v.p += 2;
            v.n -= 2;
        }
        if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return R_BAD_INPUT;
        utf8_put(out, code);
    }
    return buf_result(out);
}

static enum result ascii_decode(struct bytes v, struct buf *out)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] > 0x7f)
            return R_BAD_INPUT;
    buf_append(out, v.p, v.n);
    return buf_result(out);
}

static enum result utf8_decode(struct bytes v, struct buf *out)
{
    uint32_t code;
    for (size_t at = 0, n; at < v.n; at += n)
        if ((n = text_utf8_next(v.p + at, v.n - at, &code)) == 0)
            return R_BAD_INPUT;
    buf_append(out, v.p, v.n);
    return buf_result(out);
}

enum result name_string_decode(int tag, struct bytes value, struct buf *out)
{
    switch (tag) {
    case DER_UTF8_STRING:
        return utf8_decode(value, out);
    case DER_PRINTABLE_STRING: case DER_IA5_STRING: case DER_NUMERIC_STRING: case DER_VISIBLE_STRING:
        return ascii_decode(value, out);
    case DER_T61_STRING:        /* written as Latin-1 by all who ever wrote it */
        return wide_decode(value, 1, out);
    case DER_BMP_STRING:
        return wide_decode(value, 2, out);
    case DER_UNIVERSAL_STRING:
        return wide_decode(value, 4, out);
    default:
        return R_BAD_INPUT;
    }
}

/* A value as text within LIMIT_NAME_VALUE and without a NUL. */
static enum result text_decode(int tag, struct bytes value, struct arena *a, const char **out)
{
    struct buf b;
    buf_init(&b, LIMIT_NAME_VALUE);
    enum result r = name_string_decode(tag, value, &b);
    if (r == R_OK && b.n > 0 && memchr(b.p, 0, b.n))
        r = R_BAD_INPUT;
    if (r == R_OK && !(*out = arena_text(a, b.p, b.n)))
        r = R_NO_MEMORY;
    buf_free(&b);
    return r;
}

/* ---- names ---- */

static bool is_ascii(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s > 0x7e)
            return false;
    return true;
}

static bool is_printable_string(const char *s)
{
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?") == strlen(s);
}

static enum result attribute_check(const struct name_attribute *at)
{
    const struct attribute_type *t = type_of(at->oid);
    size_t n = strlen(at->value);
    if (!text_is_oid(at->oid) || n < 1 || !text_is_printable(at->value, n))
        return R_BAD_INPUT;
    if (n > LIMIT_NAME_VALUE)
        return R_TOO_LARGE;
    if (t && t->tag == DER_PRINTABLE_STRING && !is_printable_string(at->value))
        return R_BAD_INPUT;
    if (t && t->tag == DER_IA5_STRING && !is_ascii(at->value))
        return R_BAD_INPUT;
    return t && t->length && n != t->length ? R_BAD_INPUT : R_OK;
}

static void attribute_put(struct buf *b, const struct name_attribute *at)
{
    const struct attribute_type *t = type_of(at->oid);
    size_t mark = der_open(b, DER_SEQUENCE);
    der_oid(b, at->oid);
    der_value(b, t ? t->tag : DER_UTF8_STRING, at->value, strlen(at->value));
    der_close(b, mark);
}

/* A SET OF stands in the order of its encodings. */
static void rdn_put(struct buf *b, const struct name_attribute *at, uint32_t count)
{
    struct buf set;
    buf_init(&set, LIMIT_NAME_DER);
    for (uint32_t i = 0; i < count; i++)
        attribute_put(&set, &at[i]);
    size_t mark = der_open(b, DER_SET);
    if (set.failed)
        b->failed = true;
    else
        der_sorted(b, buf_bytes(&set));
    der_close(b, mark);
    buf_free(&set);
}

enum result name_encode(const struct name *n, struct buf *out)
{
    if (n->count > LIMIT_NAME_ATTRIBUTES)
        return R_TOO_LARGE;
    for (uint32_t i = 0; i < n->count; i++) {
        enum result r = attribute_check(&n->items[i]);
        if (r != R_OK)
            return r;
    }
    struct buf b;
    buf_init(&b, LIMIT_NAME_DER);
    size_t mark = der_open(&b, DER_SEQUENCE);
    for (uint32_t i = 0, next; i < n->count; i = next) {
        for (next = i + 1; next < n->count && n->items[next].rdn == n->items[i].rdn; next++)
            continue;
        rdn_put(&b, &n->items[i], next - i);
    }
    der_close(&b, mark);
    enum result r = buf_result(&b);
    if (r == R_OK)
        der_raw(out, buf_bytes(&b));
    buf_free(&b);
    return r == R_OK ? buf_result(out) : r;
}

static enum result attribute_decode(struct bytes sequence, struct arena *a, struct name_attribute *out)
{
    struct der oid, value;
    if (der_expect(&sequence, DER_OID, &oid) != R_OK || der_next(&sequence, &value) != R_OK || sequence.n > 0)
        return R_BAD_INPUT;
    enum result r = der_oid_text(oid.value, a, &out->oid);
    return r == R_OK ? text_decode(value.tag, value.value, a, &out->value) : r;
}

enum result name_decode(struct bytes der, struct arena *a, struct name *out)
{
    struct name_attribute items[LIMIT_NAME_ATTRIBUTES];
    uint32_t count = 0;
    struct der name, set, attribute;
    if (der.n > LIMIT_NAME_DER)
        return R_TOO_LARGE;
    if (der_expect(&der, DER_SEQUENCE, &name) != R_OK || der.n > 0)
        return R_BAD_INPUT;
    for (uint32_t rdn = 0; name.value.n > 0; rdn++) {
        if (der_expect(&name.value, DER_SET, &set) != R_OK || set.value.n == 0)
            return R_BAD_INPUT;
        while (set.value.n > 0) {
            if (count == LIMIT_NAME_ATTRIBUTES)
                return R_TOO_LARGE;
            if (der_expect(&set.value, DER_SEQUENCE, &attribute) != R_OK)
                return R_BAD_INPUT;
            items[count] = (struct name_attribute){.rdn = rdn};
            enum result r = attribute_decode(attribute.value, a, &items[count++]);
            if (r != R_OK)
                return r;
        }
    }
    struct name_attribute *copy = arena_copy(a, items, count * sizeof items[0]);
    if (!copy)
        return R_NO_MEMORY;
    *out = (struct name){copy, count};
    return R_OK;
}

/* RFC 4514 section 2.4; control characters as hexadecimal pairs too, since this is for people. */
static void value_escape(struct buf *b, const char *value)
{
    size_t n = strlen(value);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value[i];
        bool edge = (c == ' ' && (i == 0 || i == n - 1)) || (c == '#' && i == 0);
        if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\%02X", c);
        else if (edge || strchr("\"+,;<>\\=", c))
            buf_append(b, (const char[]){'\\', (char)c}, 2);
        else
            buf_byte(b, c);
    }
}

const char *name_text(const struct name *n, struct arena *a)
{
    struct buf b;
    buf_init(&b, (size_t)n->count * (LIMIT_NAME_VALUE * 3 + LIMIT_OID + 2));
    for (uint32_t i = 0; i < n->count; i++) {
        const char *label = name_label(n->items[i].oid);
        if (i > 0)
            buf_byte(&b, n->items[i].rdn == n->items[i - 1].rdn ? '+' : ',');
        buf_text(&b, label ? label : n->items[i].oid);
        buf_byte(&b, '=');
        value_escape(&b, n->items[i].value);
    }
    const char *text = b.failed ? NULL : arena_text(a, b.p, b.n);
    buf_free(&b);
    return text;
}

const char *name_find(const struct name *n, const char *oid)
{
    for (uint32_t i = 0; i < n->count; i++)
        if (strcmp(n->items[i].oid, oid) == 0)
            return n->items[i].value;
    return NULL;
}

/* ---- subject alternative names ---- */

struct san_kind {
    const char *name;
    int tag;                    /* of the GeneralName; 0 is told apart by content */
    bool text;
};

static const struct san_kind kinds[SAN_TYPES] = {
    [SAN_EMAIL] = {"Email address", DER_CONTEXT(1), true},
    [SAN_UPN] = {"User principal name (UPN)", 0, true},
    [SAN_DNS] = {"DNS", DER_CONTEXT(2), true},
    [SAN_URI] = {"Uniform Resource Identifier (URI)", DER_CONTEXT(6), true},
    [SAN_IP] = {"IP address", DER_CONTEXT(7), false},
    [SAN_DIRECTORY] = {"Directory name", DER_CONTEXT_CONSTRUCTED(4), false},
    [SAN_OTHER] = {"Other name", 0, false},
};

const char *san_type_name(uint32_t type)
{
    return type < SAN_TYPES ? kinds[type].name : "Unknown";
}

static enum result san_check(const struct san *s)
{
    if (s->type >= SAN_TYPES || !kinds[s->type].text)
        return R_BAD_INPUT;
    size_t n = strlen(s->value);
    if (n < 1 || !text_is_printable(s->value, n) || (s->type != SAN_UPN && !is_ascii(s->value)))
        return R_BAD_INPUT;
    return n > LIMIT_NAME_VALUE ? R_TOO_LARGE : R_OK;
}

static void upn_put(struct buf *b, const char *value)
{
    size_t other = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
    der_oid(b, OID_UPN);
    size_t inner = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
    der_value(b, DER_UTF8_STRING, value, strlen(value));
    der_close(b, inner);
    der_close(b, other);
}

enum result sans_encode(const struct sans *s, struct buf *out)
{
    if (s->count < 1)
        return R_BAD_INPUT;
    if (s->count > LIMIT_SANS)
        return R_TOO_LARGE;
    for (uint32_t i = 0; i < s->count; i++) {
        enum result r = san_check(&s->items[i]);
        if (r != R_OK)
            return r;
    }
    size_t mark = der_open(out, DER_SEQUENCE);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct san *item = &s->items[i];
        if (item->type == SAN_UPN)
            upn_put(out, item->value);
        else
            der_value(out, kinds[item->type].tag, item->value, strlen(item->value));
    }
    der_close(out, mark);
    return buf_result(out);
}

static enum result hex_text(struct bytes der, struct arena *a, const char **out)
{
    if (2 * der.n > LIMIT_NAME_VALUE)
        return R_TOO_LARGE;
    char *text = arena_alloc(a, 2 * der.n + 1);
    if (!text)
        return R_NO_MEMORY;
    hex_encode(text, der.p, der.n);
    *out = text;
    return R_OK;
}

/* otherName is [0] { type-id, [0] EXPLICIT value }; only the UPN is read further. */
static enum result other_decode(const struct der *name, struct arena *a, struct san *out)
{
    static const uint8_t upn[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03};
    struct bytes rest = name->value;
    struct der oid, inner, value;
    if (der_expect(&rest, DER_OID, &oid) != R_OK || der_expect(&rest, DER_CONTEXT_CONSTRUCTED(0), &inner) != R_OK || rest.n > 0)
        return R_BAD_INPUT;
    if (!bytes_equal(oid.value, BYTES(upn, sizeof upn))) {
        out->type = SAN_OTHER;
        return hex_text(name->whole, a, &out->value);
    }
    if (der_next(&inner.value, &value) != R_OK || inner.value.n > 0)
        return R_BAD_INPUT;
    out->type = SAN_UPN;
    return text_decode(value.tag, value.value, a, &out->value);
}

static enum result san_decode(const struct der *name, struct arena *a, struct san *out)
{
    if (name->tag == DER_CONTEXT_CONSTRUCTED(0))
        return other_decode(name, a, out);
    out->type = SAN_OTHER;
    for (uint32_t type = 0; type < SAN_TYPES; type++)
        if (kinds[type].tag == name->tag)
            out->type = type;
    if (kinds[out->type].text)
        return text_decode(DER_IA5_STRING, name->value, a, &out->value);
    return hex_text(name->whole, a, &out->value);
}

enum result sans_decode(struct bytes der, struct arena *a, struct sans *out)
{
    struct der names, name;
    uint32_t count = 0;
    if (der_expect(&der, DER_SEQUENCE, &names) != R_OK || der.n > 0)
        return R_BAD_INPUT;
    /* Counted before anything is kept, so that many names cost no memory. */
    for (struct bytes rest = names.value; rest.n > 0; count++) {
        if (count == LIMIT_SANS)
            return R_TOO_LARGE;
        if (der_next(&rest, &name) != R_OK || (name.tag & 0xc0) != 0x80)
            return R_BAD_INPUT;
    }
    struct san *items = arena_array(a, count, sizeof *items);
    if (!items)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        enum result r = der_next(&names.value, &name);
        if (r == R_OK)
            r = san_decode(&name, a, &items[i]);
        if (r != R_OK)
            return r;
    }
    *out = (struct sans){items, count};
    return R_OK;
}
