#include "lib/base/text.h"

#include <string.h>

#include "lib/base/limits.h"

size_t text_utf8_next(const void *text, size_t n, uint32_t *code)
{
    const uint8_t *p = text;
    if (n == 0)
        return 0;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    size_t length = p[0] >= 0xC2 && p[0] <= 0xDF ? 2 : p[0] >= 0xE0 && p[0] <= 0xEF ? 3 : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4 : 0;
    if (length == 0 || length > n)
        return 0;
    uint32_t v = p[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3F);
    }
    static const uint32_t least[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};
    if (v < least[length] || v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF))
        return 0;
    *code = v;
    return length;
}

bool text_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x2028 || code == 0x2029;
}

static bool text_check(const uint8_t *p, size_t n, bool (*refused)(uint32_t))
{
    while (n > 0) {
        uint32_t code = 0;
        size_t length = text_utf8_next(p, n, &code);
        if (length == 0 || refused(code))
            return false;
        p += length;
        n -= length;
    }
    return true;
}

static bool is_nul(uint32_t code)
{
    return code == 0;
}

size_t text_cut(const char *s, size_t most)
{
    size_t n = strnlen(s, most + 1);
    if (n <= most)
        return n;
    /* Not before the byte that begins a character. */
    for (n = most; n > 0 && ((uint8_t)s[n] & 0xc0) == 0x80; n--)
        continue;
    return n;
}

bool text_is_utf8(const void *p, size_t n)
{
    return text_check(p, n, is_nul);
}

bool text_is_printable(const void *p, size_t n)
{
    return text_check(p, n, text_is_control);
}

size_t text_length(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool text_is_oid(const char *s)
{
    if (strnlen(s, LIMIT_OID + 1) > LIMIT_OID)
        return false;
    unsigned arcs = 0, first = 0;
    for (;; arcs++) {
        size_t digits = 0;
        unsigned value = 0;     /* exact below 100, all that the first two arcs need */
        for (; is_digit(s[digits]); digits++)
            value = value < 100 ? value * 10 + (unsigned)(s[digits] - '0') : value;
        if (digits == 0 || (digits > 1 && s[0] == '0'))
            return false;
        if (arcs == 0)
            first = value;
        if ((arcs == 0 && value > 2) || (arcs == 1 && first < 2 && value > 39))
            return false;
        s += digits;
        if (*s == '\0')
            return arcs >= 1;
        if (*s++ != '.')
            return false;
    }
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_equal_nocase(const char *a, const char *b)
{
    for (; fold(*a) == fold(*b); a++, b++)
        if (*a == '\0')
            return true;
    return false;
}

enum result text_to_number(const char *s, int64_t min, int64_t max, int64_t *out)
{
    bool negative = *s == '-';
    s += negative;
    if (!is_digit(*s))
        return R_BAD_INPUT;
    int64_t v = 0;
    for (; is_digit(*s); s++) {
        int digit = *s - '0';
        /* Counted on the negative side, which reaches one further. */
        if (__builtin_mul_overflow(v, (int64_t)10, &v) || __builtin_sub_overflow(v, (int64_t)digit, &v))
            return R_BAD_INPUT;
    }
    if (*s != '\0' || (!negative && __builtin_sub_overflow((int64_t)0, v, &v)))
        return R_BAD_INPUT;
    if (v < min || v > max)
        return R_BAD_INPUT;
    *out = v;
    return R_OK;
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next character as compared, moving *s behind it: a run of white space is one space, at the end nothing. */
static char name_next(const char **s)
{
    if (!is_white(**s))
        return **s ? fold(*(*s)++) : '\0';
    while (is_white(**s))
        ++*s;
    return **s ? ' ' : '\0';
}

bool text_equal_name(const char *a, const char *b)
{
    while (is_white(*a))
        a++;
    while (is_white(*b))
        b++;
    for (;;) {
        char x = name_next(&a), y = name_next(&b);
        if (x != y)
            return false;
        if (x == '\0')
            return true;
    }
}
