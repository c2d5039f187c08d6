/* A certificate of a stranger: a CA's, brought along, or a client's. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/x509.h"

static void url_check(const char *url)
{
    FUZZ_MUST(url == NULL || (fuzz_is_text(url, LIMIT_NAME_VALUE) && text_is_printable(url, strlen(url))));
}

static void name_check(const struct name *n, struct arena *a)
{
    FUZZ_MUST(n->count <= LIMIT_NAME_ATTRIBUTES && name_text(n, a) != NULL);
    for (uint32_t i = 0; i < n->count; i++)
        FUZZ_MUST(fuzz_is_text(n->items[i].value, LIMIT_NAME_VALUE));
}

static void certificate_check(const struct certificate *c, struct bytes der, struct arena *a)
{
    const struct bytes parts[] = {c->serial, c->issuer, c->subject, c->key.spki, c->ski, c->aki};

    FUZZ_MUST(bytes_equal(c->der, der) && fuzz_within(c->tbs, c->der) && fuzz_within(c->key.bits, c->key.spki));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        FUZZ_MUST(fuzz_within(parts[i], c->tbs));
    FUZZ_MUST(c->serial.n > 0 && c->hash <= HASH_OTHER && c->key.kind <= KEY_OTHER && c->path_length >= -1);
    FUZZ_MUST(c->ekus.count <= LIMIT_EKUS && c->sans.count <= LIMIT_SANS);
    FUZZ_MUST(c->unknown_critical == NULL || text_is_oid(c->unknown_critical));
    name_check(&c->issuer_name, a);
    name_check(&c->subject_name, a);
    url_check(c->crl_url);
    url_check(c->aia_url);
    url_check(c->ocsp_url);
    url_check(c->aia_ldap);
    FUZZ_MUST(fuzz_within(c->name_constraints, c->tbs) && c->require_explicit_policy >= -1);
}

static void constraints_check(const struct certificate *c, struct bytes der)
{
    struct bytes permitted = BYTES_NONE;
    enum result r = certificate_check_names(der, der);

    FUZZ_RESULT(r, R_OK, R_OUT_OF_BOUNDS, R_BAD_INPUT);
    FUZZ_MUST(c->has_name_constraints || r != R_OUT_OF_BOUNDS);
    r = certificate_check_ca_names(der, der);
    FUZZ_RESULT(r, R_OK, R_OUT_OF_BOUNDS, R_BAD_INPUT);
    r = certificate_verify_self(c);
    FUZZ_RESULT(r, R_OK, R_SIGNATURE_FAILED);
    r = certificate_permitted_name(c, &permitted);
    FUZZ_RESULT(r, R_OK, R_NOT_FOUND);
    FUZZ_MUST(r != R_OK || fuzz_within(permitted, c->name_constraints));
}

FUZZ_TARGET(certificate)
{
    struct certificate c, ignored;
    struct arena a;
    struct bytes der = BYTES(data, size);

    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = certificate_decode(der, &a, &c);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT, R_TOO_LARGE);
    if (r == R_OK) {
        certificate_check(&c, der, &a);
        r = certificate_verify(der, c.key.spki);
        FUZZ_RESULT(r, R_OK, R_SIGNATURE_FAILED);
        constraints_check(&c, der);
        uint8_t *longer = fuzz_alone(der, size + 1), *shorter = fuzz_alone(der, size - 1);
        FUZZ_MUST(certificate_decode(BYTES(longer, size + 1), &a, &ignored) != R_OK);
        FUZZ_MUST(certificate_decode(BYTES(shorter, size - 1), &a, &ignored) != R_OK);
        free(shorter);
        free(longer);
    }
    arena_free(&a);
    return 0;
}
