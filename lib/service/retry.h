/*
 * retry: what failed, and when it may be tried again.
 *
 * Work that is done again and again has a name each. After a failure it waits a second, then twice as long each time up to a
 * limit; success forgets it. So that a lasting fault is logged when it begins, changes and ends, not four times a second.
 */
#ifndef CHANCERY_SERVICE_RETRY_H
#define CHANCERY_SERVICE_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETRY_FIRST_MS 1000
#define RETRY_NAME 160
#define RETRY_REASON 128

struct retry_item { char name[RETRY_NAME], reason[RETRY_REASON]; int64_t due_ms; int wait_ms; };
struct retry { struct retry_item *items; size_t count, room; };     /* zeroed: empty */

/* May it be tried now? True where no failure stands. */
bool retry_due(const struct retry *r, const char *name);
/* Notes a failure; *wait_ms (may be NULL): how long it waits. True where it is news: the first one, or for another reason
 * than before. Without memory it is not noted and always news. */
bool retry_failed(struct retry *r, const char *name, const char *reason, int most_ms, int *wait_ms);
/* Forgets it; true where a failure stood. */
bool retry_done(struct retry *r, const char *name);
void retry_free(struct retry *r);

#endif
