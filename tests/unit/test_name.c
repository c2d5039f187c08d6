#include <criterion/criterion.h>

#include <string.h>

#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/name.h"

#define COUNT(table) (sizeof table / sizeof table[0])

static struct arena arena;

static void setup(void) { arena_init(&arena, LIMIT_ARENA_REQUEST); }
static void teardown(void) { arena_free(&arena); }
TestSuite(name, .init = setup, .fini = teardown);

/* A Name of one attribute with any OID content and string type. */
static void one_attribute(struct buf *b, int tag, const void *p, size_t n)
{
    size_t name = der_open(b, DER_SEQUENCE), set = der_open(b, DER_SET), attribute = der_open(b, DER_SEQUENCE);
    der_oid(b, OID_CN);
    der_value(b, tag, p, n);
    der_close(b, attribute);
    der_close(b, set);
    der_close(b, name);
}

static void expect_hex(const struct buf *b, const char *hex, const char *why)
{
    char *text = arena_alloc(&arena, 2 * b->n + 1);
    cr_assert_not_null(text);
    if (b->n > 0)
        hex_encode(text, b->p, b->n);
    cr_expect_str_eq(text, hex, "%s: %s", why, text);
}

Test(name, labels_and_oids)
{
    static const struct { const char *label, *oid, *canonical; } cases[] = {
        {"CN", OID_CN, "CN"}, {"cn", OID_CN, "CN"}, {"SN", OID_SURNAME, "SN"}, {"Surname", OID_SURNAME, "SN"},
        {"SerialNumber", OID_SERIAL_NUMBER, "SERIALNUMBER"}, {"S", OID_ST, "ST"}, {"st", OID_ST, "ST"}, {"E", OID_EMAIL, "E"},
        {"email", OID_EMAIL, "E"}, {"emailAddress", OID_EMAIL, "E"}, {"G", OID_GIVEN_NAME, "G"},
        {"GivenName", OID_GIVEN_NAME, "G"}, {"DC", OID_DC, "DC"}, {"UID", OID_UID, "UID"}, {"OU", OID_OU, "OU"},
        {"street", OID_STREET, "STREET"},
        {"title", OID_TITLE, "T"}, {"dnQualifier", OID_DN_QUALIFIER, "DNQUALIFIER"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_assert_not_null(name_oid(cases[i].label), "%s", cases[i].label);
        cr_expect_str_eq(name_oid(cases[i].label), cases[i].oid, "%s", cases[i].label);
        cr_expect_str_eq(name_label(cases[i].oid), cases[i].canonical, "%s", cases[i].label);
    }
    cr_expect_null(name_oid("X"));
    cr_expect_null(name_oid(""));
    cr_expect_null(name_label("1.2.3"));
}

Test(name, encoded_as_expected)
{
    static const struct { struct name_attribute items[4]; uint32_t count; const char *hex, *why; } cases[] = {
        {{{0}}, 0, "3000", "an empty name"},
        {{{OID_CN, "a", 0}}, 1, "300c310a300806035504030c0161", "UTF8String"},
        {{{OID_C, "DE", 0}}, 1, "300d310b3009060355040613024445", "PrintableString"},
        {{{OID_EMAIL, "a@b", 0}}, 1, "3014311230100609" "2a864886f70d010901" "1603614062", "IA5String"},
        {{{OID_DC, "x", 0}}, 1, "30133111300f060a0992268993f22c6401191601" "78", "IA5String"},
        {{{"1.2.3", "\xc3\xa4", 0}}, 1, "300c310a300806022a030c02c3a4", "an OID without a label"},
        {{{OID_O, "b", 0}, {OID_CN, "a", 1}}, 2, "3018310a3008060355040a0c0162310a300806035504030c0161",
         "two RDNs keep their order"},
        {{{OID_O, "b", 0}, {OID_CN, "a", 0}}, 2, "30163114300806035504030c01613008060355040a0c0162",
         "one RDN of two, in the order of a SET OF"},
        {{{OID_CN, "bb", 3}, {OID_CN, "b", 3}}, 2, "30173115300806035504030c0162300906035504030c026262", "the shorter first"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct name n = {(struct name_attribute *)cases[i].items, cases[i].count}, back;
        struct buf b;
        buf_init(&b, LIMIT_NAME_DER);
        cr_expect_eq(name_encode(&n, &b), R_OK, "%s", cases[i].why);
        expect_hex(&b, cases[i].hex, cases[i].why);
        cr_expect_eq(name_decode(buf_bytes(&b), &arena, &back), R_OK, "%s", cases[i].why);
        cr_expect_eq(back.count, cases[i].count, "%s", cases[i].why);
        for (uint32_t j = 0; j < back.count; j++)
            cr_expect_not_null(name_find(&n, back.items[j].oid), "%s", cases[i].why);
        buf_free(&b);
    }
}

Test(name, values_their_type_cannot_hold)
{
    static const struct { const char *oid, *value; enum result r; const char *why; } cases[] = {
        {OID_C, "DE", R_OK, "a country"},
        {OID_C, "DEU", R_BAD_INPUT, "three letters"},
        {OID_C, "\xc3\xa4", R_BAD_INPUT, "no PrintableString"},
        {OID_SERIAL_NUMBER, "A-1", R_OK, "a serial number"},
        {OID_SERIAL_NUMBER, "A_1", R_BAD_INPUT, "underscore is not in PrintableString"},
        {OID_DN_QUALIFIER, "a@b", R_BAD_INPUT, "nor is @"},
        {OID_EMAIL, "\xc3\xa4@b", R_BAD_INPUT, "no IA5String"},
        {OID_DC, "\xc3\xa4", R_BAD_INPUT, "no IA5String"},
        {OID_CN, "", R_BAD_INPUT, "DirectoryString has one character at least"},
        {OID_CN, "\xff", R_BAD_INPUT, "not UTF-8"},
        {OID_CN, "a\nb", R_BAD_INPUT, "a control character"},
        {OID_CN, "a,CN=b", R_OK, "data, not syntax"},
        {"1.2.x", "a", R_BAD_INPUT, "no OID"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct name_attribute items[] = {{OID_O, "x", 0}, {cases[i].oid, cases[i].value, 1}};
        struct name n = {items, 2};
        struct buf b;
        buf_init(&b, LIMIT_NAME_DER);
        cr_expect_eq(name_encode(&n, &b), cases[i].r, "%s", cases[i].why);
        cr_expect(cases[i].r == R_OK || b.n == 0, "nothing half written: %s", cases[i].why);
        buf_free(&b);
    }
}

Test(name, limits)
{
    struct name_attribute items[LIMIT_NAME_ATTRIBUTES + 1];
    char longest[LIMIT_NAME_VALUE + 2];
    struct name n = {items, LIMIT_NAME_ATTRIBUTES}, back;
    struct buf b;
    memset(longest, 'a', sizeof longest);
    longest[LIMIT_NAME_VALUE] = '\0';
    for (uint32_t i = 0; i <= LIMIT_NAME_ATTRIBUTES; i++)
        items[i] = (struct name_attribute){OID_OU, "x", i};
    buf_init(&b, LIMIT_NAME_DER);
    cr_expect_eq(name_encode(&n, &b), R_OK, "as many as may be");
    cr_expect_eq(name_decode(buf_bytes(&b), &arena, &back), R_OK);
    n.count++;
    cr_expect_eq(name_encode(&n, &b), R_TOO_LARGE, "one too many");
    n.count = 1;
    items[0].value = longest;
    buf_reset(&b);
    cr_expect_eq(name_encode(&n, &b), R_OK, "the longest value");
    cr_expect_eq(name_decode(buf_bytes(&b), &arena, &back), R_OK);
    cr_expect_str_eq(back.items[0].value, longest);
    longest[LIMIT_NAME_VALUE] = 'a';
    longest[LIMIT_NAME_VALUE + 1] = '\0';
    cr_expect_eq(name_encode(&n, &b), R_TOO_LARGE, "one character more");
    buf_free(&b);

    buf_init(&b, 1 << 16);
    one_attribute(&b, DER_UTF8_STRING, longest, LIMIT_NAME_VALUE + 1);
    cr_expect_eq(name_decode(buf_bytes(&b), &arena, &back), R_TOO_LARGE, "the same when read");
    buf_reset(&b);
    size_t mark = der_open(&b, DER_SEQUENCE);
    for (int i = 0; i <= LIMIT_NAME_ATTRIBUTES; i++)
        der_raw(&b, BYTES("\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\x61", 12));
    der_close(&b, mark);
    cr_expect_eq(name_decode(buf_bytes(&b), &arena, &back), R_TOO_LARGE, "too many when read");
    buf_free(&b);
}

Test(name, every_string_type_is_read)
{
    static const struct { int tag; const char *p; size_t n; enum result r; const char *text, *why; } cases[] = {
        {DER_UTF8_STRING, "Ger\xc3\xa4t", 6, R_OK, "Ger\xc3\xa4t", "UTF8String"},
        {DER_UTF8_STRING, "\xc3", 1, R_BAD_INPUT, "", "half a character"},
        {DER_UTF8_STRING, "\xed\xa0\x80", 3, R_BAD_INPUT, "", "a surrogate in UTF-8"},
        {DER_UTF8_STRING, "", 0, R_OK, "", "an empty value is read"},
        {DER_UTF8_STRING, "a\0b", 3, R_BAD_INPUT, "", "a NUL"},
        {DER_UTF8_STRING, "a\0", 2, R_BAD_INPUT, "", "a NUL at the end"},
        {DER_PRINTABLE_STRING, "a_b*", 4, R_OK, "a_b*", "PrintableString with what clients put there"},
        {DER_PRINTABLE_STRING, "\xe4", 1, R_BAD_INPUT, "", "not ASCII"},
        {DER_PRINTABLE_STRING, "a\0b", 3, R_BAD_INPUT, "", "a NUL"},
        {DER_IA5_STRING, "a@b", 3, R_OK, "a@b", "IA5String"},
        {DER_IA5_STRING, "\xff", 1, R_BAD_INPUT, "", "not ASCII"},
        {DER_NUMERIC_STRING, "12 3", 4, R_OK, "12 3", "NumericString"},
        {DER_VISIBLE_STRING, "v", 1, R_OK, "v", "VisibleString"},
        {DER_T61_STRING, "Ger\xe4t", 5, R_OK, "Ger\xc3\xa4t", "T61String as Latin-1"},
        {DER_T61_STRING, "a\0b", 3, R_BAD_INPUT, "", "a NUL"},
        {DER_BMP_STRING, "\0G\0e\0r\0\xe4\0t\x03\xa9", 12, R_OK, "Ger\xc3\xa4t\xce\xa9", "BMPString"},
        {DER_BMP_STRING, "\xd8\x3d\xde\x00", 4, R_OK, "\xf0\x9f\x98\x80", "a surrogate pair"},
        {DER_BMP_STRING, "\xd8\x3d\0a", 4, R_BAD_INPUT, "", "half a surrogate pair"},
        {DER_BMP_STRING, "\xde\0", 2, R_BAD_INPUT, "", "the second half alone"},
        {DER_BMP_STRING, "\0a\0", 3, R_BAD_INPUT, "", "an odd number of octets"},
        {DER_BMP_STRING, "\0a\0\0\0b", 6, R_BAD_INPUT, "", "a NUL"},
        {DER_UNIVERSAL_STRING, "\0\0\0a\0\1\xf6\0", 8, R_OK, "a\xf0\x9f\x98\x80", "UniversalString"},
        {DER_UNIVERSAL_STRING, "\0\x11\0\0", 4, R_BAD_INPUT, "", "beyond Unicode"},
        {DER_UNIVERSAL_STRING, "\0\0\xd8\0", 4, R_BAD_INPUT, "", "a surrogate"},
        {DER_UNIVERSAL_STRING, "\0\0\0", 3, R_BAD_INPUT, "", "three octets"},
        {DER_OCTET_STRING, "a", 1, R_BAD_INPUT, "", "no string"},
        {DER_BIT_STRING, "\0a", 2, R_BAD_INPUT, "", "no string"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b;
        struct name n = {NULL, 0};
        buf_init(&b, LIMIT_NAME_DER);
        one_attribute(&b, cases[i].tag, cases[i].p, cases[i].n);
        cr_expect_eq(name_decode(buf_bytes(&b), &arena, &n), cases[i].r, "%s", cases[i].why);
        if (cases[i].r == R_OK)
            cr_expect_str_eq(n.items[0].value, cases[i].text, "%s", cases[i].why);
        buf_free(&b);
    }
}

Test(name, names_of_another_form)
{
    static const struct { const char *hex; enum result r; const char *why; } cases[] = {
        {"3000", R_OK, "an empty one"},
        {"", R_BAD_INPUT, "nothing"},
        {"300000", R_BAD_INPUT, "a byte behind"},
        {"3100", R_BAD_INPUT, "a SET"},
        {"30023100", R_BAD_INPUT, "an RDN of nothing"},
        {"30023000", R_BAD_INPUT, "an RDN that is a SEQUENCE"},
        {"300431023000", R_BAD_INPUT, "an attribute of nothing"},
        {"30093107300506035504" "03", R_BAD_INPUT, "no value"},
        {"300e310c300a06035504030c01610500", R_BAD_INPUT, "two values"},
        {"300c310a300802035504030c0161", R_BAD_INPUT, "a number for an OID"},
        {"3080310a300806035504030c01610000", R_BAD_INPUT, "indefinite length"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t room[64];
        size_t n = sizeof room;
        struct name name;
        cr_assert_eq(hex_decode(cases[i].hex, room, &n), R_OK);
        cr_expect_eq(name_decode(BYTES(room, n), &arena, &name), cases[i].r, "%s", cases[i].why);
    }
}

Test(name, text_for_people)
{
    static const struct { struct name_attribute items[3]; uint32_t count; const char *text, *why; } cases[] = {
        {{{0}}, 0, "", "an empty name"},
        {{{OID_C, "DE", 0}, {OID_O, "a", 1}, {OID_CN, "b", 2}}, 3, "C=DE,O=a,CN=b", "in order"},
        {{{OID_O, "a", 0}, {OID_OU, "b", 0}, {OID_CN, "c", 1}}, 3, "O=a+OU=b,CN=c", "an RDN of two"},
        {{{"1.2.3", "x", 0}}, 1, "1.2.3=x", "no label"},
        {{{OID_CN, "a,b+c\"d\\e<f>g;h=i", 0}}, 1, "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\=i", "escapes"},
        {{{OID_CN, "#a#", 0}, {OID_CN, " b c ", 1}}, 2, "CN=\\#a#,CN=\\ b c\\ ", "at the ends"},
        {{{OID_CN, "a\nb\x7f", 0}}, 1, "CN=a\\0Ab\\7F", "control characters"},
        {{{OID_CN, "\xc3\xa4", 0}}, 1, "CN=\xc3\xa4", "UTF-8 as it is"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct name n = {(struct name_attribute *)cases[i].items, cases[i].count};
        const char *text = name_text(&n, &arena);
        cr_assert_not_null(text);
        cr_expect_str_eq(text, cases[i].text, "%s", cases[i].why);
    }
}

Test(name, sans_there_and_back)
{
    static struct san items[] = {
        {SAN_EMAIL, "a@b"}, {SAN_UPN, "\xc3\xa4@b"}, {SAN_DNS, "b.c"}, {SAN_URI, "urn:x"},
    };
    struct sans in = {items, COUNT(items)}, out;
    struct buf b;
    buf_init(&b, LIMIT_CERTIFICATE);
    cr_assert_eq(sans_encode(&in, &b), R_OK);
    expect_hex(&b, "3027" "8103614062" "a014060a2b060104018237140203a0060c04c3a44062" "8203622e63" "860575726e3a78",
               "as RFC 5280 has them");
    cr_assert_eq(sans_decode(buf_bytes(&b), &arena, &out), R_OK);
    cr_assert_eq(out.count, in.count);
    for (uint32_t i = 0; i < out.count; i++) {
        cr_expect_eq(out.items[i].type, items[i].type);
        cr_expect_str_eq(out.items[i].value, items[i].value);
        cr_expect_str_neq(san_type_name(items[i].type), "Unknown");
    }
    buf_free(&b);
}

Test(name, sans_that_cannot_be_written)
{
    static const struct { struct san item; enum result r; const char *why; } cases[] = {
        {{SAN_DNS, "a"}, R_OK, "a name"},
        {{SAN_DNS, ""}, R_BAD_INPUT, "empty"},
        {{SAN_DNS, "\xc3\xa4"}, R_BAD_INPUT, "not ASCII"},
        {{SAN_URI, "a\n"}, R_BAD_INPUT, "a control character"},
        {{SAN_EMAIL, "\xff"}, R_BAD_INPUT, "not UTF-8"},
        {{SAN_UPN, "\xff"}, R_BAD_INPUT, "not UTF-8"},
        {{SAN_IP, "8704c0000201"}, R_BAD_INPUT, "only the four text types"},
        {{SAN_DIRECTORY, "a4"}, R_BAD_INPUT, "only the four text types"},
        {{SAN_OTHER, "a0"}, R_BAD_INPUT, "only the four text types"},
        {{99, "a"}, R_BAD_INPUT, "no type"},
    };
    struct buf b;
    buf_init(&b, LIMIT_CERTIFICATE);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sans s = {(struct san *)&cases[i].item, 1};
        buf_reset(&b);
        cr_expect_eq(sans_encode(&s, &b), cases[i].r, "%s", cases[i].why);
        cr_expect(cases[i].r == R_OK || b.n == 0, "nothing half written: %s", cases[i].why);
    }
    struct sans none = {NULL, 0};
    cr_expect_eq(sans_encode(&none, &b), R_BAD_INPUT, "no name");
    buf_free(&b);
}

Test(name, sans_as_they_come)
{
    static const struct { const char *hex; enum result r; uint32_t type; const char *value, *why; } cases[] = {
        {"3006" "8704c0000201", R_OK, SAN_IP, "8704c0000201", "an address"},
        {"3012" "a410300e310c300a06035504030c03" "616263", R_OK, SAN_DIRECTORY,
         "a410300e310c300a06035504030c03616263", "a directory name"},
        {"3005" "8803" "2a0304", R_OK, SAN_OTHER, "88032a0304", "a registered identifier"},
        {"300b" "a009" "06022a03" "a0030c0161", R_OK, SAN_OTHER, "a00906022a03a0030c0161", "another otherName"},
        {"3011" "a00f" "060a2b060104018237140203" "a0011601", R_BAD_INPUT, 0, NULL, "a UPN cut off"},
        {"3013" "a011" "060a2b060104018237140203" "a0031601" "61", R_OK, SAN_UPN, "a", "a UPN as IA5String"},
        {"3013" "a011" "060a2b060104018237140203" "a0030c01" "00", R_BAD_INPUT, 0, NULL, "a UPN with a NUL"},
        {"3012" "a010" "060a2b060104018237140203" "a0020500", R_BAD_INPUT, 0, NULL, "a UPN that is no string"},
        {"3005" "8203" "610062", R_BAD_INPUT, 0, NULL, "a NUL in a DNS name"},
        {"3003" "8201" "e4", R_BAD_INPUT, 0, NULL, "a DNS name that is not ASCII"},
        {"3003" "0c01" "61", R_BAD_INPUT, 0, NULL, "no GeneralName"},
        {"3003" "8202" "61", R_BAD_INPUT, 0, NULL, "longer than it is"},
        {"3003" "8201" "6100", R_BAD_INPUT, 0, NULL, "a byte behind"},
        {"", R_BAD_INPUT, 0, NULL, "nothing"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t room[64];
        size_t n = sizeof room;
        struct sans s = {NULL, 0};
        cr_assert_eq(hex_decode(cases[i].hex, room, &n), R_OK);
        cr_expect_eq(sans_decode(BYTES(room, n), &arena, &s), cases[i].r, "%s", cases[i].why);
        if (cases[i].r != R_OK)
            continue;
        cr_assert_eq(s.count, 1, "%s", cases[i].why);
        cr_expect_eq(s.items[0].type, cases[i].type, "%s", cases[i].why);
        cr_expect_str_eq(s.items[0].value, cases[i].value, "%s", cases[i].why);
    }
}

Test(name, many_sans)
{
    static const struct { uint32_t count; enum result r; const char *why; } cases[] = {
        {LIMIT_SANS, R_OK, "as many as may be"}, {LIMIT_SANS + 1, R_TOO_LARGE, "one more"}, {10000, R_TOO_LARGE, "ten thousand"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena small;
        struct sans s;
        struct buf b;
        arena_init(&small, LIMIT_SANS * 64);
        buf_init(&b, 1 << 20);
        size_t mark = der_open(&b, DER_SEQUENCE);
        for (uint32_t j = 0; j < cases[i].count; j++)
            der_value(&b, DER_CONTEXT(2), "a.example.org", 13);
        der_close(&b, mark);
        cr_expect_eq(sans_decode(buf_bytes(&b), &small, &s), cases[i].r, "%s", cases[i].why);
        cr_expect(cases[i].r == R_OK || small.used == 0, "refused before memory is taken: %s", cases[i].why);
        buf_free(&b);
        arena_free(&small);
    }
}

Test(name, a_san_of_another_kind_fits_as_hex)
{
    static const struct { size_t n; enum result r; const char *why; } cases[] = {
        {LIMIT_NAME_VALUE / 2 - 4, R_OK, "hex as long as a value may be"},
        {LIMIT_NAME_VALUE / 2 - 3, R_TOO_LARGE, "one octet more"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sans s;
        struct buf b;
        buf_init(&b, 4096);
        size_t mark = der_open(&b, DER_SEQUENCE);
        der_header(&b, DER_CONTEXT(8), cases[i].n);
        memset(buf_space(&b, cases[i].n), 1, cases[i].n);
        der_close(&b, mark);
        cr_expect_eq(sans_decode(buf_bytes(&b), &arena, &s), cases[i].r, "%s", cases[i].why);
        cr_expect(cases[i].r != R_OK || strlen(s.items[0].value) == LIMIT_NAME_VALUE, "%s", cases[i].why);
        buf_free(&b);
    }
}

/* A Name from "O=x+CN=y,C=DE": "," ends an RDN, "+" an attribute; all values as strings of this type. */
static struct bytes name_made(const char *text, int tag)
{
    struct buf b;
    char *copy = arena_text(&arena, text, strlen(text)), *rest = copy;

    buf_init(&b, LIMIT_NAME_DER);
    size_t name = der_open(&b, DER_SEQUENCE);
    for (char *rdn; (rdn = strsep(&rest, ",")) != NULL && *rdn != 0;) {
        size_t set = der_open(&b, DER_SET);
        for (char *attribute; (attribute = strsep(&rdn, "+")) != NULL;) {
            char *value = strchr(attribute, '=');
            cr_assert_not_null(value);
            *value++ = 0;
            size_t pair = der_open(&b, DER_SEQUENCE);
            der_oid(&b, name_oid(attribute));
            der_value(&b, tag, value, strlen(value));
            der_close(&b, pair);
        }
        der_close(&b, set);
    }
    der_close(&b, name);
    struct bytes der = arena_bytes(&arena, buf_bytes(&b));
    buf_free(&b);
    return der;
}

Test(name, names_that_are_one)
{
    static const struct { const char *x, *y; bool match; const char *why; } cases[] = {
        {"C=DE,O=Example,CN=CA", "C=DE,O=Example,CN=CA", true, "the same, in another string type"},
        {"C=DE,O=Example,CN=CA", "CN=CA,O=Example,C=DE", true, "the other way round (Q44)"},
        {"C=DE,O=Example+CN=CA", "CN=CA,O=Example,C=DE", true, "in fewer RDNs"},
        {"O=Example  GmbH", "O= example gmbh ", true, "letters and blanks (RFC 5280 section 7.1)"},
        {"", "", true, "both empty"},
        {"O=Example,CN=CA", "O=Example,CN=CB", false, "another value"},
        {"O=Example,CN=CA", "O=Example,OU=CA", false, "another type"},
        {"O=Example,CN=CA", "O=Example,CN=CA,CN=CA", false, "one more"},
        {"OU=A,OU=A,OU=B", "OU=A,OU=B,OU=B", false, "each counts once"},
        {"O=Example", "", false, "one empty"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes x = name_made(cases[i].x, DER_PRINTABLE_STRING), y = name_made(cases[i].y, DER_UTF8_STRING);
        cr_expect_eq(name_der_match(x, y), cases[i].match, "%s", cases[i].why);
        cr_expect_eq(name_der_match(y, x), cases[i].match, "%s, the other way", cases[i].why);
    }
    struct bytes good = name_made("CN=CA", DER_UTF8_STRING), odd = BYTES("\x30\x03\x31\x01\x00", 5);
    cr_expect(name_der_match(odd, BYTES("\x30\x03\x31\x01\x00", 5)), "what is no name matches itself");
    cr_expect_not(name_der_match(odd, good));
    cr_expect_not(name_der_match(good, odd));
    cr_expect_not(name_der_match(good, BYTES(good.p, good.n - 1)));
    cr_expect_not(name_der_match(good, BYTES_NONE));
}
