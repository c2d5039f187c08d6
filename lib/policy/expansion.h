/*
 * expansion: one value of a subject or SAN format, while its variables are being replaced (subject.c, san_format.c).
 *
 * The caller reads the format, and only the format, from left to right; static text and what variables yield is appended
 * to the value and never read again. That is why no attribute can add a separator or another variable.
 */
#ifndef CHANCERY_POLICY_EXPANSION_H
#define CHANCERY_POLICY_EXPANSION_H

#include "lib/base/limits.h"
#include "lib/policy/subject.h"

struct expansion {
    const struct attributes *values;     /* NULL: the format is only checked, and variables yield nothing */
    bool for_user;
    bool takes_identifier;               /* {{OnPremisesSecurityIdentifier}} may stand here */
    const char *field;                   /* of the verdict: "subject", "san" */
    struct arena *arena;
    struct verdict *verdict;
    /* the value so far */
    char text[LIMIT_NAME_VALUE];
    size_t n;
    uint32_t variables;                  /* how many stand in it */
    bool after_device;                   /* one of them is the device's */
    bool has_identifier;
};

/* Starts the next value. */
void expansion_start(struct expansion *e);
/* Refuses with the object's field; R_BAD_INPUT. */
enum result expansion_refuse(struct expansion *e, const char *found, const char *wanted);
enum result expansion_append(struct expansion *e, const char *p, size_t n);
/* *format stands at a brace: appends what the variable there yields and moves *format behind it. */
enum result expansion_variable(struct expansion *e, const char **format);
/* The finished value, checked (printable UTF-8, not blank) and copied; NULL where the format is only checked and the
 * value has variables. */
enum result expansion_finish(struct expansion *e, const char **out);

#endif
