#include "lib/policy/bounds.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/policy/purposes.h"

const char *certificate_kind_name(uint32_t kind)
{
    static const char *const names[] = {
        [CERTIFICATE_LEAF] = "leaf", [CERTIFICATE_RA_SIGN] = "ra_sign", [CERTIFICATE_RA_ENCRYPT] = "ra_encrypt",
        [CERTIFICATE_CA] = "ca", [CERTIFICATE_CROSS] = "cross", [CERTIFICATE_OCSP] = "ocsp",
    };
    return kind < sizeof names / sizeof names[0] ? names[kind] : NULL;
}

struct bounds {
    const struct certificate *made;      /* the finished certificate */
    uint32_t kind;
    const struct certificate *chain;
    uint32_t count;
    struct arena *a;
    struct verdict *v;
};

static enum result refuse(const struct bounds *b, const char *field, const char *found, const char *wanted)
{
    return verdict_refuse(b->v, b->a, R_OUT_OF_BOUNDS, field, found, wanted);
}

static const char *hex_text(const struct bounds *b, struct bytes bytes)
{
    size_t n = bytes.n < LIMIT_DETAIL / 2 ? bytes.n : LIMIT_DETAIL / 2;
    char *text = arena_alloc(b->a, 2 * n + 1);
    if (text)
        hex_encode(text, bytes.p, n);
    return text;
}

static const char *time_text(const struct bounds *b, int64_t t)
{
    char text[CLOCK_ISO_SIZE];
    clock_to_iso(t, text);
    return arena_text(b->a, text, strlen(text));
}

static bool key_ids_equal(struct bytes x, struct bytes y)
{
    return x.n > 0 && bytes_equal(x, y);
}

/* Is it what bounds.h says: CAs, each issued by the next, the last by itself? Else the earliest end and the narrowest
 * purposes would be somebody else's. */
static enum result check_chain(const struct bounds *b)
{
    if (b->count == 0 || b->count > LIMIT_CHAIN + 1)
        return refuse(b, "chain", arena_printf(b->a, "%u", b->count), "the issuing CA and its parents");
    for (uint32_t i = 0; i < b->count; i++) {
        const struct certificate *c = &b->chain[i], *parent = &b->chain[i + 1 < b->count ? i + 1 : i];
        if (!c->ca)
            return refuse(b, "chain", name_text(&c->subject_name, b->a), "CA certificates");
        if (!bytes_equal(c->issuer, parent->subject) || (c->aki.n > 0 && parent->ski.n > 0 && !bytes_equal(c->aki, parent->ski)))
            return refuse(b, "chain", name_text(&parent->subject_name, b->a), name_text(&c->issuer_name, b->a));
    }
    return R_OK;
}

static enum result check_issuer(const struct bounds *b)
{
    const struct certificate *ca = &b->chain[0];
    if (!bytes_equal(b->made->issuer, ca->subject))
        return refuse(b, "issuer", name_text(&b->made->issuer_name, b->a), name_text(&ca->subject_name, b->a));
    if (!key_ids_equal(b->made->aki, ca->ski))
        return refuse(b, "authority_key_identifier", hex_text(b, b->made->aki), hex_text(b, ca->ski));
    return R_OK;
}

static enum result check_dates(const struct bounds *b)
{
    int64_t end = bounds_not_after(b->chain, b->count);
    if (b->made->not_before < b->chain[0].not_before)
        return refuse(b, "not_before", time_text(b, b->made->not_before), time_text(b, b->chain[0].not_before));
    if (b->made->not_after > end)
        return refuse(b, "not_after", time_text(b, b->made->not_after), time_text(b, end));
    if (b->made->not_after <= b->made->not_before)
        return refuse(b, "not_after", time_text(b, b->made->not_after), "a time after notBefore");
    return R_OK;
}

static enum result check_extensions(const struct bounds *b)
{
    if (b->made->unknown_critical)
        return refuse(b, "critical_extension", b->made->unknown_critical, "none that is unknown here");
    if (b->made->has_name_constraints)
        return refuse(b, "name_constraints", "present", "none");
    return R_OK;
}

static enum result check_names(const struct bounds *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        const struct certificate *ca = &b->chain[i];
        if (ca->has_name_constraints && certificate_check_names(b->made->der, ca->der) != R_OK)
            return refuse(b, "names", name_text(&b->made->subject_name, b->a),
                          arena_printf(b->a, "names that \"%s\" permits", name_text(&ca->subject_name, b->a)));
    }
    return R_OK;
}

static enum result check_subject(const struct bounds *b)
{
    const struct certificate *c = b->made;
    if (c->subject_name.count == 0 && !(c->has_sans && c->sans.count > 0 && c->sans_critical))
        return refuse(b, "subject", "empty", "a subject, or critical subject alternative names");
    return R_OK;
}

static enum result check_signature(const struct bounds *b)
{
    static const bool allowed[] = {[HASH_SHA256] = true, [HASH_SHA384] = true, [HASH_SHA512] = true, [HASH_OTHER] = false};
    uint32_t hash = b->made->hash;
    if (hash >= sizeof allowed / sizeof allowed[0] || !allowed[hash])
        return refuse(b, "signature_hash", hash_name(hash), "SHA-256, SHA-384 or SHA-512");
    return R_OK;
}

static enum result check_key(const struct bounds *b)
{
    const struct public_key *k = &b->made->key, *ca = &b->chain[0].key;
    uint32_t most = ca->kind == KEY_RSA && ca->size < LIMIT_RSA_BITS_MAX ? ca->size : LIMIT_RSA_BITS_MAX;
    if (k->kind != KEY_RSA)
        return refuse(b, "key", k->kind == KEY_EC ? "EC" : "another algorithm", "RSA");
    if (k->size < LIMIT_RSA_BITS_MIN || k->size > most)
        return refuse(b, "key", arena_printf(b->a, "%u bits", k->size),
                      arena_printf(b->a, "%d to %u bits", LIMIT_RSA_BITS_MIN, most));
    if (!k->exponent_ok)
        return refuse(b, "key", "another public exponent", "an odd public exponent of at least 65537");
    return R_OK;
}

static enum result check_leaf_form(const struct bounds *b)
{
    const uint32_t cas_alone = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
    const struct certificate *c = b->made;
    if (c->ca || !c->has_basic_constraints)
        return refuse(b, "basic_constraints", c->ca ? "CA:TRUE" : "none", "CA:FALSE");
    if (!c->has_key_usage || c->key_usage == 0 || (c->key_usage & cas_alone))
        return refuse(b, "key_usage", c->has_key_usage ? key_usage_text(c->key_usage, b->a) : "none",
                      "key usages without keyCertSign and cRLSign");
    return R_OK;
}

static bool purpose_unlimited(const struct certificate *ca)
{
    return !ca->has_ekus || purposes_contain(&ca->ekus, EKU_ANY);
}

/* Each EKU, present or not as the kind asks, is within the chain's; Any Purpose is nowhere. */
static enum result check_purposes(const struct bounds *b)
{
    const struct certificate *c = b->made;
    if (c->has_ekus && purposes_contain(&c->ekus, EKU_ANY))
        return refuse(b, "eku", EKU_ANY, "named purposes");
    const char *lacking = c->has_ekus ? bounds_purpose_lacking(&c->ekus, b->chain, b->count) : NULL;
    return lacking ? refuse(b, "eku", lacking, "a purpose that the CA and its chain have") : R_OK;
}

static enum result check_leaf_purposes(const struct bounds *b)
{
    bool ra = b->kind == CERTIFICATE_RA_SIGN || b->kind == CERTIFICATE_RA_ENCRYPT;
    if (!ra && (!b->made->has_ekus || b->made->ekus.count == 0))
        return refuse(b, "eku", "none", "at least one key purpose");
    return check_purposes(b);
}

/* An absent extension would be all purposes: more than a limited chain has. */
static enum result check_ca_purposes(const struct bounds *b)
{
    bool limited = false;
    for (uint32_t i = 0; i < b->count; i++)
        limited = limited || !purpose_unlimited(&b->chain[i]);
    if (limited && !b->made->has_ekus)
        return refuse(b, "eku", "none", "purposes within the chain's");
    return check_purposes(b);
}

static enum result check_ca_form(const struct bounds *b)
{
    const uint32_t needed = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
    const struct certificate *c = b->made;
    if (!c->ca)
        return refuse(b, "basic_constraints", "CA:FALSE", "CA:TRUE");
    if (!c->has_key_usage || (c->key_usage & needed) != needed)
        return refuse(b, "key_usage", c->has_key_usage ? key_usage_text(c->key_usage, b->a) : "none",
                      "keyCertSign and cRLSign");
    if (c->ski.n == 0)
        return refuse(b, "subject_key_identifier", "none", "the key's identifier");
    return R_OK;
}

/* chain[i] has i CAs and the new one between itself and a leaf. */
static enum result check_path_length(const struct bounds *b)
{
    int left = -1;
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->chain[i].path_length < 0)
            continue;
        int here = b->chain[i].path_length - (int)i - 1;
        if (here < 0)
            return refuse(b, "path_length", name_text(&b->chain[i].subject_name, b->a), "a CA that permits another below");
        left = left < 0 || here < left ? here : left;
    }
    if (left >= 0 && (b->made->path_length < 0 || b->made->path_length > left))
        return refuse(b, "path_length", arena_printf(b->a, "%d", b->made->path_length), arena_printf(b->a, "0 to %d", left));
    return R_OK;
}

typedef enum result bounds_rule(const struct bounds *b);

static enum result apply(const struct bounds *b, bounds_rule *const *rules)
{
    enum result r = R_OK;
    for (; r == R_OK && *rules; rules++)
        r = (*rules)(b);
    return r;
}

enum result bounds_check_leaf(const struct certificate *leaf, uint32_t kind, const struct certificate *chain,
                              uint32_t count, struct arena *a, struct verdict *v)
{
    static bounds_rule *const rules[] = {
        check_chain, check_issuer, check_leaf_form, check_dates, check_leaf_purposes, check_extensions, check_key,
        check_signature, check_subject, check_names, NULL,
    };
    struct bounds b = {leaf, kind, chain, count, a, v};
    if (kind == CERTIFICATE_CA || kind == CERTIFICATE_CROSS || !certificate_kind_name(kind))
        return refuse(&b, "kind", certificate_kind_name(kind), "a kind of leaf");
    return apply(&b, rules);
}

enum result bounds_check_ca(const struct certificate *ca, const struct certificate *chain, uint32_t count,
                            struct arena *a, struct verdict *v)
{
    static bounds_rule *const rules[] = {
        check_chain, check_issuer, check_ca_form, check_path_length, check_dates, check_ca_purposes, check_extensions,
        check_key, check_signature, check_subject, check_names, NULL,
    };
    struct bounds b = {ca, CERTIFICATE_CA, chain, count, a, v};
    return apply(&b, rules);
}

int64_t bounds_not_after(const struct certificate *chain, uint32_t count)
{
    int64_t end = count > 0 ? chain[0].not_after : 0;
    for (uint32_t i = 1; i < count; i++)
        if (chain[i].not_after < end)
            end = chain[i].not_after;
    return end;
}

const char *bounds_purpose_lacking(const struct oids *ekus, const struct certificate *chain, uint32_t count)
{
    const char *lacking = NULL;
    for (uint32_t i = 0; !lacking && i < count; i++)
        if (!purpose_unlimited(&chain[i]))
            lacking = purposes_lacking(ekus, &chain[i].ekus);
    return lacking;
}
