/* PKCSReq and RenewalReq: a request for a certificate, by a challenge or by the certificate before (RFC 8894 sections 3.3.1 and 2.4). */
#include <string.h>

#include "lib/base/limits.h"
#include "lib/service/story.h"

static enum result enrol_read(struct story *s)
{
    enum result r = csr_decode(s->content, s->arena, &s->csr);

    return r == R_OK ? r : story_refuse(s, r, "the content is no certification request");
}

/* Is it a certificate that somebody else issued to the sender? One that it made itself says nothing but its key. */
static bool signer_is_certified(const struct story *s)
{
    struct certificate c;

    return certificate_decode(s->message.signed_data.signer_certificate, s->arena, &c) == R_OK && !bytes_equal(c.issuer, c.subject);
}

/* Does whoever sends this hold the key to be certified? Shown by the request's own signature and by the message's, whose
 * certificate counts for its key alone: its name, validity and extensions are the client's fancy (interop Q40 to Q42). Or the message is signed by a
 * certificate of ours, to be renewed: as RenewalReq, or as PKCSReq with another key than the request's (Q50). */
static enum result enrol_possess(struct story *s)
{
    if (csr_verify(&s->csr) != R_OK)
        return story_refuse(s, R_SIGNATURE_FAILED, "the certification request's signature");
    s->renewal = s->message.type == MESSAGE_RENEWAL_REQ;
    if (s->renewal || bytes_equal(s->csr.key.spki, s->message.signed_data.signer_key.spki))
        return R_OK;
    s->renewal = signer_is_certified(s);
    return s->renewal ? R_OK : story_refuse(s, R_SIGNER_MISMATCH, "the message is signed by another key");
}

static enum result ask_renew(struct story *s)
{
    /* A challenge that comes with it (interop Q49) is not looked at: what entitles is the certificate. */
    const struct signer_renew q = {.origin = story_origin(s), .predecessor = s->message.signed_data.signer_certificate,
        .spki = s->csr.key.spki, .claims = s->csr.claims};

    return q.predecessor.n > LIMIT_CERTIFICATE ? story_refuse(s, R_PREDECESSOR_UNKNOWN, "a certificate that is larger than any of ours") :
        story_call(s, SIGNER_RENEW, &q);
}

static enum result ask_enrol(struct story *s)
{
    const struct signer_enrol q = {.origin = story_origin(s), .challenge = s->csr.challenge, .spki = s->csr.key.spki, .claims = s->csr.claims};

    if (!q.challenge)
        return story_refuse(s, R_CHALLENGE_MISSING, "no challengePassword");
    if (strlen(q.challenge) > LIMIT_CHALLENGE)
        return story_refuse(s, R_CHALLENGE_DECODING, "a challengePassword that is longer than any of ours");
    return story_call(s, SIGNER_ENROL, &q);
}

static enum result enrol_ask(struct story *s)
{
    if (s->csr.key.spki.n > LIMIT_SPKI)
        return story_refuse(s, R_CSR_DECODING_FAILED, "a public key that is larger than any that is served");
    enum result r = s->renewal ? ask_renew(s) : ask_enrol(s);
    /* Claims that do not fit into a question were never seen by the signer: no challenge has opened. */
    return r == R_TOO_LARGE || r == R_BAD_INPUT ? story_refuse(s, R_CSR_DECODING_FAILED, "claims beyond the limits") : r;
}

story_step *const enrol_steps[] = {enrol_read, enrol_possess, enrol_ask, NULL};
