/* Groups of devices and of users, and what is assigned to them. */
#include "bin/cli.h"

static enum result group_add(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(cli_text(c, "name")), DB_P_TEXT(cli_text(c, "kind"))};
    return cli_made(c, OPERATOR_GROUP_ADD, arguments, 2, "id");
}

static enum result group_list(struct cli *c) { return cli_list(c, OPERATOR_GROUP_LIST, NULL, 0); }

static enum result group_show(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument), DB_P_INT8(cli_number(c, "after", 0)),
                                         DB_P_INT4(cli_number(c, "limit", 1000))};
    return cli_list(c, OPERATOR_GROUP_MEMBERS, arguments, 3);
}

static enum result change(struct cli *c, bool adding, bool all)
{
    uint32_t devices, users;
    const char **device = cli_texts(c, "device", &devices), **user = cli_texts(c, "user", &users);
    if (device == NULL || user == NULL)
        return R_NO_MEMORY;
    if ((devices > 0) + (users > 0) + all != 1)
        return cli_refuse(c, R_BAD_INPUT, "Wanted either --device or --user%s.", adding ? " or --all-devices" : "");
    const struct db_param arguments[] = {DB_P_TEXT(c->argument), DB_P_BOOL(adding), DB_P_TEXTS(device, devices),
                                         DB_P_TEXTS(user, users), DB_P_BOOL(all)};
    return cli_call(c, OPERATOR_GROUP_CHANGE, arguments, 5, NULL);
}

static enum result group_add_member(struct cli *c) { return change(c, true, cli_flag(c, "all-devices")); }
static enum result group_remove_member(struct cli *c) { return change(c, false, false); }

static enum result group_delete(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument)};
    return cli_call(c, OPERATOR_GROUP_DELETE, arguments, 1, NULL);
}

static enum result assign(struct cli *c, bool adding, bool exclude)
{
    const struct db_param arguments[] = {DB_P_TEXT(cli_text(c, "profile")), DB_P_TEXT(cli_text(c, "group")),
                                         DB_P_BOOL(adding), DB_P_BOOL(exclude)};
    return cli_call(c, OPERATOR_ASSIGNMENT_CHANGE, arguments, 4, NULL);
}

static enum result assign_add(struct cli *c) { return assign(c, true, cli_flag(c, "exclude")); }
static enum result assign_remove(struct cli *c) { return assign(c, false, false); }

static enum result assign_list(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(cli_text(c, "profile"))};
    return cli_list(c, OPERATOR_ASSIGNMENT_LIST, arguments, 1);
}

static const struct option add_options[] = {
    {"name", "NAME", OPTION_TEXT, OPTION_REQUIRED, "name", 0, 0},
    {"kind", "devices|users", OPTION_CHOICE, OPTION_REQUIRED, "what its members are", 0, 0},
    OPTION_END,
};
static const struct option show_options[] = {
    {"after", "ID", OPTION_NUMBER, 0, "go on behind this id", 0, INT64_MAX},
    {"limit", "N", OPTION_NUMBER, 0, "how many (default 1000; 0: all)", 0, INT32_MAX},
    OPTION_END,
};
#define MEMBER_OPTIONS \
    {"device", "DEVICE", OPTION_TEXT, OPTION_REPEATED, "a device, by name or id", 0, 0}, \
    {"user", "UPN", OPTION_TEXT, OPTION_REPEATED, "a user", 0, 0}
static const struct option add_member_options[] = {
    MEMBER_OPTIONS, {"all-devices", NULL, OPTION_FLAG, 0, "every device there is now", 0, 0}, OPTION_END,
};
static const struct option remove_member_options[] = {MEMBER_OPTIONS, OPTION_END};
#define ASSIGN_OPTIONS \
    {"profile", "PROFILE", OPTION_TEXT, OPTION_REQUIRED, "the profile", 0, 0}, \
    {"group", "GROUP", OPTION_TEXT, OPTION_REQUIRED, "the group", 0, 0}
static const struct option assign_options[] = {
    ASSIGN_OPTIONS, {"exclude", NULL, OPTION_FLAG, 0, "its members do not get it, whatever includes them", 0, 0}, OPTION_END,
};
static const struct option unassign_options[] = {ASSIGN_OPTIONS, OPTION_END};
static const struct option assign_list_options[] = {{"profile", "PROFILE", OPTION_TEXT, 0, "only this profile", 0, 0},
                                                    OPTION_END};

const struct command commands_group[] = {
    {"group", "add", NULL, OPTION_FLAG, add_options, false, "make a group; prints its id", group_add},
    {"group", "list", NULL, OPTION_FLAG, NULL, false, "the groups and what is assigned to them", group_list},
    {"group", "show", "GROUP", OPTION_TEXT, show_options, false, "the members of a group", group_show},
    {"group", "add-member", "GROUP", OPTION_TEXT, add_member_options, false, "put devices or users into it", group_add_member},
    {"group", "remove-member", "GROUP", OPTION_TEXT, remove_member_options, false, "take devices or users out of it",
     group_remove_member},
    {"group", "delete", "GROUP", OPTION_TEXT, NULL, false, "delete a group to which nothing is assigned", group_delete},
    {"assign", "add", NULL, OPTION_FLAG, assign_options, false, "deliver a profile to a group", assign_add},
    {"assign", "remove", NULL, OPTION_FLAG, unassign_options, false, "end that", assign_remove},
    {"assign", "list", NULL, OPTION_FLAG, assign_list_options, false, "the assignments", assign_list},
    {0},
};
