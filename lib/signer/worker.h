/*
 * worker: what one signer process has, and the verbs' handlers.
 *
 * A handler gets the decoded request and fills the verb's reply; a refusal sets *detail (in the arena) to object, found and wanted for
 * the operator. It logs one line of its own. Everything that it allocates is the request's arena.
 */
#ifndef CHANCERY_SIGNER_WORKER_H
#define CHANCERY_SIGNER_WORKER_H

#include <sys/types.h>

#include "lib/signer/keyring.h"
#include "lib/signer/message.h"

struct worker {
    enum signer_lane lane;
    struct db *db;
    struct keyring keyring;
    const char *spool_dir, *public_fqdn;
};

struct worker_call {
    struct worker *worker;
    struct arena *arena;
    const char *detail;              /* "" until refused */
};

enum result enrol_handle(struct worker_call *c, const struct signer_enrol *q, struct signer_certificate *out);
enum result renew_handle(struct worker_call *c, const struct signer_renew *q, struct signer_certificate *out);
enum result poll_handle(struct worker_call *c, const struct signer_poll *q, struct signer_certificate *out);
enum result get_cert_handle(struct worker_call *c, const struct signer_get_cert *q, struct signer_certificate *out);
enum result next_ca_handle(struct worker_call *c, const struct signer_next_ca *q, struct signer_next_ca_answer *out);
enum result challenge_handle(struct worker_call *c, const struct signer_challenge *q, struct signer_challenges *out);
enum result authority_handle_create(struct worker_call *c, const struct signer_ca_create *q, struct signer_ca_created *out);
enum result authority_handle_upload(struct worker_call *c, const struct signer_ca_upload *q, struct signer_ca_uploaded *out);
enum result authority_handle_renew(struct worker_call *c, const struct signer_ca_renew *q, struct signer_ca_renewed *out);
enum result registration_handle_renew(struct worker_call *c, const struct signer_ra_renew *q, struct signer_done *out);
enum result keys_handle_init(struct worker_call *c, const struct signer_keys_init *q, struct signer_done *out);
enum result crl_build_handle(struct worker_call *c, const struct signer_crl_build *q, struct signer_crl_built *out);
enum result audit_sign_handle(struct worker_call *c, const struct signer_audit_sign *q, struct signer_done *out);

/* "field: found x, wanted y" as the call's detail. */
void worker_detail(struct worker_call *c, const struct verdict *v);
/* The detail of the database's refusal, where it gave one. */
void worker_detail_db(struct worker_call *c);

/* The time of a decision is the database's; R_CLOCK (retryable), logged, where this host's is more than LIMIT_CLOCK_SECONDS from it: one of the two is
 * wrong, and nobody here can tell which. */
enum result worker_check_clock(int64_t database_now);

/* A serial for a certificate that ends then: 10, two octets of the partition month, 13 random (DESIGN section 5). */
#define SERIAL_SIZE 16
enum result serial_make(int64_t not_after, uint8_t out[SERIAL_SIZE]);
/* The finished TBSCertificate, read back from its bytes (with zeros in the signature's place), to be judged before anything is signed. */
enum result certificate_prepare(const struct certificate_content *content, const struct key *issuer, struct arena *a, struct certificate *out);
/* Signs exactly the bytes that were judged; made then is the certificate. */
enum result certificate_sign(const struct key *issuer, struct arena *a, struct certificate *made);

#endif
