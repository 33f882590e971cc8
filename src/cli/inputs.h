/* inputs.h - IMAGE|DIR arguments become a list of files.
 *
 * A folder is walked into all depths, names sorted by bytes, dot files skipped; a folder
 * that contains itself through a symbolic link is entered once. Files named outright are
 * taken whatever their name. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_INPUTS_H
#define MNI_CLI_INPUTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct mni_input {
    char *path;                 /* owned */
    size_t root; /* path + root is relative to the folder it was found in (0: named) */
} mni_input;

typedef struct mni_inputs { mni_input *items; size_t n, cap; } mni_inputs;

/* wanted: decides on files found in folders, by path. A path that is not there is
 * MANN_E_NOT_FOUND. */
mann_status mni_inputs_add(mni_inputs *in, const char *path,
                           int (*wanted)(const char *path), mann_error *err);
/* A path as it is, there or not: who reads it will say what is wrong with it. */
mann_status mni_inputs_name(mni_inputs *in, const char *path, mann_error *err);
/* The photos of a packed data set: "photos.mann/mug/1.jpg". */
mann_status mni_inputs_pack(mni_inputs *in, const char *path, mann_error *err);
void        mni_inputs_fini(mni_inputs *in);

/* First folder of a relative path into out ("" if there is none). */
void mni_input_class(const char *relative, char *out, size_t size);

#endif
