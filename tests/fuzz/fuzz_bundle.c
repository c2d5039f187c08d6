/* The files of an upload: certificates in PEM, DER or PKCS#7, what each says, and the chain that is found among them. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/bundle.h"
#include "lib/policy/byoca.h"

#define CERTIFICATES 16             /* that are judged: the search for a chain takes them all */

static void chain_check(const struct certificate *list, uint32_t count, struct arena *a)
{
    const struct byoca_request q = {.spki = list[0].key.spki, .now = 1800000000};
    struct byoca_chain chain = {.count = 0};
    struct verdict v = {0};
    enum result r = byoca_check(&q, &list[0], list, count, a, &chain, &v);

    FUZZ_RESULT(r, R_OK, R_BAD_INPUT);
    FUZZ_MUST(r == R_OK || v.field != NULL);
    if (r != R_OK)
        return;
    FUZZ_MUST(chain.count >= 1 && chain.count <= LIMIT_CHAIN + 1 && chain.items[0] == &list[0]);
    for (uint32_t i = 0; i + 1 < chain.count; i++) {
        FUZZ_MUST(bytes_equal(chain.items[i]->issuer, chain.items[i + 1]->subject));
        FUZZ_MUST(certificate_verify(chain.items[i]->der, chain.items[i + 1]->key.spki) == R_OK);
    }
    FUZZ_MUST(certificate_verify_self(chain.items[chain.count - 1]) == R_OK);
}

static void certificates_check(const struct bundle *b, size_t most, struct arena *a)
{
    struct certificate list[CERTIFICATES];
    uint32_t count = 0;

    FUZZ_MUST(b->count >= 1 && b->count <= LIMIT_UPLOAD_CERTIFICATES);
    for (uint32_t i = 0; i < b->count; i++) {
        FUZZ_MUST(b->items[i].n <= most && b->items[i].n > 0);
        fuzz_read(b->items[i]);
        if (count < CERTIFICATES && certificate_decode(b->items[i], a, &list[count]) == R_OK)
            count++;
    }
    if (count > 0)
        chain_check(list, count, a);
}

FUZZ_TARGET(bundle)
{
    struct arena a;
    struct bundle b = {NULL, 0};
    const char *fault = NULL;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = bundle_add(BYTES(data, size), &a, &b, &fault);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT, R_TOO_LARGE);
    FUZZ_MUST((r == R_OK) == (fault == NULL));
    if (r == R_OK)
        certificates_check(&b, size, &a);
    arena_free(&a);
    return 0;
}
