#include "lib/policy/subject.h"

#include <string.h>

#include "lib/base/text.h"
#include "lib/policy/expansion.h"

#define LABEL_SIZE (LIMIT_OID + 8)      /* an OID with "OID." before it */

static const char *blanks_skip(const char *p)
{
    return p + strspn(p, " ");
}

static bool is_label_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

/* "LABEL =" at *p, which moves behind the equals sign. */
static enum result label_read(struct expansion *e, const char **p, const char **oid)
{
    char label[LABEL_SIZE];
    const char *start = blanks_skip(*p);
    size_t n = 0;
    while (is_label_character(start[n]))
        n++;
    const char *equals = blanks_skip(start + n);
    if (n == 0 || *equals != '=')
        return expansion_refuse(e, start, "attributes as CN=value; quote a value that has , or +");
    memcpy(label, start, n < sizeof label ? n : 0);
    label[n < sizeof label ? n : 0] = '\0';
    const char *dotted = label;
    if (strncmp(label, "OID.", 4) == 0 || strncmp(label, "oid.", 4) == 0)
        dotted += 4;
    const char *found = name_oid(label);
    if (!found && text_is_oid(dotted)) {
        found = arena_text(e->arena, dotted, strlen(dotted));
        if (!found)
            return R_NO_MEMORY;
    }
    if (!found)
        return expansion_refuse(e, arena_text(e->arena, start, n), "a known attribute, as CN, E, OU, O, C, or an OID");
    *p = equals + 1;
    *oid = found;
    return R_OK;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)((at - digits) % 16) : -1;
}

/* A backslash at *p: one of the characters that RFC 4514 lets escape, or two hexadecimal digits. */
static enum result escape_read(struct expansion *e, const char **p)
{
    char c = (*p)[1];
    int high = hex_value(c), low = high >= 0 ? hex_value((*p)[2]) : -1;
    if (low >= 0) {
        char octet = (char)(high << 4 | low);
        *p += 3;
        return expansion_append(e, &octet, 1);
    }
    if (c == '\0' || !strchr("\"+,;<=># \\", c))
        return expansion_refuse(e, *p, "a backslash written as two");
    *p += 2;
    return expansion_append(e, &c, 1);
}

/* A value in quotes at *p, which moves behind the closing one. */
static enum result quoted_read(struct expansion *e, const char **p)
{
    const char *start = *p;
    enum result r = R_OK;
    for (++*p; r == R_OK;) {
        switch (**p) {
        case '\0':
            return expansion_refuse(e, start, "a closing quote");
        case '{': case '}':
            r = expansion_variable(e, p);
            break;
        case '\\':
            r = escape_read(e, p);
            break;
        case '"':
            ++*p;
            if (**p != '"')
                return R_OK;
            /* fall through */
        default:
            r = expansion_append(e, (*p)++, 1);
        }
    }
    return r;
}

/* A value without quotes; blanks of the format at its end are dropped, those of a variable's value are kept. */
static enum result bare_read(struct expansion *e, const char **p)
{
    enum result r = R_OK;
    size_t keep = 0;
    if (**p == '#')
        return expansion_refuse(e, *p, "quotes around a value that begins with #");
    while (r == R_OK && **p != '\0' && **p != ',' && **p != '+') {
        bool blank = **p == ' ';
        if (**p == '{' || **p == '}')
            r = expansion_variable(e, p);
        else if (**p == '\\')
            r = escape_read(e, p);
        else if (strchr("\";<>", **p))
            r = expansion_refuse(e, *p, "quotes around a value that has \" ; < or >");
        else
            r = expansion_append(e, (*p)++, 1);
        if (!blank)
            keep = e->n;
    }
    e->n = keep;
    return r;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One "LABEL=value". item->value stays NULL where the value is not known yet. */
static enum result attribute_read(struct expansion *e, const char **p, struct name_attribute *item)
{
    enum result r = label_read(e, p, &item->oid);
    if (r != R_OK)
        return r;
    *p = blanks_skip(*p);
    expansion_start(e);
    if (**p == '"') {
        r = quoted_read(e, p);
        *p = blanks_skip(*p);
        if (r == R_OK && **p != '\0' && **p != ',' && **p != '+')
            r = expansion_refuse(e, *p, "a comma behind a closing quote");
    } else {
        r = bare_read(e, p);
    }
    if (r == R_OK)
        r = expansion_finish(e, &item->value);
    const char *c = item->value;
    if (r == R_OK && c && strcmp(item->oid, OID_C) == 0 && !(is_letter(c[0]) && is_letter(c[1]) && c[2] == '\0'))
        r = expansion_refuse(e, c, "a country of two letters");
    return r;
}

/* X.501 section 9.3: an RDN has an attribute type once. */
static bool doubled_in_rdn(const struct name *n, const struct name_attribute *item)
{
    for (uint32_t i = 0; i < n->count; i++)
        if (n->items[i].rdn == item->rdn && strcmp(n->items[i].oid, item->oid) == 0)
            return true;
    return false;
}

static enum result format_read(struct expansion *e, const char *p, struct name *out)
{
    uint32_t rdn = 0;
    for (;;) {
        struct name_attribute item = {.rdn = rdn};
        enum result r = attribute_read(e, &p, &item);
        if (r != R_OK)
            return r;
        if (out->count == LIMIT_NAME_ATTRIBUTES)
            return expansion_refuse(e, p, "fewer attributes");
        if (doubled_in_rdn(out, &item))
            return expansion_refuse(e, name_label(item.oid), "an attribute once between plus signs");
        out->items[out->count++] = item;
        if (*p == '\0')
            return R_OK;
        rdn += *p++ == ',';
    }
}

static enum result name_size(const struct name *n)
{
    struct buf b;
    buf_init(&b, LIMIT_NAME_DER);
    enum result r = name_encode(n, &b);
    if (r == R_OK)
        r = buf_result(&b);
    buf_free(&b);
    return r;
}

/* Can the values that are known be written in their string types? Names the one that cannot. */
static enum result encodable(struct expansion *e, const struct name *n)
{
    struct name known = {arena_array(e->arena, n->count, sizeof *n->items), 0};
    if (!known.items)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < n->count; i++)
        if (n->items[i].value)
            known.items[known.count++] = n->items[i];
    if (known.count == 0 || name_size(&known) == R_OK)
        return R_OK;
    for (uint32_t i = 0; i < known.count; i++) {
        struct name one = {&known.items[i], 1};
        if (name_size(&one) != R_OK)
            return expansion_refuse(e, name_text(&one, e->arena), "characters that the attribute's type can hold");
    }
    return expansion_refuse(e, name_text(&known, e->arena), "a shorter name");
}

/* values NULL: the format is only checked, and *out holds the attributes without those values that variables yield. */
static enum result subject_read(const char *format, bool for_user, const struct attributes *values, struct arena *a,
                                struct name *out, struct verdict *v)
{
    struct expansion e = {.values = values, .for_user = for_user, .field = "subject", .arena = a, .verdict = v};
    struct name name = {NULL, 0};
    if (!format)
        format = "";
    if (strnlen(format, LIMIT_SUBJECT_FORMAT + 1) > LIMIT_SUBJECT_FORMAT)
        return expansion_refuse(&e, format, "a shorter format");
    if (*blanks_skip(format) != '\0') {
        name.items = arena_array(a, LIMIT_NAME_ATTRIBUTES, sizeof *name.items);
        if (!name.items)
            return R_NO_MEMORY;
        enum result r = format_read(&e, format, &name);
        if (r == R_OK)
            r = encodable(&e, &name);
        if (r != R_OK)
            return r;
    }
    *out = name;
    return R_OK;
}

enum result subject_check_format(const char *format, bool for_user, struct arena *a, struct verdict *v)
{
    struct name unused;
    return subject_read(format, for_user, NULL, a, &unused, v);
}

enum result subject_expand(const char *format, bool for_user, const struct attributes *values, struct arena *a,
                           struct name *out, struct verdict *v)
{
    static const struct attributes none = {NULL, 0};
    return subject_read(format, for_user, values ? values : &none, a, out, v);
}
