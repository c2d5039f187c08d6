#include "lib/scep/url.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/text.h"

#define PREFIX "/scep/"
#define CA_LENGTH (URL_CA_SIZE - 1)
#define VERSION_LAST 10000          /* the greatest number of a CA version */
#define PARAMETER_LENGTH 32         /* of a parameter's name and of an operation */

static const char *const operations[] = {
    [OPERATION_GET_CA_CAPS] = "GetCACaps",
    [OPERATION_GET_CA_CERT] = "GetCACert",
    [OPERATION_GET_CA_CERT_CHAIN] = "GetCACertChain",
    [OPERATION_GET_NEXT_CA_CERT] = "GetNextCACert",
    [OPERATION_PKI] = "PKIOperation",
};
#define OPERATIONS (sizeof operations / sizeof operations[0])

const char *scep_operation_name(enum scep_operation operation)
{
    if (operation == OPERATION_NONE)
        return "-";
    return operation < OPERATIONS ? operations[operation] : "other";
}

/* ---- the path ---- */

/* The path from its first slash is taken off in segments; *rest stands on the next slash or at the end. */
static bool segment_next(struct bytes *rest, struct bytes *segment)
{
    if (rest->n == 0 || rest->p[0] != '/')
        return false;
    const uint8_t *start = rest->p + 1, *end = memchr(start, '/', rest->n - 1);
    size_t n = end ? (size_t)(end - start) : rest->n - 1;
    *segment = BYTES(start, n);
    *rest = BYTES(start + n, rest->n - 1 - n);
    return true;
}

static bool ca_decode(struct bytes segment, char out[URL_CA_SIZE])
{
    if (segment.n != CA_LENGTH)
        return false;
    for (size_t i = 0; i < CA_LENGTH; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen ? segment.p[i] != '-' : !isxdigit(segment.p[i]))
            return false;
        out[i] = (char)tolower(segment.p[i]);
    }
    out[CA_LENGTH] = '\0';
    return true;
}

/* "v" and digits alone: anything else belongs to what the client appends. */
static bool is_version(struct bytes segment)
{
    if (segment.n < 2 || segment.p[0] != 'v')
        return false;
    for (size_t i = 1; i < segment.n; i++)
        if (!isdigit(segment.p[i]))
            return false;
    return true;
}

static bool version_decode(struct bytes segment, uint32_t *out)
{
    char digits[8];
    int64_t number;

    if (segment.n > sizeof digits)
        return false;
    memcpy(digits, segment.p + 1, segment.n - 1);
    digits[segment.n - 1] = '\0';
    if (text_to_number(digits, 1, VERSION_LAST, &number) != R_OK)
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool variant_decode(struct bytes segment, struct variant *out)
{
    char text[VARIANT_SIZE];

    if (segment.n == 0 || segment.n >= sizeof text)
        return false;
    memcpy(text, segment.p, segment.n);
    text[segment.n] = '\0';
    return variant_from_text(text, out) == R_OK;
}

static bool path_decode(struct bytes path, struct scep_url *u)
{
    struct bytes segment, rest = path, before;

    if (path.n < strlen(PREFIX) || strncasecmp((const char *)path.p, PREFIX, strlen(PREFIX)) != 0)
        return false;
    segment_next(&rest, &segment);
    if (!segment_next(&rest, &segment) || !ca_decode(segment, u->ca))
        return false;
    before = rest;
    if (segment_next(&rest, &segment) && is_version(segment)) {
        if (!version_decode(segment, &u->version))
            return false;
        before = rest;
    }
    rest = before;
    /* A variant that cannot be read must not fall back to the compatible set without a word: the URI is refused. */
    if (segment_next(&rest, &segment) && bytes_equal(segment, bytes_of_text("p")))
        return segment_next(&rest, &segment) && variant_decode(segment, &u->variant);
    return true;
}

/* ---- the query ---- */

static int hex_value(uint8_t c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* Percent-decodes into out, which has room for in.n bytes; a plus stays a plus (Q2, Q3). R_BAD_INPUT on a broken escape. */
static enum result percent_decode(struct bytes in, uint8_t *out, size_t *n)
{
    size_t written = 0;

    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '%') {
            out[written++] = in.p[i];
            continue;
        }
        int high = i + 2 < in.n ? hex_value(in.p[i + 1]) : -1, low = i + 2 < in.n ? hex_value(in.p[i + 2]) : -1;
        if (high < 0 || low < 0)
            return R_BAD_INPUT;
        out[written++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *n = written;
    return R_OK;
}

/* The decoded text of a short run equals the name, whatever the case. */
static bool is_named(struct bytes raw, const char *name)
{
    uint8_t text[3 * PARAMETER_LENGTH];
    size_t n = 0;

    return raw.n <= sizeof text && percent_decode(raw, text, &n) == R_OK && n == strlen(name) &&
           strncasecmp((const char *)text, name, n) == 0;
}

static enum scep_operation operation_decode(struct bytes value)
{
    for (size_t i = OPERATION_NONE + 1; i < OPERATIONS; i++)
        if (is_named(value, operations[i]))
            return (enum scep_operation)i;
    return OPERATION_OTHER;
}

/* Of parameters that stand twice the first that is not empty counts. */
static void parameter_decode(struct bytes parameter, struct scep_url *u)
{
    const uint8_t *equals = memchr(parameter.p, '=', parameter.n);
    struct bytes name, value;

    if (!equals || equals + 1 == parameter.p + parameter.n)
        return;
    name = BYTES(parameter.p, (size_t)(equals - parameter.p));
    value = BYTES(equals + 1, parameter.n - name.n - 1);
    if (u->operation == OPERATION_NONE && is_named(name, "operation"))
        u->operation = operation_decode(value);
    else if (!u->message.p && is_named(name, "message"))
        u->message = value;
}

static void query_decode(struct bytes query, struct scep_url *u)
{
    while (query.n > 0) {
        const uint8_t *end = memchr(query.p, '&', query.n);
        size_t n = end ? (size_t)(end - query.p) : query.n, step = end ? n + 1 : n;

        parameter_decode(BYTES(query.p, n), u);
        query = BYTES(query.p + step, query.n - step);
    }
}

enum result url_decode(const char *uri, struct scep_url *out)
{
    struct scep_url u = {.operation = OPERATION_NONE};
    size_t path = strcspn(uri, "?"), n = strlen(uri);

    if (!path_decode(BYTES(uri, path), &u))
        return R_NOT_FOUND;
    if (path < n)
        query_decode(BYTES(uri + path + 1, n - path - 1), &u);
    *out = u;
    return R_OK;
}

enum result url_message(struct bytes message, struct arena *a, struct bytes *out)
{
    uint8_t *text, *der;
    size_t n = 0, size = 0;

    if (message.n == 0)
        return R_BAD_INPUT;
    text = arena_alloc(a, message.n);
    der = arena_alloc(a, 3 * (message.n / 4) + 3);
    if (!text || !der)
        return R_NO_MEMORY;
    if (percent_decode(message, text, &n) != R_OK)
        return R_BAD_INPUT;
    /* Base64 has no percent sign: one that is left was encoded twice (Q6). In place: decoding never gets ahead of reading. */
    if (memchr(text, '%', n) && percent_decode(BYTES(text, n), text, &n) != R_OK)
        return R_BAD_INPUT;
    if (base64_decode((const char *)text, n, true, der, &size) != R_OK || size == 0)
        return R_BAD_INPUT;
    *out = BYTES(der, size);
    return R_OK;
}
