/* cms_open_signed: the outer layer. OpenSSL reads the message without its certificates: it would decode the key of each, which
 * takes longer than all the rest. The signer's certificate is found by walking, and its key decoded once. */
#include "lib/codec/cms_key.h"

#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/evp.h"

#define OID_CONTENT_TYPE "1.2.840.113549.1.9.3"
#define OID_MESSAGE_DIGEST "1.2.840.113549.1.9.4"

#define FRAME_SIZE 64               /* bytes of ContentInfo and SignedData's own headers */

/* ---- walking the outside ---- */

struct outside {
    struct bytes head;              /* version, digestAlgorithms, encapContentInfo */
    struct ber content;             /* eContent, as it was sent; empty where there is none */
    struct bytes certificates;      /* content of [0] */
    struct bytes signers;           /* signerInfos, whole */
    struct cms_pointer signer;
    struct bytes attributes;        /* signedAttrs, whole, as they were sent; empty where there are none */
};

static enum result content_walk(struct bytes in, struct outside *out)
{
    struct ber type, explicit;
    bool found;

    /* EncapsulatedContentInfo ::= { eContentType, eContent [0] EXPLICIT OCTET STRING OPTIONAL } */
    if (ber_expect(&in, DER_OID, &type) != R_OK || ber_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &explicit, &found) != R_OK)
        return R_BAD_MESSAGE;
    if (found && (ber_next(&explicit.value, &out->content) != R_OK || explicit.value.n != 0))
        return R_BAD_MESSAGE;
    return in.n == 0 ? R_OK : R_BAD_MESSAGE;
}

static enum result signer_walk(struct bytes signers, struct outside *out)
{
    struct ber info, part;
    bool found;

    if (ber_expect(&signers, DER_SEQUENCE, &info) != R_OK || signers.n != 0)        /* exactly one */
        return R_BAD_MESSAGE;
    /* SignerInfo ::= { version, sid, digestAlgorithm, signedAttrs [0] … } */
    struct bytes in = info.value;
    if (ber_expect(&in, DER_INTEGER, &part) != R_OK || cms_pointer_take(&in, &out->signer) != R_OK)
        return R_BAD_MESSAGE;
    if (ber_expect(&in, DER_SEQUENCE, &part) != R_OK ||
        ber_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &part, &found) != R_OK)
        return R_BAD_MESSAGE;
    if (found)
        out->attributes = part.whole;
    return R_OK;
}

static enum result outside_decode(struct bytes der, struct outside *out)
{
    struct bytes in;
    struct ber part;
    bool found;

    /* SignedData ::= { version, digestAlgorithms, encapContentInfo, certificates [0], crls [1], signerInfos } */
    if (cms_content_of_type(der, cms_oid_signed_data, &in) != R_OK)
        return R_BAD_MESSAGE;
    out->head.p = in.p;
    if (ber_expect(&in, DER_INTEGER, &part) != R_OK || ber_expect(&in, DER_SET, &part) != R_OK ||
        ber_expect(&in, DER_SEQUENCE, &part) != R_OK || content_walk(part.value, out) != R_OK)
        return R_BAD_MESSAGE;
    out->head.n = (size_t)(in.p - out->head.p);
    if (ber_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &part, &found) != R_OK)
        return R_BAD_MESSAGE;
    if (found)
        out->certificates = part.value;
    if (ber_optional(&in, DER_CONTEXT_CONSTRUCTED(1), &part, &found) != R_OK)
        return R_BAD_MESSAGE;
    if (ber_expect(&in, DER_SET, &part) != R_OK || in.n != 0)
        return R_BAD_MESSAGE;
    out->signers = part.whole;
    return signer_walk(part.value, out);
}

/* Finds the certificate that the SignerInfo points at; .n stays 0 where there is none. One in BER is never found. */
static enum result certificate_find(const struct outside *o, struct bytes *certificate, struct cms_identity *identity)
{
    struct bytes in = o->certificates;
    struct ber part;

    for (unsigned count = 0; in.n != 0; count++) {
        struct cms_identity candidate;
        if (count == LIMIT_SCEP_CERTIFICATES || ber_next(&in, &part) != R_OK)
            return R_BAD_MESSAGE;
        if (certificate->n != 0 || part.tag != DER_SEQUENCE || cms_identity_decode(part.whole, &candidate) != R_OK)
            continue;
        if (cms_pointer_matches(&o->signer, &candidate)) {
            *certificate = part.whole;
            *identity = candidate;
        }
    }
    return R_OK;
}

static CMS_ContentInfo *message_decode(const struct outside *o)
{
    struct buf b;
    CMS_ContentInfo *cms = NULL;

    buf_init(&b, o->head.n + o->signers.n + FRAME_SIZE);
    struct cms_content_marks m = cms_content_open(&b, cms_oid_signed_data);
    der_raw(&b, o->head);
    der_raw(&b, o->signers);
    cms_content_close(&b, m);
    const unsigned char *p = b.p;
    if (!b.failed)
        cms = d2i_CMS_ContentInfo(NULL, &p, (long)b.n);
    if (cms != NULL && (p != b.p + b.n || sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)) != 1)) {
        CMS_ContentInfo_free(cms);
        cms = NULL;
    }
    buf_free(&b);
    return cms;
}

/* ---- attributes ---- */

static enum result attribute_decode(X509_ATTRIBUTE *attribute, struct arena *a, struct cms_attribute *out)
{
    char oid[LIMIT_OID + 1];
    enum result r = R_BAD_MESSAGE;
    unsigned char *der = NULL;
    struct der value;
    int n = OBJ_obj2txt(oid, sizeof oid, X509_ATTRIBUTE_get0_object(attribute), 1);

    if (n <= 0 || n > LIMIT_OID || X509_ATTRIBUTE_count(attribute) != 1)
        return R_BAD_MESSAGE;
    /* encoded anew, so that a value sent as BER in pieces comes out as one */
    n = i2d_ASN1_TYPE(X509_ATTRIBUTE_get0_type(attribute, 0), &der);
    if (n <= 0)
        goto out;
    struct bytes in = BYTES(der, (size_t)n);
    if (der_next(&in, &value) != R_OK || in.n != 0)
        goto out;
    out->type = value.tag;
    out->oid = arena_text(a, oid, strlen(oid));
    out->value = arena_bytes(a, value.value);
    r = out->oid != NULL && out->value.p != NULL ? R_OK : R_NO_MEMORY;
out:
    OPENSSL_free(der);
    return r;
}

static const struct cms_attribute *attribute_find(const struct cms_attributes *list, const char *oid)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].oid, oid) == 0)
            return &list->items[i];
    }
    return NULL;
}

static enum result attributes_decode(const CMS_SignerInfo *signer, struct arena *a, struct cms_attributes *out)
{
    int count = CMS_signed_get_attr_count(signer);

    if (count <= 0 || count > LIMIT_SCEP_ATTRIBUTES)
        return R_BAD_MESSAGE;
    out->items = arena_array(a, (size_t)count, sizeof *out->items);
    if (out->items == NULL)
        return R_NO_MEMORY;
    for (int i = 0; i < count; i++) {
        struct cms_attribute *item = &out->items[i];
        enum result r = attribute_decode(CMS_signed_get_attr(signer, i), a, item);
        if (r != R_OK)
            return r;
        if (attribute_find(out, item->oid) != NULL)
            return R_BAD_MESSAGE;
        out->count++;
    }
    return R_OK;
}

/* ---- the signature ---- */

static uint32_t signer_hash(CMS_SignerInfo *signer)
{
    X509_ALGOR *digest = NULL;
    const ASN1_OBJECT *oid = NULL;

    CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, NULL);
    X509_ALGOR_get0(&oid, NULL, NULL, digest);
    return evp_hash_from_nid(OBJ_obj2nid(oid));
}

static bool digest_is(struct bytes data, uint32_t hash, struct bytes wanted)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    return evp_digest(data, hash, digest, &n) && bytes_equal(wanted, BYTES(digest, n));
}

/* What broken encoders take the digest of instead of the content's octets (interop Q37): its own TLV, in DER or as they sent it,
 * or its pieces with their headers. */
static bool digest_is_tolerable(const struct ber *sent, const struct cms_signed *s, struct bytes wanted)
{
    bool found = false;
    struct buf tlv;

    buf_init(&tlv, s->content.n + FRAME_SIZE);
    der_value(&tlv, DER_OCTET_STRING, s->content.p, s->content.n);
    const struct bytes candidates[] = {buf_bytes(&tlv), sent->whole, sent->value};
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0] && s->content.p != NULL && !tlv.failed && !found; i++)
        found = digest_is(candidates[i], s->hash, wanted);
    buf_free(&tlv);
    return found;
}

/* The two attributes that bind the content (RFC 5652 section 5.6). The digest is computed here and once: OpenSSL would compute
 * one for each of digestAlgorithms, as many as the sender cares to list. */
static bool content_is_bound(const ASN1_OBJECT *type, const struct ber *sent, bool lenient, struct cms_signed *s)
{
    const struct cms_attribute *wanted_type = attribute_find(&s->attributes, OID_CONTENT_TYPE);
    const struct cms_attribute *wanted_digest = attribute_find(&s->attributes, OID_MESSAGE_DIGEST);

    if (wanted_type == NULL || wanted_type->type != DER_OID || wanted_digest == NULL || wanted_digest->type != DER_OCTET_STRING)
        return false;
    if (!bytes_equal(wanted_type->value, BYTES(OBJ_get0_data(type), OBJ_length(type))))
        return false;
    if (digest_is(s->content, s->hash, wanted_digest->value))
        return true;
    s->lenient = lenient && digest_is_tolerable(sent, s, wanted_digest->value);
    return s->lenient;
}

/* rsaEncryption or a signature algorithm with PKCS#1 v1.5; for EC keys ECDSA. */
static bool algorithm_fits(CMS_SignerInfo *signer, uint32_t kind)
{
    X509_ALGOR *signature = NULL;
    const ASN1_OBJECT *oid = NULL;
    int key = NID_undef;

    CMS_SignerInfo_get0_algs(signer, NULL, NULL, NULL, &signature);
    X509_ALGOR_get0(&oid, NULL, NULL, signature);
    int nid = OBJ_obj2nid(oid);
    if (OBJ_find_sigid_algs(nid, NULL, &key) == 1)
        nid = key;
    return nid == (kind == KEY_RSA ? NID_rsaEncryption : NID_X9_62_id_ecPublicKey);
}

/* Over what a signer may have signed, in the order in which it is tried: the attributes as a SET in DER and sorted (RFC 5652
 * section 5.4), whatever tag and order they were sent with; and what clients sign that do not sort (interop Q38). */
enum signed_form { FORM_SORTED, FORM_AS_SENT, FORM_UNSORTED, FORMS };

static void attributes_as_sent(const struct outside *o, struct buf *out)
{
    if (o->attributes.n == 0)
        return;
    buf_byte(out, DER_SET);
    buf_append(out, o->attributes.p + 1, o->attributes.n - 1);
}

static enum result attributes_encode(const CMS_SignerInfo *signer, bool sorted, size_t limit, struct buf *out)
{
    struct buf b;
    int count = CMS_signed_get_attr_count(signer);

    buf_init(&b, limit);
    for (int i = 0; i < count; i++) {
        unsigned char *der = NULL;
        int n = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(signer, i), &der);
        if (n <= 0)
            b.failed = true;
        else
            buf_append(&b, der, (size_t)n);
        OPENSSL_free(der);
    }
    size_t set = der_open(out, DER_SET);
    if (sorted)
        der_sorted(out, buf_bytes(&b));
    else
        buf_append(out, buf_bytes(&b).p, buf_bytes(&b).n);
    der_close(out, set);
    enum result r = b.failed ? buf_result(&b) : buf_result(out);
    buf_free(&b);
    return r;
}

static bool signature_verifies(CMS_SignerInfo *signer, const struct outside *o, bool lenient, struct cms_signed *s)
{
    struct buf attributes;
    const ASN1_OCTET_STRING *value = CMS_SignerInfo_get0_signature(signer);
    struct bytes signature = BYTES(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    bool right = false;

    buf_init(&attributes, o->signers.n + FRAME_SIZE);
    for (int form = FORM_SORTED; form < (lenient ? FORMS : FORM_SORTED + 1) && !right; form++) {
        buf_reset(&attributes);
        if (form == FORM_AS_SENT)
            attributes_as_sent(o, &attributes);
        else if (attributes_encode(signer, form == FORM_SORTED, o->signers.n, &attributes) != R_OK)
            break;
        right = buf_result(&attributes) == R_OK &&
                evp_verify(&s->signer_key, s->hash, buf_bytes(&attributes), signature) == R_OK;
        s->lenient = s->lenient || (right && form != FORM_SORTED);
    }
    buf_free(&attributes);
    return right;
}

static void signature_judge(CMS_ContentInfo *cms, CMS_SignerInfo *signer, const struct outside *o, bool lenient,
                            struct cms_signed *s)
{
    s->verified = s->hash != HASH_OTHER && algorithm_fits(signer, s->signer_key.kind) &&
                  content_is_bound(CMS_get0_eContentType(cms), &o->content, lenient, s) &&
                  signature_verifies(signer, o, lenient, s);
    s->lenient = s->lenient && s->verified;
}

/* ---- all of it ---- */

static enum result content_copy(CMS_ContentInfo *cms, struct arena *a, struct bytes *out)
{
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);

    if (content == NULL)
        return R_BAD_MESSAGE;
    if (*content == NULL)
        return R_OK;
    *out = arena_bytes(a, BYTES(ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content)));
    return out->p != NULL ? R_OK : R_NO_MEMORY;
}

/* Where there is no certificate, or one whose key cannot be read, there is only nothing that verifies. */
static enum result signer_decode(const struct outside *o, struct arena *a, struct cms_signed *out)
{
    struct bytes certificate = BYTES_NONE;
    struct cms_identity identity;
    enum result r = certificate_find(o, &certificate, &identity);

    if (r != R_OK || certificate.n == 0)
        return r;
    out->signer_certificate = arena_bytes(a, certificate);
    if (out->signer_certificate.p == NULL)
        return R_NO_MEMORY;
    if (cms_identity_decode(out->signer_certificate, &identity) != R_OK)
        return R_BAD_MESSAGE;
    out->signer_issuer = identity.issuer;
    out->signer_serial = identity.serial_value;
    while (out->signer_serial.n > 1 && out->signer_serial.p[0] == 0)
        out->signer_serial = BYTES(out->signer_serial.p + 1, out->signer_serial.n - 1);
    if (public_key_decode(identity.spki, &out->signer_key) != R_OK)
        out->signer_key = (struct public_key){.spki = identity.spki, .kind = KEY_OTHER};
    return R_OK;
}

enum result cms_open_signed(struct bytes der, bool lenient, struct arena *a, struct cms_signed *out)
{
    struct cms_signed s = {.hash = HASH_OTHER, .signer_key.kind = KEY_OTHER};
    struct outside o = {0};
    enum result r = outside_decode(der, &o);

    if (r == R_OK)
        r = signer_decode(&o, a, &s);
    if (r != R_OK)
        return r;
    CMS_ContentInfo *cms = message_decode(&o);
    if (cms == NULL) {
        ERR_clear_error();
        return R_BAD_MESSAGE;
    }
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    r = content_copy(cms, a, &s.content);
    if (r == R_OK)
        r = attributes_decode(signer, a, &s.attributes);
    if (r == R_OK) {
        s.hash = signer_hash(signer);
        s.ber = ber_is_loose(der);
        signature_judge(cms, signer, &o, lenient, &s);
        *out = s;
    }
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    return r;
}
