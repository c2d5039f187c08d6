#include "bin/csv.h"

#include <string.h>

#include "lib/base/text.h"

void csv_open(struct csv *s, struct bytes text)
{
    static const char mark[] = "\xef\xbb\xbf";
    s->next = (const char *)text.p;
    s->end = s->next + text.n;
    s->line = 1;
    if (text.n >= 3 && memcmp(text.p, mark, 3) == 0)
        s->next += 3;
}

static bool at_line_end(const struct csv *s)
{
    return s->next == s->end || *s->next == '\n' || (*s->next == '\r' && s->next + 1 < s->end && s->next[1] == '\n');
}

/* To the closing quote; doubled quotes are one. out has room for all that is left of the text. */
static enum result quoted_read(struct csv *s, char *out, size_t *n)
{
    for (s->next++; s->next < s->end; s->next++) {
        if (*s->next == '"' && s->next + 1 < s->end && s->next[1] == '"')
            s->next++;
        else if (*s->next == '"')
            break;
        if (*s->next == '\n')
            s->line++;
        out[(*n)++] = *s->next;
    }
    if (s->next == s->end)
        return R_BAD_INPUT;
    s->next++;
    return at_line_end(s) || *s->next == ',' ? R_OK : R_BAD_INPUT;
}

/* How long the field can be at most: to the end of its line, or of the text where it is quoted. */
static size_t field_room(const struct csv *s)
{
    const char *p = s->next;
    if (p == s->end || *p != '"')
        while (p < s->end && *p != ',' && *p != '\n')
            p++;
    else
        for (p++; p < s->end && (*p != '"' || (p + 1 < s->end && p[1] == '"')); p++)
            p += *p == '"';
    return (size_t)(p - s->next) + 1;
}

static enum result field_read(struct csv *s, struct arena *a, const char **field)
{
    char *out = arena_alloc(a, field_room(s) + 1);
    size_t n = 0;
    if (out == NULL)
        return R_NO_MEMORY;
    if (s->next < s->end && *s->next == '"') {
        enum result r = quoted_read(s, out, &n);
        if (r != R_OK)
            return r;
    } else {
        for (; !at_line_end(s) && *s->next != ','; s->next++) {
            if (*s->next == '"')
                return R_BAD_INPUT;
            out[n++] = *s->next;
        }
    }
    out[n] = '\0';
    *field = out;
    return text_is_utf8(out, n) ? R_OK : R_BAD_INPUT;
}

static void line_end_skip(struct csv *s)
{
    if (s->next < s->end && *s->next == '\r')
        s->next++;
    if (s->next < s->end) {
        s->next++;
        s->line++;
    }
}

enum result csv_read(struct csv *s, struct arena *a, const char ***fields, uint32_t *count, int *line)
{
    const char *list[CSV_FIELDS];
    enum result r = R_OK;
    *count = 0;
    while (s->next < s->end && at_line_end(s))
        line_end_skip(s);
    *line = s->line;
    if (s->next == s->end)
        return R_OK;
    for (uint32_t n = 0; r == R_OK; s->next++) {
        if (n == CSV_FIELDS)
            return R_TOO_LARGE;
        r = field_read(s, a, &list[n]);
        if (r != R_OK)
            break;
        n++;
        if (!at_line_end(s))
            continue;
        line_end_skip(s);
        *fields = arena_copy(a, list, n * sizeof *list);
        if (*fields == NULL)
            return R_NO_MEMORY;
        *count = n;
        return R_OK;
    }
    return r;
}
