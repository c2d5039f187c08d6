#include "bin/cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/codec/x509.h"

#define COLUMNS 64
#define GAP 2
#define PEM_SIZE (64 * 1048576)      /* bytes of text: a CRL of a million entries has 40 MB of DER at most */

/* What was stored may have been a stranger's: no control character reaches the terminal. Returns the width in characters. */
static size_t cell_write(const char *s, size_t n)
{
    size_t width = 0;
    for (size_t at = 0; at < n; width++) {
        uint32_t code;
        size_t length = text_utf8_next(s + at, n - at, &code);
        if (length == 0 || text_is_control(code))
            putchar('?');
        else
            fwrite(s + at, 1, length, stdout);
        at += length == 0 ? 1 : length;
    }
    return width;
}

static size_t cell_width(const char *s)
{
    size_t width = 0, n = strlen(s);
    for (size_t at = 0; at < n; width++) {
        uint32_t code;
        size_t length = text_utf8_next(s + at, n - at, &code);
        at += length == 0 ? 1 : length;
    }
    return width;
}

static void pad(size_t width)
{
    while (width-- > 0)
        putchar(' ');
}

/* "not_after" as "NOT AFTER". */
static void heading_write(const char *name)
{
    for (; *name != '\0'; name++)
        putchar(*name == '_' ? ' ' : toupper((unsigned char)*name));
}

/* The last cell of a row has nothing behind it. */
static void row_write(const char **cells, uint32_t count, const size_t *widths)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t width = cell_write(cells[i], strlen(cells[i]));
        if (i + 1 < count)
            pad(widths[i] - width + GAP);
    }
    putchar('\n');
}

static enum result table_row(const struct db_rows *rows, int row, struct arena *a, uint32_t columns, const char ***cells)
{
    uint32_t count;
    arena_free(a);
    enum result r = operator_cells(rows, row, a, cells, &count);
    return r == R_OK && count != columns ? R_INTERNAL : r;
}

enum result output_table(const struct db_rows *rows)
{
    size_t widths[COLUMNS];
    const char **names, **cells;
    uint32_t columns;
    struct arena heading, line;
    if (db_count(rows) == 0)
        return R_OK;
    arena_init(&heading, LIMIT_ARENA_REQUEST);
    arena_init(&line, LIMIT_ARENA_REQUEST);
    enum result r = operator_names(rows, &heading, &names, &columns);
    if (r == R_OK && columns > COLUMNS)
        r = R_TOO_LARGE;
    for (uint32_t i = 0; r == R_OK && i < columns; i++)
        widths[i] = strlen(names[i]);
    for (int row = 0; r == R_OK && row < db_count(rows); row++) {
        r = table_row(rows, row, &line, columns, &cells);
        for (uint32_t i = 0; r == R_OK && i < columns; i++) {
            size_t width = cell_width(cells[i]);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (uint32_t i = 0; r == R_OK && i < columns; i++) {
        heading_write(names[i]);
        if (i + 1 < columns)
            pad(widths[i] - strlen(names[i]) + GAP);
        else
            putchar('\n');
    }
    for (int row = 0; r == R_OK && row < db_count(rows); row++) {
        r = table_row(rows, row, &line, columns, &cells);
        if (r == R_OK)
            row_write(cells, columns, widths);
    }
    arena_free(&heading);
    arena_free(&line);
    return r;
}

/* A value of several lines continues below its beginning. */
static void value_write(const char *s, size_t indent)
{
    const char *end;
    while ((end = strchr(s, '\n')) != NULL) {
        cell_write(s, (size_t)(end - s));
        putchar('\n');
        pad(indent);
        s = end + 1;
    }
    cell_write(s, strlen(s));
    putchar('\n');
}

enum result output_show(const struct db_rows *rows)
{
    const char **names, **cells;
    uint32_t columns, count;
    size_t width = 0;
    struct arena a;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = operator_names(rows, &a, &names, &columns);
    if (r == R_OK)
        r = operator_cells(rows, 0, &a, &cells, &count);
    if (r == R_OK && count != columns)
        r = R_INTERNAL;
    for (uint32_t i = 0; r == R_OK && i < columns; i++)
        width = strlen(names[i]) > width ? strlen(names[i]) : width;
    for (uint32_t i = 0; r == R_OK && i < columns; i++) {
        if (*cells[i] == '\0') {
            puts(names[i]);
            continue;
        }
        fputs(names[i], stdout);
        pad(width - strlen(names[i]) + GAP);
        value_write(cells[i], width + GAP);
    }
    arena_free(&a);
    return r;
}

void output_json_string(const char *s)
{
    putchar('"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            printf("\\u%04x", (unsigned char)*s);
        else
            putchar(*s);
    }
    putchar('"');
}

enum result output_der(struct bytes der, bool pem, const char *label)
{
    struct buf text;
    if (!pem)
        return fwrite(der.p, 1, der.n, stdout) == der.n ? R_OK : R_IO;
    buf_init(&text, PEM_SIZE);
    enum result r = pem_encode(label, der, &text);
    if (r == R_OK && fwrite(text.p, 1, text.n, stdout) != text.n)
        r = R_IO;
    buf_free(&text);
    return r;
}
