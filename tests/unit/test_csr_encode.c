/* Requests that are written: read back by us, and by OpenSSL. */
#include <criterion/criterion.h>

#include <openssl/x509.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/codec/csr.h"
#include "lib/codec/pkey.h"

#define COUNT(table) (sizeof table / sizeof table[0])

static struct arena arena;
static struct pkey *key;
static struct bytes spki, subject;
static struct name_attribute attributes[] = {{OID_C, "NL", 0}, {OID_O, "Contoso", 1}, {OID_CN, "Contoso BYOCA", 2}};

static void setup(void)
{
    struct name name = {attributes, COUNT(attributes)};
    struct buf b;
    arena_init(&arena, LIMIT_ARENA_REQUEST);
    buf_init(&b, LIMIT_NAME_DER);
    cr_assert_eq(name_encode(&name, &b), R_OK);
    subject = arena_bytes(&arena, buf_bytes(&b));
    buf_free(&b);
    cr_assert_eq(pkey_generate_rsa(2048, &key), R_OK);
    cr_assert_eq(pkey_spki(key, &arena, &spki), R_OK);
}
static void teardown(void)
{
    pkey_free(key);
    arena_free(&arena);
}
TestSuite(csr_encode, .init = setup, .fini = teardown);

static const char *ekus[] = {EKU_CLIENT_AUTH, "1.3.6.1.4.1.99999.1"};

static struct certificate_content content_made(void)
{
    return (struct certificate_content){.subject = subject, .spki = spki, .ca = true, .path_length = -1,
        .ekus = {ekus, COUNT(ekus)}, .key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN,
        .ski = BYTES("abcdefghijklmnopqrst", 20)};
}

static struct bytes signed_request(const struct certificate_content *c)
{
    struct buf info, whole;
    struct bytes signature;
    buf_init(&info, LIMIT_CERTIFICATE);
    buf_init(&whole, LIMIT_CERTIFICATE);
    cr_assert_eq(csr_encode_info(c, &info), R_OK);
    cr_assert_eq(pkey_sign(key, HASH_SHA256, buf_bytes(&info), &arena, &signature), R_OK);
    signed_wrap(buf_bytes(&info), hash_rsa_algorithm(HASH_SHA256), signature, &whole);
    struct bytes der = arena_bytes(&arena, buf_bytes(&whole));
    buf_free(&info);
    buf_free(&whole);
    return der;
}

Test(csr_encode, what_was_written_is_read)
{
    struct certificate_content c = content_made();
    struct csr read;
    cr_assert_eq(csr_decode(signed_request(&c), &arena, &read), R_OK);
    cr_expect_eq(csr_verify(&read), R_OK);
    cr_expect(bytes_equal(read.key.spki, spki));
    cr_expect_str_eq(name_text(&read.claims.subject, &arena), "C=NL,O=Contoso,CN=Contoso BYOCA");
    cr_expect(read.ca_requested && read.claims.has_key_usage && !read.claims.has_sans && !read.challenge);
    cr_expect_eq(read.claims.key_usage, c.key_usage);
    cr_expect_eq(read.claims.ekus.count, COUNT(ekus));
    cr_expect_str_eq(read.claims.ekus.items[1], ekus[1]);
}

Test(csr_encode, as_openssl_reads_it)
{
    static const struct { int nid; bool critical; } wanted[] = {
        {NID_basic_constraints, true}, {NID_key_usage, true}, {NID_ext_key_usage, false}, {NID_subject_key_identifier, false},
    };
    struct certificate_content c = content_made();
    struct bytes der = signed_request(&c);
    const unsigned char *p = der.p;
    X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)der.n);
    cr_assert(request && p == der.p + der.n);
    cr_expect_eq(X509_REQ_get_version(request), X509_REQ_VERSION_1);
    cr_expect_eq(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1);
    STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(request);
    cr_assert_eq(sk_X509_EXTENSION_num(list), COUNT(wanted));
    for (size_t i = 0; i < COUNT(wanted); i++) {
        X509_EXTENSION *e = sk_X509_EXTENSION_value(list, (int)i);
        cr_expect_eq(OBJ_obj2nid(X509_EXTENSION_get_object(e)), wanted[i].nid);
        cr_expect_eq(X509_EXTENSION_get_critical(e), wanted[i].critical);
    }
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(request);
}

Test(csr_encode, contents_that_cannot_be)
{
    static const char *bad[] = {"1.2.3.x"};
    for (int i = 0; i < 5; i++) {
        struct certificate_content c = content_made();
        struct buf out;
        static const char *const why[] = {"no subject", "no key", "a purpose that is no OID", "nothing asked for", "no room"};
        buf_init(&out, i == 4 ? 100 : LIMIT_CERTIFICATE);
        if (i == 0)
            c.subject = BYTES("x", 1);
        if (i == 1)
            c.spki = BYTES_NONE;
        if (i == 2)
            c.ekus = (struct oids){bad, 1};
        if (i == 3)
            c = (struct certificate_content){.subject = subject, .spki = spki};
        cr_expect_eq(csr_encode_info(&c, &out), i == 4 ? R_TOO_LARGE : R_BAD_INPUT, "%s", why[i]);
        cr_expect_eq(out.n, 0, "%s: nothing is left behind", why[i]);
        buf_free(&out);
    }
}
