/* lockfile.h - one writer at a time: GALLERY-lock, and in it who that is.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_LOCKFILE_H
#define MNI_RECOG_LOCKFILE_H

#include "os/vfs.h"

typedef struct mni_lockfile {
    const mni_vfs *vfs;
    const char *path;                   /* borrowed */
    mni_file *file;                     /* held open; NULL: not ours */
    uint64_t left_by;   /* process that ended without giving it back; 0: there was none */
} mni_lockfile;

/* The lock of the gallery at `gallery`; MANN_E_LOCKED says who has it and since when. */
mann_status mni_lockfile_take(mni_lockfile *l, const mni_vfs *v, const char *gallery,
                              const char *path, mann_error *err);
/* The file goes with the lock; zeroed ok. */
void mni_lockfile_drop(mni_lockfile *l);

#endif
