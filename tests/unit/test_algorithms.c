#include <criterion/criterion.h>

#include "lib/base/limits.h"
#include "lib/policy/algorithms.h"

/* Every digest, cipher and key transport on every level: the whole table. */
Test(algorithms, levels)
{
    enum { M = 1 << ALGORITHMS_MODERN, C = 1 << ALGORITHMS_COMPATIBLE, L = 1 << ALGORITHMS_LEGACY, ALL = M | C | L };
    static const struct { struct message_algorithms m; unsigned levels; const char *field, *why; } cases[] = {
        {{HASH_SHA256, HASH_SHA256, CIPHER_AES128, false, HASH_OTHER, false}, ALL, NULL, "what RFC 8894 asks for"},
        {{HASH_SHA384, HASH_SHA384, CIPHER_AES192, false, HASH_OTHER, false}, ALL, NULL, "more"},
        {{HASH_SHA512, HASH_SHA512, CIPHER_AES256, false, HASH_OTHER, false}, ALL, NULL, "more"},
        {{HASH_SHA1, HASH_SHA256, CIPHER_AES128, false, HASH_OTHER, false}, C | L, "digest", "SHA-1 signs the message (Windows)"},
        {{HASH_MD5, HASH_SHA256, CIPHER_AES128, false, HASH_OTHER, false}, L, "digest", "MD5 signs the message (Cisco 2800)"},
        {{HASH_OTHER, HASH_SHA256, CIPHER_AES128, false, HASH_OTHER, false}, 0, "digest", "an unknown digest"},
        {{4711, HASH_SHA256, CIPHER_AES128, false, HASH_OTHER, false}, 0, "digest", "a number that is none"},
        {{HASH_SHA256, HASH_SHA1, CIPHER_AES128, false, HASH_OTHER, false}, C | L, "request_digest", "SHA-1 signs the request (Apple)"},
        {{HASH_SHA256, HASH_MD5, CIPHER_AES128, false, HASH_OTHER, false}, L, "request_digest", "MD5 signs the request"},
        {{HASH_SHA256, HASH_OTHER, CIPHER_AES128, false, HASH_OTHER, false}, 0, "request_digest", "an unknown digest"},
        {{HASH_SHA256, HASH_SHA256, CIPHER_DES3, false, HASH_OTHER, false}, C | L, "cipher", "triple DES (Juniper)"},
        {{HASH_SHA256, HASH_SHA256, CIPHER_DES, false, HASH_OTHER, false}, L, "cipher", "single DES (scepclient)"},
        {{HASH_SHA256, HASH_SHA256, CIPHER_OTHER, false, HASH_OTHER, false}, 0, "cipher", "an unknown cipher"},
        {{HASH_SHA256, HASH_SHA256, 4711, false, HASH_OTHER, false}, 0, "cipher", "a number that is none"},
        {{HASH_SHA256, HASH_SHA256, CIPHER_AES128, true, HASH_SHA256, false}, ALL, NULL, "OAEP with SHA-256"},
        {{HASH_SHA256, HASH_SHA256, CIPHER_AES128, true, HASH_SHA384, false}, ALL, NULL, "OAEP with SHA-384"},
        {{HASH_SHA256, HASH_SHA256, CIPHER_AES128, true, HASH_SHA512, false}, ALL, NULL, "OAEP with SHA-512"},
        {{HASH_SHA256, HASH_SHA256, CIPHER_AES128, true, HASH_SHA1, false}, C | L, "key_transport", "OAEP with SHA-1 (Windows)"},
        {{HASH_SHA256, HASH_SHA256, CIPHER_AES128, true, HASH_MD5, false}, 0, "key_transport", "OAEP with MD5 is nobody's"},
        {{HASH_SHA256, HASH_SHA256, CIPHER_AES128, true, HASH_OTHER, false}, 0, "key_transport", "OAEP with something else"},
        {{HASH_MD5, HASH_MD5, CIPHER_DES, false, HASH_OTHER, false}, L, "digest", "a Cisco 2800's message"},
        {{HASH_SHA1, HASH_SHA1, CIPHER_DES3, false, HASH_OTHER, false}, C | L, "digest", "an old device's message"},
    };
    struct arena a;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint32_t level = 0; level < ALGORITHMS_LEVELS; level++) {
            struct verdict v = {0};
            enum result r = algorithms_check(level, false, &cases[i].m, &a, &v);
            bool taken = cases[i].levels & 1u << level;
            cr_assert_eq(r, taken ? R_OK : R_BAD_ALG, "%s on %s: %s", cases[i].why, algorithm_level_name(level), result_name(r));
            if (!taken)
                cr_assert_str_eq(v.field, cases[i].field, "%s", cases[i].why);
        }
    arena_free(&a);
}

Test(algorithms, leniency)
{
    const struct message_algorithms m = {HASH_SHA256, HASH_SHA256, CIPHER_AES128, false, HASH_OTHER, true};
    struct verdict v = {0};
    struct arena a;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    cr_assert_eq(algorithms_check(ALGORITHMS_COMPATIBLE, true, &m, &a, &v), R_OK, "the profile takes it");
    cr_assert_eq(algorithms_check(ALGORITHMS_LEGACY, false, &m, &a, &v), R_SIGNATURE_FAILED, "the URL alone does not make it right");
    cr_assert_str_eq(v.field, "encoding");
    cr_assert_eq(algorithms_check(ALGORITHMS_LEVELS, true, &m, &a, &v), R_INTERNAL, "no level");
    arena_free(&a);
}

Test(algorithms, names)
{
    for (uint32_t i = 0; i < ALGORITHMS_LEVELS; i++)
        cr_assert_eq(algorithm_level_from_name(algorithm_level_name(i)), (int)i);
    cr_assert_null(algorithm_level_name(ALGORITHMS_LEVELS));
    cr_assert_eq(algorithm_level_from_name("MODERN"), -1);
    cr_assert_eq(algorithm_level_from_name(NULL), -1);
}
