/* npy.h - the header of NumPy's .npy files (NumPy Enhancement Proposal 1).
 * SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_NPY_H
#define MNI_STORE_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/status.h"

enum { MNI_NPY_HEADER_LIMIT = 64 * 1024 };      /* everything before the first number */

typedef struct mni_npy {
    mni_dtype dtype;            /* F32 F16 F64 U8 I8 I32 I64 */
    uint64_t rows, cols;
    size_t data_at;
} mni_npy;

/* Parses the first n_bytes of a file (all of it, or at least MNI_NPY_HEADER_LIMIT). Does
 * not know the file's length: the caller compares. `name` is for sentences. */
mann_status mni_npy_parse(mni_npy *out, const void *bytes, size_t n_bytes,
                          const char *name, mann_error *err);

/* Writes the header of a rows x cols array of F32 or I64 (version 1.0, padded to a
 * multiple of 64); returns its length. */
size_t mni_npy_header(char out[128], mni_dtype dtype, uint64_t rows, uint64_t cols);

#endif
