/* A signed head that was kept elsewhere and is typed in: BATCH:HEAD:SIGNATURE. */
#include "tests/fuzz/fuzz.h"

#include "lib/store/audit_chain.h"

FUZZ_TARGET(audit_head)
{
    static const uint8_t head[AUDIT_HEAD];
    static const struct audit_keys keys = {NULL, 0};
    struct audit_kept k = {.batch = 0};
    char *text = fuzz_string(data, size);
    enum result r = audit_kept_read(text, &k);

    FUZZ_RESULT(r, R_OK, R_BAD_INPUT);
    if (r == R_OK) {
        const struct audit_batch b = {.batch = k.batch, .first = 1, .last = 1, .head = BYTES(head, sizeof head)};
        const char *why = NULL;
        FUZZ_MUST(k.batch > 0 && k.signature_size > 0 && k.signature_size <= sizeof k.signature);
        FUZZ_MUST(strlen(text) > 2 * (sizeof k.head + k.signature_size));
        FUZZ_MUST(audit_kept_check(&k, &b, &keys, &why) == R_AUDIT_BROKEN && why != NULL);
    }
    free(text);
    return 0;
}
