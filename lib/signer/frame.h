/*
 * frame: reading and writing length-prefixed frames on a Unix socket, with deadlines. Both ends use it.
 */
#ifndef CHANCERY_SIGNER_FRAME_H
#define CHANCERY_SIGNER_FRAME_H

#include "lib/base/bytes.h"

/* Writes length and body, waiting at most until the monotonic deadline. R_UNAVAILABLE on a broken peer, R_OUTCOME_UNKNOWN on time out. */
enum result frame_write(int fd, struct bytes body, int64_t deadline_ms);
/* Reads one whole frame into body (limit of the buffer applies). R_BAD_FRAME where the length is 0 or above LIMIT_FRAME; R_UNAVAILABLE at an early end; R_OUTCOME_UNKNOWN on time out. */
enum result frame_read(int fd, struct buf *body, int64_t deadline_ms);
/* A listening socket of mode 0660 at path; a stale one is removed. */
enum result frame_listen(const char *path, int backlog, int *fd);
enum result frame_connect(const char *path, int64_t deadline_ms, int *fd);

/* The server's side without waiting: as much of a frame as has come. state starts zeroed. *complete with the body in state->body. */
struct frame_reader { uint8_t header[4]; size_t have; struct buf body; };
enum result frame_reader_step(struct frame_reader *r, int fd, bool *complete);
void frame_reader_free(struct frame_reader *r);

#endif
