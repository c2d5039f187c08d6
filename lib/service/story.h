/*
 * story: one PKIOperation while it is told. For pki_operation.c and the files that hold the steps of a kind of message: enrol.c, look_up.c.
 */
#ifndef CHANCERY_SERVICE_STORY_H
#define CHANCERY_SERVICE_STORY_H

#include <time.h>

#include "lib/codec/csr.h"
#include "lib/scep/message.h"
#include "lib/service/pki_operation.h"
#include "lib/signer/message.h"

/* What is known of one request; each step adds to it. */
struct story {
    const struct pki_context *context;
    struct endpoint *endpoint;
    const struct pki_call *call;
    struct arena *arena;
    struct timespec began;
    struct message message;
    const char *transaction;           /* printable */
    struct cms_envelope envelope;
    bool addressed;                    /* envelope is filled */
    uint32_t generation;               /* index: the RA generation that opens the message and answers */
    struct bytes content;              /* of the envelope */
    struct csr csr;                    /* of PKCSReq and RenewalReq; .der.p NULL before it is read */
    bool renewal;                      /* signed by the certificate before, not by the new key */
    struct signer_certificate issued;  /* what the signer gave: a certificate, or that it waits */
    struct bytes answer;               /* the content of SUCCESS, a degenerate SignedData; .p NULL: of the certificate above */
    const char *detail;                /* of a refusal, for the operator */
    const char *text;                  /* of a refusal, for the client; NULL: the result's name */
};
typedef enum result story_step(struct story *s);

enum result story_refuse(struct story *s, enum result r, const char *detail);
/* What the signer has to know of the message. */
struct signer_origin story_origin(const struct story *s);
/* Asks the signer; s->issued is filled. */
enum result story_call(struct story *s, enum signer_verb verb, const void *question);

/* The steps of each kind, after the envelope is open; NULL ends. */
extern story_step *const enrol_steps[], *const poll_steps[], *const get_cert_steps[], *const get_crl_steps[];

#endif
