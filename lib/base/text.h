/*
 * text: UTF-8, numbers, and comparison without regard to case.
 */
#ifndef CHANCERY_BASE_TEXT_H
#define CHANCERY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"

/* The first code point of n bytes of UTF-8 and, returned, its length in bytes; 0 where they are not well formed or none. */
size_t text_utf8_next(const void *p, size_t n, uint32_t *code);
/* C0, DEL, C1, line and paragraph separators. */
bool text_is_control(uint32_t code);
/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) and no NUL. */
bool text_is_utf8(const void *p, size_t n);
/* The same, and no control characters. */
bool text_is_printable(const void *p, size_t n);
size_t text_length(const char *s);                 /* code points of valid UTF-8 */
/* How many of the first most bytes of a string make whole characters: where to cut it. All of it where it is shorter. */
size_t text_cut(const char *s, size_t most);
bool text_is_oid(const char *s);                   /* dotted OID, two arcs at least, within LIMIT_OID, RFC-legal first arcs */
bool text_equal_nocase(const char *a, const char *b);   /* ASCII only */
/* A whole decimal number within [min, max]; nothing before or after it. */
enum result text_to_number(const char *s, int64_t min, int64_t max, int64_t *out);
/* Compares as RFC 5280 section 7.1 asks in the simple case: ASCII case folded, runs of white space as one, none at the ends. */
bool text_equal_name(const char *a, const char *b);

#endif
