#include "lib/base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)      /* clang's way to ask; gcc defines __SANITIZE_ADDRESS__ */
#else
#define HAS_FEATURE(name) 0
#endif

/* What a block holds at least; a larger piece gets a block of its own size. Under AddressSanitizer every piece has a block of
 * exactly its size, so that a step beyond a piece is a step beyond what was allocated. */
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define BLOCK_SIZE 0
#else
#define BLOCK_SIZE 8192
#endif

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    max_align_t data[];     /* for its alignment */
};

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.blocks = NULL, .used = 0, .limit = limit};
}

static struct arena_block *block_new(size_t n)
{
    size_t size = n > BLOCK_SIZE ? n : BLOCK_SIZE;
    struct arena_block *b = calloc(1, sizeof *b + size);
    if (b)
        b->size = size;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    const size_t align = _Alignof(max_align_t);
    if (n == 0)
        n = 1;      /* a pointer of its own, so that NULL always means failure */
    if (n > a->limit - a->used)
        return NULL;
    size_t need = (n + align - 1) / align * align;
    if (need < n || need > SIZE_MAX / 2)
        return NULL;
    size_t taken = BLOCK_SIZE > 0 ? need : n;
    struct arena_block *b = a->blocks;
    if (!b || need > b->size - b->used) {
        b = block_new(taken);
        if (!b)
            return NULL;
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = (uint8_t *)b->data + b->used;
    b->used += taken;
    /* Rounding counts too, so that many small pieces stay within the limit; the last piece may reach it exactly. */
    a->used += need < a->limit - a->used ? need : a->limit - a->used;
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return arena_alloc(a, total);
}

void *arena_copy(struct arena *a, const void *p, size_t n)
{
    void *copy = arena_alloc(a, n);
    if (copy && n > 0)
        memcpy(copy, p, n);
    return copy;
}

char *arena_text(struct arena *a, const void *p, size_t n)
{
    if (n == SIZE_MAX)
        return NULL;
    char *text = arena_alloc(a, n + 1);     /* zeroed: the NUL is there */
    if (text && n > 0)
        memcpy(text, p, n);
    return text;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return NULL;
    char *text = arena_alloc(a, (size_t)n + 1);
    if (!text)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}

struct bytes arena_bytes(struct arena *a, struct bytes b)
{
    const uint8_t *p = arena_copy(a, b.p, b.n);
    return p ? (struct bytes){p, b.n} : BYTES_NONE;
}

void arena_free(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        bytes_wipe(b->data, b->used);
        free(b);
    }
    a->used = 0;
}
