#include "lib/policy/subject.h"

#include <string.h>

#include "lib/base/text.h"
#include "lib/policy/expansion.h"

#define HOST_NAME_SIZE 253      /* RFC 1035 section 2.3.4, as text */
#define HOST_LABEL_SIZE 63
#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* RFC 1123 section 2.1: labels of letters, digits and inner hyphens. */
static bool host_name_ok(const char *s)
{
    if (strlen(s) > HOST_NAME_SIZE)
        return false;
    for (;; s++) {
        size_t n = strspn(s, LETTERS DIGITS "-");
        if (n == 0 || n > HOST_LABEL_SIZE || s[0] == '-' || s[n - 1] == '-')
            return false;
        s += n;
        if (*s == '\0')
            return true;
        if (*s != '.')
            return false;
    }
}

/* RFC 5280 section 4.2.1.6: Local-part@Domain. The local part is a dot-string (RFC 5321 section 4.1.2) of ASCII. */
static bool email_ok(const char *s)
{
    size_t n = strspn(s, LETTERS DIGITS "!#$%&'*+-/=?^_`{|}~.");
    return n > 0 && s[n] == '@' && s[0] != '.' && s[n - 1] != '.' && host_name_ok(s + n + 1);
}

/* Text around one "@"; letters of any script are in use. */
static bool upn_ok(const char *s)
{
    const char *at = strchr(s, '@');
    return at && at > s && at[1] != '\0' && !strchr(at + 1, '@') && !strchr(s, ' ');
}

/* RFC 3986: a scheme, a colon, something; of the characters that a URI can have. */
static bool uri_ok(const char *s)
{
    size_t scheme = strspn(s, LETTERS DIGITS "+-.");
    if (scheme == 0 || !strchr(LETTERS, s[0]) || s[scheme] != ':' || s[scheme + 1] == '\0')
        return false;
    return s[strspn(s, LETTERS DIGITS "-._~:/?#[]@!$&'()*+,;=%")] == '\0';
}

static const struct san_rule { bool (*ok)(const char *); const char *wanted; } san_rules[SAN_TYPES] = {
    [SAN_EMAIL] = {email_ok, "an e-mail address, name@domain, in ASCII"},
    [SAN_UPN] = {upn_ok, "a user principal name, name@domain"},
    [SAN_DNS] = {host_name_ok, "a host name of letters, digits, hyphens and dots"},
    [SAN_URI] = {uri_ok, "a URI with its scheme, in ASCII"},
};

/* The value that the text of one name yields, unchecked. */
static enum result text_read(struct expansion *e, const char *format)
{
    enum result r = R_OK;
    bool statics = false;
    for (const char *p = format; r == R_OK && *p != '\0';) {
        if (*p == '{' || *p == '}') {
            r = expansion_variable(e, &p);
        } else if (e->after_device && (*p == '|' || *p == ';')) {
            return expansion_refuse(e, format, "no { } | ; behind a device variable");
        } else {
            statics = true;
            r = expansion_append(e, p++, 1);
        }
    }
    if (r == R_OK && e->has_identifier && (statics || e->variables > 1))
        return expansion_refuse(e, format, "{{OnPremisesSecurityIdentifier}} with nothing beside it");
    return r;
}

/* out->value stays NULL where it is not known yet. */
static enum result san_read(struct expansion *e, const struct san *format, struct san *out)
{
    const struct san_rule *rule = format->type < SAN_TYPES ? &san_rules[format->type] : NULL;
    const char *text = format->value ? format->value : "";
    if (!rule || !rule->ok)
        return expansion_refuse(e, san_type_name(format->type), "e-mail address, UPN, DNS or URI");
    if (strnlen(text, LIMIT_SUBJECT_FORMAT + 1) > LIMIT_SUBJECT_FORMAT)
        return expansion_refuse(e, text, "a shorter text");
    expansion_start(e);
    e->takes_identifier = format->type == SAN_URI;
    out->type = format->type;
    enum result r = text_read(e, text);
    if (r == R_OK)
        r = expansion_finish(e, &out->value);
    if (r == R_OK && out->value && !rule->ok(out->value))
        r = expansion_refuse(e, out->value, rule->wanted);
    return r;
}

static bool san_known(const struct sans *s, const struct san *one)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->items[i].type == one->type && s->items[i].value && one->value && strcmp(s->items[i].value, one->value) == 0)
            return true;
    return false;
}

static enum result sans_read(const struct sans *formats, bool for_user, const struct attributes *values, struct arena *a,
                             struct sans *out, struct verdict *v)
{
    struct expansion e = {.values = values, .for_user = for_user, .field = "san", .arena = a, .verdict = v};
    if (formats->count > LIMIT_SANS)
        return expansion_refuse(&e, arena_printf(a, "%u", formats->count), "at most 500 names");
    struct sans sans = {arena_array(a, formats->count, sizeof *sans.items), 0};
    if (!sans.items)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < formats->count; i++) {
        struct san one = {0, NULL};
        enum result r = san_read(&e, &formats->items[i], &one);
        if (r != R_OK)
            return r;
        if (!san_known(&sans, &one))
            sans.items[sans.count++] = one;
    }
    *out = sans;
    return R_OK;
}

enum result sans_check_format(const struct sans *formats, bool for_user, struct arena *a, struct verdict *v)
{
    struct sans unused;
    return sans_read(formats, for_user, NULL, a, &unused, v);
}

enum result sans_expand(const struct sans *formats, bool for_user, const struct attributes *values, struct arena *a,
                        struct sans *out, struct verdict *v)
{
    static const struct attributes none = {NULL, 0};
    return sans_read(formats, for_user, values ? values : &none, a, out, v);
}
