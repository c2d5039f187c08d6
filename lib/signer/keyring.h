/*
 * keyring: what a signer worker keeps by id because it never changes: CA versions with key and decoded chain, and the challenge keys.
 *
 * A CA version that is not here is read from the database; a challenge generation that is not here reloads all generations, at most
 * once a second. At most KEYRING_CAS versions are kept, the least recently used makes room.
 */
#ifndef CHANCERY_SIGNER_KEYRING_H
#define CHANCERY_SIGNER_KEYRING_H

#include "lib/signer/key.h"

#define KEYRING_CAS 256
#define KEYRING_GENERATIONS 16

struct keyring_ca {
    uint32_t tenant, ca_version;
    struct arena arena;
    struct issuing_ca row;
    struct certificate *chain;       /* [0] the CA itself, then its parents */
    uint32_t chain_count;
    uint32_t hash;                   /* that it signs with */
    struct key *key;
    uint64_t used;
};
struct keyring_challenge_key { uint16_t generation; uint8_t key[32]; };

struct keyring {
    struct key_secrets secrets;
    struct keyring_ca *cas[KEYRING_CAS];
    uint32_t ca_count;
    uint64_t uses;
    struct keyring_challenge_key challenge[KEYRING_GENERATIONS];
    uint32_t challenge_count;
    int64_t challenge_loaded_ms;     /* monotonic; 0 never */
};

void keyring_init(struct keyring *k, const struct key_secrets *secrets);
void keyring_free(struct keyring *k);
/* The CA version, ready to sign; owned by the keyring, valid until the next keyring_ca. */
enum result keyring_ca(struct keyring *k, struct db *db, uint32_t tenant, uint32_t ca_version, const struct keyring_ca **out);
/* The challenge key of a generation; generation 0: the newest. R_NOT_FOUND where there is none. */
enum result keyring_challenge(struct keyring *k, struct db *db, uint16_t generation, const struct keyring_challenge_key **out);
/* Wraps and unwraps an AES-256 key under a passphrase: 16 octets of salt, then AES-256-GCM with a key of HKDF. */
enum result keyring_wrap(const char *passphrase, const uint8_t key[32], struct buf *out);
enum result keyring_unwrap(const char *passphrase, struct bytes wrapped, uint8_t key[32]);

#endif
