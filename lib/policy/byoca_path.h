/*
 * byoca_path: the ways from a certificate up to a self-signed root, among an unordered bag of certificates (RFC 4158, in the
 * small). For byoca.c.
 */
#ifndef CHANCERY_POLICY_BYOCA_PATH_H
#define CHANCERY_POLICY_BYOCA_PATH_H

#include "lib/policy/byoca.h"

/* What is wrong with the key of a CA, NULL for nothing, and what was wanted. In the arena. */
const char *byoca_key_fault(const struct public_key *k, struct arena *a);
#define BYOCA_KEY_WANTED "RSA of 2048 to 4096 bits with an odd exponent of at least 65537, or EC on P-256, P-384 or P-521"

/* Is told each complete way; true ends the search. */
typedef bool byoca_path_take(void *context, const struct byoca_chain *path);
/* R_OK and out where take said yes. Where no way is complete, v says what is missing: R_BAD_INPUT. Where each was declined, v is
 * left to take, and what it says is returned. */
enum result byoca_path_find(const struct certificate *made, const struct certificate *bag, uint32_t count, byoca_path_take *take,
                            void *context, struct arena *a, struct byoca_chain *out, struct verdict *v);

#endif
