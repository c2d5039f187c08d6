/*
 * server: one lane's loop in one worker process.
 *
 * Connections whose frame is not complete wait beside one another, each with a deadline (LIMIT_FRAME_READ_MS), so a slow or dead
 * client keeps nobody waiting; at most LIMIT_SIGNER_PENDING wait in a worker, the oldest makes room. A complete frame is
 * served at once and its connection closed.
 *
 * Who may say what is one table in server.c: verb, lane, and which system users. The peer's user comes from the kernel
 * (SO_PEERCRED), never from the message.
 */
#ifndef CHANCERY_SIGNER_SERVER_H
#define CHANCERY_SIGNER_SERVER_H

#include <signal.h>
#include <sys/types.h>

#include "lib/signer/worker.h"

struct server_peers { uid_t scep, publisher; };       /* besides root */

/* Serves until *stop is set. listener is non-blocking. Returns when stopped, R_IO when the listener fails. */
enum result server_run(struct worker *w, int listener, const struct server_peers *peers, const volatile sig_atomic_t *stop);

#endif
