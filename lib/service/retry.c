#include "lib/service/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"

static struct retry_item *retry_find(const struct retry *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strncmp(r->items[i].name, name, RETRY_NAME - 1) == 0)
            return &r->items[i];
    return NULL;
}

static struct retry_item *retry_add(struct retry *r, const char *name)
{
    if (r->count == r->room) {
        size_t room = r->room == 0 ? 16 : r->room * 2;
        struct retry_item *items = reallocarray(r->items, room, sizeof *items);
        if (items == NULL)
            return NULL;
        r->items = items;
        r->room = room;
    }
    struct retry_item *item = &r->items[r->count++];
    memset(item, 0, sizeof *item);
    snprintf(item->name, sizeof item->name, "%s", name);
    return item;
}

bool retry_due(const struct retry *r, const char *name)
{
    const struct retry_item *item = retry_find(r, name);
    return item == NULL || clock_left_ms(item->due_ms) == 0;
}

bool retry_failed(struct retry *r, const char *name, const char *reason, int most_ms, int *wait_ms)
{
    struct retry_item *item = retry_find(r, name);
    bool news = item == NULL || strncmp(item->reason, reason, RETRY_REASON - 1) != 0;
    if (item == NULL)
        item = retry_add(r, name);
    int wait = item == NULL || item->wait_ms == 0 ? RETRY_FIRST_MS : item->wait_ms * 2;
    if (wait > most_ms)
        wait = most_ms;
    if (wait_ms != NULL)
        *wait_ms = wait;
    if (item == NULL)
        return true;
    item->wait_ms = wait;
    item->due_ms = clock_monotonic_ms() + wait;
    snprintf(item->reason, sizeof item->reason, "%s", reason);
    return news;
}

bool retry_done(struct retry *r, const char *name)
{
    struct retry_item *item = retry_find(r, name);
    if (item == NULL)
        return false;
    *item = r->items[--r->count];
    return true;
}

void retry_free(struct retry *r)
{
    free(r->items);
    *r = (struct retry){0};
}
