/*
 * scep_client: the messages of a SCEP client (RFC 8894), right and wrong ones, on libcrypto alone. Of Chancery's own code it
 * uses nothing, so that both cannot share a mistake.
 *
 *   scep_client csr --key PEM [--rdn TYPE=VALUE ...] [--challenge TEXT] [--ext NAME=VALUE ...] [--digest MD] [--break yes] > DER
 *       A certification request, also such as `openssl req` does not make: without subject, with --challenge-tag
 *       printable|ia5|bmp, with a wrong signature.
 *   scep_client sign --in FILE --key PEM [--cert PEM] [--cert-out PEM] [OPTIONS] > DER
 *       A pkiMessage around FILE (an envelope of `openssl cms -encrypt`), signed by the certificate or a new self-signed one.
 *       --type TEXT --transaction TEXT --nonce HEX: "none" leaves the attribute out. --type-tag, --transaction-tag,
 *       --nonce-tag printable|utf8|ia5|octet. --twice type|transaction|nonce: the attribute stands there twice.
 *       --values type|transaction|nonce: it has two values. --digest MD. --break signature|content. --without
 *       certificate|attributes|content. --signers 2.
 *   scep_client open --in FILE --key PEM [--ra PEM] [--out PEM]
 *       Verifies a CertRep's signature, and that its signer is the certificate given; prints its attributes as name=value lines,
 *       opens it, and writes the first certificate inside.
 *   scep_client batch --recipient PEM --dir DIR [--keys N] < "NAME TAB SUBJECT TAB CHALLENGE" lines
 *       A whole message with a new RSA-2048 key for each line: DIR/NAME.1.der (.2 with --keys 2 …) and DIR/NAME.1.key.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define OPTIONS_MOST 64
#define NONCE_SIZE 16

enum { SCEP_TYPE, SCEP_TRANSACTION, SCEP_NONCE, SCEP_SENT };
static const struct { const char *option, *oid; } sent[SCEP_SENT] = {
    [SCEP_TYPE] = {"type", "2.16.840.1.113733.1.9.2"},
    [SCEP_TRANSACTION] = {"transaction", "2.16.840.1.113733.1.9.7"},
    [SCEP_NONCE] = {"nonce", "2.16.840.1.113733.1.9.5"},
};
/* Of the same length as SCEP's: put in the place of a doubled attribute, which libcrypto does not make. */
#define STAND_IN "2.16.840.1.113733.1.9.99"

static const struct { const char *oid, *name; } received[] = {
    {"2.16.840.1.113733.1.9.2", "messageType"},     {"2.16.840.1.113733.1.9.3", "pkiStatus"},
    {"2.16.840.1.113733.1.9.4", "failInfo"},        {"1.3.6.1.5.5.7.24.1", "failInfoText"},
    {"2.16.840.1.113733.1.9.7", "transactionID"},   {"2.16.840.1.113733.1.9.5", "senderNonce"},
    {"2.16.840.1.113733.1.9.6", "recipientNonce"},
};

static struct { const char *name, *value; } options[OPTIONS_MOST];
static int option_count;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "scep_client: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(2);
}

/* The n-th value of an option; NULL where there is none. */
static const char *option_at(const char *name, int n)
{
    for (int i = 0; i < option_count; i++)
        if (strcmp(options[i].name, name) == 0 && n-- == 0)
            return options[i].value;
    return NULL;
}

static const char *option(const char *name, const char *initial)
{
    const char *value = option_at(name, 0);
    return value ? value : initial;
}

static const char *needed(const char *name)
{
    const char *value = option_at(name, 0);
    if (!value) {
        fprintf(stderr, "scep_client: --%s is missing\n", name);
        exit(2);
    }
    return value;
}

static bool is(const char *name, const char *value)
{
    return strcmp(option(name, ""), value) == 0;
}

static int tag_of(const char *name, int initial)
{
    static const struct { const char *name; int tag; } tags[] = {
        {"printable", V_ASN1_PRINTABLESTRING}, {"utf8", V_ASN1_UTF8STRING}, {"ia5", V_ASN1_IA5STRING}, {"octet", V_ASN1_OCTET_STRING},
    };
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (is(name, tags[i].name))
            return tags[i].tag;
    return initial;
}

static BIO *file_bio(const char *path, const char *mode)
{
    BIO *b = BIO_new_file(path, mode);
    if (!b)
        die(path);
    return b;
}

static EVP_PKEY *key_read(const char *path)
{
    BIO *b = file_bio(path, "r");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    if (!key)
        die("no private key");
    return key;
}

static X509 *certificate_read(const char *path)
{
    BIO *b = file_bio(path, "r");
    X509 *c = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    if (!c)
        die("no certificate");
    return c;
}

static const EVP_MD *digest(void)
{
    const EVP_MD *md = EVP_get_digestbyname(option("digest", "sha256"));
    if (!md)
        die("no such digest");
    return md;
}

static void bytes_write(const char *path, const unsigned char *p, size_t n)
{
    FILE *f = path ? fopen(path, "wb") : stdout;
    if (!f || fwrite(p, 1, n, f) != n || (path ? fclose(f) : fflush(f)) != 0)
        die("nothing could be written");
}

/* ---- certification requests ---- */

static void request_challenge(X509_REQ *req, const char *text)
{
    int tag = is("challenge-tag", "bmp") ? MBSTRING_UTF8 : tag_of("challenge-tag", MBSTRING_ASC);
    ASN1_STRING *bmp = NULL;
    if (is("challenge-tag", "bmp")) {
        ASN1_mbstring_copy(&bmp, (const unsigned char *)text, -1, MBSTRING_UTF8, B_ASN1_BMPSTRING);
        X509_ATTRIBUTE *a = X509_ATTRIBUTE_create(NID_pkcs9_challengePassword, V_ASN1_BMPSTRING, bmp);
        if (!a || X509_REQ_add1_attr(req, a) != 1)
            die("challenge");
        X509_ATTRIBUTE_free(a);
    } else if (X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword, tag, (const unsigned char *)text, (int)strlen(text)) != 1) {
        die("challenge");
    }
}

static void request_extensions(X509_REQ *req)
{
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    X509V3_CTX context;
    const char *text;
    X509V3_set_ctx(&context, NULL, NULL, req, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    for (int i = 0; (text = option_at("ext", i)) != NULL; i++) {
        char name[64] = "";
        const char *equals = strchr(text, '=');
        if (!equals || (size_t)(equals - text) >= sizeof name)
            die("--ext NAME=VALUE");
        memcpy(name, text, (size_t)(equals - text));
        X509_EXTENSION *e = X509V3_EXT_nconf(NULL, &context, name, equals + 1);
        if (!e || sk_X509_EXTENSION_push(list, e) == 0)
            die("extension");
    }
    if (sk_X509_EXTENSION_num(list) > 0 && X509_REQ_add_extensions(req, list) != 1)
        die("extensions");
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static void name_add(X509_NAME *name, const char *rdn)
{
    char type[32] = "";
    const char *equals = strchr(rdn, '=');
    if (!equals || (size_t)(equals - rdn) >= sizeof type)
        die("TYPE=VALUE");
    memcpy(type, rdn, (size_t)(equals - rdn));
    if (X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)equals + 1, -1, -1, 0) != 1)
        die("name");
}

static X509_REQ *request_new(EVP_PKEY *key)
{
    X509_REQ *req = X509_REQ_new();
    if (!req || X509_REQ_set_version(req, 0) != 1 || X509_REQ_set_pubkey(req, key) != 1)
        die("request");
    return req;
}

static int command_csr(void)
{
    EVP_PKEY *key = key_read(needed("key"));
    X509_REQ *req = request_new(key);
    const char *text;
    for (int i = 0; (text = option_at("rdn", i)) != NULL; i++)
        name_add(X509_REQ_get_subject_name(req), text);
    for (int i = 0; (text = option_at("challenge", i)) != NULL; i++)
        request_challenge(req, text);
    request_extensions(req);
    if (X509_REQ_sign(req, key, digest()) <= 0)
        die("signing");
    unsigned char *der = NULL;
    int n = i2d_X509_REQ(req, &der);
    if (n <= 0)
        die("encoding");
    if (is("break", "yes"))
        der[n - 1] ^= 1;
    bytes_write(NULL, der, (size_t)n);
    OPENSSL_free(der);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    return 0;
}

/* ---- pkiMessages ---- */

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *c = X509_new();
    unsigned char serial[8];
    BIGNUM *number = NULL;
    if (!c || RAND_bytes(serial, sizeof serial) != 1 || !(number = BN_bin2bn(serial, sizeof serial, NULL)))
        die("certificate");
    name_add(X509_get_subject_name(c), "CN=SCEP Protocol Certificate");
    if (X509_set_version(c, 2) != 1 || !BN_to_ASN1_INTEGER(number, X509_get_serialNumber(c)) ||
        X509_set_issuer_name(c, X509_get_subject_name(c)) != 1 || !X509_gmtime_adj(X509_getm_notBefore(c), -3600) ||
        !X509_gmtime_adj(X509_getm_notAfter(c), 86400) || X509_set_pubkey(c, key) != 1 || X509_sign(c, key, EVP_sha256()) <= 0)
        die("certificate");
    BN_free(number);
    return c;
}

static void attribute_add(CMS_SignerInfo *signer, const char *oid, int tag, const unsigned char *p, int n, bool two_values)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    X509_ATTRIBUTE *a = X509_ATTRIBUTE_create_by_OBJ(NULL, object, tag, p, n);
    if (!a || (two_values && X509_ATTRIBUTE_set1_data(a, tag, "x", 1) != 1) || CMS_signed_add1_attr(signer, a) != 1)
        die("attribute");
    X509_ATTRIBUTE_free(a);
    ASN1_OBJECT_free(object);
}

static void attributes_add(CMS_SignerInfo *signer, const char *const values[SCEP_SENT])
{
    static const char *const tag_options[SCEP_SENT] = {"type-tag", "transaction-tag", "nonce-tag"};
    static const int tags[SCEP_SENT] = {V_ASN1_PRINTABLESTRING, V_ASN1_PRINTABLESTRING, V_ASN1_OCTET_STRING};
    for (int i = 0; i < SCEP_SENT; i++) {
        unsigned char *raw = NULL;
        const unsigned char *p = (const unsigned char *)values[i];
        long n = (long)strlen(values[i]);
        int tag = tag_of(tag_options[i], tags[i]);
        if (strcmp(values[i], "none") == 0)
            continue;
        if (i == SCEP_NONCE) {
            p = raw = OPENSSL_hexstr2buf(values[i], &n);
            if (!raw && values[i][0] != '\0')
                die("--nonce is not hex");
        }
        attribute_add(signer, sent[i].oid, tag, p, (int)n, is("values", sent[i].option));
        if (is("twice", sent[i].option))
            attribute_add(signer, STAND_IN, tag, p, (int)n, false);
        OPENSSL_free(raw);
    }
}

/* Puts the doubled attribute's own OID in the stand-in's place. */
static void twice_patch(unsigned char *der, size_t n)
{
    static const unsigned char stand_in[] = {0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x45, 0x01, 0x09, 0x63};
    for (size_t i = 0; i + sizeof stand_in <= n; i++)
        if (memcmp(der + i, stand_in, sizeof stand_in) == 0)
            for (int k = 0; k < SCEP_SENT; k++)
                if (is("twice", sent[k].option))
                    der[i + sizeof stand_in - 1] = (unsigned char)(strrchr(sent[k].oid, '.')[1] - '0');
}

static size_t message_make(BIO *content, EVP_PKEY *key, X509 *certificate, const char *const values[SCEP_SENT], unsigned char **der)
{
    unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP | (is("without", "certificate") ? CMS_NOCERTS : 0u) |
                     (is("without", "attributes") ? CMS_NOATTR : 0u) | (is("without", "content") ? CMS_DETACHED : 0u);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    int signers = atoi(option("signers", "1"));
    for (int i = 0; i < signers; i++) {
        CMS_SignerInfo *signer = cms ? CMS_add1_signer(cms, certificate, key, digest(), flags | (i > 0 ? CMS_NOCERTS : 0u)) : NULL;
        if (!signer)
            die("signer");
        if (!(flags & CMS_NOATTR))
            attributes_add(signer, values);
    }
    if (CMS_final(cms, content, NULL, flags & ~(unsigned)CMS_PARTIAL) != 1)
        die("signing");
    *der = NULL;
    int n = i2d_CMS_ContentInfo(cms, der);
    if (n <= 0)
        die("encoding");
    CMS_ContentInfo_free(cms);
    twice_patch(*der, (size_t)n);
    if (is("break", "signature"))
        (*der)[n - 1] ^= 1;
    if (is("break", "content"))
        (*der)[n / 4] ^= 1;
    return (size_t)n;
}

static void random_hex(char out[2 * NONCE_SIZE + 1])
{
    unsigned char raw[NONCE_SIZE];
    if (RAND_bytes(raw, sizeof raw) != 1)
        die("random numbers");
    for (size_t i = 0; i < sizeof raw; i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

static int command_sign(void)
{
    char transaction[2 * NONCE_SIZE + 1], nonce[2 * NONCE_SIZE + 1];
    EVP_PKEY *key = key_read(needed("key"));
    X509 *certificate = option("cert", NULL) ? certificate_read(option("cert", NULL)) : self_signed(key);
    BIO *in = file_bio(needed("in"), "rb");
    unsigned char *der;
    random_hex(transaction);
    random_hex(nonce);
    const char *const values[SCEP_SENT] = {option("type", "19"), option("transaction", transaction), option("nonce", nonce)};
    size_t n = message_make(in, key, certificate, values, &der);
    bytes_write(NULL, der, n);
    if (option("cert-out", NULL)) {
        BIO *out = file_bio(option("cert-out", NULL), "w");
        PEM_write_bio_X509(out, certificate);
        BIO_free(out);
    }
    OPENSSL_free(der);
    BIO_free(in);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

/* ---- answers ---- */

static void attributes_print(CMS_SignerInfo *signer)
{
    for (size_t i = 0; i < sizeof received / sizeof received[0]; i++) {
        ASN1_OBJECT *object = OBJ_txt2obj(received[i].oid, 1);
        int at = CMS_signed_get_attr_by_OBJ(signer, object, -1);
        ASN1_OBJECT_free(object);
        if (at < 0)
            continue;
        X509_ATTRIBUTE *a = CMS_signed_get_attr(signer, at);
        const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(a, 0);
        const ASN1_STRING *s = X509_ATTRIBUTE_get0_data(a, 0, value->type, NULL);
        const unsigned char *p = ASN1_STRING_get0_data(s);
        printf("%s=", received[i].name);
        for (int k = 0; k < ASN1_STRING_length(s); k++)
            printf(value->type == V_ASN1_OCTET_STRING ? "%02x" : "%c", p[k]);
        printf("\n%s.tag=%d\n", received[i].name, value->type);
    }
    printf("contentType=%s\nmessageDigest=%s\n", CMS_signed_get_attr_by_NID(signer, NID_pkcs9_contentType, -1) >= 0 ? "yes" : "no",
           CMS_signed_get_attr_by_NID(signer, NID_pkcs9_messageDigest, -1) >= 0 ? "yes" : "no");
}

static void algorithms_print(CMS_SignerInfo *signer)
{
    X509_ALGOR *digest_algorithm = NULL, *signature = NULL;
    CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest_algorithm, &signature);
    const ASN1_OBJECT *object = NULL;
    X509_ALGOR_get0(&object, NULL, NULL, digest_algorithm);
    printf("digest=%s\n", OBJ_nid2sn(OBJ_obj2nid(object)));
    X509_ALGOR_get0(&object, NULL, NULL, signature);
    printf("signature=%s\n", OBJ_nid2sn(OBJ_obj2nid(object)));
}

/* The cipher of an EnvelopedData is nowhere in the API: its OID stands in the DER, and no other of this kind does. */
static const char *cipher_name(const unsigned char *p, long n)
{
    static const int ciphers[] = {NID_aes_128_cbc, NID_aes_192_cbc, NID_aes_256_cbc, NID_des_ede3_cbc, NID_des_cbc};
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++) {
        const ASN1_OBJECT *object = OBJ_nid2obj(ciphers[i]);
        long length = (long)OBJ_length(object);
        for (long k = 0; k + length <= n; k++)
            if (memcmp(p + k, OBJ_get0_data(object), (size_t)length) == 0)
                return OBJ_nid2sn(ciphers[i]);
    }
    return "other";
}

static void certificates_take(BIO *content, const char *out)
{
    CMS_ContentInfo *inner = d2i_CMS_bio(content, NULL);
    STACK_OF(X509) *list = inner ? CMS_get1_certs(inner) : NULL;
    printf("certificates=%d\n", sk_X509_num(list));
    if (out && sk_X509_num(list) > 0) {
        BIO *b = file_bio(out, "w");
        PEM_write_bio_X509(b, sk_X509_value(list, 0));
        BIO_free(b);
    }
    sk_X509_pop_free(list, X509_free);
    CMS_ContentInfo_free(inner);
}

static void envelope_open(BIO *content, EVP_PKEY *key, const char *out)
{
    char *p;
    long n = BIO_get_mem_data(content, &p);
    printf("cipher=%s\n", cipher_name((const unsigned char *)p, n));
    CMS_ContentInfo *envelope = d2i_CMS_bio(content, NULL);
    BIO *plain = BIO_new(BIO_s_mem());
    if (!envelope || CMS_decrypt(envelope, key, NULL, NULL, plain, CMS_BINARY) != 1)
        die("the answer's envelope does not open");
    certificates_take(plain, out);
    BIO_free(plain);
    CMS_ContentInfo_free(envelope);
}

static int command_open(void)
{
    BIO *in = file_bio(needed("in"), "rb"), *content = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = d2i_CMS_bio(in, NULL);
    char more;
    if (!cms || BIO_read(in, &more, 1) > 0)
        die("the answer is no CMS message");
    if (CMS_verify(cms, NULL, NULL, NULL, content, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) != 1)
        die("the answer's signature is wrong");
    STACK_OF(X509) *signers = CMS_get0_signers(cms);
    if (option("ra", NULL)) {
        X509 *wanted = certificate_read(option("ra", NULL));
        if (sk_X509_num(signers) != 1 || X509_cmp(sk_X509_value(signers, 0), wanted) != 0)
            die("the answer is signed by somebody else");
        X509_free(wanted);
    }
    sk_X509_free(signers);
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    attributes_print(signer);
    algorithms_print(signer);
    if (BIO_ctrl_pending(content) > 0) {
        EVP_PKEY *key = key_read(needed("key"));
        envelope_open(content, key, option("out", NULL));
        EVP_PKEY_free(key);
    }
    BIO_free(content);
    BIO_free(in);
    CMS_ContentInfo_free(cms);
    return 0;
}

/* ---- many at once ---- */

#define PRIMES 64

/* Each pair of a few primes is a key: hundreds in the time of some, good enough for a test and for nothing else. */
static EVP_PKEY *key_from_primes(const BIGNUM *p, const BIGNUM *q)
{
    BN_CTX *c = BN_CTX_new();
    BIGNUM *n = BN_new(), *e = BN_new(), *d = BN_new(), *p1 = BN_dup(p), *q1 = BN_dup(q), *phi = BN_new(), *dp = BN_new(), *dq = BN_new(), *qi = BN_new();
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    if (BN_sub_word(p1, 1) != 1 || BN_sub_word(q1, 1) != 1 || BN_mul(n, p, q, c) != 1 || BN_mul(phi, p1, q1, c) != 1 || BN_set_word(e, RSA_F4) != 1 ||
        !BN_mod_inverse(d, e, phi, c) || BN_mod(dp, d, p1, c) != 1 || BN_mod(dq, d, q1, c) != 1 || !BN_mod_inverse(qi, q, p, c))
        die("key");
    const struct { const char *name; const BIGNUM *value; } parts[] = {
        {OSSL_PKEY_PARAM_RSA_N, n}, {OSSL_PKEY_PARAM_RSA_E, e}, {OSSL_PKEY_PARAM_RSA_D, d}, {OSSL_PKEY_PARAM_RSA_FACTOR1, p},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, q}, {OSSL_PKEY_PARAM_RSA_EXPONENT1, dp}, {OSSL_PKEY_PARAM_RSA_EXPONENT2, dq}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qi},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (OSSL_PARAM_BLD_push_BN(b, parts[i].name, parts[i].value) != 1)
            die("key");
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    if (EVP_PKEY_fromdata_init(make) != 1 || EVP_PKEY_fromdata(make, &key, EVP_PKEY_KEYPAIR, params) != 1)
        die("key");
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(make);
    BIGNUM *numbers[] = {n, e, d, p1, q1, phi, dp, dq, qi};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        BN_clear_free(numbers[i]);
    BN_CTX_free(c);
    return key;
}

static EVP_PKEY *key_next(void)
{
    static BIGNUM *primes[PRIMES];
    static int count, first, second;
    if (++first >= second) {        /* the pairs of the primes so far are used up */
        if (count == PRIMES)
            die("too many keys");
        do {
            BN_free(primes[count]);
            if (!(primes[count] = BN_new()) || BN_generate_prime_ex(primes[count], 1024, 0, NULL, NULL, NULL) != 1)
                die("prime");
        } while (BN_mod_word(primes[count], RSA_F4) == 1);
        if (count++ == 0)
            return key_next();
        first = 0;
        second = count - 1;
    }
    return key_from_primes(primes[first], primes[second]);
}

static void batch_one(const char *dir, const char *name, int number, const char *subject, const char *challenge, X509 *recipient)
{
    char path[512], text[1024], transaction[2 * NONCE_SIZE + 1], nonce[2 * NONCE_SIZE + 1], *rest;
    EVP_PKEY *key = key_next();
    X509_REQ *req = request_new(key);
    STACK_OF(X509) *to = sk_X509_new_null();
    BIO *plain = BIO_new(BIO_s_mem()), *sealed = BIO_new(BIO_s_mem());
    unsigned char *der;
    snprintf(text, sizeof text, "%s", subject);
    for (char *rdn = strtok_r(text, ",", &rest); rdn; rdn = strtok_r(NULL, ",", &rest))
        name_add(X509_REQ_get_subject_name(req), rdn);
    request_challenge(req, challenge);
    if (X509_REQ_sign(req, key, EVP_sha256()) <= 0 || i2d_X509_REQ_bio(plain, req) != 1 || sk_X509_push(to, recipient) == 0)
        die("request");
    CMS_ContentInfo *envelope = CMS_encrypt(to, plain, EVP_aes_128_cbc(), CMS_BINARY);
    if (!envelope || i2d_CMS_bio(sealed, envelope) != 1)
        die("envelope");
    X509 *certificate = self_signed(key);
    random_hex(transaction);
    random_hex(nonce);
    const char *const values[SCEP_SENT] = {"19", transaction, nonce};
    size_t n = message_make(sealed, key, certificate, values, &der);
    snprintf(path, sizeof path, "%s/%s.%d.der", dir, name, number);
    bytes_write(path, der, n);
    snprintf(path, sizeof path, "%s/%s.%d.key", dir, name, number);
    BIO *out = file_bio(path, "w");
    PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    BIO_free(out);
    OPENSSL_free(der);
    X509_free(certificate);
    CMS_ContentInfo_free(envelope);
    BIO_free(sealed);
    BIO_free(plain);
    sk_X509_free(to);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
}

static int command_batch(void)
{
    X509 *recipient = certificate_read(needed("recipient"));
    char line[2048], *rest;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        const char *name = strtok_r(line, "\t", &rest), *subject = strtok_r(NULL, "\t", &rest);
        const char *challenge = strtok_r(NULL, "\t", &rest);
        if (!challenge)
            die("a line is not NAME TAB SUBJECT TAB CHALLENGE");
        for (int i = 1; i <= atoi(option("keys", "1")); i++)
            batch_one(needed("dir"), name, i, subject, challenge, recipient);
    }
    X509_free(recipient);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct { const char *name; int (*run)(void); } commands[] = {
        {"csr", command_csr}, {"sign", command_sign}, {"open", command_open}, {"batch", command_batch},
    };
    for (int i = 2; i + 1 < argc && option_count < OPTIONS_MOST; i += 2) {
        if (strncmp(argv[i], "--", 2) != 0)
            die(argv[i]);
        options[option_count].name = argv[i] + 2;
        options[option_count++].value = argv[i + 1];
    }
    for (size_t i = 0; argc % 2 == 0 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run();
    fprintf(stderr, "usage: scep_client csr|sign|open|batch [--OPTION VALUE ...]\n");
    return 2;
}
