/*
 * server - the daemon's loop: everything together, from start to stop.
 *
 * SIGTERM and SIGINT stop it, SIGHUP reads the configuration again, SIGUSR1
 * closes the files that are being written.
 */
#ifndef SEPMLOGD_SERVER_H
#define SEPMLOGD_SERVER_H

#include "candidate.h"

struct server;

/* Opens everything, recovers the spool, and listens; `origin` is borrowed.
 * NULL: it cannot run, and the log says why. */
struct server *server_new(const struct origin *origin);

/* Runs until it is stopped and all is stored. False: something was not. */
bool server_run(struct server *server);

void server_free(struct server *server);

#endif
