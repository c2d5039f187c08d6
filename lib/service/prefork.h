/*
 * prefork: a parent that keeps a fixed number of worker processes alive.
 *
 * The parent forks every worker before it does anything else, starts a new one for each that ends, and logs the death of
 * one that crashed. A worker that lived a second is replaced at once; one that did not, at once the first time and then
 * after 100 ms, doubled up to 5 s. Workers never outlive the parent (PR_SET_PDEATHSIG).
 *
 * SIGTERM or SIGINT to the parent stops it: every worker gets SIGTERM, after PREFORK_STOP_SECONDS SIGKILL, then
 * prefork_run returns. SIGTERM is sent again every 100 ms, so a worker that looks at prefork_stop and then waits in
 * poll(2) without a race-free mask still stops in time. SIGHUP is ignored by all.
 *
 * Does not open anything: what must not cross a fork (libpq, random state, PKCS#11, key contexts) is opened in run().
 * Needs a process with one thread.
 */
#ifndef CHANCERY_SERVICE_PREFORK_H
#define CHANCERY_SERVICE_PREFORK_H

#include <signal.h>

#include "lib/base/result.h"

#define PREFORK_WORKERS 256             /* of all groups together */
#define PREFORK_STOP_SECONDS 10         /* that workers have to finish what they are doing */
#define PREFORK_QUICK_DEATH_MS 1000

struct prefork_group {
    const char *name;                   /* for the log, for example "leaf" */
    int count;                          /* workers of this group */
    /* The worker, index from 0 within its group. It returns its exit status, 0 when prefork_stop made it return. The
     * process ends with _exit: no atexit function runs. In a sanitizer build a leak makes the status 23. */
    int (*run)(void *context, int index);
    void *context;
};

/* Set in a worker by SIGTERM. Its handler is installed without SA_RESTART: a waiting system call ends with EINTR. In a
 * worker SIGPIPE, SIGHUP and SIGINT are ignored, all other signals have their default action, none is blocked. */
extern volatile sig_atomic_t prefork_stop;

/* How long to wait before the next start of what died so many times in a row within PREFORK_QUICK_DEATH_MS of its start. */
int prefork_backoff_ms(int quick_deaths);

/* Runs until SIGTERM or SIGINT: R_OK. R_BAD_INPUT: no worker, or more than PREFORK_WORKERS. A fork that
 * fails is tried again every second. */
enum result prefork_run(const struct prefork_group *groups, int group_count);

#endif
