/*
 * The outer layer: SignedData (RFC 5652 section 5) with SCEP's attributes (RFC 8894 section 3.2.1).
 *
 *   type= transaction= nonce=HEX            values; "none" leaves the attribute out; type-tag= transaction-tag= nonce-tag=
 *   twice=type|transaction|nonce|content|digest|time   the attribute stands there twice; values=…: it has two values; empty=…: none
 *   attribute=OID:HEX           one more, its value in DER; attributes=N: so many more of one's own
 *   without=certificate|attributes|content|content-type|message-digest|signing-time|certificates
 *   order=sorted|reversed       how the attributes are sent; signed-as=sent: signed so too
 *   digest=NAME                 digest-over=tlv|pieces|nothing: of what the content's digest is taken
 *   inner-type=OID              eContentType; content-type=OID: what the attribute says, where it is not that
 *   signers=N                   0, 1, 2
 *   sid=FORM                    how the signer's certificate is pointed at (make_pointer)
 *   signature-says=sha          the OID of digest and key together; signature-says=NAME: of another digest; digest-says=NAME
 *   more=FILE ...               certificates behind the signer's; before=FILE ...: before it; more-raw=HEX
 *   unsigned                    unsigned attributes in SignerInfo
 *   outer-indefinite outer-piece=N          how it is written
 *   signed-version=N signer-version=N
 *   break=signature|content|certificate     an octet changed after signing
 *   cut=N more-octets=HEX       so many octets less at the end; octets behind
 */
#include "tests/flow/make.h"

#include <openssl/rand.h>
#include <time.h>

#include "tests/flow/client.h"

#define OID_DATA "1.2.840.113549.1.7.1"
#define OID_SIGNED "1.2.840.113549.1.7.2"
#define OID_RSA "1.2.840.113549.1.1.1"
#define ATTRIBUTES_MOST 64

enum attribute { CONTENT_TYPE, SIGNING_TIME, MESSAGE_DIGEST, TYPE, TRANSACTION, NONCE, KINDS };
static const struct { const char *name, *oid; } kinds[KINDS] = {
    [CONTENT_TYPE] = {"content", "1.2.840.113549.1.9.3"}, [SIGNING_TIME] = {"time", "1.2.840.113549.1.9.5"},
    [MESSAGE_DIGEST] = {"digest", "1.2.840.113549.1.9.4"}, [TYPE] = {"type", "2.16.840.1.113733.1.9.2"},
    [TRANSACTION] = {"transaction", "2.16.840.1.113733.1.9.7"}, [NONCE] = {"nonce", "2.16.840.1.113733.1.9.5"},
};

struct list { struct octets items[ATTRIBUTES_MOST]; size_t count; };

static void list_add(struct list *l, struct octets item)
{
    if (l->count == ATTRIBUTES_MOST)
        die("too many attributes");
    l->items[l->count++] = item;
}

static void attribute_add(const struct words *w, struct list *l, enum attribute kind, struct octets value)
{
    if (says(w, "values", kinds[kind].name))
        value = JOIN(value, value);
    if (says(w, "empty", kinds[kind].name))
        value = OCTETS_NONE;
    struct octets made = tlv_attribute(kinds[kind].oid, value);
    for (int i = says(w, "twice", kinds[kind].name) ? 2 : 1; i > 0; i--)
        list_add(l, made);
}

static struct octets digest_value(const struct words *w, struct octets content, struct octets piece_headers)
{
    const char *over = word(w, "digest-over", "content"), *digest = word(w, "digest", "sha256");
    if (strcmp(over, "tlv") == 0)
        content = tlv(TAG_OCTET_STRING, content);
    else if (strcmp(over, "pieces") == 0)
        content = piece_headers;
    else if (strcmp(over, "nothing") == 0)
        content = OCTETS_NONE;
    return make_digest(digest, content);
}

static struct octets now_tlv(void)
{
    char text[20];
    time_t t = time(NULL);
    struct tm parts;
    strftime(text, sizeof text, "%Y%m%d%H%M%SZ", gmtime_r(&t, &parts));
    return tlv(TAG_UTC_TIME, octets_text(text + 2));         /* without the century */
}

static struct octets random_value(bool hex)
{
    unsigned char raw[16];
    char text[33];
    if (RAND_bytes(raw, sizeof raw) != 1)
        die("random numbers");
    for (size_t i = 0; i < sizeof raw; i++)
        snprintf(text + 2 * i, 3, "%02X", raw[i]);
    return hex ? octets_text(text) : octets_of(raw, sizeof raw);
}

static void scep_add(const struct words *w, struct list *l)
{
    const char *type = word(w, "type", "19"), *transaction = word(w, "transaction", NULL), *nonce = word(w, "nonce", NULL);
    if (strcmp(type, "none") != 0)
        attribute_add(w, l, TYPE, tlv(make_tag(w, "type-tag", 0x13), octets_percent(type)));
    if (!transaction || strcmp(transaction, "none") != 0)
        attribute_add(w, l, TRANSACTION, tlv(make_tag(w, "transaction-tag", 0x13),
                                             transaction ? octets_percent(transaction) : random_value(true)));
    if (!nonce || strcmp(nonce, "none") != 0)
        attribute_add(w, l, NONCE, tlv(make_tag(w, "nonce-tag", TAG_OCTET_STRING),
                                       nonce ? octets_hex(nonce) : random_value(false)));
}

static void others_add(const struct words *w, struct list *l)
{
    char oid[64];
    const char *text;
    for (int i = 0; (text = word_at(w, "attribute", i)) != NULL; i++) {
        const char *colon = strchr(text, ':');
        if (!colon)
            die("OID:HEX");
        snprintf(oid, sizeof oid, "%.*s", (int)(colon - text), text);
        list_add(l, tlv_attribute(oid, octets_hex(colon + 1)));
    }
    for (int i = atoi(word(w, "attributes", "0")); i > 0; i--) {
        snprintf(oid, sizeof oid, "1.3.6.1.4.1.99999.%d", i);
        list_add(l, tlv_attribute(oid, TLV_NULL));
    }
}

/* The SET's content as it is sent; *to_sign is what is signed. */
static struct octets attributes_make(const struct words *w, struct octets content, struct octets pieces, struct octets *to_sign)
{
    struct list l = {.count = 0};
    const char *inner = word(w, "inner-type", OID_DATA);
    if (!says(w, "without", "content-type"))
        attribute_add(w, &l, CONTENT_TYPE, tlv_oid(word(w, "content-type", inner)));
    if (!says(w, "without", "signing-time"))
        attribute_add(w, &l, SIGNING_TIME, now_tlv());
    if (!says(w, "without", "message-digest"))
        attribute_add(w, &l, MESSAGE_DIGEST, tlv(TAG_OCTET_STRING, digest_value(w, content, pieces)));
    scep_add(w, &l);
    others_add(w, &l);
    struct list sorted = l;
    set_sort(sorted.items, sorted.count);
    if (says(w, "order", "reversed"))
        for (size_t i = 0; i < l.count; i++)
            l.items[i] = sorted.items[l.count - 1 - i];
    else if (!says(w, "order", "given"))
        l = sorted;
    struct octets sent = octets_joined(l.items, l.count);
    *to_sign = tlv(TAG_SET, says(w, "signed-as", "sent") ? sent : octets_joined(sorted.items, sorted.count));
    return sent;
}

static struct octets signature_algorithm(const struct words *w, EVP_PKEY *key)
{
    const char *form = word(w, "signature-says", "rsa"), *digest = word(w, "digest", "sha256");
    if (strcmp(form, "rsa") == 0 && EVP_PKEY_is_a(key, "RSA"))
        return tlv_algorithm(OID_RSA, TLV_NULL);
    return make_signature_algorithm(key, strcmp(form, "rsa") == 0 || strcmp(form, "sha") == 0 ? digest : form);
}

static struct octets signer_info(const struct words *w, struct octets content, struct octets pieces, struct octets certificate,
                                 EVP_PKEY *key, struct style style)
{
    const char *digest = word(w, "digest", "sha256");
    struct octets to_sign, sid = make_pointer(certificate, word(w, "sid", "issuer"));
    struct octets sent = attributes_make(w, content, pieces, &to_sign);
    bool bare = says(w, "without", "attributes");
    struct octets signature = make_signature(key, digest, bare ? content : to_sign);
    if (says(w, "break", "signature"))
        signature.p[signature.n - 1] ^= 1;
    return tlv_styled(TAG_SEQUENCE, JOIN(
        tlv_integer(atol(word(w, "signer-version", sid.p[0] == TAG_SEQUENCE ? "1" : "3"))), sid,
        make_digest_algorithm(word(w, "digest-says", digest)), bare ? OCTETS_NONE : tlv_styled(TAG_EXPLICIT(0), sent, style),
        signature_algorithm(w, key), string_styled(TAG_OCTET_STRING, signature, style),
        says(w, "unsigned", "yes") ? tlv(TAG_EXPLICIT(1), tlv_attribute("1.2.3.4", TLV_NULL)) : OCTETS_NONE), style);
}

static struct octets certificates_read(const struct words *w, const char *name)
{
    struct octets all = OCTETS_NONE;
    const char *file;
    for (int i = 0; (file = word_at(w, name, i)) != NULL; i++) {
        unsigned char *der = NULL;
        int n = i2d_X509(make_read(file), &der);
        all = JOIN(all, octets_taken(der, n));
    }
    return all;
}

static struct octets certificates(const struct words *w, struct octets own, struct style style)
{
    if (says(w, "without", "certificates"))
        return OCTETS_NONE;
    if (says(w, "without", "certificate"))
        own = OCTETS_NONE;
    if (says(w, "break", "certificate"))
        own.p[own.n - 1] ^= 1;
    return tlv_styled(TAG_EXPLICIT(0), JOIN(certificates_read(w, "before"), own, certificates_read(w, "more"),
                                            octets_hex(word(w, "more-raw", ""))), style);
}

struct octets make_signed(const struct words *w, struct octets content, struct octets certificate, EVP_PKEY *key)
{
    struct style style = {says(w, "outer-indefinite", "yes"), (size_t)atol(word(w, "outer-piece", "0"))};
    struct octets string = string_styled(TAG_OCTET_STRING, content, style), signers = OCTETS_NONE;
    /* Digested by mistake: the pieces with their headers, without the outermost's. */
    struct octets pieces = string.p[1] == 0x80 ? octets_of(string.p + 2, string.n - 4) : string;
    for (int i = atoi(word(w, "signers", "1")); i > 0; i--)
        signers = JOIN(signers, signer_info(w, content, pieces, certificate, key, style));
    if (says(w, "break", "content"))
        string.p[string.n / 2] ^= 1;
    struct octets digests = tlv_styled(TAG_SET, make_digest_algorithm(word(w, "digest", "sha256")), style);
    struct octets explicit = says(w, "without", "content") ? OCTETS_NONE : tlv_styled(TAG_EXPLICIT(0), string, style);
    struct octets inside = tlv_styled(TAG_SEQUENCE, JOIN(tlv_oid(word(w, "inner-type", OID_DATA)), explicit), style);
    struct octets data = tlv_styled(TAG_SEQUENCE, JOIN(
        tlv_integer(atol(word(w, "signed-version", "1"))), digests, inside, certificates(w, certificate, style),
        tlv_styled(TAG_SET, signers, style)), style);
    struct octets whole = tlv_styled(TAG_SEQUENCE, JOIN(tlv_oid(OID_SIGNED), tlv_styled(TAG_EXPLICIT(0), data, style)), style);
    size_t cut = (size_t)atol(word(w, "cut", "0"));
    whole.n -= cut < whole.n ? cut : whole.n;
    return JOIN(whole, octets_hex(word(w, "more-octets", "")));
}
