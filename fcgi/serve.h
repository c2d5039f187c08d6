/*
 * serve: HTTP requests that arrive by FastCGI on a Unix socket. The only file that knows libfcgi.
 *
 * The web server (nginx, Apache) is trusted to say who calls; what the caller sent is not trusted: bodies are read to
 * their end with a limit and a deadline, whatever CONTENT_LENGTH says, URIs have a limit, and a handler sees no other
 * method than GET, HEAD and POST. nginx, and Apache as its template sets it up, have a body whole before they ask, so that
 * a slow client keeps no worker; the deadline is for web servers that pass on what comes.
 *
 * SCRIPT_NAME, PATH_INFO and QUERY_STRING are not used, web servers differ in them:
 * handlers route by REQUEST_URI alone. Requests are refused here with 400, 405, 408, 413 or 414 and a line of text.
 *
 * Every answer carries Content-Length, X-Content-Type-Options: nosniff and Cache-Control: no-store.
 *
 * Does not keep connections: one request each, so that fewer workers than the web server has connections starve nobody.
 */
#ifndef CHANCERY_FCGI_SERVE_H
#define CHANCERY_FCGI_SERVE_H

#include "lib/base/arena.h"
#include "lib/base/bytes.h"
#include "lib/base/result.h"

#define SERVE_HEADERS 4                 /* further header lines of a reply */

struct serve_request {                  /* borrowed: valid until the handler returns */
    const char *method;                 /* "GET", "HEAD" or "POST" */
    const char *uri;                    /* path and query of REQUEST_URI as the client wrote them, nothing decoded */
    const char *remote;                 /* REMOTE_ADDR, for logs; "-" if the web server did not say */
    struct bytes body;                  /* POST only */
};

struct serve_reply {                    /* what it points at must live until the handler's arena is freed */
    int status;                         /* 500 until the handler sets it */
    const char *content_type;           /* NULL: the body is not sent. No charset is added */
    struct bytes body;                  /* not sent for HEAD, where Content-Length still tells its length */
    struct { const char *name, *value; } headers[SERVE_HEADERS];   /* such as Allow; a NULL name ends. Printable ASCII */
};

/* The arena is the request's own (LIMIT_ARENA_REQUEST) and is freed when the reply has been written. */
typedef void serve_handler(void *context, const struct serve_request *request, struct arena *arena, struct serve_reply *reply);

/* Fills a reply with one line of plain text; text must outlive the reply. */
void serve_text(struct serve_reply *reply, int status, const char *text);

/* Listens on path, mode 0660, group as the directory gives it. A socket file that nobody listens on is replaced. R_BUSY:
 * another process serves there; R_TOO_LARGE: the path has more than 107 bytes; R_IO. Logged. Call before prefork_run. */
enum result serve_open(const char *path, int *fd);
/* In the parent, when the workers have ended: closes and removes the socket file. */
void serve_close(const char *path, int fd);

/* The loop of one worker (see prefork.h); returns 0 when prefork_stop is set, after the request it is serving. */
int serve_loop(int fd, serve_handler *handler, void *context);

#endif
