/* CMS messages put together by hand, for what OpenSSL would not write. Everything is in the arena. */
#ifndef CHANCERY_TESTS_CMS_MADE_H
#define CHANCERY_TESTS_CMS_MADE_H

#include "tests/unit/cms_fixture.h"

#define MESSAGE_BYTES 65536

enum length { DEFINITE, INDEFINITE };

static inline struct bytes kept(struct buf *b)
{
    cr_assert_not(b->failed);
    struct bytes copy = arena_bytes(&arena, buf_bytes(b));
    buf_free(b);
    return copy;
}

static inline struct bytes tlv(int tag, enum length length, struct bytes value)
{
    struct buf b;

    buf_init(&b, MESSAGE_BYTES);
    if (length == DEFINITE) {
        der_value(&b, tag, value.p, value.n);
    } else {
        buf_append(&b, (const uint8_t[]){(uint8_t)tag, 0x80}, 2);
        der_raw(&b, value);
        buf_append(&b, "\0\0", 2);
    }
    return kept(&b);
}

static inline struct bytes joined(const struct bytes *parts, size_t count)
{
    struct buf b;

    buf_init(&b, MESSAGE_BYTES);
    for (size_t i = 0; i < count; i++)
        der_raw(&b, parts[i]);
    return kept(&b);
}

#define JOINED(...) \
    joined((const struct bytes[]){__VA_ARGS__}, sizeof (const struct bytes[]){__VA_ARGS__} / sizeof(struct bytes))
#define SEQUENCE(...) tlv(DER_SEQUENCE, DEFINITE, JOINED(__VA_ARGS__))
#define HEX(text) BYTES(text, sizeof text - 1)
#define OID_OF_DATA HEX("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")
#define RSA_ENCRYPTION HEX("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00")

static inline struct bytes issuer_and_serial(const struct peer *p)
{
    unsigned char *der = NULL;
    int n = i2d_X509_NAME(X509_get_issuer_name(p->certificate), &der);
    struct bytes issuer = der_taken(der, n);

    der = NULL;
    n = i2d_ASN1_INTEGER(X509_get0_serialNumber(p->certificate), &der);
    return SEQUENCE(issuer, der_taken(der, n));
}

#endif
