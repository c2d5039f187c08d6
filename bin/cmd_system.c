/* migrate, run, version, status, clock. */
#include <string.h>
#include <unistd.h>

#include "bin/cli.h"
#include "bin/run.h"
#include "lib/base/limits.h"
#include "lib/store/migrate.h"

#define OWNER "chancery_owner"
#define WAIT_MS 10000                /* for a database that has just been started */

static void migrated(void *context, const char *line)
{
    (void)context;
    puts(line);
}

static enum result migrate(struct cli *c)
{
    const char *folder = cli_text(c, "dir");
    const struct db_config config = {.connection = c->conf.database, .user = OWNER, .application = "chancery"};
    enum result r = db_open(&config, &c->db);
    if (r == R_OK)
        r = db_wait(c->db, WAIT_MS);
    return r == R_OK ? migrate_run(c->db, folder != NULL ? folder : CHANCERY_SQL_DIR, migrated, c) : r;
}

static enum result run(struct cli *c)
{
    log_to(STDERR_FILENO);
    c->said = true;
    return run_main(&c->conf) == 0 ? R_OK : R_UNAVAILABLE;
}

static enum result version(struct cli *c)
{
    printf(c->json ? "{\"version\":\"%s\",\"schema\":%d}\n" : "chancery %s, schema %d\n", PACKAGE_VERSION, MIGRATE_SCHEMA);
    return R_OK;
}

static enum result status(struct cli *c) { return cli_show(c, OPERATOR_STATUS, NULL, 0); }
static enum result clock_show(struct cli *c) { return cli_show(c, OPERATOR_CLOCK_SHOW, NULL, 0); }
static enum result clock_confirm(struct cli *c) { return cli_call(c, OPERATOR_CLOCK_CONFIRM, NULL, 0, NULL); }

static const struct option migrate_options[] = {
    {"dir", "DIR", OPTION_TEXT, 0, "folder of the migrations (default " CHANCERY_SQL_DIR ")", 0, 0}, OPTION_END,
};

const struct command commands_system[] = {
    {"migrate", NULL, NULL, OPTION_FLAG, migrate_options, false, "bring the database's schema up to this program", migrate},
    {"run", NULL, NULL, OPTION_FLAG, NULL, false, "start and supervise the programs of the configuration", run},
    {"version", NULL, NULL, OPTION_FLAG, NULL, true, "version of this program and of the schema it needs", version},
    {"status", NULL, NULL, OPTION_FLAG, NULL, false, "CAs, CRLs, audit log and clock at a glance", status},
    {"clock", "show", NULL, OPTION_FLAG, NULL, false, "whether time is in doubt", clock_show},
    {"clock", "confirm", NULL, OPTION_FLAG, NULL, false, "the time is right: what cannot be undone may go on", clock_confirm},
    {0},
};
