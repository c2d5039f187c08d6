#include "fcgi/serve.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/service/prefork.h"

#define BACKLOG 1024
#define READ_CHUNK 16384
#define DRAIN_LIMIT (16 * LIMIT_HTTP_BODY)      /* of a body that is refused: read on, so that the answer gets through */

static const struct { int status; const char *phrase; } status_phrases[] = {
    {200, "OK"}, {302, "Found"}, {303, "See Other"}, {304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"},
    {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"},
    {413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"}, {422, "Unprocessable Content"},
    {429, "Too Many Requests"}, {500, "Internal Server Error"}, {501, "Not Implemented"}, {503, "Service Unavailable"},
};

static const char *const methods[] = {"GET", "HEAD", "POST"};

static const char *status_phrase(int status)
{
    for (size_t i = 0; i < sizeof status_phrases / sizeof status_phrases[0]; i++)
        if (status_phrases[i].status == status)
            return status_phrases[i].phrase;
    return "Other";
}

void serve_text(struct serve_reply *reply, int status, const char *text)
{
    reply->status = status;
    reply->content_type = "text/plain";
    reply->body = bytes_of_text(text);
}

/* ---- the socket ---- */

static bool somebody_listens(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool listens = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);

    if (fd >= 0)
        close(fd);
    return listens;
}

static enum result open_failed(const char *path, const char *what, enum result r)
{
    log_event(LOG_LEVEL_ERROR, "socket-not-opened", LOG_TEXT("path", path), LOG_TEXT("found", what), LOG_RESULT(r));
    return r;
}

enum result serve_open(const char *path, int *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    mode_t mask;
    int fd, bound;

    if (strlen(path) >= sizeof address.sun_path)
        return open_failed(path, "a path of more than 107 bytes", R_TOO_LARGE);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return open_failed(path, "a file that is not a socket", R_IO);
        if (somebody_listens(&address))
            return open_failed(path, "another process that listens", R_BUSY);
        unlink(path);
    }
    /* Non-blocking: the workers wait in ppoll and all but one lose the race for a connection. */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return open_failed(path, strerror(errno), R_IO);
    mask = umask(0117);
    bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(mask);
    if (bound < 0 || listen(fd, BACKLOG) < 0) {
        int saved = errno;

        close(fd);
        return open_failed(path, strerror(saved), R_IO);
    }
    *out = fd;
    return R_OK;
}

void serve_close(const char *path, int fd)
{
    close(fd);
    unlink(path);
}

/* ---- the deadline ----
 *
 * libfcgi's reads and writes block without a limit. A timer that interrupts them (no SA_RESTART) makes them fail; it
 * repeats, because the signal may come between two system calls. SIGTERM is blocked outside ppoll, so nothing else
 * interrupts a request. */

static volatile sig_atomic_t deadline_passed;

static void on_alarm(int sig)
{
    (void)sig;
    deadline_passed = 1;
}

static void deadline_arm(int seconds)
{
    struct itimerval t = {.it_value = {.tv_sec = seconds}, .it_interval = {.tv_usec = 100000}};

    deadline_passed = 0;
    setitimer(ITIMER_REAL, &t, NULL);
}

static void deadline_disarm(void)
{
    struct itimerval none = {0};

    setitimer(ITIMER_REAL, &none, NULL);
}

/* ---- one request ---- */

static bool method_allowed(const char *method)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

/* CONTENT_LENGTH decides nothing but this: a body that ends early (the client left) is not taken for a whole one. */
static bool length_contradicts(const char *content_length, size_t n)
{
    int64_t said;

    if (!content_length || content_length[0] == '\0')
        return false;
    return text_to_number(content_length, 0, INT64_MAX, &said) != R_OK || (uint64_t)said != n;
}

/* Reads the body to its end; 0, or the HTTP status that refuses it. */
static int read_body(FCGX_Request *fcgi, struct buf *body)
{
    char chunk[READ_CHUNK];
    size_t total = 0;
    int n;

    do {
        n = FCGX_GetStr(chunk, sizeof chunk, fcgi->in);
        total += (size_t)n;
        if (total <= LIMIT_HTTP_BODY)
            buf_append(body, chunk, (size_t)n);
    } while (n == (int)sizeof chunk && total <= DRAIN_LIMIT);
    if (deadline_passed)
        return 408;
    if (total > LIMIT_HTTP_BODY)
        return 413;
    if (body->failed)
        return 503;
    if (FCGX_GetError(fcgi->in) != 0 || length_contradicts(FCGX_GetParam("CONTENT_LENGTH", fcgi->envp), total))
        return 400;
    return 0;
}

/* A request target in absolute form (RFC 9112 section 3.2.2) names the server as well. nginx takes that off, Apache does not. */
static const char *origin_form(const char *uri)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncasecmp(uri, schemes[i], strlen(schemes[i])) == 0) {
            uri += strlen(schemes[i]);
            return uri + strcspn(uri, "/?");
        }
    return uri;
}

/* Fills the request; 0, or the HTTP status that refuses it. */
static int read_request(FCGX_Request *fcgi, struct serve_request *request, struct buf *body)
{
    const char *method = FCGX_GetParam("REQUEST_METHOD", fcgi->envp);
    const char *uri = FCGX_GetParam("REQUEST_URI", fcgi->envp);
    const char *remote = FCGX_GetParam("REMOTE_ADDR", fcgi->envp);
    int status = 0;

    *request = (struct serve_request){.method = method, .uri = uri, .remote = remote && *remote ? remote : "-"};
    if (!method || method[0] == '\0')
        return 400;
    if (!method_allowed(method))
        return 405;
    if (!uri || uri[0] == '\0')
        return 400;
    if (strlen(uri) > LIMIT_HTTP_URI)
        return 414;
    request->uri = origin_form(uri);
    if (strcmp(method, "POST") == 0)
        status = read_body(fcgi, body);
    request->body = buf_bytes(body);
    return status;
}

static void refuse(struct serve_reply *reply, const struct serve_request *request, int status)
{
    static const struct { int status; const char *text; } texts[] = {
        {400, "The request is not complete.\n"}, {405, "Only GET, HEAD and POST are served here.\n"},
        {408, "The request body did not come in time.\n"}, {413, "The request body is too large.\n"},
        {414, "The request URI is too long.\n"}, {503, "Memory ran out.\n"},
    };

    log_event(LOG_LEVEL_NOTICE, "http-refused", LOG_NUM("status", status), LOG_TEXT("remote", request->remote),
              LOG_TEXT("method", request->method));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].status == status)
            serve_text(reply, status, texts[i].text);
    if (status == 405) {
        reply->headers[0].name = "Allow";
        reply->headers[0].value = "GET, HEAD, POST";
    }
}

static bool header_safe(const char *s)
{
    for (; *s; s++)
        if (*s < 0x20 || *s > 0x7e)
            return false;
    return true;
}

static bool reply_safe(const struct serve_reply *reply)
{
    if (reply->status < 200 || reply->status > 599 || (reply->content_type && !header_safe(reply->content_type)))
        return false;
    for (int i = 0; i < SERVE_HEADERS && reply->headers[i].name; i++)
        if (!reply->headers[i].value || !header_safe(reply->headers[i].name) || !header_safe(reply->headers[i].value))
            return false;
    return true;
}

static void write_reply(FCGX_Request *fcgi, struct serve_reply *reply, bool head)
{
    char line[128];

    if (!reply_safe(reply)) {
        log_event(LOG_LEVEL_ERROR, "reply-not-safe", LOG_NUM("status", reply->status));
        *reply = (struct serve_reply){0};
        serve_text(reply, 500, "An internal check failed.\n");
    }
    if (!reply->content_type)
        reply->body = BYTES_NONE;
    snprintf(line, sizeof line, "Status: %d %s\r\nContent-Length: %zu\r\n", reply->status, status_phrase(reply->status),
             reply->body.n);
    FCGX_PutS(line, fcgi->out);
    FCGX_PutS("X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n", fcgi->out);
    if (reply->content_type) {
        FCGX_PutS("Content-Type: ", fcgi->out);
        FCGX_PutS(reply->content_type, fcgi->out);
        FCGX_PutS("\r\n", fcgi->out);
    }
    for (int i = 0; i < SERVE_HEADERS && reply->headers[i].name; i++) {
        FCGX_PutS(reply->headers[i].name, fcgi->out);
        FCGX_PutS(": ", fcgi->out);
        FCGX_PutS(reply->headers[i].value, fcgi->out);
        FCGX_PutS("\r\n", fcgi->out);
    }
    FCGX_PutS("\r\n", fcgi->out);
    if (!head && reply->body.n > 0)
        FCGX_PutStr((const char *)reply->body.p, (int)reply->body.n, fcgi->out);
}

static void serve_one(FCGX_Request *fcgi, struct buf *body, serve_handler *handler, void *context)
{
    struct serve_request request;
    struct serve_reply reply = {.status = 500};
    struct arena arena;
    int refused;

    arena_init(&arena, LIMIT_ARENA_REQUEST);
    buf_reset(body);
    refused = read_request(fcgi, &request, body);
    deadline_disarm();
    if (refused)
        refuse(&reply, &request, refused);
    else
        handler(context, &request, &arena, &reply);
    deadline_arm(LIMIT_HTTP_READ_SECONDS);
    write_reply(fcgi, &reply, request.method && strcmp(request.method, "HEAD") == 0);
    FCGX_Finish_r(fcgi);
    deadline_disarm();
    log_context(NULL, BYTES_NONE);
    arena_free(&arena);
}

int serve_loop(int fd, serve_handler *handler, void *context)
{
    struct sigaction alarm_action = {.sa_handler = on_alarm};
    struct pollfd listening = {.fd = fd, .events = POLLIN};
    sigset_t term, before;
    struct buf body;
    FCGX_Request fcgi;

    sigaction(SIGALRM, &alarm_action, NULL);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    sigdelset(&before, SIGTERM);
    if (FCGX_Init() != 0 || FCGX_InitRequest(&fcgi, fd, FCGI_FAIL_ACCEPT_ON_INTR) != 0) {
        log_event(LOG_LEVEL_ERROR, "fastcgi-not-started");
        return 1;
    }
    buf_init(&body, LIMIT_HTTP_BODY);
    while (!prefork_stop) {
        if (ppoll(&listening, 1, NULL, &before) <= 0)
            continue;
        deadline_arm(LIMIT_HTTP_READ_SECONDS);
        if (FCGX_Accept_r(&fcgi) == 0)
            serve_one(&fcgi, &body, handler, context);
        deadline_disarm();                      /* another worker took the connection, or it broke */
    }
    FCGX_Free(&fcgi, 1);
    buf_free(&body);
    return 0;
}
