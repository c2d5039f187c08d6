#include "lib/codec/crl.h"

#include <criterion/criterion.h>

#include <string.h>

#include <openssl/x509v3.h>

#include "lib/base/log.h"
#include "lib/codec/der.h"
#include "lib/codec/pkey.h"

#define LIMIT 4194304
#define THIS_UPDATE 1795359845      /* 2026-11-22T13:44:05Z */
#define NEXT_UPDATE (THIS_UPDATE + 604800)
#define URL "http://pki.example.org/crl/7_v1/3.crl"

static struct arena arena;
static struct pkey *key;
static struct bytes spki, issuer;
static const uint8_t aki[20] = {0xa1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};

static void setup(void)
{
    struct buf b;
    struct name_attribute attributes[] = {{OID_O, "Example", 0}, {OID_CN, "Issuing CA", 1}};
    struct name name = {attributes, 2};

    log_to(-1);
    arena_init(&arena, LIMIT);
    cr_assert_eq(pkey_generate_rsa(2048, &key), R_OK);
    cr_assert_eq(pkey_spki(key, &arena, &spki), R_OK);
    buf_init(&b, 4096);
    cr_assert_eq(name_encode(&name, &b), R_OK);
    issuer = arena_bytes(&arena, buf_bytes(&b));
    buf_free(&b);
}

static void teardown(void)
{
    pkey_free(key);
    arena_free(&arena);
}

static struct crl_content content(void)
{
    return (struct crl_content){.hash = HASH_SHA256, .issuer = issuer, .this_update = THIS_UPDATE, .next_update = NEXT_UPDATE,
                                .number = THIS_UPDATE, .aki = BYTES(aki, sizeof aki)};
}

/* As the signer does it: entries first, then what goes around them, the signature over the parts. */
static struct bytes crl_make(const struct crl_content *c, struct bytes entries)
{
    struct buf head, tail, out;
    struct pkey_signing *s;
    struct bytes signature, algorithm = hash_rsa_algorithm(c->hash);

    buf_init(&head, 16384);
    buf_init(&tail, 16384);
    buf_init(&out, LIMIT);
    cr_assert_eq(crl_head(c, entries.n, &head, &tail), R_OK);
    cr_assert_eq(pkey_sign_begin(key, c->hash, &s), R_OK);
    cr_assert_eq(pkey_sign_update(s, head.p, head.n), R_OK);
    cr_assert_eq(pkey_sign_update(s, entries.p, entries.n), R_OK);
    cr_assert_eq(pkey_sign_update(s, tail.p, tail.n), R_OK);
    cr_assert_eq(pkey_sign_end(s, &arena, &signature), R_OK);
    crl_wrap_head(head.n + entries.n + tail.n, algorithm, signature.n, &out);
    der_raw(&out, buf_bytes(&head));
    der_raw(&out, entries);
    der_raw(&out, buf_bytes(&tail));
    crl_wrap_tail(algorithm, signature, &out);
    cr_assert_eq(buf_result(&out), R_OK);
    struct bytes der = arena_bytes(&arena, buf_bytes(&out));
    cr_assert_not_null(der.p);
    buf_free(&head);
    buf_free(&tail);
    buf_free(&out);
    return der;
}

/* Serials 16 octets, the first 0x90 so that the sign octet shows. */
static void serial_make(unsigned i, uint8_t serial[16])
{
    memset(serial, 0, 16);
    serial[0] = 0x90;
    be32_put(serial + 12, i);
}

static struct bytes entries_make(unsigned count)
{
    struct buf b;

    buf_init(&b, LIMIT);
    for (unsigned i = 0; i < count; i++) {
        uint8_t serial[16];
        serial_make(i, serial);
        struct crl_entry e = {BYTES(serial, sizeof serial), THIS_UPDATE - (int64_t)i, i % 3 == 0 ? REASON_KEY_COMPROMISE : 0,
                              i % 5 == 0 ? THIS_UPDATE - 86400 : 0};
        crl_entry_encode(&e, &b);
    }
    cr_assert_eq(buf_result(&b), R_OK);
    struct bytes entries = arena_bytes(&arena, buf_bytes(&b));
    buf_free(&b);
    return entries;
}

static X509_CRL *openssl_read(struct bytes der)
{
    const unsigned char *p = der.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);

    cr_assert_not_null(crl);
    cr_assert_eq(p, der.p + der.n);
    return crl;
}

static void openssl_verify(X509_CRL *crl, const char *why)
{
    const unsigned char *p = spki.p;
    EVP_PKEY *public = d2i_PUBKEY(NULL, &p, (long)spki.n);

    cr_expect_eq(X509_CRL_verify(crl, public), 1, "%s", why);
    EVP_PKEY_free(public);
}

TestSuite(crl, .init = setup, .fini = teardown);

Test(crl, any_number_of_entries_is_read_by_openssl_and_by_us)
{
    static const struct { unsigned count; uint32_t hash; const char *why; } cases[] = {
        {0, HASH_SHA256, "empty: revokedCertificates left out"},
        {1, HASH_SHA384, "one entry"},
        {1000, HASH_SHA512, "lengths of three octets"},
        {3000, HASH_SHA256, "lengths of four octets"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = cases[i].why;
        struct crl_content c = content();
        struct crl read;
        uint8_t serial[16];
        c.hash = cases[i].hash;
        struct bytes entries = entries_make(cases[i].count), der = crl_make(&c, entries);

        X509_CRL *crl = openssl_read(der);
        cr_expect_eq(X509_CRL_get_version(crl), X509_CRL_VERSION_2, "%s", why);
        cr_expect_eq((sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)) < 0 ? 0 : sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl))),
                     (int)cases[i].count, "%s", why);
        openssl_verify(crl, why);
        X509_CRL_free(crl);

        cr_assert_eq(crl_decode(der, &arena, &read), R_OK, "%s", why);
        cr_expect_eq(read.entries, cases[i].count, "%s", why);
        cr_expect_eq(read.hash, cases[i].hash, "%s", why);
        cr_expect(bytes_equal(read.issuer, issuer) && bytes_equal(read.entries_der, entries), "%s", why);
        cr_expect(bytes_equal(read.aki, BYTES(aki, sizeof aki)), "%s", why);
        cr_expect(read.this_update == THIS_UPDATE && read.next_update == NEXT_UPDATE && read.number == THIS_UPDATE, "%s", why);
        cr_expect_null(read.idp_url, "%s", why);
        cr_expect_eq(crl_verify(der, spki), R_OK, "%s", why);
        serial_make(cases[i].count - 1, serial);
        cr_expect_eq(crl_contains(&read, BYTES(serial, 16)), cases[i].count > 0, "%s: the last entry", why);
        serial_make(cases[i].count, serial);
        cr_expect_not(crl_contains(&read, BYTES(serial, 16)), "%s: a serial that is not there", why);
    }
}

Test(crl, entries_carry_reason_and_invalidity_date)
{
    static const struct { int reason; int64_t invalidity; const char *why; } cases[] = {
        {REASON_UNSPECIFIED, 0, "no extensions at all"},
        {REASON_KEY_COMPROMISE, 0, "a reason"},
        {REASON_UNSPECIFIED, 1700000000, "an invalidity date"},
        {REASON_CERTIFICATE_HOLD, 2600000000, "both, after 2049"},
        {REASON_AA_COMPROMISE, 0, "the last reason"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        struct crl_content c = content();
        uint8_t serial[] = {0, 0, 0x81};
        struct crl_entry e = {BYTES(serial, sizeof serial), THIS_UPDATE - 60, cases[i].reason, cases[i].invalidity};
        buf_init(&b, 1024);
        crl_entry_encode(&e, &b);
        X509_CRL *crl = openssl_read(crl_make(&c, buf_bytes(&b)));
        const X509_REVOKED *entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0);
        ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
        ASN1_GENERALIZEDTIME *date = X509_REVOKED_get_ext_d2i(entry, NID_invalidity_date, NULL, NULL);

        cr_expect_eq(ASN1_INTEGER_get(X509_REVOKED_get0_serialNumber(entry)), 0x81, "%s", cases[i].why);
        cr_expect_eq(ASN1_TIME_cmp_time_t(X509_REVOKED_get0_revocationDate(entry), THIS_UPDATE - 60), 0, "%s", cases[i].why);
        cr_expect_eq(reason != NULL ? (int)ASN1_ENUMERATED_get(reason) : 0, cases[i].reason, "%s", cases[i].why);
        cr_expect_eq(reason != NULL, cases[i].reason != 0, "%s: unspecified is left out", cases[i].why);
        cr_expect_eq(date != NULL, cases[i].invalidity != 0, "%s", cases[i].why);
        if (date != NULL)
            cr_expect_eq(ASN1_TIME_cmp_time_t(date, cases[i].invalidity), 0, "%s", cases[i].why);
        cr_expect_eq(X509_REVOKED_get_ext_count(entry), (cases[i].reason != 0) + (cases[i].invalidity != 0), "%s", cases[i].why);
        ASN1_ENUMERATED_free(reason);
        ASN1_GENERALIZEDTIME_free(date);
        X509_CRL_free(crl);
        buf_free(&b);
    }
}

Test(crl, number_and_times)
{
    static const struct { int64_t number, next_update; const char *why; } cases[] = {
        {0, NEXT_UPDATE, "the least number"},
        {127, NEXT_UPDATE, "one octet"},
        {128, NEXT_UPDATE, "a sign octet"},
        {THIS_UPDATE, NEXT_UPDATE, "a time"},
        {1099511627776, NEXT_UPDATE, "2^40"},
        {1, 2524608000, "2050: GeneralizedTime"},
        {1, 2524607999, "the last second of UTCTime"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct crl_content c = content();
        struct crl read;
        int64_t number = -1;
        c.number = cases[i].number;
        c.next_update = cases[i].next_update;
        struct bytes der = crl_make(&c, BYTES_NONE);
        X509_CRL *crl = openssl_read(der);
        ASN1_INTEGER *n = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
        cr_assert_not_null(n, "%s", cases[i].why);
        cr_expect(ASN1_INTEGER_get_int64(&number, n) == 1 && number == cases[i].number, "%s", cases[i].why);
        cr_expect_eq(ASN1_TIME_cmp_time_t(X509_CRL_get0_nextUpdate(crl), cases[i].next_update), 0, "%s", cases[i].why);
        cr_expect_eq(X509_CRL_get0_nextUpdate(crl)->type,
                     cases[i].next_update < 2524608000 ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME, "%s", cases[i].why);
        cr_assert_eq(crl_decode(der, &arena, &read), R_OK, "%s", cases[i].why);
        cr_expect(read.number == cases[i].number && read.next_update == cases[i].next_update, "%s", cases[i].why);
        ASN1_INTEGER_free(n);
        X509_CRL_free(crl);
    }
}

Test(crl, issuing_distribution_point_is_critical)
{
    struct crl_content c = content();
    struct crl read;
    int critical = -1;

    c.idp_url = URL;
    struct bytes der = crl_make(&c, entries_make(2));
    X509_CRL *crl = openssl_read(der);
    ISSUING_DIST_POINT *idp = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
    cr_assert_not_null(idp);
    cr_expect_eq(critical, 1);
    cr_expect(idp->onlyuser <= 0 && idp->onlyCA <= 0 && idp->indirectCRL <= 0 && idp->onlysomereasons == NULL);
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(idp->distpoint->name.fullname, 0);
    cr_assert_eq(name->type, GEN_URI);
    cr_expect_eq(ASN1_STRING_length(name->d.uniformResourceIdentifier), (int)strlen(URL));
    cr_expect_eq(memcmp(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier), URL, strlen(URL)), 0);
    openssl_verify(crl, "with a distribution point");
    ISSUING_DIST_POINT_free(idp);
    X509_CRL_free(crl);
    cr_assert_eq(crl_decode(der, &arena, &read), R_OK);
    cr_expect_str_eq(read.idp_url, URL);
}

Test(crl, head_refuses_what_cannot_be)
{
    static const struct {
        uint32_t hash;
        bool issuer, aki;
        int64_t this_update, next_update, number;
        const char *why;
    } cases[] = {
        {HASH_SHA1, true, true, 10, 20, 1, "SHA-1"},
        {HASH_OTHER, true, true, 10, 20, 1, "no hash"},
        {HASH_SHA256, false, true, 10, 20, 1, "no issuer"},
        {HASH_SHA256, true, false, 10, 20, 1, "no key identifier"},
        {HASH_SHA256, true, true, 10, 10, 1, "over as it begins"},
        {HASH_SHA256, true, true, 10, 20, -1, "a negative number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct crl_content c = {cases[i].hash, cases[i].issuer ? issuer : BYTES_NONE, cases[i].this_update, cases[i].next_update,
                                cases[i].number, cases[i].aki ? BYTES(aki, sizeof aki) : BYTES_NONE, NULL};
        struct buf head, tail;
        buf_init(&head, 4096);
        buf_init(&tail, 4096);
        cr_expect_eq(crl_head(&c, 0, &head, &tail), R_BAD_INPUT, "%s", cases[i].why);
        buf_free(&head);
        buf_free(&tail);
    }
}

Test(crl, changed_bytes_do_not_verify)
{
    struct crl_content c = content();
    struct bytes der = crl_make(&c, entries_make(1));
    struct pkey *other;
    struct bytes other_spki;

    for (size_t i = 0; i < der.n; i += 7) {
        uint8_t *changed = arena_copy(&arena, der.p, der.n);
        changed[i] ^= 1;
        cr_expect_neq(crl_verify(BYTES(changed, der.n), spki), R_OK, "byte %zu changed", i);
    }
    cr_assert_eq(pkey_generate_rsa(2048, &other), R_OK);
    cr_assert_eq(pkey_spki(other, &arena, &other_spki), R_OK);
    cr_expect_eq(crl_verify(der, other_spki), R_SIGNATURE_FAILED, "another key");
    cr_expect_eq(crl_verify(der, BYTES(spki.p, 10)), R_SIGNATURE_FAILED, "no key");
    pkey_free(other);
}

Test(crl, cut_or_prolonged_is_refused)
{
    struct crl_content c = content();
    struct crl read;

    c.idp_url = URL;
    struct bytes der = crl_make(&c, entries_make(3));
    for (size_t n = 0; n < der.n; n++) {
        uint8_t *cut = malloc(n + 1);           /* on its own, so that reading past its end is seen */
        memcpy(cut, der.p, n);
        cr_expect_eq(crl_decode(BYTES(cut, n), &arena, &read), R_BAD_INPUT, "%zu bytes", n);
        free(cut);
    }
    uint8_t *longer = arena_alloc(&arena, der.n + 1);
    memcpy(longer, der.p, der.n);
    cr_expect_eq(crl_decode(BYTES(longer, der.n + 1), &arena, &read), R_BAD_INPUT, "a byte after the end");
}

Test(crl, reading_odd_bytes_never_crashes)
{
    struct crl_content c = content();
    struct crl read;

    c.idp_url = URL;
    struct bytes der = crl_make(&c, entries_make(2));
    for (size_t i = 0; i < der.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            uint8_t *changed = malloc(der.n);
            memcpy(changed, der.p, der.n);
            changed[i] ^= (uint8_t)(1 << bit);
            if (crl_decode(BYTES(changed, der.n), &arena, &read) == R_OK)
                (void)crl_contains(&read, BYTES("\x01", 1));
            free(changed);
        }
    }
}

Test(crl, extensions_that_are_refused)
{
    /* Extension ::= SEQUENCE { OID, critical, OCTET STRING } */
    static const struct { const char *oid; bool critical; const char *value; enum result r; const char *why; } cases[] = {
        {"1.2.3.4", false, "\x05\x00", R_OK, "unknown and not critical"},
        {"1.2.3.4", true, "\x05\x00", R_BAD_INPUT, "unknown and critical"},
        {"2.5.29.20", false, "\x02\x01\x05", R_BAD_INPUT, "the number a second time"},
        {"2.5.29.27", true, "\x02\x01\x05", R_BAD_INPUT, "a delta CRL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf tbs, out;
        struct crl read;
        struct bytes algorithm = hash_rsa_algorithm(HASH_SHA256);
        buf_init(&tbs, 4096);
        buf_init(&out, 4096);
        size_t outer = der_open(&tbs, DER_SEQUENCE);
        der_integer(&tbs, 1);
        der_raw(&tbs, algorithm);
        der_raw(&tbs, issuer);
        der_time(&tbs, THIS_UPDATE);
        size_t context = der_open(&tbs, DER_CONTEXT_CONSTRUCTED(0)), list = der_open(&tbs, DER_SEQUENCE);
        static const uint8_t number[] = {0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x14, 0x04, 0x03, 0x02, 0x01, 0x05};
        der_raw(&tbs, BYTES(number, sizeof number));
        size_t extension = der_open(&tbs, DER_SEQUENCE);
        der_oid(&tbs, cases[i].oid);
        if (cases[i].critical)
            der_boolean(&tbs, true);
        der_value(&tbs, DER_OCTET_STRING, cases[i].value, cases[i].value[0] == 0x05 ? 2 : 3);
        der_close(&tbs, extension);
        der_close(&tbs, list);
        der_close(&tbs, context);
        der_close(&tbs, outer);
        signed_wrap(buf_bytes(&tbs), algorithm, BYTES("\x01\x02", 2), &out);
        cr_expect_eq(crl_decode(buf_bytes(&out), &arena, &read), cases[i].r, "%s", cases[i].why);
        if (cases[i].r == R_OK)
            cr_expect(read.number == 5 && read.next_update == 0, "%s", cases[i].why);
        buf_free(&tbs);
        buf_free(&out);
    }
}

Test(crl, reason_names)
{
    static const struct { int reason; const char *name, *why; } cases[] = {
        {0, "unspecified", "zero"},
        {1, "keyCompromise", "one"},
        {6, "certificateHold", "hold"},
        {7, NULL, "unused in RFC 5280"},
        {8, NULL, "removeFromCRL is for delta CRLs"},
        {9, "privilegeWithdrawn", "nine"},
        {10, "aACompromise", "the last"},
        {11, NULL, "beyond the last"},
        {-1, NULL, "negative"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name = crl_reason_name(cases[i].reason);
        cr_expect_eq(name == NULL, cases[i].name == NULL, "%s", cases[i].why);
        if (name != NULL && cases[i].name != NULL) {
            cr_expect_str_eq(name, cases[i].name, "%s", cases[i].why);
            cr_expect_eq(crl_reason_from_name(name), cases[i].reason, "%s", cases[i].why);
        }
    }
    cr_expect_eq(crl_reason_from_name("KeyCompromise"), -1, "names are exact");
    cr_expect_eq(crl_reason_from_name(""), -1);
}
