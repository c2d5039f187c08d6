#include "lib/service/enrol.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/scep/cert_rep.h"
#include "lib/signer/client.h"

/* What is known of one request; each step adds to it. */
struct story {
    const struct enrol_context *context;
    struct endpoint *endpoint;
    const struct enrol_call *call;
    struct arena *arena;
    struct timespec began;
    struct message message;
    const char *transaction;           /* printable */
    struct cms_envelope envelope;
    bool addressed;                    /* envelope is filled */
    uint32_t generation;               /* index: the RA generation that opens the message and answers */
    struct bytes content;              /* of the envelope */
    struct csr csr;
    struct signer_certificate issued;
    const char *detail;                /* of a refusal, for the operator */
};

static enum result refuse(struct story *s, enum result r, const char *detail)
{
    s->detail = detail;
    return r;
}

/* ---- the steps ---- */

static enum result story_decode(struct story *s)
{
    enum result r = message_decode(s->call->message, s->arena, &s->message);

    if (r != R_OK)
        return refuse(s, r, "no SignedData with transactionID and senderNonce");
    log_context("txn", s->message.transaction.value);
    s->transaction = message_transaction_text(&s->message, s->arena);
    return s->transaction ? R_OK : R_NO_MEMORY;
}

/* Which RA generation the envelope is for, without opening anything. False: none that is here; then the newest is taken. */
static bool generation_choose(struct story *s)
{
    struct bytes certificates[SCEP_GENERATIONS];
    const struct endpoint *e = s->endpoint;
    int match = -1;

    for (uint32_t i = 0; i < e->generation_count; i++)
        certificates[i] = e->generations[i].encrypt_certificate;
    s->addressed = cms_envelope_peek(s->message.signed_data.content, certificates, e->generation_count, &s->envelope,
                                     &match) == R_OK;
    s->generation = match >= 0 ? (uint32_t)match : 0;
    return match >= 0;
}

static enum result story_type(struct story *s)
{
    return s->message.type == MESSAGE_PKCS_REQ ? R_OK : refuse(s, R_BAD_MESSAGE_TYPE, message_type_name(s->message.type));
}

static enum result story_verify(struct story *s)
{
    return s->message.signed_data.verified ? R_OK : refuse(s, R_SIGNATURE_FAILED, "the message's signature");
}

/* Algorithms that nobody may use. What a profile allows of the others is the signer's to judge. */
static enum result story_algorithms(struct story *s)
{
    uint32_t hash = s->message.signed_data.hash;

    if (hash == HASH_MD5 || hash >= HASH_OTHER)
        return refuse(s, R_BAD_MESSAGE, "the message's digest algorithm");
    if (!s->addressed)
        return refuse(s, R_BAD_MESSAGE, "no EnvelopedData inside");
    return s->envelope.cipher < CIPHER_DES ? R_OK : refuse(s, R_BAD_MESSAGE, "the envelope's cipher");
}

/* A generation that is not known yet may have been made a moment ago. */
static enum result story_generation(struct story *s)
{
    if (!generation_choose(s)) {
        endpoint_reload(s->context->endpoints, s->endpoint);
        generation_choose(s);
    }
    return R_OK;
}

/* One generation is tried, so that a message costs one private operation and its time tells nothing. */
static enum result story_open(struct story *s)
{
    const struct ra_generation *g = &s->endpoint->generations[s->generation];
    enum result r = cms_envelope_open(s->message.signed_data.content, g->encrypt, s->arena, &s->content);

    return r == R_OK ? r : refuse(s, r, "the envelope does not open");
}

static enum result story_read(struct story *s)
{
    enum result r = csr_decode(s->content, s->arena, &s->csr);

    return r == R_OK ? r : refuse(s, r, "the content is no certification request");
}

/* Does whoever sends this hold the key to be certified? Shown by the request's own signature and by the message's, whose
 * certificate counts for its key alone: its name, validity and extensions are the client's fancy (interop Q40 to Q42). */
static enum result story_possession(struct story *s)
{
    const struct public_key *wanted = &s->csr.key, *signer = &s->message.signed_data.signer_key;

    if (s->csr.hash == HASH_MD5 || csr_verify(&s->csr) != R_OK)
        return refuse(s, R_SIGNATURE_FAILED, "the certification request's signature");
    /* The parameters of an RSA key are absent with some encoders; the key is in the bits. */
    if (wanted->kind == KEY_RSA ? signer->kind != KEY_RSA || !bytes_equal(wanted->bits, signer->bits) :
                                  !bytes_equal(wanted->spki, signer->spki))
        return refuse(s, R_SIGNER_MISMATCH, "the message is signed by another key");
    return R_OK;
}

static enum result story_ask(struct story *s)
{
    const struct signer_enrol q = {.ca = s->endpoint->ca, .version = s->endpoint->staged, .challenge = s->csr.challenge,
        .spki = s->csr.key.spki, .claims = s->csr.claims, .transaction = s->transaction,
        .message_hash = s->message.signed_data.hash, .message_cipher = s->envelope.cipher, .oaep = s->envelope.oaep};

    if (!q.challenge)
        return refuse(s, R_CHALLENGE_MISSING, "no challengePassword");
    if (strlen(q.challenge) > LIMIT_CHALLENGE)
        return refuse(s, R_CHALLENGE_DECODING, "a challengePassword that is longer than any of ours");
    if (q.spki.n > LIMIT_SPKI)
        return refuse(s, R_CSR_DECODING_FAILED, "a public key that is larger than any that is served");
    enum result r = signer_call(s->context->signer_socket, SIGNER_ENROL, &q, LIMIT_SIGNER_MS, s->arena, &s->issued, &s->detail);
    if (r == R_OK && s->issued.certificate.n == 0)
        return refuse(s, R_INTERNAL, "the signer's answer holds no certificate");
    /* Claims that do not fit into a question were never seen by the signer: no challenge has opened. */
    return r == R_TOO_LARGE || r == R_BAD_INPUT ? refuse(s, R_CSR_DECODING_FAILED, "claims beyond the limits") : r;
}

/* In this order; the first that fails ends it. */
static enum result (*const steps[])(struct story *) = {
    story_type, story_verify, story_algorithms, story_generation, story_open, story_read, story_possession, story_ask,
};
#define STEPS (sizeof steps / sizeof steps[0])

/* ---- the answer ---- */

/* A name for the client only where the challenge has opened: what the signer says of a request that it could judge. */
static const char *client_text(enum result r)
{
    bool judged = result_http(r) == 200 && result_fail_info(r) != FAIL_BAD_MESSAGE_CHECK && r != R_BAD_MESSAGE_TYPE;

    return judged ? result_name(r) : NULL;
}

static enum result story_encode(struct story *s, enum result r, struct bytes *reply)
{
    const struct ra_generation *g = &s->endpoint->generations[s->generation];
    const struct responder by = {g->sign, g->sign_certificate};

    if (r == R_OK)
        return cert_rep_success(&s->message, s->envelope.cipher, &by, s->issued.certificate, s->arena, reply);
    return cert_rep_failure(&s->message, result_fail_info(r), client_text(r), &by, s->arena, reply);
}

/* Checks take different times and stop at different places; a stranger who could measure that would learn which one failed, with
 * decryption the beginning of an oracle. So all these answers come at one time, which is later than the slowest check. */
static void hold(const struct timespec *began)
{
    struct timespec until = *began;

    until.tv_nsec += ENROL_HOLD_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
}

static int64_t elapsed_ms(const struct story *s)
{
    return clock_monotonic_ms() - (s->began.tv_sec * 1000 + s->began.tv_nsec / 1000000);
}

/* NULL where the URI names none. */
static const char *variant(const struct story *s)
{
    return s->call->url->variant[0] ? s->call->url->variant : NULL;
}

static void log_enrolled(const struct story *s)
{
    struct certificate c;
    enum result r = certificate_decode(s->issued.certificate, s->arena, &c);

    log_event(LOG_LEVEL_INFO, "enrolled", LOG_TEXT("remote", s->call->remote), LOG_TEXT("ca", s->endpoint->ca),
              LOG_HEX("serial", r == R_OK ? c.serial : BYTES_NONE),
              LOG_TEXT("subject", r == R_OK ? name_text(&c.subject_name, s->arena) : NULL),
              LOG_TEXT("repeated", s->issued.repeated ? "yes" : "no"), LOG_TEXT("digest", hash_name(s->message.signed_data.hash)),
              LOG_TEXT("cipher", cipher_name(s->envelope.cipher)), LOG_TEXT("oaep", s->envelope.oaep ? "yes" : "no"),
              LOG_TEXT("variant", variant(s)), LOG_NUM("ms", elapsed_ms(s)));
}

static void log_refused(const struct story *s, enum result r)
{
    const char *subject = s->csr.der.p ? name_text(&s->csr.claims.subject, s->arena) : NULL;

    log_event(result_http(r) >= 500 ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "refused", LOG_RESULT(r),
              LOG_TEXT("detail", s->detail && s->detail[0] ? s->detail : NULL), LOG_TEXT("remote", s->call->remote),
              LOG_TEXT("ca", s->endpoint->ca), LOG_TEXT("subject", subject), LOG_TEXT("type", message_type_name(s->message.type)),
              LOG_TEXT("variant", variant(s)), LOG_NUM("ms", elapsed_ms(s)));
}

/* Encodes the answer to what the steps came to; R_OK where there is one. */
static enum result story_answer(struct story *s, enum result r, struct bytes *reply)
{
    enum result encoded = story_encode(s, r, reply);

    if (encoded != R_OK) {
        r = result_is_retryable(encoded) ? encoded : R_INTERNAL;
        log_refused(s, refuse(s, r, "the answer could not be made"));
        return r;
    }
    if (r == R_OK)
        log_enrolled(s);
    else
        log_refused(s, r);
    if (result_fail_info(r) == FAIL_BAD_MESSAGE_CHECK)
        hold(&s->began);
    return R_OK;
}

enum result enrol(const struct enrol_context *x, struct endpoint *endpoint, const struct enrol_call *call, struct arena *a,
                  struct bytes *reply)
{
    struct story s = {.context = x, .endpoint = endpoint, .call = call, .arena = a};

    clock_gettime(CLOCK_MONOTONIC, &s.began);
    enum result r = story_decode(&s);
    if (r != R_OK) {
        log_refused(&s, r);
        return r;
    }
    generation_choose(&s);
    for (size_t i = 0; r == R_OK && i < STEPS; i++)
        r = steps[i](&s);
    if (result_is_retryable(r)) {
        log_refused(&s, r);
        return r;
    }
    return story_answer(&s, r, reply);
}
