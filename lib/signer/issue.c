#include "lib/signer/issue.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/policy/bounds.h"
#include "lib/signer/issue_content.h"

#define DAY 86400
#define CHALLENGE_DAYS_MOST 91       /* no profile gives a longer life, and a day for clocks */

static enum result refuse(struct issue *e, struct verdict *v, enum result r, const char *field, const char *found, const char *wanted)
{
    return verdict_refuse(v, e->call->arena, r, field, found, wanted);
}

static const char *time_text(const struct issue *e, int64_t t)
{
    char text[CLOCK_ISO_SIZE];
    clock_to_iso(t, text);
    return arena_text(e->call->arena, text, strlen(text));
}

/* ---- what must hold before anything is computed ---- */

/* The grant and the URL name the same CA and version. Only a challenge may be for a staged version. */
static enum result check_address(struct issue *e, struct verdict *v)
{
    const struct issuing_facts *f = &e->facts;
    const struct issuing_grant *g = &e->grant;
    if (f->ca_uuid == NULL || strcasecmp(f->ca_uuid, e->origin->ca) != 0)
        return refuse(e, v, R_WRONG_CA, "ca", e->origin->ca, f->ca_uuid);
    if (g->staged != (e->origin->version != 0) || (g->staged && e->origin->version != f->ca_version_number))
        return refuse(e, v, R_WRONG_CA, "ca version", g->staged ? "a grant for a staged version" : "a grant for production", "the version of the URL");
    return R_OK;
}

static enum result check_ca(struct issue *e, struct verdict *v)
{
    static const struct { const char *state; enum result result; } states[] = {{"paused", R_CA_PAUSED}, {"revoked", R_CA_REVOKED}};
    const struct issuing_facts *f = &e->facts;
    enum result r = R_CA_INACTIVE;
    if (!f->ca_deleted && strcmp(f->ca_state, "active") == 0)
        return R_OK;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (strcmp(f->ca_state, states[i].state) == 0)
            r = states[i].result;
    return refuse(e, v, r, "ca", f->ca_deleted ? "deleted" : f->ca_state, "active");
}

static enum result check_times(struct issue *e, struct verdict *v)
{
    const struct issuing_grant *g = &e->grant;
    int64_t now = e->facts.now;
    if (g->kind == ISSUING_PREDECESSOR) {
        if (e->predecessor->revoked || g->expires <= now)
            return refuse(e, v, R_PREDECESSOR_INVALID, "predecessor", e->predecessor->revoked ? "revoked" : "expired", "valid");
    } else if (g->expires <= now) {
        return refuse(e, v, R_CHALLENGE_EXPIRED, "challenge", time_text(e, g->expires), time_text(e, now));
    } else if (g->expires > now + CHALLENGE_DAYS_MOST * DAY) {
        return refuse(e, v, R_CHALLENGE_TIMESTAMP, "challenge", time_text(e, g->expires), "within 90 days");
    }
    return R_OK;
}

/* Device, user, profile and assignment are as they were when the grant was given. */
static enum result check_target(struct issue *e, struct verdict *v)
{
    const struct issuing_facts *f = &e->facts;
    if (f->device_state == NULL || strcmp(f->device_state, "enrolled") != 0)
        return refuse(e, v, R_BAD_DEVICE, "device", f->device_state ? f->device_state : "unknown", "enrolled");
    if (e->grant.user != 0 && (f->user_state == NULL || strcmp(f->user_state, "active") != 0))
        return refuse(e, v, R_BAD_USER, "user", f->user_state ? f->user_state : "unknown", "active");
    if (f->profile_name == NULL || f->profile_deleted || !f->profile_of_ca)
        return refuse(e, v, R_NOT_TARGETED, "profile", f->profile_name ? "deleted or of another CA" : "unknown revision", "a current profile");
    if (f->delivery_state == NULL || strcmp(f->delivery_state, "current") != 0)
        return refuse(e, v, R_NOT_TARGETED, "assignment", f->delivery_state ? f->delivery_state : "none", "current");
    return R_OK;
}

static enum result check_grant(struct issue *e, struct verdict *v)
{
    const struct issuing_facts *f = &e->facts;
    if (e->grant.kind == ISSUING_CHALLENGE)
        return f->delivery_challenge == (int64_t)e->grant.id ? R_OK
            : refuse(e, v, R_BAD_REQUEST_ID, "challenge", "replaced by a newer one", "the newest challenge");
    int64_t begin = profile_renewal_begin(&f->profile, e->predecessor->not_before, e->predecessor->not_after);
    if (!f->profile.renewal)
        return refuse(e, v, R_RENEWAL_OFF, "profile", "renewal by certificate is off", "a challenge");
    if (f->now < begin)
        return refuse(e, v, R_RENEWAL_EARLY, "predecessor", time_text(e, f->now),
                      arena_printf(e->call->arena, "%s or later: %u per cent of its life left", time_text(e, begin), f->profile.renewal_threshold));
    return R_OK;
}

static enum result check_key(struct issue *e, struct verdict *v)
{
    int64_t holder = e->facts.key_device;
    if (holder != 0 && holder != (int64_t)e->grant.device)
        return refuse(e, v, R_KEY_MISMATCH, "key", "certified for another device", "a key of this device");
    if (holder != 0 && e->grant.kind == ISSUING_PREDECESSOR)
        return refuse(e, v, R_KEY_NOT_NEW, "key", "certified before", "a new key");
    return R_OK;
}

static enum result check_algorithms(struct issue *e, struct verdict *v)
{
    const struct profile *p = &e->facts.profile;
    struct variant variant;
    if (variant_from_text(p->variant, &variant) != R_OK)
        return R_INTERNAL;
    return algorithms_check(p->algorithms, variant.lenient, &e->origin->algorithms, e->call->arena, v);
}

typedef enum result issue_rule(struct issue *e, struct verdict *v);
static enum result check(struct issue *e, issue_rule *const *rules, struct verdict *v)
{
    enum result r = R_OK;
    for (; r == R_OK && *rules; rules++)
        r = (*rules)(e, v);
    return r;
}

/* ---- the ways to an answer ---- */

static enum result issue_record(struct issue *e, struct bytes *previous)
{
    struct worker_call *c = e->call;
    uint8_t sha1[20], sha256[32];
    struct issuing_record rec = {.delivery = e->facts.delivery, .spki_sha256 = e->spki_sha256, .sha1 = sha1, .sha256 = sha256, .serial = e->made.serial,
        .der = e->made.der, .not_before = e->made.not_before, .not_after = e->made.not_after, .crl_shard = e->crl_shard,
        .subject = name_text(&e->made.subject_name, c->arena), .transaction = e->origin->transaction, .request = e->request,
        .content_sha256 = e->request != 0 ? e->content_sha256 : NULL};
    enum result r = issue_names(&e->made, c->arena, &rec);
    if (r != R_OK)
        return r;
    digest_sha1(e->made.der, sha1);
    digest_sha256(e->made.der, sha256);
    r = issuing_enrol_write(c->worker->db, &e->grant, &rec, c->arena, previous);
    if (r != R_OK)
        worker_detail_db(c);
    return r;
}

/* What is given again may be of the CA version before: so is what stands behind it. */
static enum result issue_issuer(struct issue *e, struct signer_certificate *out)
{
    struct issuing_spent spent;
    enum result r = issuing_enrol_spent(e->call->worker->db, &e->grant, e->call->arena, &spent);
    if (r == R_OK && spent.issuer.p != NULL)
        out->issuer = spent.issuer;
    return r;
}

/* Signs what was prepared and records it. */
static enum result issue_finish(struct issue *e, struct signer_certificate *out)
{
    struct bytes previous = BYTES_NONE;
    enum result r = certificate_sign(e->ca->key, e->call->arena, &e->made);
    if (r == R_OK)
        r = issue_record(e, &previous);
    if (r == R_OK) {
        out->repeated = previous.p != NULL;
        out->certificate = out->repeated ? previous : e->made.der;
    }
    return r == R_OK && out->repeated ? issue_issuer(e, out) : r;
}

/* Is about to be refused, or to wait: what was spent with this key gets its certificate again, whatever has become of the grant, the device or the CA
 * since; with another key, that is the reason to name. Otherwise the refusal stays as it was. */
static enum result issue_repeat(struct issue *e, enum result refusal, struct verdict *v, struct signer_certificate *out)
{
    const char *kind = issuing_kind_name(e->grant.kind);
    struct issuing_spent spent;
    enum result r = issuing_enrol_spent(e->call->worker->db, &e->grant, e->call->arena, &spent);
    if (r != R_OK)
        return r;
    if (spent.spki_sha256.p == NULL)
        return refusal;
    if (!bytes_equal(spent.spki_sha256, BYTES(e->spki_sha256, 32)))
        return refuse(e, v, e->grant.kind == ISSUING_CHALLENGE ? R_BAD_REQUEST_ID : R_PREDECESSOR_SPENT, kind, "used with another key", "an unused one");
    if (!spent.valid)
        return refuse(e, v, R_CERT_REVOKED, kind, "its certificate is revoked or expired", "a new challenge");
    out->certificate = spent.certificate;
    out->issuer = spent.issuer;
    out->repeated = true;
    return R_OK;
}

/* What was approved, if the registry still says the same, is issued. */
static enum result issue_approved(struct issue *e, const struct request *q, struct verdict *v, struct signer_certificate *out)
{
    static issue_rule *const rules[] = {check_ca, check_target, check_algorithms, NULL};
    enum result r = check(e, rules, v);
    if (r == R_OK)
        r = issue_prepare(e, v);
    if (r == R_OK && !bytes_equal(q->content_sha256, BYTES(e->content_sha256, 32)))
        r = refuse(e, v, R_REQUEST_CHANGED, "content", "another subject, name, key usage or validity than approved", "what was approved");
    e->request = q->id;
    return r == R_OK ? issue_finish(e, out) : r;
}

/* There is a request already: what has become of it? */
static enum result issue_continue(struct issue *e, const struct request *q, struct verdict *v, struct signer_certificate *out)
{
    if (!bytes_equal(q->spki_sha256, BYTES(e->spki_sha256, 32)))
        return refuse(e, v, e->grant.kind == ISSUING_CHALLENGE ? R_BAD_REQUEST_ID : R_PREDECESSOR_SPENT, issuing_kind_name(e->grant.kind),
                      "used with another key", "an unused one");
    if (q->state == REQUEST_ISSUED) {
        if (!q->valid)
            return refuse(e, v, R_CERT_REVOKED, "request", "its certificate is revoked or expired", "a new request");
        out->certificate = q->certificate;
        out->issuer = q->issuer;
        out->repeated = true;
        return R_OK;
    }
    if (q->state == REQUEST_REJECTED)
        return refuse(e, v, R_REQUEST_REJECTED, "request", "rejected", "approved");
    if (q->expired)
        return refuse(e, v, R_REQUEST_EXPIRED, "request", "expired", arena_printf(e->call->arena, "approved within %d days", LIMIT_REQUEST_DAYS));
    if (q->state == REQUEST_APPROVED)
        return issue_approved(e, q, v, out);
    /* What cannot be issued any more is not worth waiting for. */
    enum result r = check_target(e, v);
    out->pending = r == R_OK;
    return r;
}

/* Records a request, unless its authorization led to a certificate already: nobody should be asked to approve what cannot be issued. */
static enum result issue_ask(struct issue *e, struct verdict *v, struct signer_certificate *out)
{
    struct request q;
    enum result r = issue_repeat(e, R_OK, v, out);
    if (r != R_OK || out->repeated)
        return r;
    r = issue_wait(e);
    out->pending = r == R_OK;
    if (r != R_EXISTS)
        return r;
    /* Asked for twice at once: it may be somebody else's with another key. */
    r = request_of(e->call->worker->db, &e->grant, e->call->arena, &q);
    return r == R_OK ? issue_continue(e, &q, v, out) : r;
}

/* The first message of a grant: judged, and issued or kept for approval. */
static enum result issue_begin(struct issue *e, struct verdict *v, struct signer_certificate *out)
{
    static issue_rule *const rules[] = {check_ca, check_times, check_target, check_grant, check_key, check_algorithms, issue_match, issue_prepare, NULL};
    enum result r = check(e, rules, v);
    if (r != R_OK)
        return r;
    return e->facts.profile.manual ? issue_ask(e, v, out) : issue_finish(e, out);
}

/* A request that nobody decided in time is over: with the next message the device asks anew, a poll is told so. */
static bool request_is_over(const struct issue *e, const struct request *q)
{
    return q->expired && (q->state == REQUEST_PENDING || q->state == REQUEST_APPROVED) && e->claims != NULL;
}

static enum result issue_decide(struct issue *e, struct verdict *v, struct signer_certificate *out)
{
    struct worker *w = e->call->worker;
    struct request q = {.state = REQUEST_NONE};
    enum result r = issuing_enrol_read(w->db, &e->grant, e->spki_sha256, e->call->arena, &e->facts);
    if (r == R_OK)
        r = worker_check_clock(e->facts.now);
    if (r == R_OK)
        r = check_address(e, v);
    if (r == R_OK)
        r = keyring_ca(&w->keyring, w->db, e->grant.tenant, e->grant.ca_version, &e->ca);
    if (r == R_OK && (e->claims == NULL || e->facts.profile.manual))
        r = request_of(w->db, &e->grant, e->call->arena, &q);
    if (r != R_OK)
        return r;
    if (request_is_over(e, &q))
        q.state = REQUEST_NONE;
    out->issuer = e->ca->row.certificate;
    r = q.state != REQUEST_NONE ? issue_continue(e, &q, v, out) : e->claims == NULL ? R_REQUEST_UNKNOWN : issue_begin(e, v, out);
    return r == R_OK || result_is_retryable(r) || q.state != REQUEST_NONE ? r : issue_repeat(e, r, v, out);
}

static void log_refusal(const struct issue *e, const struct verdict *v)
{
    log_event(LOG_LEVEL_NOTICE, "enrol-refused", LOG_RESULT(v->result), LOG_NUM("device", (int64_t)e->grant.device),
              LOG_NUM(issuing_kind_name(e->grant.kind), (int64_t)e->grant.id), LOG_TEXT("field", v->field), LOG_TEXT("found", v->found),
              LOG_TEXT("wanted", v->wanted));
}

static void log_issued(const struct issue *e, const struct signer_certificate *out)
{
    const char *event = out->pending ? "request-waits" : out->repeated ? "certificate-repeated" : "certificate-issued";
    log_event(LOG_LEVEL_INFO, event, LOG_NUM("device", (int64_t)e->grant.device), LOG_NUM(issuing_kind_name(e->grant.kind), (int64_t)e->grant.id),
              LOG_HEX("serial", out->pending || out->repeated ? BYTES_NONE : e->made.serial));
}

enum result issue_run(struct issue *e, struct signer_certificate *out)
{
    struct worker_call *c = e->call;
    struct verdict v = {0};
    enum result r = public_key_decode(e->spki, &e->key);
    if (r == R_OK) {
        digest_sha256(e->spki, e->spki_sha256);
        r = issue_decide(e, &v, out);
    } else {
        r = verdict_refuse(&v, c->arena, R_KEY_LENGTH_MISMATCH, "key", "no SubjectPublicKeyInfo", "an RSA key");
    }
    if (r == R_OK) {
        log_issued(e, out);
        return r;
    }
    *out = (struct signer_certificate){0};
    if (v.result == R_OK)
        v = (struct verdict){r, "enrolment", c->detail[0] ? c->detail : NULL, NULL};
    else
        worker_detail(c, &v);
    log_refusal(e, &v);
    if (!result_is_retryable(r))
        issuing_refused(c->worker->db, &e->grant, &v, e->origin->transaction);
    return r;
}
