/* A distinguished name. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/name.h"

/* What can be written reads as it was, and writes as it did: only within an RDN, which is a set, the order may be another. */
static void name_again(const struct name *n, struct arena *a)
{
    struct buf first, second;
    struct name read;

    buf_init(&first, LIMIT_NAME_DER);
    buf_init(&second, LIMIT_NAME_DER);
    enum result r = name_encode(n, &first);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT, R_TOO_LARGE);
    if (r == R_OK) {
        FUZZ_MUST(name_decode(buf_bytes(&first), a, &read) == R_OK && read.count == n->count);
        for (uint32_t i = 0; i < n->count; i++) {
            uint32_t k = 0;
            while (k < n->count && (read.items[k].rdn != n->items[i].rdn || strcmp(read.items[k].oid, n->items[i].oid) != 0 ||
                                    strcmp(read.items[k].value, n->items[i].value) != 0))
                k++;
            FUZZ_MUST(k < n->count);
        }
        FUZZ_MUST(name_encode(&read, &second) == R_OK && bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    } else {
        FUZZ_MUST(first.n == 0);
    }
    buf_free(&second);
    buf_free(&first);
}

static void name_check(const struct name *n, struct arena *a)
{
    const char *text = name_text(n, a);

    FUZZ_MUST(n->count <= LIMIT_NAME_ATTRIBUTES);
    for (uint32_t i = 0; i < n->count; i++) {
        FUZZ_MUST(text_is_oid(n->items[i].oid) && fuzz_is_text(n->items[i].value, LIMIT_NAME_VALUE));
        FUZZ_MUST(name_find(n, n->items[i].oid) != NULL);
        FUZZ_MUST(i == 0 || n->items[i].rdn == n->items[i - 1].rdn || n->items[i].rdn == n->items[i - 1].rdn + 1);
    }
    FUZZ_MUST(text != NULL && text_is_utf8(text, strlen(text)));
    name_again(n, a);
}

FUZZ_TARGET(name)
{
    struct name n;
    struct arena a;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = name_decode(BYTES(data, size), &a, &n);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT, R_TOO_LARGE);
    if (r == R_OK)
        name_check(&n, &a);
    arena_free(&a);
    return 0;
}
