/* Users, the owners of devices. */
#include <string.h>

#include "bin/cli.h"

/* The options of a user's properties in the order of the database's function. */
static const char *const properties[] = {"upn", "name", "given-name", "surname", "email", "sam", "dn", "sid", "department"};
#define PROPERTIES (sizeof properties / sizeof properties[0])

static enum result user_add(struct cli *c)
{
    struct db_param arguments[PROPERTIES + 2];
    uint32_t count;
    const char **names = cli_texts(c, "attr", &count), **values = arena_array(&c->arena, count, sizeof *values);
    if (names == NULL || values == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        const char *sign = strchr(names[i], '=');
        if (sign == NULL)
            return cli_refuse(c, R_BAD_INPUT, "--attr: found \"%s\", wanted NAME=VALUE.", names[i]);
        values[i] = sign + 1;
        names[i] = arena_text(&c->arena, names[i], (size_t)(sign - names[i]));
        if (names[i] == NULL)
            return R_NO_MEMORY;
    }
    for (size_t i = 0; i < PROPERTIES; i++)
        arguments[i] = DB_P_TEXT(cli_text(c, properties[i]));
    arguments[PROPERTIES] = DB_P_TEXTS(names, count);
    arguments[PROPERTIES + 1] = DB_P_TEXTS(values, count);
    return cli_made(c, OPERATOR_USER_ADD, arguments, PROPERTIES + 2, "id");
}

static enum result user_list(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_INT8(cli_number(c, "after", 0)), DB_P_INT4(cli_number(c, "limit", 1000))};
    return cli_list(c, OPERATOR_USER_LIST, arguments, 2);
}

static enum result user_show(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument)};
    return cli_show(c, OPERATOR_USER_SHOW, arguments, 1);
}

static enum result state(struct cli *c, const char *to)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument), DB_P_TEXT(to), cli_expected(c)};
    return cli_call(c, OPERATOR_USER_STATE, arguments, 3, NULL);
}

static enum result user_disable(struct cli *c) { return state(c, "disabled"); }
static enum result user_enable(struct cli *c) { return state(c, "active"); }

static const struct option add_options[] = {
    {"upn", "NAME@DOMAIN", OPTION_TEXT, OPTION_REQUIRED, "user principal name", 0, 0},
    {"name", "TEXT", OPTION_TEXT, 0, "user name (default: the UPN's part before @)", 0, 0},
    {"given-name", "TEXT", OPTION_TEXT, 0, "given name", 0, 0},
    {"surname", "TEXT", OPTION_TEXT, 0, "surname", 0, 0},
    {"email", "ADDRESS", OPTION_TEXT, 0, "e-mail address", 0, 0},
    {"sam", "TEXT", OPTION_TEXT, 0, "on-premises SAM account name", 0, 0},
    {"dn", "TEXT", OPTION_TEXT, 0, "on-premises distinguished name", 0, 0},
    {"sid", "TEXT", OPTION_TEXT, 0, "on-premises security identifier", 0, 0},
    {"department", "TEXT", OPTION_TEXT, 0, "department", 0, 0},
    {"attr", "NAME=VALUE", OPTION_TEXT, OPTION_REPEATED, "free attribute, {{user.NAME}} in a subject", 0, 0},
    OPTION_END,
};
static const struct option list_options[] = {
    {"after", "ID", OPTION_NUMBER, 0, "go on behind this id", 0, INT64_MAX},
    {"limit", "N", OPTION_NUMBER, 0, "how many (default 1000; 0: all)", 0, INT32_MAX},
    OPTION_END,
};
static const struct option change_options[] = {
    {"row-version", "N", OPTION_NUMBER, 0, "refuse where show tells another", 1, INT32_MAX}, OPTION_END,
};

const struct command commands_user[] = {
    {"user", "add", NULL, OPTION_FLAG, add_options, false, "add a user; prints the id", user_add},
    {"user", "list", NULL, OPTION_FLAG, list_options, false, "users in the order of their ids", user_list},
    {"user", "show", "UPN", OPTION_TEXT, NULL, false, "a user, by UPN or id", user_show},
    {"user", "disable", "UPN", OPTION_TEXT, change_options, false, "no certificates for this user", user_disable},
    {"user", "enable", "UPN", OPTION_TEXT, change_options, false, "end that", user_enable},
    {0},
};
