/*
 * octets: bytes of messages that are made up, and how they are written: DER, and BER as some clients write it.
 *
 * Everything lives until octets_free(), which ends one message. Whatever cannot be had ends the program.
 */
#ifndef CHANCERY_TESTS_FLOW_OCTETS_H
#define CHANCERY_TESTS_FLOW_OCTETS_H

#include <stdbool.h>
#include <stddef.h>

struct octets { unsigned char *p; size_t n; };
#define OCTETS_NONE ((struct octets){NULL, 0})

void octets_free(void);
struct octets octets_of(const void *p, size_t n);          /* a copy */
struct octets octets_text(const char *text);
struct octets octets_hex(const char *hex);
struct octets octets_percent(const char *text);            /* %00 and so on stand for octets */
struct octets octets_file(const char *path);
struct octets octets_joined(const struct octets *list, size_t count);
#define JOIN(...) \
    octets_joined((const struct octets[]){__VA_ARGS__}, sizeof (const struct octets[]){__VA_ARGS__} / sizeof (struct octets))

/* How one layer of a message is written: with indefinite lengths, with strings in pieces of so many octets (0: whole). */
struct style { bool indefinite; size_t piece; };
#define STYLE_DER ((struct style){false, 0})

enum {
    TAG_INTEGER = 0x02, TAG_BIT_STRING = 0x03, TAG_OCTET_STRING = 0x04, TAG_NULL = 0x05, TAG_OID = 0x06, TAG_UTC_TIME = 0x17,
    TAG_GENERALIZED_TIME = 0x18, TAG_SEQUENCE = 0x30, TAG_SET = 0x31
};
#define TAG_CONTEXT(n) (0x80 + (n))                        /* IMPLICIT, of a string */
#define TAG_EXPLICIT(n) (0xa0 + (n))                       /* and of what is constructed */

struct octets tlv(int tag, struct octets content);
struct octets tlv_styled(int tag, struct octets content, struct style style);      /* of what is constructed */
struct octets string_styled(int tag, struct octets content, struct style style);   /* of an OCTET STRING */
struct octets tlv_integer(long n);
struct octets tlv_oid(const char *dotted);
/* AlgorithmIdentifier; parameters OCTETS_NONE: absent. */
struct octets tlv_algorithm(const char *oid, struct octets parameters);
/* Attribute: SEQUENCE { OID, SET OF values }. */
struct octets tlv_attribute(const char *oid, struct octets values);
#define TLV_NULL tlv(TAG_NULL, OCTETS_NONE)
/* The elements of a list put in the order of a DER SET OF. */
void set_sort(struct octets *list, size_t count);
/* What an i2d function of libcrypto allocated. */
struct octets octets_taken(unsigned char *der, int n);

#endif
