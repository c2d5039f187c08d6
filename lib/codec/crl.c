#include "lib/codec/crl.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/codec/der.h"
#include "lib/codec/extension.h"
#include "lib/codec/signature.h"

#define OID_CRL_NUMBER "2.5.29.20"
#define EXT_CRL_NUMBER BYTES("\x55\x1d\x14", 3)
#define OID_REASON_CODE "2.5.29.21"
#define OID_INVALIDITY_DATE "2.5.29.24"
#define OID_ISSUING_DISTRIBUTION_POINT "2.5.29.28"
#define EXT_ISSUING_DISTRIBUTION_POINT BYTES("\x55\x1d\x1c", 3)
#define OID_AUTHORITY_KEY_IDENTIFIER "2.5.29.35"

#define TAG_EXTENSIONS DER_CONTEXT_CONSTRUCTED(0)       /* crlExtensions */
#define TAG_POINT DER_CONTEXT_CONSTRUCTED(0)            /* distributionPoint */
#define TAG_FULL_NAME DER_CONTEXT_CONSTRUCTED(0)
#define TAG_URI DER_CONTEXT(6)                          /* uniformResourceIdentifier of GeneralName */
#define TAG_KEY_IDENTIFIER DER_CONTEXT(0)

#define FIELDS_SIZE (LIMIT_NAME_DER + 256)              /* bytes before the entries: the issuer is the largest */

static const struct {
    int reason;
    const char *name;
} reasons[] = {
    {REASON_UNSPECIFIED, "unspecified"},
    {REASON_KEY_COMPROMISE, "keyCompromise"},
    {REASON_CA_COMPROMISE, "cACompromise"},
    {REASON_AFFILIATION_CHANGED, "affiliationChanged"},
    {REASON_SUPERSEDED, "superseded"},
    {REASON_CESSATION_OF_OPERATION, "cessationOfOperation"},
    {REASON_CERTIFICATE_HOLD, "certificateHold"},
    {REASON_PRIVILEGE_WITHDRAWN, "privilegeWithdrawn"},
    {REASON_AA_COMPROMISE, "aACompromise"},
};
#define REASONS (sizeof reasons / sizeof reasons[0])

const char *crl_reason_name(int reason)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (reasons[i].reason == reason)
            return reasons[i].name;
    }
    return NULL;
}

int crl_reason_from_name(const char *name)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (strcmp(reasons[i].name, name) == 0)
            return reasons[i].reason;
    }
    return -1;
}

/* ---- writing ---- */

/* Opens Extension and its extnValue; extension_close ends both. */
struct extension_marks { size_t extension, value; };

static struct extension_marks extension_open(struct buf *b, const char *oid, bool critical)
{
    struct extension_marks m;

    m.extension = der_open(b, DER_SEQUENCE);
    der_oid(b, oid);
    if (critical)
        der_boolean(b, true);
    m.value = der_open(b, DER_OCTET_STRING);
    return m;
}

static void extension_close(struct buf *b, struct extension_marks m)
{
    der_close(b, m.value);
    der_close(b, m.extension);
}

void crl_entry_encode(const struct crl_entry *e, struct buf *out)
{
    size_t entry = der_open(out, DER_SEQUENCE);

    der_integer_bytes(out, e->serial);
    der_time(out, e->revoked_at);
    if (e->reason != REASON_UNSPECIFIED || e->invalidity_date != 0) {
        size_t extensions = der_open(out, DER_SEQUENCE);
        if (e->reason != REASON_UNSPECIFIED) {
            uint8_t reason = (uint8_t)e->reason;
            struct extension_marks m = extension_open(out, OID_REASON_CODE, false);
            der_value(out, DER_ENUMERATED, &reason, 1);
            extension_close(out, m);
        }
        if (e->invalidity_date != 0) {
            struct extension_marks m = extension_open(out, OID_INVALIDITY_DATE, false);
            der_generalized_time(out, e->invalidity_date);
            extension_close(out, m);
        }
        der_close(out, extensions);
    }
    der_close(out, entry);
}

static void extensions_encode(const struct crl_content *c, struct buf *out)
{
    size_t outer = der_open(out, TAG_EXTENSIONS), list = der_open(out, DER_SEQUENCE);
    struct extension_marks m = extension_open(out, OID_AUTHORITY_KEY_IDENTIFIER, false);
    size_t aki = der_open(out, DER_SEQUENCE);

    der_value(out, TAG_KEY_IDENTIFIER, c->aki.p, c->aki.n);
    der_close(out, aki);
    extension_close(out, m);

    m = extension_open(out, OID_CRL_NUMBER, false);
    der_integer(out, c->number);
    extension_close(out, m);

    if (c->idp_url != NULL) {
        m = extension_open(out, OID_ISSUING_DISTRIBUTION_POINT, true);
        size_t idp = der_open(out, DER_SEQUENCE), point = der_open(out, TAG_POINT), name = der_open(out, TAG_FULL_NAME);
        der_value(out, TAG_URI, c->idp_url, strlen(c->idp_url));
        der_close(out, name);
        der_close(out, point);
        der_close(out, idp);
        extension_close(out, m);
    }
    der_close(out, list);
    der_close(out, outer);
}

enum result crl_head(const struct crl_content *c, size_t entries_size, struct buf *head, struct buf *tail)
{
    struct bytes algorithm = hash_rsa_algorithm(c->hash);
    struct buf fields;

    if (algorithm.n == 0 || c->issuer.n == 0 || c->aki.n == 0 || c->number < 0 || c->next_update <= c->this_update)
        return R_BAD_INPUT;
    size_t tail_start = tail->n;
    extensions_encode(c, tail);
    size_t tail_size = tail->n - tail_start;

    buf_init(&fields, FIELDS_SIZE);
    der_integer(&fields, 1);                                    /* v2 */
    der_raw(&fields, algorithm);
    der_raw(&fields, c->issuer);
    der_time(&fields, c->this_update);
    der_time(&fields, c->next_update);
    /* an empty revokedCertificates is not allowed (RFC 5280 section 5.1.2.6) */
    if (entries_size > 0)
        der_header(&fields, DER_SEQUENCE, entries_size);
    der_header(head, DER_SEQUENCE, fields.n + entries_size + tail_size);
    der_raw(head, buf_bytes(&fields));
    enum result r = buf_result(&fields);
    buf_free(&fields);
    if (r == R_OK)
        r = buf_result(head);
    return r == R_OK ? buf_result(tail) : r;
}

void crl_wrap_head(size_t tbs_size, struct bytes algorithm, size_t signature_size, struct buf *out)
{
    der_header(out, DER_SEQUENCE, tbs_size + algorithm.n + der_size(signature_size + 1));
}

void crl_wrap_tail(struct bytes algorithm, struct bytes signature, struct buf *out)
{
    der_raw(out, algorithm);
    der_header(out, DER_BIT_STRING, signature.n + 1);
    buf_byte(out, 0);                                           /* no unused bits */
    buf_append(out, signature.p, signature.n);
}

/* ---- reading ---- */

/* SHA-2 with RSA is what is signed here; anything else is read, but as HASH_OTHER. */
static uint32_t algorithm_hash(struct bytes algorithm)
{
    uint32_t kind, hash;

    if (signature_algorithm(algorithm, &kind, &hash) != R_OK || hash_rsa_algorithm(hash).n == 0)
        return HASH_OTHER;
    return bytes_equal(algorithm, hash_rsa_algorithm(hash)) ? hash : HASH_OTHER;
}

static bool is_time(struct bytes in)
{
    return in.n != 0 && (in.p[0] == DER_UTC_TIME || in.p[0] == DER_GENERALIZED_TIME);
}

static enum result time_take(struct bytes *in, int64_t *out)
{
    struct der t;

    return der_next(in, &t) == R_OK ? der_get_time(&t, out) : R_BAD_INPUT;
}

static enum result entries_count(struct crl *c)
{
    struct bytes in = c->entries_der;
    struct der entry, serial;

    for (; in.n != 0; c->entries++) {
        if (der_expect(&in, DER_SEQUENCE, &entry) != R_OK || der_expect(&entry.value, DER_INTEGER, &serial) != R_OK)
            return R_BAD_INPUT;
    }
    return R_OK;
}

static enum result aki_decode(struct bytes value, struct arena *a, struct crl *c)
{
    (void)a;
    return extension_aki(value, &c->aki);
}

static enum result number_decode(struct bytes value, struct arena *a, struct crl *c)
{
    struct der number;

    (void)a;
    if (der_expect(&value, DER_INTEGER, &number) != R_OK || value.n != 0 || der_get_integer(number.value, &c->number) != R_OK)
        return R_BAD_INPUT;
    return c->number >= 0 ? R_OK : R_BAD_INPUT;
}

/* Only the form that is written here: one URI, no scope of reasons or kinds. */
static enum result idp_decode(struct bytes value, struct arena *a, struct crl *c)
{
    static const int tags[] = {DER_SEQUENCE, TAG_POINT, TAG_FULL_NAME, TAG_URI};
    struct der part;

    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (der_expect(&value, tags[i], &part) != R_OK || value.n != 0)
            return R_BAD_INPUT;
        value = part.value;
    }
    if (!text_is_printable(value.p, value.n))
        return R_BAD_INPUT;
    c->idp_url = arena_text(a, value.p, value.n);
    return c->idp_url != NULL ? R_OK : R_NO_MEMORY;
}

static const struct {
    struct bytes oid;
    enum result (*decode)(struct bytes value, struct arena *a, struct crl *c);
} known[] = {
    {EXT_AKI, aki_decode},
    {EXT_CRL_NUMBER, number_decode},
    {EXT_ISSUING_DISTRIBUTION_POINT, idp_decode},
};
#define KNOWN (sizeof known / sizeof known[0])

static enum result extension_decode(const struct extension *e, struct arena *a, struct crl *c)
{
    for (size_t i = 0; i < KNOWN; i++) {
        if (bytes_equal(known[i].oid, e->oid))
            return known[i].decode(e->value, a, c);
    }
    return e->critical ? R_BAD_INPUT : R_OK;
}

static enum result extensions_decode(struct bytes in, struct arena *a, struct crl *c)
{
    struct der outer;
    struct extensions list = {0};
    enum result r = der_expect(&in, TAG_EXTENSIONS, &outer);

    if (r == R_OK && in.n != 0)
        r = R_BAD_INPUT;
    if (r == R_OK)
        r = extensions_add(outer.value, &list);
    for (uint32_t i = 0; i < list.count && r == R_OK; i++)
        r = extension_decode(&list.items[i], a, c);
    return r;
}

/* What stands in TBSCertList before the entries. */
static enum result fields_decode(struct bytes *in, struct bytes algorithm, struct crl *c)
{
    struct der version, inner, issuer;
    int64_t v;

    if (der_expect(in, DER_INTEGER, &version) != R_OK || der_get_integer(version.value, &v) != R_OK || v != 1)
        return R_BAD_INPUT;
    /* the algorithm stands twice so that the signature covers it */
    if (der_expect(in, DER_SEQUENCE, &inner) != R_OK || !bytes_equal(inner.whole, algorithm))
        return R_BAD_INPUT;
    if (der_expect(in, DER_SEQUENCE, &issuer) != R_OK || time_take(in, &c->this_update) != R_OK)
        return R_BAD_INPUT;
    if (is_time(*in) && time_take(in, &c->next_update) != R_OK)
        return R_BAD_INPUT;
    c->issuer = issuer.whole;
    return R_OK;
}

enum result crl_decode(struct bytes der, struct arena *a, struct crl *out)
{
    struct crl c = {0};
    struct signed_parts parts;
    struct der tbs, entries;
    struct bytes in;

    enum result r = signed_unwrap(der, &parts);
    if (r == R_OK) {
        in = parts.tbs;
        r = der_expect(&in, DER_SEQUENCE, &tbs);
    }
    if (r == R_OK)
        r = fields_decode(&tbs.value, parts.algorithm, &c);
    if (r == R_OK && tbs.value.n != 0 && tbs.value.p[0] == DER_SEQUENCE) {
        r = der_next(&tbs.value, &entries);
        if (r == R_OK) {
            c.entries_der = entries.value;
            r = entries_count(&c);
        }
    }
    if (r == R_OK && tbs.value.n != 0)
        r = extensions_decode(tbs.value, a, &c);
    if (r != R_OK)
        return r;
    c.tbs = parts.tbs;
    c.hash = algorithm_hash(parts.algorithm);
    *out = c;
    return R_OK;
}

enum result crl_verify(struct bytes der, struct bytes issuer_spki)
{
    struct signed_parts parts;
    struct public_key key;
    enum result r = signed_unwrap(der, &parts);

    if (r != R_OK)
        return r;
    return public_key_decode(issuer_spki, &key) == R_OK ? signed_verify(&parts, &key, HASHES_SHA2) : R_SIGNATURE_FAILED;
}

static struct bytes without_zeros(struct bytes b)
{
    while (b.n != 0 && b.p[0] == 0)
        b = BYTES(b.p + 1, b.n - 1);
    return b;
}

bool crl_contains(const struct crl *c, struct bytes serial)
{
    struct bytes in = c->entries_der;
    struct der entry, found;

    serial = without_zeros(serial);
    while (in.n != 0 && der_expect(&in, DER_SEQUENCE, &entry) == R_OK && der_expect(&entry.value, DER_INTEGER, &found) == R_OK) {
        if (bytes_equal(without_zeros(found.value), serial))
            return true;
    }
    return false;
}
