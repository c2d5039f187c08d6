/*
 * Requests to the signer and its replies. The first octet of the input chooses verb and direction, the second what the rest is:
 *
 *   even   bytes off the socket, as they are
 *   odd    values: a struct is filled from them by its description, so that a new field needs no new inputs
 */
#include "tests/fuzz/fuzz.h"

#include "lib/signer/message.h"

static uint8_t octet_take(struct bytes *in)
{
    if (in->n == 0)
        return 0;
    uint8_t octet = in->p[0];
    *in = BYTES(in->p + 1, in->n - 1);
    return octet;
}

static uint64_t number_take(struct bytes *in, int octets)
{
    uint64_t n = 0;
    while (octets-- > 0)
        n = n << 8 | octet_take(in);
    return n;
}

/* 255 stands for NULL, 254 for a length of two octets. */
static struct bytes run_take(struct bytes *in)
{
    size_t n = octet_take(in);
    if (n == 255)
        return BYTES_NONE;
    if (n == 254)
        n = (size_t)number_take(in, 2);
    n = n < in->n ? n : in->n;
    struct bytes run = BYTES(in->p, n);
    *in = BYTES(in->p + n, in->n - n);
    return run;
}

static const char *text_take(struct bytes *in, struct arena *a)
{
    struct bytes run = run_take(in);
    return run.p != NULL ? arena_text(a, run.p, strnlen((const char *)run.p, run.n)) : NULL;
}

static void value_make(const struct wire_type *t, struct bytes *in, struct arena *a, uint8_t *at);

static void list_make(const struct wire_field *f, struct bytes *in, struct arena *a, uint8_t *at)
{
    struct list { void *items; uint32_t count; } *list = (struct list *)(void *)at;
    size_t item = f->type != NULL ? f->type->size : sizeof(const char *);

    list->count = octet_take(in) % 8;
    list->items = list->count > 0 ? arena_array(a, list->count, item) : NULL;
    FUZZ_MUST(list->count == 0 || list->items != NULL);
    for (uint32_t i = 0; i < list->count; i++)
        if (f->type != NULL)
            value_make(f->type, in, a, (uint8_t *)list->items + i * item);
        else
            ((const char **)list->items)[i] = text_take(in, a);
}

static void value_make(const struct wire_type *t, struct bytes *in, struct arena *a, uint8_t *at)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct wire_field *f = &t->fields[i];
        uint8_t *field = at + f->offset;
        switch (f->kind) {
        case WIRE_U32:
            *(uint32_t *)(void *)field = (uint32_t)(number_take(in, 4) % (f->max > 0 ? f->max + 2ULL : 1ULL << 32));
            break;
        case WIRE_I64:
            *(int64_t *)(void *)field = (int64_t)number_take(in, 8);
            break;
        case WIRE_BOOL:
            *(bool *)field = octet_take(in) & 1;
            break;
        case WIRE_TEXT: case WIRE_TEXT_PRESENT:
            *(const char **)(void *)field = text_take(in, a);
            break;
        case WIRE_BYTES:
            *(struct bytes *)(void *)field = run_take(in);
            break;
        case WIRE_LIST:
            list_make(f, in, a, field);
            break;
        case WIRE_STRUCT:
            value_make(f->type, in, a, field);
            break;
        }
    }
}

/* What was decoded encodes to the same bytes: there is one form of each value. */
static void form_check(const struct wire_type *t, struct bytes body, struct arena *a)
{
    struct buf b;
    void *value = arena_alloc(a, t->size);

    FUZZ_MUST(value != NULL);
    enum result r = wire_decode(t, body, a, value);
    FUZZ_RESULT(r, R_OK, R_BAD_FRAME, R_NO_MEMORY);
    if (r != R_OK)
        return;
    buf_init(&b, LIMIT_FRAME);
    FUZZ_MUST(wire_encode(t, value, &b) == R_OK && bytes_equal(buf_bytes(&b), body));
    buf_free(&b);
}

/* What can be said is heard; a byte less or more is not. */
static void value_check(const struct wire_type *t, struct bytes in, struct arena *a)
{
    struct buf b;
    void *value = arena_alloc(a, t->size), *ignored = arena_alloc(a, t->size);

    FUZZ_MUST(value != NULL && ignored != NULL);
    value_make(t, &in, a, value);
    buf_init(&b, LIMIT_FRAME);
    enum result r = wire_encode(t, value, &b);
    FUZZ_RESULT(r, R_OK, R_TOO_LARGE, R_BAD_INPUT);
    FUZZ_MUST(r == R_OK || b.n == 0);
    if (r == R_OK) {
        size_t n = b.n;
        buf_byte(&b, 0);
        form_check(t, BYTES(b.p, n), a);
        FUZZ_MUST(wire_decode(t, BYTES(b.p, n), a, ignored) == R_OK);
        FUZZ_MUST(wire_decode(t, BYTES(b.p, n + 1), a, ignored) == R_BAD_FRAME);
        FUZZ_MUST(n == 0 || wire_decode(t, BYTES(b.p, n - 1), a, ignored) == R_BAD_FRAME);
    }
    buf_free(&b);
}

FUZZ_TARGET(wire)
{
    struct arena a;

    if (size < 2)
        return 0;
    const struct signer_verb_info *verb = &signer_verbs[data[0] / 2 % SIGNER_VERBS];
    const struct wire_type *t = data[0] % 2 == 0 ? verb->request : verb->reply;
    if (t == NULL)                  /* number 0 is no verb: there stands what every reply begins with */
        t = &signer_reply_type;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    (data[1] % 2 == 0 ? form_check : value_check)(t, BYTES(data + 2, size - 2), &a);
    arena_free(&a);
    return 0;
}
