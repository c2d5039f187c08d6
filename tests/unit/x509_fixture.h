/* What the tests of keys and certificates share: certificates and keys made by the openssl command line, and ways to write others. */
#ifndef CHANCERY_TESTS_X509_FIXTURE_H
#define CHANCERY_TESTS_X509_FIXTURE_H

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

static inline void setup(void) { arena_init(&arena, LIMIT_ARENA_REQUEST); }
static inline void teardown(void) { arena_free(&arena); }

static inline struct bytes unbase64(const char *text)
{
    size_t length = strlen(text), n = 0;
    uint8_t *p = arena_alloc(&arena, length);
    cr_assert_not_null(p);
    cr_assert_eq(base64_decode(text, length, false, p, &n), R_OK);
    return BYTES(p, n);
}

static inline struct bytes unhex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = arena_alloc(&arena, n);
    cr_assert_not_null(p);
    cr_assert_eq(hex_decode(hex, p, &n), R_OK, "%s", hex);
    return BYTES(p, n);
}

/* What the buffer holds, in the arena; the buffer is freed. */
static inline struct bytes taken(struct buf *b)
{
    cr_assert(!b->failed);
    struct bytes v = arena_bytes(&arena, buf_bytes(b));
    cr_assert_not_null(v.p);
    buf_free(b);
    return v;
}

static inline int64_t at(const char *iso)
{
    int64_t t = 0;
    cr_assert_eq(clock_from_iso(iso, &t), R_OK);
    return t;
}

static inline EVP_PKEY *test_key(void)
{
    static EVP_PKEY *key;
    if (!key)
        key = EVP_RSA_gen(2048);
    cr_assert_not_null(key);
    return key;
}

static inline struct bytes spki_of(EVP_PKEY *key)
{
    unsigned char *p = NULL;
    int n = i2d_PUBKEY(key, &p);
    cr_assert(n > 0);
    struct bytes spki = arena_bytes(&arena, BYTES(p, n));
    OPENSSL_free(p);
    return spki;
}

static inline struct bytes x509_der(X509 *x)
{
    unsigned char *p = NULL;
    int n = i2d_X509(x, &p);
    cr_assert(n > 0);
    struct bytes der = arena_bytes(&arena, BYTES(p, n));
    OPENSSL_free(p);
    return der;
}

static inline X509 *x509_of(struct bytes der)
{
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    cr_assert_not_null(x, "OpenSSL reads what was written");
    cr_assert_eq(p, der.p + der.n, "to its end");
    return x;
}

static inline const EVP_MD *md_of(uint32_t hash)
{
    static const EVP_MD *(*const all[])(void) = {
        [HASH_SHA256] = EVP_sha256, [HASH_SHA384] = EVP_sha384, [HASH_SHA512] = EVP_sha512, [HASH_SHA1] = EVP_sha1,
    };
    return all[hash]();
}

static inline struct bytes signed_with(struct bytes tbs, struct bytes algorithm, uint32_t hash)
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

static inline struct bytes issued(const struct certificate_content *c)
{
    struct buf b;
    buf_init(&b, LIMIT_CERTIFICATE);
    cr_assert_eq(certificate_encode_tbs(c, &b), R_OK);
    return signed_with(taken(&b), hash_rsa_algorithm(c->hash), c->hash);
}

static inline struct bytes name_of(const char *cn)
{
    struct name_attribute items[] = {{OID_O, "Example", 0}, {OID_CN, cn, 1}};
    struct name n = {items, COUNT(items)};
    struct buf b;
    buf_init(&b, LIMIT_NAME_DER);
    cr_assert_eq(name_encode(&n, &b), R_OK);
    return taken(&b);
}

static inline struct certificate_content root_content(void)
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

static inline struct certificate_content leaf_content(void)
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

static inline struct bytes rsa_spki(const char *n, const char *e, const char *parameters, const char *behind)
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

#endif
