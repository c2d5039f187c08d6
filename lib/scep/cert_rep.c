#include "lib/scep/cert_rep.h"

#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/pkey.h"

#define TYPE_CERT_REP "3"
#define STATUS_SUCCESS "0"
#define STATUS_FAILURE "2"
#define STATUS_PENDING "3"
#define ATTRIBUTES_MOST 7

/* The attributes of one answer, and the fresh nonce that one of them borrows. */
struct answer {
    struct cms_attribute items[ATTRIBUTES_MOST];
    uint32_t count;
    uint8_t nonce[LIMIT_SCEP_NONCE];
};

static void attribute_add(struct answer *x, const char *oid, int type, struct bytes value)
{
    x->items[x->count++] = (struct cms_attribute){oid, type, value};
}

static enum result answer_begin(const struct message *request, const char *status, struct answer *x)
{
    x->count = 0;
    enum result r = random_bytes(x->nonce, request->sender_nonce.n);
    if (r != R_OK)
        return r;
    attribute_add(x, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, bytes_of_text(TYPE_CERT_REP));
    attribute_add(x, OID_SCEP_PKI_STATUS, DER_PRINTABLE_STRING, bytes_of_text(status));
    attribute_add(x, OID_SCEP_TRANSACTION_ID, request->transaction.type, request->transaction.value);
    attribute_add(x, OID_SCEP_RECIPIENT_NONCE, DER_OCTET_STRING, request->sender_nonce);
    attribute_add(x, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, BYTES(x->nonce, request->sender_nonce.n));
    return R_OK;
}

/* A digest that must not be used any more is not mirrored. */
static uint32_t answer_hash(const struct message *request, const struct variant *variant)
{
    uint32_t hash = request->signed_data.hash;

    if (hash != HASH_MD5 && hash < HASH_OTHER)
        return hash;
    return variant->capabilities == CAPABILITIES_LEGACY ? HASH_SHA1 : HASH_SHA256;
}

static uint32_t answer_cipher(uint32_t cipher, const struct variant *variant)
{
    if (cipher >= CIPHER_OTHER || (cipher == CIPHER_DES && variant->capabilities != CAPABILITIES_LEGACY))
        return CIPHER_AES128;
    return cipher;
}

static enum result answer_sign(const struct message *request, struct bytes content, struct answer *x, const struct responder *by,
                               struct arena *a, struct bytes *der)
{
    struct cms_attributes attributes = {x->items, x->count};

    return cms_sign(content, &attributes, by->key, answer_hash(request, by->variant), &by->certificate, 1, a, der);
}

enum result cert_rep_success(const struct message *request, uint32_t cipher, const struct responder *by, struct bytes content, struct arena *a,
                             struct bytes *der)
{
    struct answer x;
    struct bytes sealed;
    enum result r = cms_seal(content, request->signed_data.signer_certificate, answer_cipher(cipher, by->variant), a, &sealed);

    if (r == R_OK)
        r = answer_begin(request, STATUS_SUCCESS, &x);
    return r == R_OK ? answer_sign(request, sealed, &x, by, a, der) : r;
}

enum result cert_rep_pending(const struct message *request, const struct responder *by, struct arena *a, struct bytes *der)
{
    struct answer x;
    enum result r = answer_begin(request, STATUS_PENDING, &x);

    return r == R_OK ? answer_sign(request, BYTES_NONE, &x, by, a, der) : r;
}

enum result cert_rep_failure(const struct message *request, enum fail_info fail, const char *text, const struct responder *by,
                             struct arena *a, struct bytes *der)
{
    struct answer x;
    const uint8_t number = (uint8_t)('0' + fail);

    if (fail < FAIL_BAD_ALG || fail > FAIL_BAD_CERT_ID)
        return R_INTERNAL;
    enum result r = answer_begin(request, STATUS_FAILURE, &x);
    if (r != R_OK)
        return r;
    attribute_add(&x, OID_SCEP_FAIL_INFO, DER_PRINTABLE_STRING, BYTES(&number, 1));
    if (text != NULL)
        attribute_add(&x, OID_SCEP_FAIL_INFO_TEXT, DER_UTF8_STRING, bytes_of_text(text));
    return answer_sign(request, BYTES_NONE, &x, by, a, der);
}
