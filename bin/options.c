#include "bin/cli.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/text.h"

static const struct option global_options[] = {
    {"config", "FILE", OPTION_TEXT, 0, "configuration file (default " CHANCERY_CONF ")", 0, 0},
    {"json", NULL, OPTION_FLAG, 0, "write JSON", 0, 0},
    {"tenant", "N", OPTION_NUMBER, 0, "tenant (default 1)", 1, INT32_MAX},
    {"verbose", NULL, OPTION_FLAG, 0, "write log lines to standard error", 0, 0},
    {"help", NULL, OPTION_FLAG, 0, "describe the command", 0, 0},
    OPTION_END,
};

/* In the order of the help. */
static const struct command *const tables[] = {
    commands_system, commands_ca, commands_byoca, commands_device, commands_import, commands_user, commands_group,
    commands_profile, commands_challenge, commands_request, commands_certificate, commands_audit,
};
#define TABLES (sizeof tables / sizeof tables[0])

const struct command *cli_next(const struct command *previous)
{
    if (previous == NULL)
        return tables[0];
    if (previous[1].noun != NULL)
        return previous + 1;
    for (size_t i = 0; i + 1 < TABLES; i++) {
        const struct command *c = tables[i];
        while (c->noun != NULL && c != previous)
            c++;
        if (c == previous)
            return tables[i + 1];
    }
    return NULL;
}

static const struct option *option_find(const struct option *options, const char *name, size_t n)
{
    for (const struct option *o = options; o != NULL && o->name != NULL; o++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

static bool is_choice(const char *words, const char *value)
{
    size_t n = strlen(value);
    while (words != NULL) {
        const char *end = strchr(words, '|');
        size_t length = end != NULL ? (size_t)(end - words) : strlen(words);
        if (length == n && memcmp(words, value, n) == 0)
            return true;
        words = end != NULL ? end + 1 : NULL;
    }
    return false;
}

/* Hexadecimal with colons between octets allowed. */
static enum result serial_decode(const char *hex, uint8_t out[LIMIT_SERIAL], size_t *n)
{
    char digits[2 * LIMIT_SERIAL + 1];
    size_t length = 0;
    for (; *hex != '\0'; hex++) {
        if (*hex == ':')
            continue;
        if (length == sizeof digits - 1)
            return R_BAD_INPUT;
        digits[length++] = *hex;
    }
    digits[length] = '\0';
    *n = LIMIT_SERIAL;
    return length == 0 ? R_BAD_INPUT : hex_decode(digits, out, n);
}

/* NULL where the value is one of the kind, else what was wanted. */
static const char *value_fault(enum option_kind kind, const char *words, unsigned flags, int64_t min, int64_t max,
                               const char *value)
{
    static char wanted[96];
    uint8_t serial[LIMIT_SERIAL];
    size_t n;
    int64_t number;
    if (!text_is_printable(value, strlen(value)) || (*value == '\0' && !(flags & OPTION_EMPTY)))
        return "printable text";
    switch (kind) {
    case OPTION_NUMBER:
        snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)min, (long long)max);
        return text_to_number(value, min, max, &number) == R_OK ? NULL : wanted;
    case OPTION_CHOICE:
        return is_choice(words, value) ? NULL : words;
    case OPTION_SERIAL:
        return serial_decode(value, serial, &n) == R_OK ? NULL : "a serial number in hexadecimal";
    case OPTION_TIME:
        return clock_from_iso(value, &number) == R_OK ? NULL : "a time like 2026-11-22T15:04:05Z or 2026-11-22";
    case OPTION_FLAG:
    case OPTION_TEXT:
        break;
    }
    return NULL;
}

static enum result global_take(struct cli *c, const struct option *o, const char *value)
{
    if (strcmp(o->name, "config") == 0)
        c->conf_path = value;
    else if (strcmp(o->name, "json") == 0)
        c->json = true;
    else if (strcmp(o->name, "verbose") == 0)
        c->verbose = true;
    else if (strcmp(o->name, "help") == 0)
        c->help = true;
    else
        return text_to_number(value, o->min, o->max, &c->tenant);
    return R_OK;
}

static bool is_given(const struct cli *c, const struct option *o)
{
    for (int i = 0; i < c->given_count; i++)
        if (c->given[i].option == o)
            return true;
    return false;
}

static enum result own_take(struct cli *c, const struct option *o, const char *value)
{
    if (!(o->flags & OPTION_REPEATED) && is_given(c, o)) {
        cli_say("--%s stands twice", o->name);
        return R_BAD_INPUT;
    }
    if (c->given_count == CLI_OPTIONS) {
        cli_say("there are more than %d options", CLI_OPTIONS);
        return R_BAD_INPUT;
    }
    c->given[c->given_count++] = (struct given){o, value};
    return R_OK;
}

static enum result unknown_option(const struct cli *c, const char *word)
{
    if (c->command == NULL)
        cli_say("option %s: only global options stand before the command; see chancery help", word);
    else
        cli_say("%s %s has no option %s; see chancery %s help", c->command->noun, c->command->verb ? c->command->verb : "", word,
                c->command->noun);
    return R_BAD_INPUT;
}

/* The option at argv[*i], with its value behind "=" or in the next word. */
static enum result option_take(struct cli *c, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *value = strchr(name, '=');
    size_t n = value != NULL ? (size_t)(value - name) : strlen(name);
    const struct option *global = option_find(global_options, name, n);
    const struct option *o = global != NULL ? global : c->command != NULL ? option_find(c->command->options, name, n) : NULL;
    if (o == NULL)
        return unknown_option(c, argv[*i]);
    if (value != NULL)
        value++;
    else if (o->kind != OPTION_FLAG && *i + 1 < argc)
        value = argv[++*i];
    if ((o->kind == OPTION_FLAG) != (value == NULL)) {
        cli_say(value == NULL ? "--%s wants a value: %s" : "--%s takes no value", o->name, o->value);
        return R_BAD_INPUT;
    }
    const char *wanted = value == NULL ? NULL : value_fault(o->kind, o->value, o->flags, o->min, o->max, value);
    if (wanted != NULL) {
        cli_say("--%s: found \"%s\", wanted %s", o->name, value, wanted);
        return R_BAD_INPUT;
    }
    return global != NULL ? global_take(c, o, value) : own_take(c, o, value);
}

/* The command of that noun and verb; verb NULL: the one that stands alone. */
static const struct command *command_find(const char *noun, const char *verb)
{
    for (const struct command *k = cli_next(NULL); k != NULL; k = cli_next(k))
        if (strcmp(k->noun, noun) == 0 && (verb == NULL ? k->verb == NULL : k->verb != NULL && strcmp(k->verb, verb) == 0))
            return k;
    return NULL;
}

static bool noun_known(const char *noun)
{
    for (const struct command *k = cli_next(NULL); k != NULL; k = cli_next(k))
        if (strcmp(k->noun, noun) == 0)
            return true;
    return false;
}

static enum result noun_take(struct cli *c, const char *word)
{
    if (strcmp(word, "help") == 0) {
        c->help = true;
    } else if (noun_known(word)) {
        c->noun = word;
        c->command = command_find(word, NULL);
    } else {
        cli_say("there is no command \"%s\"; see chancery help", word);
        return R_BAD_INPUT;
    }
    return R_OK;
}

static enum result verb_take(struct cli *c, const char *word)
{
    c->command = command_find(c->noun, word);
    if (c->command == NULL && strcmp(word, "help") == 0) {
        c->help = true;
    } else if (c->command == NULL) {
        cli_say("%s has no verb \"%s\"; see chancery %s help", c->noun, word, c->noun);
        return R_BAD_INPUT;
    }
    return R_OK;
}

static enum result argument_take(struct cli *c, const char *word)
{
    const struct command *k = c->command;
    if (k->argument == NULL || c->argument != NULL) {
        if (k->argument == NULL && strcmp(word, "help") == 0) {
            c->help = true;
            return R_OK;
        }
        cli_say("%s %s: there is a word too many: \"%s\"", k->noun, k->verb != NULL ? k->verb : "", word);
        return R_BAD_INPUT;
    }
    const char *wanted = value_fault(k->argument_kind, NULL, 0, 0, 0, word);
    if (wanted != NULL) {
        cli_say("%s: found \"%s\", wanted %s", k->argument, word, wanted);
        return R_BAD_INPUT;
    }
    c->argument = word;
    return R_OK;
}

static enum result command_check(const struct cli *c)
{
    const struct command *k = c->command;
    if (k->argument != NULL && c->argument == NULL) {
        cli_say("%s %s wants one more word: %s", k->noun, k->verb, k->argument);
        return R_BAD_INPUT;
    }
    for (const struct option *o = k->options; o != NULL && o->name != NULL; o++) {
        if ((o->flags & OPTION_REQUIRED) && !is_given(c, o)) {
            cli_say("%s %s wants --%s %s", k->noun, k->verb, o->name, o->value);
            return R_BAD_INPUT;
        }
    }
    return R_OK;
}

enum result cli_parse(struct cli *c, int argc, char **argv)
{
    enum result r = R_OK;
    c->conf_path = CHANCERY_CONF;
    c->tenant = 1;
    for (int i = 1; i < argc && r == R_OK; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0')
            r = option_take(c, argc, argv, &i);
        else if (c->command != NULL)
            r = argument_take(c, argv[i]);
        else if (c->noun != NULL)
            r = verb_take(c, argv[i]);
        else
            r = noun_take(c, argv[i]);
    }
    if (r != R_OK || c->help)
        return r;
    if (c->command != NULL)
        return command_check(c);
    if (c->noun != NULL)
        cli_say("%s wants a verb; see chancery %s help", c->noun, c->noun);
    else
        cli_say("wanted a command; see chancery help");
    return R_BAD_INPUT;
}

/* ---- the options given ---- */

static const struct option *option_own(const struct cli *c, const char *name)
{
    const struct option *o = option_find(c->command->options, name, strlen(name));
    if (o == NULL) {
        cli_say("internal fault: %s has no option --%s", c->command->noun, name);
        abort();
    }
    return o;
}

const char *cli_text(const struct cli *c, const char *name)
{
    const struct option *o = option_own(c, name);
    for (int i = 0; i < c->given_count; i++)
        if (c->given[i].option == o)
            return c->given[i].value;
    return NULL;
}

bool cli_flag(const struct cli *c, const char *name) { return is_given(c, option_own(c, name)); }

int64_t cli_number(const struct cli *c, const char *name, int64_t absent)
{
    const struct option *o = option_own(c, name);
    const char *value = cli_text(c, name);
    int64_t number = absent;
    if (value != NULL)
        text_to_number(value, o->min, o->max, &number);
    return number;
}

int64_t cli_time(const struct cli *c, const char *name, int64_t absent)
{
    const char *value = cli_text(c, name);
    int64_t t = absent;
    if (value != NULL)
        clock_from_iso(value, &t);
    return t;
}

const char **cli_texts(struct cli *c, const char *name, uint32_t *count)
{
    const struct option *o = option_own(c, name);
    const char **items = arena_array(&c->arena, (size_t)c->given_count, sizeof *items);
    *count = 0;
    for (int i = 0; items != NULL && i < c->given_count; i++)
        if (c->given[i].option == o)
            items[(*count)++] = c->given[i].value;
    return items;
}

struct bytes cli_serial(struct cli *c, const char *hex)
{
    uint8_t serial[LIMIT_SERIAL];
    size_t n;
    if (hex == NULL || serial_decode(hex, serial, &n) != R_OK)
        return BYTES_NONE;
    return arena_bytes(&c->arena, BYTES(serial, n));
}

/* ---- help ---- */

static void help_line(FILE *out, const struct command *k)
{
    char words[96];
    snprintf(words, sizeof words, "%s%s%s%s%s", k->noun, k->verb != NULL ? " " : "", k->verb != NULL ? k->verb : "",
             k->argument != NULL ? " " : "", k->argument != NULL ? k->argument : "");
    fprintf(out, "  %-36s %s\n", words, k->help);
}

static void help_options(FILE *out, const struct option *options)
{
    for (const struct option *o = options; o != NULL && o->name != NULL; o++) {
        char words[256];
        snprintf(words, sizeof words, "--%s%s%s", o->name, o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
        fprintf(out, "    %-40s %s%s%s\n", words, o->help, o->flags & OPTION_REQUIRED ? " (required)" : "",
                o->flags & OPTION_REPEATED ? " (may be repeated)" : "");
    }
}

void cli_help(FILE *out, const char *noun, const struct command *command)
{
    if (noun == NULL)
        fputs("Usage: chancery [global options] NOUN VERB [WORD] [options]\n\n", out);
    for (const struct command *k = cli_next(NULL); k != NULL; k = cli_next(k)) {
        if (command != NULL ? k != command : noun != NULL && strcmp(k->noun, noun) != 0)
            continue;
        help_line(out, k);
        if (noun != NULL)
            help_options(out, k->options);
    }
    if (noun == NULL)
        fputs("\nchancery NOUN help describes the options.\n", out);
    fputs("\nGlobal options:\n", out);
    help_options(out, global_options);
}
