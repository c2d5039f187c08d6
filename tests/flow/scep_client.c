/*
 * scep_client: the messages of a SCEP client (RFC 8894), right and wrong ones, on libcrypto alone. Of Chancery's own code it
 * uses nothing, so that both cannot share a mistake. scep_open reads the answers.
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
 *   scep_client key --primes FILE > PEM
 *       An RSA-2048 key, another with each call. The primes that it is made of, and will be, are kept in FILE.
 *   scep_client batch --recipient PEM --dir DIR [--keys N] < "NAME TAB SUBJECT TAB CHALLENGE" lines
 *       A whole message with a new RSA-2048 key for each line: DIR/NAME.1.der (.2 with --keys 2 …) and DIR/NAME.1.key.
 */
#include <sys/file.h>

#include <openssl/cms.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tests/flow/client.h"
#include "tests/flow/keys.h"

#define NONCE_SIZE 16

enum { SCEP_TYPE, SCEP_TRANSACTION, SCEP_NONCE, SCEP_SENT };
static const struct { const char *option, *oid; } sent[SCEP_SENT] = {
    [SCEP_TYPE] = {"type", "2.16.840.1.113733.1.9.2"},
    [SCEP_TRANSACTION] = {"transaction", "2.16.840.1.113733.1.9.7"},
    [SCEP_NONCE] = {"nonce", "2.16.840.1.113733.1.9.5"},
};
/* Of the same length as SCEP's: put in the place of a doubled attribute, which libcrypto does not make. */
#define STAND_IN "2.16.840.1.113733.1.9.99"

static int tag_of(const char *name, int initial)
{
    static const struct { const char *name; int tag; } tags[] = {
        {"printable", V_ASN1_PRINTABLESTRING}, {"utf8", V_ASN1_UTF8STRING}, {"ia5", V_ASN1_IA5STRING},
        {"octet", V_ASN1_OCTET_STRING},
    };
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (is(name, tags[i].name))
            return tags[i].tag;
    return initial;
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
    } else if (X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword, tag, (const unsigned char *)text,
                                         (int)strlen(text)) != 1) {
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

static size_t message_make(BIO *content, EVP_PKEY *key, X509 *certificate, const char *const values[SCEP_SENT],
                           unsigned char **der)
{
    unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP | (is("without", "certificate") ? CMS_NOCERTS : 0u) |
                     (is("without", "attributes") ? CMS_NOATTR : 0u) | (is("without", "content") ? CMS_DETACHED : 0u);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    int signers = atoi(option("signers", "1"));
    for (int i = 0; i < signers; i++) {
        CMS_SignerInfo *signer = NULL;
        if (cms)
            signer = CMS_add1_signer(cms, certificate, key, digest(), flags | (i > 0 ? CMS_NOCERTS : 0u));
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

static int command_key(void)
{
    FILE *f = fopen(needed("primes"), "a+");
    if (!f || fclose(f) != 0 || !(f = fopen(needed("primes"), "r+")) || flock(fileno(f), LOCK_EX) != 0 || !keys_read(f))
        die("the primes' file");
    EVP_PKEY *key = key_next();
    if (!key || !keys_write(f) || !PEM_write_PrivateKey(stdout, key, NULL, NULL, 0, NULL, NULL) || fflush(stdout) != 0)
        die("key");
    EVP_PKEY_free(key);
    fclose(f);
    return 0;
}

/* ---- many at once ---- */

static void batch_one(const char *dir, const char *name, int number, const char *subject, const char *challenge, X509 *recipient)
{
    char path[512], text[1024], transaction[2 * NONCE_SIZE + 1], nonce[2 * NONCE_SIZE + 1], *rest;
    EVP_PKEY *key = key_next();
    if (!key)
        die("key");
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
        {"csr", command_csr}, {"sign", command_sign}, {"key", command_key}, {"batch", command_batch},
    };
    for (size_t i = 0; argc > 1 && options_read(argc, argv, 2) && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run();
    fprintf(stderr, "usage: scep_client csr|sign|key|batch [--OPTION VALUE ...]\n");
    return 2;
}
