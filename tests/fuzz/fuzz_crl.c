/* A CRL: our own, read back from a file or the database, or another CA's. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/crl.h"
#include "lib/codec/der.h"

/* Every entry is found, and the count is theirs. */
static void entries_check(const struct crl *c)
{
    struct bytes in = c->entries_der;
    struct der entry, serial;
    size_t count = 0;

    while (in.n > 0) {
        FUZZ_MUST(der_expect(&in, DER_SEQUENCE, &entry) == R_OK && der_expect(&entry.value, DER_INTEGER, &serial) == R_OK);
        if (count < 64)             /* looking one up takes as long as there are entries */
            FUZZ_MUST(crl_contains(c, serial.value));
        count++;
    }
    FUZZ_MUST(count == c->entries);
}

static void crl_check(const struct crl *c, struct bytes der)
{
    FUZZ_MUST(fuzz_within(c->tbs, der) && fuzz_within(c->issuer, c->tbs) && fuzz_within(c->entries_der, c->tbs));
    FUZZ_MUST(fuzz_within(c->aki, c->tbs) && c->hash <= HASH_OTHER);
    FUZZ_MUST(c->idp_url == NULL || text_is_utf8(c->idp_url, strlen(c->idp_url)));
    entries_check(c);
}

FUZZ_TARGET(crl)
{
    static const uint8_t no_key[] = {0x30, 0x00};
    struct crl c, ignored;
    struct arena a;
    struct bytes der = BYTES(data, size);

    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = crl_decode(der, &a, &c);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT, R_TOO_LARGE);
    if (r == R_OK) {
        crl_check(&c, der);
        FUZZ_MUST(crl_verify(der, BYTES(no_key, sizeof no_key)) == R_SIGNATURE_FAILED);
        uint8_t *longer = fuzz_alone(der, size + 1), *shorter = fuzz_alone(der, size - 1);
        FUZZ_MUST(crl_decode(BYTES(longer, size + 1), &a, &ignored) != R_OK);
        FUZZ_MUST(crl_decode(BYTES(shorter, size - 1), &a, &ignored) != R_OK);
        free(shorter);
        free(longer);
    }
    arena_free(&a);
    return 0;
}
