#include "lib/policy/profile.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/policy/bounds.h"
#include "lib/policy/purposes.h"

#define DAY 86400
#define CHALLENGE_SECONDS_MIN 60
#define CHALLENGE_SECONDS_MAX (90 * DAY)

/* The longest validity is 24 months (3.10); 730 days are never more. */
static const struct unit { const char *name; uint32_t max; } units[] = {
    [VALIDITY_DAYS] = {"days", 730}, [VALIDITY_MONTHS] = {"months", 24}, [VALIDITY_YEARS] = {"years", 2},
};
#define UNITS (sizeof units / sizeof units[0])

const char *validity_unit_name(uint32_t unit)
{
    return unit < UNITS ? units[unit].name : NULL;
}

int validity_unit_from_name(const char *name)
{
    for (size_t i = 0; i < UNITS; i++)
        if (strcmp(units[i].name, name) == 0)
            return (int)i;
    return -1;
}

const char *const platforms[] = {"windows", "ios", "macos", "android", "linux", "other", NULL};
static const char *const strict_platforms[] = {"windows", "ios", "macos", "android", NULL};
static const char *const apple_platforms[] = {"ios", "macos", NULL};

static bool is_among(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

bool platform_known(const char *name) { return is_among(platforms, name); }
bool platform_strict_default(const char *name) { return is_among(strict_platforms, name); }
const char *platform_variant_default(const char *name) { return is_among(apple_platforms, name) ? "apple" : ""; }

struct profile_case {
    const struct profile *p;
    const struct certificate *chain;
    uint32_t count;
    struct arena *a;
    struct verdict *v;
};

static enum result refuse(const struct profile_case *c, const char *field, const char *found, const char *wanted)
{
    return verdict_refuse(c->v, c->a, R_BAD_INPUT, field, found, wanted);
}

static const char *number(const struct profile_case *c, uint32_t n)
{
    return arena_printf(c->a, "%u", n);
}

static bool is_blank(const char *s)
{
    return !s || s[strspn(s, " ")] == '\0';
}

static enum result check_name(const struct profile_case *c)
{
    const char *name = c->p->name;
    if (is_blank(name) || !text_is_printable(name, strlen(name)) || text_length(name) > LIMIT_DISPLAY_NAME)
        return refuse(c, "name", name, "1 to 128 printable characters");
    if (!c->p->platform || !platform_known(c->p->platform))
        return refuse(c, "platform", c->p->platform, "windows, ios, macos, android, linux or other");
    return R_OK;
}

static enum result check_formats(const struct profile_case *c)
{
    const struct profile *p = c->p;
    enum result r = subject_check_format(p->subject_format, p->for_user, c->a, c->v);
    if (r == R_OK)
        r = sans_check_format(&p->san_formats, p->for_user, c->a, c->v);
    if (r == R_OK && is_blank(p->subject_format) && p->san_formats.count == 0)
        r = refuse(c, "subject", "", "a subject or a subject alternative name");
    return r;
}

static enum result check_validity(const struct profile_case *c)
{
    const struct profile *p = c->p;
    if (p->validity_unit >= UNITS)
        return refuse(c, "validity", number(c, p->validity_unit), "days, months or years");
    if (p->validity < 1 || p->validity > units[p->validity_unit].max)
        return refuse(c, "validity", arena_printf(c->a, "%u %s", p->validity, units[p->validity_unit].name),
                      "1 day to 24 months");
    return R_OK;
}

static enum result check_key(const struct profile_case *c)
{
    const struct profile *p = c->p;
    const struct public_key *ca = &c->chain[0].key;
    if (p->key_usage == 0 || (p->key_usage & ~(uint32_t)(KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT)))
        return refuse(c, "key_usage", key_usage_text(p->key_usage, c->a), "digitalSignature, keyEncipherment or both");
    if (p->key_size_min != 2048 && p->key_size_min != 3072 && p->key_size_min != 4096)
        return refuse(c, "key_size", number(c, p->key_size_min), "2048, 3072 or 4096");
    if (ca->kind == KEY_RSA && p->key_size_min > ca->size)
        return refuse(c, "key_size", number(c, p->key_size_min), arena_printf(c->a, "at most the CA's, %u", ca->size));
    return R_OK;
}

static enum result check_ekus(const struct profile_case *c)
{
    const struct oids *ekus = &c->p->ekus;
    if (ekus->count == 0 || ekus->count > LIMIT_EKUS)
        return refuse(c, "eku", number(c, ekus->count), "1 to 500 key purposes");
    for (uint32_t i = 0; i < ekus->count; i++) {
        const char *oid = ekus->items[i];
        struct oids before = {ekus->items, i};
        if (!oid || !text_is_oid(oid))
            return refuse(c, "eku", oid, "an OID");
        if (strcmp(oid, EKU_ANY) == 0)
            return refuse(c, "eku", oid, "named purposes: Any Purpose is not allowed");
        if (purposes_contain(&before, oid))
            return refuse(c, "eku", oid, "each purpose once");
    }
    const char *lacking = bounds_purpose_lacking(ekus, c->chain, c->count);
    return lacking ? refuse(c, "eku", lacking, "a purpose that the issuing CA and its chain have") : R_OK;
}

static enum result check_times(const struct profile_case *c)
{
    const struct profile *p = c->p;
    if (p->renewal_threshold < 1 || p->renewal_threshold > 99)
        return refuse(c, "renewal_threshold", number(c, p->renewal_threshold), "1 to 99 per cent");
    if (p->challenge_seconds < CHALLENGE_SECONDS_MIN || p->challenge_seconds > CHALLENGE_SECONDS_MAX)
        return refuse(c, "challenge_seconds", number(c, p->challenge_seconds), "60 seconds to 90 days");
    return R_OK;
}

static enum result check_messages(const struct profile_case *c)
{
    struct variant variant;
    if (!algorithm_level_name(c->p->algorithms))
        return refuse(c, "algorithms", number(c, c->p->algorithms), "modern, compatible or legacy");
    if (variant_from_text(c->p->variant, &variant) != R_OK)
        return refuse(c, "variant", c->p->variant, "words of which each group has at most one");
    return R_OK;
}

enum result profile_check(const struct profile *p, const struct certificate *chain, uint32_t count, struct arena *a,
                          struct verdict *v)
{
    static enum result (*const checks[])(const struct profile_case *) = {
        check_name, check_formats, check_validity, check_key, check_ekus, check_times, check_messages,
    };
    struct profile_case c = {p, chain, count, a, v};
    if (count == 0)
        return verdict_refuse(v, a, R_INTERNAL, "chain", "0", "the issuing CA's certificate");
    enum result r = R_OK;
    for (size_t i = 0; r == R_OK && i < sizeof checks / sizeof checks[0]; i++)
        r = checks[i](&c);
    return r;
}

int64_t profile_not_after(const struct profile *p, int64_t now)
{
    if (p->validity_unit == VALIDITY_YEARS)
        return clock_add_years(now, (int)p->validity);
    if (p->validity_unit == VALIDITY_MONTHS)
        return clock_add_months(now, (int)p->validity);
    return now + (int64_t)p->validity * DAY;
}

int64_t profile_renewal_begin(const struct profile *p, int64_t not_before, int64_t not_after)
{
    return not_after - (not_after - not_before) * (int64_t)p->renewal_threshold / 100;
}
