#include "bin/csv.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

static struct arena arena;

static void setup(void) { arena_init(&arena, 1048576); }
static void teardown(void) { arena_free(&arena); }

TestSuite(csv, .init = setup, .fini = teardown);

/* A file as one text: fields between "|", records between "/", each with the line it begins in; the result that ended it. */
static enum result read_all(const char *text, size_t n, char *out, size_t size)
{
    struct csv s;
    enum result r;
    size_t at = 0;
    out[0] = '\0';
    csv_open(&s, BYTES(text, n));
    for (;;) {
        const char **fields;
        uint32_t count;
        int line;
        r = csv_read(&s, &arena, &fields, &count, &line);
        if (r != R_OK || count == 0)
            return r;
        at += (size_t)snprintf(out + at, size - at, "%s%d:", at > 0 ? "/" : "", line);
        for (uint32_t i = 0; i < count; i++)
            at += (size_t)snprintf(out + at, size - at, "%s%s", i > 0 ? "|" : "", fields[i]);
    }
}

Test(csv, records)
{
    static const struct { const char *text, *wanted; enum result r; const char *why; } cases[] = {
        {"", "", R_OK, "nothing"},
        {"a,b\nc,d\n", "1:a|b/2:c|d", R_OK, "lines"},
        {"a,b\r\nc,d", "1:a|b/2:c|d", R_OK, "CRLF, and no end of the last line"},
        {"\xef\xbb\xbf" "a\n", "1:a", R_OK, "a byte order mark"},
        {"\n\r\na\n\n\nb\n\n", "3:a/6:b", R_OK, "empty lines are no records and are counted"},
        {",\n", "1:|", R_OK, "two empty fields"},
        {"a,\n", "1:a|", R_OK, "an empty field at the end"},
        {"a,", "1:a|", R_OK, "and at the end of the file"},
        {"\"a,b\",\"c\"\"d\"\n", "1:a,b|c\"d", R_OK, "commas and quotes in quotes"},
        {"\"\",x\n", "1:|x", R_OK, "nothing in quotes"},
        {"\"\"\"\"\n", "1:\"", R_OK, "a quote alone"},
        {"\"a\nb\",c\nd\n", "1:a\nb|c/3:d", R_OK, "a line end in quotes counts as a line"},
        {"\"a\r\nb\"\r\n", "1:a\r\nb", R_OK, "so does CRLF"},
        {"a\rb\n", "1:a\rb", R_OK, "a CR alone ends no line"},
        {" a , b \n", "1: a | b ", R_OK, "blanks belong to the field"},
        {"\xc3\xb6\n", "1:\xc3\xb6", R_OK, "UTF-8"},
        {"a\n\xf6\n", "1:a", R_BAD_INPUT, "Latin-1"},
        {"a\n\"b\n", "1:a", R_BAD_INPUT, "an open quote"},
        {"\"", "", R_BAD_INPUT, "an open quote at the very end"},
        {"\"a\"b\n", "", R_BAD_INPUT, "text behind a quote"},
        {"a\"b\n", "", R_BAD_INPUT, "a quote in a bare field"},
        {"\"a\"\"\n", "", R_BAD_INPUT, "a doubled quote does not close"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[256];
        enum result r = read_all(cases[i].text, strlen(cases[i].text), out, sizeof out);
        cr_expect_eq(r, cases[i].r, "%s: %s", cases[i].why, result_name(r));
        cr_expect_str_eq(out, cases[i].wanted, "%s: %s", cases[i].why, out);
    }
}

Test(csv, nul_is_no_text)
{
    char out[256];
    cr_expect_eq(read_all("a\0b\n", 4, out, sizeof out), R_BAD_INPUT);
}

Test(csv, fields_are_bounded)
{
    static char text[2 * CSV_FIELDS + 2];
    char out[4096];
    for (int i = 0; i < CSV_FIELDS; i++)
        memcpy(text + 2 * i, i + 1 < CSV_FIELDS ? "x," : "x\n", 2);
    cr_expect_eq(read_all(text, 2 * CSV_FIELDS, out, sizeof out), R_OK, "as many as may be");
    text[2 * CSV_FIELDS - 1] = ',';
    text[2 * CSV_FIELDS] = 'x';
    cr_expect_eq(read_all(text, 2 * CSV_FIELDS + 1, out, sizeof out), R_TOO_LARGE, "one more");
}
