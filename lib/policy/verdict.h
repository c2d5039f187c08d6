/*
 * verdict: what a rule found. A rule returns an enum result; where it refuses, the verdict says which object and field,
 * what was found and what was wanted, for the operator's log, the audit and the form. Texts are in the arena given to
 * verdict_refuse.
 */
#ifndef CHANCERY_POLICY_VERDICT_H
#define CHANCERY_POLICY_VERDICT_H

#include "lib/base/arena.h"

struct verdict {
    enum result result;
    const char *field;       /* "subject", "validity" …; static */
    const char *found;       /* may be NULL */
    const char *wanted;      /* may be NULL */
};
/* Fills v (NULL allowed) and returns r. found and wanted are copied, cut at LIMIT_DETAIL bytes at the end of a character;
 * where memory ran out they are NULL. */
enum result verdict_refuse(struct verdict *v, struct arena *a, enum result r, const char *field, const char *found,
                           const char *wanted);

#endif
