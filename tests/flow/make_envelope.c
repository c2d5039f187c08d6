/*
 * The inner layer: EnvelopedData (RFC 5652 section 6).
 *
 *   to=FILE ...                 recipients; pointer=FORM ... how each is pointed at (make_pointer), the last for all that follow
 *   kind=password|agreement|kek one more recipient of that kind, before the others
 *   transport=oaep              oaep-md= oaep-mgf= oaep-label=HEX; oaep-params=empty|none: what is written, whatever was done
 *   cipher=NAME                 aes128 aes192 aes256 des3 des camellia128; none: the content stays as it is
 *   inner-indefinite inner-piece=N          how it is written
 *   env-break=key|content|iv|last           an octet changed
 *   env-version=N env-type=OID originator unprotected   what is written in the fields that say little
 *   env-none                    nothing in encryptedContent
 *   env-cut=N env-more=HEX      so many octets less at the end; octets more
 */
#include "tests/flow/make.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "tests/flow/client.h"

#define OID_DATA "1.2.840.113549.1.7.1"
#define OID_ENVELOPED "1.2.840.113549.1.7.3"
#define OID_RSA "1.2.840.113549.1.1.1"
#define OID_OAEP "1.2.840.113549.1.1.7"
#define OID_MGF1 "1.2.840.113549.1.1.8"
#define OID_PSOURCE "1.2.840.113549.1.1.9"
#define OID_AES_WRAP "2.16.840.1.101.3.4.1.5"

static const EVP_CIPHER *cipher_find(const char *name)
{
    static const struct { const char *name, *long_name; } ciphers[] = {
        {"aes128", "AES-128-CBC"}, {"aes192", "AES-192-CBC"}, {"aes256", "AES-256-CBC"}, {"des3", "DES-EDE3-CBC"},
        {"des", "DES-CBC"}, {"camellia128", "CAMELLIA-128-CBC"},
    };
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++)
        if (strcmp(name, ciphers[i].name) == 0)
            return EVP_get_cipherbyname(ciphers[i].long_name);
    die("no such cipher");
}

/* ---- key transport ---- */

static struct octets oaep_parameters(const struct words *w, const char *md, const char *mgf, struct octets label)
{
    const char *form = word(w, "oaep-params", "all");
    if (strcmp(form, "none") == 0)
        return OCTETS_NONE;
    if (strcmp(form, "empty") == 0)
        return tlv(TAG_SEQUENCE, OCTETS_NONE);
    struct octets source = tlv(TAG_EXPLICIT(2), tlv_algorithm(OID_PSOURCE, tlv(TAG_OCTET_STRING, label)));
    return tlv(TAG_SEQUENCE, JOIN(tlv(TAG_EXPLICIT(0), make_digest_algorithm(md)),
                                  tlv(TAG_EXPLICIT(1), tlv_algorithm(OID_MGF1, make_digest_algorithm(mgf))),
                                  label.n > 0 ? source : OCTETS_NONE));
}

static void oaep_set(EVP_PKEY_CTX *c, const char *md, const char *mgf, struct octets label)
{
    unsigned char *copy = label.n > 0 ? OPENSSL_memdup(label.p, label.n) : NULL;
    if (EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) != 1 || EVP_PKEY_CTX_set_rsa_oaep_md_name(c, md, NULL) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md_name(c, mgf, NULL) != 1 ||
        (copy && EVP_PKEY_CTX_set0_rsa_oaep_label(c, copy, (int)label.n) != 1))
        die("OAEP");
}

static struct octets key_sealed(const struct words *w, X509 *to, struct octets key, struct octets *algorithm)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(X509_get0_pubkey(to), NULL);
    const char *md = word(w, "oaep-md", "sha1"), *mgf = word(w, "oaep-mgf", md);
    struct octets label = octets_hex(word(w, "oaep-label", ""));
    unsigned char sealed[1024];
    size_t n = sizeof sealed;
    if (EVP_PKEY_encrypt_init(c) != 1)
        die("recipient");
    *algorithm = tlv_algorithm(OID_RSA, TLV_NULL);
    if (says(w, "transport", "oaep")) {
        oaep_set(c, md, mgf, label);
        *algorithm = tlv_algorithm(OID_OAEP, oaep_parameters(w, md, mgf, label));
    }
    if (EVP_PKEY_encrypt(c, sealed, &n, key.p, key.n) != 1)
        die("recipient");
    EVP_PKEY_CTX_free(c);
    if (says(w, "env-break", "key"))
        sealed[n - 1] ^= 1;
    return octets_of(sealed, n);
}

/* ---- recipients ---- */

static struct octets recipient(const struct words *w, const char *file, const char *form, struct octets key, struct style style)
{
    X509 *to = make_read(file);
    unsigned char *der = NULL;
    int n = i2d_X509(to, &der);
    struct octets algorithm, pointer = make_pointer(octets_taken(der, n), form), sealed = key_sealed(w, to, key, &algorithm);
    return tlv_styled(TAG_SEQUENCE, JOIN(tlv_integer(pointer.p[0] == TAG_SEQUENCE ? 0 : 2), pointer, algorithm,
                                         string_styled(TAG_OCTET_STRING, sealed, style)), style);
}

/* Of the kinds that SCEP has not: right in form, and opened by nobody. */
static struct octets recipient_other(const char *kind)
{
    static const unsigned char garbage[40] = {1};
    struct octets wrap = tlv_algorithm(OID_AES_WRAP, OCTETS_NONE);
    struct octets sealed = tlv(TAG_OCTET_STRING, octets_of(garbage, sizeof garbage));
    struct octets identifier = tlv(TAG_OCTET_STRING, octets_of(garbage, 4));
    if (strcmp(kind, "password") == 0)
        return tlv(TAG_EXPLICIT(3), JOIN(tlv_integer(0), tlv_algorithm("1.2.840.113549.1.9.16.3.9", wrap), sealed));
    if (strcmp(kind, "kek") == 0)
        return tlv(TAG_EXPLICIT(2), JOIN(tlv_integer(4), tlv(TAG_SEQUENCE, identifier), wrap, sealed));
    if (strcmp(kind, "agreement") == 0)
        return tlv(TAG_EXPLICIT(1), JOIN(tlv_integer(3), tlv(TAG_EXPLICIT(0), tlv(TAG_CONTEXT(0), identifier)), wrap,
            tlv(TAG_SEQUENCE, tlv(TAG_SEQUENCE, JOIN(tlv(TAG_EXPLICIT(0), identifier), sealed)))));
    die("no such kind of recipient");
}

static struct octets recipients(const struct words *w, struct octets key, struct style style)
{
    struct octets all = OCTETS_NONE;
    const char *to = word(w, "to", "ca.0.pem"), *form = "issuer";
    if (word(w, "kind", NULL))
        all = recipient_other(word(w, "kind", NULL));
    for (int i = 1; to && strcmp(to, "-") != 0; i++) {
        if (word_at(w, "pointer", i - 1))
            form = word_at(w, "pointer", i - 1);
        all = JOIN(all, recipient(w, to, form, key, style));
        to = word_at(w, "to", i);
    }
    return tlv_styled(TAG_SET, all, style);
}

/* ---- content ---- */

static struct octets content_sealed(const struct words *w, const EVP_CIPHER *cipher, struct octets content, struct octets key,
                                    struct octets iv)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    struct octets sealed = JOIN(content, octets_of("0123456789abcdef0123456789abcdef", 32));
    int n = 0, more = 0;
    if (!c || EVP_EncryptInit_ex(c, cipher, NULL, key.p, iv.p) != 1 ||
        EVP_EncryptUpdate(c, sealed.p, &n, content.p, (int)content.n) != 1 || EVP_EncryptFinal_ex(c, sealed.p + n, &more) != 1)
        die("cipher");
    EVP_CIPHER_CTX_free(c);
    sealed.n = (size_t)(n + more);
    if (says(w, "env-break", "content"))
        sealed.p[0] ^= 1;
    if (says(w, "env-break", "last"))
        sealed.p[sealed.n - 1] ^= 1;
    if (says(w, "env-break", "iv"))
        iv.p[0] ^= 1;
    return sealed;
}

static struct octets random_octets(int n)
{
    unsigned char p[64];
    if (RAND_bytes(p, n) != 1)
        die("random numbers");
    return octets_of(p, (size_t)n);
}

struct octets make_envelope(const struct words *w, struct octets content)
{
    if (says(w, "cipher", "none"))
        return content;
    const EVP_CIPHER *cipher = cipher_find(word(w, "cipher", "aes128"));
    struct style style = {says(w, "inner-indefinite", "yes"), (size_t)atol(word(w, "inner-piece", "0"))};
    struct octets key = random_octets(EVP_CIPHER_get_key_length(cipher)), iv = random_octets(EVP_CIPHER_get_iv_length(cipher));
    struct octets sealed = content_sealed(w, cipher, content, key, iv);
    char oid[64];
    OBJ_obj2txt(oid, sizeof oid, OBJ_nid2obj(EVP_CIPHER_get_nid(cipher)), 1);
    struct octets encrypted = tlv_styled(TAG_SEQUENCE, JOIN(
        tlv_oid(word(w, "env-type", OID_DATA)), tlv_algorithm(oid, tlv(TAG_OCTET_STRING, iv)),
        says(w, "env-none", "yes") ? OCTETS_NONE : string_styled(TAG_CONTEXT(0), sealed, style)), style);
    struct octets data = tlv_styled(TAG_SEQUENCE, JOIN(
        tlv_integer(atol(word(w, "env-version", "0"))),
        says(w, "originator", "yes") ? tlv(TAG_EXPLICIT(0), OCTETS_NONE) : OCTETS_NONE, recipients(w, key, style), encrypted,
        says(w, "unprotected", "yes") ? tlv(TAG_EXPLICIT(1), tlv_attribute("1.2.3.4", TLV_NULL)) : OCTETS_NONE), style);
    struct octets whole = tlv_styled(TAG_SEQUENCE, JOIN(tlv_oid(OID_ENVELOPED), tlv_styled(TAG_EXPLICIT(0), data, style)), style);
    size_t cut = (size_t)atol(word(w, "env-cut", "0"));
    whole.n -= cut < whole.n ? cut : whole.n;
    return JOIN(whole, octets_hex(word(w, "env-more", "")));
}
