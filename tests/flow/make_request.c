/*
 * The certification request (RFC 2986).
 *
 *   content=FILE                these bytes instead
 *   rdn=TYPE=VALUE rdn-tag=     the subject; rdn=-: empty
 *   csr-version=N csr-key=NAME  the number written; the key inside is another one
 *   challenge=TEXT              more than once: several attributes; challenge-values=2|0: two values in one, none; challenge-tag=
 *   ext= ext-raw=               requested extensions; ext-in=pkcs9|microsoft|both: the attribute that carries them
 *   san=TYPE:VALUE              names (dns, email, uri) of one subjectAltName; san-count=N: as many DNS names more
 *   attr=OID:HEX                an attribute with this value in DER; csr-more-attributes=N: so many more of one's own
 *   csr-attributes=none         without [0]
 *   csr-digest=NAME csr-break   the signature, and that it is wrong; csr-says=NAME: another digest is written beside it
 *   csr-cut=N csr-more=HEX      so many octets less at the end; octets more
 */
#include "tests/flow/make.h"

#include "tests/flow/client.h"

#define OID_CHALLENGE "1.2.840.113549.1.9.7"
#define OID_EXTENSIONS "1.2.840.113549.1.9.14"
#define OID_EXTENSIONS_MS "1.3.6.1.4.1.311.2.1.14"

/* Latin text in the units of the string's type. */
static struct octets widened(struct octets text, size_t unit)
{
    struct octets o = octets_of(text.p, 0);
    static const unsigned char zeros[4];
    for (size_t i = 0; i < text.n; i++)
        o = JOIN(o, octets_of(zeros, unit - 1), octets_of(text.p + i, 1));
    return o;
}

static struct octets challenge_value(const struct words *w, const char *text)
{
    int tag = make_tag(w, "challenge-tag", 0x13);
    struct octets value = octets_percent(text);
    return tlv(tag, tag == 0x1e ? widened(value, 2) : tag == 0x1c ? widened(value, 4) : value);
}

static struct octets challenges(const struct words *w)
{
    struct octets all = OCTETS_NONE;
    const char *text;
    for (int i = 0; (text = word_at(w, "challenge", i)) != NULL && strcmp(text, "-") != 0; i++) {
        struct octets value = challenge_value(w, text);
        if (says(w, "challenge-values", "2"))
            value = JOIN(value, value);
        if (says(w, "challenge-values", "0"))
            value = OCTETS_NONE;
        all = JOIN(all, tlv_attribute(OID_CHALLENGE, value));
    }
    return all;
}

static struct octets names(const struct words *w)
{
    static const struct { const char *name; int tag; } types[] = {
        {"email:", TAG_CONTEXT(1)}, {"dns:", TAG_CONTEXT(2)}, {"uri:", TAG_CONTEXT(6)}, {"ip:", TAG_CONTEXT(7)},
    };
    struct octets all = OCTETS_NONE;
    const char *text;
    for (int i = 0; (text = word_at(w, "san", i)) != NULL; i++)
        for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
            if (strncmp(text, types[k].name, strlen(types[k].name)) == 0)
                all = JOIN(all, tlv(types[k].tag, octets_percent(text + strlen(types[k].name))));
    return all;
}

static struct octets many_names(int count)
{
    unsigned char *names = OPENSSL_malloc((size_t)count * 24);
    size_t n = 0;
    for (int i = 0; i < count; i++) {
        char name[24];
        int length = snprintf(name, sizeof name, "n%d.example.org", i);
        names[n++] = TAG_CONTEXT(2);
        names[n++] = (unsigned char)length;
        memcpy(names + n, name, (size_t)length);
        n += (size_t)length;
    }
    return octets_taken(names, (int)n);
}

static struct octets subject_alt_name(const struct words *w)
{
    int count = atoi(word(w, "san-count", "0"));
    struct octets all = JOIN(names(w), count > 0 ? many_names(count) : OCTETS_NONE);
    return all.n == 0 ? all : tlv(TAG_SEQUENCE, JOIN(tlv_oid("2.5.29.17"), tlv(TAG_OCTET_STRING, tlv(TAG_SEQUENCE, all))));
}

static struct octets extensions(const struct words *w)
{
    struct octets all = JOIN(make_extensions(w, "ext"), subject_alt_name(w)), made = OCTETS_NONE;
    const char *in = word(w, "ext-in", "pkcs9");
    if (all.n == 0)
        return all;
    if (strcmp(in, "pkcs9") == 0 || strcmp(in, "both") == 0)
        made = tlv_attribute(OID_EXTENSIONS, tlv(TAG_SEQUENCE, all));
    if (strcmp(in, "microsoft") == 0 || strcmp(in, "both") == 0)
        made = JOIN(made, tlv_attribute(OID_EXTENSIONS_MS, tlv(TAG_SEQUENCE, all)));
    return made;
}

static struct octets other_attributes(const struct words *w)
{
    struct octets all = OCTETS_NONE;
    char oid[64];
    const char *text;
    for (int i = 0; (text = word_at(w, "attr", i)) != NULL; i++) {
        const char *colon = strchr(text, ':');
        if (!colon || (size_t)(colon - text) >= sizeof oid)
            die("OID:HEX");
        snprintf(oid, sizeof oid, "%.*s", (int)(colon - text), text);
        all = JOIN(all, tlv_attribute(oid, octets_hex(colon + 1)));
    }
    for (int i = atoi(word(w, "csr-more-attributes", "0")); i > 0; i--) {
        snprintf(oid, sizeof oid, "1.3.6.1.4.1.99999.%d", i);
        all = JOIN(all, tlv_attribute(oid, TLV_NULL));
    }
    return all;
}

struct octets make_request(const struct words *w, EVP_PKEY *key)
{
    const char *digest = word(w, "csr-digest", "sha256");
    if (word(w, "content", NULL))
        return octets_file(make_path(word(w, "content", NULL)));
    EVP_PKEY *inside = word(w, "csr-key", NULL) ? make_key(word(w, "csr-key", NULL)) : key;
    struct octets attributes = tlv(TAG_EXPLICIT(0), JOIN(challenges(w), extensions(w), other_attributes(w)));
    struct octets info = tlv(TAG_SEQUENCE, JOIN(
        tlv_integer(atol(word(w, "csr-version", "0"))), make_name(w, "rdn", "CN=device"), make_spki(inside),
        says(w, "csr-attributes", "none") ? OCTETS_NONE : attributes));
    struct octets signature = make_signature(key, digest, info);
    if (says(w, "csr-break", "yes"))
        signature.p[signature.n - 1] ^= 1;
    struct octets whole = tlv(TAG_SEQUENCE, JOIN(info, make_signature_algorithm(key, word(w, "csr-says", digest)),
                                                 tlv(TAG_BIT_STRING, JOIN(octets_hex("00"), signature))));
    size_t cut = (size_t)atol(word(w, "csr-cut", "0"));
    whole.n -= cut < whole.n ? cut : whole.n;
    return JOIN(whole, octets_hex(word(w, "csr-more", "")));
}
