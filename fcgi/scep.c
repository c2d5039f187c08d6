/*
 * chancery-scep: the FastCGI responder that devices enrol with, by SCEP (RFC 8894).
 *
 *   chancery-scep [--config FILE]
 *
 * Holds RA keys, reads what answers at a SCEP URI, and asks the signer; reads no table while it enrols.
 */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fcgi/serve.h"
#include "lib/base/conf.h"
#include "lib/base/log.h"
#include "lib/scep/capabilities.h"
#include "lib/scep/url.h"
#include "lib/service/daemon.h"
#include "lib/service/endpoint.h"
#include "lib/service/pki_operation.h"
#include "lib/service/prefork.h"
#include "lib/service/rollover.h"
#include "lib/store/migrate.h"

#define DATABASE_USER "chancery_scep"
#define DATABASE_WAIT_MS 30000          /* at start, where everything starts at once */
#define WORKERS_LEAST 4
#define RETRY_SECONDS "5"

struct program {
    struct conf conf;
    struct conf_secrets secrets;
    int listener;
};

struct worker {
    struct endpoints *endpoints;
    struct pki_context pki;
};

/* One request as it is being answered. */
struct exchange {
    const struct worker *worker;
    const struct serve_request *request;
    const struct scep_url *url;
    struct arena *arena;
    struct serve_reply *reply;
};

/* ---- answers without a CertRep ---- */

static bool is_method(const struct serve_request *request, const char *method)
{
    return strcmp(request->method, method) == 0;
}

/* A short line of text: SCEP clients take no HTML, and show at best the status. */
static void refuse(const struct exchange *x, enum result r)
{
    int status = result_http(r);
    const char *line = arena_printf(x->arena, "%s\n", result_sentence(r));

    /* What is 200 with a CertRep is 400 where none can be made. */
    serve_text(x->reply, status == 200 ? 400 : status, line ? line : "");
    if (result_is_retryable(r)) {
        x->reply->headers[0].name = "Retry-After";
        x->reply->headers[0].value = RETRY_SECONDS;
    } else if (r == R_BAD_METHOD) {
        x->reply->headers[0].name = "Allow";
        x->reply->headers[0].value = "GET, POST";
    }
}

static void refuse_and_log(const struct exchange *x, enum result r, const char *detail)
{
    log_event(LOG_LEVEL_NOTICE, "refused", LOG_RESULT(r), LOG_TEXT("detail", detail), LOG_TEXT("remote", x->request->remote),
              LOG_TEXT("operation", scep_operation_name(x->url->operation)));
    refuse(x, r);
}

/* ---- operations ---- */

static void answer(const struct exchange *x, const char *content_type, struct bytes body)
{
    x->reply->status = 200;
    x->reply->content_type = content_type;
    x->reply->body = body;
}

static void get_ca_caps(const struct exchange *x, struct endpoint *e)
{
    const char *text = capabilities_text(&x->url->variant, e->next_version != 0, x->arena);

    if (text)
        answer(x, "text/plain", bytes_of_text(text));
    else
        refuse_and_log(x, R_NO_MEMORY, "the capabilities");
}

static void get_ca_cert(const struct exchange *x, struct endpoint *e)
{
    answer(x, "application/x-x509-ca-ra-cert", e->ca_certificates[x->url->variant.ca_chain]);
}

/* Of drafts before RFC 8894: clients that ask it want everything (interop Q15). */
static void get_ca_cert_chain(const struct exchange *x, struct endpoint *e)
{
    answer(x, "application/x-x509-ca-ra-cert-chain", e->ca_certificates[CA_CHAIN_FULL]);
}

static void get_next_ca_cert(const struct exchange *x, struct endpoint *e)
{
    struct bytes reply;
    enum result r = rollover_answer(&x->worker->pki, e, x->arena, &reply);

    if (r == R_OK)
        answer(x, "application/x-x509-next-ca-cert", reply);
    else
        refuse_and_log(x, r, "the CA version that follows");
}

static void operate(const struct exchange *x, struct endpoint *e)
{
    struct pki_call call = {.url = x->url, .message = x->request->body, .remote = x->request->remote};
    struct bytes reply;
    enum result r = R_OK;

    if (is_method(x->request, "GET"))
        r = url_message(x->url->message, x->arena, &call.message);
    else if (is_method(x->request, "HEAD"))
        r = R_BAD_METHOD;                       /* nobody could read the certificate */
    if (r != R_OK) {
        refuse_and_log(x, r, "no message");
        return;
    }
    r = pki_operation(&x->worker->pki, e, &call, x->arena, &reply);
    if (r == R_OK)
        answer(x, "application/x-pki-message", reply);
    else
        refuse(x, r);
}

static void (*const operations[])(const struct exchange *, struct endpoint *) = {
    [OPERATION_GET_CA_CAPS] = get_ca_caps,
    [OPERATION_GET_CA_CERT] = get_ca_cert,
    [OPERATION_GET_CA_CERT_CHAIN] = get_ca_cert_chain,
    [OPERATION_GET_NEXT_CA_CERT] = get_next_ca_cert,
    [OPERATION_PKI] = operate,
};
#define OPERATIONS (sizeof operations / sizeof operations[0])

static void handle(void *context, const struct serve_request *request, struct arena *arena, struct serve_reply *reply)
{
    const struct worker *w = context;
    struct scep_url url = {.operation = OPERATION_NONE};
    const struct exchange x = {w, request, &url, arena, reply};
    struct endpoint *e = NULL;
    enum result r = url_decode(request->uri, &url);

    if (r != R_OK) {
        refuse_and_log(&x, r, "the path");
        return;
    }
    if (url.operation >= OPERATIONS || !operations[url.operation]) {
        refuse_and_log(&x, R_BAD_INPUT, "the operation");
        serve_text(reply, reply->status, "The operations are GetCACaps, GetCACert, GetNextCACert and PKIOperation.\n");
        return;
    }
    r = endpoint_find(w->endpoints, url.ca, url.version, &e);
    if (r != R_OK) {
        refuse_and_log(&x, r, "the endpoint");
        return;
    }
    operations[url.operation](&x, e);
}

/* ---- a worker ---- */

static struct db_config database(const struct program *p)
{
    return (struct db_config){.connection = p->conf.database, .user = DATABASE_USER, .password = p->secrets.database_password,
        .application = "chancery-scep", .prepare = p->conf.prepare};
}

static enum result endpoint_load(void *context, const char *ca, uint32_t staged, int timeout_ms, struct arena *a,
                                 struct scep_endpoint *out)
{
    return scep_endpoint_read(context, ca, staged, timeout_ms, a, out);
}

static enum result crl_load(void *context, const char *ca, uint32_t staged, struct bytes serial, struct arena *a, struct scep_crl *out)
{
    return scep_crl_read(context, ca, staged, serial, a, out);
}

static int worker_run(void *context, int index)
{
    const struct program *p = context;
    const struct db_config config = database(p);
    struct worker w = {0};
    struct db *db = NULL;
    int status = 1;

    (void)index;
    enum result r = db_open(&config, &db);
    if (r == R_OK) {
        const struct endpoint_config cache = {.read = endpoint_load, .context = db, .ra_passphrase = p->secrets.ra_passphrase};
        r = endpoints_open(&cache, &w.endpoints);
    }
    if (r == R_OK) {
        w.pki = (struct pki_context){w.endpoints, p->conf.leaf_socket, crl_load, db};
        status = serve_loop(p->listener, handle, &w);
    } else {
        log_event(LOG_LEVEL_ERROR, "worker-not-started", LOG_RESULT(r));
    }
    endpoints_close(w.endpoints);
    db_close(db);
    return status;
}

/* ---- the program ---- */

static enum result program_conf(struct program *p, const char *path)
{
    enum result r = conf_load(&p->conf, path);

    if (r == R_OK) {
        log_open("chancery-scep", p->conf.log_level);
        r = conf_load_secrets(&p->secrets, p->conf.scep_secrets);
    }
    if (r != R_OK) {
        log_event(LOG_LEVEL_ERROR, "configuration-refused", LOG_TEXT("error", conf_error()));
        return r;
    }
    if (p->secrets.ra_passphrase)
        return R_OK;
    log_event(LOG_LEVEL_ERROR, "secrets-missing", LOG_TEXT("wanted", "ra_passphrase"), LOG_TEXT("file", p->conf.scep_secrets));
    return R_CONFIG;
}

/* On a connection of its own, which ends before the fork. */
static enum result program_schema(const struct program *p)
{
    const struct db_config config = database(p);

    return migrate_await(&config, DATABASE_WAIT_MS);
}

/* RA keys must not reach a core file. */
static void program_narrow(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
}

/* A worker waits for the signer most of its time: two for each processor, unless the configuration says otherwise. */
static int program_workers(const struct program *p)
{
    int twice = 2 * (int)sysconf(_SC_NPROCESSORS_ONLN);

    if (p->conf.scep_workers > 0)
        return p->conf.scep_workers;
    return twice > WORKERS_LEAST ? twice : WORKERS_LEAST;
}

static enum result program_serve(struct program *p)
{
    const struct prefork_group group = {"scep", program_workers(p), worker_run, p};
    enum result r = serve_open(p->conf.scep_socket, &p->listener);

    if (r != R_OK)
        return r;
    log_event(LOG_LEVEL_NOTICE, "started", LOG_NUM("workers", group.count), LOG_TEXT("socket", p->conf.scep_socket));
    r = prefork_run(&group, 1);
    serve_close(p->conf.scep_socket, p->listener);
    return r;
}

int main(int argc, char **argv)
{
    static struct program p;
    const char *path = CHANCERY_CONF;
    int status = 0;

    if (!daemon_arguments("chancery-scep", argc, argv, &path, &status))
        return status;
    log_open("chancery-scep", LOG_LEVEL_INFO);
    program_narrow();
    enum result r = program_conf(&p, path);
    if (r == R_OK)
        r = program_schema(&p);
    if (r == R_OK)
        r = program_serve(&p);
    log_event(LOG_LEVEL_NOTICE, "stopped", LOG_RESULT(r));
    conf_free_secrets(&p.secrets);
    conf_free(&p.conf);
    return r == R_OK ? 0 : 1;
}
