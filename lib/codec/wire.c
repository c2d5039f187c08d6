#include "lib/codec/wire.h"

#include <string.h>

#include "lib/base/text.h"

/* The length that stands for NULL; no field's maximum reaches it. */
#define NONE UINT32_MAX

/* What stands in a WIRE_LIST field, the one behind the other. */
struct list { void *items; uint32_t count; };
#define LIST_COUNT offsetof(struct list, count)

static void u32_put(struct buf *b, uint32_t v)
{
    uint8_t p[4];
    be32_put(p, v);
    buf_append(b, p, sizeof p);
}

static enum result u32_take(struct bytes *in, uint32_t *out)
{
    if (in->n < 4)
        return R_BAD_FRAME;
    *out = be32_get(in->p);
    in->p += 4;
    in->n -= 4;
    return R_OK;
}

/* ---- encoding ---- */

static enum result text_encode(const char *s, uint32_t max, struct buf *b)
{
    if (!s) {
        u32_put(b, NONE);
        return R_OK;
    }
    size_t n = strlen(s);
    if (n > max)
        return R_TOO_LARGE;
    if (!text_is_utf8(s, n))
        return R_BAD_INPUT;
    u32_put(b, (uint32_t)n);
    buf_append(b, s, n);
    return R_OK;
}

static enum result bytes_encode(struct bytes v, uint32_t max, struct buf *b)
{
    if (v.p && v.n > max)
        return R_TOO_LARGE;
    u32_put(b, v.p ? (uint32_t)v.n : NONE);
    if (v.p)
        buf_append(b, v.p, v.n);
    return R_OK;
}

static enum result fields_encode(const struct wire_type *t, const uint8_t *base, struct buf *b);

static enum result list_encode(const struct wire_field *f, const uint8_t *at, struct buf *b)
{
    struct list list;
    memcpy(&list.items, at, sizeof list.items);
    memcpy(&list.count, at + LIST_COUNT, sizeof list.count);
    if (list.count > f->max)
        return R_TOO_LARGE;
    u32_put(b, list.count);
    enum result r = R_OK;
    for (uint32_t i = 0; r == R_OK && i < list.count; i++) {
        if (f->type)
            r = fields_encode(f->type, (const uint8_t *)list.items + i * f->type->size, b);
        else
            r = ((const char **)list.items)[i] ? text_encode(((const char **)list.items)[i], NONE - 1, b) : R_BAD_INPUT;
    }
    return r;
}

static enum result field_encode(const struct wire_field *f, const uint8_t *at, struct buf *b)
{
    uint8_t p[8];
    switch (f->kind) {
    case WIRE_U32:
        if (f->max > 0 && *(const uint32_t *)at > f->max)
            return R_TOO_LARGE;
        u32_put(b, *(const uint32_t *)at);
        return R_OK;
    case WIRE_I64:
        be64_put(p, (uint64_t)*(const int64_t *)at);
        buf_append(b, p, sizeof p);
        return R_OK;
    case WIRE_BOOL:
        buf_byte(b, *(const bool *)at);
        return R_OK;
    case WIRE_TEXT_PRESENT:
        if (!*(const char *const *)at)
            return R_BAD_INPUT;
        return text_encode(*(const char *const *)at, f->max, b);
    case WIRE_TEXT:
        return text_encode(*(const char *const *)at, f->max, b);
    case WIRE_BYTES:
        return bytes_encode(*(const struct bytes *)at, f->max, b);
    case WIRE_LIST:
        return list_encode(f, at, b);
    case WIRE_STRUCT:
        return fields_encode(f->type, at, b);
    }
    return R_INTERNAL;
}

static enum result fields_encode(const struct wire_type *t, const uint8_t *base, struct buf *b)
{
    enum result r = R_OK;
    for (size_t i = 0; r == R_OK && i < t->count; i++)
        r = field_encode(&t->fields[i], base + t->fields[i].offset, b);
    return r;
}

enum result wire_encode(const struct wire_type *t, const void *value, struct buf *out)
{
    size_t start = out->n;
    enum result r = fields_encode(t, value, out);
    if (r == R_OK)
        r = buf_result(out);
    if (r != R_OK)
        out->n = start;
    return r;
}

/* ---- decoding ---- */

static enum result length_take(struct bytes *in, uint32_t max, uint32_t *n)
{
    if (u32_take(in, n) != R_OK || (*n != NONE && (*n > max || *n > in->n)))
        return R_BAD_FRAME;
    return R_OK;
}

static enum result text_take(struct bytes *in, uint32_t max, struct arena *a, const char **out)
{
    uint32_t n;
    if (length_take(in, max, &n) != R_OK)
        return R_BAD_FRAME;
    *out = NULL;
    if (n == NONE)
        return R_OK;
    if (!text_is_utf8(in->p, n))
        return R_BAD_FRAME;
    *out = arena_text(a, in->p, n);
    if (!*out)
        return R_NO_MEMORY;
    in->p += n;
    in->n -= n;
    return R_OK;
}

static enum result bytes_take(struct bytes *in, uint32_t max, struct arena *a, struct bytes *out)
{
    uint32_t n;
    if (length_take(in, max, &n) != R_OK)
        return R_BAD_FRAME;
    *out = BYTES_NONE;
    if (n == NONE)
        return R_OK;
    *out = arena_bytes(a, BYTES(in->p, n));
    if (!out->p)
        return R_NO_MEMORY;
    in->p += n;
    in->n -= n;
    return R_OK;
}

static enum result fields_take(const struct wire_type *t, struct bytes *in, struct arena *a, uint8_t *base);

static enum result list_take(const struct wire_field *f, struct bytes *in, struct arena *a, uint8_t *at)
{
    struct list list = {NULL, 0};
    size_t size = f->type ? f->type->size : sizeof(const char *);
    /* An item takes a byte at least, so that a small frame cannot ask for much memory. */
    if (u32_take(in, &list.count) != R_OK || list.count > f->max || list.count > in->n)
        return R_BAD_FRAME;
    if (list.count > 0 && !(list.items = arena_array(a, list.count, size)))
        return R_NO_MEMORY;
    enum result r = R_OK;
    for (uint32_t i = 0; r == R_OK && i < list.count; i++) {
        uint8_t *item = (uint8_t *)list.items + i * size;
        r = f->type ? fields_take(f->type, in, a, item) : text_take(in, NONE - 1, a, (const char **)item);
        if (r == R_OK && !f->type && !*(const char **)item)
            r = R_BAD_FRAME;
    }
    memcpy(at, &list.items, sizeof list.items);
    memcpy(at + LIST_COUNT, &list.count, sizeof list.count);
    return r;
}

static enum result field_take(const struct wire_field *f, struct bytes *in, struct arena *a, uint8_t *at)
{
    enum result r;
    switch (f->kind) {
    case WIRE_U32:
        r = u32_take(in, (uint32_t *)at);
        return r == R_OK && f->max > 0 && *(uint32_t *)at > f->max ? R_BAD_FRAME : r;
    case WIRE_I64:
        if (in->n < 8)
            return R_BAD_FRAME;
        *(int64_t *)at = (int64_t)be64_get(in->p);
        *in = BYTES(in->p + 8, in->n - 8);
        return R_OK;
    case WIRE_BOOL:
        if (in->n < 1 || in->p[0] > 1)
            return R_BAD_FRAME;
        *(bool *)at = in->p[0];
        *in = BYTES(in->p + 1, in->n - 1);
        return R_OK;
    case WIRE_TEXT_PRESENT:
        r = text_take(in, f->max, a, (const char **)at);
        return r == R_OK && !*(const char **)at ? R_BAD_FRAME : r;
    case WIRE_TEXT:
        return text_take(in, f->max, a, (const char **)at);
    case WIRE_BYTES:
        return bytes_take(in, f->max, a, (struct bytes *)at);
    case WIRE_LIST:
        return list_take(f, in, a, at);
    case WIRE_STRUCT:
        return fields_take(f->type, in, a, at);
    }
    return R_INTERNAL;
}

static enum result fields_take(const struct wire_type *t, struct bytes *in, struct arena *a, uint8_t *base)
{
    enum result r = R_OK;
    for (size_t i = 0; r == R_OK && i < t->count; i++)
        r = field_take(&t->fields[i], in, a, base + t->fields[i].offset);
    return r;
}

enum result wire_decode(const struct wire_type *t, struct bytes in, struct arena *a, void *value)
{
    uint8_t *copy = arena_alloc(a, t->size);
    if (!copy)
        return R_NO_MEMORY;
    enum result r = fields_take(t, &in, a, copy);
    if (r == R_OK && in.n > 0)
        r = R_BAD_FRAME;
    if (r == R_OK)
        memcpy(value, copy, t->size);
    return r;
}
