#include "lib/codec/extension.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "lib/base/text.h"
#include "lib/codec/der.h"

const struct extension *extension_find(const struct extensions *e, struct bytes oid)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (bytes_equal(e->items[i].oid, oid))
            return &e->items[i];
    return NULL;
}

/* Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }; a written FALSE is tolerated */
static enum result extension_take(struct bytes *in, struct extension *out)
{
    struct der sequence, oid, critical, value;
    if (der_expect(in, DER_SEQUENCE, &sequence) != R_OK)
        return R_BAD_INPUT;
    struct bytes rest = sequence.value;
    if (der_expect(&rest, DER_OID, &oid) != R_OK)
        return R_BAD_INPUT;
    out->critical = false;
    if (der_expect(&rest, DER_BOOLEAN, &critical) == R_OK && der_get_boolean(critical.value, &out->critical) != R_OK)
        return R_BAD_INPUT;
    if (der_expect(&rest, DER_OCTET_STRING, &value) != R_OK || rest.n > 0)
        return R_BAD_INPUT;
    out->oid = oid.value;
    out->value = value.value;
    return R_OK;
}

enum result extensions_add(struct bytes der, struct extensions *out)
{
    struct der list;
    if (der_expect(&der, DER_SEQUENCE, &list) != R_OK || der.n > 0)
        return R_BAD_INPUT;
    while (list.value.n > 0) {
        struct extension e;
        if (out->count == LIMIT_EXTENSIONS)
            return R_TOO_LARGE;
        if (extension_take(&list.value, &e) != R_OK || extension_find(out, e.oid))
            return R_BAD_INPUT;
        out->items[out->count++] = e;
    }
    return R_OK;
}

enum result extension_basic_constraints(struct bytes value, bool *ca, int *path_length)
{
    struct der sequence, item;
    int64_t length;
    bool is_ca = false;
    if (der_expect(&value, DER_SEQUENCE, &sequence) != R_OK || value.n > 0)
        return R_BAD_INPUT;
    struct bytes in = sequence.value;
    if (der_expect(&in, DER_BOOLEAN, &item) == R_OK && der_get_boolean(item.value, &is_ca) != R_OK)
        return R_BAD_INPUT;
    *path_length = -1;
    if (in.n > 0) {
        if (der_expect(&in, DER_INTEGER, &item) != R_OK || der_get_integer(item.value, &length) != R_OK || in.n > 0)
            return R_BAD_INPUT;
        if (length < 0 || length > INT_MAX)
            return R_BAD_INPUT;
        *path_length = (int)length;
    }
    *ca = is_ca;
    return R_OK;
}

enum result extension_key_usage(struct bytes value, uint32_t *out)
{
    struct der bits;
    if (der_expect(&value, DER_BIT_STRING, &bits) != R_OK || value.n > 0)
        return R_BAD_INPUT;
    return der_get_bits(bits.value, out);
}

enum result extension_ekus(struct bytes value, struct arena *a, struct oids *out)
{
    struct der list, oid;
    uint32_t count = 0;
    if (der_expect(&value, DER_SEQUENCE, &list) != R_OK || value.n > 0)
        return R_BAD_INPUT;
    for (struct bytes rest = list.value; rest.n > 0; count++) {
        if (count == LIMIT_EKUS)
            return R_TOO_LARGE;
        if (der_expect(&rest, DER_OID, &oid) != R_OK)
            return R_BAD_INPUT;
    }
    const char **items = arena_array(a, count, sizeof *items);
    if (!items)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        enum result r = der_expect(&list.value, DER_OID, &oid);
        if (r == R_OK)
            r = der_oid_text(oid.value, a, &items[i]);
        if (r != R_OK)
            return r;
    }
    *out = (struct oids){items, count};
    return R_OK;
}

enum result extension_ski(struct bytes value, struct bytes *out)
{
    struct der id;
    if (der_expect(&value, DER_OCTET_STRING, &id) != R_OK || value.n > 0)
        return R_BAD_INPUT;
    *out = id.value;
    return R_OK;
}

/* AuthorityKeyIdentifier ::= SEQUENCE { [0] keyIdentifier, [1] authorityCertIssuer, [2] authorityCertSerialNumber } */
enum result extension_aki(struct bytes value, struct bytes *out)
{
    struct der sequence, item;
    struct bytes id = BYTES_NONE;
    if (der_expect(&value, DER_SEQUENCE, &sequence) != R_OK || value.n > 0)
        return R_BAD_INPUT;
    while (sequence.value.n > 0) {
        if (der_next(&sequence.value, &item) != R_OK)
            return R_BAD_INPUT;
        if (item.tag == DER_CONTEXT(0))
            id = item.value;
    }
    *out = id;
    return R_OK;
}

static const char http[] = "http://", ldap_scheme[] = "ldap://";

static bool url_has_scheme(const struct der *name, const char *scheme)
{
    const size_t length = strlen(scheme);
    return name->tag == DER_CONTEXT(6) && name->value.n >= length
           && strncasecmp((const char *)name->value.p, scheme, length) == 0;
}

/* Takes a GeneralName's URI where it is of that scheme, with something behind it, and *out has none yet; others are passed over. */
static enum result url_take(const struct der *name, const char *scheme, struct arena *a, const char **out)
{
    struct bytes v = name->value;
    if (!url_has_scheme(name, scheme) || v.n == strlen(scheme) || *out)
        return R_OK;
    if (v.n > LIMIT_NAME_VALUE || !text_is_printable(v.p, v.n))
        return R_BAD_INPUT;
    *out = arena_text(a, v.p, v.n);
    return *out ? R_OK : R_NO_MEMORY;
}

/* The names of DistributionPointName.fullName: DistributionPoint ::= SEQUENCE { [0] { [0] GeneralNames }, … } */
static enum result point_take(struct bytes point, struct arena *a, const char **out)
{
    struct der choice, names, name;
    if (point.n == 0 || der_next(&point, &choice) != R_OK)
        return R_BAD_INPUT;
    if (choice.tag != DER_CONTEXT_CONSTRUCTED(0))
        return R_OK;
    if (der_next(&choice.value, &names) != R_OK)
        return R_BAD_INPUT;
    if (names.tag != DER_CONTEXT_CONSTRUCTED(0))
        return R_OK;
    while (names.value.n > 0) {
        enum result r = der_next(&names.value, &name);
        if (r == R_OK)
            r = url_take(&name, http, a, out);
        if (r != R_OK)
            return r;
    }
    return R_OK;
}

enum result extension_crl_url(struct bytes value, struct arena *a, const char **out)
{
    struct der list, point;
    const char *url = NULL;
    if (der_expect(&value, DER_SEQUENCE, &list) != R_OK || value.n > 0)
        return R_BAD_INPUT;
    while (list.value.n > 0) {
        enum result r = der_expect(&list.value, DER_SEQUENCE, &point);
        if (r == R_OK)
            r = point_take(point.value, a, &url);
        if (r != R_OK)
            return r;
    }
    *out = url;
    return R_OK;
}

/* AuthorityInfoAccessSyntax ::= SEQUENCE OF SEQUENCE { accessMethod OID, accessLocation GeneralName } */
enum result extension_aia(struct bytes value, struct arena *a, const char **ca_issuers, const char **ldap, const char **ocsp)
{
    struct der list, access, method, location;
    const char *issuers_url = NULL, *ldap_url = NULL, *ocsp_url = NULL;
    if (der_expect(&value, DER_SEQUENCE, &list) != R_OK || value.n > 0)
        return R_BAD_INPUT;
    while (list.value.n > 0) {
        if (der_expect(&list.value, DER_SEQUENCE, &access) != R_OK)
            return R_BAD_INPUT;
        struct bytes in = access.value;
        if (der_expect(&in, DER_OID, &method) != R_OK || der_next(&in, &location) != R_OK || in.n > 0)
            return R_BAD_INPUT;
        enum result r = R_OK;
        bool issuers = bytes_equal(method.value, BYTES("\x2b\x06\x01\x05\x05\x07\x30\x02", 8));
        if (issuers)
            r = url_take(&location, http, a, &issuers_url);
        else if (bytes_equal(method.value, BYTES("\x2b\x06\x01\x05\x05\x07\x30\x01", 8)))
            r = url_take(&location, http, a, &ocsp_url);
        if (r == R_OK && issuers)
            r = url_take(&location, ldap_scheme, a, &ldap_url);
        if (r != R_OK)
            return r;
    }
    *ca_issuers = issuers_url;
    *ldap = ldap_url;
    *ocsp = ocsp_url;
    return R_OK;
}

/* PolicyConstraints ::= SEQUENCE { [0] requireExplicitPolicy OPTIONAL, [1] inhibitPolicyMapping OPTIONAL } */
enum result extension_policy_constraints(struct bytes value, int *require_explicit)
{
    struct der sequence, item;
    int64_t skip;
    *require_explicit = -1;
    if (der_expect(&value, DER_SEQUENCE, &sequence) != R_OK || value.n > 0)
        return R_BAD_INPUT;
    while (sequence.value.n > 0) {
        if (der_next(&sequence.value, &item) != R_OK || der_get_integer(item.value, &skip) != R_OK || skip < 0)
            return R_BAD_INPUT;
        if (item.tag == DER_CONTEXT(0))
            *require_explicit = skip > INT_MAX ? INT_MAX : (int)skip;
    }
    return R_OK;
}

/* PolicyMappings ::= SEQUENCE OF SEQUENCE { issuerDomainPolicy, subjectDomainPolicy } */
enum result extension_policy_mappings(struct bytes value, bool *maps_any)
{
    static const struct bytes any_policy = BYTES("\x55\x1d\x20\x00", 4);
    struct der list, mapping, of[2];
    *maps_any = false;
    if (der_expect(&value, DER_SEQUENCE, &list) != R_OK || value.n > 0)
        return R_BAD_INPUT;
    while (list.value.n > 0) {
        if (der_expect(&list.value, DER_SEQUENCE, &mapping) != R_OK)
            return R_BAD_INPUT;
        struct bytes in = mapping.value;
        if (der_expect(&in, DER_OID, &of[0]) != R_OK || der_expect(&in, DER_OID, &of[1]) != R_OK || in.n > 0)
            return R_BAD_INPUT;
        *maps_any = *maps_any || bytes_equal(of[0].value, any_policy) || bytes_equal(of[1].value, any_policy);
    }
    return R_OK;
}
