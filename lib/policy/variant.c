#include "lib/policy/variant.h"

#include <stddef.h>
#include <string.h>

/* Every word: the group that it is of, and its value there. In the order in which they are written. */
static const struct word { const char *text; size_t group; uint32_t value; } words[] = {
    {"modern", offsetof(struct variant, capabilities), CAPABILITIES_MODERN},
    {"legacy", offsetof(struct variant, capabilities), CAPABILITIES_LEGACY},
    {"apple", offsetof(struct variant, capabilities), CAPABILITIES_APPLE},
    {"issuer", offsetof(struct variant, ca_chain), CA_CHAIN_ISSUER},
    {"ra", offsetof(struct variant, ca_chain), CA_CHAIN_RA},
    {"withissuer", offsetof(struct variant, reply_chain), REPLY_CHAIN_ISSUER},
    {"withchain", offsetof(struct variant, reply_chain), REPLY_CHAIN_FULL},
    {"lenient", offsetof(struct variant, lenient), true},
};
#define WORDS (sizeof words / sizeof words[0])

static uint32_t group_get(const struct variant *v, const struct word *w)
{
    const uint8_t *member = (const uint8_t *)v + w->group;

    return w->group == offsetof(struct variant, lenient) ? v->lenient : *(const uint32_t *)(const void *)member;
}

static void group_set(struct variant *v, const struct word *w)
{
    uint8_t *member = (uint8_t *)v + w->group;

    if (w->group == offsetof(struct variant, lenient))
        v->lenient = true;
    else
        *(uint32_t *)(void *)member = w->value;
}

static const struct word *word_find(const char *text, size_t n)
{
    for (size_t i = 0; i < WORDS; i++)
        if (strlen(words[i].text) == n && memcmp(words[i].text, text, n) == 0)
            return &words[i];
    return NULL;
}

enum result variant_from_text(const char *text, struct variant *out)
{
    struct variant v = {0};

    while (text && *text) {
        size_t n = strcspn(text, "-");
        const struct word *w = word_find(text, n);
        if (!w || group_get(&v, w) != 0)
            return R_BAD_INPUT;
        group_set(&v, w);
        text += n;
        if (text[0] == '-' && *++text == '\0')
            return R_BAD_INPUT;
    }
    *out = v;
    return R_OK;
}

void variant_to_text(const struct variant *v, char out[VARIANT_SIZE])
{
    size_t n = 0;

    for (size_t i = 0; i < WORDS; i++) {
        size_t length = strlen(words[i].text);
        if (group_get(v, &words[i]) != words[i].value || n + length + 2 > VARIANT_SIZE)
            continue;
        if (n > 0)
            out[n++] = '-';
        memcpy(out + n, words[i].text, length);
        n += length;
    }
    out[n] = '\0';
}
