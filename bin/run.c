#include "bin/run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/service/prefork.h"

#define STOP_MS 15000
#define ARGUMENTS 64
#define EXIT_NOT_STARTED 127

struct program {
    const struct conf_program *conf;
    int stop_signal, orphan_signal;
    pid_t pid;                  /* 0: not running */
    int64_t started_ms, due_ms;
    int quick_deaths;
};

struct run {
    const struct conf *conf;
    struct program programs[CONF_PROGRAMS];
    int count;
    sigset_t signals;           /* those waited for; blocked */
};

/* Programs for which SIGTERM does not mean "finish in order and leave": SIGTERM makes PostgreSQL wait for its clients
 * without end, SIGINT is its fast shutdown, SIGQUIT its immediate one; SIGQUIT lets nginx finish its requests, SIGWINCH
 * Apache. */
static const struct { const char *name; int stop_signal, orphan_signal; } signal_table[] = {
    {"postgres", SIGINT, SIGQUIT},
    {"nginx", SIGQUIT, SIGTERM},
    {"apache", SIGWINCH, SIGTERM},
};

static void program_init(struct program *p, const struct conf_program *conf)
{
    *p = (struct program){.conf = conf, .stop_signal = SIGTERM, .orphan_signal = SIGTERM};
    for (size_t i = 0; i < sizeof signal_table / sizeof signal_table[0]; i++)
        if (strcmp(conf->name, signal_table[i].name) == 0) {
            p->stop_signal = signal_table[i].stop_signal;
            p->orphan_signal = signal_table[i].orphan_signal;
        }
}

/* ---- in the child, up to exec ---- */

static _Noreturn void child_failed(const struct program *p, const char *step)
{
    log_event(LOG_LEVEL_ERROR, "program-not-started", LOG_TEXT("name", p->conf->name), LOG_TEXT("step", step),
              LOG_TEXT("error", strerror(errno)));
    _exit(EXIT_NOT_STARTED);
}

static void child_signals(void)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &normal, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_files(const struct program *p, const char *log_dir)
{
    char path[4096];
    int in, out;

    if (snprintf(path, sizeof path, "%s/%s.log", log_dir, p->conf->name) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        child_failed(p, "log file");
    }
    out = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (out < 0)
        child_failed(p, path);
    in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        child_failed(p, "standard files");
}

static void child_user(const struct program *p)
{
    const struct passwd *user;

    errno = 0;
    user = getpwnam(p->conf->user);
    if (!user) {
        if (errno == 0)
            errno = ENOENT;
        child_failed(p, "user");
    }
    if (user->pw_uid == geteuid() && user->pw_uid == getuid())
        return;
    if (initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0)
        child_failed(p, "change of user");
}

static void child_exec(const struct program *p)
{
    char *argv[ARGUMENTS + 1], *rest, *command = strdup(p->conf->command);
    int argc = 0;

    if (!command)
        child_failed(p, "memory");
    for (char *word = strtok_r(command, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (argc == ARGUMENTS) {
            errno = E2BIG;
            child_failed(p, "command");
        }
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    if (argc == 0) {
        errno = EINVAL;
        child_failed(p, "command");
    }
    execv(argv[0], argv);
    child_failed(p, argv[0]);
}

static _Noreturn void child_main(const struct program *p, const char *log_dir, pid_t parent)
{
    const struct rlimit no_core = {0, 0};

    setsid();
    child_signals();
    child_files(p, log_dir);
    if (setrlimit(RLIMIT_CORE, &no_core) < 0)
        child_failed(p, "core limit");
    child_user(p);
    /* After the change of user, which clears it. */
    if (prctl(PR_SET_PDEATHSIG, p->orphan_signal) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        child_failed(p, "prctl");
    if (getppid() != parent)
        _exit(0);
    child_exec(p);
    _exit(EXIT_NOT_STARTED);
}

/* ---- in the supervisor ---- */

static int run_path(const struct run *run, char *path, size_t size, const char *name)
{
    return snprintf(path, size, "%s/%s", run->conf->run_dir, name) < (int)size;
}

static void pids_write(const struct run *run)
{
    char path[4096], aside[4096];
    FILE *f;
    int bad;

    if (!run_path(run, path, sizeof path, "pids") || !run_path(run, aside, sizeof aside, "pids.new"))
        return;
    f = fopen(aside, "we");
    if (f) {
        fprintf(f, "run=%d", (int)getpid());
        for (int i = 0; i < run->count; i++)
            if (run->programs[i].pid != 0)
                fprintf(f, " %s=%d", run->programs[i].conf->name, (int)run->programs[i].pid);
        fputc('\n', f);
        fchmod(fileno(f), 0644);
        bad = ferror(f);
        if (fclose(f) == 0 && !bad && rename(aside, path) == 0)
            return;
    }
    log_event(LOG_LEVEL_ERROR, "pids-not-written", LOG_TEXT("path", path), LOG_TEXT("error", strerror(errno)));
}

static void pids_remove(const struct run *run)
{
    char path[4096];

    if (run_path(run, path, sizeof path, "pids"))
        unlink(path);
}

/* The descriptor that holds the lock, or -1. */
static int lock_take(const struct run *run)
{
    char path[4096];
    int fd;

    if (!run_path(run, path, sizeof path, "run.lock"))
        return -1;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    log_event(LOG_LEVEL_ERROR, "run-refused", LOG_TEXT("path", path),
              LOG_TEXT("found", fd >= 0 && errno == EWOULDBLOCK ? "another supervisor" : strerror(errno)));
    if (fd >= 0)
        close(fd);
    return -1;
}

static void program_start(struct run *run, struct program *p)
{
    pid_t parent = getpid(), pid = fork();

    p->started_ms = clock_monotonic_ms();
    if (pid < 0) {
        log_event(LOG_LEVEL_ERROR, "program-not-started", LOG_TEXT("name", p->conf->name), LOG_TEXT("error", strerror(errno)));
        p->due_ms = p->started_ms + PREFORK_QUICK_DEATH_MS;
        return;
    }
    if (pid == 0)
        child_main(p, run->conf->log_dir, parent);
    p->pid = pid;
    log_event(LOG_LEVEL_INFO, "program-started", LOG_TEXT("name", p->conf->name), LOG_NUM("program_pid", pid),
              LOG_TEXT("user", p->conf->user));
}

/* Starts what is due; returns the milliseconds until the next one is. */
static int start_due(struct run *run)
{
    int64_t now = clock_monotonic_ms(), next = now + 60000;
    int changed = 0;

    for (int i = 0; i < run->count; i++)
        if (run->programs[i].pid == 0 && run->programs[i].due_ms <= now) {
            program_start(run, &run->programs[i]);
            changed = 1;
        }
    for (int i = 0; i < run->count; i++)
        if (run->programs[i].pid == 0 && run->programs[i].due_ms < next)
            next = run->programs[i].due_ms;
    if (changed)
        pids_write(run);
    return next > now ? (int)(next - now) : 1;
}

static void program_ended(struct program *p, int status, int stopping)
{
    int64_t now = clock_monotonic_ms();

    /* What it left behind would keep its port and its sockets. PostgreSQL's children have sessions of their own; they
     * leave by themselves when the postmaster is gone. */
    kill(-p->pid, SIGKILL);
    p->quick_deaths = now - p->started_ms < PREFORK_QUICK_DEATH_MS ? p->quick_deaths + 1 : 0;
    p->due_ms = now + prefork_backoff_ms(p->quick_deaths);
    log_event(stopping ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, stopping ? "program-stopped" : "program-died",
              LOG_TEXT("name", p->conf->name), LOG_NUM("program_pid", p->pid),
              LOG_TEXT("how", WIFSIGNALED(status) ? "signal" : "exit"),
              LOG_NUM("status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)),
              LOG_NUM("restart_ms", stopping ? -1 : p->due_ms - now));
    p->pid = 0;
}

/* Collects every process that ended, orphans of the programs among them. */
static void reap(struct run *run, int stopping)
{
    int status, changed = 0;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int i = 0; i < run->count; i++)
            if (run->programs[i].pid == pid) {
                program_ended(&run->programs[i], status, stopping);
                changed = 1;
            }
    if (changed)
        pids_write(run);
}

static int wait_signal(const struct run *run, int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};

    return sigtimedwait(&run->signals, NULL, &t);
}

static void program_stop(struct run *run, struct program *p)
{
    int64_t deadline = clock_monotonic_ms() + STOP_MS;

    if (p->pid == 0)
        return;
    kill(p->pid, p->stop_signal);
    for (reap(run, 1); p->pid != 0 && clock_left_ms(deadline) > 0; reap(run, 1))
        wait_signal(run, clock_left_ms(deadline));
    if (p->pid == 0)
        return;
    log_event(LOG_LEVEL_WARNING, "program-killed", LOG_TEXT("name", p->conf->name), LOG_NUM("program_pid", p->pid),
              LOG_NUM("after_ms", STOP_MS));
    kill(-p->pid, SIGKILL);
    kill(p->pid, SIGKILL);
    for (reap(run, 1); p->pid != 0; reap(run, 1))
        wait_signal(run, 1000);
}

static void supervise(struct run *run)
{
    for (;;) {
        int sig = wait_signal(run, start_due(run));

        if (sig == SIGTERM || sig == SIGINT)
            break;
        reap(run, 0);
    }
    log_event(LOG_LEVEL_INFO, "run-stopping");
    for (int i = run->count - 1; i >= 0; i--)
        program_stop(run, &run->programs[i]);
    log_event(LOG_LEVEL_INFO, "run-stopped");
}

static void supervisor_signals(struct run *run)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, normal = {.sa_handler = SIG_DFL};

    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGCHLD, &normal, NULL);          /* an inherited SIG_IGN would hide the deaths */
    sigemptyset(&run->signals);
    sigaddset(&run->signals, SIGCHLD);
    sigaddset(&run->signals, SIGTERM);
    sigaddset(&run->signals, SIGINT);
    sigprocmask(SIG_BLOCK, &run->signals, NULL);
}

int run_main(const struct conf *conf)
{
    struct run run = {.conf = conf, .count = conf->program_count};
    int lock;

    log_open("chancery-run", conf->log_level);
    if (conf->program_count == 0) {
        log_event(LOG_LEVEL_ERROR, "run-refused", LOG_TEXT("path", conf->path), LOG_TEXT("found", "no program line"));
        return 1;
    }
    for (int i = 0; i < conf->program_count; i++)
        program_init(&run.programs[i], &conf->programs[i]);
    umask(027);
    supervisor_signals(&run);
    lock = lock_take(&run);
    if (lock < 0)
        return 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    log_event(LOG_LEVEL_INFO, "run-started", LOG_NUM("programs", run.count));
    supervise(&run);
    pids_remove(&run);
    close(lock);
    return 0;
}
