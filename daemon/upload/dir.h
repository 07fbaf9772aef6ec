/*
 * dir - files to another directory of this machine: a share, a volume.
 *
 * A copy is made under a hidden name, synced, read back and compared, and only
 * then renamed; a hard link needs the same file system, and the right to link
 * files of the spool's owner (fs.protected_hardlinks).
 */
#ifndef SEPMLOG_UPLOAD_DIR_H
#define SEPMLOG_UPLOAD_DIR_H

#include <stdbool.h>

#include "target.h"

struct dir_options {
	char *directory;
	bool link; /* else copy */
};

extern const struct target_kind target_dir;

#endif
