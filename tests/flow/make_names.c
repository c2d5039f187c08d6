/* Names, extensions, and how CMS points at a certificate. */
#include "tests/flow/make.h"

#include <openssl/asn1t.h>
#include <openssl/x509v3.h>

#include "tests/flow/client.h"

int make_tag(const struct words *w, const char *word_name, int initial)
{
    static const struct { const char *name; int tag; } tags[] = {
        {"printable", 0x13}, {"utf8", 0x0c},    {"ia5", 0x16},     {"octet", 0x04},  {"bmp", 0x1e},     {"t61", 0x14},
        {"visible", 0x1a},   {"numeric", 0x12}, {"bits", 0x03},    {"null", 0x05},   {"integer", 0x02}, {"universal", 0x1c},
        {"sequence", 0x30},  {"constructed", TAG_OCTET_STRING | 0x20},
    };
    const char *name = word(w, word_name, NULL);
    for (size_t i = 0; name && i < sizeof tags / sizeof tags[0]; i++)
        if (strcmp(name, tags[i].name) == 0)
            return tags[i].tag;
    if (name)
        die("no such tag");
    return initial;
}

/* TYPE=VALUE; TYPE may be an OID. */
static struct octets rdn_make(const char *text, int tag)
{
    char type[64] = "", oid[64];
    const char *equals = strchr(text, '=');
    if (!equals || (size_t)(equals - text) >= sizeof type)
        die("TYPE=VALUE");
    memcpy(type, text, (size_t)(equals - text));
    ASN1_OBJECT *object = OBJ_txt2obj(type, 0);
    if (!object)
        die(type);
    OBJ_obj2txt(oid, sizeof oid, object, 1);
    ASN1_OBJECT_free(object);
    return tlv(TAG_SET, tlv(TAG_SEQUENCE, JOIN(tlv_oid(oid), tlv(tag, octets_percent(equals + 1)))));
}

struct octets make_name(const struct words *w, const char *word_name, const char *initial)
{
    char tag_word[64];
    struct octets all = OCTETS_NONE;
    const char *text = word(w, word_name, initial);
    snprintf(tag_word, sizeof tag_word, "%s-tag", word_name);
    int tag = make_tag(w, tag_word, 0x0c);
    for (int i = 1; text && strcmp(text, "-") != 0; i++) {
        all = JOIN(all, rdn_make(text, tag));
        text = word_at(w, word_name, i);
    }
    return tlv(TAG_SEQUENCE, all);
}

struct octets make_name_reversed(struct octets name)
{
    const unsigned char *p = name.p;
    X509_NAME *read = d2i_X509_NAME(NULL, &p, (long)name.n), *reversed = X509_NAME_new();
    unsigned char *der = NULL;
    for (int i = X509_NAME_entry_count(read) - 1; i >= 0; i--)
        if (X509_NAME_add_entry(reversed, X509_NAME_get_entry(read, i), -1, 0) != 1)
            die("name");
    int n = i2d_X509_NAME(reversed, &der);
    X509_NAME_free(read);
    X509_NAME_free(reversed);
    return octets_taken(der, n);
}

static struct octets extension_conf(const char *text)
{
    X509V3_CTX context;
    char name[64] = "";
    const char *equals = strchr(text, '=');
    unsigned char *der = NULL;
    X509V3_set_ctx(&context, NULL, NULL, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    if (!equals || (size_t)(equals - text) >= sizeof name)
        die("EXTENSION=VALUE");
    memcpy(name, text, (size_t)(equals - text));
    X509_EXTENSION *e = X509V3_EXT_nconf(NULL, &context, name, equals + 1);
    int n = e ? i2d_X509_EXTENSION(e, &der) : 0;
    X509_EXTENSION_free(e);
    return octets_taken(der, n);
}

/* OID:critical:HEX, OID:-:HEX */
static struct octets extension_raw(const char *text)
{
    static const unsigned char yes[] = {0x01, 0x01, 0xff};
    char oid[64] = "";
    const char *colon = strchr(text, ':'), *last = strrchr(text, ':');
    if (!colon || colon == last || (size_t)(colon - text) >= sizeof oid)
        die("OID:critical:HEX");
    memcpy(oid, text, (size_t)(colon - text));
    return tlv(TAG_SEQUENCE, JOIN(tlv_oid(oid), colon[1] == 'c' ? octets_of(yes, sizeof yes) : OCTETS_NONE,
                                  tlv(TAG_OCTET_STRING, octets_hex(last + 1))));
}

struct octets make_extensions(const struct words *w, const char *word_name)
{
    char raw[64];
    const char *text;
    struct octets all = OCTETS_NONE;
    snprintf(raw, sizeof raw, "%s-raw", word_name);
    for (int i = 0; (text = word_at(w, word_name, i)) != NULL; i++)
        all = JOIN(all, extension_conf(text));
    for (int i = 0; (text = word_at(w, raw, i)) != NULL; i++)
        all = JOIN(all, extension_raw(text));
    return all;
}

/* ---- pointers ---- */

static struct octets issuer_of(const X509 *c)
{
    unsigned char *der = NULL;
    int n = i2d_X509_NAME(X509_get_issuer_name(c), &der);
    return octets_taken(der, n);
}

static struct octets serial_of(const X509 *c)
{
    unsigned char *der = NULL;
    int n = i2d_ASN1_INTEGER(X509_get0_serialNumber(c), &der);
    return octets_taken(der, n);
}

static struct octets ski_of(X509 *c)
{
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(c);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (ski)
        return octets_of(ASN1_STRING_get0_data(ski), (size_t)ASN1_STRING_length(ski));
    if (X509_pubkey_digest(c, EVP_sha1(), digest, &n) != 1)
        die("digest");
    return octets_of(digest, n);
}

struct octets make_pointer(struct octets certificate, const char *form)
{
    static const unsigned char nobody[20] = {1, 2, 3};
    const unsigned char *p = certificate.p;
    X509 *c = d2i_X509(NULL, &p, (long)certificate.n);
    struct octets made = OCTETS_NONE;
    if (!c)
        die("a pointer to something else");
    const struct words none = {.count = 0};
    if (strcmp(form, "ski") == 0)
        made = tlv(TAG_CONTEXT(0), ski_of(c));
    else if (strcmp(form, "wrapped") == 0)
        made = tlv(TAG_CONTEXT(0), tlv(TAG_OCTET_STRING, ski_of(c)));
    else if (strcmp(form, "other-ski") == 0)
        made = tlv(TAG_CONTEXT(0), octets_of(nobody, sizeof nobody));
    else if (strcmp(form, "reversed") == 0)
        made = tlv(TAG_SEQUENCE, JOIN(make_name_reversed(issuer_of(c)), serial_of(c)));
    else if (strcmp(form, "serial") == 0)
        made = tlv(TAG_SEQUENCE, JOIN(make_name(&none, "rdn", "CN=Nobody"), serial_of(c)));
    else if (strcmp(form, "other") == 0)
        made = tlv(TAG_SEQUENCE, JOIN(issuer_of(c), tlv(TAG_INTEGER, octets_of(nobody, sizeof nobody))));
    else if (strcmp(form, "issuer") == 0)
        made = tlv(TAG_SEQUENCE, JOIN(issuer_of(c), serial_of(c)));
    else
        die("no such pointer");
    X509_free(c);
    return made;
}
