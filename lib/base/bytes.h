/*
 * bytes: a borrowed run of bytes, a growable buffer, and the texts they are written as.
 */
#ifndef CHANCERY_BASE_BYTES_H
#define CHANCERY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/result.h"

struct bytes {              /* never owned by the struct */
    const uint8_t *p;
    size_t n;
};

#define BYTES(ptr, len) ((struct bytes){(const uint8_t *)(ptr), (len)})
#define BYTES_NONE ((struct bytes){NULL, 0})

struct bytes bytes_of_text(const char *s);                  /* without the NUL; NULL gives none */
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_secret(struct bytes a, struct bytes b);    /* time does not depend on the content */
void bytes_wipe(void *p, size_t n);                         /* not optimised away */

/* A growable buffer with a limit. Once an append fails, all later ones fail and .failed stays set: check it once at the
 * end. buf_free wipes. */
struct buf {
    uint8_t *p;
    size_t n, capacity, limit;
    bool failed;
};
void buf_init(struct buf *b, size_t limit);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_byte(struct buf *b, uint8_t byte);
void buf_text(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint8_t *buf_space(struct buf *b, size_t n);                /* n uninitialised bytes at the end, or NULL; valid until the next append */
struct bytes buf_bytes(const struct buf *b);
enum result buf_result(const struct buf *b);                /* R_OK or R_TOO_LARGE */
void buf_reset(struct buf *b);                              /* n = 0, keeps the memory */
void buf_free(struct buf *b);

void be16_put(uint8_t *p, uint16_t v);
void be32_put(uint8_t *p, uint32_t v);
void be64_put(uint8_t *p, uint64_t v);
uint16_t be16_get(const uint8_t *p);
uint32_t be32_get(const uint8_t *p);
uint64_t be64_get(const uint8_t *p);

/* Hexadecimal. hex_encode writes 2n characters and a NUL into out (size >= 2n + 1). Decoding accepts both cases and an
 * even number of digits only; *n is the room on entry and the length on return. */
void hex_encode(char *out, const uint8_t *p, size_t n);          /* lower case */
void hex_encode_upper(char *out, const uint8_t *p, size_t n);
enum result hex_decode(const char *s, uint8_t *out, size_t *n);

/* Base64 (RFC 4648). base64_encode writes standard alphabet with padding and a NUL; size >= base64_size(n).
 * base64_decode is tolerant as SCEP clients need it: both alphabets, padding present, missing or percent-free, CR, LF, tab
 * and space skipped (a space is read as "+" when plus_for_space is set, for query strings: interop Q2). Anything else,
 * data after padding, or a lone trailing character: R_BAD_INPUT. out needs 3 * (len / 4) + 3 bytes. */
size_t base64_size(size_t n);
void base64_encode(char *out, const uint8_t *p, size_t n);
enum result base64_decode(const char *s, size_t len, bool plus_for_space, uint8_t *out, size_t *n);

#endif
