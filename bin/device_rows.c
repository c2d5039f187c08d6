#include "bin/device_rows.h"

#include <stdlib.h>
#include <string.h>

const char *const device_columns[DEVICE_COLUMNS] = {
    "name", "platform", "serial", "imei", "meid", "wifi-mac", "directory-id", "mdm-id", "fqdn", "sid", "owner",
};

void device_rows_init(struct device_rows *d) { memset(d, 0, sizeof *d); }

void device_rows_free(struct device_rows *d)
{
    for (int i = 0; i < DEVICE_COLUMNS; i++)
        free(d->columns[i]);
    free(d->attribute_rows);
    free(d->attribute_names);
    free(d->attribute_values);
    memset(d, 0, sizeof *d);
}

static enum result texts_grow(const char ***texts, uint32_t room)
{
    const char **p = reallocarray(*texts, room, sizeof *p);
    if (p == NULL)
        return R_NO_MEMORY;
    *texts = p;
    return R_OK;
}

enum result device_rows_add(struct device_rows *d)
{
    uint32_t room = d->count < d->room ? d->room : d->room == 0 ? 64 : d->room * 2;
    enum result r = R_OK;
    for (int i = 0; r == R_OK && room != d->room && i < DEVICE_COLUMNS; i++)
        r = texts_grow(&d->columns[i], room);
    if (r != R_OK)
        return r;
    d->room = room;
    for (int i = 0; i < DEVICE_COLUMNS; i++)
        d->columns[i][d->count] = "";
    d->count++;
    return R_OK;
}

enum result device_rows_attribute(struct device_rows *d, const char *name, const char *value)
{
    if (d->attribute_count == d->attribute_room) {
        uint32_t room = d->attribute_room == 0 ? 64 : d->attribute_room * 2;
        int64_t *rows = reallocarray(d->attribute_rows, room, sizeof *rows);
        if (rows == NULL)
            return R_NO_MEMORY;
        d->attribute_rows = rows;
        if (texts_grow(&d->attribute_names, room) != R_OK || texts_grow(&d->attribute_values, room) != R_OK)
            return R_NO_MEMORY;
        d->attribute_room = room;
    }
    d->attribute_rows[d->attribute_count] = d->count;
    d->attribute_names[d->attribute_count] = name;
    d->attribute_values[d->attribute_count++] = value;
    return R_OK;
}

enum result device_rows_store(struct cli *c, const struct device_rows *d, const char *group, struct db_rows **rows)
{
    struct db_param arguments[DEVICE_COLUMNS + 4];
    for (int i = 0; i < DEVICE_COLUMNS; i++)
        arguments[i] = DB_P_TEXTS(d->columns[i], d->count);
    arguments[DEVICE_COLUMNS] = DB_P_INT8S(d->attribute_rows, d->attribute_count);
    arguments[DEVICE_COLUMNS + 1] = DB_P_TEXTS(d->attribute_names, d->attribute_count);
    arguments[DEVICE_COLUMNS + 2] = DB_P_TEXTS(d->attribute_values, d->attribute_count);
    arguments[DEVICE_COLUMNS + 3] = DB_P_TEXT(group);
    enum result r = cli_call(c, OPERATOR_DEVICE_ADD, arguments, DEVICE_COLUMNS + 4, rows);
    return r == R_OK && db_count(*rows) > 0 && !db_null(*rows, 0, 2) ? R_BAD_INPUT : r;
}
