/*
 * sandbox - the daemon gives up what it does not need, once it runs.
 *
 * A second layer beside that of the service unit: of files it can reach those
 * of its configuration to read and the spool to write (Landlock), of system
 * calls those it uses (seccomp). Any other call ends the process: nothing in
 * the program makes it. Left out of builds with sanitizers, whose runtime needs
 * more, and with -DSEPMLOG_SANDBOX=OFF.
 */
#ifndef SEPMLOGD_SANDBOX_H
#define SEPMLOGD_SANDBOX_H

#include <stdbool.h>

#include "config.h"

/*
 * Files: for the calling thread, and those that it starts from now on. What
 * the configuration names has to be there, but for the directories, files can
 * come and go. A kernel without Landlock is told of in the log, and no error.
 * False: errno.
 */
bool sandbox_files(const char *config_path, const struct config *config);

/*
 * System calls: for all threads; none can be started after that. `may_listen`:
 * it has bound sockets itself, and may have to bind others. False: errno.
 */
bool sandbox_calls(bool may_listen);

#endif
