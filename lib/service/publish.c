#include "lib/service/publish.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/service/retry.h"
#include "lib/signer/client.h"
#include "lib/store/publishing.h"

#define BUILDS_AT_ONCE 64            /* CRLs built before files are looked at again */
#define BUILDS_MS 1000               /* and the time for them */
#define BUILD_LEASE_SECONDS 20       /* from claim to the signer's first statement: from there on its row lock keeps others off */
#define BUILD_RETRY_MS 60000
#define FILE_RETRY_MS 5000
#define SEAL_LEASE_SECONDS 10
#define SEAL_BATCH 1000
#define SEAL_BATCHES 16              /* in one go */
#define SIGN_BATCH 100
#define SIGN_RETRY_MS 10000
#define UPKEEP_LEASE_SECONDS 90
#define RA_DAYS 30
#define RA_RETRY_MS 600000
#define DUTY_RETRY_MS 60000
#define AWAY_RETRY_MS 1000           /* while database or signer do not answer */
#define CLOCK_JUMP_MS 5000
#define DOUBT_LOG_MS 60000

enum { DUTY_TIME, DUTY_BUILDS, DUTY_CRLS, DUTY_CA_FILES, DUTY_AUDIT, DUTY_UPKEEP, DUTIES };

struct publish {
    const struct publish_config *config;
    const volatile sig_atomic_t *stop;
    struct db *db;
    char host[65], holder[96], boot[64];
    int64_t due_ms[DUTIES];
    int wait_ms[DUTIES];             /* 0: the last time went well */
    struct retry retry;
    bool signer_away;
    int64_t clocks_apart_ms;         /* wall minus monotonic, as of the last tick */
    bool doubted;
    int64_t doubt_logged_ms;
    bool sealing, heads_wait;        /* the lease is ours; there may be heads without a signature */
    int64_t head_logged;             /* batch */
};

volatile sig_atomic_t publish_waiting;

/* ---- the signer ---- */

static enum result publish_ask(const char *socket, enum signer_verb verb, const void *request, int timeout_ms, struct arena *a,
                               void *answer, const char **detail)
{
    publish_waiting = 1;
    enum result r = signer_call(socket, verb, request, timeout_ms, a, answer, detail);
    publish_waiting = 0;
    return r;
}

/* While the signer is away nothing is claimed and nothing asked; when it is back, all that waited goes on at once. */
static bool publish_signer_is_there(struct publish *p)
{
    if (p->signer_away && signer_listens(p->config->crl_socket)) {
        p->signer_away = false;
        log_event(LOG_LEVEL_NOTICE, "signer-back", LOG_TEXT("socket", p->config->crl_socket));
    }
    return !p->signer_away;
}

/* After a call that did not reach it: is it away, or was it the call alone? */
static void publish_signer_lost(struct publish *p)
{
    if (p->signer_away || signer_listens(p->config->crl_socket))
        return;
    p->signer_away = true;
    log_event(LOG_LEVEL_ERROR, "signer-away", LOG_TEXT("socket", p->config->crl_socket));
}

/* ---- time ---- */

static int64_t publish_monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);       /* goes on while the machine sleeps */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool publish_clock_jumped(const struct publish *p)
{
    int64_t apart = clock_wall_ms() - publish_monotonic_ms() - p->clocks_apart_ms;
    return apart > CLOCK_JUMP_MS || apart < -CLOCK_JUMP_MS;
}

static enum result publish_time(struct publish *p)
{
    struct arena a;
    const char *detail = "";
    bool doubted = false;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    int64_t wall = clock_wall_ms(), monotonic = publish_monotonic_ms();
    enum result r = publishing_tick(p->db, p->host, p->boot, wall / 1000, monotonic, &a, &doubted, &detail);
    if (r == R_OK) {
        p->clocks_apart_ms = wall - monotonic;
        if (doubted && (!p->doubted || clock_left_ms(p->doubt_logged_ms + DOUBT_LOG_MS) == 0)) {
            log_event(LOG_LEVEL_WARNING, "clock-doubted", LOG_TEXT("detail", detail),
                      LOG_TEXT("do", "set the clock right, or confirm it with: chancery clock confirm"));
            p->doubt_logged_ms = clock_monotonic_ms();
        } else if (!doubted && p->doubted) {
            log_event(LOG_LEVEL_NOTICE, "clock-confirmed");
        }
        p->doubted = doubted;
    }
    arena_free(&a);
    return r;
}

/* ---- CRLs: builds ---- */

static enum result publish_build(struct publish *p, const struct publishing_due *due)
{
    const struct signer_crl_build request = {due->ca_version, due->shard};
    struct signer_crl_built built;
    struct arena a;
    const char *detail = "";
    char name[RETRY_NAME];
    int wait_ms = 0;
    int64_t started = clock_monotonic_ms();
    arena_init(&a, LIMIT_ARENA_REQUEST);
    snprintf(name, sizeof name, "build %u/%u", due->ca_version, due->shard);
    enum result r = publish_ask(p->config->crl_socket, SIGNER_CRL_BUILD, &request, LIMIT_DB_BULK_MS, &a, &built, &detail);
    if (r == R_OK) {
        (void)retry_done(&p->retry, name);
        log_event(LOG_LEVEL_INFO, "crl-built", LOG_NUM("ca_version", due->ca_version), LOG_NUM("shard", due->shard),
                  LOG_NUM("number", built.number),
                  LOG_NUM("entries", built.entries), LOG_NUM("bytes", built.size), LOG_NUM("ms", clock_monotonic_ms() - started));
        if (due->number == 0)
            p->due_ms[DUTY_CA_FILES] = 0;    /* a new CA: its certificate's file is wanted as well */
    } else {
        publish_signer_lost(p);
        (void)retry_failed(&p->retry, name, result_name(r), BUILD_RETRY_MS, &wait_ms);
        log_event(LOG_LEVEL_WARNING, "crl-build-failed", LOG_NUM("ca_version", due->ca_version), LOG_NUM("shard", due->shard),
                  LOG_RESULT(r), LOG_TEXT("detail", detail), LOG_NUM("retry_ms", p->signer_away ? 0 : wait_ms));
        /* A signer that is away says nothing about this CRL: it is not made to wait longer than the signer. */
        if (p->signer_away)
            (void)retry_done(&p->retry, name);
        r = publishing_crl_failed(p->db, due, p->holder, p->signer_away ? 0 : (uint32_t)wait_ms / 1000);
    }
    arena_free(&a);
    return r;
}

static enum result publish_builds(struct publish *p)
{
    int64_t end = clock_monotonic_ms() + BUILDS_MS;
    enum result r = R_OK;
    bool found = true;
    for (int i = 0; r == R_OK && found && i < BUILDS_AT_ONCE && !*p->stop && clock_left_ms(end) > 0 &&
         publish_signer_is_there(p); i++) {
        struct publishing_due due;
        r = publishing_crl_claim(p->db, p->holder, BUILD_LEASE_SECONDS, PUBLISH_REFRESH_SECONDS, &due, &found);
        if (r == R_OK && found)
            r = publish_build(p, &due);
    }
    return r;
}

/* ---- files ---- */

/* Notes what became of a file. Only what the database says of itself ends the round. */
static enum result publish_file_done(struct publish *p, enum result r, const char *name)
{
    if (r == R_OK) {
        if (retry_done(&p->retry, name))
            log_event(LOG_LEVEL_NOTICE, "file-written-again", LOG_TEXT("file", name));
        return R_OK;
    }
    const char *why = distribution_error(p->config->distribution);
    if (retry_failed(&p->retry, name, why, FILE_RETRY_MS, NULL))
        log_event(LOG_LEVEL_ERROR, "file-not-written", LOG_TEXT("file", name), LOG_TEXT("error", why), LOG_RESULT(r));
    return R_OK;
}

/* Copies a CRL from the database into a new file. *of_disk: whether the failure is the file's or the database's. */
static enum result publish_crl_copy(struct publish *p, const struct publishing_crl *crl, bool *of_disk)
{
    struct distribution_file *f = NULL;
    struct buf piece;
    buf_init(&piece, LIMIT_CRL_PIECE);
    *of_disk = true;
    enum result r = distribution_crl_begin(p->config->distribution, crl->path, &f);
    for (uint32_t i = 0; r == R_OK && i < crl->pieces; i++) {
        r = publishing_crl_piece(p->db, crl, i, &piece);
        *of_disk = r == R_OK;
        if (r == R_OK)
            r = distribution_crl_write(f, buf_bytes(&piece));
    }
    if (r == R_OK)
        r = distribution_crl_finish(f, crl->number, crl->size, crl->sha256.p);
    else
        distribution_crl_abort(f);
    buf_free(&piece);
    return r;
}

static enum result publish_crl(void *context, const struct publishing_crl *crl)
{
    struct publish *p = context;
    struct distribution_crl have;
    char name[RETRY_NAME];
    bool of_disk = true;
    snprintf(name, sizeof name, "crl/%s", crl->path);
    enum result r = distribution_crl_look(p->config->distribution, crl->path, &have);
    if (r != R_OK || !retry_due(&p->retry, name))
        return r == R_OK ? R_OK : publish_file_done(p, r, name);
    if (have.number > crl->number) {
        if (retry_failed(&p->retry, name, "newer", FILE_RETRY_MS, NULL))
            log_event(LOG_LEVEL_WARNING, "crl-file-newer", LOG_TEXT("file", name), LOG_NUM("number", have.number),
                      LOG_NUM("database", crl->number));
        return R_OK;
    }
    if (have.number == crl->number && memcmp(have.sha256, crl->sha256.p, sizeof have.sha256) == 0) {
        (void)retry_done(&p->retry, name);
        return R_OK;
    }
    r = publish_crl_copy(p, crl, &of_disk);
    if (!of_disk)
        return r == R_NOT_FOUND ? R_OK : r;      /* pieces are gone when newer CRLs came: the next round sees those */
    if (r == R_OK)
        log_event(LOG_LEVEL_INFO, "crl-published", LOG_TEXT("file", name), LOG_NUM("number", crl->number),
                  LOG_NUM("bytes", crl->size));
    return publish_file_done(p, r, name);
}

static enum result publish_crls(struct publish *p)
{
    return publishing_crl_current(p->db, publish_crl, p);
}

static enum result publish_ca_file(void *context, const char *path, struct bytes certificate)
{
    struct publish *p = context;
    char name[RETRY_NAME];
    bool changed = false;
    snprintf(name, sizeof name, "ca/%s", path);
    if (!retry_due(&p->retry, name))
        return R_OK;
    enum result r = distribution_ca_put(p->config->distribution, path, certificate, &changed);
    if (changed)
        log_event(LOG_LEVEL_INFO, "ca-published", LOG_TEXT("file", name), LOG_NUM("bytes", (int64_t)certificate.n));
    return publish_file_done(p, r, name);
}

static enum result publish_ca_files(struct publish *p)
{
    return publishing_ca_files(p->db, publish_ca_file, p);
}

/* ---- audit ---- */

static enum result publish_seal(struct publish *p)
{
    bool held = false;
    uint32_t sealed = SEAL_BATCH;
    enum result r = publishing_lease(p->db, "seal", p->holder, SEAL_LEASE_SECONDS, &held);
    if (r != R_OK)
        return r;
    if (held && !p->sealing)
        p->heads_wait = true;        /* whoever held it before may have left some */
    p->sealing = held;
    for (int i = 0; r == R_OK && held && sealed == SEAL_BATCH && i < SEAL_BATCHES; i++) {
        r = publishing_audit_seal(p->db, p->holder, SEAL_BATCH, &sealed);
        p->heads_wait = p->heads_wait || sealed > 0;
    }
    return r;
}

static void publish_sign_heads(struct publish *p)
{
    const struct signer_audit_sign request = {SIGN_BATCH};
    enum result r = R_OK;
    for (int i = 0; r == R_OK && p->heads_wait && i < SEAL_BATCHES; i++) {
        struct signer_done done;
        struct arena a;
        const char *detail = "";
        if (!publish_signer_is_there(p) || !retry_due(&p->retry, "heads"))
            return;
        arena_init(&a, LIMIT_ARENA_REQUEST);
        r = publish_ask(p->config->crl_socket, SIGNER_AUDIT_SIGN, &request, LIMIT_SIGNER_ADMIN_MS, &a, &done, &detail);
        if (r == R_OK) {
            p->heads_wait = done.count >= SIGN_BATCH;
            if (retry_done(&p->retry, "heads"))
                log_event(LOG_LEVEL_NOTICE, "audit-heads-signed-again");
        } else {
            publish_signer_lost(p);
            if (!p->signer_away && retry_failed(&p->retry, "heads", result_name(r), SIGN_RETRY_MS, NULL))
                log_event(LOG_LEVEL_WARNING, "audit-heads-wait", LOG_RESULT(r), LOG_TEXT("detail", detail));
        }
        arena_free(&a);
    }
}

/* The newest signed head in the log as well, out of reach of who can write to the database. */
static enum result publish_log_head(struct publish *p)
{
    struct publishing_head head;
    struct arena a;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = publishing_audit_head(p->db, &a, &head);
    if (r == R_OK && head.batch != 0 && head.batch != p->head_logged) {
        log_event(LOG_LEVEL_NOTICE, "audit-head", LOG_NUM("batch", head.batch), LOG_NUM("last_seq", head.last),
                  LOG_HEX("head", head.head), LOG_NUM("key", head.key), LOG_HEX("signature", head.signature));
        p->head_logged = head.batch;
    }
    arena_free(&a);
    return r;
}

static enum result publish_audit(struct publish *p)
{
    enum result r = publish_seal(p);
    if (r == R_OK && p->sealing)
        publish_sign_heads(p);
    return r == R_OK ? publish_log_head(p) : r;
}

/* ---- upkeep ---- */

static enum result publish_ra_renew(struct publish *p, const struct publishing_ra *ra)
{
    const struct signer_ra_renew request = {ra->tenant, ra->ca_version};
    struct signer_done done;
    struct arena a;
    const char *detail = "";
    char name[RETRY_NAME];
    snprintf(name, sizeof name, "ra %u", ra->ca_version);
    if (!retry_due(&p->retry, name))
        return R_OK;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = publish_ask(p->config->admin_socket, SIGNER_RA_RENEW, &request, LIMIT_SIGNER_ADMIN_MS, &a, &done, &detail);
    if (r == R_OK && done.count > 0)
        log_event(LOG_LEVEL_NOTICE, "ra-renewed", LOG_NUM("tenant", ra->tenant), LOG_NUM("ca_version", ra->ca_version));
    if (r == R_OK)
        (void)retry_done(&p->retry, name);
    else if (retry_failed(&p->retry, name, result_name(r), RA_RETRY_MS, NULL))
        log_event(LOG_LEVEL_ERROR, "ra-not-renewed", LOG_NUM("tenant", ra->tenant), LOG_NUM("ca_version", ra->ca_version),
                  LOG_RESULT(r), LOG_TEXT("detail", detail));
    arena_free(&a);
    return r;
}

static enum result publish_upkeep(struct publish *p)
{
    struct publishing_ra *due = NULL;
    struct arena a;
    uint32_t made = 0, count = 0;
    bool held = false;
    enum result r = publishing_lease(p->db, "upkeep", p->holder, UPKEEP_LEASE_SECONDS, &held);
    if (r != R_OK || !held)
        return r == R_OK ? R_BUSY : r;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    r = publishing_partitions(p->db, &made);
    if (r == R_OK && made > 0)
        log_event(LOG_LEVEL_NOTICE, "partitions-made", LOG_NUM("count", made));
    if (r == R_OK)
        r = publishing_ra_due(p->db, RA_DAYS, &a, &due, &count);
    if (r == R_OK && count > 0 && !signer_listens(p->config->admin_socket))
        r = R_UNAVAILABLE;
    for (uint32_t i = 0; r == R_OK && i < count && !*p->stop; i++)
        (void)publish_ra_renew(p, &due[i]);
    arena_free(&a);
    return r;
}

/* ---- the loop ---- */

/* In the order in which they go when several are due: the clocks first, as builds drop entries by them. */
static const struct {
    const char *name;
    enum result (*run)(struct publish *p);
    int period_ms;
} duties[DUTIES] = {
    [DUTY_TIME] = {"time", publish_time, 10000},
    [DUTY_BUILDS] = {"builds", publish_builds, 250},
    [DUTY_CRLS] = {"crls", publish_crls, 250},
    [DUTY_CA_FILES] = {"ca-files", publish_ca_files, 5000},
    [DUTY_AUDIT] = {"audit", publish_audit, 1000},
    [DUTY_UPKEEP] = {"upkeep", publish_upkeep, 60000},
};

/* A database or signer that is away is logged where it is met, and a lease that another host has is no fault. */
static bool publish_is_waiting(enum result r)
{
    return r == R_UNAVAILABLE || r == R_OUTCOME_UNKNOWN || r == R_BUSY;
}

static void publish_duty(struct publish *p, int duty)
{
    int64_t started = clock_monotonic_ms();
    int *wait = &p->wait_ms[duty];
    enum result r = duties[duty].run(p);
    if (r == R_OK) {
        retry_done(&p->retry, duties[duty].name);
        *wait = 0;
    } else if (publish_is_waiting(r)) {
        *wait = AWAY_RETRY_MS;
    } else if (retry_failed(&p->retry, duties[duty].name, result_name(r), DUTY_RETRY_MS, wait)) {
        log_event(LOG_LEVEL_ERROR, "duty-failed", LOG_TEXT("duty", duties[duty].name), LOG_RESULT(r));
    }
    p->due_ms[duty] = started + (*wait == 0 ? duties[duty].period_ms : *wait);
}

static void publish_round(struct publish *p)
{
    for (int i = 0; i < DUTIES && !*p->stop; i++) {
        if (publish_clock_jumped(p))
            p->due_ms[DUTY_TIME] = 0;
        /* No build before this host's clocks are on record: only then does the database know which of its entries may go. */
        bool held = i == DUTY_BUILDS && (p->wait_ms[DUTY_TIME] != 0 || p->due_ms[DUTY_TIME] == 0);
        if (!held && clock_left_ms(p->due_ms[i]) == 0)
            publish_duty(p, i);
    }
}

static int publish_pause_ms(const struct publish *p)
{
    int least = duties[DUTY_BUILDS].period_ms;
    for (int i = 0; i < DUTIES; i++) {
        int left = clock_left_ms(p->due_ms[i]);
        least = left < least ? left : least;
    }
    return least;
}

static enum result publish_begin(struct publish *p)
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool good = f != NULL && fgets(p->boot, sizeof p->boot, f) != NULL;
    if (f != NULL)
        fclose(f);
    p->boot[strcspn(p->boot, "\n")] = '\0';
    if (!good || gethostname(p->host, sizeof p->host - 1) != 0) {
        log_event(LOG_LEVEL_ERROR, "host-unknown", LOG_TEXT("wanted", "a host name and /proc/sys/kernel/random/boot_id"));
        return R_IO;
    }
    if (p->host[0] == '\0')
        snprintf(p->host, sizeof p->host, "localhost");
    snprintf(p->holder, sizeof p->holder, "%s:%ld", p->host, (long)getpid());
    p->clocks_apart_ms = clock_wall_ms() - publish_monotonic_ms();
    return R_OK;
}

/* Another publisher need not wait for the leases of one that ended in order. */
static void publish_end(struct publish *p)
{
    static const char *const leases[] = {"seal", "upkeep"};
    bool held;
    for (size_t i = 0; i < sizeof leases / sizeof *leases && db_is_connected(p->db); i++)
        (void)publishing_lease(p->db, leases[i], p->holder, 1, &held);
    retry_free(&p->retry);
}

enum result publish_run(const struct publish_config *config, const volatile sig_atomic_t *stop)
{
    struct publish p = {.config = config, .stop = stop, .db = config->db};
    enum result r = publish_begin(&p);
    while (r == R_OK && !*stop) {
        publish_round(&p);
        int pause = publish_pause_ms(&p);
        if (!*stop && pause > 0)
            (void)poll(NULL, 0, pause);
    }
    publish_end(&p);
    return r;
}
