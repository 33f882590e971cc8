/* foreign.h - other people's vector files: .npy, .fvecs/.bvecs/.ivecs, .fbin/.u8bin/.i8bin/.ibin.
 * Format by the name's ending. See metricann.h, chapter 2, for what is promised.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_FOREIGN_H
#define MNI_STORE_FOREIGN_H

#include "base/status.h"
#include "os/vfs.h"

/* *data: rows x cols f32, owned (mni_free). rows may be 0. */
mann_status mni_vectors_read(const mni_vfs *v, const char *path, float **data, size_t *rows, size_t *cols,
                             mann_error *err);
mann_status mni_vectors_write(const mni_vfs *v, const char *path, mann_matrix m, mann_error *err);
mann_status mni_ids_write(const mni_vfs *v, const char *path, const uint64_t *ids, size_t rows,
                          size_t cols, mann_error *err);

#endif
