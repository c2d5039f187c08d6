/*
 * client: one request to the signer, from a responder, the publisher or the command line.
 *
 * Opens a connection, sends, waits for the reply until the deadline, closes. R_UNAVAILABLE where the socket does not answer (nothing was
 * done), R_OUTCOME_UNKNOWN where the request was sent and no whole reply came: the same request may be sent again, the signer's records settle it.
 */
#ifndef CHANCERY_SIGNER_CLIENT_H
#define CHANCERY_SIGNER_CLIENT_H

#include "lib/signer/message.h"

/* request and answer are the structs of the verb; answer is filled on R_OK only. *detail (may be NULL) is the signer's detail text, in the arena,
 * "" where none. The result is the signer's own, or one of the transport's above. */
enum result signer_call(const char *socket, enum signer_verb verb, const void *request, int timeout_ms, struct arena *a, void *answer,
                        const char **detail);

/* Does anybody listen there? Asks nothing and logs nothing: for programs that wait for the signer to come back. */
bool signer_listens(const char *socket);

#endif
