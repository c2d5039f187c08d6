#include <criterion/criterion.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/policy/subject.h"

#define COUNT(x) (sizeof (x) / sizeof (x)[0])
#define SID "S-1-5-21-1004336348-1177238915-682003330-512"

static char value_1024[LIMIT_NAME_VALUE + 1], value_1025[LIMIT_NAME_VALUE + 2];

static const struct attribute items[] = {
    {"device.name", "PC-7"}, {"device.serial_number", "SN 42"}, {"device.imei", "490154203237518"}, {"device.meid", ""},
    {"device.security_identifier", SID}, {"device.dns", "pc-7.example.org"}, {"device.space", "Anna's PC"},
    {"device.under", "pc_7"}, {"device.star", "*.example.org"}, {"device.at", "a@b"}, {"device.dash", "pc-"},
    {"user.user_name", "anna"}, {"user.upn", "anna@example.org"}, {"user.email", "Anna.B@example.org"},
    {"user.security_identifier", "S-1-5-21-7"}, {"user.umlaut", "Zürich"}, {"user.emoji", "Anna 🦊"},
    {"user.evil", "CN=x,OU=evil"}, {"user.nested", "{{SerialNumber}}"}, {"user.backslash", "a\\b\\2C\\"},
    {"user.newline", "a\nOU=evil"}, {"user.broken", "a\xff"}, {"user.max", value_1024}, {"user.over", value_1025},
};
static const struct attributes values = {items, COUNT(items)};

static void setup(void)
{
    memset(value_1024, 'v', LIMIT_NAME_VALUE);
    memset(value_1025, 'v', LIMIT_NAME_VALUE + 1);
}

static bool same(const char *x, const char *y)
{
    return x && y ? strcmp(x, y) == 0 : x == y;
}

#define A61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63 A61 "aa"

/* expected NULL: refused, with field and found; at_check: already when the profile is saved. */
static const struct {
    uint32_t type;
    const char *format;
    bool for_user;
    const char *expected;
    bool at_check;
    const char *field, *found, *why;
} san_cases[] = {
    {SAN_UPN, "{{UserPrincipalName}}", true, "anna@example.org", false, NULL, NULL, "a UPN"},
    {SAN_UPN, "{{UserName}}-home@example.org", true, "anna-home@example.org", false, NULL, NULL, "with static text"},
    {SAN_UPN, "müller@example.org", true, "müller@example.org", false, NULL, NULL, "a UPN is UTF-8"},
    {SAN_UPN, "{{UserName}}", true, NULL, false, "san", "anna", "no @"},
    {SAN_UPN, "anna", true, NULL, true, "san", "anna", "no @, known before"},
    {SAN_UPN, "@example.org", true, NULL, true, "san", "@example.org", "nobody"},
    {SAN_UPN, "anna@", true, NULL, true, "san", "anna@", "nowhere"},
    {SAN_UPN, "a@b@c", true, NULL, true, "san", "a@b@c", "two @"},
    {SAN_UPN, "an na@b", true, NULL, true, "san", "an na@b", "a blank"},
    {SAN_EMAIL, "{{EmailAddress}}", true, "Anna.B@example.org", false, NULL, NULL, "an address"},
    {SAN_EMAIL, "{{UserName}}+x@example.org", true, "anna+x@example.org", false, NULL, NULL, "a plus is allowed"},
    {SAN_EMAIL, "{{UserName}}", true, NULL, false, "san", "anna", "no @"},
    {SAN_EMAIL, "{{user.umlaut}}@example.org", true, NULL, false, "san", "Zürich@example.org", "not ASCII"},
    {SAN_EMAIL, ".a@example.org", true, NULL, true, "san", ".a@example.org", "a dot at the beginning"},
    {SAN_EMAIL, "a.@example.org", true, NULL, true, "san", "a.@example.org", "a dot at the local part's end"},
    {SAN_EMAIL, "@example.org", true, NULL, true, "san", "@example.org", "nobody"},
    {SAN_EMAIL, "a@exa mple.org", true, NULL, true, "san", "a@exa mple.org", "a blank in the host"},
    {SAN_EMAIL, "a@b@c", true, NULL, true, "san", "a@b@c", "two @"},
    {SAN_EMAIL, "a@", true, NULL, true, "san", "a@", "no host"},
    {SAN_EMAIL, "Anna <a@b.c>", true, NULL, true, "san", "Anna <a@b.c>", "a name with an address"},
    {SAN_EMAIL, "{{EmailAddress}}", false, NULL, true, "variable", "EmailAddress", "the user's, in a device's certificate"},
    {SAN_DNS, "{{device.dns}}", false, "pc-7.example.org", false, NULL, NULL, "a host name"},
    {SAN_DNS, "{{DeviceName}}.example.org", false, "PC-7.example.org", false, NULL, NULL, "with static text behind"},
    {SAN_DNS, "{{DeviceName}}", true, "PC-7", false, NULL, NULL, "one label; a device's variable for a user"},
    {SAN_DNS, "7.8.9", false, "7.8.9", false, NULL, NULL, "digits"},
    {SAN_DNS, "*.example.org", false, NULL, true, "san", "*.example.org", "a wildcard"},
    {SAN_DNS, "{{device.star}}", false, NULL, false, "san", "*.example.org", "a wildcard from an attribute"},
    {SAN_DNS, "{{device.at}}", false, NULL, false, "san", "a@b", "an @ (3.09)"},
    {SAN_DNS, "{{device.dash}}", false, NULL, false, "san", "pc-", "a symbol at the end (3.09)"},
    {SAN_DNS, "{{device.dns}}.", false, NULL, false, "san", "pc-7.example.org.", "a dot at the end"},
    {SAN_DNS, "-a.b", false, NULL, true, "san", "-a.b", "a hyphen at the beginning"},
    {SAN_DNS, "a..b", false, NULL, true, "san", "a..b", "an empty label"},
    {SAN_DNS, "{{device.under}}", false, NULL, false, "san", "pc_7", "an underscore"},
    {SAN_DNS, "{{device.space}}", false, NULL, false, "san", "Anna's PC", "a device's name that is no host name"},
    {SAN_DNS, "{{user.emoji}}", true, NULL, false, "san", "Anna 🦊", "emoji"},
    {SAN_DNS, "{{user.umlaut}}", true, NULL, false, "san", "Zürich", "not ASCII"},
    {SAN_DNS, A63, false, A63, false, NULL, NULL, "a label of 63"},
    {SAN_DNS, A63 "." A63 "." A63 "." A61, false, A63 "." A63 "." A63 "." A61, false, NULL, NULL, "a name of 253"},
    {SAN_DNS, A63 "." A63 "." A63 "." A61 "a", false, NULL, true, "san", A63 "." A63 "." A63 "." A61 "a", "a name of 254"},
    {SAN_DNS, A63 "a.b", false, NULL, true, "san", A63 "a.b", "a label of 64"},
    {SAN_DNS, "{{user.max}}", true, NULL, false, "san", value_1024, "far longer than a host name"},
    {SAN_URI, "{{OnPremisesSecurityIdentifier}}", false, "tag:microsoft.com,2022-09-14:sid:" SID, false, NULL, NULL,
     "row 3.51, a device's"},
    {SAN_URI, "{{OnPremisesSecurityIdentifier}}", true, "tag:microsoft.com,2022-09-14:sid:S-1-5-21-7", false, NULL, NULL,
     "a user's certificate has the user's"},
    {SAN_URI, "x{{OnPremisesSecurityIdentifier}}", true, NULL, true, "san", "x{{OnPremisesSecurityIdentifier}}", "not alone"},
    {SAN_URI, "{{OnPremisesSecurityIdentifier}}0", true, NULL, true, "san", "{{OnPremisesSecurityIdentifier}}0",
     "a digit behind would make it another account's"},
    {SAN_URI, "{{OnPremisesSecurityIdentifier}}{{UserName}}", true, NULL, true, "san",
     "{{OnPremisesSecurityIdentifier}}{{UserName}}", "two variables"},
    {SAN_UPN, "{{OnPremisesSecurityIdentifier}}@a", true, NULL, true, "variable", "OnPremisesSecurityIdentifier", "URIs only"},
    {SAN_DNS, "{{OnPremisesSecurityIdentifier}}", false, NULL, true, "variable", "OnPremisesSecurityIdentifier", "URIs only"},
    {SAN_URI, "https://example.org/{{IMEINumber}}", false, "https://example.org/490154203237518", false, NULL, NULL, "a URI"},
    {SAN_URI, "urn:x:{{DeviceName}}?a=%20", false, "urn:x:PC-7?a=%20", false, NULL, NULL, "of any scheme"},
    {SAN_URI, "{{DeviceName}}", false, NULL, false, "san", "PC-7", "no scheme"},
    {SAN_URI, "//example.org", false, NULL, true, "san", "//example.org", "no scheme, known before"},
    {SAN_URI, "7a:b", false, NULL, true, "san", "7a:b", "a scheme begins with a letter"},
    {SAN_URI, "a:", false, NULL, true, "san", "a:", "nothing behind the scheme"},
    {SAN_URI, "a:{{SerialNumber}}", false, NULL, false, "san", "a:SN 42", "a blank from a value"},
    {SAN_URI, "a:{{user.umlaut}}", true, NULL, false, "san", "a:Zürich", "not ASCII"},
    {SAN_URI, "a:{{user.backslash}}", true, NULL, false, "san", "a:a\\b\\2C\\", "backslashes"},
    {SAN_URI, "a:{{user.evil}}", true, "a:CN=x,OU=evil", false, NULL, NULL, "DN syntax is just text"},
    {SAN_URI, "a:{{user.nested}}", true, NULL, false, "san", "a:{{SerialNumber}}", "not replaced again, and no URI has braces"},
    {SAN_UPN, "{{user.nested}}@b", true, "{{SerialNumber}}@b", false, NULL, NULL, "not replaced again"},
    {SAN_URI, "a:;{{DeviceName}}", false, "a:;PC-7", false, NULL, NULL, "a semicolon before a device variable (3.08)"},
    {SAN_URI, "a:{{DeviceName}};b", false, NULL, true, "san", "a:{{DeviceName}};b", "and behind"},
    {SAN_UPN, "{{DeviceName}}|@b", false, NULL, true, "san", "{{DeviceName}}|@b", "a bar behind"},
    {SAN_UPN, "{{UserName}}|x@b", true, "anna|x@b", false, NULL, NULL, "behind a user variable it may stand"},
    {SAN_UPN, "{{UserName}}{{device.imei}};@b", true, NULL, true, "san", "{{UserName}}{{device.imei}};@b",
     "a free device attribute"},
    {SAN_URI, "a:{{DeviceName}}{b}", false, NULL, true, "san", "{b}", "braces behind"},
    {SAN_DNS, "{{DeviceName", false, NULL, true, "san", "{{DeviceName", "unbalanced"},
    {SAN_DNS, "{{DeviceNam}}", false, NULL, true, "variable", "DeviceNam", "unknown, named"},
    {SAN_EMAIL, "{{MEID}}@b", false, NULL, false, "variable", "MEID", "missing, named"},
    {SAN_UPN, "{{user.newline}}@b", true, NULL, false, "san", "a\nOU=evil@b", "a line feed"},
    {SAN_UPN, "a\n@b", true, NULL, true, "san", "a\n@b", "a line feed in the format"},
    {SAN_UPN, "{{user.broken}}@b", true, NULL, false, "san", "a\xff@b", "not UTF-8"},
    {SAN_UPN, "{{user.over}}@b", true, NULL, false, "san", "", "too long"},
    {SAN_DNS, "", false, NULL, true, "san", "", "empty"},
    {SAN_DNS, NULL, false, NULL, true, "san", "", "none"},
    {SAN_IP, "127.0.0.1", false, NULL, true, "san", "IP address", "no profile asks for it"},
    {SAN_DIRECTORY, "a", false, NULL, true, "san", NULL, "nor for that"},
    {SAN_OTHER, "a", false, NULL, true, "san", NULL, "nor for that"},
    {SAN_TYPES, "a", false, NULL, true, "san", NULL, "a type that is none"},
};

Test(san_format, expands, .init = setup)
{
    for (size_t i = 0; i < COUNT(san_cases); i++) {
        struct arena a;
        struct san format = {san_cases[i].type, san_cases[i].format};
        struct sans formats = {&format, 1}, out = {.count = 77};
        struct verdict v = {0};
        const char *why = san_cases[i].why;
        arena_init(&a, LIMIT_ARENA_REQUEST);
        cr_expect_eq(sans_check_format(&formats, san_cases[i].for_user, &a, &v), san_cases[i].at_check ? R_BAD_INPUT : R_OK,
                     "%s: check", why);
        v = (struct verdict){0};
        enum result r = sans_expand(&formats, san_cases[i].for_user, &values, &a, &out, &v);
        cr_expect_eq(r, san_cases[i].expected ? R_OK : R_BAD_INPUT, "%s: %s", why, v.found);
        if (san_cases[i].expected) {
            cr_assert_eq(out.count, 1u, "%s", why);
            cr_expect_str_eq(out.items[0].value, san_cases[i].expected, "%s", why);
            cr_expect_eq(out.items[0].type, san_cases[i].type, "%s", why);
        } else {
            cr_expect_eq(out.count, 77u, "%s: untouched", why);
            cr_expect(same(v.field, san_cases[i].field), "%s: field %s", why, v.field);
            if (san_cases[i].found)
                cr_expect(same(v.found, san_cases[i].found), "%s: found %s", why, v.found);
        }
        arena_free(&a);
    }
}

Test(san_format, security_identifier_must_be_one)
{
    static const struct { const char *sid; enum result r; const char *why; } cases[] = {
        {SID, R_OK, "one"},
        {"S-1-5-18", R_OK, "a short one"},
        {"S-1-5-21-7;x", R_BAD_INPUT, "text behind"},
        {"S-1-5-21-", R_BAD_INPUT, "cut off"},
        {"S-1-", R_BAD_INPUT, "nothing behind the revision"},
        {"s-1-5-18", R_BAD_INPUT, "a small letter"},
        {"S-2-5-18", R_BAD_INPUT, "another revision"},
        {"S-1-5--18", R_BAD_INPUT, "an empty part"},
        {" S-1-5-18", R_BAD_INPUT, "a blank"},
        {"anna", R_BAD_INPUT, "a name"},
        {"", R_BAD_INPUT, "missing"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena a;
        struct attribute one = {"device.security_identifier", cases[i].sid};
        struct attributes only = {&one, 1};
        struct san format = {SAN_URI, "{{onpremisessecurityidentifier}}"};
        struct sans formats = {&format, 1}, out;
        struct verdict v = {0};
        arena_init(&a, LIMIT_ARENA_REQUEST);
        cr_expect_eq(sans_expand(&formats, false, &only, &a, &out, &v), cases[i].r, "%s", cases[i].why);
        if (cases[i].r != R_OK)
            cr_expect_str_eq(v.field, "variable", "%s", cases[i].why);
        arena_free(&a);
    }
}

Test(san_format, lists, .init = setup)
{
    struct arena a;
    struct san many[LIMIT_SANS + 1];
    struct sans out;
    struct verdict v = {0};
    arena_init(&a, LIMIT_ARENA_REQUEST);
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (struct san){SAN_DNS, arena_printf(&a, "h%zu.example.org", i)};
    cr_expect_eq(sans_expand(&(struct sans){many, LIMIT_SANS}, false, &values, &a, &out, &v), R_OK, "500 names");
    cr_expect_eq(out.count, (unsigned)LIMIT_SANS);
    cr_expect_eq(sans_expand(&(struct sans){many, LIMIT_SANS + 1}, false, &values, &a, &out, &v), R_BAD_INPUT, "501");
    cr_expect_eq(sans_expand(&(struct sans){NULL, 0}, false, &values, &a, &out, &v), R_OK, "none");
    cr_expect_eq(out.count, 0u);
    struct san doubled[] = {{SAN_UPN, "{{UserPrincipalName}}"}, {SAN_EMAIL, "anna@example.org"}, {SAN_UPN, "anna@example.org"}};
    cr_expect_eq(sans_expand(&(struct sans){doubled, 3}, true, &values, &a, &out, &v), R_OK);
    cr_assert(out.count == 2 && out.items[0].type == SAN_UPN && out.items[1].type == SAN_EMAIL,
              "the same name twice is one, of another type it is another");
    struct san second_bad[] = {{SAN_DNS, "a.b"}, {SAN_DNS, "{{SurName}}"}};
    out.count = 77;
    cr_expect_eq(sans_expand(&(struct sans){second_bad, 2}, true, &values, &a, &out, &v), R_BAD_INPUT);
    cr_expect(out.count == 77 && same(v.found, "SurName"), "all or nothing");
    arena_free(&a);
}
