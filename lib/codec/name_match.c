/* name_der_match: whether two names are one. */
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/codec/name.h"

#define NAMES_MEMORY (2 * 65536)    /* bytes for two decoded names */

static bool attributes_match(const struct name_attribute *x, const struct name_attribute *y)
{
    return strcmp(x->oid, y->oid) == 0 && text_equal_name(x->value, y->value);
}

static bool names_match(const struct name *x, const struct name *y)
{
    bool taken[LIMIT_NAME_ATTRIBUTES] = {false};

    if (x->count != y->count || x->count > LIMIT_NAME_ATTRIBUTES)
        return false;
    for (uint32_t i = 0; i < x->count; i++) {
        uint32_t k = 0;
        while (k < y->count && (taken[k] || !attributes_match(&x->items[i], &y->items[k])))
            k++;
        if (k == y->count)
            return false;
        taken[k] = true;
    }
    return true;
}

bool name_der_match(struct bytes x, struct bytes y)
{
    struct arena a;
    struct name one, other;

    if (bytes_equal(x, y))
        return true;
    arena_init(&a, NAMES_MEMORY);
    bool same = name_decode(x, &a, &one) == R_OK && name_decode(y, &a, &other) == R_OK && names_match(&one, &other);
    arena_free(&a);
    return same;
}
