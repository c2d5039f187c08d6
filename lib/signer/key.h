/*
 * key: one private key of a CA or of the installation, wherever it lives.
 *
 * All signing goes through here. A platform is a table of functions (key_platform); "software" is key_software.c, a security module becomes a second
 * file with the same table. Keys are opened once a worker and kept warm: opening performs one signature and checks it with the public
 * key on record, so that a wrong or damaged key is found before it signs anything.
 */
#ifndef CHANCERY_SIGNER_KEY_H
#define CHANCERY_SIGNER_KEY_H

#include "lib/codec/x509.h"
#include "lib/store/issuing.h"

/* The passphrases a worker has. A lane that must not open a kind of key has NULL there. */
struct key_secrets { const char *ca, *root, *ra; };

struct key;
struct key_signing;

struct key_platform {
    const char *name;                                   /* as stored: "software" */
    enum result (*open)(const struct stored_key *row, const struct key_secrets *secrets, void **handle);
    void (*close)(void *handle);
    enum result (*sign_begin)(void *handle, uint32_t hash, void **signing);
    enum result (*sign_update)(void *signing, const void *p, size_t n);
    enum result (*sign_end)(void *signing, struct arena *a, struct bytes *signature);      /* frees signing in every case */
    void (*sign_cancel)(void *signing);
};
extern const struct key_platform key_software;

/* R_BAD_KEY where the platform is not known here, the passphrase is not ours to have, or the key is not the recorded public key's. */
enum result key_open(const struct stored_key *row, const struct key_secrets *secrets, struct key **out);
void key_free(struct key *k);
/* Octets of a signature. */
size_t key_signature_size(const struct key *k);
enum result key_sign(const struct key *k, uint32_t hash, struct bytes data, struct arena *a, struct bytes *signature);
enum result key_sign_begin(const struct key *k, uint32_t hash, struct key_signing **out);
enum result key_sign_update(struct key_signing *s, const void *p, size_t n);
/* Frees s in every case. */
enum result key_sign_end(struct key_signing *s, struct arena *a, struct bytes *signature);
void key_sign_cancel(struct key_signing *s);            /* NULL allowed */

#endif
