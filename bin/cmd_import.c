/* Devices from a file, all or none. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bin/csv.h"
#include "bin/device_rows.h"
#include "lib/base/text.h"

#define FILE_MOST 12582912           /* bytes: 100,000 devices of 120 */
#define ATTRIBUTE "attr."

struct import {
    struct cli *cli;
    const char *path;
    struct device_rows devices;
    int columns[CSV_FIELDS];          /* of the file: one of device_columns, or -1: a free attribute */
    const char **header;
    uint32_t fields;
    int *lines;                       /* of the file, where each device stands */
    bool bad;
};

static enum result file_read(struct cli *c, const char *path, struct buf *text)
{
    bool from_stdin = strcmp(path, "-") == 0;
    int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    enum result r = R_OK;
    if (fd < 0)
        return cli_refuse(c, R_IO, "%s: %s", path, strerror(errno));
    for (;;) {
        char block[65536];
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = cli_refuse(c, R_IO, "%s: %s", path, strerror(errno));
        if (n <= 0)
            break;
        buf_append(text, block, (size_t)n);
    }
    if (!from_stdin)
        close(fd);
    if (r == R_OK && text->failed)
        r = cli_refuse(c, R_TOO_LARGE, "%s: a file has %d bytes at most; import it in parts.", path, FILE_MOST);
    return r;
}

static void bad_line(struct import *m, int line, const char *problem)
{
    cli_say("%s:%d: %s", m->path, line, problem);
    m->bad = true;
    m->cli->said = true;
}

static int column_find(const char *name)
{
    for (int i = 0; i < DEVICE_COLUMNS; i++)
        if (strcmp(device_columns[i], name) == 0)
            return i;
    return -1;
}

static enum result header_read(struct import *m, struct csv *s)
{
    int line;
    bool seen[DEVICE_COLUMNS] = {false};
    enum result r = csv_read(s, &m->cli->arena, &m->header, &m->fields, &line);
    if (r != R_OK || m->fields == 0) {
        bad_line(m, line, "wanted a header with the names of the columns");
        return R_BAD_INPUT;
    }
    for (uint32_t i = 0; i < m->fields; i++) {
        const char *name = m->header[i];
        m->columns[i] = column_find(name);
        if (m->columns[i] < 0 && (strncmp(name, ATTRIBUTE, strlen(ATTRIBUTE)) != 0 || name[strlen(ATTRIBUTE)] == '\0'))
            bad_line(m, line, arena_printf(&m->cli->arena, "there is no column \"%s\"", name));
        else if (m->columns[i] >= 0 && seen[m->columns[i]])
            bad_line(m, line, arena_printf(&m->cli->arena, "column \"%s\" stands twice", name));
        else if (m->columns[i] >= 0)
            seen[m->columns[i]] = true;
    }
    if (!m->bad && !(seen[0] && seen[1]))
        bad_line(m, line, "wanted columns \"name\" and \"platform\" at least");
    return m->bad ? R_BAD_INPUT : R_OK;
}

static enum result device_take(struct import *m, const char **fields, int line)
{
    struct device_rows *d = &m->devices;
    uint32_t room = d->room;
    enum result r = device_rows_add(d);
    if (r == R_OK && d->room != room) {
        int *lines = reallocarray(m->lines, d->room, sizeof *lines);
        r = lines != NULL ? R_OK : R_NO_MEMORY;
        m->lines = lines != NULL ? lines : m->lines;
    }
    if (r != R_OK)
        return r;
    m->lines[d->count - 1] = line;
    for (uint32_t i = 0; r == R_OK && i < m->fields; i++) {
        if (m->columns[i] >= 0)
            d->columns[m->columns[i]][d->count - 1] = fields[i];
        else if (*fields[i] != '\0')
            r = device_rows_attribute(d, m->header[i] + strlen(ATTRIBUTE), fields[i]);
    }
    return r;
}

/* Every line is looked at, so that all that is wrong is told at once. */
static enum result devices_read(struct import *m, struct csv *s)
{
    for (;;) {
        const char **fields;
        uint32_t count;
        int line;
        enum result r = csv_read(s, &m->cli->arena, &fields, &count, &line);
        if (r == R_BAD_INPUT || r == R_TOO_LARGE) {
            bad_line(m, line, "a quote is wrong, or this is no UTF-8 text");
            return R_BAD_INPUT;
        }
        if (r != R_OK || count == 0)
            return r != R_OK ? r : m->bad ? R_BAD_INPUT : R_OK;
        if (count != m->fields)
            bad_line(m, line, arena_printf(&m->cli->arena, "found %u fields, wanted %u", count, m->fields));
        else if ((r = device_take(m, fields, line)) != R_OK)
            return r;
    }
}

static enum result devices_store(struct import *m)
{
    struct db_rows *rows = NULL;
    enum result r = device_rows_store(m->cli, &m->devices, cli_text(m->cli, "group"), &rows);
    for (int i = 0; r == R_BAD_INPUT && rows != NULL && i < db_count(rows); i++) {
        int64_t row = db_number(rows, i, 0);
        if (row >= 1 && row <= m->devices.count)
            bad_line(m, m->lines[row - 1], db_text(rows, i, 2));
    }
    db_rows_free(rows);
    if (r == R_OK)
        printf(m->cli->json ? "{\"devices\":%u}\n" : "%u\n", m->devices.count);
    return r;
}

static enum result device_import(struct cli *c)
{
    struct import m = {.cli = c, .path = c->argument};
    struct buf text;
    struct csv s;
    buf_init(&text, FILE_MOST);
    device_rows_init(&m.devices);
    enum result r = file_read(c, m.path, &text);
    csv_open(&s, buf_bytes(&text));
    if (r == R_OK)
        r = header_read(&m, &s);
    if (r == R_OK)
        r = devices_read(&m, &s);
    if (r == R_OK && m.devices.count == 0)
        r = cli_refuse(c, R_BAD_INPUT, "%s: there are no devices in it.", m.path);
    if (r == R_OK)
        r = devices_store(&m);
    free(m.lines);
    device_rows_free(&m.devices);
    buf_free(&text);
    return r;
}

static const struct option import_options[] = {
    {"group", "GROUP", OPTION_TEXT, 0, "put them all into this group", 0, 0}, OPTION_END,
};

const struct command commands_import[] = {
    {"device", "import", "FILE", OPTION_TEXT, import_options, false,
     "add the devices of a CSV file, all or none; prints how many", device_import},
    {0},
};
