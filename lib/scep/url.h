/*
 * url: what a SCEP client asks for, from the request URI as it wrote it (RFC 8894 section 4.1).
 *
 *   /scep/<ca-id>[/v<version>][/p/<variant>][/<anything>]?operation=<name>[&message=<message>]
 *
 * Tolerated, since clients do it (interop rows Q2 to Q7, Q13, Q14): any path behind what is ours ("/pkiclient.exe"), either
 * case of operation and parameter names, unknown parameters, empty parameters (they count as absent). A message may have its
 * pluses bare or as spaces, line ends inside, either base64 alphabet, no padding, and be percent-encoded twice.
 *
 * Does not read a message sent by POST, which is the body as it is, and does not know whether the CA exists.
 */
#ifndef CHANCERY_SCEP_URL_H
#define CHANCERY_SCEP_URL_H

#include "lib/base/arena.h"
#include "lib/base/bytes.h"
#include "lib/policy/variant.h"

#define URL_CA_SIZE 37              /* an id in text form, with its NUL */

/* GetCACertChain is of drafts before RFC 8894 (interop Q15). */
enum scep_operation {
    OPERATION_NONE, OPERATION_GET_CA_CAPS, OPERATION_GET_CA_CERT, OPERATION_GET_CA_CERT_CHAIN, OPERATION_GET_NEXT_CA_CERT, OPERATION_PKI,
    OPERATION_OTHER
};
const char *scep_operation_name(enum scep_operation operation);      /* "-" for NONE, "other" for OTHER */

struct scep_url {
    char ca[URL_CA_SIZE];           /* lower case */
    uint32_t version;               /* a staged version; 0: production */
    struct variant variant;         /* all zero: none */
    enum scep_operation operation;  /* NONE: no such parameter; OTHER: one that is not served */
    struct bytes message;           /* as written, borrowed from uri; .p NULL: none */
};
/* R_NOT_FOUND where the path is not of that form, a variant of unknown words among it. */
enum result url_decode(const char *uri, struct scep_url *out);

/* The bytes of a message parameter, in the arena. R_BAD_INPUT where it is absent, empty or, with every tolerance above, no
 * base64. */
enum result url_message(struct bytes message, struct arena *a, struct bytes *out);

#endif
