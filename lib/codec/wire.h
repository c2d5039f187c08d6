/*
 * wire: plain structs to bytes and back, by tables; for messages between our own programs.
 *
 * A type is a table of fields in order. Numbers are big-endian; texts and bytes have a 32-bit length; lists a 32-bit count.
 * Decoding is strict: lengths and counts within the field's maximum, text valid UTF-8 without NUL, every byte consumed. Adding
 * a field means a new message version: both ends are the same release.
 *
 * A field's max is the greatest length of a text or of bytes, the greatest count of a list (the texts of a list of texts have
 * the frame's limit), the greatest value of a WIRE_U32 where it is not 0; elsewhere it says nothing.
 */
#ifndef CHANCERY_CODEC_WIRE_H
#define CHANCERY_CODEC_WIRE_H

#include <stddef.h>

#include "lib/base/arena.h"

enum wire_kind {
    WIRE_U32,       /* uint32_t */
    WIRE_I64,       /* int64_t */
    WIRE_BOOL,      /* bool */
    WIRE_TEXT,      /* const char *; NULL travels and is told apart from "" */
    WIRE_TEXT_PRESENT,  /* const char *; NULL is refused on both sides */
    WIRE_BYTES,     /* struct bytes; .p NULL travels and is told apart from empty */
    WIRE_LIST,      /* { T *items; uint32_t count; } of .type (or of const char * where .type is NULL) */
    WIRE_STRUCT,    /* an embedded struct of .type */
};
struct wire_type;
struct wire_field { const char *name; enum wire_kind kind; size_t offset; uint32_t max; const struct wire_type *type; };
struct wire_type { const char *name; size_t size; const struct wire_field *fields; size_t count; };

/* R_TOO_LARGE beyond a field's maximum or out's limit, R_BAD_INPUT for a text that is not UTF-8; nothing is written then. */
enum result wire_encode(const struct wire_type *t, const void *value, struct buf *out);
/* value is wholly written on success only; a list without items has items NULL. */
enum result wire_decode(const struct wire_type *t, struct bytes in, struct arena *a, void *value);    /* R_BAD_FRAME */

#endif
