/*
 * log: one event a line on standard error, key=value, for journald or the supervisor's files.
 *
 *   time=2026-11-22T15:04:05.123Z level=info program=chancery-scep pid=71 txn=ab12 event=enrolled serial=10… device="7"
 *
 * Values are written bare when they consist of [A-Za-z0-9._:/@+,-] only, else in double quotes with \" \\ \n \r \t and
 * \xHH for every control character and every byte that is not valid UTF-8; they are cut at LIMIT_LOG_VALUE bytes with
 * "..." so that no input can forge, break or flood a line. One write(2) a line. Secrets are never passed here.
 */
#ifndef CHANCERY_BASE_LOG_H
#define CHANCERY_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/result.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct log_field {
    const char *key;                        /* NULL ends the list */
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_HEX, LOG_FIELD_BYTES } kind;
    union { const char *text; int64_t number; struct bytes bytes; } as;
};
#define LOG_TEXT(k, v)   ((struct log_field){(k), LOG_FIELD_TEXT, {.text = (v)}})       /* NULL is written as - */
#define LOG_NUM(k, v)    ((struct log_field){(k), LOG_FIELD_NUMBER, {.number = (v)}})
#define LOG_HEX(k, v)    ((struct log_field){(k), LOG_FIELD_HEX, {.bytes = (v)}})
#define LOG_BYTES(k, v)  ((struct log_field){(k), LOG_FIELD_BYTES, {.bytes = (v)}})     /* as escaped text */
#define LOG_RESULT(r)    LOG_TEXT("reason", result_name(r))
#define LOG_END          ((struct log_field){0})

/* log_event(LOG_LEVEL_INFO, "enrolled", LOG_HEX("serial", s), LOG_NUM("device", id)); */
#define log_event(level, event, ...) \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(,) LOG_END})

void log_open(const char *program, enum log_level least);   /* program must outlive the process's logging */
void log_write(enum log_level level, const char *event, const struct log_field *fields);
/* A field put on every line until it is replaced: the transaction id of the request being served. NULL key clears it. The
 * bytes are borrowed. */
void log_context(const char *key, struct bytes value);
enum result log_level_from_name(const char *name, enum log_level *out);   /* debug info notice warning error */
/* Test hook and the command line's quiet mode: the descriptor lines go to (2 by default; -1 none). */
void log_to(int fd);

#endif
