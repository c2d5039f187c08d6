#include <limits.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/codec/der.h"
#include "lib/codec/extension.h"
#include "lib/codec/x509.h"

#define PEM_LINE 48                     /* bytes that make a line of 64 characters */
#define KEY_USAGE_BITS 9

/* ---- checks before anything is written ---- */

static bool is_sequence(struct bytes der)
{
    struct der sequence;
    return der_expect(&der, DER_SEQUENCE, &sequence) == R_OK && der.n == 0;
}

static bool name_is_empty(struct bytes name)
{
    return bytes_equal(name, BYTES("\x30\x00", 2));
}

/* Positive and within LIMIT_SERIAL octets, the sign octet among them (RFC 5280 section 4.1.2.2). */
static bool serial_is_good(struct bytes s)
{
    while (s.n > 0 && s.p[0] == 0) {
        s.p++;
        s.n--;
    }
    return s.n >= 1 && s.n + (s.p[0] >> 7) <= LIMIT_SERIAL;
}

static bool url_is_good(const char *url)
{
    if (!url)
        return true;
    size_t n = strlen(url);
    for (size_t i = 0; i < n; i++)
        if (url[i] <= 0x20 || url[i] > 0x7e)
            return false;
    return n >= 1 && n <= LIMIT_NAME_VALUE;
}

static enum result content_check(const struct certificate_content *c)
{
    if (!serial_is_good(c->serial) || hash_rsa_algorithm(c->hash).n == 0 || c->not_before > c->not_after)
        return R_BAD_INPUT;
    if (!is_sequence(c->issuer) || !is_sequence(c->subject) || !is_sequence(c->spki) || name_is_empty(c->issuer))
        return R_BAD_INPUT;
    if (name_is_empty(c->subject) && (c->ca || c->sans.count == 0))
        return R_BAD_INPUT;
    if ((c->key_usage >> KEY_USAGE_BITS) || (c->ca && c->digital_ca_false) || c->path_length < -1)
        return R_BAD_INPUT;
    if (!url_is_good(c->crl_url) || !url_is_good(c->aia_url) || !url_is_good(c->ocsp_url))
        return R_BAD_INPUT;
    if (c->ekus.count > LIMIT_EKUS)
        return R_TOO_LARGE;
    for (uint32_t i = 0; i < c->ekus.count; i++)
        if (!text_is_oid(c->ekus.items[i]))
            return R_BAD_INPUT;
    return R_OK;
}

/* ---- extensions ---- */

struct extension_mark { size_t extension, value; };

/* Opens Extension and its extnValue; extension_end closes both. */
static struct extension_mark extension_begin(struct buf *b, struct bytes oid, bool critical)
{
    struct extension_mark m;
    m.extension = der_open(b, DER_SEQUENCE);
    der_value(b, DER_OID, oid.p, oid.n);
    if (critical)
        der_boolean(b, true);
    m.value = der_open(b, DER_OCTET_STRING);
    return m;
}

static void extension_end(struct buf *b, struct extension_mark m)
{
    der_close(b, m.value);
    der_close(b, m.extension);
}

static void basic_constraints_put(struct buf *b, const struct certificate_content *c)
{
    if (!c->ca && !c->digital_ca_false)
        return;
    struct extension_mark m = extension_begin(b, EXT_BASIC_CONSTRAINTS, c->ca);
    size_t sequence = der_open(b, DER_SEQUENCE);
    if (c->ca)
        der_boolean(b, true);
    if (c->ca && c->path_length >= 0)
        der_integer(b, c->path_length);
    der_close(b, sequence);
    extension_end(b, m);
}

static void key_usage_put(struct buf *b, const struct certificate_content *c)
{
    if (!c->key_usage)
        return;
    struct extension_mark m = extension_begin(b, EXT_KEY_USAGE, true);
    der_bits(b, c->key_usage);
    extension_end(b, m);
}

static void ekus_put(struct buf *b, const struct certificate_content *c)
{
    if (c->ekus.count == 0)
        return;
    struct extension_mark m = extension_begin(b, EXT_EKU, false);
    size_t sequence = der_open(b, DER_SEQUENCE);
    for (uint32_t i = 0; i < c->ekus.count; i++)
        der_oid(b, c->ekus.items[i]);
    der_close(b, sequence);
    extension_end(b, m);
}

static enum result sans_put(struct buf *b, const struct certificate_content *c)
{
    if (c->sans.count == 0)
        return R_OK;
    struct extension_mark m = extension_begin(b, EXT_SAN, name_is_empty(c->subject));
    enum result r = sans_encode(&c->sans, b);
    extension_end(b, m);
    return r;
}

static void identifiers_put(struct buf *b, const struct certificate_content *c)
{
    if (c->ski.n > 0) {
        struct extension_mark m = extension_begin(b, EXT_SKI, false);
        der_value(b, DER_OCTET_STRING, c->ski.p, c->ski.n);
        extension_end(b, m);
    }
    if (c->aki.n > 0) {
        struct extension_mark m = extension_begin(b, EXT_AKI, false);
        size_t sequence = der_open(b, DER_SEQUENCE);
        der_value(b, DER_CONTEXT(0), c->aki.p, c->aki.n);
        der_close(b, sequence);
        extension_end(b, m);
    }
}

static void url_put(struct buf *b, const char *url)
{
    der_value(b, DER_CONTEXT(6), url, strlen(url));
}

/* SEQUENCE OF DistributionPoint { [0] distributionPoint { [0] fullName { [6] URI } } } */
static void crl_point_put(struct buf *b, const char *url)
{
    static const int tags[] = {DER_SEQUENCE, DER_SEQUENCE, DER_CONTEXT_CONSTRUCTED(0), DER_CONTEXT_CONSTRUCTED(0)};
    size_t marks[sizeof tags / sizeof tags[0]];
    if (!url)
        return;
    struct extension_mark m = extension_begin(b, EXT_CRL_POINTS, false);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        marks[i] = der_open(b, tags[i]);
    url_put(b, url);
    for (size_t i = sizeof tags / sizeof tags[0]; i > 0; i--)
        der_close(b, marks[i - 1]);
    extension_end(b, m);
}

static void access_put(struct buf *b, const char *method, const char *url)
{
    if (!url)
        return;
    size_t access = der_open(b, DER_SEQUENCE);
    der_oid(b, method);
    url_put(b, url);
    der_close(b, access);
}

static void aia_put(struct buf *b, const struct certificate_content *c)
{
    if (!c->aia_url && !c->ocsp_url)
        return;
    struct extension_mark m = extension_begin(b, EXT_AIA, false);
    size_t sequence = der_open(b, DER_SEQUENCE);
    access_put(b, "1.3.6.1.5.5.7.48.1", c->ocsp_url);
    access_put(b, "1.3.6.1.5.5.7.48.2", c->aia_url);
    der_close(b, sequence);
    extension_end(b, m);
}

enum result extensions_write(const struct certificate_content *c, struct buf *b)
{
    basic_constraints_put(b, c);
    key_usage_put(b, c);
    ekus_put(b, c);
    enum result r = sans_put(b, c);
    identifiers_put(b, c);
    crl_point_put(b, c->crl_url);
    aia_put(b, c);
    return r;
}

static enum result extensions_put(struct buf *b, const struct certificate_content *c)
{
    size_t outer = der_open(b, DER_CONTEXT_CONSTRUCTED(3));
    size_t list = der_open(b, DER_SEQUENCE);
    size_t before = b->n;
    enum result r = extensions_write(c, b);
    /* Extensions is a SEQUENCE SIZE (1..MAX): with none of them it is left out. */
    bool none = b->n == before;
    der_close(b, list);
    der_close(b, outer);
    if (none && !b->failed)
        b->n = before - 4;
    return r;
}

/* ---- the whole ---- */

enum result certificate_encode_tbs(const struct certificate_content *c, struct buf *out)
{
    enum result r = content_check(c);
    if (r != R_OK)
        return r;
    size_t start = out->n;
    size_t tbs = der_open(out, DER_SEQUENCE);
    size_t version = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    der_integer(out, 2);
    der_close(out, version);
    der_integer_bytes(out, c->serial);
    der_raw(out, hash_rsa_algorithm(c->hash));
    der_raw(out, c->issuer);
    size_t validity = der_open(out, DER_SEQUENCE);
    der_time(out, c->not_before);
    der_time(out, c->not_after);
    der_close(out, validity);
    der_raw(out, c->subject);
    der_raw(out, c->spki);
    r = extensions_put(out, c);
    der_close(out, tbs);
    if (r == R_OK)
        r = buf_result(out);
    if (r != R_OK)
        out->n = start;         /* nothing half written stays behind */
    return r;
}

void signed_wrap(struct bytes tbs, struct bytes algorithm, struct bytes signature, struct buf *out)
{
    der_header(out, DER_SEQUENCE, tbs.n + algorithm.n + der_size(1 + signature.n));
    der_raw(out, tbs);
    der_raw(out, algorithm);
    der_header(out, DER_BIT_STRING, 1 + signature.n);
    buf_byte(out, 0);
    der_raw(out, signature);
}

enum result pem_encode(const char *label, struct bytes der, struct buf *out)
{
    char line[PEM_LINE / 3 * 4 + 1];
    buf_printf(out, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; at < der.n; at += PEM_LINE) {
        base64_encode(line, der.p + at, der.n - at < PEM_LINE ? der.n - at : PEM_LINE);
        buf_text(out, line);
        buf_byte(out, '\n');
    }
    buf_printf(out, "-----END %s-----\n", label);
    return buf_result(out);
}
