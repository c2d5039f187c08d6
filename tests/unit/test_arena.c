#include <criterion/criterion.h>

#include <stdalign.h>
#include <string.h>

#include "lib/base/arena.h"

static bool is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return false;
    return true;
}

Test(arena, limit_is_exact)
{
    static const struct { size_t limit, first, second; bool one, two; const char *why; } cases[] = {
        {100, 100, 1, true, false, "exactly the limit fits, and nothing after it"},
        {100, 101, 100, false, true, "one byte more does not fit, and a refusal takes nothing"},
        {0, 0, 1, false, false, "an arena of nothing gives nothing"},
        {64, 0, 32, true, true, "an empty piece is a valid pointer"},
        {32, 1, 17, true, false, "a small piece takes its alignment from the limit too"},
        {1000000, 900000, 100000, true, true, "large pieces get blocks of their own"},
        {SIZE_MAX, SIZE_MAX, 8, false, true, "a size that overflows with its header is refused"},
        {SIZE_MAX, SIZE_MAX - 14, 8, false, true, "a size that overflows when rounded is refused"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena a;
        arena_init(&a, cases[i].limit);
        cr_expect_eq(arena_alloc(&a, cases[i].first) != NULL, cases[i].one, "%s (first)", cases[i].why);
        cr_expect_eq(arena_alloc(&a, cases[i].second) != NULL, cases[i].two, "%s (second)", cases[i].why);
        arena_free(&a);
    }
}

Test(arena, pieces_are_zeroed_aligned_and_apart)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    uint8_t *last = NULL;
    for (size_t n = 1; n < 3000; n += 7) {
        uint8_t *p = arena_alloc(&a, n);
        cr_assert_not_null(p);
        cr_expect_eq((uintptr_t)p % alignof(max_align_t), 0, "aligned for any type");
        cr_expect(is_zero(p, n), "zeroed");
        if (last)
            cr_expect_eq(*last, 0xFF, "writing one piece does not touch another");
        memset(p, 0xFF, n);
        last = p + n - 1;
    }
    arena_free(&a);
    cr_expect_eq(a.used, 0);
    uint8_t *again = arena_alloc(&a, 1 << 20);
    cr_assert_not_null(again, "a freed arena can be used again, to its whole limit");
    cr_expect(is_zero(again, 1 << 20));
    arena_free(&a);
    arena_free(&a);
}

Test(arena, arrays_do_not_overflow)
{
    static const struct { size_t n, size; bool good; const char *why; } cases[] = {
        {4, 8, true, "a plain array"},
        {0, 8, true, "an empty array is a valid pointer"},
        {8, 0, true, "elements of no size as well"},
        {SIZE_MAX / 2 + 1, 2, false, "the product is 0 when it wraps"},
        {SIZE_MAX / 8 + 2, 8, false, "the product is 8 when it wraps"},
        {1025, 1, false, "the limit holds for arrays"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena a;
        arena_init(&a, 1024);
        cr_expect_eq(arena_array(&a, cases[i].n, cases[i].size) != NULL, cases[i].good, "%s", cases[i].why);
        arena_free(&a);
    }
}

Test(arena, copies)
{
    struct arena a;
    arena_init(&a, 1024);
    char source[] = "abc";
    char *text = arena_text(&a, source, 3), *empty = arena_text(&a, NULL, 0), *made = arena_printf(&a, "%s-%d", source, 42);
    struct bytes copy = arena_bytes(&a, BYTES(source, 2)), none = arena_bytes(&a, BYTES_NONE);
    source[0] = 'x';
    cr_expect_str_eq(text, "abc");
    cr_expect_str_eq(empty, "");
    cr_expect_str_eq(made, "abc-42");
    cr_expect(bytes_equal(copy, BYTES("ab", 2)));
    cr_expect(none.p != NULL && none.n == 0, "no bytes are copied well");
    cr_expect_null(arena_bytes(&a, BYTES(source, 4096)).p, "the limit holds before anything is read");
    cr_expect_null(arena_text(&a, source, SIZE_MAX), "the NUL would wrap");
    cr_expect_null(arena_printf(&a, "%2000d", 1), "the limit holds for made text");
    arena_free(&a);
}
