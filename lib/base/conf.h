/*
 * conf: chancery.conf and the secrets files.
 *
 * "key = value" a line; # starts a comment at the beginning of a line or after white space; no continuation, no quotes:
 * the value is the rest of the line, trimmed. A key stands once, except "program". Unknown keys, bad values, doubled or
 * missing keys are refused with file, line and reason through conf_error. The keys are one table in conf.c, with type,
 * default and meaning; the man page chancery.conf(5) is checked against it.
 *
 * chancery.conf holds nothing secret. A secrets file has the same form, belongs to one user and must not be readable by
 * others (mode 0400 or 0600, 0440 or 0640 with a group), else it is refused.
 */
#ifndef CHANCERY_BASE_CONF_H
#define CHANCERY_BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/log.h"
#include "lib/base/result.h"

#define CONF_PROGRAMS 16

struct conf_program {            /* program = NAME USER COMMAND [ARGUMENT ...]; for chancery run */
    char *name, *user, *command;
};

struct conf {
    char *path;
    char *database;              /* libpq connection string without user and password; several hosts allowed */
    bool prepare;                /* use prepared statements (off behind pgbouncer 1.18) */
    char *public_fqdn;           /* host[:port] that {{CloudPKIFQDN}} stands for and CRL and AIA URLs are made with */
    char *scep_socket;           /* FastCGI */
    char *leaf_socket, *crl_socket, *admin_socket;    /* the signer's lanes */
    char *scep_secrets, *signer_secrets, *root_secrets, *publisher_secrets;
    char *www_dir;               /* crl/ and ca/ below it are published */
    char *spool_dir;             /* the signer's space for a CRL being built */
    char *run_dir;               /* pids, locks */
    char *log_dir;               /* chancery run writes NAME.log here */
    char *scep_user, *signer_user, *publisher_user;   /* system users, for the signer's check of its peers */
    int scep_workers, leaf_workers, admin_workers;    /* processes; 0: chosen by the number of processors */
    enum log_level log_level;
    struct conf_program programs[CONF_PROGRAMS];
    int program_count;
};

struct conf_secrets {
    char *ca_passphrase;         /* encrypts issuing CAs' and challenge keys */
    char *root_passphrase;       /* encrypts roots' keys */
    char *ra_passphrase;         /* encrypts RA keys */
    char *database_password;     /* NULL: peer authentication */
};

/* The text of the last refusal: "FILE:LINE: reason". Valid until the next call. */
const char *conf_error(void);
enum result conf_load(struct conf *c, const char *path);
void conf_free(struct conf *c);
/* Fills s anew: keys that are absent are NULL; unknown keys are refused. */
enum result conf_load_secrets(struct conf_secrets *s, const char *path);
void conf_free_secrets(struct conf_secrets *s);      /* wipes */
/* Writes the table of keys, types, defaults and meanings for the manual: "key\ttype\tdefault\tmeaning\n". */
void conf_describe(void (*line)(void *, const char *), void *context);

#endif
