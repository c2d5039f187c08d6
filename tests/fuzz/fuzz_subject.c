/*
 * The formats of a profile, which an operator types, with values that came with an import: whatever the values are, the names are
 * those of the format. The first octet chooses the kind of certificate; then lines, the first of them the subject's format, each
 * other one a letter for the kind of name ("e", "u", "d", "i") and its text.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/policy/subject.h"

static const struct attribute plain_items[] = {
    {"device.name", "host"}, {"device.serial_number", "C02X1234"}, {"device.imei", "356938035643809"},
    {"device.fqdn", "host.example.org"}, {"device.security_identifier", "S-1-5-21-1-2-3-4"}, {"device.x", "value"},
    {"user.user_name", "ann"}, {"user.upn", "ann@example.org"}, {"user.email", "ann@example.org"},
    {"user.security_identifier", "S-1-5-21-5-6-7-8"},
};
/* The same with what would add something if it were read again. */
static const struct attribute hostile_items[] = {
    {"device.name", "host,O=Other"}, {"device.serial_number", "1+2.5.4.3=x"}, {"device.imei", "\"\"\","},
    {"device.fqdn", "{{DeviceName}}"}, {"device.security_identifier", "S-1-5-21-1-2-3-4"}, {"device.x", "\\,CN=x\\2C"},
    {"user.user_name", "ann\",CN=\"x"}, {"user.upn", "ann@example.org,CN=x"}, {"user.email", "ann@example.org"},
    {"user.security_identifier", "S-1-5-21-5-6-7-8"},
};
#define ITEMS (sizeof plain_items / sizeof plain_items[0])
_Static_assert(sizeof hostile_items == sizeof plain_items, "the same attributes");
static const struct attributes plain = {plain_items, ITEMS}, hostile = {hostile_items, ITEMS};

#define NAMES 16

static void subject_check(const char *format, bool for_user, struct arena *a)
{
    struct verdict v = {0};
    struct name first = {NULL, 0}, second = {NULL, 0};
    struct buf b;
    enum result checked = subject_check_format(format, for_user, a, &v);
    enum result r = subject_expand(format, for_user, &plain, a, &first, &v);

    FUZZ_RESULT(checked, R_OK, R_BAD_INPUT);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT);
    FUZZ_MUST(r != R_OK || checked == R_OK);
    if (r != R_OK)
        return;
    buf_init(&b, LIMIT_NAME_DER);
    r = name_encode(&first, &b);
    FUZZ_RESULT(r, R_OK, R_TOO_LARGE);
    buf_free(&b);
    r = subject_expand(format, for_user, &hostile, a, &second, &v);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT);
    FUZZ_MUST(r != R_OK || first.count == second.count);
    for (uint32_t i = 0; r == R_OK && i < first.count; i++)
        FUZZ_MUST(strcmp(first.items[i].oid, second.items[i].oid) == 0 && first.items[i].rdn == second.items[i].rdn);
}

static void sans_check(const struct sans *formats, bool for_user, struct arena *a)
{
    struct verdict v = {0};
    struct sans out = {NULL, 0};
    struct buf b;
    enum result checked = sans_check_format(formats, for_user, a, &v);
    enum result r = sans_expand(formats, for_user, &plain, a, &out, &v);

    FUZZ_RESULT(checked, R_OK, R_BAD_INPUT);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT);
    FUZZ_MUST(r != R_OK || (checked == R_OK && out.count <= formats->count));
    if (r == R_OK && out.count > 0) {
        buf_init(&b, LIMIT_CERTIFICATE);
        FUZZ_MUST(sans_encode(&out, &b) == R_OK);
        buf_free(&b);
    }
    r = sans_expand(formats, for_user, &hostile, a, &out, &v);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT);
    FUZZ_MUST(r != R_OK || out.count <= formats->count);
}

FUZZ_TARGET(subject)
{
    static const char letters[] = "eudi";
    static const uint32_t types[] = {SAN_EMAIL, SAN_UPN, SAN_DNS, SAN_URI, SAN_OTHER};
    struct san items[NAMES];
    struct sans formats = {items, 0};
    struct arena a;

    if (size < 1)
        return 0;
    char *text = fuzz_string(data + 1, size - 1), *rest = text;
    bool for_user = data[0] & 1;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    const char *subject = strsep(&rest, "\n");
    for (char *line = strsep(&rest, "\n"); line != NULL && formats.count < NAMES; line = strsep(&rest, "\n")) {
        const char *letter = line[0] != '\0' ? strchr(letters, line[0]) : NULL;
        items[formats.count++] = (struct san){types[letter != NULL ? letter - letters : 4], line[0] != '\0' ? line + 1 : line};
    }
    subject_check(subject, for_user, &a);
    sans_check(&formats, for_user, &a);
    arena_free(&a);
    free(text);
    return 0;
}
