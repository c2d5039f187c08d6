#include "lib/codec/x509.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/evp.h"
#include "lib/codec/extension.h"
#include "lib/codec/signature.h"

/* ---- the form, by OpenSSL ---- */

/*
 * Certificate as OpenSSL's own template has it, but with the public key left as it stands: OpenSSL 3.0 makes an EVP_PKEY of
 * it while it decodes, for ten times the cost of all the rest.
 */
struct form_tbs {
    ASN1_INTEGER *version, *serial;
    X509_ALGOR *algorithm;
    X509_NAME *issuer;
    X509_VAL *validity;
    X509_NAME *subject;
    ASN1_TYPE *key;
    ASN1_BIT_STRING *issuer_id, *subject_id;
    STACK_OF(X509_EXTENSION) *extensions;
};
struct form {
    struct form_tbs *tbs;
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *signature;
};

typedef struct form_tbs FORM_TBS;
typedef struct form FORM;

ASN1_SEQUENCE(FORM_TBS) = {
    ASN1_EXP_OPT(FORM_TBS, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(FORM_TBS, serial, ASN1_INTEGER),
    ASN1_SIMPLE(FORM_TBS, algorithm, X509_ALGOR),
    ASN1_SIMPLE(FORM_TBS, issuer, X509_NAME),
    ASN1_SIMPLE(FORM_TBS, validity, X509_VAL),
    ASN1_SIMPLE(FORM_TBS, subject, X509_NAME),
    ASN1_SIMPLE(FORM_TBS, key, ASN1_ANY),
    ASN1_IMP_OPT(FORM_TBS, issuer_id, ASN1_BIT_STRING, 1),
    ASN1_IMP_OPT(FORM_TBS, subject_id, ASN1_BIT_STRING, 2),
    ASN1_EXP_SEQUENCE_OF_OPT(FORM_TBS, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(FORM_TBS)

ASN1_SEQUENCE(FORM) = {
    ASN1_SIMPLE(FORM, tbs, FORM_TBS),
    ASN1_SIMPLE(FORM, algorithm, X509_ALGOR),
    ASN1_SIMPLE(FORM, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(FORM)

static enum result form_check(struct bytes der)
{
    const unsigned char *p = der.p;
    ASN1_VALUE *form = ASN1_item_d2i(NULL, &p, (long)der.n, ASN1_ITEM_rptr(FORM));
    bool good = form && p == der.p + der.n;
    ASN1_item_free(form, ASN1_ITEM_rptr(FORM));
    ERR_clear_error();
    return good ? R_OK : R_BAD_INPUT;
}

/* ---- the values ---- */

static enum result read_basic_constraints(struct bytes value, struct arena *a, struct certificate *c)
{
    (void)a;
    c->has_basic_constraints = true;
    return extension_basic_constraints(value, &c->ca, &c->path_length);
}

static enum result read_key_usage(struct bytes value, struct arena *a, struct certificate *c)
{
    (void)a;
    c->has_key_usage = true;
    return extension_key_usage(value, &c->key_usage);
}

static enum result read_ekus(struct bytes value, struct arena *a, struct certificate *c)
{
    c->has_ekus = true;
    return extension_ekus(value, a, &c->ekus);
}

static enum result read_sans(struct bytes value, struct arena *a, struct certificate *c)
{
    c->has_sans = true;
    return sans_decode(value, a, &c->sans);
}

static enum result read_ski(struct bytes value, struct arena *a, struct certificate *c)
{
    (void)a;
    return extension_ski(value, &c->ski);
}

static enum result read_aki(struct bytes value, struct arena *a, struct certificate *c)
{
    (void)a;
    return extension_aki(value, &c->aki);
}

static enum result read_crl_points(struct bytes value, struct arena *a, struct certificate *c)
{
    return extension_crl_url(value, a, &c->crl_url);
}

static enum result read_aia(struct bytes value, struct arena *a, struct certificate *c)
{
    return extension_aia(value, a, &c->aia_url, &c->aia_ldap, &c->ocsp_url);
}

/* What constraints mean is left to certificate_check_names; that they are there must be known. */
static enum result read_name_constraints(struct bytes value, struct arena *a, struct certificate *c)
{
    (void)a;
    c->has_name_constraints = true;
    c->name_constraints = value;
    return R_OK;
}

static enum result read_policy_constraints(struct bytes value, struct arena *a, struct certificate *c)
{
    (void)a;
    return extension_policy_constraints(value, &c->require_explicit_policy);
}

static enum result read_policy_mappings(struct bytes value, struct arena *a, struct certificate *c)
{
    (void)a;
    return extension_policy_mappings(value, &c->maps_any_policy);
}

/* Policies and inhibitAnyPolicy say something only where a policy is required, which policyConstraints alone do (RFC 5280
 * section 6.1). */
static enum result read_nothing(struct bytes value, struct arena *a, struct certificate *c)
{
    struct der item;
    (void)a;
    (void)c;
    return der_next(&value, &item) == R_OK && value.n == 0 ? R_OK : R_BAD_INPUT;
}

static const struct reader {
    struct bytes oid;
    enum result (*read)(struct bytes value, struct arena *a, struct certificate *c);
} readers[] = {
    {EXT_BASIC_CONSTRAINTS, read_basic_constraints},
    {EXT_KEY_USAGE, read_key_usage},
    {EXT_EKU, read_ekus},
    {EXT_SAN, read_sans},
    {EXT_SKI, read_ski},
    {EXT_AKI, read_aki},
    {EXT_CRL_POINTS, read_crl_points},
    {EXT_AIA, read_aia},
    {EXT_NAME_CONSTRAINTS, read_name_constraints},
    {EXT_POLICIES, read_nothing},
    {EXT_POLICY_MAPPINGS, read_policy_mappings},
    {EXT_POLICY_CONSTRAINTS, read_policy_constraints},
    {EXT_INHIBIT_ANY_POLICY, read_nothing},
};

static const struct reader *reader_find(struct bytes oid)
{
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (bytes_equal(readers[i].oid, oid))
            return &readers[i];
    return NULL;
}

static enum result extensions_read(struct bytes der, struct arena *a, struct certificate *c)
{
    struct extensions list = {.count = 0};
    enum result r = extensions_add(der, &list);
    for (uint32_t i = 0; r == R_OK && i < list.count; i++) {
        const struct extension *e = &list.items[i];
        const struct reader *known = reader_find(e->oid);
        if (known)
            r = known->read(e->value, a, c);
        else if (e->critical && !c->unknown_critical)
            r = der_oid_text(e->oid, a, &c->unknown_critical);
    }
    const struct extension *sans = extension_find(&list, EXT_SAN);
    c->sans_critical = sans && sans->critical;
    return r;
}

static enum result validity_read(struct bytes validity, struct certificate *c)
{
    struct der before, after;
    if (der_next(&validity, &before) != R_OK || der_next(&validity, &after) != R_OK || validity.n > 0)
        return R_BAD_INPUT;
    enum result r = der_get_time(&before, &c->not_before);
    return r == R_OK ? der_get_time(&after, &c->not_after) : r;
}

/* version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo; the rest of the TBSCertificate in *rest */
static enum result fields_read(struct bytes in, struct arena *a, struct certificate *c, struct bytes *rest,
                               struct bytes *algorithm)
{
    struct der item;
    (void)der_expect(&in, DER_CONTEXT_CONSTRUCTED(0), &item);   /* absent in version 1 */
    if (der_expect(&in, DER_INTEGER, &item) != R_OK || item.value.n < 1)
        return R_BAD_INPUT;
    /* Strangers' serials may be negative: the octets are kept as they are, without a sign octet. */
    c->serial = item.value.n > 1 && item.value.p[0] == 0 ? BYTES(item.value.p + 1, item.value.n - 1) : item.value;
    if (der_expect(&in, DER_SEQUENCE, &item) != R_OK)
        return R_BAD_INPUT;
    *algorithm = item.whole;
    if (der_expect(&in, DER_SEQUENCE, &item) != R_OK)
        return R_BAD_INPUT;
    c->issuer = item.whole;
    if (der_expect(&in, DER_SEQUENCE, &item) != R_OK || validity_read(item.value, c) != R_OK)
        return R_BAD_INPUT;
    if (der_expect(&in, DER_SEQUENCE, &item) != R_OK)
        return R_BAD_INPUT;
    c->subject = item.whole;
    if (der_expect(&in, DER_SEQUENCE, &item) != R_OK)
        return R_BAD_INPUT;
    enum result r = public_key_decode(item.whole, &c->key);
    if (r == R_OK)
        r = name_decode(c->issuer, a, &c->issuer_name);
    if (r == R_OK)
        r = name_decode(c->subject, a, &c->subject_name);
    *rest = in;
    return r;
}

static enum result values_read(const struct signed_parts *parts, struct arena *a, struct certificate *c)
{
    struct der tbs, item;
    struct bytes in = parts->tbs, rest, algorithm;
    uint32_t kind;
    if (der_expect(&in, DER_SEQUENCE, &tbs) != R_OK)
        return R_BAD_INPUT;
    enum result r = fields_read(tbs.value, a, c, &rest, &algorithm);
    if (r != R_OK)
        return r;
    /* RFC 5280 section 4.1.1.2: both AlgorithmIdentifiers are the same. */
    if (!bytes_equal(algorithm, parts->algorithm))
        return R_BAD_INPUT;
    r = signature_algorithm(algorithm, &kind, &c->hash);
    (void)der_expect(&rest, DER_CONTEXT(1), &item);             /* unique identifiers: no longer used, passed over */
    (void)der_expect(&rest, DER_CONTEXT(2), &item);
    if (r == R_OK && rest.n > 0) {
        if (der_expect(&rest, DER_CONTEXT_CONSTRUCTED(3), &item) != R_OK || rest.n > 0)
            return R_BAD_INPUT;
        r = extensions_read(item.value, a, c);
    }
    return r;
}

enum result certificate_decode(struct bytes der, struct arena *a, struct certificate *out)
{
    struct signed_parts parts;
    struct certificate c = {.path_length = -1, .require_explicit_policy = -1};
    if (der.n > LIMIT_CERTIFICATE)
        return R_TOO_LARGE;
    enum result r = form_check(der);
    if (r != R_OK)
        return r;
    c.der = arena_bytes(a, der);
    if (!c.der.p)
        return R_NO_MEMORY;
    r = signed_unwrap(c.der, &parts);
    if (r != R_OK)
        return r;
    c.tbs = parts.tbs;
    r = values_read(&parts, a, &c);
    if (r == R_OK)
        *out = c;
    return r;
}

static enum result verify(struct bytes der, struct bytes issuer_spki, enum hashes_taken taken)
{
    struct signed_parts parts;
    struct public_key key;
    struct der tbs, item;
    if (der.n > LIMIT_CERTIFICATE || signed_unwrap(der, &parts) != R_OK || public_key_decode(issuer_spki, &key) != R_OK)
        return R_SIGNATURE_FAILED;
    struct bytes in = parts.tbs;
    if (der_expect(&in, DER_SEQUENCE, &tbs) != R_OK)
        return R_SIGNATURE_FAILED;
    (void)der_expect(&tbs.value, DER_CONTEXT_CONSTRUCTED(0), &item);
    if (der_expect(&tbs.value, DER_INTEGER, &item) != R_OK || der_expect(&tbs.value, DER_SEQUENCE, &item) != R_OK)
        return R_SIGNATURE_FAILED;
    if (!bytes_equal(item.whole, parts.algorithm))
        return R_SIGNATURE_FAILED;
    return signed_verify(&parts, &key, taken);
}

enum result certificate_verify(struct bytes der, struct bytes issuer_spki) { return verify(der, issuer_spki, HASHES_SHA2); }

enum result certificate_verify_self(const struct certificate *c)
{
    return c->hash == HASH_MD5 ? R_SIGNATURE_FAILED : verify(c->der, c->key.spki, HASHES_ANY);
}

/* ---- name constraints ---- */

/* NameConstraints ::= SEQUENCE { [0] permittedSubtrees OPTIONAL, … }, each GeneralSubtree ::= SEQUENCE { base GeneralName, … } */
enum result certificate_permitted_name(const struct certificate *c, struct bytes *out)
{
    struct der sequence, permitted, subtree, base;
    struct bytes in = c->name_constraints;
    if (!c->has_name_constraints || der_expect(&in, DER_SEQUENCE, &sequence) != R_OK
        || der_expect(&sequence.value, DER_CONTEXT_CONSTRUCTED(0), &permitted) != R_OK)
        return R_NOT_FOUND;
    while (permitted.value.n > 0) {
        if (der_expect(&permitted.value, DER_SEQUENCE, &subtree) != R_OK || der_next(&subtree.value, &base) != R_OK)
            return R_NOT_FOUND;
        if (base.tag == DER_CONTEXT_CONSTRUCTED(4)) {        /* directoryName */
            *out = base.value;
            return R_OK;
        }
    }
    return R_NOT_FOUND;
}

static X509 *x509_open(struct bytes der)
{
    const unsigned char *p = der.p;
    X509 *x = der.n <= LIMIT_CERTIFICATE ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    if (x && p != der.p + der.n) {
        X509_free(x);
        x = NULL;
    }
    return x;
}

static bool has_dns_name(X509 *x)
{
    bool found = false;
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        if (sk_GENERAL_NAME_value(names, i)->type == GEN_DNS)
            found = true;
    GENERAL_NAMES_free(names);
    return found;
}

static enum result names_check(struct bytes leaf_der, struct bytes ca_der, bool cn_is_host)
{
    enum result r = R_BAD_INPUT;
    NAME_CONSTRAINTS *constraints = NULL;
    int critical = -1;
    X509 *leaf = NULL, *ca = x509_open(ca_der);
    if (!ca)
        goto out;
    constraints = X509_get_ext_d2i(ca, NID_name_constraints, &critical, NULL);
    if (!constraints) {
        r = critical == -1 ? R_OK : R_BAD_INPUT;        /* -1: absent; else doubled or not readable */
        goto out;
    }
    leaf = x509_open(leaf_der);
    /* NAME_CONSTRAINTS_check sees only the alternative names that X509_check_purpose has cached in the X509. */
    if (!leaf || X509_check_purpose(leaf, -1, 0) != 1)
        goto out;
    int verdict = NAME_CONSTRAINTS_check(leaf, constraints);
    /* Verifiers hold a common name that looks like a host's against DNS constraints where there is no DNS name. */
    if (verdict == X509_V_OK && cn_is_host && !has_dns_name(leaf))
        verdict = NAME_CONSTRAINTS_check_CN(leaf, constraints);
    r = verdict == X509_V_OK ? R_OK : verdict == X509_V_ERR_OUT_OF_MEM ? R_NO_MEMORY : R_OUT_OF_BOUNDS;
out:
    NAME_CONSTRAINTS_free(constraints);
    X509_free(leaf);
    X509_free(ca);
    ERR_clear_error();
    return r;
}

enum result certificate_check_names(struct bytes leaf_der, struct bytes ca_der) { return names_check(leaf_der, ca_der, true); }
enum result certificate_check_ca_names(struct bytes below_der, struct bytes ca_der)
{
    return names_check(below_der, ca_der, false);
}
