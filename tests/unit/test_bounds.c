#include <criterion/criterion.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/policy/bounds.h"
#include "lib/policy/purposes.h"

/* OpenSSL has macros of the same names, with other values. */
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#undef KU_DIGITAL_SIGNATURE
#undef KU_KEY_ENCIPHERMENT
#undef KU_KEY_CERT_SIGN
#undef KU_CRL_SIGN

#define COUNT(x) (sizeof (x) / sizeof (x)[0])
#define DAY 86400
#define NOW INT64_C(1800000000)
#define B(text) BYTES(text, sizeof text - 1)

static bool same(const char *x, const char *y)
{
    return x && y ? strcmp(x, y) == 0 : x == y;
}

static const char *two[] = {EKU_CLIENT_AUTH, EKU_SERVER_AUTH}, *client[] = {EKU_CLIENT_AUTH}, *server[] = {EKU_SERVER_AUTH};
static const char *any[] = {EKU_ANY}, *client_any[] = {EKU_CLIENT_AUTH, EKU_ANY};
static struct name_attribute cn = {OID_CN, "x", 0};
static struct san dns = {SAN_DNS, "a.example.org"};

/* A root, an issuing CA, a device's certificate, and what they say. */
struct world { struct certificate chain[LIMIT_CHAIN + 3], made; uint32_t count, kind; };

static struct certificate ca_certificate(struct bytes issuer, struct bytes subject, struct bytes aki, struct bytes ski)
{
    return (struct certificate){
        .issuer = issuer, .subject = subject, .aki = aki, .ski = ski, .issuer_name = {&cn, 1}, .subject_name = {&cn, 1},
        .has_basic_constraints = true, .ca = true, .has_key_usage = true,
        .key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN, .has_ekus = true, .ekus = {two, 2},
        .key = {.kind = KEY_RSA, .size = 3072, .exponent_ok = true}, .hash = HASH_SHA384,
    };
}

static struct certificate root_made(void)
{
    struct certificate c = ca_certificate(B("root"), B("root"), B("K-root"), B("K-root"));
    c.path_length = 1;
    c.not_before = NOW - 1000 * DAY;
    c.not_after = NOW + 3000 * DAY;
    return c;
}

static struct certificate issuing_made(void)
{
    struct certificate c = ca_certificate(B("root"), B("issuing"), B("K-root"), B("K-issuing"));
    c.path_length = 0;
    c.not_before = NOW - 100 * DAY;
    c.not_after = NOW + 1000 * DAY;
    return c;
}

static struct world leaf_world(void)
{
    return (struct world){
        .chain = {issuing_made(), root_made()}, .count = 2, .kind = CERTIFICATE_LEAF,
        .made = {
            .issuer = B("issuing"), .subject = B("device"), .aki = B("K-issuing"), .ski = B("K-device"),
            .issuer_name = {&cn, 1}, .subject_name = {&cn, 1}, .not_before = NOW - 600, .not_after = NOW + 365 * DAY,
            .has_basic_constraints = true, .path_length = -1, .has_key_usage = true, .key_usage = KU_DIGITAL_SIGNATURE,
            .has_ekus = true, .ekus = {client, 1}, .key = {.kind = KEY_RSA, .size = 2048, .exponent_ok = true},
            .hash = HASH_SHA384,
        },
    };
}

static struct world ca_world(void)
{
    return (struct world){.chain = {root_made()}, .count = 1, .kind = CERTIFICATE_CA, .made = issuing_made()};
}

/* Each case changes the good world in one way. */
#define CHANGE(name, ...) \
    static void name(struct world *w) \
    { \
        struct certificate *c = &w->made, *ca = w->chain; \
        (void)c, (void)ca; \
        __VA_ARGS__; \
    }
CHANGE(nothing, (void)0)
CHANGE(ra_sign, w->kind = CERTIFICATE_RA_SIGN; c->has_ekus = false)
CHANGE(ra_encrypt, w->kind = CERTIFICATE_RA_ENCRYPT; c->has_ekus = false; c->key_usage = KU_KEY_ENCIPHERMENT)
CHANGE(ra_other_eku, w->kind = CERTIFICATE_RA_SIGN; ca->ekus.items = server; ca->ekus.count = 1)
CHANGE(ocsp_no_eku, w->kind = CERTIFICATE_OCSP; c->has_ekus = false)
CHANGE(kind_ca, w->kind = CERTIFICATE_CA)
CHANGE(kind_cross, w->kind = CERTIFICATE_CROSS)
CHANGE(kind_none, w->kind = 6)
CHANGE(other_issuer, c->issuer = B("issuinG"))
CHANGE(no_aki, c->aki = BYTES_NONE)
CHANGE(root_aki, c->aki = B("K-root"))
CHANGE(ca_without_ski, ca->ski = BYTES_NONE; c->aki = BYTES_NONE)
CHANGE(is_ca, c->ca = true)
CHANGE(no_constraints, c->has_basic_constraints = false)
CHANGE(begins_with_ca, c->not_before = ca->not_before)
CHANGE(begins_before_ca, c->not_before = ca->not_before - 1)
CHANGE(ends_with_ca, c->not_after = ca->not_after)
CHANGE(ends_after_ca, c->not_after = ca->not_after + 1)
CHANGE(root_ends_first, ca[1].not_after = NOW + 364 * DAY)
CHANGE(ends_with_root, ca[1].not_after = c->not_after)
CHANGE(ends_at_start, c->not_after = c->not_before)
CHANGE(no_ekus, c->has_ekus = false)
CHANGE(empty_ekus, c->ekus.count = 0)
CHANGE(eku_not_of_ca, c->ekus.items = two; c->ekus.count = 2; ca->ekus.items = client; ca->ekus.count = 1)
CHANGE(eku_not_of_root, ca[1].ekus.items = server; ca[1].ekus.count = 1)
CHANGE(eku_ca_open, ca->has_ekus = false)
CHANGE(eku_all_open, ca->has_ekus = false; ca[1].has_ekus = false)
CHANGE(eku_root_any, ca[1].ekus.items = any; ca[1].ekus.count = 1)
CHANGE(eku_any, c->ekus.items = client_any; c->ekus.count = 2)
CHANGE(eku_any_under_any, c->ekus.items = any; ca->ekus.items = any; ca[1].ekus.items = any;
       c->ekus.count = ca->ekus.count = ca[1].ekus.count = 1)
CHANGE(unknown_critical, c->unknown_critical = "1.2.3.4")
CHANGE(constrains, c->has_name_constraints = true)
CHANGE(no_usage, c->has_key_usage = false)
CHANGE(empty_usage, c->key_usage = 0)
CHANGE(signs_certificates, c->key_usage |= KU_KEY_CERT_SIGN)
CHANGE(signs_crls, c->key_usage |= KU_CRL_SIGN)
CHANGE(both_usages, c->key_usage |= KU_KEY_ENCIPHERMENT)
CHANGE(key_of_ca_size, c->key.size = 3072)
CHANGE(key_above_ca, c->key.size = 3073)
CHANGE(key_2047, c->key.size = 2047)
CHANGE(key_4096_under_ec, ca->key = (struct public_key){.kind = KEY_EC, .size = 256}; c->key.size = 4096)
CHANGE(key_4097_under_ec, ca->key = (struct public_key){.kind = KEY_EC, .size = 256}; c->key.size = 4097)
CHANGE(key_above_all, ca->key.size = 8192; c->key.size = 4104)
CHANGE(key_ec, c->key.kind = KEY_EC; c->key.size = 256)
CHANGE(key_other, c->key.kind = KEY_OTHER; c->key.size = 0)
CHANGE(key_exponent, c->key.exponent_ok = false)
CHANGE(sha1, c->hash = HASH_SHA1)
CHANGE(md5, c->hash = HASH_MD5)
CHANGE(hash_other, c->hash = HASH_OTHER)
CHANGE(hash_beyond, c->hash = 99)
CHANGE(sha256, c->hash = HASH_SHA256)
CHANGE(sha512, c->hash = HASH_SHA512)
CHANGE(no_subject, c->subject_name.count = 0)
CHANGE(sans_critical, c->subject_name.count = 0; c->has_sans = c->sans_critical = true; c->sans = (struct sans){&dns, 1})
CHANGE(sans_not_critical, c->subject_name.count = 0; c->has_sans = true; c->sans = (struct sans){&dns, 1})
CHANGE(sans_empty, c->subject_name.count = 0; c->has_sans = c->sans_critical = true)
CHANGE(no_chain, w->count = 0)
CHANGE(chain_without_root, w->count = 1)
CHANGE(chain_turned, struct certificate first = ca[0]; ca[0] = ca[1]; ca[1] = first; c->issuer = B("root"); c->aki = B("K-root"))
CHANGE(chain_no_ca, ca[1].ca = false)
CHANGE(chain_other_key, ca->aki = B("K-old-root"))
CHANGE(chain_without_key_ids, ca->aki = BYTES_NONE)
CHANGE(chain_longest, for (; w->count < LIMIT_CHAIN + 1; w->count++) ca[w->count] = ca[1])
CHANGE(chain_too_long, for (; w->count < LIMIT_CHAIN + 2; w->count++) ca[w->count] = ca[1])

static const struct { void (*change)(struct world *); const char *field, *why; } leaf_cases[] = {
    {nothing, NULL, "a good certificate"},
    {ra_sign, NULL, "an RA certificate needs no EKU"},
    {ra_encrypt, NULL, "nor does the other one"},
    {ra_other_eku, "eku", "but one that it has must be the CA's"},
    {ocsp_no_eku, "eku", "a responder's certificate needs one"},
    {kind_ca, "kind", "a CA is no leaf"},
    {kind_cross, "kind", "nor is a cross certificate"},
    {kind_none, "kind", "no kind"},
    {other_issuer, "issuer", "issuer bytes, not text"},
    {no_aki, "authority_key_identifier", "no AKI"},
    {root_aki, "authority_key_identifier", "another CA's key"},
    {ca_without_ski, "authority_key_identifier", "two absent identifiers are not equal"},
    {is_ca, "basic_constraints", "CA:TRUE"},
    {no_constraints, "basic_constraints", "no basicConstraints"},
    {begins_with_ca, NULL, "from the CA's first second"},
    {begins_before_ca, "not_before", "a second before the CA"},
    {ends_with_ca, NULL, "to the CA's last second"},
    {ends_after_ca, "not_after", "a second after the CA"},
    {root_ends_first, "not_after", "the root ends before the CA"},
    {ends_with_root, NULL, "to the root's last second"},
    {ends_at_start, "not_after", "no time at all"},
    {no_ekus, "eku", "a device's certificate needs an EKU"},
    {empty_ekus, "eku", "an empty EKU extension"},
    {eku_not_of_ca, "eku", "one that the CA has not"},
    {eku_not_of_root, "eku", "one that the CA has and the root has not"},
    {eku_ca_open, NULL, "a CA without EKU has all of its root's"},
    {eku_all_open, NULL, "a chain without EKU has all"},
    {eku_root_any, NULL, "Any Purpose on a foreign root is no limit"},
    {eku_any, "eku", "Any Purpose on a leaf"},
    {eku_any_under_any, "eku", "Any Purpose even where the chain has it"},
    {unknown_critical, "critical_extension", "a critical extension that nobody asked for"},
    {constrains, "name_constraints", "only CAs constrain names"},
    {no_usage, "key_usage", "no keyUsage"},
    {empty_usage, "key_usage", "an empty keyUsage"},
    {signs_certificates, "key_usage", "keyCertSign"},
    {signs_crls, "key_usage", "cRLSign"},
    {both_usages, NULL, "signature and encipherment"},
    {key_of_ca_size, NULL, "as large as the CA's"},
    {key_above_ca, "key", "larger than the CA's"},
    {key_2047, "key", "a bit short"},
    {key_4096_under_ec, NULL, "4096 under EC"},
    {key_4097_under_ec, "key", "more than that"},
    {key_above_all, "key", "above the limit of all keys"},
    {key_ec, "key", "EC"},
    {key_other, "key", "another algorithm"},
    {key_exponent, "key", "a weak exponent"},
    {sha1, "signature_hash", "SHA-1"},
    {md5, "signature_hash", "MD5"},
    {hash_other, "signature_hash", "an unknown hash"},
    {hash_beyond, "signature_hash", "a number that is no hash"},
    {sha256, NULL, "SHA-256"},
    {sha512, NULL, "SHA-512"},
    {no_subject, "subject", "no subject, no SAN"},
    {sans_critical, NULL, "no subject, critical SANs"},
    {sans_not_critical, "subject", "SANs that may be ignored"},
    {sans_empty, "subject", "a SAN extension without names"},
    {no_chain, "chain", "no CA"},
    {chain_without_root, "chain", "the root is left out"},
    {chain_turned, "chain", "root first"},
    {chain_no_ca, "chain", "a parent that is no CA"},
    {chain_other_key, "chain", "a parent of the same name with another key"},
    {chain_without_key_ids, NULL, "foreign CAs may have no AKI"},
    {chain_longest, NULL, "as long as a chain can be"},
    {chain_too_long, "chain", "one more"},
};

Test(bounds, leaf)
{
    for (size_t i = 0; i < COUNT(leaf_cases); i++) {
        struct world w = leaf_world();
        struct arena a;
        struct verdict v = {0};
        arena_init(&a, 1 << 20);
        leaf_cases[i].change(&w);
        enum result r = bounds_check_leaf(&w.made, w.kind, w.chain, w.count, &a, &v);
        cr_expect_eq(r, leaf_cases[i].field ? R_OUT_OF_BOUNDS : R_OK, "%s: %s", leaf_cases[i].why, v.field);
        cr_expect(same(v.field, leaf_cases[i].field), "%s: field %s", leaf_cases[i].why, v.field);
        cr_expect(!leaf_cases[i].field || v.wanted, "%s", leaf_cases[i].why);
        arena_free(&a);
    }
}

CHANGE(ca_false, c->ca = false)
CHANGE(cannot_sign, c->key_usage = KU_CRL_SIGN)
CHANGE(cannot_crl, c->key_usage = KU_KEY_CERT_SIGN)
CHANGE(no_ski, c->ski = BYTES_NONE)
CHANGE(root_path_0, ca->path_length = 0)
CHANGE(root_path_open, ca->path_length = -1)
CHANGE(both_paths_open, ca->path_length = c->path_length = -1)
CHANGE(path_open, c->path_length = -1)
CHANGE(path_wide, c->path_length = 1)
CHANGE(path_fits, ca->path_length = 2; c->path_length = 1)
CHANGE(third_tier, ca[1] = ca[0]; ca[0] = issuing_made(); w->count = 2; c->issuer = B("issuing"); c->aki = B("K-issuing");
       c->subject = B("third"); c->ski = B("K-third"))
CHANGE(third_tier_permitted, third_tier(w); ca[0].path_length = 1; ca[1].path_length = 2)
CHANGE(third_tier_root_too_short, third_tier(w); ca[0].path_length = 1)
CHANGE(own_root, c->issuer = B("other"))
CHANGE(same_name, c->subject = B("root"))
CHANGE(ca_ends_later, c->not_after = ca->not_after + 1)
CHANGE(ca_ends_with, c->not_after = ca->not_after)
CHANGE(ca_begins_before, c->not_before = ca->not_before - 1)
CHANGE(fewer_ekus, c->ekus.items = client; c->ekus.count = 1)
CHANGE(more_ekus, ca->ekus.items = client; ca->ekus.count = 1)
CHANGE(no_root_ekus, ca->has_ekus = c->has_ekus = false)

static const struct { void (*change)(struct world *); const char *field, *why; } ca_cases[] = {
    {nothing, NULL, "a good issuing CA"},
    {ca_false, "basic_constraints", "no CA"},
    {cannot_sign, "key_usage", "no keyCertSign"},
    {cannot_crl, "key_usage", "no cRLSign"},
    {no_usage, "key_usage", "no keyUsage"},
    {no_ski, "subject_key_identifier", "its leaves would have no AKI"},
    {root_path_0, "path_length", "the root permits no CA"},
    {root_path_open, NULL, "a root without pathLen permits any"},
    {both_paths_open, NULL, "and none is needed then"},
    {path_open, "path_length", "pathLen left out under a root that has one"},
    {path_wide, "path_length", "more than the root permits"},
    {path_fits, NULL, "as much as the root permits"},
    {third_tier, "path_length", "an issuing CA with pathLen 0 has no CA below"},
    {third_tier_permitted, NULL, "three tiers where all permit it"},
    {third_tier_root_too_short, "path_length", "the root's pathLen counts too"},
    {own_root, "issuer", "another issuer"},
    {no_aki, "authority_key_identifier", "no AKI"},
    {same_name, NULL, "the root's own name is allowed (2.D08)"},
    {ca_ends_later, "not_after", "a second after the root"},
    {ca_ends_with, NULL, "to the root's last second"},
    {ca_begins_before, "not_before", "before the root"},
    {fewer_ekus, NULL, "some of the root's EKUs"},
    {more_ekus, "eku", "one that the root has not"},
    {no_ekus, "eku", "no EKU is all, more than the root has"},
    {no_root_ekus, NULL, "all under a root without limits"},
    {eku_any, "eku", "Any Purpose"},
    {unknown_critical, "critical_extension", "a critical extension that nobody asked for"},
    {key_above_ca, "key", "a larger key than the root's"},
    {key_exponent, "key", "a weak exponent"},
    {sha1, "signature_hash", "SHA-1"},
    {no_subject, "subject", "no subject"},
    {no_chain, "chain", "no parent"},
    {chain_no_ca, NULL, "what stands behind the chain is not looked at"},
};

Test(bounds, ca)
{
    for (size_t i = 0; i < COUNT(ca_cases); i++) {
        struct world w = ca_world();
        struct arena a;
        struct verdict v = {0};
        arena_init(&a, 1 << 20);
        ca_cases[i].change(&w);
        enum result r = bounds_check_ca(&w.made, w.chain, w.count, &a, &v);
        cr_expect_eq(r, ca_cases[i].field ? R_OUT_OF_BOUNDS : R_OK, "%s: %s", ca_cases[i].why, v.field);
        cr_expect(same(v.field, ca_cases[i].field), "%s: field %s", ca_cases[i].why, v.field);
        arena_free(&a);
    }
}

Test(bounds, small_answers)
{
    static const char *const names[] = {"leaf", "ra_sign", "ra_encrypt", "ca", "cross", "ocsp"};
    for (uint32_t i = 0; i < COUNT(names); i++)
        cr_expect_str_eq(certificate_kind_name(i), names[i]);
    cr_expect_null(certificate_kind_name(COUNT(names)));
    struct world w = leaf_world();
    cr_expect_eq(bounds_not_after(w.chain, 2), w.chain[0].not_after, "the CA ends first");
    w.chain[1].not_after = NOW;
    cr_expect_eq(bounds_not_after(w.chain, 2), NOW, "the root ends first");
    cr_expect_eq(bounds_not_after(w.chain, 0), 0, "no chain, no time");
    struct oids both = {two, 2};
    cr_expect_null(bounds_purpose_lacking(&both, w.chain, 2));
    w.chain[1].ekus = (struct oids){client, 1};
    cr_expect_str_eq(bounds_purpose_lacking(&both, w.chain, 2), EKU_SERVER_AUTH);
}

/* ---- name constraints, with certificates that OpenSSL made ---- */

static EVP_PKEY *key;

static void extension_add(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    cr_assert(e && X509_add_ext(x, e, -1), "%s", value);
    X509_EXTENSION_free(e);
}

static void made_by_openssl(const char *common_name, int nid, const char *value, struct arena *a, struct certificate *out)
{
    X509 *x = X509_new();
    uint8_t *der = NULL;
    cr_assert(x && X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(x), 7));
    cr_assert(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0));
    cr_assert(X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_UTF8, (const uint8_t *)"ca", -1, -1, 0));
    cr_assert(X509_gmtime_adj(X509_getm_notBefore(x), 0) && X509_gmtime_adj(X509_getm_notAfter(x), DAY));
    cr_assert(X509_set_pubkey(x, key));
    extension_add(x, nid, value);
    cr_assert(X509_sign(x, key, EVP_sha256()));
    int n = i2d_X509(x, &der);
    cr_assert_gt(n, 0);
    cr_assert_eq(certificate_decode(BYTES(der, (size_t)n), a, out), R_OK);
    OPENSSL_free(der);
    X509_free(x);
}

Test(bounds, name_constraints)
{
    static const struct { const char *san, *constraint; bool allowed; const char *why; } cases[] = {
        {"DNS:a.example.org", "critical,permitted;DNS:example.org", true, "a host below"},
        {"DNS:example.org", "critical,permitted;DNS:example.org", true, "the host itself"},
        {"DNS:a.example.com", "critical,permitted;DNS:example.org", false, "another host"},
        {"DNS:badexample.org", "critical,permitted;DNS:example.org", false, "the same end, no dot between"},
        {"DNS:a.example.org,DNS:b.example.com", "critical,permitted;DNS:example.org", false, "one of two is outside"},
        {"DNS:a.example.org", "critical,excluded;DNS:example.org", false, "excluded"},
        {"email:a@example.org", "critical,permitted;DNS:example.com", true, "another type is not constrained"},
        {"email:a@example.org", "critical,permitted;email:example.com", false, "an address elsewhere"},
        {"URI:https://a.example.com/", "critical,permitted;URI:.example.org", false, "a URI elsewhere"},
    };
    key = EVP_EC_gen("P-256");
    cr_assert(key);
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        size_t n = i / 2, tier = i % 2;        /* constraints of the CA, and of the root */
        struct world w = leaf_world();
        struct certificate leaf, ca;
        struct arena a;
        struct verdict v = {0};
        arena_init(&a, 1 << 20);
        made_by_openssl("device", NID_subject_alt_name, cases[n].san, &a, &leaf);
        made_by_openssl("ca", NID_name_constraints, cases[n].constraint, &a, &ca);
        cr_assert(ca.has_name_constraints && !ca.unknown_critical);
        w.made.der = leaf.der;
        w.chain[tier].der = ca.der;
        w.chain[tier].has_name_constraints = true;
        enum result r = bounds_check_leaf(&w.made, CERTIFICATE_LEAF, w.chain, 2, &a, &v);
        cr_expect_eq(r, cases[n].allowed ? R_OK : R_OUT_OF_BOUNDS, "%s, tier %zu", cases[n].why, tier);
        cr_expect(same(v.field, cases[n].allowed ? NULL : "names"), "%s: field %s", cases[n].why, v.field);
        arena_free(&a);
    }
    EVP_PKEY_free(key);
}
