/*
 * issue: from what entitles to a certificate to the certificate: read once, judge, decide the content, check, sign, record (DESIGN sections 2.2 to
 * 2.4). For enrol.c, which knows by what a message entitles: a challenge, the certificate before, or a request that waits.
 *
 * Of a profile whose approval is manual, the first message records a request; nothing is signed until what would be issued then is exactly what was
 * approved. Somebody who repeats a message that led to something gets the same again.
 */
#ifndef CHANCERY_SIGNER_ISSUE_H
#define CHANCERY_SIGNER_ISSUE_H

#include "lib/signer/worker.h"
#include "lib/store/issued.h"
#include "lib/store/request.h"

struct issue {
    struct worker_call *call;
    const struct signer_origin *origin;
    struct issuing_grant grant;
    const struct issued_predecessor *predecessor;      /* for a grant of that kind */
    struct bytes spki;
    const struct claims *claims;     /* NULL for a poll: what is asked for was compared when the request came */

    /* the rest is issue_run's */
    uint8_t spki_sha256[32], content_sha256[32];
    struct public_key key;
    struct issuing_facts facts;
    const struct keyring_ca *ca;
    struct name subject;
    struct sans sans;
    struct certificate made;
    uint32_t crl_shard;
    int64_t request;                 /* that was approved; 0: none is needed */
};

/* Decides and, where it issues, records. Refusals are logged with field and both values, audited, and detailed for the caller. */
enum result issue_run(struct issue *e, struct signer_certificate *out);

#endif
