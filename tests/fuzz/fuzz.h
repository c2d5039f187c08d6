/*
 * fuzz: what the fuzz targets share.
 *
 * A target is one decoder of bytes from outside, called as its program calls it, and what the decoder's header promises:
 * besides not reading or writing where it may not, it returns only the results that it documents, what it gives is within its
 * limits, and what it read it writes again. FUZZ_TARGET(name) begins its function in fuzz_<name>.c; targets.h lists it.
 *
 * Built in two ways: all targets in one program by any compiler (replay.c), which make check runs over the corpus, and with
 * libFuzzer, one program each (tests/fuzz/run), where FUZZ_ENGINE is defined.
 */
#ifndef CHANCERY_TESTS_FUZZ_H
#define CHANCERY_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/limits.h"
#include "lib/base/text.h"

#ifdef FUZZ_ENGINE
#define FUZZ_FUNCTION(name) LLVMFuzzerTestOneInput
#else
#define FUZZ_FUNCTION(name) fuzz_##name
#endif
#define FUZZ_TARGET(name) \
    int FUZZ_FUNCTION(name)(const uint8_t *data, size_t size); \
    int FUZZ_FUNCTION(name)(const uint8_t *data, size_t size)

/* A promise that was not kept ends the program, as a sanitizer's finding does. */
#define FUZZ_MUST(condition) \
    do { \
        if (!(condition)) \
            fuzz_broken(__FILE__, __LINE__, #condition); \
    } while (0)

static inline _Noreturn void fuzz_broken(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, condition);
    abort();
}

/* The result is one of those documented: FUZZ_RESULT(r, R_OK, R_BAD_INPUT). */
#define FUZZ_RESULT(r, ...) \
    FUZZ_MUST(fuzz_is_one_of((r), (const enum result[]){__VA_ARGS__}, sizeof((enum result[]){__VA_ARGS__}) / sizeof(enum result)))

static inline bool fuzz_is_one_of(enum result r, const enum result *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == r)
            return true;
    fprintf(stderr, "result %s\n", result_name(r));
    return false;
}

/* Reads every byte, so that the sanitizer sees a slice of what is not there. */
static inline void fuzz_read(struct bytes b)
{
    uint8_t all = 0;
    for (size_t i = 0; i < b.n; i++)
        all ^= b.p[i];
    __asm__ volatile("" : : "r"(all));
}

static inline bool fuzz_within(struct bytes part, struct bytes whole)
{
    fuzz_read(part);
    return part.n == 0 || (part.p >= whole.p && part.n <= whole.n && (size_t)(part.p - whole.p) <= whole.n - part.n);
}

/* Text that was decoded: UTF-8, within its limit. */
static inline bool fuzz_is_text(const char *s, size_t limit)
{
    return s != NULL && strlen(s) <= limit && text_is_utf8(s, strlen(s));
}

/* The input as a string of its own; cut at a NUL. The caller frees it. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
    size_t n = size > 0 ? strnlen((const char *)data, size) : 0;
    char *s = malloc(n + 1);
    FUZZ_MUST(s != NULL);
    if (n > 0)
        memcpy(s, data, n);
    s[n] = '\0';
    return s;
}

/* n bytes alone on the heap, so that the sanitizer sees a step beyond them: b, or its beginning, or b and a zero. The caller frees
 * them. */
static inline uint8_t *fuzz_alone(struct bytes b, size_t n)
{
    FUZZ_MUST(n <= b.n + 1);
    uint8_t *p = calloc(1, n + (n == 0));
    FUZZ_MUST(p != NULL);
    if (b.n > 0)
        memcpy(p, b.p, b.n < n ? b.n : n);
    return p;
}

#endif
