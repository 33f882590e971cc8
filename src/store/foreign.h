/* foreign.h - other people's vector files: .npy, .fvecs/.bvecs/.ivecs,
 * .fbin/.u8bin/.i8bin/.ibin. Format by the name's ending. See metricann.h, chapter 2, for
 * what is promised, and README.md of this folder for the layouts.
 *
 * Limits: 1,048,576 columns; a .npy header of 64 KiB; memory is asked for only after the
 * file's length was found to be just what its header says.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_FOREIGN_H
#define MNI_STORE_FOREIGN_H

#include "base/dtype.h"
#include "base/status.h"
#include "os/vfs.h"

enum { MNI_VECTORS_MAX_COLS = 1 << 20 };

typedef enum mni_layout {
    MNI_LAYOUT_NPY,     /* header as text, then rows */
    MNI_LAYOUT_VECS,    /* i32 cols before each row */
    MNI_LAYOUT_BIN      /* u32 rows, u32 cols, then rows */
} mni_layout;

typedef struct mni_format {
    const char *suffix;         /* with the dot, lower case */
    mni_layout layout;
    mni_dtype dtype; /* of .npy: what we write; what we read is in the header */
} mni_format;

/* NULL and MANN_E_UNSUPPORTED naming all endings, if the name has none of them. */
mann_status mni_format_of(const mni_format **out, const char *path, mann_error *err);

/* *data: rows x cols f32, owned (mni_free). rows may be 0; then cols is what the header
 * says, or 0 where there is none (an empty .fvecs). Numbers pass as they are: also NaN
 * and infinities. */
mann_status mni_vectors_read(const mni_vfs *v, const char *path, float **data,
                             size_t *rows, size_t *cols, mann_error *err);
/* Integer formats refuse (MANN_E_ARG, naming row and column) what is not an integer in
 * their range. */
mann_status mni_vectors_write(const mni_vfs *v, const char *path, mann_matrix m,
                              mann_error *err);
/* rows x cols, packed. i32 formats refuse ids above 2^31 - 1 (MANN_E_LIMIT) but for ~0,
 * which is -1. */
mann_status mni_ids_write(const mni_vfs *v, const char *path, const uint64_t *ids,
                          size_t rows, size_t cols, mann_error *err);

#endif
