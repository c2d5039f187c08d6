#include "lib/policy/byoca.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/policy/bounds.h"
#include "lib/policy/byoca_path.h"
#include "lib/policy/purposes.h"

#define KEY_ID_MOST 64               /* octets of a subject key identifier, which every leaf carries */

struct judging {
    const struct byoca_request *q;
    const struct byoca_chain *chain;
    struct arena *a;
    struct verdict *v;
};

/* found: what, in which certificate. */
static enum result refuse(const struct judging *j, const char *rule, const char *what, const struct certificate *c,
                          const char *wanted)
{
    return verdict_refuse(j->v, j->a, R_BAD_INPUT, rule,
                          arena_printf(j->a, "%s in the certificate of \"%s\"", what, name_text(&c->subject_name, j->a)), wanted);
}

/* ---- the certificate that was made of the request ---- */

static enum result check_public_key(const struct judging *j)
{
    const struct certificate *c = j->chain->items[0];
    return bytes_equal(c->key.spki, j->q->spki) ? R_OK : refuse(j, "public_key", "another key", c, "the key of the CA's request");
}

static enum result check_usage(const struct judging *j)
{
    const uint32_t needed = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
    const struct certificate *c = j->chain->items[0];
    if (!c->has_key_usage || (c->key_usage & needed) != needed)
        return refuse(j, "key_usage", c->has_key_usage ? key_usage_text(c->key_usage, j->a) : "none", c,
                      "keyCertSign and cRLSign");
    return R_OK;
}

/* 2.E11 */
static enum result check_subject(const struct judging *j)
{
    static const char *allowed[] = {OID_CN, OID_O, OID_OU, OID_L, OID_ST, OID_C, OID_TITLE, OID_SERIAL_NUMBER, OID_EMAIL, OID_DC,
        OID_STREET, OID_GIVEN_NAME, OID_INITIALS, OID_POSTAL_CODE, OID_DN_QUALIFIER};
    static const struct oids set = {allowed, sizeof allowed / sizeof allowed[0]};
    const struct certificate *c = j->chain->items[0];
    if (c->subject_name.count == 0)
        return refuse(j, "subject", "no attribute", c, "a subject");
    for (uint32_t i = 0; i < c->subject_name.count; i++) {
        const char *oid = c->subject_name.items[i].oid, *label = name_label(oid);
        if (!purposes_contain(&set, oid))
            return refuse(j, "subject", arena_printf(j->a, "attribute %s%s%s", label ? label : "", label ? " " : "", oid), c,
                          "CN, O, OU, L, ST, C, T, SERIALNUMBER, E, DC, STREET, G, I, POSTALCODE and DNQ alone");
    }
    return R_OK;
}

/* Leaves carry the first as their AKI; the second is what relying parties and our records know the certificate by. */
static enum result check_identifiers(const struct judging *j)
{
    const struct certificate *c = j->chain->items[0];
    if (c->ski.n == 0 || c->ski.n > KEY_ID_MOST)
        return refuse(j, "subject_key_identifier", c->ski.n == 0 ? "none" : arena_printf(j->a, "%zu octets", c->ski.n), c,
                      "1 to 64 octets");
    if (c->serial.n > LIMIT_SERIAL)
        return refuse(j, "serial", arena_printf(j->a, "%zu octets", c->serial.n), c, "at most 20 octets");
    return R_OK;
}

static const char *purpose_text(const struct judging *j, const char *oid)
{
    const char *name = purpose_name(oid);
    return name != NULL ? arena_printf(j->a, "%s (%s)", name, oid) : oid;
}

static enum result check_purposes(const struct judging *j)
{
    const struct certificate *made = j->chain->items[0];
    if (made->has_ekus && purposes_contain(&made->ekus, EKU_ANY))
        return refuse(j, "eku", "Any Purpose (2.5.29.37.0)", made, "named purposes");
    for (uint32_t i = 0; i < j->chain->count; i++) {
        const char *lacking = bounds_purpose_lacking(&j->q->ekus, j->chain->items[i], 1);
        if (lacking != NULL)
            return refuse(j, "eku", arena_printf(j->a, "no %s", purpose_text(j, lacking)), j->chain->items[i],
                          "every purpose that was asked for, or no EKU extension");
    }
    return R_OK;
}

/* ---- each certificate of the chain ---- */

static enum result check_ca(const struct judging *j, const struct certificate *c)
{
    if (!c->ca)
        return refuse(j, "basic_constraints", c->has_basic_constraints ? "CA:FALSE" : "none", c, "CA:TRUE");
    /* Where it is absent it restricts nothing (RFC 5280 section 6.1.4 n): roots are often made so. */
    if (c->has_key_usage && !(c->key_usage & KU_KEY_CERT_SIGN))
        return refuse(j, "key_usage", key_usage_text(c->key_usage, j->a), c, "keyCertSign");
    return R_OK;
}

static const char *time_text(const struct judging *j, int64_t t)
{
    char text[CLOCK_ISO_SIZE];
    clock_to_iso(t, text);
    return arena_text(j->a, text, strlen(text));
}

static enum result check_validity(const struct judging *j, const struct certificate *c)
{
    if (j->q->now < c->not_before)
        return refuse(j, "validity", arena_printf(j->a, "notBefore %s", time_text(j, c->not_before)), c, "one that is valid now");
    if (j->q->now > c->not_after)
        return refuse(j, "validity", arena_printf(j->a, "notAfter %s", time_text(j, c->not_after)), c, "one that is valid now");
    return R_OK;
}

static enum result check_key(const struct judging *j, const struct certificate *c)
{
    const char *fault = byoca_key_fault(&c->key, j->a);
    return fault != NULL ? refuse(j, "key", fault, c, BYOCA_KEY_WANTED) : R_OK;
}

static enum result check_critical(const struct judging *j, const struct certificate *c)
{
    const char *oid = c->unknown_critical;
    return oid == NULL ? R_OK : refuse(j, "critical_extension", oid, c, "none that is unknown here");
}

/* ---- the chain as a whole ---- */

static bool is_self_issued(const struct certificate *c) { return bytes_equal(c->issuer, c->subject); }

/* RFC 5280 section 4.2.1.9: the CAs below that are not self-issued; the leaf does not count. */
static enum result check_path_length(const struct judging *j)
{
    int below = 0;
    for (uint32_t i = 1; i < j->chain->count; i++) {
        const struct certificate *c = j->chain->items[i];
        below += is_self_issued(j->chain->items[i - 1]) ? 0 : 1;
        if (c->path_length >= 0 && c->path_length < below)
            return refuse(j, "path_length", arena_printf(j->a, "%d", c->path_length), c,
                          arena_printf(j->a, "at least %d, the CAs below it", below));
    }
    return R_OK;
}

/* RFC 5280 section 6.1.3 b, c: self-issued certificates above the leaf are exempt. */
static enum result check_names(const struct judging *j)
{
    for (uint32_t i = 1; i < j->chain->count; i++) {
        const struct certificate *ca = j->chain->items[i];
        for (uint32_t k = 0; ca->has_name_constraints && k < i; k++) {
            const struct certificate *below = j->chain->items[k];
            if (is_self_issued(below) || certificate_check_ca_names(below->der, ca->der) == R_OK)
                continue;
            return refuse(j, "name_constraints", "names that are not permitted", below,
                          arena_printf(j->a, "names that \"%s\" permits", name_text(&ca->subject_name, j->a)));
        }
    }
    return R_OK;
}

/* RFC 5280 section 6.1 for a leaf without policies below this chain: explicit_policy (6.1.2 d) falls by one with each certificate
 * that is not self-issued (6.1.4 h) and is set by requireExplicitPolicy (6.1.4 i); at zero there has to be a policy (6.1.5 g). */
static enum result check_policies(const struct judging *j)
{
    uint32_t n = j->chain->count;
    const struct certificate *asks = NULL;
    int left = (int)n + 2;
    for (uint32_t i = n; i-- > 0;) {
        const struct certificate *c = j->chain->items[i];
        if (c->maps_any_policy)
            return refuse(j, "policies", "a mapping of anyPolicy", c, "mappings of named policies");
        if (left > 0 && !is_self_issued(c))
            left--;
        if (c->require_explicit_policy >= 0 && c->require_explicit_policy < left) {
            left = c->require_explicit_policy;
            asks = c;
        }
    }
    /* The leaf itself is one more (6.1.5 a). */
    if (asks != NULL && left <= 1)
        return refuse(j, "policies", "requireExplicitPolicy", asks,
                      "no such requirement: certificates issued here carry no policies");
    return R_OK;
}

typedef enum result rule(const struct judging *j);
typedef enum result certificate_rule(const struct judging *j, const struct certificate *c);

static enum result judge(const struct judging *j)
{
    static rule *const of_made[] = {check_public_key, check_usage, check_subject, check_identifiers};
    static certificate_rule *const of_each[] = {check_ca, check_validity, check_key, check_critical};
    static rule *const of_chain[] = {check_purposes, check_path_length, check_names, check_policies};
    enum result r = R_OK;
    for (size_t i = 0; r == R_OK && i < sizeof of_made / sizeof of_made[0]; i++)
        r = of_made[i](j);
    for (uint32_t k = 0; k < j->chain->count; k++)
        for (size_t i = 0; r == R_OK && i < sizeof of_each / sizeof of_each[0]; i++)
            r = of_each[i](j, j->chain->items[k]);
    for (size_t i = 0; r == R_OK && j->chain->count > 1 && i < sizeof of_chain / sizeof of_chain[0]; i++)
        r = of_chain[i](j);
    return r;
}

/* One way up, judged; the first refusal is the one that is told. */
static bool take_path(void *context, const struct byoca_chain *path)
{
    struct judging *j = context;
    struct verdict v = {0};
    struct judging here = {j->q, path, j->a, &v};
    enum result r = judge(&here);
    if (r != R_OK && j->v->result == R_OK)
        *j->v = v;
    return r == R_OK;
}

enum result byoca_check(const struct byoca_request *q, const struct certificate *made, const struct certificate *bag,
                        uint32_t count, struct arena *a, struct byoca_chain *out, struct verdict *v)
{
    struct verdict refused = {0};
    struct byoca_chain alone = {{made}, 1};
    struct judging j = {q, &alone, a, &refused};
    /* What is wrong with the certificate itself is said before what is missing above it. */
    enum result r = judge(&j);
    if (r == R_OK)
        r = byoca_path_find(made, bag, count, take_path, &j, a, out, &refused);
    if (r != R_OK && v != NULL)
        *v = refused;
    return r;
}
