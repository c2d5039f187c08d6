#include "lib/policy/algorithms.h"

#include <string.h>

static const char *const level_names[ALGORITHMS_LEVELS] = {
    [ALGORITHMS_MODERN] = "modern", [ALGORITHMS_COMPATIBLE] = "compatible", [ALGORITHMS_LEGACY] = "legacy",
};

/* The strictest level that takes it; what is not named here is never taken. */
#define NEVER 0
#define FROM(level) ((level) + 1)
static const uint8_t hash_levels[HASH_OTHER + 1] = {
    [HASH_SHA256] = FROM(ALGORITHMS_MODERN), [HASH_SHA384] = FROM(ALGORITHMS_MODERN), [HASH_SHA512] = FROM(ALGORITHMS_MODERN),
    [HASH_SHA1] = FROM(ALGORITHMS_COMPATIBLE), [HASH_MD5] = FROM(ALGORITHMS_LEGACY), [HASH_OTHER] = NEVER,
};
/* OAEP with MD5 is of no age: no client sends it. */
static const uint8_t oaep_levels[HASH_OTHER + 1] = {
    [HASH_SHA256] = FROM(ALGORITHMS_MODERN), [HASH_SHA384] = FROM(ALGORITHMS_MODERN), [HASH_SHA512] = FROM(ALGORITHMS_MODERN),
    [HASH_SHA1] = FROM(ALGORITHMS_COMPATIBLE), [HASH_MD5] = NEVER, [HASH_OTHER] = NEVER,
};
static const uint8_t cipher_levels[CIPHER_OTHER + 1] = {
    [CIPHER_AES128] = FROM(ALGORITHMS_MODERN), [CIPHER_AES192] = FROM(ALGORITHMS_MODERN), [CIPHER_AES256] = FROM(ALGORITHMS_MODERN),
    [CIPHER_DES3] = FROM(ALGORITHMS_COMPATIBLE), [CIPHER_DES] = FROM(ALGORITHMS_LEGACY), [CIPHER_OTHER] = NEVER,
};

const char *algorithm_level_name(uint32_t level)
{
    return level < ALGORITHMS_LEVELS ? level_names[level] : NULL;
}

int algorithm_level_from_name(const char *name)
{
    for (int i = 0; name && i < ALGORITHMS_LEVELS; i++)
        if (strcmp(level_names[i], name) == 0)
            return i;
    return -1;
}

static bool taken(const uint8_t *levels, uint32_t last, uint32_t value, uint32_t level)
{
    return value <= last && levels[value] != NEVER && levels[value] <= FROM(level);
}

enum result algorithms_check(uint32_t level, bool lenient, const struct message_algorithms *m, struct arena *a, struct verdict *v)
{
    const char *wanted = algorithm_level_name(level);

    if (!wanted)
        return verdict_refuse(v, a, R_INTERNAL, "algorithms", NULL, "a level");
    wanted = arena_printf(a, "what the level \"%s\" takes", wanted);
    if (!taken(hash_levels, HASH_OTHER, m->hash, level))
        return verdict_refuse(v, a, R_BAD_ALG, "digest", hash_name(m->hash), wanted);
    if (!taken(hash_levels, HASH_OTHER, m->request_hash, level))
        return verdict_refuse(v, a, R_BAD_ALG, "request_digest", hash_name(m->request_hash), wanted);
    if (!taken(cipher_levels, CIPHER_OTHER, m->cipher, level))
        return verdict_refuse(v, a, R_BAD_ALG, "cipher", cipher_name(m->cipher), wanted);
    if (m->oaep && !taken(oaep_levels, HASH_OTHER, m->oaep_hash, level))
        return verdict_refuse(v, a, R_BAD_ALG, "key_transport", arena_printf(a, "OAEP with %s", hash_name(m->oaep_hash)), wanted);
    if (m->lenient && !lenient)
        return verdict_refuse(v, a, R_SIGNATURE_FAILED, "encoding", "signed over other octets than RFC 5652 section 5.4 says",
                              "that, or a profile whose variant is lenient");
    return R_OK;
}
