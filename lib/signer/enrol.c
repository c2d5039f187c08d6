/* What a message entitles by: a challenge, the certificate before, a request that waits; and what its holder may have again. */
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"
#include "lib/policy/challenge.h"
#include "lib/signer/issue.h"

static enum result challenge_open(struct worker *w, const char *text, struct challenge *out)
{
    uint8_t token[CHALLENGE_SIZE], plain[CHALLENGE_PLAIN];
    uint16_t generation = 0;
    size_t n = sizeof plain;
    const struct keyring_challenge_key *key = NULL;
    if (text == NULL || text[0] == '\0')
        return R_CHALLENGE_MISSING;
    enum result r = challenge_from_text(text, token, &generation);
    if (r == R_OK && generation == 0)
        r = R_CHALLENGE_DECRYPTION;
    if (r == R_OK) {
        r = keyring_challenge(&w->keyring, w->db, generation, &key);
        if (r == R_NOT_FOUND)
            r = R_CHALLENGE_DECRYPTION;
    }
    if (r == R_OK)
        r = gcm_open(key->key, BYTES(token, CHALLENGE_HEADER), BYTES(token + CHALLENGE_HEADER, CHALLENGE_SIZE - CHALLENGE_HEADER), plain, &n);
    if (r == R_OK)
        r = n == CHALLENGE_PLAIN ? challenge_unpack(plain, out) : R_CHALLENGE_DESERIALIZATION;
    return r;
}

enum result enrol_handle(struct worker_call *c, const struct signer_enrol *q, struct signer_certificate *out)
{
    struct issue e = {.call = c, .origin = &q->origin, .spki = q->spki, .claims = &q->claims};
    struct challenge opened;
    log_context("txn", bytes_of_text(q->origin.transaction));
    enum result r = challenge_open(c->worker, q->challenge, &opened);
    if (r == R_OK) {
        e.grant = (struct issuing_grant){.kind = ISSUING_CHALLENGE, .tenant = opened.tenant, .device = opened.device, .user = opened.user,
            .profile_revision = opened.profile_revision, .ca_version = opened.ca_version, .staged = opened.staged, .id = opened.id,
            .expires = opened.expires};
        r = issue_run(&e, out);
    } else {
        log_event(LOG_LEVEL_NOTICE, "challenge-refused", LOG_RESULT(r));
    }
    log_context(NULL, BYTES_NONE);
    return r;
}

/* The certificate is whole and in DER, as it was issued: its digest finds it. */
static enum result predecessor_find(struct worker_call *c, const struct signer_renew *q, struct issued_predecessor *out)
{
    struct certificate before;
    uint8_t sha256[32];
    if (certificate_decode(q->predecessor, c->arena, &before) != R_OK)
        return R_PREDECESSOR_UNKNOWN;
    digest_sha256(before.der, sha256);
    enum result r = issued_predecessor_find(c->worker->db, q->origin.ca, before.serial, sha256, out);
    return r == R_NOT_FOUND ? R_PREDECESSOR_UNKNOWN : r;
}

enum result renew_handle(struct worker_call *c, const struct signer_renew *q, struct signer_certificate *out)
{
    struct issued_predecessor predecessor;
    struct issue e = {.call = c, .origin = &q->origin, .predecessor = &predecessor, .spki = q->spki, .claims = &q->claims};
    log_context("txn", bytes_of_text(q->origin.transaction));
    enum result r = predecessor_find(c, q, &predecessor);
    if (r == R_OK) {
        e.grant = predecessor.grant;
        r = issue_run(&e, out);
    } else {
        log_event(LOG_LEVEL_NOTICE, "predecessor-refused", LOG_RESULT(r));
    }
    log_context(NULL, BYTES_NONE);
    return r;
}

enum result poll_handle(struct worker_call *c, const struct signer_poll *q, struct signer_certificate *out)
{
    struct request_found found;
    struct issue e = {.call = c, .origin = &q->origin};
    uint8_t spki_sha256[32];
    log_context("txn", bytes_of_text(q->origin.transaction));
    digest_sha256(q->spki, spki_sha256);
    enum result r = request_find(c->worker->db, q->origin.ca, q->origin.transaction, spki_sha256, c->arena, &found);
    if (r == R_OK) {
        e.grant = found.grant;
        e.spki = found.spki;
        r = issue_run(&e, out);
    } else {
        if (r == R_NOT_FOUND)
            r = R_REQUEST_UNKNOWN;
        log_event(LOG_LEVEL_NOTICE, "poll-refused", LOG_RESULT(r));
    }
    log_context(NULL, BYTES_NONE);
    return r;
}

enum result get_cert_handle(struct worker_call *c, const struct signer_get_cert *q, struct signer_certificate *out)
{
    uint8_t spki_sha256[32];
    log_context("txn", bytes_of_text(q->origin.transaction));
    digest_sha256(q->spki, spki_sha256);
    enum result r = issued_find(c->worker->db, q->origin.ca, q->serial, spki_sha256, c->arena, &out->certificate);
    if (r == R_NOT_FOUND)
        r = R_CERT_UNKNOWN;
    out->repeated = true;
    log_event(r == R_OK ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE, r == R_OK ? "certificate-given" : "certificate-not-given", LOG_RESULT(r),
              LOG_HEX("serial", q->serial));
    log_context(NULL, BYTES_NONE);
    return r;
}
