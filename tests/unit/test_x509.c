#include <criterion/criterion.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Macros with other values than our enum of the same names; OpenSSL has X509v3_KU_ as well. */
#undef KU_DIGITAL_SIGNATURE
#undef KU_NON_REPUDIATION
#undef KU_KEY_ENCIPHERMENT
#undef KU_DATA_ENCIPHERMENT
#undef KU_KEY_AGREEMENT
#undef KU_KEY_CERT_SIGN
#undef KU_CRL_SIGN
#undef KU_ENCIPHER_ONLY
#undef KU_DECIPHER_ONLY

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/x509.h"

#define COUNT(table) (sizeof table / sizeof table[0])

/* Certificates and keys made by the openssl command line, in base64. */

/* a root until 2066 with pathLen 3, name constraints, CRL points by LDAP and HTTP, CA issuers and OCSP; serial f1; P-256 */
static const char ca_constrained[] =
    "MIICZjCCAgygAwIBAgICAPEwCgYIKoZIzj0EAwIwIzEUMBIGA1UECgwLQ29uc3RyYWluZWQxCzAJBgNVBAMMAkNBMCAXDTI2MTEyMjE2MjE0OV"
    "oYDzIwNjYxMTEyMTYyMTQ5WjAjMRQwEgYDVQQKDAtDb25zdHJhaW5lZDELMAkGA1UEAwwCQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASE"
    "F1mZitqmXCLmxzR5cEDhVmOTQzC4s6QJk57zpQKejPqg/w6jNLyjDINZb0pVp+kw0JEnl3GWFJcQ6IHxAapPo4IBLDCCASgwEgYDVR0TAQH/BA"
    "gwBgEB/wIBAzAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFLhPy+thgkxHWST2c/8NJ7SpFJhEMEIGA1UdHgEB/wQ4MDagHjANggtleGFtcGxl"
    "Lm9yZzANgQtleGFtcGxlLm9yZ6EUMBKkEDAOMQwwCgYDVQQKDANCYWQwPwYDVR0fBDgwNjAQoA6gDIYKbGRhcDovL3gveTAioCCgHoYcaHR0cD"
    "ovL2NybC5leGFtcGxlLm9yZy9hLmNybDBeBggrBgEFBQcBAQRSMFAwKAYIKwYBBQUHMAKGHGh0dHA6Ly9jYS5leGFtcGxlLm9yZy9jYS5jZXIw"
    "JAYIKwYBBQUHMAGGGGh0dHA6Ly9vY3NwLmV4YW1wbGUub3JnLzAKBggqhkjOPQQDAgNIADBFAiAaz5cCuCkPc+C3msCsHcK7kJwecvsn3MWy/Z"
    "K/XDmOKQIhAJJ1g8opIJW2qhpwmDZ5Y0KgiXMKZS9j4UsWUOnu0J/D";

/* serial -5, critical certificatePolicies, SHA-512, the same key */
static const char ca_odd[] =
    "MIIBhzCCAS6gAwIBAgIB+zAKBggqhkjOPQQDBDAjMRQwEgYDVQQKDAtDb25zdHJhaW5lZDELMAkGA1UEAwwCQ0EwHhcNMjYxMTIyMTYyMTQ5Wh"
    "cNMjcxMTIyMTYyMTQ5WjAjMRQwEgYDVQQKDAtDb25zdHJhaW5lZDELMAkGA1UEAwwCQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASEF1mZ"
    "itqmXCLmxzR5cEDhVmOTQzC4s6QJk57zpQKejPqg/w6jNLyjDINZb0pVp+kw0JEnl3GWFJcQ6IHxAapPo1MwUTAPBgNVHRMBAf8EBTADAQH/MB"
    "MGA1UdIAEB/wQJMAcwBQYDKgMEMAoGA1UdNgQDAgECMB0GA1UdDgQWBBS4T8vrYYJMR1kk9nP/DSe0qRSYRDAKBggqhkjOPQQDBANHADBEAiBP"
    "CzBw9Kb4pQCUQCdt6dpfW7H7zBdIFi/oGV/K4/6MaQIgBgOYw53hjGhZ5q6KSxybZnX3rLX0hzXOlv3oLJgMCxI=";

static const char version_1[] =
    "MIIBbjCB9AIUeh81smLjRj4122UOMTnK77VhKOwwCgYIKoZIzj0EAwIwGzEZMBcGA1UEAwwQaG9zdC5leGFtcGxlLmNvbTAeFw0yNjExMjIxNj"
    "IxNDlaFw0yNjEyMDIxNjIxNDlaMBsxGTAXBgNVBAMMEGhvc3QuZXhhbXBsZS5jb20wdjAQBgcqhkjOPQIBBgUrgQQAIgNiAATOJJlomRiFyWWg"
    "Qn4W2NhDeAPdmZ5FxW/M2Y9fWQqcLVfMcqYKNHBW6ivPK3+/87cF0dQdy6JlZ1LuMcaHZuVHKIAGVLXg9hgnQ+qWwQ9JflPwk2kxtRnydBePD+"
    "McMjgwCgYIKoZIzj0EAwIDaQAwZgIxAPNSCJK6bjqCryardgwI5yGalViChPpHPB31hH48hro6dcF2O7wj/2rTvhraRui1cwIxAMZAOSDUHYZ1"
    "xyzLSFOvzu7sv88MXJYVpDprYWhYJTiReY3nfHFkNMprHZxu1grR/Q==";

/* leaves of ca_constrained: names inside, DNS name outside, subject excluded, a CN like a host name outside */
static const char leaf_inside[] =
    "MIIBtzCCAV2gAwIBAgIBATAKBggqhkjOPQQDAjAjMRQwEgYDVQQKDAtDb25zdHJhaW5lZDELMAkGA1UEAwwCQ0EwHhcNMjYxMTIyMTYyMTQ5Wh"
    "cNMjcwOTE4MTYyMTQ5WjAdMQ0wCwYDVQQKDARHb29kMQwwCgYDVQQDDANkZXYwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAATOJJlomRiFyWWgQn4W"
    "2NhDeAPdmZ5FxW/M2Y9fWQqcLVfMcqYKNHBW6ivPK3+/87cF0dQdy6JlZ1LuMcaHZuVHKIAGVLXg9hgnQ+qWwQ9JflPwk2kxtRnydBePD+McMj"
    "ijazBpMCcGA1UdEQQgMB6CDWEuZXhhbXBsZS5vcmeBDXhAZXhhbXBsZS5vcmcwHQYDVR0OBBYEFMzYn5Soyra+PpPMtEzW1LKFZyFwMB8GA1Ud"
    "IwQYMBaAFLhPy+thgkxHWST2c/8NJ7SpFJhEMAoGCCqGSM49BAMCA0gAMEUCIFXTv5bJp1h5IBeKVjNqfIxjw6VFRFaDrX/c8EXk8G6jAiEAjd"
    "VwmWW50hq9ElROoyJW/V+O7zMmrnnbjdcrgo6lGzQ=";
static const char leaf_dns_outside[] =
    "MIIBqDCCAU6gAwIBAgIBAjAKBggqhkjOPQQDAjAjMRQwEgYDVQQKDAtDb25zdHJhaW5lZDELMAkGA1UEAwwCQ0EwHhcNMjYxMTIyMTYyMTQ5Wh"
    "cNMjcwOTE4MTYyMTQ5WjAdMQ0wCwYDVQQKDARHb29kMQwwCgYDVQQDDANkZXYwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAATOJJlomRiFyWWgQn4W"
    "2NhDeAPdmZ5FxW/M2Y9fWQqcLVfMcqYKNHBW6ivPK3+/87cF0dQdy6JlZ1LuMcaHZuVHKIAGVLXg9hgnQ+qWwQ9JflPwk2kxtRnydBePD+McMj"
    "ijXDBaMBgGA1UdEQQRMA+CDWEuZXhhbXBsZS5jb20wHQYDVR0OBBYEFMzYn5Soyra+PpPMtEzW1LKFZyFwMB8GA1UdIwQYMBaAFLhPy+thgkxH"
    "WST2c/8NJ7SpFJhEMAoGCCqGSM49BAMCA0gAMEUCICSXaQAWWvp0asmTuLN87QLYM4jJ6GI7M0cx+n3pkW8zAiEA7nF31TBi5bnW99GVfqogXg"
    "vAfOslQ24sxQPiKda+D0U=";
static const char leaf_directory_excluded[] =
    "MIIBpjCCAU2gAwIBAgIBAzAKBggqhkjOPQQDAjAjMRQwEgYDVQQKDAtDb25zdHJhaW5lZDELMAkGA1UEAwwCQ0EwHhcNMjYxMTIyMTYyMTQ5Wh"
    "cNMjcwOTE4MTYyMTQ5WjAcMQwwCgYDVQQKDANCYWQxDDAKBgNVBAMMA2RldjB2MBAGByqGSM49AgEGBSuBBAAiA2IABM4kmWiZGIXJZaBCfhbY"
    "2EN4A92ZnkXFb8zZj19ZCpwtV8xypgo0cFbqK88rf7/ztwXR1B3LomVnUu4xxodm5UcogAZUteD2GCdD6pbBD0l+U/CTaTG1GfJ0F48P4xwyOK"
    "NcMFowGAYDVR0RBBEwD4INYS5leGFtcGxlLm9yZzAdBgNVHQ4EFgQUzNiflKjKtr4+k8y0TNbUsoVnIXAwHwYDVR0jBBgwFoAUuE/L62GCTEdZ"
    "JPZz/w0ntKkUmEQwCgYIKoZIzj0EAwIDRwAwRAIgEP4d6ufH5CccIQRqo/b4PzqgfpX83sVzqnmJKcwwTykCIDXFy7HTIT6tVZC6THczESe6nv"
    "en+xMCW19X8QcPRonk";
static const char leaf_cn_outside[] =
    "MIIBljCCAT2gAwIBAgIBBDAKBggqhkjOPQQDAjAjMRQwEgYDVQQKDAtDb25zdHJhaW5lZDELMAkGA1UEAwwCQ0EwHhcNMjYxMTIyMTYyMTQ5Wh"
    "cNMjcwOTE4MTYyMTQ5WjAbMRkwFwYDVQQDDBBob3N0LmV4YW1wbGUuY29tMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEziSZaJkYhclloEJ+FtjY"
    "Q3gD3ZmeRcVvzNmPX1kKnC1XzHKmCjRwVuorzyt/v/O3BdHUHcuiZWdS7jHGh2blRyiABlS14PYYJ0PqlsEPSX5T8JNpMbUZ8nQXjw/jHDI4o0"
    "0wSzAJBgNVHRMEAjAAMB0GA1UdDgQWBBTM2J+UqMq2vj6TzLRM1tSyhWchcDAfBgNVHSMEGDAWgBS4T8vrYYJMR1kk9nP/DSe0qRSYRDAKBggq"
    "hkjOPQQDAgNHADBEAiBwYx9Mp0mIo8ziUovGcmuAsvwm05UOuZYsphD4dGEthgIgCdhxbBUfWVwzTQLtzsglopnaplsRf95qaJfL1RFkcmQ=";

static const char spki_rsa[] =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApqNilzpOtYWPvUi1LlAtANQ0Lcww/yefnu8MUT0QNXVGr617Clo2M3U7EzX4SJ5rcL"
    "UHDrjm3iL1jxk0YzxFinDvZYNvUAArK4whYtiGh+LQBthAzO6eC+ZUII4mymlQ44cA+LtFgFVLLVWDz+gdb/yi1sTUrRsMRFqEfLjqwqUcI/Bl"
    "vUfKTLOkGZcIZ1EunSF2TYMOCyoaW9IOrd2vec4NuHdQ7bcHwKAC+iIex72Uwwb0nFtw5mOphKIz7HCjuiAhtT0HR5ax4qmtalCAhUZ4jQAZ3C"
    "VTne1eUs/GC74W/bbDdrEJ5TQZI+E12w0rler44fWo8X9/ZyiadGxdDQIDAQAB";
static const char spki_e3[] =
    "MIIBIDANBgkqhkiG9w0BAQEFAAOCAQ0AMIIBCAKCAQEAs6rsU3/Fec0SgnPfm9i2o3IPisU4BQbHSan/1cOa8hOXfSF3CouBvfp9OfNQ1fNcjN"
    "oIQ77dfYWpK/QBUVr5yaqIBKkZ92+jB+Qyq9TIUvG1NLhOUs5f1L4fmTEKD340pg9XHPB6FAFP/fBT/SashKrf9NM/6ABgxvlyctjO/ipm0hGq"
    "mTBrnquU7hCp9R9VM/S6qXayiK41ITbQE8k3eXZayULgZXuOk2QASkhvNjpU1vogKnVBknP/eauGzf9rr59xE+GgID7dgS9MXI61zBMSXbRXzg"
    "YbrhG/ZuxWv53g59TjrWcx4YZNoz6x0JWhFLPbr/aqkuTovZBMH9uCwwIBAw==";
static const char spki_p384[] =
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEziSZaJkYhclloEJ+FtjYQ3gD3ZmeRcVvzNmPX1kKnC1XzHKmCjRwVuorzyt/v/O3BdHUHcuiZWdS7j"
    "HGh2blRyiABlS14PYYJ0PqlsEPSX5T8JNpMbUZ8nQXjw/jHDI4";
static const char spki_p256[] =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhBdZmYraplwi5sc0eXBA4VZjk0MwuLOkCZOe86UCnoz6oP8OozS8owyDWW9KVafpMNCRJ5dxlh"
    "SXEOiB8QGqTw==";
static const char spki_p256_compressed[] =
    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADhBdZmYraplwi5sc0eXBA4VZjk0MwuLOkCZOe86UCnow=";
static const char spki_secp256k1[] =
    "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEdQ311LnooVhEnGjq37LEPY2xztBiYIQaaNPiaF7QhZ3GobZb6amxBhk19frgQqAFby+xw8KETDci3p"
    "z2hliBTA==";
static const char spki_ed25519[] =
    "MCowBQYDK2VwAyEAa4sGmoZxftjsJevPcjiLsB9t8BuJxCOqze6b+m6o6KE=";

static struct arena arena;

static void setup(void) { arena_init(&arena, LIMIT_ARENA_REQUEST); }
static void teardown(void) { arena_free(&arena); }
TestSuite(x509, .init = setup, .fini = teardown);

static struct bytes unbase64(const char *text)
{
    size_t length = strlen(text), n = 0;
    uint8_t *p = arena_alloc(&arena, length);
    cr_assert_not_null(p);
    cr_assert_eq(base64_decode(text, length, false, p, &n), R_OK);
    return BYTES(p, n);
}

static struct bytes unhex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = arena_alloc(&arena, n);
    cr_assert_not_null(p);
    cr_assert_eq(hex_decode(hex, p, &n), R_OK, "%s", hex);
    return BYTES(p, n);
}

/* What the buffer holds, in the arena; the buffer is freed. */
static struct bytes taken(struct buf *b)
{
    cr_assert(!b->failed);
    struct bytes v = arena_bytes(&arena, buf_bytes(b));
    cr_assert_not_null(v.p);
    buf_free(b);
    return v;
}

static int64_t at(const char *iso)
{
    int64_t t = 0;
    cr_assert_eq(clock_from_iso(iso, &t), R_OK);
    return t;
}

static EVP_PKEY *test_key(void)
{
    static EVP_PKEY *key;
    if (!key)
        key = EVP_RSA_gen(2048);
    cr_assert_not_null(key);
    return key;
}

static struct bytes spki_of(EVP_PKEY *key)
{
    unsigned char *p = NULL;
    int n = i2d_PUBKEY(key, &p);
    cr_assert(n > 0);
    struct bytes spki = arena_bytes(&arena, BYTES(p, n));
    OPENSSL_free(p);
    return spki;
}

static struct bytes x509_der(X509 *x)
{
    unsigned char *p = NULL;
    int n = i2d_X509(x, &p);
    cr_assert(n > 0);
    struct bytes der = arena_bytes(&arena, BYTES(p, n));
    OPENSSL_free(p);
    return der;
}

static X509 *x509_of(struct bytes der)
{
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    cr_assert_not_null(x, "OpenSSL reads what was written");
    cr_assert_eq(p, der.p + der.n, "to its end");
    return x;
}

static const EVP_MD *md_of(uint32_t hash)
{
    static const EVP_MD *(*const all[])(void) = {
        [HASH_SHA256] = EVP_sha256, [HASH_SHA384] = EVP_sha384, [HASH_SHA512] = EVP_sha512, [HASH_SHA1] = EVP_sha1,
    };
    return all[hash]();
}

static struct bytes signed_with(struct bytes tbs, struct bytes algorithm, uint32_t hash)
{
    uint8_t signature[512];
    size_t n = sizeof signature;
    struct buf b;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    cr_assert_eq(EVP_DigestSignInit(context, NULL, md_of(hash), NULL, test_key()), 1);
    cr_assert_eq(EVP_DigestSign(context, signature, &n, tbs.p, tbs.n), 1);
    EVP_MD_CTX_free(context);
    buf_init(&b, LIMIT_CERTIFICATE);
    signed_wrap(tbs, algorithm, BYTES(signature, n), &b);
    return taken(&b);
}

static struct bytes issued(const struct certificate_content *c)
{
    struct buf b;
    buf_init(&b, LIMIT_CERTIFICATE);
    cr_assert_eq(certificate_encode_tbs(c, &b), R_OK);
    return signed_with(taken(&b), hash_rsa_algorithm(c->hash), c->hash);
}

static struct bytes name_of(const char *cn)
{
    struct name_attribute items[] = {{OID_O, "Example", 0}, {OID_CN, cn, 1}};
    struct name n = {items, COUNT(items)};
    struct buf b;
    buf_init(&b, LIMIT_NAME_DER);
    cr_assert_eq(name_encode(&n, &b), R_OK);
    return taken(&b);
}

static struct certificate_content root_content(void)
{
    struct public_key key;
    uint8_t *ski = arena_alloc(&arena, 20);
    struct bytes spki = spki_of(test_key());
    cr_assert_eq(public_key_decode(spki, &key), R_OK);
    public_key_ski(&key, ski);
    return (struct certificate_content){
        .serial = unhex("10a1b2c3d4e5f60718293a4b5c6d7e8f"), .hash = HASH_SHA256, .issuer = name_of("Root"),
        .subject = name_of("Root"), .not_before = at("2026-11-22T15:00:00Z"), .not_after = at("2051-11-22T15:00:00Z"),
        .spki = spki, .ca = true, .path_length = -1, .key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN, .ski = BYTES(ski, 20),
    };
}

static const char *leaf_ekus[] = {EKU_CLIENT_AUTH, "1.3.6.1.4.1.311.10.3.4"};
static struct san leaf_sans[] = {
    {SAN_DNS, "a.example.org"}, {SAN_UPN, "\xc3\xa4@example.org"}, {SAN_EMAIL, "a@example.org"}, {SAN_URI, "urn:x:1"},
};

static struct certificate_content leaf_content(void)
{
    struct certificate_content c = root_content();
    c.ca = false;
    c.digital_ca_false = true;
    c.subject = name_of("device 7");
    c.not_after = at("2027-11-22T15:00:00Z");
    c.key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT;
    c.ekus = (struct oids){leaf_ekus, COUNT(leaf_ekus)};
    c.sans = (struct sans){leaf_sans, COUNT(leaf_sans)};
    c.aki = c.ski;
    c.crl_url = "http://pki.example.org/crl/1_v1/current.crl";
    c.aia_url = "http://pki.example.org/ca/1_v1/cert.cer";
    return c;
}

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

/* ---- public keys ---- */

Test(x509, public_keys)
{
    static const struct { const char *text; uint32_t kind, size; bool exponent_ok; const char *why; } cases[] = {
        {spki_rsa, KEY_RSA, 2048, true, "RSA"},
        {spki_e3, KEY_RSA, 2048, false, "RSA with exponent 3"},
        {spki_p384, KEY_EC, 384, false, "P-384"},
        {spki_p256, KEY_EC, 256, false, "P-256"},
        {spki_p256_compressed, KEY_EC, 256, false, "P-256, compressed point"},
        {spki_secp256k1, KEY_EC, 0, false, "a curve that is none of NIST's"},
        {spki_ed25519, KEY_OTHER, 0, false, "Ed25519"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes spki = unbase64(cases[i].text);
        struct public_key k;
        cr_assert_eq(public_key_decode(spki, &k), R_OK, "%s", cases[i].why);
        cr_expect_eq(k.kind, cases[i].kind, "%s", cases[i].why);
        cr_expect_eq(k.size, cases[i].size, "%s", cases[i].why);
        cr_expect_eq(k.exponent_ok, cases[i].exponent_ok, "%s", cases[i].why);
        cr_expect(bytes_equal(k.spki, spki), "%s", cases[i].why);
        uint8_t ski[20];
        unsigned char theirs[20];
        unsigned n = 0;
        const unsigned char *p = spki.p;
        X509_PUBKEY *public = d2i_X509_PUBKEY(NULL, &p, (long)spki.n);
        X509 *x = X509_new();
        cr_assert(public && X509_set_pubkey(x, X509_PUBKEY_get0(public)) == 1);
        cr_assert_eq(X509_pubkey_digest(x, EVP_sha1(), theirs, &n), 1);
        public_key_ski(&k, ski);
        /* OpenSSL writes a compressed point as it was read. */
        cr_expect_arr_eq(ski, theirs, 20, "%s", cases[i].why);
        X509_free(x);
        X509_PUBKEY_free(public);
        for (size_t cut = 0; cut < spki.n; cut++)
            cr_expect_eq(public_key_decode(BYTES(spki.p, cut), &k), R_BAD_INPUT, "%s, cut at %zu", cases[i].why, cut);
    }
}

/* An RSA SubjectPublicKeyInfo of such numbers, written in hex. */
static struct bytes rsa_spki(const char *n, const char *e, const char *parameters, const char *behind)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    size_t spki = der_open(&b, DER_SEQUENCE), algorithm = der_open(&b, DER_SEQUENCE);
    der_oid(&b, "1.2.840.113549.1.1.1");
    der_raw(&b, unhex(parameters));
    der_close(&b, algorithm);
    size_t bits = der_open(&b, DER_BIT_STRING);
    buf_byte(&b, 0);
    size_t key = der_open(&b, DER_SEQUENCE);
    der_raw(&b, unhex(n));
    der_raw(&b, unhex(e));
    der_close(&b, key);
    der_raw(&b, unhex(behind));
    der_close(&b, bits);
    der_close(&b, spki);
    return taken(&b);
}

Test(x509, rsa_numbers)
{
    static const struct {
        const char *n, *e, *parameters, *behind;
        enum result r;
        uint32_t size;
        bool ok;
        const char *why;
    } cases[] = {
        {"020500ffffffff", "0203010001", "0500", "", R_OK, 32, true, "as it should be"},
        {"02047fffffff", "0203010001", "0500", "", R_OK, 31, true, "31 bits"},
        {"020101", "0203010001", "0500", "", R_OK, 1, true, "one bit"},
        {"020500ffffffff", "020101", "0500", "", R_OK, 32, false, "exponent 1"},
        {"020500ffffffff", "020103", "0500", "", R_OK, 32, false, "exponent 3"},
        {"020500ffffffff", "0203010000", "0500", "", R_OK, 32, false, "even exponent"},
        {"020500ffffffff", "0203010003", "0500", "", R_OK, 32, true, "65539"},
        {"020500ffffffff", "020900ffffffffffffffff", "0500", "", R_OK, 32, true, "exponent of 64 bits"},
        {"020500ffffffff", "0209010000000000000001", "0500", "", R_OK, 32, false, "exponent of 65 bits"},
        {"020500ffffffff", "0220" "7fffffffffffffffffffffffffffffff" "ffffffffffffffffffffffffffffffff", "0500", "", R_OK, 32,
         false, "huge exponent"},
        {"020500ffffffff", "020100", "0500", "", R_OK, 32, false, "exponent 0"},
        {"020500fffffffe", "0203010001", "0500", "", R_BAD_INPUT, 0, false, "even modulus"},
        {"020100", "0203010001", "0500", "", R_BAD_INPUT, 0, false, "modulus 0"},
        {"0204ffffffff", "0203010001", "0500", "", R_BAD_INPUT, 0, false, "negative modulus"},
        {"02050000ffffff", "0203010001", "0500", "", R_BAD_INPUT, 0, false, "needless zeros"},
        {"020500ffffffff", "0201ff", "0500", "", R_BAD_INPUT, 0, false, "negative exponent"},
        {"020500ffffffff", "0203010001", "", "", R_BAD_INPUT, 0, false, "no parameters"},
        {"020500ffffffff", "0203010001", "3000", "", R_BAD_INPUT, 0, false, "other parameters"},
        {"020500ffffffff", "0203010001", "05000500", "", R_BAD_INPUT, 0, false, "more parameters"},
        {"020500ffffffff", "02030100010500", "0500", "", R_BAD_INPUT, 0, false, "a third number"},
        {"020500ffffffff", "0203010001", "0500", "00", R_BAD_INPUT, 0, false, "a byte behind the key"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct public_key k;
        struct bytes spki = rsa_spki(cases[i].n, cases[i].e, cases[i].parameters, cases[i].behind);
        cr_expect_eq(public_key_decode(spki, &k), cases[i].r, "%s", cases[i].why);
        if (cases[i].r != R_OK)
            continue;
        cr_expect_eq(k.size, cases[i].size, "%s", cases[i].why);
        cr_expect_eq(k.exponent_ok, cases[i].ok, "%s", cases[i].why);
    }
}

Test(x509, keys_of_another_form)
{
    static const struct { const char *hex; enum result r; const char *why; } cases[] = {
        {"300a300506032b6570030100", R_BAD_INPUT, "no bits"},
        {"300b300506032b657003020155", R_BAD_INPUT, "unused bits"},
        {"300b300506032b657003020055", R_OK, "an unknown algorithm"},
        {"300b300506032b65700302005500", R_BAD_INPUT, "a byte behind"},
        {"300d300506032b6570030200550500", R_BAD_INPUT, "a third field"},
        {"3019301306072a8648ce3d020106082a8648ce3d030107030200" "04", R_BAD_INPUT, "a point of one octet on P-256"},
        {"3018301206072a8648ce3d0201300706052b81040021030200" "04", R_OK, "parameters that are no OID: size 0"},
        {"3010300906072a8648ce3d0201030300" "0401", R_BAD_INPUT, "no curve"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct public_key k = {.size = 1};
        cr_expect_eq(public_key_decode(unhex(cases[i].hex), &k), cases[i].r, "%s", cases[i].why);
    }
}

/* ---- what is written, as OpenSSL reads it ---- */

Test(x509, a_root_as_openssl_reads_it)
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

Test(x509, a_leaf_as_openssl_reads_it)
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

Test(x509, what_was_written_is_read)
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

Test(x509, dates)
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

Test(x509, an_empty_subject_makes_the_san_critical)
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

Test(x509, without_any_extension)
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

Test(x509, path_lengths)
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

Test(x509, contents_that_cannot_be)
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
