/*
 * pki_operation: the story of a PKIOperation (RFC 8894 section 4.3), from the bytes of a message to the bytes of the answer.
 *
 * decode → which kind → verify → algorithms → open the envelope (of a poll: not) → the steps of its kind → encode. The kinds: PKCSReq and RenewalReq (enrol.c),
 * CertPoll, GetCert and GetCRL (look_up.c). Every other one, the drafts' UpdateReq (18) among them, gets a signed FAILURE badRequest before anything
 * else happens: what is parsed and not served must never be signed. Nothing here decides about a certificate: the signer does.
 *
 * Refused here, whatever a profile says: AuthEnvelopedData, and recipients by password or key agreement, which no SCEP client needs and which have cost
 * others dearly; digests and ciphers that are unknown here; OAEP with a label. Which of the known ones a device may use is the profile's to say.
 *
 * One RA generation is tried, chosen by issuer and serial number or by key identifier, else the newest: a message costs one private operation. Until
 * whoever asks is known every failure is badMessageCheck without a text, and none comes back before PKI_HOLD_MS, so that neither words nor time tell a
 * stranger which check it was.
 *
 * What stands in an envelope is encrypted by CBC alone, so that anybody can send somebody else's again with blocks of it changed: an answer that tells
 * whether what comes out is well formed reads it byte for byte, the challenge among it. So nothing is answered by another failInfo than
 * badMessageCheck before the content was shown to be what only who knows it could have written: a request's own signature, or the CA's whole name. A poll
 * holds nothing of that kind; transaction and key say which it is, and its envelope stays shut.
 */
#ifndef CHANCERY_SERVICE_PKI_OPERATION_H
#define CHANCERY_SERVICE_PKI_OPERATION_H

#include "lib/scep/url.h"
#include "lib/service/endpoint.h"

#define PKI_HOLD_MS 10

/* Where CRLs are read: scep_crl_read with its database as context. */
typedef enum result pki_crl_read(void *context, const char *ca, uint32_t staged, struct bytes serial, struct arena *a, struct scep_crl *out);

struct pki_context {
    struct endpoints *endpoints;
    const char *signer_socket;         /* of the leaf lane */
    pki_crl_read *crl_read;
    void *crl_context;
};

struct pki_call {
    const struct scep_url *url;
    struct bytes message;              /* DER or BER of the pkiMessage */
    const char *remote;                /* for the log */
};

/* R_OK: *reply is a CertRep (SUCCESS, PENDING or FAILURE), to be sent with status 200. Else there is none: R_BAD_MESSAGE where no CertRep
 * can be made for what came (400), retryable results (503) where the same request may succeed later, R_INTERNAL (500). Logs
 * exactly one line, and sets the log's context "txn". */
enum result pki_operation(const struct pki_context *x, struct endpoint *endpoint, const struct pki_call *call, struct arena *a,
                          struct bytes *reply);

#endif
