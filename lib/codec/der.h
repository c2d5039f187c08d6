/*
 * der: writing DER (X.690) without an outside library, and walking it.
 *
 * The writer appends to a struct buf. A constructed value is opened with der_open, which returns a mark, and closed with
 * der_close, which puts the length in; values nest. Errors are the buffer's (buf.failed), checked once at the end.
 * The walker reads one TLV at a time, definite lengths in shortest form only, and never past its end.
 */
#ifndef CHANCERY_CODEC_DER_H
#define CHANCERY_CODEC_DER_H

#include "lib/base/arena.h"
#include "lib/base/bytes.h"

enum der_tag {
    DER_BOOLEAN = 0x01, DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_OCTET_STRING = 0x04, DER_NULL = 0x05, DER_OID = 0x06,
    DER_ENUMERATED = 0x0a, DER_UTF8_STRING = 0x0c, DER_NUMERIC_STRING = 0x12, DER_PRINTABLE_STRING = 0x13,
    DER_T61_STRING = 0x14, DER_IA5_STRING = 0x16, DER_UTC_TIME = 0x17, DER_GENERALIZED_TIME = 0x18, DER_VISIBLE_STRING = 0x1a,
    DER_UNIVERSAL_STRING = 0x1c, DER_BMP_STRING = 0x1e, DER_SEQUENCE = 0x30, DER_SET = 0x31,
};
#define DER_CONTEXT(n) (0x80 | (n))                 /* implicit, primitive */
#define DER_CONTEXT_CONSTRUCTED(n) (0xa0 | (n))

size_t der_open(struct buf *b, int tag);
void der_close(struct buf *b, size_t mark);
void der_value(struct buf *b, int tag, const void *p, size_t n);     /* a primitive TLV */
void der_raw(struct buf *b, struct bytes der);                       /* encoded elsewhere */
void der_oid(struct buf *b, const char *dotted);                     /* sets b->failed where it is no OID */
void der_integer(struct buf *b, int64_t v);
void der_integer_bytes(struct buf *b, struct bytes unsigned_be);     /* leading zeros dropped, 00 put where the top bit is set */
void der_boolean(struct buf *b, bool v);
/* UTCTime through 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). Beyond the year 9999 sets b->failed. */
void der_time(struct buf *b, int64_t t);
void der_generalized_time(struct buf *b, int64_t t);
/* A named bit list: bit 0 of the list is the lowest bit of v; trailing zero bits dropped (X.690 11.2.2). */
void der_bits(struct buf *b, uint32_t v);
/* Appends the encodings that follow each other in elements, in the order of a SET OF (X.690 section 11.6). Sets b->failed where
 * they are not DER or more than DER_SORTED_MOST. elements must not point into b. */
#define DER_SORTED_MOST 64
void der_sorted(struct buf *b, struct bytes elements);
/* The number of bytes of a TLV with that many content bytes. */
size_t der_size(size_t content);
/* The header alone, for content that is written elsewhere. */
void der_header(struct buf *b, int tag, size_t content);

struct der { int tag; struct bytes value; struct bytes whole; };
/* Takes the first TLV off *in. R_BAD_INPUT on anything that is not definite-length, shortest-form, single-byte-tag DER. */
enum result der_next(struct bytes *in, struct der *out);
enum result der_expect(struct bytes *in, int tag, struct der *out);
/* Dotted text of an OID's content. An arc beyond 128 bits or a text beyond LIMIT_OID: R_BAD_INPUT. */
enum result der_oid_text(struct bytes content, struct arena *a, const char **out);
/* The values of primitive types; R_BAD_INPUT where the content is not DER of that type or does not fit. */
enum result der_get_integer(struct bytes content, int64_t *out);
/* A positive INTEGER's octets without the sign octet; zero gives one octet 00, a negative number R_BAD_INPUT. */
enum result der_get_unsigned(struct bytes content, struct bytes *out);
enum result der_get_boolean(struct bytes content, bool *out);
/* A named bit list as der_bits writes it; trailing zero bits are tolerated, bits beyond 32 are not. */
enum result der_get_bits(struct bytes content, uint32_t *out);
/* UTCTime or GeneralizedTime with seconds and Z, without fraction (RFC 5280 section 4.1.2.5). */
enum result der_get_time(const struct der *t, int64_t *out);

#endif
