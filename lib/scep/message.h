/*
 * message: a SCEP message's outer layer (RFC 8894 sections 3.1 and 3.2): who says it, which kind, which transaction.
 *
 * Each attribute's presence, type and length is checked. Not looked at: recipientNonce, which clients have no reason to send, and
 * what is inside. Not judged: whether the signature verifies (signed_data.verified), which kinds are served.
 */
#ifndef CHANCERY_SCEP_MESSAGE_H
#define CHANCERY_SCEP_MESSAGE_H

#include "lib/codec/cms.h"

#define OID_SCEP_MESSAGE_TYPE "2.16.840.1.113733.1.9.2"
#define OID_SCEP_PKI_STATUS "2.16.840.1.113733.1.9.3"
#define OID_SCEP_FAIL_INFO "2.16.840.1.113733.1.9.4"
#define OID_SCEP_SENDER_NONCE "2.16.840.1.113733.1.9.5"
#define OID_SCEP_RECIPIENT_NONCE "2.16.840.1.113733.1.9.6"
#define OID_SCEP_TRANSACTION_ID "2.16.840.1.113733.1.9.7"
#define OID_SCEP_FAIL_INFO_TEXT "1.3.6.1.5.5.7.24.1"

enum message_type {
    MESSAGE_OTHER = 0,                 /* none, no PrintableString, or a number that RFC 8894 does not give */
    MESSAGE_CERT_REP = 3, MESSAGE_RENEWAL_REQ = 17, MESSAGE_PKCS_REQ = 19, MESSAGE_CERT_POLL = 20, MESSAGE_GET_CERT = 21,
    MESSAGE_GET_CRL = 22,
};
const char *message_type_name(enum message_type type);      /* "PKCSReq"; "other" */

struct message {
    struct cms_signed signed_data;
    enum message_type type;
    struct cms_attribute transaction;  /* 1 to LIMIT_SCEP_TRANSACTION_ID octets, opaque (interop Q32), with its string type */
    struct bytes sender_nonce;         /* 1 to LIMIT_SCEP_NONCE octets */
};
/* R_BAD_MESSAGE where it cannot be answered in SCEP: no SignedData, no transactionID or no senderNonce of the right type and
 * length. A messageType that is missing or odd makes it MESSAGE_OTHER, which can be. lenient: see cms_open_signed. */
enum result message_decode(struct bytes der, bool lenient, struct arena *a, struct message *out);

/* The transaction id in printable ASCII: other bytes and backslashes as \xHH. NULL where memory ran out. */
const char *message_transaction_text(const struct message *m, struct arena *a);

#endif
