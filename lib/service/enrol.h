/*
 * enrol: the story of a PKIOperation (RFC 8894 section 4.3), from the bytes of a message to the bytes of the answer.
 *
 * decode → which kind → open the envelope → read the request → compare keys → ask the signer → encode. Nothing here
 * decides about a certificate: the signer opens the challenge and judges.
 *
 * Of the kinds of message PKCSReq is served; every other one gets a signed FAILURE badRequest before anything else happens.
 * Until a challenge has opened every failure is badMessageCheck without a text, and none comes back before ENROL_HOLD_MS, so that
 * neither words nor time tell a stranger which check it was.
 */
#ifndef CHANCERY_SERVICE_ENROL_H
#define CHANCERY_SERVICE_ENROL_H

#include "lib/scep/url.h"
#include "lib/service/endpoint.h"

#define ENROL_HOLD_MS 10

struct enrol_context {
    struct endpoints *endpoints;
    const char *signer_socket;         /* of the leaf lane */
};

struct enrol_call {
    const struct scep_url *url;
    struct bytes message;              /* DER or BER of the pkiMessage */
    const char *remote;                /* for the log */
};

/* R_OK: *reply is a CertRep, SUCCESS or FAILURE, to be sent with status 200. Else there is none: R_BAD_MESSAGE where no CertRep
 * can be made for what came (400), retryable results (503) where the same request may succeed later, R_INTERNAL (500). Logs
 * exactly one line, "enrolled" or "refused", and sets the log's context "txn". */
enum result enrol(const struct enrol_context *x, struct endpoint *endpoint, const struct enrol_call *call, struct arena *a,
                  struct bytes *reply);

#endif
