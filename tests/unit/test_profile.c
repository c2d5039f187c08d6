#include <criterion/criterion.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/policy/profile.h"
#include "lib/policy/purposes.h"

#define COUNT(x) (sizeof (x) / sizeof (x)[0])
#define DAY 86400

static bool same(const char *x, const char *y)
{
    return x && y ? strcmp(x, y) == 0 : x == y;
}

Test(profile, words)
{
    static const char *const units[] = {"days", "months", "years"};
    for (uint32_t i = 0; i < COUNT(units); i++) {
        cr_expect_str_eq(validity_unit_name(i), units[i]);
        cr_expect_eq(validity_unit_from_name(units[i]), (int)i);
    }
    cr_expect_null(validity_unit_name(3));
    cr_expect_eq(validity_unit_from_name("weeks"), -1);
    static const struct { const char *name; bool known, strict; } cases[] = {
        {"windows", true, true}, {"ios", true, true}, {"macos", true, true}, {"android", true, true},
        {"linux", true, false}, {"other", true, false}, {"Windows", false, false}, {"", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_expect_eq(platform_known(cases[i].name), cases[i].known, "%s", cases[i].name);
        cr_expect_eq(platform_strict_default(cases[i].name), cases[i].strict, "%s", cases[i].name);
    }
}

Test(profile, not_after)
{
    static const struct { uint32_t n, unit; const char *now, *end, *why; } cases[] = {
        {1, VALIDITY_DAYS, "2026-02-28T12:00:00Z", "2026-03-01T12:00:00Z", "a day"},
        {730, VALIDITY_DAYS, "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z", "the most days"},
        {1, VALIDITY_MONTHS, "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z", "the 31st goes to the month's last day"},
        {24, VALIDITY_MONTHS, "2026-11-22T15:04:05Z", "2028-11-22T15:04:05Z", "the most months"},
        {1, VALIDITY_YEARS, "2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z", "a leap day"},
        {2, VALIDITY_YEARS, "2026-11-22T15:04:05Z", "2028-11-22T15:04:05Z", "the most years"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct profile p = {.validity = cases[i].n, .validity_unit = cases[i].unit};
        int64_t now = 0;
        char end[CLOCK_ISO_SIZE];
        cr_assert_eq(clock_from_iso(cases[i].now, &now), R_OK);
        clock_to_iso(profile_not_after(&p, now), end);
        cr_expect_str_eq(end, cases[i].end, "%s", cases[i].why);
    }
}

/* ---- settings ---- */

static const char *two[] = {EKU_CLIENT_AUTH, EKU_SERVER_AUTH}, *turned[] = {EKU_SERVER_AUTH, EKU_CLIENT_AUTH};
static const char *client[] = {EKU_CLIENT_AUTH}, *any[] = {EKU_ANY}, *doubled[] = {EKU_CLIENT_AUTH, EKU_CLIENT_AUTH};
static const char *broken[] = {"client"}, *code[] = {"1.3.6.1.5.5.7.3.3"}, *many[LIMIT_EKUS + 1], *absent[] = {NULL};
static struct san good_formats[] = {{SAN_DNS, "{{DeviceName}}.example.org"}, {SAN_URI, "{{OnPremisesSecurityIdentifier}}"}};
static struct san user_formats[] = {{SAN_UPN, "{{UserPrincipalName}}"}};

/* A good profile and its CA; each case changes them in one way. */
struct setting { struct profile p; struct certificate chain[2]; uint32_t count; };

static struct setting setting_made(void)
{
    struct certificate ca = {.ca = true, .has_ekus = true, .ekus = {two, 2}, .key = {.kind = KEY_RSA, .size = 3072}};
    return (struct setting){
        .p = {.name = "Wi-Fi", .platform = "windows", .subject_format = "CN={{DeviceName}}", .san_formats = {good_formats, 2},
              .validity = 12, .validity_unit = VALIDITY_MONTHS, .key_usage = KU_DIGITAL_SIGNATURE, .key_size_min = 2048,
              .ekus = {client, 1}, .renewal_threshold = 20, .challenge_seconds = 3600},
        .chain = {ca, ca}, .count = 2,
    };
}

#define X4(s) s s s s
#define X128(s) X4(X4(X4(s s)))

#define CHANGE(name, ...) \
    static void name(struct setting *s) \
    { \
        struct profile *p = &s->p; \
        (void)p; \
        __VA_ARGS__; \
    }
CHANGE(nothing, (void)0)
CHANGE(no_name, p->name = NULL)
CHANGE(empty_name, p->name = "")
CHANGE(blank_name, p->name = "  ")
CHANGE(control_name, p->name = "a\nb")
CHANGE(longest_name, p->name = X128("é"))
CHANGE(longer_name, p->name = X128("é") "x")
CHANGE(ekus_absent, p->ekus.items = absent)
CHANGE(no_platform, p->platform = NULL)
CHANGE(other_platform, p->platform = "amiga")
CHANGE(bad_subject, p->subject_format = "CN=a,")
CHANGE(unknown_variable, p->subject_format = "CN={{Nonsense}}")
CHANGE(user_variable, p->subject_format = "CN={{UserName}}")
CHANGE(user_variable_for_user, p->subject_format = "CN={{UserName}}"; p->for_user = true)
CHANGE(no_subject, p->subject_format = NULL)
CHANGE(blank_subject, p->subject_format = "  ")
CHANGE(no_names, p->subject_format = ""; p->san_formats.count = 0)
CHANGE(blank_names, p->subject_format = " "; p->san_formats.count = 0)
CHANGE(no_sans, p->san_formats.count = 0)
CHANGE(user_san, p->san_formats = (struct sans){user_formats, 1})
CHANGE(user_san_for_user, p->san_formats = (struct sans){user_formats, 1}; p->for_user = true)
CHANGE(unit_none, p->validity_unit = 3)
CHANGE(no_time, p->validity = 0)
CHANGE(months_25, p->validity = 25)
CHANGE(months_24, p->validity = 24)
CHANGE(years_2, p->validity = 2; p->validity_unit = VALIDITY_YEARS)
CHANGE(years_3, p->validity = 3; p->validity_unit = VALIDITY_YEARS)
CHANGE(days_1, p->validity = 1; p->validity_unit = VALIDITY_DAYS)
CHANGE(days_730, p->validity = 730; p->validity_unit = VALIDITY_DAYS)
CHANGE(days_731, p->validity = 731; p->validity_unit = VALIDITY_DAYS)
CHANGE(time_wraps, p->validity = UINT32_MAX)
CHANGE(usage_none, p->key_usage = 0)
CHANGE(usage_both, p->key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT)
CHANGE(usage_encipherment, p->key_usage = KU_KEY_ENCIPHERMENT)
CHANGE(usage_ca, p->key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN)
CHANGE(usage_other, p->key_usage = KU_KEY_AGREEMENT)
CHANGE(key_1024, p->key_size_min = 1024)
CHANGE(key_3072, p->key_size_min = 3072)
CHANGE(key_4096, p->key_size_min = 4096)
CHANGE(key_2049, p->key_size_min = 2049)
CHANGE(key_4096_under_ec, p->key_size_min = 4096; s->chain[0].key.kind = KEY_EC; s->chain[0].key.size = 256)
CHANGE(ekus_none, p->ekus.count = 0)
CHANGE(ekus_any, p->ekus.items = any)
CHANGE(ekus_any_of_ca, p->ekus.items = any; s->chain[0].has_ekus = s->chain[1].has_ekus = false)
CHANGE(ekus_doubled, p->ekus = (struct oids){doubled, 2})
CHANGE(ekus_broken, p->ekus.items = broken)
CHANGE(ekus_not_of_ca, p->ekus.items = code)
CHANGE(ekus_not_of_root, p->ekus.items = code; s->chain[0].has_ekus = false)
CHANGE(ekus_open_chain, p->ekus.items = code; s->chain[0].has_ekus = s->chain[1].has_ekus = false)
CHANGE(ekus_500, p->ekus = (struct oids){many, LIMIT_EKUS}; s->chain[0].has_ekus = s->chain[1].has_ekus = false)
CHANGE(ekus_501, p->ekus = (struct oids){many, LIMIT_EKUS + 1}; s->chain[0].has_ekus = s->chain[1].has_ekus = false)
CHANGE(threshold_0, p->renewal_threshold = 0)
CHANGE(threshold_1, p->renewal_threshold = 1)
CHANGE(threshold_99, p->renewal_threshold = 99)
CHANGE(threshold_100, p->renewal_threshold = 100)
CHANGE(challenge_59, p->challenge_seconds = 59)
CHANGE(challenge_60, p->challenge_seconds = 60)
CHANGE(challenge_90_days, p->challenge_seconds = 90 * DAY)
CHANGE(challenge_longer, p->challenge_seconds = 90 * DAY + 1)
CHANGE(algorithms_legacy, p->algorithms = ALGORITHMS_LEGACY)
CHANGE(algorithms_none, p->algorithms = ALGORITHMS_LEVELS)
CHANGE(variant_known, p->variant = "legacy-withissuer-lenient")
CHANGE(variant_unknown, p->variant = "cisco")
CHANGE(variant_twice, p->variant = "modern-apple")
CHANGE(renewal_and_manual, (p->renewal = true, p->manual = true))

static const struct { void (*change)(struct setting *); const char *field, *why; } settings[] = {
    {nothing, NULL, "a good profile"},
    {no_name, "name", "required (3.01)"}, {empty_name, "name", "required"}, {blank_name, "name", "blanks"},
    {control_name, "name", "a line feed"}, {longest_name, NULL, "128 characters"}, {longer_name, "name", "129"},
    {no_platform, "platform", "required (3.02)"}, {other_platform, "platform", "unknown"},
    {bad_subject, "subject", "syntax"}, {unknown_variable, "variable", "an unknown variable"},
    {user_variable, "variable", "a user variable in a device's profile (3.04)"},
    {user_variable_for_user, NULL, "in a user's it may stand"},
    {no_subject, NULL, "no subject, but SANs"}, {blank_subject, NULL, "the same in blanks"},
    {no_names, "subject", "neither subject nor SANs"}, {blank_names, "subject", "the same in blanks"},
    {no_sans, NULL, "a subject is enough"},
    {user_san, "variable", "a user's SAN in a device's profile"}, {user_san_for_user, NULL, "in a user's it may stand"},
    {unit_none, "validity", "no unit"}, {no_time, "validity", "no time"}, {months_24, NULL, "24 months (3.10)"},
    {months_25, "validity", "25 months"}, {years_2, NULL, "two years"}, {years_3, "validity", "three years"},
    {days_1, NULL, "a day"}, {days_730, NULL, "730 days"}, {days_731, "validity", "731 days may be more than 24 months"},
    {time_wraps, "validity", "a number that would wrap"},
    {usage_none, "key_usage", "none"}, {usage_both, NULL, "both (3.12)"}, {usage_encipherment, NULL, "the other one"},
    {usage_ca, "key_usage", "keyCertSign"}, {usage_other, "key_usage", "keyAgreement"},
    {key_1024, "key_size", "row 1.11"}, {key_2049, "key_size", "no choice"}, {key_3072, NULL, "as large as the CA's"},
    {key_4096, "key_size", "larger than the CA's (2.C12)"}, {key_4096_under_ec, NULL, "under EC all choices are open"},
    {ekus_none, "eku", "a leaf needs one"}, {ekus_any, "eku", "Any Purpose (3.16)"},
    {ekus_any_of_ca, "eku", "Any Purpose where the CA has no limits"}, {ekus_doubled, "eku", "doubled"},
    {ekus_broken, "eku", "no OID"}, {ekus_not_of_ca, "eku", "not the CA's (6.25)"},
    {ekus_not_of_root, "eku", "not the root's, and the CA has no EKU"}, {ekus_open_chain, NULL, "a chain without limits"},
    {ekus_absent, "eku", "no text"}, {ekus_500, NULL, "500"}, {ekus_501, "eku", "501"},
    {threshold_0, "renewal_threshold", "0 %"}, {threshold_1, NULL, "1 %"}, {threshold_99, NULL, "99 %"},
    {threshold_100, "renewal_threshold", "100 %"},
    {challenge_59, "challenge_seconds", "59 seconds"}, {challenge_60, NULL, "a minute"},
    {challenge_90_days, NULL, "90 days"}, {challenge_longer, "challenge_seconds", "90 days and a second"},
    {algorithms_legacy, NULL, "a level"}, {algorithms_none, "algorithms", "no level"},
    {variant_known, NULL, "words of three groups"}, {variant_unknown, "variant", "an unknown word"},
    {variant_twice, "variant", "a group twice"}, {renewal_and_manual, NULL, "a renewal waits for approval too"},
};

Test(profile, check)
{
    struct arena a;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = arena_printf(&a, "1.3.6.1.4.1.99999.2.%zu", i);
    for (size_t i = 0; i < COUNT(settings); i++) {
        struct setting s = setting_made();
        struct verdict v = {0};
        settings[i].change(&s);
        cr_expect_eq(profile_check(&s.p, s.chain, s.count, &a, &v), settings[i].field ? R_BAD_INPUT : R_OK, "%s: %s",
                     settings[i].why, v.field);
        cr_expect(same(v.field, settings[i].field), "%s: field %s", settings[i].why, v.field);
        cr_expect(!v.field || v.wanted, "%s", settings[i].why);
    }
    struct setting s = setting_made();
    cr_expect_eq(profile_check(&s.p, s.chain, 0, &a, NULL), R_INTERNAL, "no CA to ask");
    arena_free(&a);
}

Test(profile, renewal_begin)
{
    static const struct { uint32_t threshold; int64_t not_before, not_after, begin; const char *why; } cases[] = {
        {20, 0, 1000, 800, "a fifth of its life is left"}, {1, 0, 1000, 990, "the last hundredth"}, {99, 0, 1000, 10, "nearly all of it"},
        {50, 1000000000, 1000000000 + 365 * DAY, 1000000000 + 365 * DAY / 2, "half a year"},
        {33, 0, 10, 7, "rounded to the end: never early"},
        {99, 0, INT64_C(253402300799), INT64_C(253402300799) - INT64_C(253402300799) * 99 / 100, "no number is too large"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct profile p = {.renewal_threshold = cases[i].threshold};
        cr_expect_eq(profile_renewal_begin(&p, cases[i].not_before, cases[i].not_after), cases[i].begin, "%s", cases[i].why);
    }
}

/* ---- comparison ---- */

#define NAME(...) {(struct name_attribute[]){__VA_ARGS__}, \
                   sizeof((struct name_attribute[]){__VA_ARGS__}) / sizeof(struct name_attribute)}
#define SANS(...) {(struct san[]){__VA_ARGS__}, sizeof((struct san[]){__VA_ARGS__}) / sizeof(struct san)}
#define EMPTY {NULL, 0}

static void match_expect(const struct profile *p, const struct name *n, const struct sans *s, const struct claims *c,
                         const struct public_key *k, uint32_t ca_bits, enum result expected, const char *field, const char *why)
{
    struct arena a;
    struct verdict v = {0};
    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = profile_match(p, n, s, c, k, ca_bits, &a, &v);
    cr_expect_eq(r, expected, "%s: %s", why, result_name(r));
    cr_expect(same(v.field, field), "%s: field %s", why, v.field);
    cr_expect(!field || (v.result == expected && v.found && v.wanted), "%s: both values", why);
    arena_free(&a);
}

static const struct public_key good_key = {.kind = KEY_RSA, .size = 2048, .exponent_ok = true};

/* A profile without SANs, with digitalSignature and client authentication. */
static struct profile plain_profile(bool strict)
{
    return (struct profile){.strict = strict, .key_usage = KU_DIGITAL_SIGNATURE, .key_size_min = 2048, .ekus = {client, 1}};
}

static struct claims plain_claims(void)
{
    return (struct claims){.has_key_usage = true, .key_usage = KU_DIGITAL_SIGNATURE, .has_ekus = true, .ekus = {client, 1}};
}

Test(profile, match_subject)
{
    const struct { struct name expected, claimed; enum result r; const char *why; } cases[] = {
        {NAME({OID_CN, "a", 0}), NAME({OID_CN, "a", 0}), R_OK, "equal"},
        {NAME({OID_CN, "a", 0}, {OID_O, "b", 1}), NAME({OID_O, "b", 0}, {OID_CN, "a", 1}), R_OK, "the order of RDNs"},
        {NAME({OID_CN, "a", 0}, {OID_O, "b", 0}), NAME({OID_O, "b", 0}, {OID_CN, "a", 1}), R_OK, "one RDN or two"},
        {NAME({OID_CN, "Doe, Anna", 0}), NAME({OID_CN, "Doe, Anna", 0}), R_OK, "a comma (6.26)"},
        {NAME({OID_CN, "Doe\\, Anna", 0}), NAME({OID_CN, "Doe, Anna", 0}), R_SUBJECT_MISMATCH, "a backslash is a character"},
        {NAME({OID_CN, "Anna B", 0}), NAME({OID_CN, " anna   b ", 0}), R_OK, "case and blanks (RFC 5280 7.1)"},
        {NAME({OID_CN, "É", 0}), NAME({OID_CN, "é", 0}), R_SUBJECT_MISMATCH, "case beyond ASCII counts"},
        {NAME({OID_CN, "a", 0}), NAME({OID_CN, "b", 0}), R_SUBJECT_MISMATCH, "another value"},
        {NAME({OID_CN, "a", 0}), NAME({OID_O, "a", 0}), R_SUBJECT_MISMATCH, "another type"},
        {NAME({OID_CN, "a", 0}), NAME({OID_CN, "a", 0}, {OID_OU, "x", 1}), R_SUBJECT_MISMATCH, "one more"},
        {NAME({OID_CN, "a", 0}, {OID_OU, "x", 1}), NAME({OID_CN, "a", 0}), R_SUBJECT_MISMATCH, "one less"},
        {NAME({OID_OU, "x", 0}, {OID_OU, "x", 1}, {OID_OU, "y", 2}), NAME({OID_OU, "x", 0}, {OID_OU, "y", 1}, {OID_OU, "y", 2}),
         R_SUBJECT_MISMATCH, "as multisets: each as often"},
        {NAME({OID_OU, "x", 0}, {OID_OU, "y", 1}, {OID_OU, "x", 2}), NAME({OID_OU, "y", 0}, {OID_OU, "X", 1}, {OID_OU, "x", 2}),
         R_OK, "as multisets: in any order"},
        {NAME({OID_CN, "CN=x,OU=evil", 0}), NAME({OID_CN, "x", 0}, {OID_OU, "evil", 1}), R_SUBJECT_MISMATCH,
         "one value is not two"},
        {NAME({OID_CN, "a", 0}), EMPTY, R_SUBJECT_MISSING, "none"},
        {EMPTY, EMPTY, R_OK, "none wanted, none there"},
        {EMPTY, NAME({OID_CN, "a", 0}), R_SUBJECT_MISMATCH, "none wanted, one there"},
    };
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        size_t n = i / 2;
        struct profile p = plain_profile(i % 2);
        struct claims c = plain_claims();
        c.subject = cases[n].claimed;
        match_expect(&p, &cases[n].expected, &(struct sans)EMPTY, &c, &good_key, 2048, cases[n].r,
                     cases[n].r == R_OK ? NULL : "subject", cases[n].why);
    }
}

#define NOT_STRICT 1
#define STRICT 2
#define BOTH 3

Test(profile, match_sans)
{
    const struct {
        int when; struct sans expected; bool has; struct sans claimed; enum result r; const char *why;
    } cases[] = {
        {BOTH, EMPTY, false, EMPTY, R_OK, "none wanted, none there"},
        {BOTH, EMPTY, true, SANS({SAN_DNS, "a"}), R_SAN_MISMATCH, "none wanted, one there"},
        {BOTH, SANS({SAN_DNS, "a"}), true, SANS({SAN_DNS, "a"}), R_OK, "equal"},
        {NOT_STRICT, SANS({SAN_DNS, "a"}), false, EMPTY, R_OK, "a client that cannot ask for them"},
        {STRICT, SANS({SAN_DNS, "a"}), false, EMPTY, R_SAN_MISSING, "one that can must"},
        {STRICT, SANS({SAN_DNS, "a"}), true, EMPTY, R_SAN_MISSING, "an empty extension is none"},
        {BOTH, SANS({SAN_DNS, "a"}, {SAN_UPN, "u@x"}), true, SANS({SAN_UPN, "u@x"}, {SAN_DNS, "a"}), R_OK, "in any order"},
        {BOTH, SANS({SAN_DNS, "a"}), true, SANS({SAN_DNS, "a"}, {SAN_DNS, "A"}), R_OK, "as a set: doubles do not count"},
        {BOTH, SANS({SAN_DNS, "a"}, {SAN_DNS, "b"}), true, SANS({SAN_DNS, "a"}), R_SAN_MISMATCH, "one less"},
        {BOTH, SANS({SAN_DNS, "a"}), true, SANS({SAN_DNS, "a"}, {SAN_DNS, "b"}), R_SAN_MISMATCH, "one more"},
        {BOTH, SANS({SAN_DNS, "a"}), true, SANS({SAN_DNS, "b"}), R_SAN_MISMATCH, "another"},
        {BOTH, SANS({SAN_UPN, "u@x"}), true, SANS({SAN_EMAIL, "u@x"}), R_SAN_MISMATCH, "another type"},
        {BOTH, SANS({SAN_DNS, "PC-7.Example.org"}), true, SANS({SAN_DNS, "pc-7.example.ORG"}), R_OK, "hosts without case"},
        {BOTH, SANS({SAN_EMAIL, "Anna@Example.org"}), true, SANS({SAN_EMAIL, "Anna@example.ORG"}), R_OK, "an e-mail's host too"},
        {BOTH, SANS({SAN_EMAIL, "Anna@x"}), true, SANS({SAN_EMAIL, "anna@x"}), R_SAN_MISMATCH, "but not what is before the @"},
        {BOTH, SANS({SAN_EMAIL, "a@x"}), true, SANS({SAN_EMAIL, "ab@x"}), R_SAN_MISMATCH, "a longer name before the @"},
        {BOTH, SANS({SAN_EMAIL, "a@x"}), true, SANS({SAN_EMAIL, "a"}), R_SAN_MISMATCH, "no @"},
        {BOTH, SANS({SAN_UPN, "u@x"}), true, SANS({SAN_UPN, "U@x"}), R_SAN_MISMATCH, "a UPN as it is"},
        {BOTH, SANS({SAN_URI, "a:b"}), true, SANS({SAN_URI, "A:b"}), R_SAN_MISMATCH, "a URI as it is"},
        {BOTH, SANS({SAN_DNS, "a"}), true, SANS({SAN_DNS, "a "}), R_SAN_MISMATCH, "a blank counts"},
        {BOTH, SANS({SAN_DNS, "a"}), true, SANS({SAN_DNS, "a"}, {SAN_IP, "7f000001"}), R_SAN_MISMATCH, "an address beside"},
        {BOTH, SANS({SAN_DNS, "a"}), true, SANS({SAN_DNS, "a"}, {SAN_OTHER, "0500"}), R_SAN_MISMATCH, "an unknown name beside"},
        {BOTH, EMPTY, true, EMPTY, R_OK, "an empty extension where none is wanted"},
    };
    const struct name subject = NAME({OID_CN, "a", 0});
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        size_t n = i / 2;
        if (!(cases[n].when & (i % 2 ? STRICT : NOT_STRICT)))
            continue;
        struct profile p = plain_profile(i % 2);
        struct claims c = plain_claims();
        c.subject = subject;
        c.has_sans = cases[n].has;
        c.sans = cases[n].claimed;
        match_expect(&p, &subject, &cases[n].expected, &c, &good_key, 2048, cases[n].r, cases[n].r == R_OK ? NULL : "san",
                     cases[n].why);
    }
}

Test(profile, match_usages)
{
    static const struct {
        int when; bool has_usage; uint32_t usage; bool has_ekus; struct oids ekus; enum result r; const char *field, *why;
    } cases[] = {
        {BOTH, true, KU_DIGITAL_SIGNATURE, true, {two, 2}, R_OK, NULL, "equal"},
        {BOTH, true, KU_DIGITAL_SIGNATURE, true, {turned, 2}, R_OK, NULL, "EKUs in any order"},
        {NOT_STRICT, false, 0, false, EMPTY, R_OK, NULL, "nothing asked for"},
        {STRICT, false, 0, true, {two, 2}, R_KEY_USAGE_MISMATCH, "key_usage", "no key usage"},
        {NOT_STRICT, false, KU_KEY_CERT_SIGN, true, {two, 2}, R_OK, NULL, "bits without the extension are none"},
        {BOTH, true, 0, true, {two, 2}, R_KEY_USAGE_MISMATCH, "key_usage", "an empty key usage"},
        {BOTH, true, KU_KEY_ENCIPHERMENT, true, {two, 2}, R_KEY_USAGE_MISMATCH, "key_usage", "another"},
        {BOTH, true, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT, true, {two, 2}, R_KEY_USAGE_MISMATCH, "key_usage", "one more"},
        {BOTH, true, KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN, true, {two, 2}, R_KEY_USAGE_MISMATCH, "key_usage", "a CA's"},
        {STRICT, true, KU_DIGITAL_SIGNATURE, false, EMPTY, R_EKU_MISSING, "eku", "no EKU"},
        {STRICT, true, KU_DIGITAL_SIGNATURE, true, EMPTY, R_EKU_MISSING, "eku", "an empty EKU"},
        {NOT_STRICT, true, KU_DIGITAL_SIGNATURE, false, EMPTY, R_OK, NULL, "a client that cannot ask for EKUs"},
        {BOTH, true, KU_DIGITAL_SIGNATURE, true, {client, 1}, R_EKU_MISMATCH, "eku", "one less"},
        {BOTH, true, KU_DIGITAL_SIGNATURE, true, {doubled, 2}, R_EKU_MISMATCH, "eku", "one doubled instead of the other"},
        {BOTH, true, KU_DIGITAL_SIGNATURE, true, {any, 1}, R_EKU_MISMATCH, "eku", "Any Purpose is one of its own"},
    };
    const struct name subject = NAME({OID_CN, "a", 0});
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        size_t n = i / 2;
        if (!(cases[n].when & (i % 2 ? STRICT : NOT_STRICT)))
            continue;
        struct profile p = plain_profile(i % 2);
        p.ekus = (struct oids){two, 2};
        struct claims c = {.subject = subject, .has_key_usage = cases[n].has_usage, .key_usage = cases[n].usage,
                           .has_ekus = cases[n].has_ekus, .ekus = cases[n].ekus};
        match_expect(&p, &subject, &(struct sans)EMPTY, &c, &good_key, 2048, cases[n].r, cases[n].field, cases[n].why);
    }
}

Test(profile, match_key)
{
    static const struct { uint32_t kind, size, least, ca_bits; bool exponent; enum result r; const char *why; } cases[] = {
        {KEY_RSA, 2048, 2048, 2048, true, R_OK, "the one size"},
        {KEY_RSA, 2047, 2048, 4096, true, R_KEY_LENGTH_MISMATCH, "a bit short"},
        {KEY_RSA, 1024, 1024, 4096, true, R_KEY_LENGTH_MISMATCH, "short, even where a profile would take it"},
        {KEY_RSA, 2048, 3072, 4096, true, R_KEY_LENGTH_MISMATCH, "less than the profile's"},
        {KEY_RSA, 3072, 3072, 4096, true, R_OK, "the profile's least"},
        {KEY_RSA, 4096, 2048, 4096, true, R_OK, "the CA's size"},
        {KEY_RSA, 4096, 2048, 3072, true, R_KEY_LENGTH_MISMATCH, "more than the CA's"},
        {KEY_RSA, 3073, 2048, 3072, true, R_KEY_LENGTH_MISMATCH, "a bit more than the CA's"},
        {KEY_RSA, 4096, 2048, 0, true, R_OK, "under EC up to 4096"},
        {KEY_RSA, 4097, 2048, 0, true, R_KEY_LENGTH_MISMATCH, "under EC no more"},
        {KEY_RSA, 8192, 2048, 8192, true, R_KEY_LENGTH_MISMATCH, "above the limit of all keys"},
        {KEY_RSA, 2048, 2048, 2048, false, R_KEY_LENGTH_MISMATCH, "a weak exponent"},
        {KEY_EC, 256, 2048, 0, false, R_KEY_LENGTH_MISMATCH, "EC"},
        {KEY_EC, 2048, 2048, 2048, true, R_KEY_LENGTH_MISMATCH, "EC, whatever its numbers say"},
        {KEY_OTHER, 0, 2048, 2048, false, R_KEY_LENGTH_MISMATCH, "another algorithm"},
        {7, 2048, 2048, 2048, true, R_KEY_LENGTH_MISMATCH, "a number that is no kind"},
    };
    const struct name subject = NAME({OID_CN, "a", 0});
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        size_t n = i / 2;
        struct profile p = plain_profile(i % 2);
        struct claims c = plain_claims();
        struct public_key k = {.kind = cases[n].kind, .size = cases[n].size, .exponent_ok = cases[n].exponent};
        p.key_size_min = cases[n].least;
        c.subject = subject;
        match_expect(&p, &subject, &(struct sans)EMPTY, &c, &k, cases[n].ca_bits, cases[n].r,
                     cases[n].r == R_OK ? NULL : "key", cases[n].why);
    }
}

/* Everything is wrong; mended one by one, the next comes up. */
Test(profile, match_order)
{
    static const enum result order[] = {
        R_SUBJECT_MISMATCH, R_SAN_MISMATCH, R_KEY_USAGE_MISMATCH, R_KEY_LENGTH_MISMATCH, R_EKU_MISMATCH, R_OK,
    };
    static const char *const fields[] = {"subject", "san", "key_usage", "key", "eku", NULL};
    const struct name subject = NAME({OID_CN, "a", 0}), other = NAME({OID_CN, "b", 0});
    const struct sans sans = SANS({SAN_DNS, "a"}), others = SANS({SAN_DNS, "b"});
    for (size_t mended = 0; mended < COUNT(order); mended++) {
        struct profile p = plain_profile(true);
        struct claims c = {.subject = mended > 0 ? subject : other, .has_sans = true, .sans = mended > 1 ? sans : others,
                           .has_key_usage = true, .key_usage = mended > 2 ? KU_DIGITAL_SIGNATURE : KU_KEY_ENCIPHERMENT,
                           .has_ekus = true, .ekus = {mended > 4 ? client : any, 1}};
        struct public_key k = {.kind = KEY_RSA, .size = mended > 3 ? 2048 : 1024, .exponent_ok = true};
        match_expect(&p, &subject, &sans, &c, &k, 2048, order[mended], fields[mended], result_name(order[mended]));
    }
}

Test(profile, match_says_both_values)
{
    const struct name subject = NAME({OID_CN, "a", 0}), other = NAME({OID_CN, "b", 0}, {OID_O, "c", 1});
    struct san crowd[200];
    struct profile p = plain_profile(true);
    struct claims c = plain_claims();
    struct arena a;
    struct verdict v = {0};
    arena_init(&a, LIMIT_ARENA_REQUEST);
    c.subject = other;
    cr_expect_eq(profile_match(&p, &subject, &(struct sans)EMPTY, &c, &good_key, 2048, &a, &v), R_SUBJECT_MISMATCH);
    cr_expect_str_eq(v.found, "CN=b,O=c");
    cr_expect_str_eq(v.wanted, "CN=a");
    c.subject = subject;
    struct public_key weak = {.kind = KEY_RSA, .size = 3072};
    cr_expect_eq(profile_match(&p, &subject, &(struct sans)EMPTY, &c, &weak, 2048, &a, &v), R_KEY_LENGTH_MISMATCH);
    cr_expect_str_eq(v.found, "RSA, 3072 bits, public exponent not allowed");
    cr_expect_str_eq(v.wanted, "RSA, 2048 to 2048 bits, exponent odd and at least 65537");
    weak = (struct public_key){.kind = KEY_EC, .size = 256};
    cr_expect_eq(profile_match(&p, &subject, &(struct sans)EMPTY, &c, &weak, 0, &a, &v), R_KEY_LENGTH_MISMATCH);
    cr_expect_str_eq(v.found, "EC, 256 bits");
    for (size_t i = 0; i < COUNT(crowd); i++)
        crowd[i] = (struct san){SAN_DNS, "host-with-é.example.org"};
    c.has_sans = true;
    c.sans = (struct sans){crowd, COUNT(crowd)};
    cr_expect_eq(profile_match(&p, &subject, &(struct sans)EMPTY, &c, &good_key, 2048, &a, &v), R_SAN_MISMATCH);
    cr_expect(strlen(v.found) > LIMIT_DETAIL - 4 && strlen(v.found) <= LIMIT_DETAIL, "cut, not lost");
    cr_expect_str_eq(v.wanted, "none");
    cr_expect_eq(profile_match(&p, &subject, &(struct sans)EMPTY, &c, &good_key, 2048, &a, NULL), R_SAN_MISMATCH,
                 "no verdict asked");
    arena_free(&a);
}
