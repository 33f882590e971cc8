/* sources.h - photos by their paths, also those inside of a pack: "photos.mann/mug/1.jpg"
 * is what joining a gallery's root and a record's source gives, whether the root is a
 * folder or one file. SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_SOURCES_H
#define MNI_RECOG_SOURCES_H

#include "os/vfs.h"

/* Packs that were asked stay open, the last few of them. Safe for many threads. */
typedef struct mni_sources mni_sources;
mann_status mni_sources_new(mni_sources **out, const mni_vfs *v, mann_error *err);
void        mni_sources_free(mni_sources *s);           /* NULL ok */

/* As mni_read_file. */
mann_status mni_source_read(mni_sources *s, const char *path, uint64_t limit,
                            uint8_t **bytes, size_t *n_bytes, mann_error *err);
/* MANN_OK: it is there; MANN_E_NOT_FOUND: it is not; else nobody knows. */
mann_status mni_source_there(mni_sources *s, const char *path, mann_error *err);
/* Is a folder, or a pack, there, with at least one thing in it? */
int         mni_source_root_there(mni_sources *s, const char *root);

#endif
