/* paths.h - paths.tsv: from which photo each file of a tree of vectors was made.
 *
 *     CLASS/001.npy <tab> source
 *
 * Written by `extract --npy`, read by `build DIR`, so that a row keeps the name of its
 * photo. Tabs and line feeds within names become blanks. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_PATHS_H
#define MNI_CLI_PATHS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

#define MNI_PATHS_NAME "paths.tsv"

typedef struct mni_path_pair { const char *file, *source; } mni_path_pair;
typedef struct mni_paths {
    uint8_t *bytes;             /* owned: the file, cut into names */
    mni_path_pair *pairs;       /* owned, sorted by file */
    size_t n, cap;
} mni_paths;

/* A field of a table: what would break it is a blank. text may be NULL. */
void        mni_tsv_field(mni_text *out, const char *text);
void        mni_paths_line(mni_text *out, const char *file, const char *source);
/* A folder without paths.tsv has no pairs. */
mann_status mni_paths_read(mni_paths *p, const char *dir, mann_error *err);
/* NULL: not told. */
const char *mni_paths_source(const mni_paths *p, const char *file);
void        mni_paths_fini(mni_paths *p);

#endif
