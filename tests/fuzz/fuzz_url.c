/* The request URI, as the web server hands it on: no NUL in it. */
#include "tests/fuzz/fuzz.h"

#include <ctype.h>

#include "lib/scep/url.h"

static void parts_check(const struct scep_url *u, const char *uri)
{
    char words[VARIANT_SIZE];
    struct variant again;

    FUZZ_MUST(strlen(u->ca) == URL_CA_SIZE - 1);
    for (const char *p = u->ca; *p; p++)
        FUZZ_MUST(*p == '-' || (isxdigit((unsigned char)*p) && !isupper((unsigned char)*p)));
    variant_to_text(&u->variant, words);
    FUZZ_MUST(variant_from_text(words, &again) == R_OK && memcmp(&again, &u->variant, sizeof again) == 0);
    FUZZ_MUST(u->version <= 10000);
    FUZZ_MUST(scep_operation_name(u->operation) != NULL);
    FUZZ_MUST(u->message.p == NULL || u->message.n > 0);
    FUZZ_MUST(fuzz_within(u->message, bytes_of_text(uri)));
}

/* The message stands alone here, so that a step beyond it is seen. What was read, written as a careful client does, is read the
 * same. */
static void message_check(struct bytes written, struct arena *a)
{
    struct bytes message, again;
    uint8_t *alone = fuzz_alone(written, written.n);
    enum result r = url_message(BYTES(alone, written.n), a, &message);

    FUZZ_RESULT(r, R_OK, R_BAD_INPUT);
    if (r == R_OK) {
        char *text = arena_alloc(a, base64_size(message.n));
        FUZZ_MUST(message.n > 0 && message.n <= written.n && text != NULL);
        base64_encode(text, message.p, message.n);
        FUZZ_MUST(url_message(bytes_of_text(text), a, &again) == R_OK && bytes_equal(message, again));
    }
    free(alone);
}

FUZZ_TARGET(url)
{
    struct scep_url u;
    struct arena a;
    char *uri = fuzz_string(data, size < LIMIT_HTTP_URI ? size : LIMIT_HTTP_URI);
    enum result r = url_decode(uri, &u);

    arena_init(&a, LIMIT_ARENA_REQUEST);
    FUZZ_RESULT(r, R_OK, R_NOT_FOUND);
    if (r == R_OK) {
        parts_check(&u, uri);
        message_check(u.message, &a);
    }
    arena_free(&a);
    free(uri);
    return 0;
}
