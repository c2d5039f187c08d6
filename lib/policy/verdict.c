#include "lib/policy/verdict.h"

#include <string.h>

#include "lib/base/limits.h"

static const char *verdict_text(struct arena *a, const char *text)
{
    if (!text)
        return NULL;
    size_t n = strnlen(text, LIMIT_DETAIL + 1);
    if (n > LIMIT_DETAIL)
        for (n = LIMIT_DETAIL; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;)
            n--;
    return arena_text(a, text, n);
}

enum result verdict_refuse(struct verdict *v, struct arena *a, enum result r, const char *field, const char *found,
                           const char *wanted)
{
    if (v)
        *v = (struct verdict){r, field, verdict_text(a, found), verdict_text(a, wanted)};
    return r;
}
