/* kern_nn.h - the matrix product under every layer: C = A * B or C += A * B, in floats.
 *
 * All matrices are row-major; ld* is the distance between rows in floats.
 *
 *     kind             A is stored     B is stored     typical use
 *     MNI_GEMM_NN      m x k           k x n           convolution forward
 *     MNI_GEMM_NT      m x k           n x k (B^T)     weight gradient, linear forward
 *     MNI_GEMM_TN      k x m (A^T)     k x n           input gradient
 *
 * The bits of one output depend on k and on the SIMD level only, never on m, n, its
 * place, the leading dimensions or the number of threads: a row computed alone equals the
 * same row in a batch. Its products are added in this order (gemm.c): in blocks of
 * MNI_GEMM_KC along k from left to right, each block in one chain that starts at 0, and
 * the finished block is added to C. With `make BLAS=1` the same entry calls cblas_sgemm,
 * and of this paragraph nothing holds.
 *
 * Error: within (k + 8) * FLT_EPSILON * sum |terms| of a double-precision sum (with
 * `add`, the old C is one of the terms). NaN and infinity spread as in plain C.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_NN_H
#define MNI_KERN_KERN_NN_H

#include <stddef.h>

#include "os/pool.h"

typedef enum mni_gemm_kind { MNI_GEMM_NN, MNI_GEMM_NT, MNI_GEMM_TN } mni_gemm_kind;

typedef struct mni_gemm_args {
    mni_gemm_kind kind;
    size_t m, n, k;             /* any may be 0; k == 0: C = 0, or nothing with `add` */
    const float *a;             /* borrowed; nothing is read behind its last row's end */
    size_t lda;                 /* >= columns as stored */
    const float *b;
    size_t ldb;
    float *c;                   /* m x n; overlaps nothing; gaps between rows stay */
    size_t ldc;
    int add;                    /* 0: C = A * B (old C is not read), 1: C += A * B */
} mni_gemm_args;

/* Scratch for one call of mni_gemm: at most some 6 MiB whatever the sizes, the same for
 * any number of threads. The largest of several products' bytes serves them all. */
size_t mni_gemm_workspace_bytes(const mni_gemm_args *g);

/* workspace: that many bytes, any alignment, contents do not matter. pool may be NULL. */
void mni_gemm(const mni_gemm_args *g, mni_pool *pool, void *workspace);

/* The same in three plain loops: the definition. Slow; for tests and readers. */
void mni_gemm_plain(const mni_gemm_args *g);

/* --- the table of levels --------------------------------------------------------- */

enum { MNI_GEMM_KC = 256 };

/* C[rows x cols] = or += Ap * Bp. Ap is a packed panel: k steps of `mr` floats, of which
 * the first `rows` are used; Bp: k steps of `nr` floats, zero beyond `cols` up to a full
 * vector. rows 1..mr, cols 1..nr, k >= 1. */
typedef void (*mni_tile_fn)(size_t k, const float *ap, const float *bp, float *c,
                            size_t ldc, size_t rows, size_t cols, int add);
/* out[j * width + i] = in[i * ld + j] for i < rows, j < k; rows <= width. The floats of
 * rows..width-1 in each step are left alone or set to 0. */
typedef void (*mni_turn_fn)(const float *in, size_t ld, size_t rows, size_t k,
                            size_t width, float *out);

typedef struct mni_kern_nn {
    const char *name;           /* of the level of the best entry: "scalar", "neon", .. */
    size_t mr, nr;              /* the micro-kernel's tile of C */
    mni_tile_fn tile;
    mni_turn_fn turn;           /* packing a matrix whose rows run along k */
} mni_kern_nn;

/* As in kern_dist.h: build is pure, best is capped by $METRICANN_SIMD and built once. */
void mni_kern_nn_build(mni_kern_nn *k, unsigned cpu);
const mni_kern_nn *mni_kern_nn_best(void);
void mni_kern_nn_add_avx2(mni_kern_nn *k);
void mni_kern_nn_add_avx512(mni_kern_nn *k);
void mni_kern_nn_add_neon(mni_kern_nn *k);

/* mni_gemm with a given table; workspace for that table. */
size_t mni_gemm_workspace_bytes_of(const mni_kern_nn *kern, const mni_gemm_args *g);
void   mni_gemm_of(const mni_kern_nn *kern, const mni_gemm_args *g, mni_pool *pool,
                   void *workspace);

#endif
