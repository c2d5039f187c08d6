/* Keys in software: encrypted PKCS#8 from the database, opened with a passphrase of this worker's. */
#include <string.h>

#include "lib/codec/pkey.h"
#include "lib/signer/key.h"

static const char *software_passphrase(const char *wrapped_by, const struct key_secrets *s)
{
    const struct { const char *name, *secret; } table[] = {{"ca", s->ca}, {"root", s->root}, {"ra", s->ra}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (wrapped_by != NULL && strcmp(table[i].name, wrapped_by) == 0)
            return table[i].secret;
    return NULL;
}

static enum result software_open(const struct stored_key *row, const struct key_secrets *secrets, void **handle)
{
    struct pkey *k = NULL;
    const char *passphrase = software_passphrase(row->wrapped_by, secrets);
    if (passphrase == NULL)
        return R_BAD_KEY;
    enum result r = pkey_open(row->private_key, passphrase, &k);
    *handle = k;
    return r;
}

static void software_close(void *handle)
{
    pkey_free(handle);
}

static enum result software_sign_begin(void *handle, uint32_t hash, void **signing)
{
    struct pkey_signing *s = NULL;
    enum result r = pkey_sign_begin(handle, hash, &s);
    *signing = s;
    return r;
}

static enum result software_sign_update(void *signing, const void *p, size_t n)
{
    return pkey_sign_update(signing, p, n);
}

static enum result software_sign_end(void *signing, struct arena *a, struct bytes *signature)
{
    return pkey_sign_end(signing, a, signature);
}

static void software_sign_cancel(void *signing)
{
    pkey_sign_cancel(signing);
}

const struct key_platform key_software = {"software", software_open, software_close, software_sign_begin, software_sign_update, software_sign_end,
                                          software_sign_cancel};
