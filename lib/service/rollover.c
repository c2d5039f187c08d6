#include "lib/service/rollover.h"

#include "lib/base/limits.h"
#include "lib/signer/client.h"

enum result rollover_answer(const struct pki_context *x, struct endpoint *e, struct arena *a, struct bytes *answer)
{
    const struct signer_next_ca q = {.ca = e->ca};
    struct signer_next_ca_answer next;
    enum result r = R_OK;

    if (e->next_version == 0)
        endpoint_reload(x->endpoints, e);
    if (e->next_version == 0)
        return R_NOT_FOUND;
    if (!e->next.p) {
        r = signer_call(x->signer_socket, SIGNER_NEXT_CA, &q, LIMIT_SIGNER_MS, a, &next, NULL);
        if (r == R_OK)
            r = endpoint_keep_next(e, next.message);
    }
    if (r == R_OK)
        *answer = e->next;
    return r;
}
