/*
 * chancery-publisher: the daemon that has CRLs built, writes the published files, seals the audit log and does what is due
 * by the clock.
 *
 *   chancery-publisher [--config FILE]
 *
 * Holds no key. One process; SIGTERM or SIGINT end it.
 */
#include <errno.h>
#include <sys/stat.h>

#include "lib/base/conf.h"
#include "lib/base/log.h"
#include "lib/service/daemon.h"
#include "lib/service/publish.h"
#include "lib/store/migrate.h"

#define WAIT_MS 1000                 /* for the database at start, between looks at the signal */

static volatile sig_atomic_t stop;

static void on_stop(int number)
{
    (void)number;
    stop = 1;
    if (publish_waiting)
        _exit(0);
}

static void program_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, end = {.sa_handler = on_stop};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGHUP, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL);     /* a file size limit is met as a full disk */
    (void)sigaction(SIGTERM, &end, NULL);
    (void)sigaction(SIGINT, &end, NULL);
}

/* The one thing in it is a database password, so the file need not be there. */
static enum result program_secrets(const struct conf *conf, struct conf_secrets *secrets)
{
    if (access(conf->publisher_secrets, F_OK) != 0 && errno == ENOENT)
        return R_OK;
    enum result r = conf_load_secrets(secrets, conf->publisher_secrets);
    if (r != R_OK)
        log_event(LOG_LEVEL_ERROR, "secrets-refused", LOG_TEXT("error", conf_error()));
    return r;
}

/* A database that is away is waited for; one with another schema ends the program. */
static enum result program_schema(struct db *db)
{
    enum result r = R_UNAVAILABLE;
    while (!stop && (r == R_UNAVAILABLE || r == R_OUTCOME_UNKNOWN)) {
        r = db_wait(db, WAIT_MS);
        if (r == R_OK)
            r = migrate_check(db);
    }
    return r;
}

static enum result program_work(const struct conf *conf, const struct conf_secrets *secrets)
{
    const struct db_config config = {.connection = conf->database, .user = "chancery_publisher",
        .password = secrets->database_password, .application = "publisher", .prepare = conf->prepare};
    struct publish_config work = {.crl_socket = conf->crl_socket, .admin_socket = conf->admin_socket};
    enum result r = distribution_open(conf->www_dir, &work.distribution);
    if (r == R_OK)
        r = db_open(&config, &work.db);
    if (r == R_OK)
        r = program_schema(work.db);
    if (r == R_OK) {
        log_event(LOG_LEVEL_NOTICE, "started", LOG_TEXT("www_dir", conf->www_dir));
        r = publish_run(&work, &stop);
    }
    db_close(work.db);
    distribution_close(work.distribution);
    return stop ? R_OK : r;
}

int main(int argc, char **argv)
{
    struct conf conf = {0};
    struct conf_secrets secrets = {0};
    const char *path = CHANCERY_CONF;
    int status = 0;
    if (!daemon_arguments("chancery-publisher", argc, argv, &path, &status))
        return status;
    log_open("chancery-publisher", LOG_LEVEL_INFO);
    enum result r = conf_load(&conf, path);
    if (r != R_OK) {
        log_event(LOG_LEVEL_ERROR, "configuration-refused", LOG_TEXT("error", conf_error()));
        return 1;
    }
    log_open("chancery-publisher", conf.log_level);
    program_signals();
    umask(022);                                  /* the files are for everybody */
    r = program_secrets(&conf, &secrets);
    if (r == R_OK)
        r = program_work(&conf, &secrets);
    log_event(LOG_LEVEL_NOTICE, "stopped", LOG_RESULT(r));
    conf_free_secrets(&secrets);
    conf_free(&conf);
    return r == R_OK ? 0 : 1;
}
