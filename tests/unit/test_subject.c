#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/policy/subject.h"

#define COUNT(x) (sizeof (x) / sizeof (x)[0])
#define SID "S-1-5-21-1004336348-1177238915-682003330-512"

static char value_1024[LIMIT_NAME_VALUE + 1], value_1025[LIMIT_NAME_VALUE + 2], value_2000[2001];

/* Free attributes carry the values that must stay data. */
static const struct attribute items[] = {
    {"device.name", "PC-7"}, {"device.serial_number", "SN 42"}, {"device.imei", "490154203237518"},
    {"device.security_identifier", SID}, {"device.meid", ""}, {"device.fqdn", NULL},
    {"user.user_name", "anna"}, {"user.upn", "anna@example.org"}, {"user.email", "Anna.B@example.org"},
    {"user.on_premises_dn", "CN=Anna,OU=Staff,DC=example,DC=org"}, {"user.security_identifier", "S-1-5-21-7"},
    {"user.comma", "Doe, Anna"}, {"user.plus", "a+b"}, {"user.equals", "a=b"}, {"user.quotes", "the \"one\""},
    {"user.backslash", "a\\b\\2C\\"}, {"user.emoji", "Anna 🦊"}, {"user.rtl", "שלום مرحبا"},
    {"user.evil", "CN=x,OU=evil"},
    {"user.evil_rdn", "x+OU=evil"}, {"user.nested", "{{SerialNumber}}"}, {"user.braces", "}}{{"}, {"user.hash", "#0c0141"},
    {"user.spaced", "  two  "}, {"user.blank", "   "}, {"user.newline", "a\nOU=evil"}, {"user.escape", "a\x1b[2J"},
    {"user.delete", "a\x7f"}, {"user.c1", "a\xc2\x85"}, {"user.separator", "a\xe2\x80\xa8z"}, {"user.broken", "a\xff"},
    {"user.overlong", "a\xc0\xaf"}, {"user.max", value_1024}, {"user.over", value_1025}, {"user.far", value_2000},
    {"user.country", "Germany"}, {"user.land", "de"}, {"user.umlaut", "Zürich"},
    {"device.angle", "<a>;b"}, {"device.aAzZ09-._", "all"},
};
static const struct attributes values = {items, COUNT(items)};

static void setup(void)
{
    memset(value_1024, 'v', LIMIT_NAME_VALUE);
    memset(value_1025, 'v', LIMIT_NAME_VALUE + 1);
    memset(value_2000, 'v', 2000);
}

/* "rdn LABEL=value" a line: what a name is, without any syntax that could hide a mistake. */
static const char *dump(const struct name *n, struct arena *a)
{
    const char *text = "";
    for (uint32_t i = 0; i < n->count; i++) {
        const char *label = name_label(n->items[i].oid);
        text = arena_printf(a, "%s%u %s=%s\n", text, n->items[i].rdn, label ? label : n->items[i].oid, n->items[i].value);
    }
    return text;
}

static bool same(const char *x, const char *y)
{
    return x && y ? strcmp(x, y) == 0 : x == y;
}

static const struct { const char *format, *expected, *why; } good[] = {
    {"CN={{DeviceName}}", "0 CN=PC-7\n", "a variable alone"},
    {"CN={{UserName}},E={{EmailAddress}},OU=Mobile,O=Finance Group,L=Redmond,ST=Washington,C=US",
     "0 CN=anna\n1 E=Anna.B@example.org\n2 OU=Mobile\n3 O=Finance Group\n4 L=Redmond\n5 ST=Washington\n6 C=US\n", "row 3.05"},
    {"CN={{DeviceName}}Device1", "0 CN=PC-7Device1\n", "row 3.46: text behind"},
    {"CN={{UserName}}-{{SerialNumber}}", "0 CN=anna-SN 42\n", "two variables"},
    {"CN={{username}},O={{USERNAME}}", "0 CN=anna\n1 O=anna\n", "variables without regard to case"},
    {"cn=a,o=b", "0 CN=a\n1 O=b\n", "labels without regard to case"},
    {" CN = a b , O = c ", "0 CN=a b\n1 O=c\n", "blanks around labels and values are the format's"},
    {"E=a@b.c,EMAIL=d@e.f,G=x,GIVENNAME=y,SN=s,S=t", "0 E=a@b.c\n1 E=d@e.f\n2 G=x\n3 G=y\n4 SN=s\n5 ST=t\n", "aliases"},
    {"2.5.4.3=a,OID.2.5.4.10=b,1.3.6.1.4.1.99999.7=c", "0 CN=a\n1 O=b\n2 1.3.6.1.4.1.99999.7=c\n", "dotted OIDs"},
    {"CN=a+SERIALNUMBER=7,O=b", "0 CN=a\n0 SERIALNUMBER=7\n1 O=b\n", "a plus makes one RDN"},
    {"CN=\"a, b + c = d; <e> #\"", "0 CN=a, b + c = d; <e> #\n", "quotes keep all"},
    {"CN=\"Test User (TestCompany, LLC)\",OU=x", "0 CN=Test User (TestCompany, LLC)\n1 OU=x\n", "row 3.49"},
    {"CN=\"say \"\"hi\"\"\" , O=b", "0 CN=say \"hi\"\n1 O=b\n", "two quotes stand for one"},
    {"CN=\"  a  \"", "0 CN=  a  \n", "quotes keep blanks"},
    {"CN=\"{{OnPrem_Distinguished_Name}}\"", "0 CN=CN=Anna,OU=Staff,DC=example,DC=org\n", "row 3.33"},
    {"CN={{OnPrem_Distinguished_Name}}", "0 CN=CN=Anna,OU=Staff,DC=example,DC=org\n", "a value needs no quotes"},
    {"CN=a\\,b\\+c\\=d\\;e\\\"f\\\\g\\<h\\>", "0 CN=a,b+c=d;e\"f\\g<h>\n", "RFC 4514 escapes"},
    {"CN=\\ a\\ ,O=\\#b", "0 CN= a \n1 O=#b\n", "escaped blanks stay"},
    {"CN=a\\\\ ,O=b", "0 CN=a\\\n1 O=b\n", "a blank behind an escaped backslash does not"},
    {"CN=Z\\C3\\BCrich", "0 CN=Zürich\n", "hexadecimal octets of UTF-8"},
    {"CN=\\7B\\7BUserName\\7D\\7D", "0 CN={{UserName}}\n", "braces by hexadecimal are text"},
    {"CN=a=b", "0 CN=a=b\n", "an equals sign in a bare value is unambiguous"},
    {"CN=a#b", "0 CN=a#b\n", "a number sign within"},
    {"CN={{user.comma}},O=b", "0 CN=Doe, Anna\n1 O=b\n", "a comma in a value"},
    {"CN={{user.plus}}", "0 CN=a+b\n", "a plus in a value"},
    {"CN={{user.equals}}", "0 CN=a=b\n", "an equals sign in a value"},
    {"CN=\"{{user.quotes}}\"", "0 CN=the \"one\"\n", "quotes in a value do not end the format's"},
    {"CN={{user.quotes}}", "0 CN=the \"one\"\n", "nor do they begin any"},
    {"CN={{user.backslash}}", "0 CN=a\\b\\2C\\\n", "backslashes in a value escape nothing"},
    {"CN={{user.backslash}},O=b", "0 CN=a\\b\\2C\\\n1 O=b\n", "nor the format's comma"},
    {"CN={{user.emoji}}", "0 CN=Anna 🦊\n", "emoji"},
    {"CN={{user.rtl}}", "0 CN=שלום مرحبا\n", "right-to-left text"},
    {"CN={{user.evil}}", "0 CN=CN=x,OU=evil\n", "DN syntax in a value adds no attribute"},
    {"CN={{user.evil_rdn}}", "0 CN=x+OU=evil\n", "nor an attribute of the same RDN"},
    {"CN={{user.nested}}", "0 CN={{SerialNumber}}\n", "a variable's name in a value is not replaced"},
    {"CN={{user.braces}}{{UserName}}", "0 CN=}}{{anna\n", "braces in a value do not open a variable"},
    {"CN={{user.hash}}", "0 CN=#0c0141\n", "a value that looks like hexadecimal DER"},
    {"CN={{user.spaced}},O=b", "0 CN=  two  \n1 O=b\n", "blanks of a value stay"},
    {"C=aZ", "0 C=aZ\n", "the first and the last letter"},
    {"C=zA", "0 C=zA\n", "the last and the first"},
    {"C={{user.land}}", "0 C=de\n", "a country from an attribute"},
    {"CN={{device.angle}}", "0 CN=<a>;b\n", "characters that a format must quote"},
    {"CN={{DEVICE.NAME}}", "0 CN=PC-7\n", "an attribute by its own name"},
    {"CN={{device.aAzZ09-._}}", "0 CN=all\n", "every character that an attribute's name can have"},
    {"", "", "the empty subject"},
    {"   ", "", "blanks only: the empty subject too"},
    {NULL, "", "none"},
};

Test(subject, expands, .init = setup)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct arena a;
        struct name n = {0};
        struct verdict v = {0};
        arena_init(&a, LIMIT_ARENA_REQUEST);
        cr_expect_eq(subject_check_format(good[i].format, true, &a, &v), R_OK, "%s: check", good[i].why);
        enum result r = subject_expand(good[i].format, true, &values, &a, &n, &v);
        cr_expect_eq(r, R_OK, "%s: %s %s, not %s", good[i].why, result_name(r), v.found ? v.found : "", v.wanted ? v.wanted : "");
        cr_expect_str_eq(dump(&n, &a), good[i].expected, "%s: %s", good[i].why, dump(&n, &a));
        arena_free(&a);
    }
}

#define X9(s) s s s s s s s s s
#define X72(s) X9(s s s s s s s s)

/* Formats that no attribute can make good: refused already when the profile is saved. */
static const struct { const char *format; bool for_user; const char *field, *found, *why; } bad_formats[] = {
    {"CN={{Nonsense}}", true, "variable", "Nonsense", "an unknown variable, by name"},
    {"CN={{ UserName }}", true, "subject", "{{ UserName }}", "blanks within braces"},
    {"CN={{}}", true, "variable", "", "no name"},
    {"CN={{user.}}", true, "variable", "user.", "a free attribute without a name"},
    {"CN={{device}}", true, "variable", "device", "an owner without an attribute"},
    {"CN={{UserName}}", false, "variable", "UserName", "a user variable in a device's certificate"},
    {"CN={{DeviceName}},E={{EmailAddress}}", false, "variable", "EmailAddress", "the second one is the user's"},
    {"CN={{user.anything}}", false, "variable", "user.anything", "a free user attribute likewise"},
    {"CN={{OnPremisesSecurityIdentifier}}", true, "variable", "OnPremisesSecurityIdentifier", "for URIs only"},
    {"CN={{UserName}", true, "subject", "{{UserName}", "a closing brace short"},
    {"CN={{UserName", true, "subject", "{{UserName", "not closed"},
    {"CN={UserName}", true, "subject", "{UserName}", "single braces"},
    {"CN={{{UserName}}}", true, "subject", "{{{UserName}}}", "three braces"},
    {"CN={{UserName}}}", true, "subject", "}", "a brace too many"},
    {"CN=a}}b", true, "subject", "}}b", "closed but never opened"},
    {"CN={{User{{Name}}}}", true, "subject", "{{User{{Name}}}}", "a variable in a variable"},
    {"CN={{UserName,O=a}}", true, "subject", "{{UserName,O=a}}", "a comma in a variable"},
    {"CN=\"{{UserName\"", true, "subject", "{{UserName\"", "a quote in a variable"},
    {"CN=a,", true, "subject", "", "a comma at the end"},
    {",CN=a", true, "subject", ",CN=a", "a comma at the beginning"},
    {"CN=a,,O=b", true, "subject", ",O=b", "two commas"},
    {"CN=a+", true, "subject", "", "a plus at the end"},
    {"CN=a+b", true, "subject", "b", "a plus that was meant as text"},
    {"CN=Doe, Anna", true, "subject", "Anna", "a comma that was meant as text"},
    {"CN=a+CN=b", true, "subject", "CN", "an attribute twice in one RDN"},
    {"CN", true, "subject", "CN", "no equals sign"},
    {"=a", true, "subject", "=a", "no label"},
    {"CN=", true, "subject", "", "no value"},
    {"CN=\"\"", true, "subject", "", "no value in quotes"},
    {"CN=\"   \"", true, "subject", "", "blanks only"},
    {"CN=,O=a", true, "subject", "", "no value before a comma"},
    {"XX=a", true, "subject", "XX", "an unknown label"},
    {"2.5.4=", true, "subject", "", "an OID without a value"},
    {"2.=a", true, "subject", "2.", "no OID"},
    {"3.5.4.3=a", true, "subject", "3.5.4.3", "an OID under no root"},
    {"CN=a;O=b", true, "subject", ";O=b", "a semicolon could be a separator or not"},
    {"CN=a<b", true, "subject", "<b", "an angle bracket"},
    {"CN=a\"b\"", true, "subject", "\"b\"", "a quote within"},
    {"CN=#0c0141", true, "subject", "#0c0141", "DER in hexadecimal"},
    {"CN=\"a", true, "subject", "\"a", "an open quote"},
    {"CN=\"a\"b", true, "subject", "b", "text behind a quote"},
    {"CN=a\\", true, "subject", "\\", "a backslash at the end"},
    {"CN=EXAMPLE\\user", true, "subject", "\\user", "a backslash that was meant as text"},
    {"CN=EXAMPLE\\{{UserName}}", true, "subject", "\\{{UserName}}", "and before a variable"},
    {"CN=a\\00b", true, "subject", "a", "a NUL"},
    {"CN=a\\0Ab", true, "subject", "a\nb", "a line feed by hexadecimal"},
    {"CN=a\tb", true, "subject", "a\tb", "a tab"},
    {"CN=a\\FF", true, "subject", "a\xff", "an octet that is not UTF-8"},
    {"C=USA", true, "subject", "USA", "a country of three letters"},
    {"C=U1", true, "subject", "U1", "a country with a digit"},
    {"SERIALNUMBER=a_b", true, "subject", "SERIALNUMBER=a_b", "not a PrintableString"},
    {"CN=a,SERIALNUMBER=a_b,O=c", true, "subject", "SERIALNUMBER=a_b", "the one of three that is wrong"},
    {X72("L") "=a", true, "subject", X72("L"), "a label longer than any"},
    {"E=zürich@example.org", true, "subject", "E=zürich@example.org", "not ASCII"},
};

Test(subject, refuses_formats, .init = setup)
{
    for (size_t i = 0; i < COUNT(bad_formats); i++) {
        struct arena a;
        struct name n = {.count = 77};
        arena_init(&a, LIMIT_ARENA_REQUEST);
        for (int expand = 0; expand < 2; expand++) {
            struct verdict v = {0};
            const char *why = bad_formats[i].why;
            enum result r = expand ? subject_expand(bad_formats[i].format, bad_formats[i].for_user, &values, &a, &n, &v)
                                   : subject_check_format(bad_formats[i].format, bad_formats[i].for_user, &a, &v);
            cr_expect_eq(r, R_BAD_INPUT, "%s", why);
            cr_expect(same(v.field, bad_formats[i].field), "%s: field %s", why, v.field);
            cr_expect(same(v.found, bad_formats[i].found), "%s: found %s", why, v.found);
            cr_expect(v.wanted && *v.wanted, "%s", why);
        }
        cr_expect_eq(n.count, 77, "%s: untouched", bad_formats[i].why);
        arena_free(&a);
    }
}

/* Formats that are good, with values that are not. */
static const struct { const char *format, *field, *found, *why; } bad_values[] = {
    {"CN={{SurName}}", "variable", "SurName", "an attribute that is not there, named"},
    {"CN={{MEID}}", "variable", "MEID", "an empty one is missing"},
    {"CN={{FullyQualifiedDomainName}}", "variable", "FullyQualifiedDomainName", "a NULL one is missing"},
    {"CN=a,O={{device.room}}", "variable", "device.room", "a free attribute that is not there"},
    {"CN={{user.newline}}", "subject", "a\nOU=evil", "a line feed"},
    {"CN={{user.escape}}", "subject", "a\x1b[2J", "a terminal's escape"},
    {"CN={{user.delete}}", "subject", "a\x7f", "DEL"},
    {"CN={{user.c1}}", "subject", "a\xc2\x85", "a C1 control"},
    {"CN={{user.separator}}", "subject", "a\xe2\x80\xa8z", "a line separator"},
    {"CN={{user.broken}}", "subject", "a\xff", "not UTF-8"},
    {"CN={{user.overlong}}", "subject", "a\xc0\xaf", "an overlong slash"},
    {"CN={{user.blank}}", "subject", "", "blanks only"},
    {"CN={{user.over}}", "subject", "", "a byte above the limit"},
    {"CN={{user.far}}", "subject", "", "far above the limit"},
    {"CN=x{{user.max}}", "subject", "x", "at the limit, but with text before"},
    {"C={{user.country}}", "subject", "Germany", "a country's name is not its code"},
    {"SERIALNUMBER={{user.plus}}_", "subject", "SERIALNUMBER=a\\+b_", "a value its type cannot hold"},
    {"E={{user.umlaut}}", "subject", "E=Zürich", "an e-mail attribute that is not ASCII"},
};

Test(subject, refuses_values, .init = setup)
{
    for (size_t i = 0; i < COUNT(bad_values); i++) {
        struct arena a;
        struct name n = {.count = 77};
        struct verdict v = {0};
        const char *why = bad_values[i].why;
        arena_init(&a, LIMIT_ARENA_REQUEST);
        cr_expect_eq(subject_check_format(bad_values[i].format, true, &a, &v), R_OK, "%s: the format is good", why);
        cr_expect_eq(subject_expand(bad_values[i].format, true, &values, &a, &n, &v), R_BAD_INPUT, "%s", why);
        cr_expect(same(v.field, bad_values[i].field), "%s: field %s", why, v.field);
        cr_expect(same(v.found, bad_values[i].found), "%s: found %s", why, v.found);
        cr_expect_eq(n.count, 77, "%s: untouched", why);
        arena_free(&a);
    }
}

Test(subject, every_variable_yields_its_attribute)
{
    for (const struct variable *known = variables; known->name; known++) {
        bool identifier = strcmp(known->name, "OnPremisesSecurityIdentifier") == 0;
        struct attribute one = {known->attribute, identifier ? SID : "x"};
        struct attributes only = {&one, 1};
        char format[128];
        struct arena a;
        struct name n;
        struct sans sans;
        struct verdict v = {0};
        arena_init(&a, LIMIT_ARENA_REQUEST);
        snprintf(format, sizeof format, "%s{{%s}}", identifier ? "" : "CN=", known->name);
        struct san uri = {SAN_URI, format};
        for (int user = 0; user < 2; user++) {
            bool allowed = identifier ? !user : user || !known->user;      /* the identifier of a user is the user's */
            enum result r = identifier ? sans_expand(&(struct sans){&uri, 1}, user, &only, &a, &sans, &v)
                                       : subject_expand(format, user, &only, &a, &n, &v);
            cr_expect_eq(r, allowed ? R_OK : R_BAD_INPUT, "%s for a %s", known->name, user ? "user" : "device");
            if (!allowed)
                cr_expect_str_eq(v.found, known->name);
        }
        cr_expect_eq(strncmp(known->attribute, known->user ? "user." : "device.", known->user ? 5 : 7), 0, "%s", known->name);
        arena_free(&a);
    }
    struct arena a;
    struct name n;
    struct verdict v = {0};
    arena_init(&a, LIMIT_ARENA_REQUEST);
    cr_expect_eq(subject_expand("CN={{DeviceName}}", true, NULL, &a, &n, &v), R_BAD_INPUT, "no attributes at all");
    cr_expect_str_eq(v.found, "DeviceName");
    arena_free(&a);
}

/* first, then more as often as that. */
static const char *repeated(const char *first, const char *more, int times, struct arena *a)
{
    const char *text = first;
    for (int i = 0; i < times; i++)
        text = arena_printf(a, "%s%s", text, more);
    return text;
}

Test(subject, limits, .init = setup)
{
    static const struct { const char *first, *more; int times; enum result check, expand; const char *why; } cases[] = {
        {"CN={{user.max}}", "", 0, R_OK, R_OK, "a value of 1024 bytes"},
        {"OU=a", ",OU=a", LIMIT_NAME_ATTRIBUTES - 1, R_OK, R_OK, "32 attributes"},
        {"OU=a", ",OU=a", LIMIT_NAME_ATTRIBUTES, R_BAD_INPUT, R_BAD_INPUT, "33 attributes"},
        {"OU={{user.max}}", ",OU={{user.max}}", 6, R_OK, R_OK, "seven values of 1024 bytes"},
        {"OU={{user.max}}", ",OU={{user.max}}", 7, R_OK, R_BAD_INPUT, "eight are above 8192 bytes of DER"},
        {"CN=aaaa", "{{user.land}}", 157, R_OK, R_OK, "a format of 2048 bytes"},
        {"CN=aaaaa", "{{user.land}}", 157, R_BAD_INPUT, R_BAD_INPUT, "a format of 2049 bytes"},
        {"CN={{x", "x", 70, R_BAD_INPUT, R_BAD_INPUT, "an open variable of 71 characters"},
        {"CN={{x", "x}}", 1, R_BAD_INPUT, R_BAD_INPUT, "the same, closed, and short"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena a;
        struct name n;
        arena_init(&a, LIMIT_ARENA_REQUEST);
        const char *format = repeated(cases[i].first, cases[i].more, cases[i].times, &a);
        cr_expect_eq(subject_check_format(format, true, &a, NULL), cases[i].check, "%s", cases[i].why);
        cr_expect_eq(subject_expand(format, true, &values, &a, &n, NULL), cases[i].expand, "%s", cases[i].why);
        arena_free(&a);
    }
}

Test(subject, a_long_variable_is_named)
{
    struct arena a;
    struct verdict v = {0};
    arena_init(&a, LIMIT_ARENA_REQUEST);
    const char *name = repeated("device.", "x", 100, &a);
    cr_expect_eq(subject_check_format(arena_printf(&a, "CN={{%s}}", name), true, &a, &v), R_BAD_INPUT);
    cr_expect(same(v.field, "variable") && same(v.found, name));
    name = repeated("device.", "x", 56, &a);
    cr_expect_eq(subject_check_format(arena_printf(&a, "CN={{%s}}", name), true, &a, &v), R_OK, "63 characters");
    cr_expect_eq(subject_check_format(arena_printf(&a, "CN={{%sx}}", name), true, &a, &v), R_BAD_INPUT, "64 characters");
    arena_free(&a);
}

Test(subject, memory_may_end_anywhere)
{
    for (size_t limit = 0; limit < 20000; limit += 64) {
        struct arena a;
        struct name n = {.count = 77};
        arena_init(&a, limit);
        enum result r = subject_expand("CN={{UserName}},O=b", true, &values, &a, &n, NULL);
        cr_expect(r == R_OK || (r == R_NO_MEMORY && n.count == 77), "with %zu bytes of memory: %s", limit, result_name(r));
        arena_free(&a);
    }
}
