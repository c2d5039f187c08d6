/*
 * daemon: the words that every daemon's command line knows: --config FILE, --help, --version.
 */
#ifndef CHANCERY_SERVICE_DAEMON_H
#define CHANCERY_SERVICE_DAEMON_H

#include <stdbool.h>

/* True: serve, with *config as given or as it was. False: end with *status, everything has been said. */
bool daemon_arguments(const char *program, int argc, char **argv, const char **config, int *status);

#endif
