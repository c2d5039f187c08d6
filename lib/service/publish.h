/*
 * publish: the publisher's work, step after step in one process.
 *
 *   time      tells the database both clocks of this host, which doubts the time when they part (DESIGN 2.10)
 *   builds    leases CRLs that are due and has the signer build them
 *   crls      writes the current CRLs from the database to files
 *   ca files  writes the CA certificates to files
 *   audit     seals the audit log in batches, has the heads signed, writes the newest to the log
 *   upkeep    partitions of the coming years, RA certificates that are about to end
 *
 * Each has its period, the first time is at once. What fails is tried again, at last once a minute; while the signer or the
 * database is away nothing else is lost but time, and what was missed is caught up. A fault is logged when it begins,
 * changes and ends. Any number of hosts may run it: leases in the database keep builds, sealing and upkeep to one at a time,
 * files are each host's own.
 *
 * Does not sign, decide or read a key: a captured publisher can make CRLs late, nothing else.
 */
#ifndef CHANCERY_SERVICE_PUBLISH_H
#define CHANCERY_SERVICE_PUBLISH_H

#include <signal.h>

#include "lib/service/distribution.h"
#include "lib/store/db.h"

/* A CRL without news is built anew at half its life of seven days. */
#define PUBLISH_REFRESH_SECONDS 302400

struct publish_config {              /* all borrowed */
    struct db *db;
    struct distribution *distribution;
    const char *crl_socket, *admin_socket;
};

/* Set while the signer is asked, which may take minutes: to end the process then loses nothing, as the signer's transaction
 * stands alone. */
extern volatile sig_atomic_t publish_waiting;

/* Works until *stop is set (a signal handler without SA_RESTART): R_OK. Other results only where it cannot begin. */
enum result publish_run(const struct publish_config *config, const volatile sig_atomic_t *stop);

#endif
