/*
 * cli: what the commands of `chancery` share: the table of commands, the words given, the session, the output.
 *
 * A command is a row: noun, verb, what it takes, and its function. The words are checked against the row before the function
 * runs: a function asks for its options by name and gets values of the right kind. It returns a result; chancery.c says
 * it, once, as "chancery: SENTENCE DETAIL" on standard error, and turns it into the exit status: 0, 1, or 2 for words that
 * were not understood.
 */
#ifndef CHANCERY_BIN_CLI_H
#define CHANCERY_BIN_CLI_H

#include <stdio.h>

#include "lib/base/conf.h"
#include "lib/signer/client.h"
#include "lib/store/operator.h"

enum option_kind {
    OPTION_FLAG,       /* takes no value */
    OPTION_TEXT,       /* printable UTF-8, not empty */
    OPTION_NUMBER,     /* min to max */
    OPTION_CHOICE,     /* one of the words of value, which stand there with "|" between them */
    OPTION_SERIAL,     /* hexadecimal, 1 to LIMIT_SERIAL octets */
    OPTION_TIME,       /* as clock_from_iso reads it */
};
enum { OPTION_REQUIRED = 1, OPTION_REPEATED = 2, OPTION_EMPTY = 4 /* the empty text is allowed */ };
struct option {
    const char *name, *value;     /* without dashes; the value's name in the help, NULL for a flag */
    enum option_kind kind;
    unsigned flags;
    const char *help;
    int64_t min, max;
};
#define OPTION_END {NULL, NULL, OPTION_FLAG, 0, NULL, 0, 0}

struct cli;
struct command {
    const char *noun, *verb;      /* verb NULL: the noun stands alone */
    const char *argument;         /* the name of the one argument, which is then required; NULL: none */
    enum option_kind argument_kind;
    const struct option *options; /* ends with OPTION_END; NULL: none */
    bool bare;                    /* needs neither configuration nor database */
    const char *help;
    enum result (*run)(struct cli *c);
};

/* The tables of commands, one a file; each ends with a row of .noun NULL. */
extern const struct command commands_audit[], commands_byoca[], commands_ca[], commands_certificate[], commands_challenge[],
    commands_device[], commands_group[], commands_import[], commands_profile[], commands_request[], commands_system[],
    commands_user[];

#define CLI_OPTIONS 1024          /* given in one call, repeated ones counted each */
struct given { const struct option *option; const char *value; };
struct cli {
    const char *conf_path;
    struct conf conf;
    bool json, verbose, help;
    int64_t tenant;
    char login[65];
    const char *noun;
    const struct command *command;
    const char *argument;
    struct given given[CLI_OPTIONS];
    int given_count;
    struct arena arena;           /* to the end of the command */
    struct db *db;
    const char *detail;           /* of the refusal, in the arena; NULL: db's own */
    bool said;                    /* the refusal stands on standard error already */
};

/* Fills c from the words, global options included, and finds the command. R_BAD_INPUT: not understood; a sentence was written. */
enum result cli_parse(struct cli *c, int argc, char **argv);
/* Writes help for everything (both NULL), a noun, or one command of it. */
void cli_help(FILE *out, const char *noun, const struct command *command);
/* The next of all commands; NULL begins and ends. */
const struct command *cli_next(const struct command *previous);

/* The options given. Asking for one that the command does not have is a fault of ours and ends the program. */
const char *cli_text(const struct cli *c, const char *name);                /* NULL: not given */
bool cli_flag(const struct cli *c, const char *name);
int64_t cli_number(const struct cli *c, const char *name, int64_t absent);
int64_t cli_time(const struct cli *c, const char *name, int64_t absent);
/* All values of a repeated option, in order, in the arena. NULL items: memory ran out. */
const char **cli_texts(struct cli *c, const char *name, uint32_t *count);
/* The argument, a serial number, as bytes in the arena. */
struct bytes cli_serial(struct cli *c, const char *hex);

/* Says why, for the line on standard error; returns r. */
enum result cli_refuse(struct cli *c, enum result r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* One line "chancery: ..." on standard error now. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Opens the database at the first call, and checks its schema. */
enum result cli_call(struct cli *c, enum operator_function f, const struct db_param *arguments, int count, struct db_rows **rows);
/* The same for a LIST, which it prints: as a table or as an array. */
enum result cli_list(struct cli *c, enum operator_function f, const struct db_param *arguments, int count);
/* The same for a LIST of one row: as lines "name  value" or as an object. */
enum result cli_show(struct cli *c, enum operator_function f, const struct db_param *arguments, int count);
/* Calls, and prints the number that comes back, as it is or as {"name": number}. */
enum result cli_made(struct cli *c, enum operator_function f, const struct db_param *arguments, int count, const char *name);
/* An optional option with a number from 1, as a parameter. */
struct db_param cli_optional(const struct cli *c, const char *name);
/* That of "row-version". */
struct db_param cli_expected(const struct cli *c);
enum result cli_signer(struct cli *c, enum signer_verb verb, const void *request, int timeout_ms, struct arena *a, void *answer);

/* Output. A table's cells are written without control characters; JSON strings with RFC 8259 escapes. */
enum result output_table(const struct db_rows *rows);
enum result output_show(const struct db_rows *rows);
void output_json_string(const char *s);
/* Bytes to standard output, as they are or as PEM with that label. */
enum result output_der(struct bytes der, bool pem, const char *label);

#endif
