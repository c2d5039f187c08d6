/* Keys, and what is done with them. */
#include "tests/flow/make.h"

#include <openssl/provider.h>

#include "tests/flow/client.h"
#include "tests/flow/keys.h"

#define KEPT_MOST 32
#define PRIMES 16                   /* of 1024 bits, in a modulus of 16384 */

static const char *files;
static OSSL_PROVIDER *legacy, *standard;
static struct { char name[64]; EVP_PKEY *key; X509 *certificate; } kept[KEPT_MOST];
static int kept_count;
static EVP_PKEY *newest;

void make_begin(const char *dir)
{
    files = dir;
    standard = OSSL_PROVIDER_load(NULL, "default");
    legacy = OSSL_PROVIDER_load(NULL, "legacy");
    if (!standard || !legacy)
        die("no legacy provider");
}

void make_end(void)
{
    for (int i = 0; i < kept_count; i++) {
        EVP_PKEY_free(kept[i].key);
        X509_free(kept[i].certificate);
    }
    EVP_PKEY_free(newest);
    octets_free();
    OSSL_PROVIDER_unload(legacy);
    OSSL_PROVIDER_unload(standard);
}

const char *make_path(const char *name)
{
    static char path[512];
    if (name[0] == '/')
        snprintf(path, sizeof path, "%s", name);
    else
        snprintf(path, sizeof path, "%s/%s", files, name);
    return path;
}

static int kept_find(const char *name)
{
    int i = 0;
    while (i < kept_count && strcmp(kept[i].name, name) != 0)
        i++;
    if (i == kept_count) {
        if (kept_count == KEPT_MOST || strlen(name) >= sizeof kept[i].name)
            die("too many keys");
        snprintf(kept[kept_count++].name, sizeof kept[i].name, "%s", name);
    }
    return i;
}

/* A public exponent that is not used outside textbooks; the private one fits, so that the key's signatures are right. */
static EVP_PKEY *key_with_exponent(const BIGNUM *n, const BIGNUM *order, unsigned long exponent)
{
    BN_CTX *c = BN_CTX_new();
    BIGNUM *e = BN_new(), *d = BN_new();
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    BN_set_word(e, exponent);
    /* An even exponent has no inverse: its key signs nothing right. */
    if (!BN_mod_inverse(d, e, order, c))
        BN_set_word(d, 3);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_D, d);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    if (EVP_PKEY_fromdata_init(context) != 1 || EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) != 1)
        die("an odd key");
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(context);
    BN_free(e);
    BN_free(d);
    BN_CTX_free(c);
    return key;
}

/* primes of 1024 bits each: many small ones make a large modulus quickly. */
static EVP_PKEY *key_odd(int primes, unsigned long exponent)
{
    BN_CTX *c = BN_CTX_new();
    BIGNUM *n = BN_new(), *order = BN_new();
    BN_one(n);
    BN_one(order);
    for (int i = 0; i < primes; i++) {
        BIGNUM *p = NULL;
        if (!prime_new(&p) || BN_mul(n, n, p, c) != 1 || BN_sub_word(p, 1) != 1 || BN_mul(order, order, p, c) != 1)
            die("primes");
        BN_free(p);
    }
    EVP_PKEY *key = key_with_exponent(n, order, exponent);
    BN_free(n);
    BN_free(order);
    BN_CTX_free(c);
    return key;
}

EVP_PKEY *make_key(const char *name)
{
    static const struct { const char *name; int primes; unsigned long exponent; } odd[] = {
        {"e1", 2, 1}, {"even", 2, 65536}, {"16384", PRIMES, RSA_F4},
    };
    char file[128];
    if (strcmp(name, "new") == 0) {
        if (!newest && !(newest = key_next()))
            die("no key");
        return newest;
    }
    int i = kept_find(name);
    for (size_t k = 0; k < sizeof odd / sizeof odd[0]; k++)
        if (!kept[i].key && strcmp(name, odd[k].name) == 0)
            kept[i].key = key_odd(odd[k].primes, odd[k].exponent);
    snprintf(file, sizeof file, "%s.key", name);
    if (!kept[i].key)
        kept[i].key = key_read(make_path(file));
    return kept[i].key;
}

X509 *make_read(const char *name)
{
    int i = kept_find(name);
    if (!kept[i].certificate)
        kept[i].certificate = certificate_read(make_path(name));
    return kept[i].certificate;
}

static const EVP_MD *digest_find(const char *name)
{
    const EVP_MD *md = EVP_get_digestbyname(name);
    if (!md)
        die(name);
    return md;
}

struct octets make_digest(const char *digest, struct octets data)
{
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned n;
    if (EVP_Digest(data.p, data.n, value, &n, digest_find(digest), NULL) != 1)
        die("digest");
    return octets_of(value, n);
}

struct octets make_signature(EVP_PKEY *key, const char *digest, struct octets data)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    const EVP_MD *md = EVP_PKEY_is_a(key, "ED25519") ? NULL : digest_find(digest);
    size_t n = 0;
    if (!c || EVP_DigestSignInit(c, NULL, md, NULL, key) != 1 || EVP_DigestSign(c, NULL, &n, data.p, data.n) != 1)
        die("signing");
    unsigned char *p = OPENSSL_malloc(n);
    if (EVP_DigestSign(c, p, &n, data.p, data.n) != 1)
        die("signing");
    EVP_MD_CTX_free(c);
    return octets_taken(p, (int)n);
}

struct octets make_digest_algorithm(const char *digest)
{
    char oid[64];
    OBJ_obj2txt(oid, sizeof oid, OBJ_nid2obj(EVP_MD_get_type(digest_find(digest))), 1);
    return tlv_algorithm(oid, TLV_NULL);
}

struct octets make_signature_algorithm(EVP_PKEY *key, const char *digest)
{
    char oid[64];
    int nid = NID_ED25519;
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    int kind = rsa ? NID_rsaEncryption : NID_X9_62_id_ecPublicKey;
    if (!EVP_PKEY_is_a(key, "ED25519") && OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(digest_find(digest)), kind) != 1)
        die("no such signature algorithm");
    OBJ_obj2txt(oid, sizeof oid, OBJ_nid2obj(nid), 1);
    return tlv_algorithm(oid, rsa ? TLV_NULL : OCTETS_NONE);
}

struct octets make_spki(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    return octets_taken(der, n);
}

EVP_PKEY *make_signer_key(const struct words *w)
{
    return make_key(word(w, "sign-key", word(w, "key", "base")));
}

struct octets make_message_around(const struct words *w, struct octets envelope)
{
    EVP_PKEY *key = make_signer_key(w);
    return make_signed(w, envelope, make_certificate(w, key), key);
}

struct octets make_message_of(const struct words *w, struct octets request)
{
    return make_message_around(w, make_envelope(w, request));
}

struct octets make_message(const struct words *w)
{
    if (says(w, "key", "new")) {
        EVP_PKEY_free(newest);
        newest = NULL;
    }
    return make_message_of(w, make_request(w, make_key(word(w, "key", "base"))));
}
