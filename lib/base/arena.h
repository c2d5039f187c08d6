/*
 * arena: memory with one owner and one end.
 *
 * Everything that a request decodes or computes is taken from its arena and freed with it; no part is freed alone.
 * An arena has a limit in bytes, so that no input can make a request grow without bound. Not for secrets: arena_free
 * wipes what it frees, but copies made by libraries are theirs to wipe.
 */
#ifndef CHANCERY_BASE_ARENA_H
#define CHANCERY_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t used, limit;
};

void arena_init(struct arena *a, size_t limit);
/* Zeroed memory, aligned for any type; NULL when memory or the limit is exhausted. n = 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n);
/* n elements of size each; NULL on overflow as well. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy of n bytes. */
void *arena_copy(struct arena *a, const void *p, size_t n);
/* A copy of the n bytes as a NUL-terminated string. */
char *arena_text(struct arena *a, const void *p, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A copy of b; .p NULL on failure (even where b is empty, .p is not NULL on success). */
struct bytes arena_bytes(struct arena *a, struct bytes b);
/* Wipes and frees everything; the arena can be used again. */
void arena_free(struct arena *a);

#endif
