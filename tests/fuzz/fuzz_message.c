/* A PKIOperation's body: the outer layer, the signature and what is known from it. */
#include "tests/fuzz/fuzz.h"

#include "lib/scep/message.h"

static void signed_check(const struct cms_signed *s)
{
    FUZZ_MUST(s->attributes.count >= 1 && s->attributes.count <= LIMIT_SCEP_ATTRIBUTES);
    for (uint32_t i = 0; i < s->attributes.count; i++) {
        FUZZ_MUST(text_is_oid(s->attributes.items[i].oid));
        fuzz_read(s->attributes.items[i].value);
        for (uint32_t k = 0; k < i; k++)
            FUZZ_MUST(strcmp(s->attributes.items[i].oid, s->attributes.items[k].oid) != 0);
    }
    fuzz_read(s->content);
    FUZZ_MUST(s->hash <= HASH_OTHER && s->signer_key.kind <= KEY_OTHER);
    FUZZ_MUST(fuzz_within(s->signer_key.spki, s->signer_certificate) && fuzz_within(s->signer_issuer, s->signer_certificate));
    FUZZ_MUST(fuzz_within(s->signer_serial, s->signer_certificate));
    FUZZ_MUST(s->verified || !s->lenient);
    FUZZ_MUST(!s->verified || (s->signer_key.kind != KEY_OTHER && s->hash != HASH_OTHER && s->signer_certificate.p != NULL));
}

static void message_check(const struct message *m, struct arena *a)
{
    const char *text = message_transaction_text(m, a);

    signed_check(&m->signed_data);
    FUZZ_MUST(m->transaction.value.n >= 1 && m->transaction.value.n <= LIMIT_SCEP_TRANSACTION_ID);
    FUZZ_MUST(m->sender_nonce.n >= 1 && m->sender_nonce.n <= LIMIT_SCEP_NONCE);
    FUZZ_MUST(message_type_name(m->type) != NULL);
    FUZZ_MUST(text != NULL && strlen(text) <= 4 * LIMIT_SCEP_TRANSACTION_ID && text_is_printable(text, strlen(text)));
}

static void decode_check(struct bytes der, bool lenient)
{
    struct message m, ignored;
    struct arena a;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = message_decode(der, lenient, &a, &m);
    FUZZ_RESULT(r, R_OK, R_BAD_MESSAGE);
    if (r == R_OK) {
        message_check(&m, &a);
        FUZZ_MUST(lenient || !m.signed_data.lenient);
        /* To the last byte, and not one more. */
        uint8_t *longer = fuzz_alone(der, der.n + 1), *shorter = fuzz_alone(der, der.n - 1);
        FUZZ_MUST(message_decode(BYTES(longer, der.n + 1), lenient, &a, &ignored) == R_BAD_MESSAGE);
        FUZZ_MUST(message_decode(BYTES(shorter, der.n - 1), lenient, &a, &ignored) == R_BAD_MESSAGE);
        free(shorter);
        free(longer);
    }
    arena_free(&a);
}

FUZZ_TARGET(message)
{
    decode_check(BYTES(data, size), false);
    decode_check(BYTES(data, size), true);
    return 0;
}
