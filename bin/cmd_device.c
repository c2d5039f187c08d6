/* Managed devices. */
#include <string.h>

#include "bin/device_rows.h"

/* "NAME=VALUE" */
static enum result attributes_take(struct cli *c, struct device_rows *d)
{
    uint32_t count;
    const char **words = cli_texts(c, "attr", &count);
    enum result r = words != NULL ? R_OK : R_NO_MEMORY;
    for (uint32_t i = 0; r == R_OK && i < count; i++) {
        const char *sign = strchr(words[i], '=');
        if (sign == NULL)
            return cli_refuse(c, R_BAD_INPUT, "--attr: found \"%s\", wanted NAME=VALUE.", words[i]);
        const char *name = arena_text(&c->arena, words[i], (size_t)(sign - words[i]));
        r = name != NULL ? device_rows_attribute(d, name, sign + 1) : R_NO_MEMORY;
    }
    return r;
}

static enum result device_add(struct cli *c)
{
    struct device_rows d;
    struct db_rows *rows = NULL;
    device_rows_init(&d);
    enum result r = device_rows_add(&d);
    for (int i = 0; r == R_OK && i < DEVICE_COLUMNS; i++) {
        const char *value = cli_text(c, device_columns[i]);
        if (value != NULL)
            d.columns[i][0] = value;
    }
    if (r == R_OK)
        r = attributes_take(c, &d);
    if (r == R_OK)
        r = device_rows_store(c, &d, cli_text(c, "group"), &rows);
    if (r == R_OK)
        printf(c->json ? "{\"id\":%lld}\n" : "%lld\n", (long long)db_number(rows, 0, 1));
    else if (rows != NULL)
        cli_refuse(c, r, "device: %s", db_text(rows, 0, 2));
    db_rows_free(rows);
    device_rows_free(&d);
    return r;
}

static enum result device_list(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(cli_text(c, "group")), DB_P_INT8(cli_number(c, "after", 0)),
                                         DB_P_INT4(cli_number(c, "limit", 1000))};
    return cli_list(c, OPERATOR_DEVICE_LIST, arguments, 3);
}

static enum result device_show(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument)};
    return cli_show(c, OPERATOR_DEVICE_SHOW, arguments, 1);
}

static enum result state(struct cli *c, const char *to)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument), DB_P_TEXT(to), cli_expected(c)};
    return cli_call(c, OPERATOR_DEVICE_STATE, arguments, 3, NULL);
}

static enum result device_retire(struct cli *c) { return state(c, "retired"); }
static enum result device_wipe(struct cli *c) { return state(c, "wiped"); }
static enum result device_block(struct cli *c) { return state(c, "blocked"); }
static enum result device_enrol(struct cli *c) { return state(c, "enrolled"); }

static const struct option add_options[] = {
    {"name", "NAME", OPTION_TEXT, OPTION_REQUIRED, "name; need not be unique", 0, 0},
    {"platform", "windows|ios|macos|android|linux|other", OPTION_CHOICE, OPTION_REQUIRED, "platform", 0, 0},
    {"serial", "TEXT", OPTION_TEXT, 0, "serial number", 0, 0},
    {"imei", "TEXT", OPTION_TEXT, 0, "IMEI", 0, 0},
    {"meid", "TEXT", OPTION_TEXT, 0, "MEID", 0, 0},
    {"wifi-mac", "TEXT", OPTION_TEXT, 0, "Wi-Fi MAC address", 0, 0},
    {"directory-id", "TEXT", OPTION_TEXT, 0, "id in the directory", 0, 0},
    {"mdm-id", "TEXT", OPTION_TEXT, 0, "id in the MDM", 0, 0},
    {"fqdn", "TEXT", OPTION_TEXT, 0, "fully qualified domain name", 0, 0},
    {"sid", "TEXT", OPTION_TEXT, 0, "on-premises security identifier", 0, 0},
    {"owner", "UPN", OPTION_TEXT, 0, "its user", 0, 0},
    {"attr", "NAME=VALUE", OPTION_TEXT, OPTION_REPEATED, "free attribute, {{device.NAME}} in a subject", 0, 0},
    {"group", "GROUP", OPTION_TEXT, 0, "put it into this group", 0, 0},
    OPTION_END,
};
static const struct option list_options[] = {
    {"group", "GROUP", OPTION_TEXT, 0, "only its members", 0, 0},
    {"after", "ID", OPTION_NUMBER, 0, "go on behind this id", 0, INT64_MAX},
    {"limit", "N", OPTION_NUMBER, 0, "how many (default 1000; 0: all)", 0, INT32_MAX},
    OPTION_END,
};
static const struct option change_options[] = {
    {"row-version", "N", OPTION_NUMBER, 0, "refuse where show tells another", 1, INT32_MAX}, OPTION_END,
};

const struct command commands_device[] = {
    {"device", "add", NULL, OPTION_FLAG, add_options, false, "add a device; prints its id", device_add},
    {"device", "list", NULL, OPTION_FLAG, list_options, false, "devices in the order of their ids", device_list},
    {"device", "show", "DEVICE", OPTION_TEXT, NULL, false, "a device, by name or id", device_show},
    {"device", "retire", "DEVICE", OPTION_TEXT, change_options, false, "its management ended", device_retire},
    {"device", "wipe", "DEVICE", OPTION_TEXT, change_options, false, "it was wiped", device_wipe},
    {"device", "block", "DEVICE", OPTION_TEXT, change_options, false, "give it nothing", device_block},
    {"device", "enrol", "DEVICE", OPTION_TEXT, change_options, false, "take it back", device_enrol},
    {0},
};
