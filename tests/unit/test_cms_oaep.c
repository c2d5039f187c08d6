/* Envelopes whose key is wrapped by RSAES-OAEP, with every kind of parameters. */
#include "tests/unit/cms_made.h"

#include <openssl/rsa.h>

#include "lib/base/limits.h"

#define CONTENT "a certification request, with a challenge in it"

static struct peer ra;
static struct cms_key *key;

static void setup(void)
{
    log_to(-1);
    arena_init(&arena, ARENA_LIMIT);
    ra = peer_make(EVP_RSA_gen(2048), "RA", "8f00112233445566");
    key = peer_cms_key(&ra);
}

static void teardown(void)
{
    cms_key_free(key);
    peer_free(&ra);
    arena_free(&arena);
}

TestSuite(cms_oaep, .init = setup, .fini = teardown);

static const uint8_t content_key[16] = {1}, iv[16] = {2};

static struct bytes key_wrapped(const EVP_MD *md, const EVP_MD *mask, const char *label)
{
    uint8_t *out = arena_alloc(&arena, LIMIT_RSA_BITS_MAX / 8);
    size_t n = LIMIT_RSA_BITS_MAX / 8;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(ra.key, NULL);

    cr_assert(EVP_PKEY_encrypt_init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_oaep_md(c, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(c, mask) == 1);
    if (label[0] != 0)
        cr_assert_eq(EVP_PKEY_CTX_set0_rsa_oaep_label(c, OPENSSL_strdup(label), (int)strlen(label)), 1);
    cr_assert_eq(EVP_PKEY_encrypt(c, out, &n, content_key, sizeof content_key), 1);
    EVP_PKEY_CTX_free(c);
    return BYTES(out, n);
}

static struct bytes content_encrypted(void)
{
    uint8_t *out = arena_alloc(&arena, sizeof CONTENT + 16);
    int n, last;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

    cr_assert(EVP_EncryptInit_ex(c, EVP_aes_128_cbc(), NULL, content_key, iv) == 1 &&
              EVP_EncryptUpdate(c, out, &n, (const uint8_t *)CONTENT, sizeof CONTENT - 1) == 1 &&
              EVP_EncryptFinal_ex(c, out + n, &last) == 1);
    EVP_CIPHER_CTX_free(c);
    return BYTES(out, (size_t)(n + last));
}

#define INTEGER_0 HEX("\x02\x01\x00")
#define OID_OF_ENVELOPED_DATA HEX("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03")
#define OID_OF_OAEP HEX("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07")
#define OID_OF_AES128 HEX("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x02")

static struct bytes envelope_made(struct bytes parameters, struct bytes wrapped)
{
    struct bytes recipient = SEQUENCE(INTEGER_0, issuer_and_serial(&ra), SEQUENCE(OID_OF_OAEP, parameters),
                                      tlv(DER_OCTET_STRING, DEFINITE, wrapped));
    struct bytes algorithm = SEQUENCE(OID_OF_AES128, tlv(DER_OCTET_STRING, DEFINITE, BYTES(iv, sizeof iv)));
    struct bytes encrypted = SEQUENCE(OID_OF_DATA, algorithm, tlv(DER_CONTEXT(0), DEFINITE, content_encrypted()));
    struct bytes enveloped = SEQUENCE(INTEGER_0, tlv(DER_SET, DEFINITE, recipient), encrypted);

    return SEQUENCE(OID_OF_ENVELOPED_DATA, tlv(DER_CONTEXT_CONSTRUCTED(0), DEFINITE, enveloped));
}

static struct bytes unhex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = arena_alloc(&arena, n);

    cr_assert_eq(hex_decode(hex, p, &n), R_OK, "the table's own hex: %s", hex);
    return BYTES(p, n);
}

/* Parts of parameters, in hex. */
#define SHA1 "300906052b0e03021a0500"
#define SHA1_BARE "300706052b0e03021a"
#define SHA224 "300d06096086480165030402040500"
#define SHA256 "300d06096086480165030402010500"
#define SHA256_BARE "300b0609608648016503040201"
#define SHA384 "300d06096086480165030402020500"
#define SHA512 "300d06096086480165030402030500"
#define SHA3_256 "300b0609608648016503040208"
#define MD5 "300c06082a864886f70d02050500"
#define MGF1(n, hash) "30" n "06092a864886f70d010108" hash
#define NO_LABEL "300d06092a864886f70d0101090400"
#define LABEL "300e06092a864886f70d010109040141"

/* For each: what the key is really wrapped with, and what the parameters say. */
static const struct row {
    const EVP_MD *(*md)(void), *(*mask)(void);
    const char *label, *parameters;
    uint32_t hash;                  /* as peek tells it */
    bool opens;
    const char *why;
} rows[] = {
    {EVP_sha1, EVP_sha1, "", "3000", HASH_SHA1, true, "all by default: Windows"},
    {EVP_sha1, EVP_sha1, "", "300da00b" SHA1, HASH_SHA1, true, "SHA-1 named, its mask not"},
    {EVP_sha1, EVP_sha1, "", "300ba009" SHA1_BARE, HASH_SHA1, true, "without NULL"},
    {EVP_sha256, EVP_sha256, "", "302fa00f" SHA256 "a11c" MGF1("1a", SHA256), HASH_SHA256, true, "SHA-256"},
    {EVP_sha256, EVP_sha256, "", "302ba00d" SHA256_BARE "a11a" MGF1("18", SHA256_BARE), HASH_SHA256, true, "without NULL"},
    {EVP_sha384, EVP_sha384, "", "302fa00f" SHA384 "a11c" MGF1("1a", SHA384), HASH_SHA384, true, "SHA-384"},
    {EVP_sha512, EVP_sha512, "", "302fa00f" SHA512 "a11c" MGF1("1a", SHA512), HASH_SHA512, true, "SHA-512"},
    {EVP_sha256, EVP_sha1, "", "3011a00f" SHA256, HASH_SHA1, true, "the mask's SHA-1 is the weaker: Java"},
    {EVP_sha1, EVP_sha256, "", "301ea11c" MGF1("1a", SHA256), HASH_SHA1, true, "the digest's SHA-1 is the weaker"},
    {EVP_sha512, EVP_sha256, "", "302fa00f" SHA512 "a11c" MGF1("1a", SHA256), HASH_SHA256, true, "SHA-256 is below SHA-512"},
    {EVP_sha384, EVP_sha512, "", "302fa00f" SHA384 "a11c" MGF1("1a", SHA512), HASH_SHA384, true, "SHA-384 is below SHA-512"},
    {EVP_sha1, EVP_sha1, "", "3011a20f" NO_LABEL, HASH_SHA1, true, "an empty label, written out"},
    {EVP_sha256, EVP_sha256, "", "3040a00f" SHA256 "a11c" MGF1("1a", SHA256) "a20f" NO_LABEL, HASH_SHA256, true, "written out"},
    /* right, but not taken */
    {EVP_sha1, EVP_sha1, "A", "3012a210" LABEL, HASH_OTHER, false, "a label"},
    {EVP_md5, EVP_md5, "", "302da00e" MD5 "a11b" MGF1("19", MD5), HASH_MD5, false, "MD5"},
    {EVP_sha1, EVP_md5, "", "301da11b" MGF1("19", MD5), HASH_MD5, false, "MD5 in the mask"},
    {EVP_sha224, EVP_sha224, "", "302fa00f" SHA224 "a11c" MGF1("1a", SHA224), HASH_OTHER, false, "SHA-224 has no name here"},
    {EVP_sha3_256, EVP_sha1, "", "300fa00d" SHA3_256, HASH_OTHER, false, "SHA-3"},
    {EVP_sha1, EVP_sha1, "", "", HASH_OTHER, false, "no parameters"},
    {EVP_sha1, EVP_sha1, "", "0500", HASH_OTHER, false, "NULL for parameters"},
    /* malformed */
    {EVP_sha1, EVP_sha1, "", "30000500", HASH_OTHER, false, "something after them"},
    {EVP_sha1, EVP_sha1, "", "30020500", HASH_OTHER, false, "something unknown in them"},
    {EVP_sha1, EVP_sha1, "", "3004a0020500", HASH_OTHER, false, "a hash that is no AlgorithmIdentifier"},
    {EVP_sha1, EVP_sha1, "", "300fa00d" SHA1 "0500", HASH_OTHER, false, "something after the hash"},
    {EVP_sha1, EVP_sha1, "", "300ea00c300a06052b0e03021a020105", HASH_OTHER, false, "a hash with parameters"},
    {EVP_sha256, EVP_sha1, "", "3011a10f" SHA256, HASH_OTHER, false, "a mask that is not MGF1"},
    {EVP_sha1, EVP_sha1, "", "300fa10d300b06092a864886f70d010108", HASH_OTHER, false, "MGF1 without a hash"},
    {EVP_sha1, EVP_sha1, "", "300fa20d300b06092a864886f70d010109", HASH_OTHER, false, "a label's type without the label"},
    {EVP_sha1, EVP_sha1, "", "3011a20f300d06092a864886f70d0101090500", HASH_OTHER, false, "a label that is NULL"},
    {EVP_sha1, EVP_sha1, "", "3011a20f300d06092a864886f70d0101080400", HASH_OTHER, false, "a label of unknown type"},
    {EVP_sha256, EVP_sha256, "", "302fa11c" MGF1("1a", SHA256) "a00f" SHA256, HASH_OTHER, false, "the mask before the hash"},
    {EVP_sha1, EVP_sha1, "", "301aa00b" SHA1 "a00b" SHA1, HASH_OTHER, false, "the hash twice"},
};
#define ROWS (sizeof rows / sizeof rows[0])

Test(cms_oaep, each_kind_of_parameters)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        struct bytes der = envelope_made(unhex(row->parameters), key_wrapped(row->md(), row->mask(), row->label));
        struct bytes plain = BYTES_NONE;
        struct cms_envelope e;
        int match = -2;
        cr_assert_eq(cms_envelope_peek(der, &ra.der, 1, &e, &match), R_OK, "%s", row->why);
        cr_expect(e.oaep && match == 0 && e.cipher == CIPHER_AES128, "%s", row->why);
        cr_expect_eq(e.oaep_hash, row->hash, "%s: %s", row->why, hash_name(e.oaep_hash));
        cr_expect_eq(cms_envelope_open(der, key, &arena, &plain), row->opens ? R_OK : R_BAD_MESSAGE, "%s", row->why);
        cr_expect(row->opens ? bytes_equal(plain, HEX(CONTENT)) : plain.p == NULL, "%s", row->why);
        cr_expect_eq(ERR_peek_error(), 0, "%s: OpenSSL's error queue is left empty", row->why);
    }
}

Test(cms_oaep, parameters_that_do_not_tell_the_truth)
{
    static const struct { const EVP_MD *(*md)(void), *(*mask)(void); const char *label, *why; } cases[] = {
        {EVP_sha1, EVP_sha1, "", "another digest"},
        {EVP_sha256, EVP_sha1, "", "another mask"},
        {EVP_sha256, EVP_sha256, "A", "a label that is not told"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes parameters = unhex("302fa00f" SHA256 "a11c" MGF1("1a", SHA256));
        struct bytes der = envelope_made(parameters, key_wrapped(cases[i].md(), cases[i].mask(), cases[i].label)), plain;
        enum result r = cms_envelope_open(der, key, &arena, &plain);
        cr_expect(r == R_BAD_MESSAGE || (r == R_OK && !bytes_equal(plain, HEX(CONTENT))), "%s", cases[i].why);
    }
}

Test(cms_oaep, cut_or_odd_parameters_never_crash)
{
    struct bytes whole = unhex("3040a00f" SHA256 "a11c" MGF1("1a", SHA256) "a20f" NO_LABEL);
    struct bytes wrapped = key_wrapped(EVP_sha256(), EVP_sha256(), "");

    for (size_t i = 0; i < 8 * whole.n; i++) {
        uint8_t *odd = arena_copy(&arena, whole.p, whole.n);
        struct bytes plain;
        odd[i / 8] ^= (uint8_t)(1 << i % 8);
        (void)cms_envelope_open(envelope_made(BYTES(odd, whole.n), wrapped), key, &arena, &plain);
    }
    for (size_t n = 0; n < whole.n; n++) {
        struct bytes plain;
        cr_expect_eq(cms_envelope_open(envelope_made(BYTES(whole.p, n), wrapped), key, &arena, &plain), R_BAD_MESSAGE, "%zu", n);
    }
}

Test(cms_oaep, as_openssl_writes_it)
{
    static const struct { const EVP_MD *(*md)(void); uint32_t hash; const char *why; } cases[] = {
        {EVP_sha1, HASH_SHA1, "SHA-1"}, {EVP_sha256, HASH_SHA256, "SHA-256"}, {EVP_sha384, HASH_SHA384, "SHA-384"},
        {EVP_sha512, HASH_SHA512, "SHA-512"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_aes_128_cbc(), CMS_BINARY | CMS_PARTIAL);
        CMS_RecipientInfo *recipient = CMS_add1_recipient_cert(cms, ra.certificate, CMS_KEY_PARAM);
        EVP_PKEY_CTX *c = CMS_RecipientInfo_get0_pkey_ctx(recipient);
        BIO *in = BIO_new_mem_buf(CONTENT, -1);
        struct bytes der, plain;
        struct cms_envelope e;
        int match;
        cr_assert(EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_rsa_oaep_md(c, cases[i].md()) == 1, "%s", cases[i].why);
        cr_assert_eq(CMS_final(cms, in, NULL, CMS_BINARY), 1, "%s", cases[i].why);
        BIO_free(in);
        der = cms_taken(cms);
        cr_assert_eq(cms_envelope_peek(der, &ra.der, 1, &e, &match), R_OK, "%s", cases[i].why);
        cr_expect(e.oaep && e.oaep_hash == cases[i].hash && match == 0, "%s", cases[i].why);
        cr_assert_eq(cms_envelope_open(der, key, &arena, &plain), R_OK, "%s", cases[i].why);
        cr_expect(bytes_equal(plain, HEX(CONTENT)), "%s", cases[i].why);
    }
}

Test(cms_oaep, without_oaep)
{
    struct bytes der;
    struct cms_envelope e;
    int match;

    cr_assert_eq(cms_seal(HEX(CONTENT), ra.der, CIPHER_AES128, &arena, &der), R_OK);
    cr_assert_eq(cms_envelope_peek(der, &ra.der, 1, &e, &match), R_OK);
    cr_expect(!e.oaep && e.oaep_hash == HASH_OTHER);
}
