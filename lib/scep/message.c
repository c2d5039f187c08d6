#include "lib/scep/message.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/codec/der.h"

static const struct { enum message_type type; const char *number, *name; } types[] = {
    {MESSAGE_CERT_REP, "3", "CertRep"}, {MESSAGE_RENEWAL_REQ, "17", "RenewalReq"}, {MESSAGE_PKCS_REQ, "19", "PKCSReq"},
    {MESSAGE_CERT_POLL, "20", "CertPoll"}, {MESSAGE_GET_CERT, "21", "GetCert"}, {MESSAGE_GET_CRL, "22", "GetCRL"},
};
#define TYPES (sizeof types / sizeof types[0])

/* PrintableString is what RFC 8894 asks for; the others are what clients have sent a transaction id in. */
static const int text_tags[] = {DER_PRINTABLE_STRING, DER_UTF8_STRING, DER_IA5_STRING, DER_VISIBLE_STRING, DER_NUMERIC_STRING,
                                DER_T61_STRING, DER_BMP_STRING};
#define TEXT_TAGS (sizeof text_tags / sizeof text_tags[0])

const char *message_type_name(enum message_type type)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].type == type)
            return types[i].name;
    return "other";
}

static const struct cms_attribute *attribute_find(const struct cms_attributes *list, const char *oid)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].oid, oid) == 0)
            return &list->items[i];
    return NULL;
}

static bool is_text(int tag)
{
    for (size_t i = 0; i < TEXT_TAGS; i++)
        if (text_tags[i] == tag)
            return true;
    return false;
}

static enum message_type type_decode(const struct cms_attribute *attribute)
{
    if (attribute == NULL || attribute->type != DER_PRINTABLE_STRING)
        return MESSAGE_OTHER;
    for (size_t i = 0; i < TYPES; i++)
        if (bytes_equal(attribute->value, bytes_of_text(types[i].number)))
            return types[i].type;
    return MESSAGE_OTHER;
}

enum result message_decode(struct bytes der, bool lenient, struct arena *a, struct message *out)
{
    struct message m = {.type = MESSAGE_OTHER};
    enum result r = cms_open_signed(der, lenient, a, &m.signed_data);

    if (r != R_OK)
        return r;
    const struct cms_attributes *attributes = &m.signed_data.attributes;
    const struct cms_attribute *transaction = attribute_find(attributes, OID_SCEP_TRANSACTION_ID);
    const struct cms_attribute *nonce = attribute_find(attributes, OID_SCEP_SENDER_NONCE);
    if (transaction == NULL || !is_text(transaction->type))
        return R_BAD_MESSAGE;
    if (transaction->value.n == 0 || transaction->value.n > LIMIT_SCEP_TRANSACTION_ID)
        return R_BAD_MESSAGE;
    if (nonce == NULL || nonce->type != DER_OCTET_STRING || nonce->value.n == 0 || nonce->value.n > LIMIT_SCEP_NONCE)
        return R_BAD_MESSAGE;
    m.type = type_decode(attribute_find(attributes, OID_SCEP_MESSAGE_TYPE));
    m.transaction = *transaction;
    m.sender_nonce = nonce->value;
    *out = m;
    return R_OK;
}

const char *message_transaction_text(const struct message *m, struct arena *a)
{
    static const char digits[] = "0123456789abcdef";
    struct bytes in = m->transaction.value;
    char *out = arena_alloc(a, 4 * in.n + 1);
    size_t n = 0;

    for (size_t i = 0; out != NULL && i < in.n; i++) {
        uint8_t c = in.p[i];
        if (c >= 0x20 && c < 0x7f && c != '\\') {
            out[n++] = (char)c;
        } else {
            memcpy(out + n, (char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4);
            n += 4;
        }
    }
    return out;
}
