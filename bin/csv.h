/*
 * csv: comma-separated values (RFC 4180): records of fields, quoted or not, lines ended by LF or CRLF.
 *
 * A quoted field may hold commas, doubled quotes and line ends. A UTF-8 byte order mark at the beginning is skipped, and so
 * are empty lines. Text that is not UTF-8, a NUL, a quote inside a bare field, text behind a closing quote, an open quote at
 * the end: R_BAD_INPUT.
 */
#ifndef CHANCERY_BIN_CSV_H
#define CHANCERY_BIN_CSV_H

#include "lib/base/arena.h"

#define CSV_FIELDS 256               /* of a record */

struct csv {
    const char *next, *end;
    int line;                        /* of the next record, from 1 */
};
void csv_open(struct csv *s, struct bytes text);
/* The next record: its fields in the arena and the line it begins in; *count 0 at the end. R_TOO_LARGE beyond CSV_FIELDS.
 * *line is given where it is refused, too. */
enum result csv_read(struct csv *s, struct arena *a, const char ***fields, uint32_t *count, int *line);

#endif
