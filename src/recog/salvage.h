/* salvage.h - a gallery of which only META and what follows from it can be found.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_SALVAGE_H
#define MNI_RECOG_SALVAGE_H

#include "recog/state.h"

typedef struct mni_salvaged {
    const char *name;                   /* borrowed */
    uint8_t *bytes;                     /* owned: the file, as far as it goes */
    size_t n_bytes;
    mni_meta meta;                      /* n_rows: those that are there */
    uint64_t n_cut;                     /* rows behind the end */
    mni_reader *reader;                 /* owned; of `bytes`, which must outlive it */
} mni_salvaged;

/* After an ordinary open failed with *err: it stands if the file is not a damaged gallery
 * but another kind of file, or of another version, or if there is no META to go by. */
mann_status mni_salvage(mni_salvaged *s, const mni_vfs *v, const char *path,
                        mann_error *err);

#endif
