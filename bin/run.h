/*
 * run: `chancery run`, the supervisor of all programs of a host where there is no systemd.
 *
 * Starts every "program = NAME USER COMMAND [ARGUMENT ...]" of chancery.conf, in their order and without waiting for one
 * another (each tolerates that another is not there yet), and starts again whatever dies: at once the first time, and
 * where it lived less than a second with a pause that grows to 5 s. When a program's main process dies, the rest of
 * its process group is killed, so that an orphaned worker keeps no port and no socket.
 *
 * A program runs as USER with that user's groups, in a session of its own, without new privileges, without core dumps,
 * umask 027, standard input from /dev/null, output and errors appended to log_dir/NAME.log. The command is split at
 * spaces; there is no quoting and no PATH search. Programs inherit the environment. They die with the supervisor.
 * The log files are opened once for each start and written by the programs themselves: rotate them by copy and truncate.
 *
 * run_dir/run.lock admits one supervisor; run_dir/pids holds "run=PID NAME=PID ...\n" of what runs, replaced atomically.
 * SIGTERM or SIGINT stops the programs in reverse order, each with the signal it takes for an orderly end and 15 s to
 * follow it, then SIGKILL. SIGHUP is ignored.
 */
#ifndef CHANCERY_BIN_RUN_H
#define CHANCERY_BIN_RUN_H

#include "lib/base/conf.h"

/* Returns the exit status: 0 after an orderly stop, 1 if there is nothing to run or another supervisor is at work. */
int run_main(const struct conf *conf);

#endif
