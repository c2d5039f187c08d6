/* A file that somebody exported elsewhere. */
#include "tests/fuzz/fuzz.h"

#include "bin/csv.h"

/* Every record, written again with all in quotes. */
static enum result file_read(struct bytes text, struct arena *a, struct buf *again)
{
    struct csv s;
    const char **fields = NULL;
    uint32_t count = 0;
    int line = 0, last = 0;
    enum result r;

    csv_open(&s, text);
    while ((r = csv_read(&s, a, &fields, &count, &line)) == R_OK && count > 0) {
        FUZZ_MUST(count <= CSV_FIELDS && line > last && (size_t)line <= text.n + 1);
        last = line;
        for (uint32_t i = 0; i < count; i++) {
            FUZZ_MUST(fuzz_is_text(fields[i], text.n));
            buf_text(again, i > 0 ? ",\"" : "\"");
            for (const char *p = fields[i]; *p; p++)
                buf_text(again, *p == '"' ? "\"\"" : (char[]){*p, '\0'});
            buf_text(again, "\"");
        }
        buf_text(again, "\r\n");
    }
    FUZZ_MUST(line >= last);
    return r;
}

FUZZ_TARGET(csv)
{
    struct arena a;
    struct buf first, second;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    buf_init(&first, LIMIT_ARENA_REQUEST);
    buf_init(&second, LIMIT_ARENA_REQUEST);
    enum result r = file_read(BYTES(data, size), &a, &first);
    FUZZ_RESULT(r, R_OK, R_BAD_INPUT, R_TOO_LARGE);
    /* What was read before a refusal counts as well. */
    FUZZ_MUST(file_read(BYTES(first.n > 0 ? first.p : data, first.n), &a, &second) == R_OK);
    FUZZ_MUST(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    buf_free(&second);
    buf_free(&first);
    arena_free(&a);
    return 0;
}
