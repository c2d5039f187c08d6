/* Subject alternative names, as requests and certificates carry them. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/name.h"

static void sans_again(const struct sans *s, struct arena *a)
{
    struct buf b;
    struct sans read;

    buf_init(&b, LIMIT_CERTIFICATE);
    enum result r = sans_encode(s, &b);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT, R_TOO_LARGE);
    if (r == R_OK) {
        FUZZ_MUST(sans_decode(buf_bytes(&b), a, &read) == R_OK && read.count == s->count);
        for (uint32_t i = 0; i < s->count; i++)
            FUZZ_MUST(read.items[i].type == s->items[i].type && strcmp(read.items[i].value, s->items[i].value) == 0);
    }
    buf_free(&b);
}

FUZZ_TARGET(sans)
{
    struct sans s;
    struct arena a;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = sans_decode(BYTES(data, size), &a, &s);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT, R_TOO_LARGE);
    if (r == R_OK) {
        FUZZ_MUST(s.count <= LIMIT_SANS);
        for (uint32_t i = 0; i < s.count; i++)
            FUZZ_MUST(s.items[i].type < SAN_TYPES && fuzz_is_text(s.items[i].value, LIMIT_NAME_VALUE));
        sans_again(&s, &a);
    }
    arena_free(&a);
    return 0;
}
