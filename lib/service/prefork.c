#include "lib/service/prefork.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 5000
#define RESEND_MS 100
#define LEAK_STATUS 23

struct worker {
    const struct prefork_group *group;
    int index;
    pid_t pid;                  /* 0: not running */
    int64_t started_ms;
    int64_t due_ms;             /* when to start it, while it is not running */
    int quick_deaths;           /* in a row */
};

volatile sig_atomic_t prefork_stop;

/* There in sanitizer builds only; a worker ends with _exit, which does not look for leaks by itself. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void on_sigterm(int sig)
{
    (void)sig;
    prefork_stop = 1;
}

/* The signals the parent waits for; blocked in it, so that none is lost between two waits. */
static void parent_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

static void worker_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT};
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &action, NULL);          /* refused for SIGKILL, SIGSTOP and libc's own: as it should be */
    action.sa_handler = SIG_IGN;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        sigaction(ignored[i], &action, NULL);
    action.sa_handler = on_sigterm;
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void worker_main(const struct worker *w, pid_t parent)
{
    int status;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)                    /* it died before the line above */
        _exit(0);
    worker_signals();
    status = w->group->run(w->group->context, w->index);
    if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0)
        status = LEAK_STATUS;
    _exit(status);
}

static void worker_start(struct worker *w)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0) {
        log_event(LOG_LEVEL_ERROR, "worker-not-started", LOG_TEXT("group", w->group->name), LOG_NUM("index", w->index),
                  LOG_TEXT("error", strerror(errno)));
        w->due_ms = clock_monotonic_ms() + PREFORK_QUICK_DEATH_MS;
        return;
    }
    if (pid == 0)
        worker_main(w, parent);
    w->pid = pid;
    w->started_ms = clock_monotonic_ms();
}

int prefork_backoff_ms(int quick_deaths)
{
    int ms = BACKOFF_FIRST_MS;

    if (quick_deaths < 2)
        return 0;
    for (int i = 2; i < quick_deaths && ms < BACKOFF_LAST_MS; i++)
        ms *= 2;
    return ms < BACKOFF_LAST_MS ? ms : BACKOFF_LAST_MS;
}

static void worker_ended(struct worker *w, int status, bool stopping)
{
    int64_t now = clock_monotonic_ms();
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    w->quick_deaths = now - w->started_ms < PREFORK_QUICK_DEATH_MS ? w->quick_deaths + 1 : 0;
    w->due_ms = now + prefork_backoff_ms(w->quick_deaths);
    if (!clean)
        log_event(LOG_LEVEL_ERROR, "worker-died", LOG_TEXT("group", w->group->name), LOG_NUM("index", w->index),
                  LOG_NUM("worker", w->pid), LOG_TEXT("how", WIFSIGNALED(status) ? "signal" : "exit"),
                  LOG_NUM("status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)),
                  LOG_NUM("restart_ms", stopping ? -1 : w->due_ms - now));
    w->pid = 0;
}

/* Collects every child that ended; returns the number of workers that still run. */
static int reap(struct worker *workers, int n, bool stopping)
{
    int status, running = 0;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int i = 0; i < n; i++)
            if (workers[i].pid == pid)
                worker_ended(&workers[i], status, stopping);
    for (int i = 0; i < n; i++)
        running += workers[i].pid != 0;
    return running;
}

/* Starts what is due; returns the milliseconds until the next one is. */
static int start_due(struct worker *workers, int n)
{
    int64_t now = clock_monotonic_ms(), next = now + 60000;

    for (int i = 0; i < n; i++)
        if (workers[i].pid == 0 && workers[i].due_ms <= now)
            worker_start(&workers[i]);
    for (int i = 0; i < n; i++)
        if (workers[i].pid == 0 && workers[i].due_ms < next)
            next = workers[i].due_ms;
    return (int)(next - now);
}

static int wait_signal(const sigset_t *set, int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};

    return sigtimedwait(set, NULL, &t);
}

static void signal_all(const struct worker *workers, int n, int sig)
{
    for (int i = 0; i < n; i++)
        if (workers[i].pid != 0)
            kill(workers[i].pid, sig);
}

static void stop_all(struct worker *workers, int n, const sigset_t *set)
{
    int64_t deadline = clock_monotonic_ms() + PREFORK_STOP_SECONDS * 1000;
    int sig = SIGTERM;

    while (reap(workers, n, true) > 0) {
        if (clock_left_ms(deadline) == 0 && sig == SIGTERM) {
            sig = SIGKILL;
            log_event(LOG_LEVEL_WARNING, "workers-killed", LOG_NUM("after_seconds", PREFORK_STOP_SECONDS));
        }
        signal_all(workers, n, sig);
        wait_signal(set, RESEND_MS);
    }
}

static int workers_fill(struct worker *workers, const struct prefork_group *groups, int group_count)
{
    int n = 0;

    for (int g = 0; g < group_count; g++)
        for (int i = 0; i < groups[g].count; i++) {
            if (n == PREFORK_WORKERS)
                return -1;
            workers[n++] = (struct worker){.group = &groups[g], .index = i};
        }
    return n;
}

enum result prefork_run(const struct prefork_group *groups, int group_count)
{
    static struct worker workers[PREFORK_WORKERS];
    struct sigaction ignore = {.sa_handler = SIG_IGN}, normal = {.sa_handler = SIG_DFL};
    sigset_t set;
    int n = workers_fill(workers, groups, group_count);

    if (n <= 0) {
        log_event(LOG_LEVEL_ERROR, "workers-refused", LOG_NUM("most", PREFORK_WORKERS), LOG_NUM("least", 1));
        return R_BAD_INPUT;
    }
    parent_signals(&set);
    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGCHLD, &normal, NULL);          /* an inherited SIG_IGN would hide the deaths */
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (;;) {
        int wait_ms = start_due(workers, n);
        int sig;

        if (wait_ms < 1)
            wait_ms = 1;
        sig = wait_signal(&set, wait_ms);
        if (sig == SIGTERM || sig == SIGINT)
            break;
        reap(workers, n, false);
    }
    stop_all(workers, n, &set);
    return R_OK;
}
