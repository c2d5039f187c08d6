/* The content of an envelope. What is read has to reach the signer as it is. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/csr.h"
#include "lib/signer/message.h"

static void claims_check(const struct claims *c)
{
    FUZZ_MUST(c->subject.count <= LIMIT_NAME_ATTRIBUTES && c->sans.count <= LIMIT_SANS && c->ekus.count <= LIMIT_EKUS);
    for (uint32_t i = 0; i < c->subject.count; i++)
        FUZZ_MUST(fuzz_is_text(c->subject.items[i].value, LIMIT_NAME_VALUE));
    for (uint32_t i = 0; i < c->sans.count; i++)
        FUZZ_MUST(c->sans.items[i].type < SAN_TYPES && fuzz_is_text(c->sans.items[i].value, LIMIT_NAME_VALUE));
    for (uint32_t i = 0; i < c->ekus.count; i++)
        FUZZ_MUST(text_is_oid(c->ekus.items[i]));
    FUZZ_MUST((c->has_sans || c->sans.count == 0) && (c->has_ekus || c->ekus.count == 0));
    FUZZ_MUST(c->has_key_usage || c->key_usage == 0);
}

/* Only a key can be more than a question to the signer holds; a challenge that is longer is not asked about. */
static void question_check(const struct csr *c, struct arena *a)
{
    struct signer_enrol read, q = {.origin = {.ca = "", .transaction = ""}, .challenge = c->challenge, .spki = c->key.spki,
                                   .claims = c->claims};
    struct buf b, again;
    const struct wire_type *type = signer_verbs[SIGNER_ENROL].request;

    buf_init(&b, LIMIT_FRAME);
    buf_init(&again, LIMIT_FRAME);
    if (q.challenge != NULL && strlen(q.challenge) > LIMIT_CHALLENGE)
        q.challenge = NULL;
    enum result r = wire_encode(type, &q, &b);
    FUZZ_MUST(r == R_OK || (r == R_TOO_LARGE && q.spki.n > LIMIT_SPKI));
    if (r == R_OK) {
        FUZZ_MUST(wire_decode(type, buf_bytes(&b), a, &read) == R_OK && wire_encode(type, &read, &again) == R_OK);
        FUZZ_MUST(bytes_equal(buf_bytes(&b), buf_bytes(&again)));
    }
    buf_free(&again);
    buf_free(&b);
}

static void csr_check(const struct csr *c, struct bytes der, struct arena *a)
{
    FUZZ_MUST(bytes_equal(c->der, der) && fuzz_within(c->info, c->der) && fuzz_within(c->key.spki, c->info));
    FUZZ_MUST(fuzz_within(c->key.bits, c->key.spki) && c->key.kind <= KEY_OTHER && c->hash <= HASH_OTHER);
    FUZZ_MUST(c->challenge == NULL || (c->challenge[0] != '\0' && fuzz_is_text(c->challenge, LIMIT_CHALLENGE_FIELD)));
    claims_check(&c->claims);
    const char *subject = name_text(&c->claims.subject, a);
    FUZZ_MUST(subject != NULL && text_is_utf8(subject, strlen(subject)));
    question_check(c, a);
}

FUZZ_TARGET(csr)
{
    struct csr c, ignored;
    struct arena a;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = csr_decode(BYTES(data, size), &a, &c);
    FUZZ_RESULT(r, R_OK, R_CSR_DECODING_FAILED);
    if (r == R_OK) {
        csr_check(&c, BYTES(data, size), &a);
        r = csr_verify(&c);
        FUZZ_RESULT(r, R_OK, R_SIGNATURE_FAILED);
        uint8_t *longer = fuzz_alone(BYTES(data, size), size + 1), *shorter = fuzz_alone(BYTES(data, size), size - 1);
        FUZZ_MUST(csr_decode(BYTES(longer, size + 1), &a, &ignored) == R_CSR_DECODING_FAILED);
        FUZZ_MUST(csr_decode(BYTES(shorter, size - 1), &a, &ignored) == R_CSR_DECODING_FAILED);
        free(shorter);
        free(longer);
    }
    arena_free(&a);
    return 0;
}
