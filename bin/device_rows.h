/*
 * device_rows: devices to be added, as the database takes them: a column for each property, and free attributes beside.
 *
 * The same names stand in the options of `device add` and in the header of an imported file; a free attribute is "attr.NAME".
 */
#ifndef CHANCERY_BIN_DEVICE_ROWS_H
#define CHANCERY_BIN_DEVICE_ROWS_H

#include "bin/cli.h"

#define DEVICE_COLUMNS 11
extern const char *const device_columns[DEVICE_COLUMNS];      /* "name" "platform" "serial" … "owner" */

struct device_rows {
    uint32_t count, room;
    const char **columns[DEVICE_COLUMNS];
    uint32_t attribute_count, attribute_room;
    int64_t *attribute_rows;          /* from 1 */
    const char **attribute_names, **attribute_values;
};
void device_rows_init(struct device_rows *d);
void device_rows_free(struct device_rows *d);
/* A row, its columns empty; texts put in are borrowed. */
enum result device_rows_add(struct device_rows *d);
/* To the row added last. */
enum result device_rows_attribute(struct device_rows *d, const char *name, const char *value);
/* Adds them all, or none: *rows then holds the problems, row number and text, and R_BAD_INPUT is returned. group may be NULL. */
enum result device_rows_store(struct cli *c, const struct device_rows *d, const char *group, struct db_rows **rows);

#endif
