/*
 * talk: HTTP/1.1 over a connection that stays open, as far as a test of answers needs it.
 */
#ifndef CHANCERY_TESTS_FLOW_TALK_H
#define CHANCERY_TESTS_FLOW_TALK_H

#include "tests/flow/octets.h"

#define TALK_REPLY 262144

struct talk {
    const char *host;           /* numbers alone */
    int port, fd;               /* fd: -1 before the first request and after the server closed */
    int status;                 /* of the last answer; 0: the connection was dropped without one */
    bool is_text;               /* its type was text/plain */
    unsigned char body[TALK_REPLY];
    size_t n;
};

/* POST, without waiting; connects where need be. */
void talk_send(struct talk *t, const char *path, struct octets body);
/* Reads the answer to it. */
void talk_receive(struct talk *t);
void talk_close(struct talk *t);

#endif
