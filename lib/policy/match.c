#include "lib/policy/profile.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/policy/purposes.h"

struct match {
    const struct profile *p;
    const struct name *subject;
    const struct sans *sans;
    const struct claims *claims;
    const struct public_key *key;
    uint32_t ca_bits;
    struct arena *a;
    struct verdict *v;
};

static enum result refuse(const struct match *m, enum result r, const char *field, const char *found, const char *wanted)
{
    return verdict_refuse(m->v, m->a, r, field, found, wanted);
}

static uint32_t attribute_count(const struct name *n, const struct name_attribute *one)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->count; i++)
        count += strcmp(n->items[i].oid, one->oid) == 0 && text_equal_name(n->items[i].value, one->value);
    return count;
}

/* As multisets: every attribute as often here as there. */
static bool names_equal(const struct name *x, const struct name *y)
{
    if (x->count != y->count)
        return false;
    for (uint32_t i = 0; i < x->count; i++)
        if (attribute_count(x, &x->items[i]) != attribute_count(y, &x->items[i]))
            return false;
    return true;
}

static enum result match_subject(const struct match *m)
{
    const struct name *claimed = &m->claims->subject;
    enum result r = claimed->count == 0 && m->subject->count > 0 ? R_SUBJECT_MISSING : R_SUBJECT_MISMATCH;
    if (names_equal(m->subject, claimed))
        return R_OK;
    return refuse(m, r, "subject", name_text(claimed, m->a), name_text(m->subject, m->a));
}

/* RFC 5280 section 7.5: the part before the @ as it is, the host without regard to case. */
static bool emails_equal(const char *x, const char *y)
{
    const char *host_x = strrchr(x, '@'), *host_y = strrchr(y, '@');
    if (!host_x || !host_y)
        return strcmp(x, y) == 0;
    return host_x - x == host_y - y && memcmp(x, y, (size_t)(host_x - x)) == 0 && text_equal_nocase(host_x, host_y);
}

static bool san_equal(const struct san *x, const struct san *y)
{
    if (x->type != y->type)
        return false;
    if (x->type == SAN_DNS)
        return text_equal_nocase(x->value, y->value);
    return x->type == SAN_EMAIL ? emails_equal(x->value, y->value) : strcmp(x->value, y->value) == 0;
}

static bool sans_within(const struct sans *subset, const struct sans *set)
{
    for (uint32_t i = 0; i < subset->count; i++) {
        uint32_t j = 0;
        while (j < set->count && !san_equal(&subset->items[i], &set->items[j]))
            j++;
        if (j == set->count)
            return false;
    }
    return true;
}

/* "DNS: a, URI: b", as much as a verdict holds. */
static const char *sans_text(const struct sans *s, struct arena *a)
{
    char text[LIMIT_DETAIL + 8];        /* longer than the verdict, which cuts at the end of a character */
    size_t n = 0;
    if (s->count == 0)
        return "none";
    for (uint32_t i = 0; i < s->count && n < sizeof text; i++) {
        int more = snprintf(text + n, sizeof text - n, "%s%s: %s", i > 0 ? ", " : "", san_type_name(s->items[i].type),
                            s->items[i].value);
        n += more > 0 ? (size_t)more : 0;
    }
    return arena_text(a, text, n < sizeof text ? n : sizeof text - 1);
}

static enum result match_sans(const struct match *m)
{
    static const struct sans none = {NULL, 0};
    const struct sans *claimed = m->claims->has_sans ? &m->claims->sans : &none;
    enum result r = R_SAN_MISMATCH;
    if (claimed->count == 0) {
        if (m->sans->count == 0 || !m->p->strict)
            return R_OK;
        r = R_SAN_MISSING;
    } else if (sans_within(claimed, m->sans) && sans_within(m->sans, claimed)) {
        return R_OK;
    }
    return refuse(m, r, "san", sans_text(claimed, m->a), sans_text(m->sans, m->a));
}

static enum result match_key_usage(const struct match *m)
{
    const struct claims *c = m->claims;
    if (c->has_key_usage ? c->key_usage == m->p->key_usage : !m->p->strict)
        return R_OK;
    return refuse(m, R_KEY_USAGE_MISMATCH, "key_usage", c->has_key_usage ? key_usage_text(c->key_usage, m->a) : "none",
                  key_usage_text(m->p->key_usage, m->a));
}

static enum result match_key(const struct match *m)
{
    static const char *const kinds[] = {[KEY_RSA] = "RSA", [KEY_EC] = "EC", [KEY_OTHER] = "other algorithm"};
    uint32_t least = m->p->key_size_min > LIMIT_RSA_BITS_MIN ? m->p->key_size_min : LIMIT_RSA_BITS_MIN;
    uint32_t most = m->ca_bits > 0 && m->ca_bits < LIMIT_RSA_BITS_MAX ? m->ca_bits : LIMIT_RSA_BITS_MAX;
    const struct public_key *k = m->key;
    if (k->kind == KEY_RSA && k->exponent_ok && k->size >= least && k->size <= most)
        return R_OK;
    const char *kind = kinds[k->kind <= KEY_OTHER ? k->kind : KEY_OTHER];
    const char *weak = k->kind == KEY_RSA && !k->exponent_ok ? ", public exponent not allowed" : "";
    return refuse(m, R_KEY_LENGTH_MISMATCH, "key", arena_printf(m->a, "%s, %u bits%s", kind, k->size, weak),
                  arena_printf(m->a, "RSA, %u to %u bits, exponent odd and at least 65537", least, most));
}

static enum result match_ekus(const struct match *m)
{
    static const struct oids none = {NULL, 0};
    const struct oids *claimed = m->claims->has_ekus ? &m->claims->ekus : &none;
    enum result r = R_EKU_MISMATCH;
    if (claimed->count == 0) {
        if (!m->p->strict)
            return R_OK;
        r = R_EKU_MISSING;
    } else if (purposes_equal(claimed, &m->p->ekus)) {
        return R_OK;
    }
    return refuse(m, r, "eku", purposes_text(claimed, m->a), purposes_text(&m->p->ekus, m->a));
}

enum result profile_match(const struct profile *p, const struct name *subject, const struct sans *sans,
                          const struct claims *claims, const struct public_key *key, uint32_t ca_bits, struct arena *a,
                          struct verdict *v)
{
    static enum result (*const steps[])(const struct match *) = {
        match_subject, match_sans, match_key_usage, match_key, match_ekus,
    };
    struct match m = {p, subject, sans, claims, key, ca_bits, a, v};
    enum result r = R_OK;
    for (size_t i = 0; r == R_OK && i < sizeof steps / sizeof steps[0]; i++)
        r = steps[i](&m);
    return r;
}
