/*
 * chancery-signer: the daemon that holds the CA keys, decides what is signed, and records it.
 *
 *   chancery-signer [--config FILE]
 *
 * Three lanes, each a Unix socket with worker processes of its own: leaf (issuing CAs, challenges), crl, admin (roots, new keys). Only the
 * crl and admin lanes are given the roots' passphrase.
 */
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/conf.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/service/daemon.h"
#include "lib/service/prefork.h"
#include "lib/signer/frame.h"
#include "lib/signer/server.h"
#include "lib/store/migrate.h"

#define BACKLOG 1024
#define DATABASE_WAIT_MS 30000

struct lane {
    const char *name;
    enum signer_lane lane;
    const char *socket;
    bool roots;
    int listener;
    const struct program *program;
};

struct program {
    struct conf conf;
    struct conf_secrets secrets, roots;
    struct server_peers peers;
    struct lane lanes[3];
};

static int lane_run(void *context, int index)
{
    const struct lane *l = context;
    const struct program *p = l->program;
    struct worker w = {.lane = l->lane, .spool_dir = p->conf.spool_dir, .public_fqdn = p->conf.public_fqdn};
    struct key_secrets secrets = {p->secrets.ca_passphrase, l->roots ? p->roots.root_passphrase : NULL, p->secrets.ra_passphrase};
    struct db_config config = {.connection = p->conf.database, .user = "chancery_signer", .password = p->secrets.database_password,
        .application = l->name, .prepare = p->conf.prepare};
    (void)index;
    /* A lane that must not open roots forgets their passphrase, which the fork gave it, before it serves anybody. */
    if (!l->roots && p->roots.root_passphrase != NULL)
        bytes_wipe(p->roots.root_passphrase, strlen(p->roots.root_passphrase));
    keyring_init(&w.keyring, &secrets);
    enum result r = db_open(&config, &w.db);
    if (r == R_OK)
        r = server_run(&w, l->listener, &p->peers, &prefork_stop);
    if (r != R_OK)
        log_event(LOG_LEVEL_ERROR, "lane-ended", LOG_TEXT("lane", l->name), LOG_RESULT(r));
    keyring_free(&w.keyring);
    db_close(w.db);
    return r == R_OK ? 0 : 1;
}

static enum result peer_uid(const char *user, uid_t *out)
{
    const struct passwd *pw = getpwnam(user);
    if (pw == NULL) {
        log_event(LOG_LEVEL_ERROR, "user-unknown", LOG_TEXT("user", user));
        return R_CONFIG;
    }
    *out = pw->pw_uid;
    return R_OK;
}

static enum result program_secrets(struct program *p)
{
    enum result r = conf_load_secrets(&p->secrets, p->conf.signer_secrets);
    if (r == R_OK)
        r = conf_load_secrets(&p->roots, p->conf.root_secrets);
    if (r != R_OK) {
        log_event(LOG_LEVEL_ERROR, "secrets-refused", LOG_TEXT("error", conf_error()));
        return r;
    }
    if (p->secrets.ca_passphrase == NULL || p->secrets.ra_passphrase == NULL || p->roots.root_passphrase == NULL) {
        log_event(LOG_LEVEL_ERROR, "secrets-missing", LOG_TEXT("wanted", "ca_passphrase and ra_passphrase, root_passphrase"),
                  LOG_TEXT("files", p->conf.signer_secrets));
        return R_CONFIG;
    }
    return R_OK;
}

static enum result program_listen(struct program *p)
{
    p->lanes[0] = (struct lane){"signer-leaf", LANE_LEAF, p->conf.leaf_socket, false, -1, p};
    p->lanes[1] = (struct lane){"signer-crl", LANE_CRL, p->conf.crl_socket, true, -1, p};
    p->lanes[2] = (struct lane){"signer-admin", LANE_ADMIN, p->conf.admin_socket, true, -1, p};
    enum result r = R_OK;
    for (int i = 0; r == R_OK && i < 3; i++)
        r = frame_listen(p->lanes[i].socket, BACKLOG, &p->lanes[i].listener);
    return r;
}

static enum result program_schema(const struct program *p)
{
    struct db_config config = {.connection = p->conf.database, .user = "chancery_signer", .password = p->secrets.database_password,
        .application = "signer", .prepare = false};
    return migrate_await(&config, DATABASE_WAIT_MS);
}

/* Keys must reach neither a core file nor another process of the same user. */
static void program_narrow(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__          /* the leak check traces the process itself */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

int main(int argc, char **argv)
{
    static struct program p;
    const char *path = CHANCERY_CONF;
    int status = 0;
    if (!daemon_arguments("chancery-signer", argc, argv, &path, &status))
        return status;
    log_open("chancery-signer", LOG_LEVEL_INFO);
    enum result r = conf_load(&p.conf, path);
    if (r != R_OK) {
        log_event(LOG_LEVEL_ERROR, "configuration-refused", LOG_TEXT("error", conf_error()));
        return 1;
    }
    log_open("chancery-signer", p.conf.log_level);
    program_narrow();
    r = program_secrets(&p);
    if (r == R_OK)
        r = peer_uid(p.conf.scep_user, &p.peers.scep);
    if (r == R_OK)
        r = peer_uid(p.conf.publisher_user, &p.peers.publisher);
    if (r == R_OK)
        r = program_schema(&p);
    if (r == R_OK)
        r = program_listen(&p);
    if (r == R_OK) {
        int processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
        const struct prefork_group groups[] = {
            {"leaf", p.conf.leaf_workers ? p.conf.leaf_workers : processors + 1, lane_run, &p.lanes[0]},
            {"crl", 1, lane_run, &p.lanes[1]},
            {"admin", p.conf.admin_workers ? p.conf.admin_workers : 2, lane_run, &p.lanes[2]},
        };
        log_event(LOG_LEVEL_NOTICE, "started", LOG_NUM("leaf", groups[0].count), LOG_NUM("admin", groups[2].count));
        r = prefork_run(groups, 3);
    }
    for (int i = 0; i < 3; i++)
        if (p.lanes[i].socket != NULL && p.lanes[i].listener > 0) {
            close(p.lanes[i].listener);
            (void)unlink(p.lanes[i].socket);
        }
    log_event(LOG_LEVEL_NOTICE, "stopped", LOG_RESULT(r));
    conf_free_secrets(&p.secrets);
    conf_free_secrets(&p.roots);
    conf_free(&p.conf);
    return r == R_OK ? 0 : 1;
}
