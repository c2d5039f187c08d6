/*
 * rollover: the answer to GetNextCACert (RFC 8894 section 4.7): the certificates of the CA version that is staged to follow, signed by the one in production.
 */
#ifndef CHANCERY_SERVICE_ROLLOVER_H
#define CHANCERY_SERVICE_ROLLOVER_H

#include "lib/service/endpoint.h"

/* Asks the signer, which builds and signs it, once for as long as the endpoint is kept. R_NOT_FOUND where no version is staged. */
enum result rollover_answer(const char *signer_socket, struct endpoint *e, struct arena *a, struct bytes *answer);

#endif
