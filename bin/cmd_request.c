/* Requests under profiles whose approval is manual. */
#include "bin/cli.h"
#include "lib/base/text.h"

static enum result request_list(struct cli *c)
{
    int64_t before = cli_number(c, "before", 0);
    const struct db_param arguments[] = {DB_P_TEXT(cli_text(c, "state")), DB_P_INT4(cli_number(c, "limit", 100)),
                                         before == 0 ? DB_P_NULL(DB_INT8) : DB_P_INT8(before)};
    return cli_list(c, OPERATOR_REQUEST_LIST, arguments, 3);
}

static enum result request_number(struct cli *c, int64_t *out)
{
    return text_to_number(c->argument, 1, INT64_MAX, out) == R_OK ? R_OK :
        cli_refuse(c, R_BAD_INPUT, "Request: found \"%s\", wanted the number that request list shows.", c->argument);
}

static enum result request_show(struct cli *c)
{
    int64_t id = 0;
    enum result r = request_number(c, &id);
    const struct db_param arguments[] = {DB_P_INT8(id)};
    return r == R_OK ? cli_show(c, OPERATOR_REQUEST_SHOW, arguments, 1) : r;
}

static enum result decide(struct cli *c, bool approve, const char *content)
{
    int64_t id = 0;
    enum result r = request_number(c, &id);
    const struct db_param arguments[] = {DB_P_INT8(id), DB_P_BOOL(approve), DB_P_TEXT(content), cli_expected(c)};
    return r == R_OK ? cli_call(c, OPERATOR_REQUEST_DECIDE, arguments, 4, NULL) : r;
}

static enum result request_approve(struct cli *c) { return decide(c, true, cli_text(c, "content")); }
static enum result request_reject(struct cli *c) { return decide(c, false, NULL); }

static const struct option list_options[] = {
    {"state", "pending|approved|rejected|issued|expired", OPTION_CHOICE, 0, "only of this state", 0, 0},
    {"limit", "N", OPTION_NUMBER, 0, "how many (default 100; 0: all)", 0, INT32_MAX},
    {"before", "ID", OPTION_NUMBER, 0, "go on with those older than this id", 1, INT64_MAX},
    OPTION_END,
};
#define VERSION_OPTION {"row-version", "N", OPTION_NUMBER, 0, "refuse where show tells another", 1, INT32_MAX}
static const struct option approve_options[] = {
    {"content", "SHA256", OPTION_TEXT, 0, "refuse where show tells another content_sha256", 0, 0}, VERSION_OPTION, OPTION_END,
};
static const struct option reject_options[] = {VERSION_OPTION, OPTION_END};

const struct command commands_request[] = {
    {"request", "list", NULL, OPTION_FLAG, list_options, false, "requests that wait for approval or waited, newest first",
     request_list},
    {"request", "show", "ID", OPTION_TEXT, NULL, false, "exactly what would be issued", request_show},
    {"request", "approve", "ID", OPTION_TEXT, approve_options, false, "let exactly that be issued", request_approve},
    {"request", "reject", "ID", OPTION_TEXT, reject_options, false, "let nothing be issued; also takes an approval back",
     request_reject},
    {0},
};
