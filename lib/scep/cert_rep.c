#include "lib/scep/cert_rep.h"

#include "lib/base/limits.h"
#include "lib/codec/der.h"
#include "lib/codec/pkey.h"

#define TYPE_CERT_REP "3"
#define STATUS_SUCCESS "0"
#define STATUS_FAILURE "2"
#define ATTRIBUTES_MOST 7
#define FRAME_SIZE 256              /* bytes around the certificate in the degenerate SignedData */

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
static uint32_t answer_hash(const struct message *request)
{
    uint32_t hash = request->signed_data.hash;

    return hash == HASH_MD5 || hash >= HASH_OTHER ? HASH_SHA256 : hash;
}

static enum result answer_sign(const struct message *request, struct bytes content, struct answer *x, const struct responder *by,
                               struct arena *a, struct bytes *der)
{
    struct cms_attributes attributes = {x->items, x->count};

    return cms_sign(content, &attributes, by->key, answer_hash(request), &by->certificate, 1, a, der);
}

enum result cert_rep_success(const struct message *request, uint32_t cipher, const struct responder *by, struct bytes certificate,
                             struct arena *a, struct bytes *der)
{
    struct answer x;
    struct buf inner;
    struct bytes sealed;

    buf_init(&inner, certificate.n + FRAME_SIZE);
    if (cipher >= CIPHER_OTHER)
        cipher = CIPHER_AES128;
    enum result r = cms_certificates(&certificate, 1, &inner);
    if (r == R_OK)
        r = cms_seal(buf_bytes(&inner), request->signed_data.signer_certificate, cipher, a, &sealed);
    if (r == R_OK)
        r = answer_begin(request, STATUS_SUCCESS, &x);
    if (r == R_OK)
        r = answer_sign(request, sealed, &x, by, a, der);
    buf_free(&inner);
    return r;
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
