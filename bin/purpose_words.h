/*
 * purpose_words: extended key usages as they are given on the command line: by name ("Client auth"), label ("clientAuth"),
 * OID, or, where a new name is wanted, "Name=OID".
 */
#ifndef CHANCERY_BIN_PURPOSE_WORDS_H
#define CHANCERY_BIN_PURPOSE_WORDS_H

#include "bin/cli.h"

/* All values of that repeated option. names may be NULL; with new_names false "Name=OID" is refused. R_BAD_INPUT names the
 * word that is no purpose. */
enum result purpose_words(struct cli *c, const char *option, bool new_names, struct oids *oids, struct oids *names);

#endif
