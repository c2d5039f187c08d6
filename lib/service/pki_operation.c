#include "lib/service/pki_operation.h"

#include <errno.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/scep/cert_rep.h"
#include "lib/service/story.h"
#include "lib/signer/client.h"

#define FRAME_SIZE 512               /* bytes around the certificates in the degenerate SignedData */

enum result story_refuse(struct story *s, enum result r, const char *detail)
{
    s->detail = detail;
    return r;
}

struct signer_origin story_origin(const struct story *s)
{
    return (struct signer_origin){.ca = s->endpoint->ca, .version = s->endpoint->staged, .transaction = s->transaction,
        .algorithms = {.hash = s->message.signed_data.hash, .request_hash = s->csr.der.p ? s->csr.hash : HASH_SHA256,
                       .cipher = s->envelope.cipher, .oaep = s->envelope.oaep, .oaep_hash = s->envelope.oaep_hash,
                       .lenient = s->message.signed_data.lenient}};
}

enum result story_call(struct story *s, enum signer_verb verb, const void *question)
{
    enum result r = signer_call(s->context->signer_socket, verb, question, LIMIT_SIGNER_MS, s->arena, &s->issued, &s->detail);

    return r == R_OK && !s->issued.pending && s->issued.certificate.n == 0 ?
        story_refuse(s, R_INTERNAL, "the signer's answer holds no certificate") : r;
}

/* ---- the steps that all kinds share ---- */

static enum result story_decode(struct story *s)
{
    enum result r = message_decode(s->call->message, s->call->url->variant.lenient, s->arena, &s->message);

    if (r != R_OK)
        return story_refuse(s, r, "no SignedData with transactionID and senderNonce");
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

static enum result story_verify(struct story *s)
{
    return s->message.signed_data.verified ? R_OK : story_refuse(s, R_SIGNATURE_FAILED, "the message's signature");
}

/* Algorithms that nobody may use. What a profile allows of the others is the signer's to judge. */
static enum result story_algorithms(struct story *s)
{
    if (s->message.signed_data.hash >= HASH_OTHER)
        return story_refuse(s, R_BAD_MESSAGE, "the message's digest algorithm");
    if (!s->addressed)
        return story_refuse(s, R_BAD_MESSAGE, "no EnvelopedData inside");
    return s->envelope.cipher < CIPHER_OTHER ? R_OK : story_refuse(s, R_BAD_MESSAGE, "the envelope's cipher");
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

    return r == R_OK ? r : story_refuse(s, r, "the envelope does not open");
}

static story_step *const open_steps[] = {story_verify, story_algorithms, story_generation, story_open, NULL};
/* Of a poll nothing in the envelope counts, so it stays shut (pki_operation.h). */
static story_step *const shut_steps[] = {story_verify, story_algorithms, story_generation, NULL};

/* The kinds of message that are served; what is not here is refused first. */
static const struct { enum message_type type; story_step *const *before, *const *steps; } kinds[] = {
    {MESSAGE_PKCS_REQ, open_steps, enrol_steps}, {MESSAGE_RENEWAL_REQ, open_steps, enrol_steps}, {MESSAGE_CERT_POLL, shut_steps, poll_steps},
    {MESSAGE_GET_CERT, open_steps, get_cert_steps}, {MESSAGE_GET_CRL, open_steps, get_crl_steps},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static enum result story_run(struct story *s, story_step *const *steps)
{
    enum result r = R_OK;

    for (; r == R_OK && *steps; steps++)
        r = (*steps)(s);
    return r;
}

static enum result story_tell(struct story *s)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].type == s->message.type) {
            enum result r = story_run(s, kinds[i].before);
            return r == R_OK ? story_run(s, kinds[i].steps) : r;
        }
    return story_refuse(s, R_BAD_MESSAGE_TYPE, message_type_name(s->message.type));
}

/* ---- the answer ---- */

/* A name for the client only where whoever asks is known: what was said of a request that could be judged. */
static const char *client_text(const struct story *s, enum result r)
{
    bool judged = result_http(r) == 200 && result_fail_info(r) != FAIL_BAD_MESSAGE_CHECK && r != R_BAD_MESSAGE_TYPE;

    return !judged ? NULL : s->text ? s->text : result_name(r);
}

/* The issued certificate first (interop Q26), and behind it what the variant asks for (Q25). */
static enum result story_certificates(struct story *s)
{
    const struct endpoint *e = s->endpoint;
    uint32_t reply_chain = s->call->url->variant.reply_chain, count = 0;
    struct bytes list[2 + LIMIT_CHAIN];
    size_t size = FRAME_SIZE;
    struct buf out;

    list[count++] = s->issued.certificate;
    if (reply_chain != REPLY_CHAIN_NONE && s->issued.issuer.n > 0)
        list[count++] = s->issued.issuer;
    /* What stands above the CA version in production, not above an earlier one. */
    for (uint32_t i = 0; reply_chain == REPLY_CHAIN_FULL && bytes_equal(s->issued.issuer, e->certificate) && i < e->chain_count; i++)
        list[count++] = e->chain[i];
    for (uint32_t i = 0; i < count; i++)
        size += list[i].n;
    buf_init(&out, size);
    enum result r = cms_certificates(list, count, &out);
    if (r == R_OK) {
        s->answer = arena_bytes(s->arena, buf_bytes(&out));
        r = s->answer.p ? R_OK : R_NO_MEMORY;
    }
    buf_free(&out);
    return r;
}

static enum result story_encode(struct story *s, enum result r, struct bytes *reply)
{
    const struct ra_generation *g = &s->endpoint->generations[s->generation];
    const struct responder by = {g->sign, g->sign_certificate, &s->call->url->variant};

    if (r != R_OK)
        return cert_rep_failure(&s->message, result_fail_info(r), client_text(s, r), &by, s->arena, reply);
    if (s->issued.pending)
        return cert_rep_pending(&s->message, &by, s->arena, reply);
    if (!s->answer.p)
        r = story_certificates(s);
    return r == R_OK ? cert_rep_success(&s->message, s->envelope.cipher, &by, s->answer, s->arena, reply) : r;
}

/* Checks take different times and stop at different places; a stranger who could measure that would learn which one failed, with
 * decryption the beginning of an oracle. So all these answers come at one time, which is later than the slowest check. */
static void hold(const struct timespec *began)
{
    struct timespec until = *began;

    until.tv_nsec += PKI_HOLD_MS * 1000000L;
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
    char text[VARIANT_SIZE];

    variant_to_text(&s->call->url->variant, text);
    return text[0] ? arena_text(s->arena, text, strlen(text)) : NULL;
}

static void log_answered(const struct story *s)
{
    struct certificate c;
    bool issued = s->issued.certificate.n > 0 && certificate_decode(s->issued.certificate, s->arena, &c) == R_OK;
    bool enrolled = issued && s->message.type != MESSAGE_GET_CERT;

    log_event(LOG_LEVEL_INFO, s->issued.pending ? "pending" : enrolled ? "enrolled" : "answered", LOG_TEXT("remote", s->call->remote),
              LOG_TEXT("ca", s->endpoint->ca), LOG_TEXT("type", message_type_name(s->message.type)),
              LOG_HEX("serial", issued ? c.serial : BYTES_NONE), LOG_TEXT("subject", issued ? name_text(&c.subject_name, s->arena) : NULL),
              LOG_TEXT("repeated", s->issued.repeated ? "yes" : "no"), LOG_TEXT("renewal", s->renewal ? "yes" : "no"),
              LOG_TEXT("digest", hash_name(s->message.signed_data.hash)), LOG_TEXT("cipher", cipher_name(s->envelope.cipher)),
              LOG_TEXT("oaep", s->envelope.oaep ? hash_name(s->envelope.oaep_hash) : "no"),
              LOG_TEXT("ber", s->message.signed_data.ber ? "yes" : "no"), LOG_TEXT("lenient", s->message.signed_data.lenient ? "yes" : "no"),
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
        log_refused(s, story_refuse(s, r, "the answer could not be made"));
        return r;
    }
    if (r == R_OK)
        log_answered(s);
    else
        log_refused(s, r);
    if (result_fail_info(r) == FAIL_BAD_MESSAGE_CHECK)
        hold(&s->began);
    return R_OK;
}

enum result pki_operation(const struct pki_context *x, struct endpoint *endpoint, const struct pki_call *call, struct arena *a,
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
    r = story_tell(&s);
    if (result_is_retryable(r)) {
        log_refused(&s, r);
        return r;
    }
    return story_answer(&s, r, reply);
}
