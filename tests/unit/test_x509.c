#include "tests/unit/x509_fixture.h"

TestSuite(x509, .init = setup, .fini = teardown);

/* ---- digests and algorithms ---- */

Test(x509, digests)
{
    uint8_t sha1[20], sha256[32];
    digest_sha1(BYTES("abc", 3), sha1);
    digest_sha256(BYTES("abc", 3), sha256);
    cr_expect(bytes_equal(BYTES(sha1, 20), unhex("a9993e364706816aba3e25717850c26c9cd0d89d")));
    cr_expect(bytes_equal(BYTES(sha256, 32), unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")));
    digest_sha256(BYTES_NONE, sha256);
    cr_expect(bytes_equal(BYTES(sha256, 32), unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
}

Test(x509, algorithms)
{
    static const struct { uint32_t hash; int nid; const char *name; } cases[] = {
        {HASH_SHA256, NID_sha256WithRSAEncryption, "SHA-256"}, {HASH_SHA384, NID_sha384WithRSAEncryption, "SHA-384"},
        {HASH_SHA512, NID_sha512WithRSAEncryption, "SHA-512"}, {HASH_SHA1, NID_undef, "SHA-1"}, {HASH_MD5, NID_undef, "MD5"},
        {HASH_OTHER, NID_undef, "other"}, {77, NID_undef, "other"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes der = hash_rsa_algorithm(cases[i].hash);
        cr_expect_str_eq(hash_name(cases[i].hash), cases[i].name);
        cr_assert_eq(der.p != NULL, cases[i].nid != NID_undef);
        if (!der.p)
            continue;
        const unsigned char *p = der.p;
        X509_ALGOR *algorithm = d2i_X509_ALGOR(NULL, &p, (long)der.n);
        const ASN1_OBJECT *oid;
        int type;
        cr_assert_not_null(algorithm);
        X509_ALGOR_get0(&oid, &type, NULL, algorithm);
        cr_expect_eq(OBJ_obj2nid(oid), cases[i].nid);
        cr_expect_eq(type, V_ASN1_NULL);
        X509_ALGOR_free(algorithm);
    }
}

/* ---- what others wrote ---- */

Test(x509, a_ca_of_the_command_line)
{
    struct certificate c;
    struct bytes der = unbase64(ca_constrained);
    cr_assert_eq(certificate_decode(der, &arena, &c), R_OK);
    cr_expect(bytes_equal(c.der, der) && c.der.p != der.p, "copied");
    cr_expect(bytes_equal(c.serial, BYTES("\xf1", 1)), "without sign octet");
    cr_expect_str_eq(name_text(&c.subject_name, &arena), "O=Constrained,CN=CA");
    cr_expect_eq(c.not_after - c.not_before, INT64_C(14600) * 86400);
    cr_expect(c.has_basic_constraints && c.ca && c.path_length == 3);
    cr_expect_eq(c.key_usage, KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    cr_expect_str_eq(c.crl_url, "http://crl.example.org/a.crl", "the first by HTTP");
    cr_expect_str_eq(c.aia_url, "http://ca.example.org/ca.cer");
    cr_expect_str_eq(c.ocsp_url, "http://ocsp.example.org/");
    cr_expect(c.has_name_constraints && !c.unknown_critical);
    cr_expect_eq(c.ski.n, 20);
    uint8_t ski[20];
    public_key_ski(&c.key, ski);
    cr_expect(bytes_equal(c.ski, BYTES(ski, 20)));
    cr_expect(bytes_equal(c.key.spki, unbase64(spki_p256)));
    cr_expect_eq(certificate_verify(der, c.key.spki), R_OK, "self-signed by ECDSA");
    cr_expect_eq(certificate_verify_self(&c), R_OK);
}

Test(x509, odd_certificates)
{
    struct certificate c;
    cr_assert_eq(certificate_decode(unbase64(ca_odd), &arena, &c), R_OK);
    cr_expect(bytes_equal(c.serial, BYTES("\xfb", 1)), "-5, as it stands");
    cr_expect_null(c.unknown_critical, "certificatePolicies are known");
    cr_expect_eq(c.hash, HASH_SHA512);
    cr_expect(c.ca && c.path_length == -1 && !c.has_key_usage && !c.has_name_constraints);
    cr_assert_eq(certificate_decode(unbase64(version_1), &arena, &c), R_OK, "version 1");
    cr_expect(!c.has_basic_constraints && !c.ca && !c.unknown_critical);
    cr_expect_eq(c.path_length, -1);
}

Test(x509, cut_anywhere)
{
    struct certificate_content content = leaf_content();
    struct bytes all[] = {unbase64(ca_constrained), unbase64(ca_odd), unbase64(version_1), issued(&content)};
    for (size_t i = 0; i < COUNT(all); i++) {
        for (size_t n = 0; n < all[i].n; n++) {
            struct certificate c;
            uint8_t *piece = malloc(n + (n == 0));
            cr_assert_not_null(piece);
            memcpy(piece, all[i].p, n);
            cr_expect_eq(certificate_decode(BYTES(piece, n), &arena, &c), R_BAD_INPUT, "certificate %zu cut at %zu", i, n);
            cr_expect_eq(certificate_verify(BYTES(piece, n), content.spki), R_SIGNATURE_FAILED);
            free(piece);
        }
    }
}

Test(x509, any_byte_changed_does_no_harm)
{
    struct bytes der = unbase64(ca_constrained);
    uint8_t *p = malloc(der.n);
    cr_assert_not_null(p);
    memcpy(p, der.p, der.n);
    for (size_t i = 0; i < der.n; i++) {
        for (unsigned v = 0; v < 256; v += 3) {
            struct arena small;
            struct certificate c;
            arena_init(&small, LIMIT_ARENA_REQUEST);
            p[i] = (uint8_t)v;
            enum result r = certificate_decode(BYTES(p, der.n), &small, &c);
            cr_expect(r == R_OK || r == R_BAD_INPUT || r == R_TOO_LARGE);
            arena_free(&small);
        }
        p[i] = der.p[i];
    }
    free(p);
}

/* A certificate by OpenSSL's writer, with that extension so many times. */
static struct bytes with_extension(const char *oid, bool critical, struct bytes value, int times, bool other_oids)
{
    X509 *x = x509_of(unbase64(version_1));
    X509_set_version(x, X509_VERSION_3);
    ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(content, value.p, (int)value.n);
    for (int i = 0; i < times; i++) {
        char *text = arena_printf(&arena, other_oids ? "%s.%d" : "%s", oid, i);
        ASN1_OBJECT *object = OBJ_txt2obj(text, 1);
        X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, object, critical, content);
        cr_assert_eq(X509_add_ext(x, e, -1), 1);
        X509_EXTENSION_free(e);
        ASN1_OBJECT_free(object);
    }
    ASN1_OCTET_STRING_free(content);
    unsigned char *tbs = NULL;
    cr_assert(i2d_re_X509_tbs(x, &tbs) > 0);
    OPENSSL_free(tbs);
    struct bytes der = x509_der(x);
    X509_free(x);
    return der;
}

Test(x509, extensions_that_are_refused)
{
    static const struct { const char *oid, *hex; int times; bool others; enum result r; const char *why; } cases[] = {
        {"2.5.29.15", "030205a0", 1, false, R_OK, "key usage"},
        {"2.5.29.15", "030205a0", 2, false, R_BAD_INPUT, "key usage, doubled"},
        {"1.2.3.4", "0500", 2, false, R_BAD_INPUT, "unknown, doubled"},
        {"1.2.3.4", "0500", LIMIT_EXTENSIONS, true, R_OK, "as many as may be"},
        {"1.2.3.4", "0500", LIMIT_EXTENSIONS + 1, true, R_TOO_LARGE, "one more"},
        {"2.5.29.15", "0500", 1, false, R_BAD_INPUT, "no key usage"},
        {"2.5.29.15", "030205a000", 1, false, R_BAD_INPUT, "a byte behind the key usage"},
        {"2.5.29.19", "30030101ff", 1, false, R_OK, "a CA"},
        {"2.5.29.19", "3003010100", 1, false, R_OK, "a FALSE that DER leaves out"},
        {"2.5.29.19", "3003010101", 1, false, R_BAD_INPUT, "a TRUE that is not DER"},
        {"2.5.29.19", "30060101ff0201ff", 1, false, R_BAD_INPUT, "a negative path length"},
        {"2.5.29.19", "300a0101ff0205" "0100000000", 1, false, R_BAD_INPUT, "a huge path length"},
        {"2.5.29.19", "", 1, false, R_BAD_INPUT, "nothing"},
        {"2.5.29.17", "3003820100", 1, false, R_BAD_INPUT, "a NUL in a name"},
        {"2.5.29.17", "3000", 1, false, R_OK, "no names"},
        {"2.5.29.37", "3000", 1, false, R_OK, "no purposes"},
        {"2.5.29.37", "30020500", 1, false, R_BAD_INPUT, "a purpose that is no OID"},
        {"2.5.29.37", "30030601" "80", 1, false, R_BAD_INPUT, "half an OID"},
        {"2.5.29.14", "0401", 1, false, R_BAD_INPUT, "a key identifier cut off"},
        {"2.5.29.35", "3000", 1, false, R_OK, "an authority without key identifier"},
        {"2.5.29.35", "30038001", 1, false, R_BAD_INPUT, "an authority cut off"},
        {"2.5.29.31", "3000", 1, false, R_OK, "no CRL point"},
        {"2.5.29.31", "30023000", 1, false, R_BAD_INPUT, "an empty CRL point"},
        {"2.5.29.31", "300f" "300d" "a00b" "a009" "8607" "687474703a2f2f", 1, false, R_OK, "a URL"},
        {"2.5.29.31", "3010" "300e" "a00c" "a00a" "8608" "687474703a2f2f00", 1, false, R_BAD_INPUT, "a URL with a NUL"},
        {"1.3.6.1.5.5.7.1.1", "30023000", 1, false, R_BAD_INPUT, "an empty access description"},
        {"2.5.29.36", "3000", 1, false, R_OK, "policy constraints that constrain nothing"},
        {"2.5.29.36", "30038001ff", 1, false, R_BAD_INPUT, "a negative number of certificates"},
        {"2.5.29.36", "0500", 1, false, R_BAD_INPUT, "no policy constraints"},
        {"2.5.29.33", "30023000", 1, false, R_BAD_INPUT, "an empty policy mapping"},
        {"2.5.29.32", "300030", 1, false, R_BAD_INPUT, "a byte behind the policies"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct certificate c;
        struct bytes der = with_extension(cases[i].oid, false, unhex(cases[i].hex), cases[i].times, cases[i].others);
        cr_expect_eq(certificate_decode(der, &arena, &c), cases[i].r, "%s", cases[i].why);
    }
}

/* What CAs from elsewhere have. */
Test(x509, extensions_of_external_cas)
{
    static const struct { const char *oid, *hex, *http, *ldap; int explicit; bool any; const char *why; } cases[] = {
        {"1.3.6.1.5.5.7.1.1", "304a301a06082b06010505073002860e6c6461703a2f2f2f434e3d613f63301606082b06010505073002860a687474703a2f2f612f62301406082b0601050507300286084c4441503a2f2f78",
         "http://a/b", "ldap:///CN=a?c", -1, false, "locations by HTTP and LDAP, in whatever order: the first of each"},
        {"1.3.6.1.5.5.7.1.1", "3016301406082b0601050507300286086c6461703a2f2f61", NULL, "ldap://a", -1, false, "by LDAP alone"},
        {"1.3.6.1.5.5.7.1.1", "3015301306082b060105050730028607687474703a2f2f", NULL, NULL, -1, false, "a scheme with nothing behind it"},
        {"1.3.6.1.5.5.7.1.1", "302d301406082b0601050507300186086c6461703a2f2f61301506082b06010505073002860968747470733a2f2f61", NULL, NULL, -1, false, "another method, another scheme"},
        {"2.5.29.36", "3003800100", NULL, NULL, 0, false, "a policy required at once"},
        {"2.5.29.36", "3006800103810100", NULL, NULL, 3, false, "after three, mapping inhibited"},
        {"2.5.29.36", "3003810100", NULL, NULL, -1, false, "mapping inhibited alone"},
        {"2.5.29.36", "300780050100000000", NULL, NULL, INT_MAX, false, "a number beyond all chains"},
        {"2.5.29.33", "300c300a06032a030406032a0305", NULL, NULL, -1, false, "a mapping"},
        {"2.5.29.33", "300d300b06032a03040604551d2000", NULL, NULL, -1, true, "a mapping to anyPolicy"},
        {"2.5.29.33", "300d300b0604551d200006032a0304", NULL, NULL, -1, true, "and from it"},
        {"2.5.29.54", "020100", NULL, NULL, -1, false, "inhibitAnyPolicy"},
        {"2.5.29.32", "3007300506032a0304", NULL, NULL, -1, false, "policies"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct certificate c;
        cr_assert_eq(certificate_decode(with_extension(cases[i].oid, true, unhex(cases[i].hex), 1, false), &arena, &c), R_OK, "%s", cases[i].why);
        cr_expect(cases[i].http ? c.aia_url && strcmp(c.aia_url, cases[i].http) == 0 : !c.aia_url, "%s: %s", cases[i].why, c.aia_url);
        cr_expect(cases[i].ldap ? c.aia_ldap && strcmp(c.aia_ldap, cases[i].ldap) == 0 : !c.aia_ldap, "%s: %s", cases[i].why, c.aia_ldap);
        cr_expect_eq(c.require_explicit_policy, cases[i].explicit, "%s: %d", cases[i].why, c.require_explicit_policy);
        cr_expect_eq(c.maps_any_policy, cases[i].any, "%s", cases[i].why);
        cr_expect_null(c.unknown_critical, "%s", cases[i].why);
    }
}

Test(x509, ten_thousand_sans_are_refused)
{
    struct buf b;
    struct certificate c;
    buf_init(&b, 1 << 20);
    size_t mark = der_open(&b, DER_SEQUENCE);
    for (int i = 0; i < 10000; i++)
        der_value(&b, DER_CONTEXT(2), "a.b", 3);
    der_close(&b, mark);
    struct bytes der = with_extension("2.5.29.17", false, taken(&b), 1, false);
    cr_assert(der.n < LIMIT_CERTIFICATE);
    cr_expect_eq(certificate_decode(der, &arena, &c), R_TOO_LARGE);
}

Test(x509, bytes_behind_and_great_size)
{
    struct bytes der = unbase64(version_1);
    struct certificate c;
    uint8_t *p = arena_alloc(&arena, LIMIT_CERTIFICATE + 1);
    memcpy(p, der.p, der.n);
    cr_expect_eq(certificate_decode(BYTES(p, der.n + 1), &arena, &c), R_BAD_INPUT, "a byte behind");
    cr_expect_eq(certificate_decode(BYTES(p, LIMIT_CERTIFICATE + 1), &arena, &c), R_TOO_LARGE, "too large");
    cr_expect_eq(certificate_decode(BYTES_NONE, &arena, &c), R_BAD_INPUT, "nothing");
    struct arena small;
    arena_init(&small, der.n + 32);
    cr_expect_eq(certificate_decode(der, &small, &c), R_NO_MEMORY, "memory is not the certificate's fault");
    arena_free(&small);
}

/* ---- signatures and constraints ---- */

Test(x509, signatures)
{
    struct certificate_content content = leaf_content();
    struct bytes der = issued(&content), sha256 = hash_rsa_algorithm(HASH_SHA256);
    static const uint8_t sha1[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00};
    struct certificate c;
    cr_assert_eq(certificate_decode(der, &arena, &c), R_OK);
    cr_expect_eq(certificate_verify(der, content.spki), R_OK);
    cr_expect_eq(certificate_verify(der, unbase64(spki_rsa)), R_SIGNATURE_FAILED, "another key");
    cr_expect_eq(certificate_verify(der, unbase64(spki_p256)), R_SIGNATURE_FAILED, "a key of another kind");
    cr_expect_eq(certificate_verify(der, unbase64(spki_ed25519)), R_SIGNATURE_FAILED, "a key of an unknown kind");
    cr_expect_eq(certificate_verify(der, BYTES_NONE), R_SIGNATURE_FAILED, "no key");
    cr_expect_eq(certificate_verify(unbase64(leaf_inside), unbase64(spki_p256)), R_OK, "ECDSA");
    cr_expect_eq(certificate_verify(unbase64(leaf_inside), unbase64(spki_p256_compressed)), R_OK, "ECDSA, compressed point");

    /* The outer algorithm is not signed: another than the inner one is refused. */
    struct bytes other = signed_with(c.tbs, hash_rsa_algorithm(HASH_SHA512), HASH_SHA512);
    cr_expect_eq(certificate_verify(other, content.spki), R_SIGNATURE_FAILED, "outer algorithm differs");
    cr_expect_eq(certificate_decode(other, &arena, &c), R_BAD_INPUT, "outer algorithm differs");

    /* The same with SHA-1 inside and outside, right in itself. */
    uint8_t *tbs = arena_copy(&arena, c.tbs.p, c.tbs.n);
    uint8_t *found = memmem(tbs, c.tbs.n, sha256.p, sha256.n);
    cr_assert_not_null(found);
    memcpy(found, sha1, sizeof sha1);
    struct bytes old = signed_with(BYTES(tbs, c.tbs.n), BYTES(sha1, sizeof sha1), HASH_SHA1);
    cr_expect_eq(certificate_decode(old, &arena, &c), R_OK);
    cr_expect_eq(c.hash, HASH_SHA1);
    X509 *x = x509_of(old);
    cr_expect_eq(X509_verify(x, test_key()), 1, "OpenSSL would take it");
    X509_free(x);
    cr_expect_eq(certificate_verify(old, content.spki), R_SIGNATURE_FAILED, "SHA-1 in a certificate");
}

Test(x509, a_huge_exponent_costs_nothing)
{
    struct certificate_content content = leaf_content();
    struct bytes der = issued(&content), spki = unbase64(spki_rsa);
    struct public_key k;
    cr_assert_eq(public_key_decode(spki, &k), R_OK);
    /* The modulus stands behind the header of RSAPublicKey (30 82 xx xx), 02 82 01 01 00 and 256 octets. */
    char modulus[2 * 261 + 1], exponent[2 * 261 + 1];
    hex_encode(modulus, k.bits.p + 4, 261);
    memcpy(exponent, modulus, sizeof exponent);
    struct bytes huge = rsa_spki(modulus, exponent, "0500", "");
    cr_assert_eq(public_key_decode(huge, &k), R_OK);
    cr_expect(!k.exponent_ok && k.size == 2048);
    cr_expect_eq(certificate_verify(der, huge), R_SIGNATURE_FAILED);
}

Test(x509, name_constraints)
{
    static const struct { const char *leaf, *ca; enum result r; const char *why; } cases[] = {
        {leaf_inside, ca_constrained, R_OK, "names inside"},
        {leaf_dns_outside, ca_constrained, R_OUT_OF_BOUNDS, "a DNS name that is not permitted"},
        {leaf_directory_excluded, ca_constrained, R_OUT_OF_BOUNDS, "a subject that is excluded"},
        {leaf_cn_outside, ca_constrained, R_OUT_OF_BOUNDS, "a common name like a host's that is not permitted"},
        {leaf_dns_outside, ca_odd, R_OK, "a CA without constraints"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        cr_expect_eq(certificate_check_names(unbase64(cases[i].leaf), unbase64(cases[i].ca)), cases[i].r, "%s", cases[i].why);
    struct bytes leaf = unbase64(leaf_inside), ca = unbase64(ca_constrained), permitted;
    cr_expect_eq(certificate_check_ca_names(unbase64(leaf_cn_outside), ca), R_OK, "a CA's common name is no host's");
    cr_expect_eq(certificate_check_ca_names(unbase64(leaf_dns_outside), ca), R_OUT_OF_BOUNDS, "its alternative names count");
    static const struct { const char *hex, *found, *why; } directories[] = {
        {"3011a00f300da40b3009310730050603550403", "3009310730050603550403", "a directory name"},
        {"3014a0123003820161300ba409300731053003060155", "300731053003060155", "behind a host's"},
        {"3007a0053003820161", NULL, "a host's alone"},
        {"3011a10f300da40b3009310730050603550403", NULL, "an excluded one"},
        {"3000", NULL, "none"},
    };
    for (size_t i = 0; i < COUNT(directories); i++) {
        struct certificate c;
        cr_assert_eq(certificate_decode(with_extension("2.5.29.30", true, unhex(directories[i].hex), 1, false), &arena, &c), R_OK);
        enum result r = certificate_permitted_name(&c, &permitted);
        cr_expect_eq(r, directories[i].found ? R_OK : R_NOT_FOUND, "%s", directories[i].why);
        cr_expect(!directories[i].found || bytes_equal(permitted, unhex(directories[i].found)), "%s", directories[i].why);
    }
    cr_expect_eq(certificate_check_names(BYTES(leaf.p, leaf.n - 1), ca), R_BAD_INPUT, "no leaf");
    cr_expect_eq(certificate_check_names(leaf, BYTES(ca.p, ca.n - 1)), R_BAD_INPUT, "no CA");
    struct bytes broken = with_extension("2.5.29.30", true, unhex("0500"), 1, false);
    cr_expect_eq(certificate_check_names(leaf, broken), R_BAD_INPUT, "constraints that cannot be read");
    struct bytes doubled = with_extension("2.5.29.30", true, unhex("3000"), 2, false);
    cr_expect_eq(certificate_check_names(leaf, doubled), R_BAD_INPUT, "constraints doubled");
}

/* ---- PEM ---- */

Test(x509, pem)
{
    struct bytes der = unbase64(ca_constrained);
    X509 *x = x509_of(der);
    BIO *bio = BIO_new(BIO_s_mem());
    char *theirs;
    struct buf b;
    cr_assert_eq(PEM_write_bio_X509(bio, x), 1);
    long n = BIO_get_mem_data(bio, &theirs);
    buf_init(&b, 1 << 16);
    cr_expect_eq(pem_encode("CERTIFICATE", der, &b), R_OK);
    cr_expect(bytes_equal(buf_bytes(&b), BYTES(theirs, n)), "as OpenSSL writes it");
    buf_free(&b);
    BIO_free(bio);
    X509_free(x);
    for (size_t size = 0; size < 100; size++) {
        buf_init(&b, 1 << 16);
        cr_assert_eq(pem_encode("X", BYTES(der.p, size), &b), R_OK);
        char *name, *header;
        unsigned char *back;
        long back_n;
        bio = BIO_new_mem_buf(b.p, (int)b.n);
        if (size > 0 && PEM_read_bio(bio, &name, &header, &back, &back_n) == 1) {
            cr_expect(bytes_equal(BYTES(back, back_n), BYTES(der.p, size)), "%zu bytes", size);
            OPENSSL_free(name);
            OPENSSL_free(header);
            OPENSSL_free(back);
        } else {
            cr_expect_eq(size, 0, "%zu bytes", size);
        }
        BIO_free(bio);
        buf_free(&b);
    }
}
