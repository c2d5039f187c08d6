#include "lib/service/daemon.h"

#include <getopt.h>
#include <stdio.h>

bool daemon_arguments(const char *program, int argc, char **argv, const char **config, int *status)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'}, {0}};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        *status = 0;
        switch (o) {
        case 'c':
            *config = optarg;
            break;
        case 'h':
            printf("usage: %s [--config FILE] [--help] [--version]\n", program);
            return false;
        case 'v':
            printf("%s %s\n", program, PACKAGE_VERSION);
            return false;
        default:
            *status = 2;
            return false;
        }
    }
    if (optind == argc)
        return true;
    fprintf(stderr, "%s: unexpected argument %s\n", program, argv[optind]);
    *status = 2;
    return false;
}
