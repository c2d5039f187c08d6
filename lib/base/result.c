#include "lib/base/result.h"

#include <stdbool.h>
#include <string.h>

struct result_row {
    const char *name;
    int http;
    enum fail_info fail;
    const char *sentence;
};

#define RESULT_ROW(id, name, http, fail, sentence) {name, http, fail, sentence},
static const struct result_row result_rows[] = {RESULT_TABLE(RESULT_ROW)};
#undef RESULT_ROW

static const struct result_row *row(enum result r)
{
    return &result_rows[(unsigned)r < R_COUNT ? r : R_INTERNAL];
}

const char *result_name(enum result r) { return row(r)->name; }
const char *result_sentence(enum result r) { return row(r)->sentence; }
int result_http(enum result r) { return row(r)->http; }
enum fail_info result_fail_info(enum result r) { return row(r)->fail; }

enum result result_from_name(const char *name)
{
    for (int r = 0; r < R_COUNT; r++)
        if (strcmp(result_rows[r].name, name) == 0)
            return (enum result)r;
    return R_INTERNAL;
}

enum result result_from_number(unsigned long n)
{
    return n < R_COUNT ? (enum result)n : R_INTERNAL;
}

int result_is_retryable(enum result r)
{
    return result_http(r) == 503;
}
