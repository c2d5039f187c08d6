/*
 * audit_chain: checks the sealed audit log from its rows alone: nothing of the database's own reckoning is trusted.
 *
 * Entries have numbers from 1 without a gap and the SHA-256 of their canonical form; batches of them are chained by heads;
 * heads are signed
 * by the signer. What is hashed is said in sql/0003-publisher.sql (audit_canonical, audit_head), what is signed here:
 *
 *   "chancery audit head 1" || batch, 8 octets || last number, 8 octets || head, 32 octets      (big-endian; RSA PKCS#1 v1.5,
 * SHA-256)
 *
 * Feed it in order: a batch, its entries, the end of the batch, the next batch. The first thing that is wrong ends it:
 * R_AUDIT_BROKEN and
 * a sentence in .fault. Does not know the time, nor what stands outside the chain.
 */
#ifndef CHANCERY_STORE_AUDIT_CHAIN_H
#define CHANCERY_STORE_AUDIT_CHAIN_H

#include "lib/base/bytes.h"

#define AUDIT_HEAD 32
#define AUDIT_BATCH_MOST 10000       /* entries of a batch, as the sealer makes them */

struct audit_entry {
    int64_t seq;
    struct bytes hash;               /* as sealed */
    bool present;                    /* false: the entry itself is gone, and what follows is not filled */
    int64_t audit_id, at_us, tenant; /* at_us: microseconds since 1970 */
    const char *actor, *activity, *object_id, *object_name, *details;
};
struct audit_batch {
    int64_t batch, first, last;
    struct bytes head;
    struct bytes signature;          /* .p NULL: not signed yet */
};
struct audit_keys { const struct bytes *items; uint32_t count; };      /* SubjectPublicKeyInfo */

struct audit_chain {
    int64_t batches, entries;        /* verified so far; also the last batch's and the last entry's number */
    uint8_t head[AUDIT_HEAD];
    struct audit_batch open;         /* between audit_chain_batch and audit_chain_close */
    struct buf hashes;
    char fault[192];
};
void audit_chain_init(struct audit_chain *c);
void audit_chain_free(struct audit_chain *c);
enum result audit_chain_batch(struct audit_chain *c, const struct audit_batch *b);
enum result audit_chain_entry(struct audit_chain *c, const struct audit_entry *e);
/* The batch's head, and its signature where it has one, with any of the keys. */
enum result audit_chain_close(struct audit_chain *c, const struct audit_keys *keys);

/* A signed head kept elsewhere, "BATCH:HEAD:SIGNATURE" with the latter two in hexadecimal. */
struct audit_kept { int64_t batch; uint8_t head[AUDIT_HEAD]; uint8_t signature[1024]; size_t signature_size; };
enum result audit_kept_read(const char *text, struct audit_kept *out);      /* R_BAD_INPUT */
/* Is it the head of this verified batch, with a signature of its own that verifies? R_AUDIT_BROKEN with *why. */
enum result audit_kept_check(const struct audit_kept *k, const struct audit_batch *b, const struct audit_keys *keys,
                             const char **why);

#endif
