/*
 * ca_seal: the signer's own word on what a CA version is.
 *
 * A leaf's bounds are taken from the CA's certificate and chain, and these are rows that the database's owner can change. So the signer puts an
 * authentication code over everything of the row that it relies on, when the CA is made, under a key derived from a passphrase that the database
 * never sees, and uses no CA whose code is another. The code is AES-256-GCM without content: IV and tag.
 */
#ifndef CHANCERY_SIGNER_CA_SEAL_H
#define CHANCERY_SIGNER_CA_SEAL_H

#include "lib/signer/key.h"

#define CA_SEAL_SIZE 28
enum result ca_seal_make(const struct key_secrets *secrets, uint32_t tenant, const struct issuing_ca *ca, struct buf *out);
/* R_BAD_KEY, logged, where the code is not this row's. */
enum result ca_seal_check(const struct key_secrets *secrets, uint32_t tenant, const struct issuing_ca *ca);

#endif
