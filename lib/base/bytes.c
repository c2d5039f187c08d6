#include "lib/base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes bytes_of_text(const char *s)
{
    return s ? BYTES(s, strlen(s)) : BYTES_NONE;
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool bytes_equal_secret(struct bytes a, struct bytes b)
{
    if (a.n != b.n)
        return false;
    volatile uint8_t differ = 0;    /* volatile: no early way out */
    for (size_t i = 0; i < a.n; i++)
        differ = (uint8_t)(differ | (a.p[i] ^ b.p[i]));
    return differ == 0;
}

void bytes_wipe(void *p, size_t n)
{
    if (p && n > 0)
        explicit_bzero(p, n);
}

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){.p = NULL, .limit = limit};
}

static bool buf_grow(struct buf *b, size_t n)
{
    if (n > b->limit - b->n)
        return false;
    size_t need = b->n + n;
    if (need <= b->capacity)
        return true;
    size_t capacity = b->capacity > b->limit / 2 ? b->limit : b->capacity * 2;
    if (capacity < 256)
        capacity = 256;
    if (capacity > b->limit)
        capacity = b->limit;
    if (capacity < need)
        capacity = need;
    /* Not realloc, which would leave the old copy of a secret behind. */
    uint8_t *p = malloc(capacity);
    if (!p)
        return false;
    if (b->n > 0)
        memcpy(p, b->p, b->n);
    bytes_wipe(b->p, b->capacity);
    free(b->p);
    b->p = p;
    b->capacity = capacity;
    return true;
}

uint8_t *buf_space(struct buf *b, size_t n)
{
    static uint8_t nothing[1];
    if (b->failed || !buf_grow(b, n)) {
        b->failed = true;
        return NULL;
    }
    uint8_t *space = b->p ? b->p + b->n : nothing;      /* no memory yet, so n is 0 */
    b->n += n;
    return space;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    uint8_t *space = buf_space(b, n);
    if (space && n > 0)
        memcpy(space, p, n);
}

void buf_byte(struct buf *b, uint8_t byte)
{
    buf_append(b, &byte, 1);
}

void buf_text(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    /* One more byte than is kept: vsnprintf writes a NUL. It may not fit under the limit, so it is not asked of it. */
    char small[256], *text = n >= 0 && (size_t)n < sizeof small ? small : n >= 0 ? malloc((size_t)n + 1) : NULL;
    if (!text) {
        b->failed = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    buf_append(b, text, (size_t)n);
    bytes_wipe(text, (size_t)n);
    if (text != small)
        free(text);
}

struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){b->p, b->n};
}

enum result buf_result(const struct buf *b)
{
    return b->failed ? R_TOO_LARGE : R_OK;
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

void buf_free(struct buf *b)
{
    bytes_wipe(b->p, b->capacity);
    free(b->p);
    b->p = NULL;
    b->n = b->capacity = 0;
    b->failed = false;
}

static void be_put(uint8_t *p, size_t n, uint64_t v)
{
    for (; n > 0; v >>= 8)
        p[--n] = (uint8_t)v;
}

static uint64_t be_get(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

void be16_put(uint8_t *p, uint16_t v) { be_put(p, 2, v); }
void be32_put(uint8_t *p, uint32_t v) { be_put(p, 4, v); }
void be64_put(uint8_t *p, uint64_t v) { be_put(p, 8, v); }
uint16_t be16_get(const uint8_t *p) { return (uint16_t)be_get(p, 2); }
uint32_t be32_get(const uint8_t *p) { return (uint32_t)be_get(p, 4); }
uint64_t be64_get(const uint8_t *p) { return be_get(p, 8); }

static void hex_write(char *out, const uint8_t *p, size_t n, const char *digits)
{
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

void hex_encode(char *out, const uint8_t *p, size_t n) { hex_write(out, p, n, "0123456789abcdef"); }
void hex_encode_upper(char *out, const uint8_t *p, size_t n) { hex_write(out, p, n, "0123456789ABCDEF"); }

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum result hex_decode(const char *s, uint8_t *out, size_t *n)
{
    size_t length = strlen(s), room = *n;
    if (length % 2 != 0)
        return R_BAD_INPUT;
    if (length / 2 > room)
        return R_TOO_LARGE;
    for (size_t i = 0; i < length; i++)
        if (hex_digit(s[i]) < 0)
            return R_BAD_INPUT;
    for (size_t i = 0; i < length / 2; i++)
        out[i] = (uint8_t)(hex_digit(s[2 * i]) << 4 | hex_digit(s[2 * i + 1]));
    *n = length / 2;
    return R_OK;
}

size_t base64_size(size_t n)
{
    return (n + 2) / 3 * 4 + 1;
}

void base64_encode(char *out, const uint8_t *p, size_t n)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; n > 0; p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
        *out++ = n > 2 ? alphabet[v & 63] : '=';
        if (n <= 3)
            break;
        n -= 3;
    }
    *out = '\0';
}

enum { BASE64_SKIP = 64, BASE64_PAD, BASE64_BAD };

static unsigned base64_value(char c, bool plus_for_space)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    switch (c) {
    case '+': case '-':
        return 62;
    case '/': case '_':
        return 63;
    case ' ':
        return plus_for_space ? 62 : BASE64_SKIP;
    case '\r': case '\n': case '\t':
        return BASE64_SKIP;
    case '=':
        return BASE64_PAD;
    default:
        return BASE64_BAD;
    }
}

enum result base64_decode(const char *s, size_t len, bool plus_for_space, uint8_t *out, size_t *n)
{
    uint32_t group = 0;
    size_t digits = 0, pads = 0, written = 0;
    for (size_t i = 0; i < len; i++) {
        /* Behind the padding a space is white space again: an encoded plus cannot stand there. */
        unsigned v = base64_value(s[i], plus_for_space && pads == 0);
        if (v == BASE64_SKIP)
            continue;
        if (v == BASE64_BAD || (v < BASE64_SKIP && pads > 0))
            return R_BAD_INPUT;
        if (v == BASE64_PAD) {
            pads++;
            continue;
        }
        group = group << 6 | v;
        if (++digits % 4 == 0) {
            out[written++] = (uint8_t)(group >> 16);
            out[written++] = (uint8_t)(group >> 8);
            out[written++] = (uint8_t)group;
            group = 0;
        }
    }
    size_t rest = digits % 4;
    if (rest == 1 || (pads > 0 && (rest == 0 || pads != 4 - rest)))
        return R_BAD_INPUT;
    if (rest >= 2)
        out[written++] = (uint8_t)(group >> (rest == 2 ? 4 : 10));
    if (rest == 3)
        out[written++] = (uint8_t)(group >> 2);
    *n = written;
    return R_OK;
}
