/* IssuerAndSerialNumber, from the bytes of strangers. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/issuer_serial.h"

#define COUNT(table) (sizeof table / sizeof table[0])

#define NAME "300d310b3009060355040313024341"           /* CN=CA */

/* Alone on the heap, so that a sanitizer sees reading behind the end. */
static struct bytes unhex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = malloc(n + (n == 0));

    cr_assert_not_null(p);
    cr_assert_eq(hex_decode(hex, p, &n), R_OK, "the table's own hex: %s", hex);
    return BYTES(p, n);
}

static void expect_hex(struct bytes b, const char *hex, const char *why)
{
    struct bytes wanted = unhex(hex);

    cr_expect(bytes_equal(b, wanted), "%s", why);
    free((void *)wanted.p);
}

Test(issuer_serial, rows)
{
    static const struct { const char *hex, *serial, *why; } cases[] = {
        {"3012" NAME "020105", "05", "a small serial"},
        {"3012" NAME "020100", "00", "zero"},
        {"3013" NAME "020200ff", "ff", "the sign octet is dropped"},
        {"3014" NAME "0203010203", "010203", "several octets"},
        {"3025" NAME "02147fffffffffffffffffffffffffffffffffffffff", "7fffffffffffffffffffffffffffffffffffffff", "twenty octets"},
        {"3026" NAME "021500ffffffffffffffffffffffffffffffffffffffff", "ffffffffffffffffffffffffffffffffffffffff",
         "twenty and a sign octet"},
        {"3026" NAME "0215010000000000000000000000000000000000000000", NULL, "twenty-one octets"},
        {"3012" NAME "0201ff", NULL, "a negative serial"},
        {"3013" NAME "02020005", NULL, "a needless sign octet"},
        {"3011" NAME "0200", NULL, "an INTEGER without octets"},
        {"3012" NAME "02010500", NULL, "a byte after the end"},
        {"3014" NAME "0201050500", NULL, "a third element"},
        {"300f" NAME, NULL, "no serial"},
        {"3012" NAME "040105", NULL, "the serial is an OCTET STRING"},
        {"3005" "020105" "3000", NULL, "the other way round"},
        {"3003" "020105", NULL, "no issuer"},
        {"3080" NAME "020105" "0000", NULL, "BER"},
        {"3112" NAME "020105", NULL, "a SET"},
        {"308112" NAME "020105", NULL, "a length in long form"},
        {"3000", NULL, "empty"},
        {"", NULL, "nothing"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes der = unhex(cases[i].hex);
        struct issuer_serial out = {BYTES_NONE, BYTES_NONE};
        cr_expect_eq(issuer_serial_decode(der, &out), cases[i].serial != NULL ? R_OK : R_BAD_MESSAGE, "%s", cases[i].why);
        if (cases[i].serial != NULL) {
            expect_hex(out.issuer, NAME, cases[i].why);
            expect_hex(out.serial, cases[i].serial, cases[i].why);
            cr_expect_eq(out.issuer.p, der.p + 2, "%s: it points into the input", cases[i].why);
        } else {
            cr_expect_null(out.issuer.p, "%s: nothing is given", cases[i].why);
        }
        free((void *)der.p);
    }
}

Test(issuer_serial, cut_anywhere)
{
    struct bytes whole = unhex("3012" NAME "020105");

    for (size_t n = 0; n < whole.n; n++) {
        struct issuer_serial out;
        uint8_t *piece = malloc(n + (n == 0));
        cr_assert_not_null(piece);
        memcpy(piece, whole.p, n);
        cr_expect_eq(issuer_serial_decode(BYTES(piece, n), &out), R_BAD_MESSAGE, "cut at %zu", n);
        free(piece);
    }
    free((void *)whole.p);
}

Test(issuer_serial, a_name_has_a_limit)
{
    static const struct { size_t n; enum result r; const char *why; } cases[] = {
        {LIMIT_NAME_DER, R_OK, "as long as may be"}, {LIMIT_NAME_DER + 1, R_BAD_MESSAGE, "one byte more"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct issuer_serial out;
        struct buf b;
        buf_init(&b, 2 * LIMIT_NAME_DER);
        size_t outer = der_open(&b, DER_SEQUENCE), content = cases[i].n - 4;    /* 30 82 and two octets of length */
        der_header(&b, DER_SEQUENCE, content);
        memset(buf_space(&b, content), 0, content);
        der_integer(&b, 5);
        der_close(&b, outer);
        cr_expect_eq(issuer_serial_decode(buf_bytes(&b), &out), cases[i].r, "%s", cases[i].why);
        buf_free(&b);
    }
}
