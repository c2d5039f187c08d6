#include "tests/unit/x509_fixture.h"

TestSuite(x509_encode, .init = setup, .fini = teardown);

/* ---- what is written, as OpenSSL reads it ---- */

Test(x509_encode, a_root_as_openssl_reads_it)
{
    static const uint32_t hashes[] = {HASH_SHA256, HASH_SHA384, HASH_SHA512};
    for (size_t i = 0; i < COUNT(hashes); i++) {
        struct certificate_content content = root_content();
        content.hash = hashes[i];
        struct bytes der = issued(&content);
        X509 *x = x509_of(der);
        cr_expect_eq(X509_get_version(x), X509_VERSION_3);
        cr_expect_eq(X509_verify(x, test_key()), 1);
        cr_expect_eq(X509_check_ca(x), 1);
        cr_expect_eq(X509_get_key_usage(x), X509v3_KU_KEY_CERT_SIGN | X509v3_KU_CRL_SIGN);
        cr_expect_eq(X509_get_pathlen(x), -1);
        cr_expect_eq(X509_get_ext_count(x), 3);
        cr_expect(X509_get_extension_flags(x) & EXFLAG_SS);
        cr_expect_eq(X509_get0_notBefore(x)->type, V_ASN1_UTCTIME);
        cr_expect_eq(X509_get0_notAfter(x)->type, V_ASN1_GENERALIZEDTIME, "2051");
        cr_expect(bytes_equal(x509_der(x), der), "OpenSSL writes the same bytes");
        cr_expect_eq(certificate_verify(der, content.spki), R_OK);
        X509_free(x);
    }
}

static void expect_san(X509 *x, int index, int type, const char *value)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    cr_assert_not_null(names);
    GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    int found;
    void *content = GENERAL_NAME_get0_value(name, &found);
    cr_expect_eq(found, type);
    ASN1_STRING *text = content;
    if (type == GEN_OTHERNAME) {
        ASN1_OBJECT *oid;
        ASN1_TYPE *inner;
        cr_assert_eq(GENERAL_NAME_get0_otherName(name, &oid, &inner), 1);
        cr_expect_eq(OBJ_obj2nid(oid), NID_ms_upn);
        cr_assert_eq(inner->type, V_ASN1_UTF8STRING);
        text = inner->value.utf8string;
    }
    cr_expect(bytes_equal(BYTES(ASN1_STRING_get0_data(text), ASN1_STRING_length(text)), bytes_of_text(value)), "%s", value);
    GENERAL_NAMES_free(names);
}

Test(x509_encode, a_leaf_as_openssl_reads_it)
{
    static const int types[] = {GEN_DNS, GEN_OTHERNAME, GEN_EMAIL, GEN_URI};
    struct certificate_content content = leaf_content();
    content.ocsp_url = "http://pki.example.org/ocsp";
    struct bytes der = issued(&content);
    X509 *x = x509_of(der);
    cr_expect_eq(X509_check_ca(x), 0);
    cr_expect(X509_get_extension_flags(x) & EXFLAG_BCONS);
    cr_expect_eq(X509_get_key_usage(x), X509v3_KU_DIGITAL_SIGNATURE | X509v3_KU_KEY_ENCIPHERMENT);
    cr_expect_eq(X509_get_ext_count(x), 8);
    for (int i = 0; i < (int)COUNT(types); i++)
        expect_san(x, i, types[i], leaf_sans[i].value);
    static const int order[] = {NID_basic_constraints, NID_key_usage, NID_ext_key_usage, NID_subject_alt_name,
                                NID_subject_key_identifier, NID_authority_key_identifier, NID_crl_distribution_points,
                                NID_info_access};
    for (int i = 0; i < (int)COUNT(order); i++) {
        X509_EXTENSION *e = X509_get_ext(x, i);
        cr_expect_eq(OBJ_obj2nid(X509_EXTENSION_get_object(e)), order[i], "extension %d", i);
        cr_expect_eq(X509_EXTENSION_get_critical(e) != 0, order[i] == NID_key_usage, "only keyUsage is critical, %d", i);
        void *value = X509V3_EXT_d2i(e);
        cr_expect_not_null(value, "extension %d decodes", i);
        const X509V3_EXT_METHOD *method = X509V3_EXT_get(e);
        ASN1_item_free(value, ASN1_ITEM_ptr(method->it));
    }
    cr_expect(bytes_equal(x509_der(x), der), "OpenSSL writes the same bytes");
    X509_free(x);
}

Test(x509_encode, what_was_written_is_read)
{
    struct certificate_content content = leaf_content();
    struct certificate c;
    content.ocsp_url = "http://pki.example.org/ocsp";
    cr_assert_eq(certificate_decode(issued(&content), &arena, &c), R_OK);
    cr_expect(bytes_equal(c.serial, content.serial));
    cr_expect(bytes_equal(c.subject, content.subject) && bytes_equal(c.issuer, content.issuer));
    cr_expect(bytes_equal(c.key.spki, content.spki));
    cr_expect(bytes_equal(c.ski, content.ski) && bytes_equal(c.aki, content.aki));
    cr_expect_str_eq(name_text(&c.subject_name, &arena), "O=Example,CN=device 7");
    cr_expect_str_eq(name_text(&c.issuer_name, &arena), "O=Example,CN=Root");
    cr_expect_eq(c.not_before, content.not_before);
    cr_expect_eq(c.not_after, content.not_after);
    cr_expect_eq(c.hash, HASH_SHA256);
    cr_expect(c.has_basic_constraints && !c.ca && c.path_length == -1);
    cr_expect(c.has_key_usage && c.key_usage == content.key_usage);
    cr_assert(c.has_ekus && c.ekus.count == COUNT(leaf_ekus));
    cr_expect_str_eq(c.ekus.items[1], leaf_ekus[1]);
    cr_assert(c.has_sans && !c.sans_critical && c.sans.count == COUNT(leaf_sans));
    for (size_t i = 0; i < COUNT(leaf_sans); i++) {
        cr_expect_eq(c.sans.items[i].type, leaf_sans[i].type);
        cr_expect_str_eq(c.sans.items[i].value, leaf_sans[i].value);
    }
    cr_expect_str_eq(c.crl_url, content.crl_url);
    cr_expect_str_eq(c.aia_url, content.aia_url);
    cr_expect_str_eq(c.ocsp_url, content.ocsp_url);
    cr_expect(!c.has_name_constraints && !c.unknown_critical);
}

Test(x509_encode, dates)
{
    static const struct { const char *before, *after; int before_type, after_type; } cases[] = {
        {"2026-01-01T00:00:00Z", "2049-12-31T23:59:59Z", V_ASN1_UTCTIME, V_ASN1_UTCTIME},
        {"2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z", V_ASN1_UTCTIME, V_ASN1_GENERALIZEDTIME},
        {"2050-01-01T00:00:00Z", "2126-02-28T12:00:00Z", V_ASN1_GENERALIZEDTIME, V_ASN1_GENERALIZEDTIME},
        {"2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", V_ASN1_UTCTIME, V_ASN1_GENERALIZEDTIME},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct certificate_content content = root_content();
        struct certificate c;
        content.not_before = at(cases[i].before);
        content.not_after = at(cases[i].after);
        struct bytes der = issued(&content);
        X509 *x = x509_of(der);
        cr_expect_eq(X509_get0_notBefore(x)->type, cases[i].before_type, "%s", cases[i].before);
        cr_expect_eq(X509_get0_notAfter(x)->type, cases[i].after_type, "%s", cases[i].after);
        X509_free(x);
        cr_assert_eq(certificate_decode(der, &arena, &c), R_OK);
        cr_expect_eq(c.not_before, content.not_before, "%s", cases[i].before);
        cr_expect_eq(c.not_after, content.not_after, "%s", cases[i].after);
    }
}

Test(x509_encode, an_empty_subject_makes_the_san_critical)
{
    struct certificate_content content = leaf_content();
    struct certificate c;
    content.subject = BYTES("\x30\x00", 2);
    struct bytes der = issued(&content);
    X509 *x = x509_of(der);
    int critical = 0;
    GENERAL_NAMES_free(X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL));
    cr_expect_eq(critical, 1);
    X509_free(x);
    cr_assert_eq(certificate_decode(der, &arena, &c), R_OK);
    cr_expect(c.has_sans && c.sans_critical);
    cr_expect_eq(c.subject_name.count, 0);
}

Test(x509_encode, without_any_extension)
{
    struct certificate_content all = leaf_content(), none = {
        .serial = all.serial, .hash = HASH_SHA256, .issuer = all.issuer, .subject = all.subject, .not_before = all.not_before,
        .not_after = all.not_after, .spki = all.spki, .path_length = -1,
    };
    struct certificate c;
    struct bytes der = issued(&none);
    X509 *x = x509_of(der);
    cr_expect_eq(X509_get_ext_count(x), 0);
    cr_expect(bytes_equal(x509_der(x), der));
    X509_free(x);
    cr_assert_eq(certificate_decode(der, &arena, &c), R_OK);
    cr_expect(!c.has_basic_constraints && !c.has_key_usage && !c.has_ekus && !c.has_sans);
}

Test(x509_encode, path_lengths)
{
    static const int lengths[] = {-1, 0, 1, 127, 128};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct certificate_content content = root_content();
        struct certificate c;
        content.path_length = lengths[i];
        struct bytes der = issued(&content);
        X509 *x = x509_of(der);
        cr_expect_eq(X509_get_pathlen(x), lengths[i]);
        X509_free(x);
        cr_assert_eq(certificate_decode(der, &arena, &c), R_OK);
        cr_expect(c.ca && c.path_length == lengths[i]);
    }
}

/* ---- what is not written ---- */

static const char *bad_ekus[] = {"1.2.x"};
static struct san bad_sans[] = {{SAN_DNS, "\xff"}};

static void no_change(struct certificate_content *c) { (void)c; }
static void serial_none(struct certificate_content *c) { c->serial = BYTES_NONE; }
static void serial_zero(struct certificate_content *c) { c->serial = BYTES("\0\0", 2); }
static void serial_20(struct certificate_content *c) { c->serial = unhex("7fffffffffffffffffffffffffffffffffffffff"); }
static void serial_20_high(struct certificate_content *c) { c->serial = unhex("8000000000000000000000000000000000000000"); }
static void serial_21(struct certificate_content *c) { c->serial = unhex("01ffffffffffffffffffffffffffffffffffffffff"); }
static void hash_sha1(struct certificate_content *c) { c->hash = HASH_SHA1; }
static void issuer_empty(struct certificate_content *c) { c->issuer = BYTES("\x30\x00", 2); }
static void issuer_none(struct certificate_content *c) { c->issuer = BYTES_NONE; }
static void subject_two(struct certificate_content *c) { c->subject = BYTES("\x30\x00\x30\x00", 4); }
static void subject_empty(struct certificate_content *c) { c->subject = BYTES("\x30\x00", 2), c->sans.count = 0; }
static void spki_none(struct certificate_content *c) { c->spki = BYTES_NONE; }
static void dates_turned(struct certificate_content *c) { c->not_after = c->not_before - 1; }
static void dates_far(struct certificate_content *c) { c->not_after = INT64_C(253402300800); }
static void usage_tenth(struct certificate_content *c) { c->key_usage = 512; }
static void eku_bad(struct certificate_content *c) { c->ekus = (struct oids){bad_ekus, 1}; }
static void san_bad(struct certificate_content *c) { c->sans = (struct sans){bad_sans, 1}; }
static void url_blank(struct certificate_content *c) { c->crl_url = "http://a b"; }
static void url_empty(struct certificate_content *c) { c->aia_url = ""; }
static void url_not_ascii(struct certificate_content *c) { c->ocsp_url = "http://\xc3\xa4"; }

static void sans_many(struct certificate_content *c)
{
    struct san *items = arena_array(&arena, 10000, sizeof *items);
    for (uint32_t i = 0; i < 10000; i++)
        items[i] = (struct san){SAN_DNS, "a.b"};
    c->sans = (struct sans){items, 10000};
}

static void ekus_many(struct certificate_content *c)
{
    const char **items = arena_array(&arena, LIMIT_EKUS + 1, sizeof *items);
    for (uint32_t i = 0; i <= LIMIT_EKUS; i++)
        items[i] = EKU_CLIENT_AUTH;
    c->ekus = (struct oids){items, LIMIT_EKUS + 1};
}

Test(x509_encode, contents_that_cannot_be)
{
    static const struct { void (*change)(struct certificate_content *c); enum result r; const char *why; } cases[] = {
        {no_change, R_OK, "as it is"},
        {serial_20, R_OK, "twenty octets"},
        {serial_none, R_BAD_INPUT, "no serial"},
        {serial_zero, R_BAD_INPUT, "serial zero"},
        {serial_20_high, R_BAD_INPUT, "twenty octets and a sign octet"},
        {serial_21, R_BAD_INPUT, "21 octets"},
        {hash_sha1, R_BAD_INPUT, "SHA-1"},
        {issuer_empty, R_BAD_INPUT, "an empty issuer"},
        {issuer_none, R_BAD_INPUT, "no issuer"},
        {subject_two, R_BAD_INPUT, "two subjects"},
        {subject_empty, R_BAD_INPUT, "neither subject nor SAN"},
        {spki_none, R_BAD_INPUT, "no key"},
        {dates_turned, R_BAD_INPUT, "ends before it begins"},
        {dates_far, R_TOO_LARGE, "the year 10000"},
        {usage_tenth, R_BAD_INPUT, "a tenth key usage"},
        {eku_bad, R_BAD_INPUT, "an EKU that is no OID"},
        {san_bad, R_BAD_INPUT, "a SAN that is no text"},
        {url_blank, R_BAD_INPUT, "a blank in a URL"},
        {url_empty, R_BAD_INPUT, "an empty URL"},
        {url_not_ascii, R_BAD_INPUT, "a URL that is not ASCII"},
        {sans_many, R_TOO_LARGE, "ten thousand SANs"},
        {ekus_many, R_TOO_LARGE, "too many EKUs"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct certificate_content content = leaf_content();
        struct buf b;
        cases[i].change(&content);
        buf_init(&b, LIMIT_CERTIFICATE);
        buf_text(&b, "before");
        cr_expect_eq(certificate_encode_tbs(&content, &b), cases[i].r, "%s", cases[i].why);
        cr_expect(cases[i].r == R_OK || b.n == 6, "nothing half written: %s", cases[i].why);
        buf_free(&b);
    }
    struct certificate_content content = leaf_content();
    struct buf b;
    buf_init(&b, 500);
    cr_expect_eq(certificate_encode_tbs(&content, &b), R_TOO_LARGE, "the buffer's own limit");
    buf_free(&b);
}
