/*
 * issue_content: what a certificate will say. For issue.c.
 */
#ifndef CHANCERY_SIGNER_ISSUE_CONTENT_H
#define CHANCERY_SIGNER_ISSUE_CONTENT_H

#include "lib/signer/issue.h"

/* Are the claims what the registry and the profile yield? */
enum result issue_match(struct issue *e, struct verdict *v);
/* The content (subject, names, usages, validity) and its digest; then the TBSCertificate, judged against the CA's bounds. */
enum result issue_prepare(struct issue *e, struct verdict *v);
/* Records the prepared content as a request that waits for approval. R_EXISTS: there is one already. */
enum result issue_wait(struct issue *e);
/* The names to search by: common names and SANs of the certificate. */
enum result issue_names(const struct certificate *made, struct arena *a, struct issuing_record *rec);

#endif
