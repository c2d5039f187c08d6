/*
 * rollover: the answer to GetNextCACert (RFC 8894 section 4.7): the certificates of the CA version that is staged to follow, signed by the one in production.
 */
#ifndef CHANCERY_SERVICE_ROLLOVER_H
#define CHANCERY_SERVICE_ROLLOVER_H

#include "lib/service/pki_operation.h"

/* Asks the signer, which builds and signs it, once for as long as the endpoint is kept. R_NOT_FOUND where no version is staged; whether one is by now is
 * looked up at most once in ENDPOINT_AGAIN_MS. */
enum result rollover_answer(const struct pki_context *x, struct endpoint *e, struct arena *a, struct bytes *answer);

#endif
